"""torch: transfers, operations and read-backs as phases, on any accelerator and on the CPU.

Seen are all calls that torch shows to its function modes, in the thread in which the harness attached and
in every `threading.Thread` that was started since; the waits for a device; replays of graphs; and functions
that were compiled since, as one operation each. Not seen are calls in threads that are older or were not
started by Python (code of `backward` in torch's own threads counts as `torch.backward`), what is done
through the generic `torch.Stream` and `torch.Event`, and kernels that other libraries launch: a fence waits
for their work, which is then no phase's.

On the CPU a call is over when it returns: nothing is fenced and nothing is hidden. `.to(device)` then
counts as `to_device`, and `.cpu()`, `.numpy()`, `.item()` and `.tolist()` as `to_torch`, so that a test
shows the same three phases everywhere; `size_bytes` is 0 where torch hands on the same memory.

Calls that compute nothing are no phases: those on fake tensors and those that `make_fx` or a compiler trace.

What a test can notice: `torch.overrides.has_torch_function` answers yes, as with any function mode (but
not to torch's own layers, see `torch_fast_paths`); an error in a function of torch that is written in Python
shows two lines of torch's own dispatch, which signatures leave out; `threading.getprofile` is not None.
"""

from __future__ import annotations

import os
import sys
import threading
from functools import partial
from typing import TYPE_CHECKING, Any
from weakref import WeakMethod, WeakSet

from pytest_repro.timing.backend import OP, SYNCHRONIZE
from pytest_repro.timing.backends.torch_calls import Settling
from pytest_repro.timing.backends.torch_compiled import Compiled
from pytest_repro.timing.backends.torch_devices import TorchFence, accelerator_type
from pytest_repro.timing.backends.torch_fast_paths import FastPaths
from pytest_repro.timing.backends.torch_mode import Labels, Stopped, mode_class
from pytest_repro.timing.backends.torch_tensors import Tensors
from pytest_repro.timing.call_sites import CallSites, leave_out
from pytest_repro.timing.patches import Patches
from pytest_repro.timing.threads import ThreadWatch

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_repro.timing.recorder import Recorder

__tracebackhide__ = True


class TorchBackend:
    """Phases for torch."""

    name = "torch"

    def __init__(self) -> None:
        self._patches = Patches()
        self._undo: list[Callable[[], None]] = []
        self._recorder: Recorder | None = None
        self._fence: TorchFence | None = None

    def attach(self, recorder: Recorder) -> None:
        """Enters the function mode, also in threads to come, and wraps what modes do not see."""
        import torch

        self._recorder = recorder
        devices: set[Any] = set()
        accelerator = accelerator_type(torch)
        if accelerator is not None:
            self._fence = fence = TorchFence(torch, devices)
            fence.learn(accelerator)
            recorder.add_fence(fence)
            self._undo.append(partial(recorder.remove_fence, fence))
            self._wrap_waits(torch, recorder, accelerator)
            self._wrap_graphs(torch, recorder, fence, accelerator)
        settling = Settling(Tensors(torch), devices, accelerator)
        kind: Callable[[Recorder], Any] = mode_class(
            torch,
            clock=recorder.clock,
            settling=settling,
            labels=Labels(settling.names),
            sites=CallSites(),
            on_host=accelerator is None,
        )
        modes = _Modes(torch, partial(kind, recorder))
        self._undo.append(modes.leave)
        modes.enter()
        watch = ThreadWatch(modes.enter)
        self._undo.append(watch.stop)
        watch.start()
        fast_paths = FastPaths(torch, modes.aside)
        self._undo.append(fast_paths.close)
        fast_paths.open()
        compiled = Compiled(torch, recorder, modes.aside, on_host=accelerator is None)
        self._patches.wrap(torch, "compile", compiled.compile)
        _forget_in_forks(self)

    def detach(self) -> None:
        """Leaves the mode, wherever it stands by now, and puts the functions back."""
        self._patches.undo()
        while self._undo:
            self._undo.pop()()
        self._recorder = self._fence = None

    def peak_bytes(self) -> dict[str, int]:
        """Returns the most memory that was in use on each device; see `TorchFence.peak_bytes`."""
        return {} if self._fence is None else dict(self._fence.peak_bytes())

    def forget_iteration(self) -> None:
        """Drops the open iteration: in a process that was forked it goes on in the parent."""
        if self._recorder is not None:
            self._recorder.finish()

    def _wrap_waits(self, torch: Any, recorder: Recorder, accelerator: str) -> None:
        modules = {"cuda", "mps", "accelerator", accelerator}
        owners = [getattr(torch, name, None) for name in sorted(modules)]
        owners += [getattr(owner, name, None) for owner in owners for name in ("Stream", "Event")]
        for owner in owners:
            if owner is not None and _is_mutable(owner):
                self._patches.wrap(owner, "synchronize", partial(_waiting, recorder))

    def _wrap_graphs(self, torch: Any, recorder: Recorder, fence: TorchFence, accelerator: str) -> None:
        places = (
            ("cuda", "CUDAGraph"),
            ("xpu", "XPUGraph"),
            (accelerator, "Graph"),
            ("accelerator", "Graph"),
        )
        begin, end = partial(_capturing, fence), partial(_captured, fence)
        for module, name in places:
            kind = getattr(getattr(torch, module, None), name, None)
            if isinstance(kind, type) and _is_mutable(kind):
                self._patches.wrap(kind, "capture_begin", begin)
                self._patches.wrap(kind, "capture_end", end)
                self._patches.wrap(kind, "replay", partial(_replaying, recorder))


