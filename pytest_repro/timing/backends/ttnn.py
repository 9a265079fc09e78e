"""ttnn: transfers, operations and read-backs as phases.

Every registered operation is an object whose class defines the call, `FastOperation` in ttnn's fast mode
and `Operation` in its slow one; the classes are wrapped, so that names imported before are seen as well.
Functions that are not registered (tensor methods, synchronisation, traces) are wrapped one by one.
"""

from __future__ import annotations

from functools import partial, wraps
from typing import TYPE_CHECKING, Any

from pytest_repro.timing.backend import OP, SYNCHRONIZE, TO_DEVICE, TO_TORCH
from pytest_repro.timing.backends.ttnn_tensors import (
    Devices,
    device_of,
    largest_of,
    placed_of,
    read_of,
    transfer_of,
)
from pytest_repro.timing.call_sites import CallSites, frame_above, leave_out
from pytest_repro.timing.patches import Patches

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType

    from pytest_repro.timing.recorder import Recorder
    from pytest_repro.timing.spans import Span

__tracebackhide__ = True

_SENDS = frozenset(
    {
        "ttnn.from_torch", "ttnn.to_device", "ttnn.as_tensor", "ttnn.load_tensor", "ttnn.from_buffer",
        "ttnn.copy_host_to_device_tensor", "ttnn.copy_host_to_device_tensor_partial", "ttnn.Tensor.to",
    }
)  # fmt: skip
"""Transfers to a device if their result is on one, else operations of the host."""

_READS = frozenset(
    {
        "ttnn.to_torch", "ttnn.from_device", "ttnn.copy_device_to_host_tensor", "ttnn.Tensor.cpu",
        "ttnn.Tensor.item", "ttnn.Tensor.to_list", "ttnn.Tensor.to_torch", "ttnn.Tensor.to_numpy",
        "ttnn.Tensor.to_torch_with_padded_shape",
    }
)  # fmt: skip

_METHODS = ("cpu", "item", "to", "to_list", "to_numpy", "to_torch", "to_torch_with_padded_shape")
_WAITS = ("synchronize_device", "event_synchronize")
_CLOSES = ("close_device", "close_mesh_device", "CloseDevice", "CloseDevices")


class TtnnBackend:
    """Phases for ttnn."""

    name = "ttnn"

    def __init__(self) -> None:
        self._patches = Patches()
        self._undo: list[Callable[[], None]] = []

    def attach(self, recorder: Recorder) -> None:
        """Wraps ttnn's operations, tensor methods and waits."""
        import ttnn
        from ttnn import decorators

        devices = Devices(ttnn)
        fence = TtnnFence(ttnn, devices)
        recorder.add_fence(fence)
        self._undo += [partial(recorder.remove_fence, fence), devices.clear]
        calls = _Calls(recorder, devices)
        wrap = self._patches.wrap
        for kind in ("FastOperation", "Operation"):
            wrap(getattr(decorators, kind), "__call__", calls.operation)
        for method in _METHODS:
            wrap(ttnn.Tensor, method, partial(calls.function, OP, f"ttnn.Tensor.{method}"))
        for function in _WAITS:
            wrap(ttnn, function, partial(calls.function, SYNCHRONIZE, f"ttnn.{function}"))
        wrap(ttnn, "execute_trace", partial(calls.function, OP, "ttnn.execute_trace"))
        for owner in _closing_modules(ttnn):
            for function in _CLOSES:
                wrap(owner, function, partial(_closing, devices))

    def detach(self) -> None:
        """Puts the originals back."""
        self._patches.undo()
        while self._undo:
            self._undo.pop()()


