"""Seeds of iterations, and the random number generators that are set to them."""

from __future__ import annotations

import random
import sys
from hashlib import blake2b

from pytest_repro.imports import ImportWatch

# Odd, so that the sequence meets every 32-bit number once; Knuth's multiplier keeps neighbours apart.
_SEED_STEP = 0x9E3779B1

_LIBRARIES = ("numpy", "torch")


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

    def _seed_library(self, library: str) -> None:
        if self._seed is None:
            return
        # getattr: a library that is being imported may not have its generator yet.
        module = sys.modules.get(library)
        if library == "numpy":
            seed = getattr(getattr(module, "random", None), "seed", None)
        else:
            seed = getattr(module, "manual_seed", None)
        if seed is not None:
            seed(self._seed)
