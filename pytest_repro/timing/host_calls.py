"""Calls that cannot concern a device, recorded at the least cost."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_repro.timing.backend import OP
from pytest_repro.timing.spans import Span

if TYPE_CHECKING:
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
