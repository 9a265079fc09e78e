"""Seeds of iterations, and the random number generators that are set to them."""

from __future__ import annotations

import contextlib
import random
import sys
from collections.abc import Iterator
from hashlib import blake2b
from typing import Any

from pytest_repro.imports import ImportWatch

# Odd, so that the sequence meets every 32-bit number once; Knuth's multiplier keeps neighbours apart.
_SEED_STEP = 0x9E3779B1

_NUMPY, _TORCH = "numpy", "torch"
_LIBRARIES = (_NUMPY, _TORCH)


class SeedSource:
    """Seeds of one test's iterations, the same on every machine and in every process.

    Args:
        base_seed: Of the session.
        test: A name that stays the same however the test is selected; see `seed_name`.
    """

    def __init__(self, base_seed: int, test: str) -> None:
        text = f"{base_seed}\0{test}".encode("utf-8", "surrogatepass")
        self._start = int.from_bytes(blake2b(text, digest_size=4).digest(), "big")

    def seed(self, iteration: int) -> int:
        """Returns the 32-bit seed of one iteration (1-based); no two of 2**32 share one."""
        return (self._start + iteration * _SEED_STEP) & 0xFFFFFFFF


def seed_name(file_name: str, nodeid: str) -> str:
    """Returns the name that seeds a test: its node id with the bare name of its file.

    The path in a node id depends on what stands on the command line, and a replay names the test alone.
    """
    return f"{file_name}::{nodeid.partition('::')[2]}"


class Reseeder:
    """Sets `random`, numpy's legacy generator and torch's to the seed of an iteration.

    numpy and torch are never imported for it. One that an iteration imports itself is seeded right after
    its import: a replay, in which it is not loaded yet, then draws what the iteration drew in which it was.
    """

    def __init__(self) -> None:
        self._seed: int | None = None
        self._watch = ImportWatch(_LIBRARIES, self._seed_library)

    def start(self) -> None:
        """Begins to watch imports."""
        self._watch.start()

    def stop(self) -> None:
        """Ends watching imports."""
        self._watch.stop()

    def set(self, seed: int) -> None:
        """Sets all generators that there are to this 32-bit seed."""
        self._seed = seed
        random.seed(seed)
        for library in _LIBRARIES:
            if library in sys.modules:
                self._seed_library(library)

    @contextlib.contextmanager
    def apart(self, seed: int) -> Iterator[None]:
        """Sets all generators to a seed for the block, and gives them back as they were.

        A library that the block imports itself is left with the seed of the iteration, as if imported there.
        """
        kept = self._seed
        state = random.getstate()
        numpy_random = _part(_NUMPY, "random")
        numpy_state = None if numpy_random is None else numpy_random.get_state()
        torch_state = getattr(sys.modules.get(_TORCH), "get_rng_state", lambda: None)()
        self.set(seed)
        try:
            yield
        finally:
            self._seed = kept
            random.setstate(state)
            for library, given in ((_NUMPY, numpy_state), (_TORCH, torch_state)):
                if given is None and library in sys.modules:
                    self._seed_library(library)
            if numpy_random is not None:
                numpy_random.set_state(numpy_state)
            if torch_state is not None:
                sys.modules[_TORCH].set_rng_state(torch_state)

    def _seed_library(self, library: str) -> None:
        if self._seed is None:
            return
        seed = _part(_NUMPY, "random", "seed") if library == _NUMPY else _part(_TORCH, "manual_seed")
        if seed is not None:
            seed(self._seed)


def _part(library: str, *names: str) -> Any:
    """Returns a part of a library, None as long as it is not there: not loaded, or just being imported."""
    part: Any = sys.modules.get(library)
    for name in names:
        part = getattr(part, name, None)
    return part
