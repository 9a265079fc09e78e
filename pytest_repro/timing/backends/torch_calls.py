"""Which torch calls are transfers, which read back, and which are no work at all."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from pytest_repro.model import Transfer
from pytest_repro.timing.backend import OP, TO_DEVICE, TO_TORCH

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pytest_repro.timing.spans import Span

_READS = frozenset(
    {"numpy", "item", "tolist", "__array__", "__float__", "__int__", "__bool__", "__index__", "__complex__"}
)
_COPIES = frozenset({"to", "cpu", "cuda", "xpu", "mtia", "ipu", "copy_"})
_CREATIONS = frozenset({"tensor", "as_tensor", "asarray", "new_tensor"})
_BLOCKING = frozenset({"equal", "allclose", "is_nonzero", "nonzero", "argwhere", "masked_select", "unique"})
"""Operations whose result the host has to know before it can go on."""

SETTLED = _READS | _COPIES | _CREATIONS | _BLOCKING
"""Names of calls that need `settle`; all others are operations."""

_NO_WORK = frozenset(
    {
        "__len__", "__repr__", "__format__", "__hash__", "__dir__", "__iter__", "__reduce_ex__",
        "__setstate__", "__get__", "__set__", "__delete__",
        "data_ptr", "device", "dim", "element_size", "get_default_dtype", "get_device", "has_names", "layout",
        "ndimension", "nelement", "numel", "register_hook", "requires_grad_", "retain_grad", "size",
        "storage", "storage_offset", "storage_type", "stride", "type", "typed_storage", "untyped_storage",
    }
)  # fmt: skip
_HOST = frozenset({"cpu", "meta"})


def label_of(name: str) -> str:
    """Returns how a torch function is called in reports; empty for one that does no work on data."""
    is_private = name.startswith("_") and not name.startswith("__")
    if not name or name in _NO_WORK or is_private or (name.startswith("is_") and name not in _BLOCKING):
        return ""
    return f"torch.{name}"


def settle(
    span: Span,
    name: str,
    args: Sequence[Any],
    kwargs: Mapping[str, Any],
    result: Any,
    devices: set[int],
) -> None:
    """Tells the phase of a call what it was: a transfer, a read-back or an operation.

    Args:
        span: The phase, not yet ended.
        name: Name of the torch function, one of `SETTLED`.
        args: Its arguments.
        kwargs: Its named arguments.
        result: What it returned.
        devices: Gets the indices of the accelerators that were used.
    """
    if name in _BLOCKING:
        span.settle(OP, is_blocking=True)
        return
    source, target = _ends(name, args, result)
    from_device, to_device = _is_on_device(source, devices), _is_on_device(target, devices)
    if name in _READS:
        phase = TO_TORCH
    elif from_device != to_device:
        phase = TO_DEVICE if to_device else TO_TORCH
    else:
        phase = OP if from_device else _host_phase(name, args, kwargs)
    if phase != OP:
        is_blocking = (from_device or to_device) and not _is_non_blocking(args, kwargs)
        transfer = partial(_transfer, name, source, target)
        span.settle(phase, is_blocking=is_blocking, transfer=transfer)


def is_on_host(args: Sequence[Any], result: Any) -> bool:
    """Returns whether a call that has a tensor first, as argument or result, left devices alone."""
    for value in (result, *args[:2]):
        part = value[0] if isinstance(value, (list, tuple)) and value else value
        if _is_tensor(part) and part.device.type not in _HOST:
            return False
    return True


def _ends(name: str, args: Sequence[Any], result: Any) -> tuple[Any, Any]:
    """Returns the tensors that data went from and to, None for an end that is no tensor."""
    source = args[0] if args else None
    if name == "copy_":
        return (args[1] if len(args) > 1 else None), source
    if name == "new_tensor":
        return None, result
    return source if _is_tensor(source) else None, result if _is_tensor(result) else None


def _is_tensor(value: Any) -> bool:
    return hasattr(value, "element_size") and hasattr(value, "device")


def _is_on_device(end: Any, devices: set[int]) -> bool:
    if end is None or end.device.type in _HOST:
        return False
    if end.device.index is not None:
        devices.add(end.device.index)
    return True


def _host_phase(name: str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> str:
    """Returns the phase of a call that stays on the host: a device that is named counts as one."""
    if name == "cpu":
        return TO_TORCH
    names_device = kwargs.get("device") is not None or any(_is_device(value) for value in args[1:])
    return TO_DEVICE if names_device else OP


def _is_device(value: object) -> bool:
    return isinstance(value, str) or type(value).__name__ == "device"


def _is_non_blocking(args: Sequence[Any], kwargs: Mapping[str, Any]) -> bool:
    # In all of these calls the first flag given by position is `non_blocking`.
    by_position = next((value for value in args[1:] if isinstance(value, bool)), False)
    return bool(kwargs.get("non_blocking", by_position))


def _transfer(name: str, source: Any, target: Any) -> Transfer | None:
    tensor = source if target is None else target
    if tensor is None:
        return None
    shares_memory = target is source or (name in {"numpy", "__array__"} and tensor.device.type in _HOST)
    return Transfer(
        size_bytes=0 if shares_memory else tensor.numel() * tensor.element_size(),
        shape=tuple(tensor.shape),
        dtype=str(tensor.dtype).removeprefix("torch."),
        layout=str(tensor.layout).removeprefix("torch."),
    )
