"""ttnn's tensors and devices, as far as timing needs to know them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from pytest_repro.model import Transfer

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

_TILE_BYTES = {"BFLOAT8_B": 1088, "BFLOAT4_B": 576}
"""Block formats: bytes of a tile of 32 by 32 values, which share exponents."""


class Devices:
    """The devices that were seen in calls and are not closed.

    Args:
        ttnn: The module.
    """

    def __init__(self, ttnn: Any) -> None:
        self._tensor_class = ttnn.Tensor
        self._device_class = ttnn.MeshDevice
        self._used: list[Any] = []

    def used(self) -> Sequence[Any]:
        """Returns the devices."""
        return self._used

    def note(self, args: Sequence[Any], kwargs: Mapping[str, Any]) -> None:
        """Adds the devices of a call's arguments; tensors in a list are looked at as well."""
        for value in (*args, *kwargs.values()):
            for part in value if isinstance(value, (list, tuple)) else (value,):
                self._note_one(part)

    def within(self, values: Iterable[Any]) -> bool:
        """Returns whether a device, or a tensor on one, is among some values."""
        return any(
            isinstance(value, self._device_class)
            or (isinstance(value, self._tensor_class) and device_of(value) is not None)
            for value in values
        )

    def clear(self) -> None:
        """Forgets all devices: a reference to one would keep it alive."""
        self._used.clear()

    def _note_one(self, value: Any) -> None:
        device = None
        if isinstance(value, self._tensor_class):
            device = device_of(value)
        elif isinstance(value, self._device_class):
            device = value
        if device is not None and not any(device is known for known in self._used):
            self._used.append(device)


def device_of(tensor: Any) -> Any | None:
    """Returns the device that a ttnn tensor is on; None for one on the host and for other values."""
    method = getattr(tensor, "device", None)
    if not callable(method) or not hasattr(tensor, "is_allocated"):
        return None
    # A deallocated tensor has no device to wait for.
    return method() if tensor.is_allocated() else None


def placed_of(values: Iterable[Any]) -> Any | None:
    """Returns the first tensor on a device among some values, None if there is none."""
    return next((value for value in values if device_of(value) is not None), None)


def read_of(values: Sequence[Any]) -> Transfer | None:
    """Returns what a call that was given these values has read; no byte of a tensor that was on the host."""
    placed = placed_of(values)
    if placed is not None:
        return transfer_of(placed)
    tensor = next((value for value in values if hasattr(value, "is_allocated")), None)
    return None if tensor is None else replace(transfer_of(tensor), size_bytes=0)


def transfer_of(tensor: Any) -> Transfer:
    """Returns the size of a ttnn tensor as it is stored, tile padding and all devices of a mesh included."""
    return Transfer(
        size_bytes=_host_bytes(tensor) if device_of(tensor) is None else _device_bytes(tensor),
        shape=tuple(tensor.shape),
        dtype=tensor.dtype.name.lower(),
        layout=tensor.layout.name.lower(),
    )


def largest_of(values: Iterable[Any]) -> Transfer | None:
    """Returns what is known of the largest tensor of a call, None if it has none; lists are looked into."""
    parts = (part for value in values for part in (value if isinstance(value, (list, tuple)) else (value,)))
    described = [transfer_of(part) for part in parts if hasattr(part, "is_allocated") and part.is_allocated()]
    return max(described, key=lambda tensor: tensor.size_bytes, default=None)


def _device_bytes(tensor: Any) -> int:
    per_device = int(tensor.buffer_num_pages() * tensor.buffer_page_size())
    return per_device * len(tensor.devices()) if hasattr(tensor, "devices") else per_device


def _host_bytes(tensor: Any) -> int:
    values = _product(tensor.padded_shape)
    tile_bytes = _TILE_BYTES.get(tensor.dtype.name)
    return values * int(tensor.element_size()) if tile_bytes is None else values // 1024 * tile_bytes


def _product(numbers: Iterable[int]) -> int:
    product = 1
    for number in numbers:
        product *= int(number)
    return product