class TtnnFence:
    """Waits for the devices that were used.

    Args:
        ttnn: The module.
        devices: The devices; others add to it.
    """

    def __init__(self, ttnn: Any, devices: Devices) -> None:
        self._devices = devices
        # The original: the backend wraps this name.
        self._synchronize = ttnn.synchronize_device
        self._is_capturing = getattr(ttnn, "is_trace_capture_active", None)

    def is_usable(self) -> bool:
        """Returns False while a trace is captured, and where ttnn is too old to tell."""
        if self._is_capturing is None:
            return False
        return not any(self._is_capturing(device) for device in self._devices.used())

    def wait(self) -> None:
        """Waits for all command queues of all devices that were used and not closed."""
        for device in self._devices.used():
            self._synchronize(device)


class _Calls:
    """What stands in for ttnn's calls."""

    def __init__(self, recorder: Recorder, devices: Devices) -> None:
        self._recorder = recorder
        self._devices = devices
        self._sites = CallSites()

    def operation(self, original: Callable[..., Any]) -> Callable[..., Any]:
        """Stands in for `__call__` of the class of registered operations."""

        @wraps(original)
        def __call__(operation: Any, *args: Any, **kwargs: Any) -> Any:  # noqa: N807 - passed on
            name = operation.python_fully_qualified_name
            try:
                return self._timed(OP, name, partial(original, operation), args, kwargs, frame_above(1))
            except BaseException as error:
                leave_out(error, 1)
                raise

        return __call__

    def function(self, phase: str, name: str, original: Callable[..., Any]) -> Callable[..., Any]:
        """Stands in for a function or a method."""

        @wraps(original)
        def call(*args: Any, **kwargs: Any) -> Any:
            try:
                return self._timed(phase, name, original, args, kwargs, frame_above(1))
            except BaseException as error:
                leave_out(error, 1)
                raise

        return call

    def _timed(
        self,
        phase: str,
        name: str,
        original: Callable[..., Any],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        frame: FrameType,
    ) -> Any:
        """Makes a call in the name of the line at which a frame stands."""
        call = self._sites.caller(frame)
        try:
            # While it lasts, and if it does not return, it is told to be what it should be.
            span = self._recorder.automatic(self._expected(phase, name, args, kwargs), name)
            if span is None:
                return call(original, args, kwargs)
            self._devices.note(args, kwargs)
            with span:
                result = call(original, args, kwargs)
                self._settle(span, phase, name, args, kwargs, result)
        except BaseException as error:
            leave_out(error, 2)
            raise
        return result

    def _expected(self, phase: str, name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> str:
        if name in _READS:
            return TO_TORCH
        is_send = name in _SENDS and self._devices.within((*args, *kwargs.values()))
        return TO_DEVICE if is_send else phase

    def _settle(
        self,
        span: Span,
        phase: str,
        name: str,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        result: Any,
    ) -> None:
        self._devices.note((result,), {})
        values = (*args, *kwargs.values())
        if name in _SENDS:
            target = placed_of(values) if name.startswith("ttnn.copy_") else result
            span.on_host = device_of(target) is None
            if span.on_host:
                span.settle(OP)
            else:
                span.settle(TO_DEVICE, transfer=partial(transfer_of, target))
        elif name in _READS:
            is_blocking = kwargs.get("blocking", True) is not False
            span.settle(TO_TORCH, is_blocking=is_blocking, transfer=partial(read_of, values))
        elif phase == SYNCHRONIZE or (name == "ttnn.execute_trace" and kwargs.get("blocking", True)):
            span.settle(phase, is_blocking=True)
        if span.name == OP:
            span.works_on(partial(largest_of, (*values, result)))


def _closing_modules(ttnn: Any) -> list[Any]:
    """Returns where functions that close a device lie: ttnn's context managers take other ones than tests."""
    inner = getattr(ttnn, "_ttnn", None)
    owners = [ttnn, ttnn.device, getattr(inner, "device", None), getattr(inner, "multi_device", None)]
    return [owner for owner in owners if owner is not None]


def _closing(devices: Devices, original: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(original)
    def close(*args: Any, **kwargs: Any) -> Any:
        # Waiting for a closed device may end the process.
        devices.clear()
        try:
            return original(*args, **kwargs)
        except BaseException as error:
            leave_out(error, 1)
            raise

    return close