class _Modes:
    """The modes of all threads.

    Args:
        torch: The module.
        make: Makes one.
    """

    def __init__(self, torch: Any, make: Callable[[], Any]) -> None:
        self._torch = torch
        self._make = make
        self._all: WeakSet[Any] = WeakSet()
        self._local = threading.local()

    def enter(self) -> None:
        """Enters a mode in this thread, until the thread ends."""
        mode = self._make()
        self._all.add(mode)
        mode.__enter__()
        self._local.mode = mode
        self._local.stay = _Stay(partial(_leave, self._torch, mode))

    def leave(self) -> None:
        """Leaves this thread's mode; those of other threads do nothing from now on."""
        for mode in tuple(self._all):
            mode.recorder = Stopped()
            _leave(self._torch, mode)

    def aside(self) -> Callable[[], None] | None:
        """Leaves this thread's mode if it is the innermost one; returns what enters it again."""
        overrides = self._torch.overrides
        if not overrides._len_torch_function_stack():  # noqa: SLF001 - torch has no public way to this
            return None
        mode = overrides._pop_mode()  # noqa: SLF001
        again = partial(overrides._push_mode, mode)  # noqa: SLF001
        if mode is not getattr(self._local, "mode", None):
            again()
            return None
        return again


class _Stay:
    """Acts when the thread-local variable that holds it goes, with its thread."""

    def __init__(self, leave: Callable[[], None]) -> None:
        self._leave = leave
        # At the end of the process the module's own names may be gone before this.
        self._is_finalizing = sys.is_finalizing

    def __del__(self) -> None:
        if not self._is_finalizing():
            self._leave()


def _leave(torch: Any, mode: Any) -> None:
    """Takes the mode from this thread's stack, also from below modes that a test has left there."""
    overrides = torch.overrides
    if not any(known is mode for known in overrides._get_current_function_mode_stack()):  # noqa: SLF001
        return
    above = []
    while (top := overrides._pop_mode()) is not mode:  # noqa: SLF001 - torch has no public way to this
        above.append(top)
    for other in reversed(above):
        overrides._push_mode(other)  # noqa: SLF001


def _forget_in_forks(backend: TorchBackend) -> None:
    if not hasattr(os, "register_at_fork"):
        return
    forget = WeakMethod(backend.forget_iteration)

    # There is no way to take it back: once the backend is gone it does nothing.
    def after() -> None:
        act = forget()
        if act is not None:
            act()

    os.register_at_fork(after_in_child=after)


def _is_mutable(owner: Any) -> bool:
    return not isinstance(owner, type) or owner.__flags__ & (_ON_HEAP | _IMMUTABLE) == _ON_HEAP


_ON_HEAP = 1 << 9
_IMMUTABLE = 1 << 8
"""Flags of classes: `Py_TPFLAGS_HEAPTYPE` and `Py_TPFLAGS_IMMUTABLETYPE`."""


def _waiting(recorder: Recorder, original: Callable[..., Any]) -> Callable[..., Any]:
    return _timed(recorder, SYNCHRONIZE, f"{original.__module__}.{original.__qualname__}", original)


def _replaying(recorder: Recorder, original: Callable[..., Any]) -> Callable[..., Any]:
    return _timed(recorder, OP, f"{original.__module__}.{original.__qualname__}", original)


def _timed(
    recorder: Recorder, phase: str, operation: str, original: Callable[..., Any]
) -> Callable[..., Any]:
    def call(*args: Any, **kwargs: Any) -> Any:
        span = recorder.automatic(phase, operation)
        try:
            if span is None:
                return original(*args, **kwargs)
            with span:
                span.settle(phase, is_blocking=phase == SYNCHRONIZE)
                return original(*args, **kwargs)
        except BaseException as error:
            leave_out(error, 1)
            raise

    return call


def _capturing(fence: TorchFence, original: Callable[..., Any]) -> Callable[..., Any]:
    def capture_begin(graph: Any, *args: Any, **kwargs: Any) -> Any:
        fence.capture_begins(graph)
        try:
            return original(graph, *args, **kwargs)
        except BaseException as error:
            fence.capture_ended(graph)
            leave_out(error, 1)
            raise

    return capture_begin


def _captured(fence: TorchFence, original: Callable[..., Any]) -> Callable[..., Any]:
    def capture_end(graph: Any, *args: Any, **kwargs: Any) -> Any:
        try:
            return original(graph, *args, **kwargs)
        except BaseException as error:
            leave_out(error, 1)
            raise
        finally:
            fence.capture_ended(graph)

    return capture_end
