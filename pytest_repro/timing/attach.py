"""Attaches backends to the libraries that a test session imports, when it imports them."""

from __future__ import annotations

import sys
from functools import partial
from importlib import import_module
from importlib.metadata import entry_points
from typing import TYPE_CHECKING, Any

from pytest_repro.clock import monotonic_ns
from pytest_repro.errors import TimingError
from pytest_repro.timing.recorder import Recorder

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from importlib.machinery import ModuleSpec
    from types import ModuleType

    from pytest_repro.clock import MonotonicNs
    from pytest_repro.timing.backend import Backend

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
        self._finder = _Finder(self._waiting, self._attach)

    def start(self) -> None:
        """Attaches to what is imported, and waits for the rest."""
        if self._finder in sys.meta_path:
            return
        self._waiting.update(_known_backends() if self._makers is None else self._makers)
        for library in [library for library in self._waiting if library in sys.modules]:
            self._attach(library)
        sys.meta_path.insert(0, self._finder)

    def stop(self) -> None:
        """Detaches everything; the libraries are as they were."""
        if self._finder in sys.meta_path:
            sys.meta_path.remove(self._finder)
        self._finder.release()
        self._waiting.clear()
        while self._attached:
            self._guard(self._attached.pop().detach, "could not be taken off")

    @property
    def attached(self) -> tuple[str, ...]:
        """Names of the backends at work, in the order in which they attached."""
        return tuple(backend.name for backend in self._attached)

    def _attach(self, library: str) -> None:
        make = self._waiting.pop(library, None)
        if make is not None:
            self._guard(partial(self._attach_made, make), f"for {library} could not attach")

    def _attach_made(self, make: Callable[[], Backend]) -> None:
        backend = make()
        try:
            backend.attach(self.recorder)
        except BaseException:
            backend.detach()
            raise
        self._attached.append(backend)

    def _guard(self, act: Callable[[], None], what_failed: str) -> None:
        try:
            act()
        except Exception as error:  # noqa: BLE001 - timing must not fail the import or the test that it times
            self.problems.append(
                TimingError(
                    f"The timing backend {what_failed}: {type(error).__name__}: {error}",
                    place=f"entry point group {GROUP}",
                    next_step="Its calls are not timed. Update or remove the package that brings it.",
                )
            )


class _Finder:
    """Lets other finders find a module, and acts when it has been executed."""

    def __init__(self, waiting: Mapping[str, Any], act: Callable[[str], None]) -> None:
        self._waiting = waiting
        self._act = act
        self._is_searching = False
        self._loaders: list[Any] = []

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Returns the module's spec as the other finders make it."""
        if name not in self._waiting:
            return None
        for finder in [finder for finder in sys.meta_path if finder is not self]:
            spec = finder.find_spec(name, path, target)
            if spec is not None:
                self._watch(name, spec.loader)
                return spec
        return None

    def release(self) -> None:
        """Takes what is left of it from the loaders of modules that were found but never executed."""
        while self._loaders:
            vars(self._loaders.pop()).pop("exec_module", None)

    def _watch(self, name: str, loader: Any) -> None:
        # On the loader object, which belongs to this one module: the module's spec stays the finder's own.
        if not hasattr(loader, "__dict__") or isinstance(loader, type):
            return

        def exec_module(module: ModuleType) -> None:
            self.release()
            loader.exec_module(module)
            self._act(name)

        loader.exec_module = exec_module
        self._loaders.append(loader)


def _known_backends() -> dict[str, Callable[[], Backend]]:
    makers: dict[str, Callable[[], Backend]] = {}
    makers.update({library: partial(_make, place) for library, place in _BUILT_IN.items()})
    makers.update({point.name: partial(_call, point.load) for point in entry_points(group=GROUP)})
    return makers


_BUILT_IN = {
    "torch": "pytest_repro.timing.backends.torch:TorchBackend",
    "ttnn": "pytest_repro.timing.backends.ttnn:TtnnBackend",
    "pytest_repro.timing.simulated": "pytest_repro.timing.simulated:SimulatedBackend",
}


def _make(place: str) -> Backend:
    module, _, name = place.partition(":")
    backend: Backend = getattr(import_module(module), name)()
    return backend


def _call(load: Callable[[], Callable[[], Backend]]) -> Backend:
    return load()()
