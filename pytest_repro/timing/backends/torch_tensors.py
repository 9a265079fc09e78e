"""What torch's tensors are and where, asked without running code of a test.

A test may bring its own tensors: subclasses that answer for their device or shape, stand-ins that a tracer
hands around, tensors without memory. They are not asked anything: a question could raise, put a node into a
graph, or fix a size that was symbolic.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, NamedTuple

from pytest_repro.model import Transfer

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from pytest_repro.timing.host_calls import Moved

_HOST = frozenset({"cpu", "meta"})
_LOOKED_AT = 64
"""Tensors of a list that are looked at."""


class End(NamedTuple):
    """A tensor that data went from or to, where it is, and whether that is a device."""

    tensor: Any
    device: Any
    is_on_device: bool


class Tensors:
    """Tells tensors that hold data from all other values.

    Args:
        torch: The module.
    """

    def __init__(self, torch: Any) -> None:
        tensor = torch.Tensor
        # The getters of the base class: a subclass can have others under these names.
        self._device = tensor.device.__get__
        self._shape = tensor.shape.__get__
        self._dtype = tensor.dtype.__get__
        self._layout = tensor.layout.__get__
        self._element_size = tensor.element_size
        self._is_tracing = torch._C._get_tracing_state  # noqa: SLF001 - the public way runs Python of torch
        self._is_pinned = tensor.is_pinned
        self._without_overrides = torch._C.DisableTorchFunctionSubclass  # noqa: SLF001 - torch's own subclasses use it
        self._tensor = tensor
        self._strided = torch.strided
        self._no_dispatch = tensor.__torch_dispatch__
        self._kinds: dict[type, bool] = {tensor: True, torch.nn.Parameter: True}
        self.device_type: type = torch.device

    def end(self, value: object) -> End | None:
        """Returns a tensor and its place; None for a value that is no tensor with data of its own."""
        if not self._is_known(type(value)):
            return None
        with self._without_overrides():
            device = self._device(value)
        return End(value, device, device.type not in _HOST)

    def ends(self, values: Sequence[object]) -> Iterator[End | None]:
        """Yields the place of each tensor among values and in lists of them, None for what is unknown.

        Numbers, texts, types and the like are left out.
        """
        for value in values:
            if type(value) in _CONTAINERS:
                for part in value[:_LOOKED_AT]:  # type: ignore[index]
                    if type(part) not in _PLAIN:
                        yield self.end(part)
            elif type(value) not in _PLAIN:
                yield self.end(value)

    def is_pinned(self, end: End) -> bool:
        """Returns whether a tensor of the host is in memory that a device can read by itself."""
        with self._without_overrides():
            return bool(self._is_pinned(end.tensor))

    def moved(self, value: Any, shares_memory: bool) -> Moved | None:  # noqa: FBT001 - a keyword costs more
        """Returns what `transfer` does, at the least cost; None for what is no plain tensor.

        Only where no function mode sees what is asked.
        """
        if type(value) is not self._tensor or (layout := value.layout) is not self._strided:
            return None
        if self._is_tracing() is not None:
            return None
        return value.shape, shares_memory, value.dtype, layout

    def transfer(self, end: End, *, shares_memory: bool) -> Transfer | None:
        """Returns what was moved; None where a size is symbolic, or where asking for it would be traced."""
        if self._is_tracing() is not None:
            return None
        with self._without_overrides():
            shape = tuple(self._shape(end.tensor))
            if not all(type(length) is int for length in shape):
                return None
            layout = str(self._layout(end.tensor)).removeprefix("torch.")
            if shares_memory or end.device.type == "meta":
                size_bytes = 0
            elif layout in _PARTS:
                size_bytes = self._sparse_bytes(end.tensor, layout)
            else:
                size_bytes = math.prod(shape) * self._element_size(end.tensor)
            dtype = str(self._dtype(end.tensor)).removeprefix("torch.")
        return Transfer(size_bytes=size_bytes, shape=shape, dtype=dtype, layout=layout)

    def largest(self, args: Sequence[object], result: object) -> Transfer | None:
        """Returns what is known of the largest tensor among arguments and result, None if there is none."""
        largest = None
        for end in self.ends((*args, result)):
            found = None if end is None else self.transfer(end, shares_memory=False)
            if found is not None and (largest is None or found.size_bytes > largest.size_bytes):
                largest = found
        return largest

    def _sparse_bytes(self, tensor: Any, layout: str) -> int:
        parts = [getattr(self._tensor, name)(tensor) for name in _PARTS.get(layout, ())]
        return sum(part.numel() * part.element_size() for part in parts)

    def _is_known(self, kind: type) -> bool:
        known = self._kinds.get(kind)
        if known is None:
            is_tensor = self._tensor in kind.__mro__
            known = is_tensor and kind.__torch_dispatch__ == self._no_dispatch  # type: ignore[attr-defined]
            if len(self._kinds) < 1000:
                self._kinds[kind] = known
        return known


_COMPRESSED_ROWS = ("crow_indices", "col_indices", "values")
_COMPRESSED_COLUMNS = ("ccol_indices", "row_indices", "values")
_PARTS = {
    "sparse_coo": ("_indices", "_values"),
    "sparse_csr": _COMPRESSED_ROWS,
    "sparse_bsr": _COMPRESSED_ROWS,
    "sparse_csc": _COMPRESSED_COLUMNS,
    "sparse_bsc": _COMPRESSED_COLUMNS,
}
"""What a sparse tensor consists of, by layout."""
_CONTAINERS = frozenset({list, tuple})
_PLAIN = frozenset({bool, int, float, complex, str, bytes, type, type(None), slice, type(...)})


def named(kwargs: Mapping[str, object], *names: str) -> object:
    """Returns the first of some named arguments that was given."""
    return next((kwargs[name] for name in names if name in kwargs), None)
