"""Attaches backends to the libraries that a test session imports, when it imports them."""

from __future__ import annotations

import sys
from contextlib import suppress
from functools import partial
from importlib import import_module
from importlib.metadata import entry_points
from typing import TYPE_CHECKING

from pytest_repro.clock import monotonic_ns
from pytest_repro.errors import TimingError
from pytest_repro.imports import ImportWatch
from pytest_repro.timing.recorder import Recorder

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pytest_repro.clock import MonotonicNs
    from pytest_repro.timing.backend import Backend
    from pytest_repro.timing.spans import Fence

GROUP = "pytest_repro.timing"
"""Entry point group of further backends: the name is the module to wait for, the value makes a `Backend`."""


class Harness:
    """A recorder, and the backends of the libraries that are in use.

    No library is imported for it: a backend attaches at `start` if its library is loaded by then, else
    right after the import. A backend that fails is left out and named in `problems`.

    Args:
        clock: Monotonic clock.
        backends: What makes the backend of each library, by the library's module name; ttnn, torch, the
            simulated device and the entry points of `GROUP` if not given.
    """

    def __init__(
        self, clock: MonotonicNs = monotonic_ns, backends: Mapping[str, Callable[[], Backend]] | None = None
    ) -> None:
        self.recorder = Recorder(clock)
        self.problems: list[TimingError] = []
        self._makers = backends
        self._waiting: dict[str, Callable[[], Backend]] = {}
        self._attached: list[Backend] = []
        self._watch = ImportWatch(self._waiting, self._attach)

    def start(self) -> None:
        """Attaches to what is imported, and waits for the rest."""
        self._waiting.update(_known_backends() if self._makers is None else self._makers)
        for library in [library for library in self._waiting if sys.modules.get(library) is not None]:
            self._attach(library)
        self._watch.start()

    def stop(self) -> None:
        """Detaches everything; the libraries are as they were."""
        self._watch.stop()
        self._waiting.clear()
        while self._attached:
            backend = self._attached.pop()
            self.recorder.memory.remove(getattr(backend, "peak_bytes", None))
            self._guard(
                backend.detach,
                f"for {getattr(backend, 'name', '?')} could not be taken off",
                so="Calls of its library may still go through it.",
            )
        self._remove_fences()

    @property
    def attached(self) -> tuple[str, ...]:
        """Names of the backends at work, in the order in which they attached."""
        return tuple(backend.name for backend in self._attached)

    def _attach(self, library: str) -> None:
        make = self._waiting.pop(library, None)
        if make is not None:
            self._guard(
                partial(self._attach_made, make),
                f"for {library} could not attach",
                so="Its calls are not timed.",
            )

    def _attach_made(self, make: Callable[[], Backend]) -> None:
        backend = make()
        fences = self.recorder.fences
        try:
            backend.attach(self.recorder)
        except BaseException:
            with suppress(Exception):  # the error of `attach` is what is told, not what follows from it
                backend.detach()
            self._remove_fences(keep=fences)
            raise
        self._attached.append(backend)
        read_peaks = getattr(backend, "peak_bytes", None)
        if read_peaks is not None:
            self.recorder.memory.add(read_peaks)

    def _remove_fences(self, *, keep: tuple[Fence, ...] = ()) -> None:
        """Takes away the fences of backends that could not do so themselves."""
        for fence in self.recorder.fences:
            if not any(fence is kept for kept in keep):
                self.recorder.remove_fence(fence)

    def _guard(self, act: Callable[[], None], what_failed: str, *, so: str) -> None:
        try:
            act()
        except Exception as error:  # noqa: BLE001 - timing must not fail the import or the test that it times
            self.problems.append(
                TimingError(
                    f"The timing backend {what_failed}: {type(error).__name__}: {error}",
                    place=f"entry point group {GROUP}",
                    next_step=f"{so} Update or remove the package that brings it.",
                )
            )


def _known_backends() -> dict[str, Callable[[], Backend]]:
    makers: dict[str, Callable[[], Backend]] = {}
    makers.update({library: partial(_make, place) for library, place in _BUILT_IN.items()})
    makers.update({point.name: partial(_call, point.load) for point in entry_points(group=GROUP)})
    return makers


_BUILT_IN = {
    "torch": "pytest_repro.timing.backends.torch:TorchBackend",
    "jax": "pytest_repro.timing.backends.jax:JaxBackend",
    "ttnn": "pytest_repro.timing.backends.ttnn:TtnnBackend",
    "pytest_repro.timing.simulated": "pytest_repro.timing.simulated:SimulatedBackend",
}


def _make(place: str) -> Backend:
    module, _, name = place.partition(":")
    backend: Backend = getattr(import_module(module), name)()
    return backend


def _call(load: Callable[[], Callable[[], Backend]]) -> Backend:
    return load()()
