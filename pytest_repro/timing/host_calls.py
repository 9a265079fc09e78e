"""Calls that cannot concern a device, recorded at the least cost."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, TypeAlias

from pytest_repro.model import Transfer
from pytest_repro.timing.backend import OP
from pytest_repro.timing.spans import Span

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_repro.model import Peaks
    from pytest_repro.timing.run import Thread


class HostCall:
    """An operation of the host while it lasts: to an iteration it is what a `Span` is.

    What a fence, a transfer or a read-back would tell is the same for all of them, and costs nothing
    here. Only where nothing is fenced at all: time in fences of calls inside it would be taken for its own.

    Who makes it does by himself what `Span.__enter__` and `Span.__exit__` do: calling a method costs as much
    as the rest of the record.
    """

    __slots__ = ("_thread", "call_ns", "is_open", "operation", "start_ns", "within")

    _thread: Thread
    call_ns: int
    is_open: bool
    operation: str | None
    start_ns: int
    within: tuple[str, ...]

    name = OP
    calls = 1
    fenced = False
    hidden_ns = 0
    on_host = True
    transfer = None
    wait_ns = 0

    as_phase = Span.as_phase
    is_ended = Span.is_ended
    stage = Span.stage
    thread = Span.thread

    @property
    def peaks(self) -> Peaks:
        """Most memory in use until its end; noted for few of these calls."""
        return self._thread.peaks.get(self.start_ns, ())


Moved: TypeAlias = "tuple[Sequence[int], bool, Any, Any]"
"""What a call has moved as the library tells it: shape, whether its memory is shared, dtype and layout.

It is put into words only where it is read.
"""


class HostMove(HostCall):
    """A call that stands for a transfer or a read-back on a machine without a device."""

    __slots__ = ("moved", "name")

    moved: Moved | Transfer | None
    name: str

    @property
    def transfer(self) -> Transfer | None:  # type: ignore[override]
        """What was moved; None where nothing was, or while it lasts."""
        moved = self.moved
        if type(moved) is not tuple:
            return moved  # type: ignore[return-value]
        shape, is_shared, dtype, layout = moved
        return Transfer(
            size_bytes=0 if is_shared else math.prod(shape) * dtype.itemsize,
            shape=tuple(shape),
            dtype=str(dtype).removeprefix("torch."),
            layout=str(layout).removeprefix("torch."),
        )
