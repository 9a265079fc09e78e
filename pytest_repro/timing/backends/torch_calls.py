"""Which torch calls are transfers, which read back, and which are no work at all."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from pytest_repro.timing.backend import OP, TO_DEVICE, TO_TORCH
from pytest_repro.timing.backends.torch_tensors import named
from pytest_repro.timing.interrupts import is_interrupt

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pytest_repro.model import Transfer
    from pytest_repro.timing.backends.torch_tensors import End, Tensors
    from pytest_repro.timing.host_calls import Moved
    from pytest_repro.timing.spans import Span

_READS = frozenset(
    {
        "numpy", "item", "tolist", "__array__", "__float__", "__int__", "__bool__", "__index__",
        "__complex__", "__contains__",
    }
)  # fmt: skip
_COPIES = frozenset({"to", "cpu", "cuda", "xpu", "mtia", "ipu", "copy_"})
_CREATIONS = frozenset({"tensor", "as_tensor", "asarray", "new_tensor"})
_BLOCKING = frozenset(
    {
        "equal", "allclose", "is_nonzero", "nonzero", "argwhere", "masked_select", "unique",
        "unique_consecutive", "bincount", "repeat_interleave",
    }
)  # fmt: skip
"""Operations whose result the host has to know before it can go on."""

_NO_WORK = frozenset(
    {
        "__len__", "__repr__", "__format__", "__hash__", "__dir__", "__iter__", "__reduce_ex__",
        "__setstate__", "__get__", "__set__", "__delete__",
        "data_ptr", "device", "dim", "element_size", "get_default_dtype", "get_device", "has_names", "layout",
        "ndimension", "nelement", "numel", "register_hook", "requires_grad_", "retain_grad", "size",
        "storage", "storage_offset", "storage_type", "stride", "type", "typed_storage", "untyped_storage",
    }
)  # fmt: skip
_SHARING = frozenset({"numpy", "__array__"})
"""Calls that hand on the memory of a tensor of the host."""


def label_of(name: object) -> str:
    """Returns how a torch function is called in reports; empty for one that does no work on data."""
    if type(name) is not str or not name or name in _NO_WORK:
        return ""
    is_private = name.startswith("_") and not name.startswith("__")
    if is_private or (name.startswith("is_") and name not in _BLOCKING):
        return ""
    return f"torch.{name}"


def phase_of(name: str) -> str:
    """Returns what a call is on a machine without a device, as far as its name tells, else an empty text."""
    return TO_TORCH if name in _READS or name == "cpu" else ""


class Settling:
    """Tells the phase of a call what it was: a transfer, a read-back or an operation.

    Args:
        tensors: Looks at the tensors.
        devices: Gets the devices that were used.
        accelerator: Type of this machine's devices, as `cuda`: torch has a method of this name. None without.
    """

    def __init__(self, tensors: Tensors, devices: set[Any], accelerator: str | None = None) -> None:
        self._tensors = tensors
        self._devices = devices
        self._copies = _COPIES if accelerator is None else _COPIES | {accelerator}
        self._is_host_only = accelerator is None
        # What waits for a device is an operation like all others where there is none.
        self._blocking = frozenset[str]() if self._is_host_only else _BLOCKING
        self._sends = self._copies - {"to", "cpu", "copy_"}
        self.names = self._copies | _READS | _CREATIONS | self._blocking
        """Names of calls that need `settle`; all others are operations."""

    def is_on_host(self, name: str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> bool:
        """Returns whether a call cannot concern a device, before it is made."""
        if name in self._copies or name in _CREATIONS or "device" in kwargs:
            return False
        try:
            ends = list(self._tensors.ends((*args, *kwargs.values())))
        except Exception as error:
            # A value that cannot be looked at must not fail the call that got it.
            if is_interrupt(error):
                raise
            return False
        # Without any tensor it is torch's default device that tells where the result will be.
        return bool(ends) and not any(end is None or end.is_on_device for end in ends)

    def largest(self, args: Sequence[Any], result: Any) -> Transfer | None:
        """Returns what is known of the largest tensor that a call worked on."""
        return self._tensors.largest(args, result)

    def expected(self, name: str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> str:
        """Returns what a call should be: what it is told to be while it lasts, and if it does not return."""
        if name in _READS:
            return TO_TORCH
        if name in self._blocking:
            return OP
        try:
            if self._is_host_only:
                return self.host_phase(name, args, kwargs)
            return self._expected(name, args, kwargs)
        except Exception as error:
            # As in `settle`, the call must not fail.
            if is_interrupt(error):
                raise
            return OP

    def _expected(self, name: str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> str:
        source, target = self._ends(name, args, kwargs, None)
        is_from = self._is_on_device(source)
        is_to = self._is_on_device(target) if name == "copy_" else self._names_device(name, args, kwargs)
        if is_from:
            # Between two devices it is an operation.
            return TO_TORCH if is_to is False else OP
        return TO_DEVICE if is_to else OP if name == "copy_" else self.host_phase(name, args, kwargs)

    def _names_device(self, name: str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> bool | None:
        """Returns whether a call names a device, False if it names the host, None if it names neither."""
        if name == "cpu" or name in self._sends:
            return name != "cpu"
        for value in (kwargs.get("device"), *args[1:]):
            if self._is_device(value):
                return not str(value).startswith(("cpu", "meta"))
            end = self._tensors.end(value)
            if end is not None:
                return end.is_on_device
        return self._is_on_device(self._tensors.end(args[0])) if name == "new_tensor" else None

    def moved_on_host(
        self, name: str, args: Sequence[Any], kwargs: Mapping[str, Any], result: Any
    ) -> Moved | Transfer | None:
        """Returns what a transfer or a read-back has moved on a machine without a device."""
        try:
            is_read = name in _READS
            first = args[0] if args else None
            is_shared = name in _SHARING if is_read else result is first
            plain = self._tensors.moved(first if is_read else result, is_shared)
            if plain is not None:
                return plain
            source, target = self._ends(name, args, kwargs, result)
            moved: Transfer | None = self._transfer(name, source, None if is_read else target)
        except Exception as error:
            # As in `settle`, the call must not fail.
            if is_interrupt(error):
                raise
            return None
        return moved

    def settle(
        self, span: Span, name: str, args: Sequence[Any], kwargs: Mapping[str, Any], result: Any
    ) -> None:
        """Settles a phase before it ends; where an argument cannot be looked at it is an operation."""
        try:
            self._settle(span, name, args, kwargs, result)
        except Exception as error:
            # An argument of the test's own making must not fail its call.
            if is_interrupt(error):
                raise
            span.settle(OP)

    def _settle(
        self, span: Span, name: str, args: Sequence[Any], kwargs: Mapping[str, Any], result: Any
    ) -> None:
        source, target = self._ends(name, args, kwargs, result)
        from_device, to_device = self._is_on_device(source), self._is_on_device(target)
        if name in _BLOCKING:
            span.settle(OP, is_blocking=True)
        elif name in _READS:
            self._moved(span, TO_TORCH, name, source, None, is_blocking=from_device)
        elif from_device != to_device and target is not None and (source is not None or name in _CREATIONS):
            is_blocking = not self._is_non_blocking(args, kwargs) or (
                # Memory that the device cannot write by itself is waited for, whatever was asked.
                from_device and not self._tensors.is_pinned(target)
            )
            self._moved(
                span, TO_DEVICE if to_device else TO_TORCH, name, source, target, is_blocking=is_blocking
            )
        elif from_device:
            is_between = source is not None and target is not None and source.device != target.device
            span.settle(OP, transfer=partial(self._transfer, name, source, target) if is_between else None)
        else:
            phase = self.host_phase(name, args, kwargs)
            if phase == OP:
                span.settle(OP)
            else:
                self._moved(span, phase, name, source, target, is_blocking=False)

    def note(self, args: Sequence[Any], result: Any) -> bool:
        """Notes the devices of an operation's tensors; returns whether one could be on a device."""
        is_any = False
        try:
            for end in self._tensors.ends((result, *args)):
                if end is None or self._is_on_device(end):
                    is_any = True
        except Exception as error:
            # As in `settle`, the call must not fail.
            if is_interrupt(error):
                raise
            return True
        return is_any

    def _moved(
        self, span: Span, phase: str, name: str, source: End | None, target: End | None, *, is_blocking: bool
    ) -> None:
        span.settle(phase, is_blocking=is_blocking, transfer=partial(self._transfer, name, source, target))

    def _transfer(self, name: str, source: End | None, target: End | None) -> Any:
        end = source if target is None else target
        if end is None:
            return None
        shares_memory = name in _SHARING and not end.is_on_device
        if source is not None and target is not None:
            shares_memory = source.tensor is target.tensor
        return self._tensors.transfer(end, shares_memory=shares_memory)

    def _ends(
        self, name: str, args: Sequence[Any], kwargs: Mapping[str, Any], result: Any
    ) -> tuple[End | None, End | None]:
        """Returns the tensors that data went from and to, None for an end that is no tensor."""
        end = self._tensors.end
        first = args[0] if args else named(kwargs, "self", "input", "data", "obj")
        if name == "copy_":
            return end(args[1] if len(args) > 1 else named(kwargs, "src", "other")), end(first)
        if name == "new_tensor":
            return None, end(result)
        return end(first), end(result)

    def _is_on_device(self, end: End | None) -> bool:
        if end is None or not end.is_on_device:
            return False
        self._devices.add(end.device)
        return True

    def host_phase(self, name: str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> str:
        """Returns the phase of a call that stays on the host: a device that is named counts as one."""
        if name == "cpu":
            return TO_TORCH
        if name in self._sends:
            return TO_DEVICE
        device = kwargs.get("device")
        if device is None:
            for value in args[1:]:
                if type(value) is str or type(value) is self._tensors.device_type:
                    device = value
                    break
        return OP if device is None or str(device).startswith("meta") else TO_DEVICE

    def _is_device(self, value: object) -> bool:
        return type(value) is str or type(value) is self._tensors.device_type

    def _is_non_blocking(self, args: Sequence[Any], kwargs: Mapping[str, Any]) -> bool:
        # In all of these calls the first flag given by position is `non_blocking`.
        by_position = next((value for value in args[1:] if type(value) is bool), False)
        return kwargs.get("non_blocking", by_position) is True
