"""torch: transfers, operations and read-backs as phases, on any accelerator and on the CPU.

Operations are seen by a function mode of torch, in the thread in which the harness attached; calls in
other threads are seen only inside phases made by hand. Nothing of the harness is traced into compiled
graphs, and nothing inside a compiled function is a phase of its own.

On the CPU a call is over when it returns: nothing is fenced and nothing is hidden. `.to(device)` then
counts as `to_device`, and `.cpu()`, `.numpy()`, `.item()` and `.tolist()` as `to_torch`, so that a test
shows the same three phases everywhere; `size_bytes` is 0 where torch hands on the same memory.
"""

from __future__ import annotations

from functools import partial
from types import MethodWrapperType
from typing import TYPE_CHECKING, Any

from pytest_repro.timing.backend import OP, SYNCHRONIZE
from pytest_repro.timing.backends.torch_calls import SETTLED, is_on_host, label_of, settle
from pytest_repro.timing.patches import Patches

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from pytest_repro.timing.recorder import Recorder


class TorchBackend:
    """Phases for torch."""

    name = "torch"

    def __init__(self) -> None:
        self._patches = Patches()
        self._undo: list[Callable[[], None]] = []

    def attach(self, recorder: Recorder) -> None:
        """Enters the function mode and wraps the functions that wait for a device."""
        import torch

        devices: set[int] = set()
        has_accelerator = _has_accelerator(torch)
        if has_accelerator:
            fence = TorchFence(torch, devices)
            recorder.add_fence(fence)
            self._undo.append(partial(recorder.remove_fence, fence))
            self._wrap_synchronize(torch, recorder)
        mode = _mode_class(torch)(recorder, devices, on_host=not has_accelerator)
        mode.__enter__()
        self._undo.append(partial(_leave, torch, mode))

    def detach(self) -> None:
        """Leaves the mode, wherever it stands by now, and puts the functions back."""
        self._patches.undo()
        while self._undo:
            self._undo.pop()()

    def _wrap_synchronize(self, torch: Any, recorder: Recorder) -> None:
        owners = [torch.cuda, torch.mps, torch.cuda.Stream, torch.cuda.Event]
        owners += [getattr(torch, name) for name in ("accelerator", "xpu") if hasattr(torch, name)]
        for owner in owners:
            self._patches.wrap(owner, "synchronize", partial(_waiting, recorder))


class TorchFence:
    """Waits for the accelerators that were used.

    Args:
        torch: The module.
        devices: Indices of the devices that tensors were moved to or from; others add to it.
    """

    def __init__(self, torch: Any, devices: set[int]) -> None:
        self._devices = devices
        self._cuda = torch.cuda if torch.cuda.is_available() else None
        # The originals: the backend wraps these names.
        self._cuda_synchronize = torch.cuda.synchronize
        self._synchronize = (
            torch.accelerator.synchronize if hasattr(torch, "accelerator") else torch.mps.synchronize
        )

    def is_usable(self) -> bool:
        """Returns False while a CUDA graph is being captured."""
        cuda = self._cuda
        return cuda is None or not cuda.is_initialized() or not cuda.is_current_stream_capturing()

    def wait(self) -> None:
        """Waits for all work; for CUDA only once it is in use, as waiting would initialise it."""
        if self._cuda is None:
            self._synchronize()
        elif self._cuda.is_initialized():
            self._cuda_synchronize()
            for index in self._devices - {self._cuda.current_device()}:
                self._cuda_synchronize(index)


def _has_accelerator(torch: Any) -> bool:
    if hasattr(torch, "accelerator"):
        return bool(torch.accelerator.is_available())
    # Before torch 2.6.
    return bool(torch.cuda.is_available() or torch.backends.mps.is_available())


def _waiting(recorder: Recorder, original: Callable[..., Any]) -> Callable[..., Any]:
    operation = f"{original.__module__}.{original.__qualname__}"

    def synchronize(*args: Any, **kwargs: Any) -> Any:
        span = recorder.automatic(SYNCHRONIZE, operation)
        if span is None:
            return original(*args, **kwargs)
        with span:
            span.settle(SYNCHRONIZE, is_blocking=True)
            return original(*args, **kwargs)

    return synchronize


def _mode_class(torch: Any) -> type[Any]:
    """Returns the mode's class; its base exists only where torch is imported."""
    is_compiling = torch.compiler.is_dynamo_compiling

    class PhaseMode(torch.overrides.TorchFunctionMode):  # type: ignore[misc, no-any-unimported, unused-ignore]
        """Records each outermost torch call; torch itself keeps calls inside a call from coming here."""

        def __init__(self, recorder: Recorder, devices: set[int], *, on_host: bool) -> None:
            super().__init__()
            self._on_host = on_host
            self._automatic = recorder.automatic
            self._devices = devices
            self._labels: dict[str, str] = {}

        def __torch_function__(
            self,
            func: Any,
            types: Any,
            args: Sequence[Any] = (),
            kwargs: Mapping[str, Any] | None = None,
        ) -> Any:
            if kwargs is None:
                kwargs = {}
            # A property's getter or setter, or a graph being traced: it must see torch calls only.
            if type(func) is MethodWrapperType or is_compiling():
                return func(*args, **kwargs)
            name = getattr(func, "__name__", "")
            label = self._labels.get(name)
            if label is None:
                label = self._labels[name] = label_of(name)
            span = self._automatic(OP, label, on_host=self._on_host) if label else None
            if span is None:
                return func(*args, **kwargs)
            with span:
                result = func(*args, **kwargs)
                if name in SETTLED:
                    settle(span, name, args, kwargs, result, self._devices)
                if not self._on_host:
                    span.on_host = is_on_host(args, result)
            return result

    return PhaseMode


def _leave(torch: Any, mode: Any) -> None:
    """Takes the mode from torch's stack, also from below modes that a test has left there."""
    overrides = torch.overrides
    if not any(known is mode for known in overrides._get_current_function_mode_stack()):  # noqa: SLF001
        return
    above = []
    while (top := overrides._pop_mode()) is not mode:  # noqa: SLF001 - torch has no public way to this
        above.append(top)
    for other in reversed(above):
        overrides._push_mode(other)  # noqa: SLF001
