"""Phases while they last: their edges and fences, and what is told of them."""

from __future__ import annotations

from functools import partial
from sys import modules
from threading import get_ident
from typing import TYPE_CHECKING, Any, Protocol

from pytest_repro.model import Peaks, Phase, Stage, Transfer
from pytest_repro.timing.backend import OP
from pytest_repro.timing.interrupts import is_interrupt
from pytest_repro.timing.memory import FROM_NS

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from pytest_repro.timing.run import Run, Thread


class PhaseNotes(Protocol):
    """Is told of phases while they last."""

    def begin_phases(self) -> None:
        """Another iteration begins."""

    def enter_phase(self, phase: Span, thread: int, /) -> int:
        """Takes a phase that begins, and the number of its thread; returns where it noted it."""

    def leave_phase(self, place: int, phase: Span, thread: int, /) -> None:
        """Takes a phase that has ended, and what `enter_phase` returned for it."""


class WatchPhase(Protocol):
    """Is told when phases begin and end, where that happens."""

    def enter(self, span: Span, /) -> Any:
        """A phase begins; what this returns is what `leave` is given."""

    def leave(self, mark: Any, /) -> None:
        """A phase has ended; its name is final."""


class Fence(Protocol):
    """Waits for a device, where that is allowed."""

    def is_usable(self) -> bool:
        """Returns whether it may be used now: never while a trace or a graph is being captured."""

    def wait(self) -> None:
        """Returns when all work queued on the device is done; at once if the device was never used."""


class Span:
    """A phase while it lasts; used once, by the thread that enters it.

    Its fields are those of `Phase`; the times are right once it has ended.
    """

    __slots__ = (
        "_describe", "_describe_operand", "_has_turn", "_inner", "_is_blocking", "_mark", "_outer", "_place",
        "_run", "_thread", "call_ns", "fenced", "hidden_ns", "is_open", "name", "on_host", "operation",
        "peaks", "start_ns", "transfer", "wait_ns", "within",
    )  # fmt: skip

    calls = 1

    def __init__(self, run: Run, name: str, operation: str | None = None) -> None:
        self._run = run
        self.name = name
        self.operation = operation
        self.on_host = False
        self.fenced = False
        self.is_open = True
        self.call_ns = RUNNING
        self.transfer: Transfer | None = None
        self.peaks: Peaks = ()
        self._describe: Callable[[], Transfer | None] | None = None
        self._describe_operand: Callable[[], Transfer | None] | None = None
        self._is_blocking = False
        self._has_turn = False

    def settle(
        self,
        name: str,
        *,
        is_blocking: bool = False,
        transfer: Callable[[], Transfer | None] | None = None,
    ) -> None:
        """Says what the call turned out to be, before the phase ends; for backends.

        Args:
            name: Name of the phase.
            is_blocking: Whether the call itself waits for all earlier work of the device.
            transfer: Describes what was moved; it is called after the clock was read.
        """
        self.name = name
        self._is_blocking = is_blocking
        self._describe = transfer

    def works_on(self, describe: Callable[[], Transfer | None]) -> None:
        """Says what describes the largest tensor of an operation, before the phase ends; for backends.

        Args:
            describe: Called after the clock was read, and only if no call of this operation took as long.
        """
        self._describe_operand = describe

    def __enter__(self) -> Span:
        run = self._run
        thread = self._thread = run.threads.get(get_ident()) or run.thread()
        names = self.within = thread.names if not thread.has_tasks else thread.names_in_task()
        if thread.in_call and OP not in names:
            self.within = (*names, OP)
        self.wait_ns = -thread.held_ns
        self.hidden_ns = -thread.hidden_ns
        self.start_ns = run.clock()
        if run.notes is not None:
            self._place = run.notes.enter_phase(self, thread.index)
        spans = run.spans
        spans.append(self)
        if len(spans) > run.limit:
            run.fold(self)
        if run.fences and not self.on_host:
            try:
                self._begin_fenced(run, thread)
            except BaseException:
                # Nobody will end what has not begun: it would last until the end of the iteration.
                self.wait_ns, self.hidden_ns, self.call_ns = run.clock() - self.start_ns, 0, 0
                raise
        if self.operation is not None:
            thread.in_call = True
        elif (asyncio := modules.get("asyncio")) is not None and asyncio._get_running_loop() is not None:  # noqa: SLF001 - named so, but documented
            self._inner = thread.open_in_task(self.name)
        else:
            self._outer = names
            self._inner = thread.names = (*self.within, self.name)
        if run.watch is not None:
            self._mark = run.watch.enter(self)
        return self

    def __exit__(  # noqa: PLR0912 - one function: calls cost more
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        run = self._run
        thread = self._thread
        # First of all: a signal handler may raise at any call.
        if self.operation is not None:
            thread.in_call = False
        end_ns = run.clock()
        if self.operation is None:
            if thread.names is self._inner:
                thread.names = self._outer
            else:
                thread.close(self.name, self._inner)
        if run.fences or self._has_turn:
            try:
                end_ns = self._end_fenced(run, thread, end_ns)
            except BaseException:
                self.wait_ns += thread.held_ns
                self.hidden_ns += thread.hidden_ns
                self.call_ns = max(0, end_ns - self.start_ns - self.wait_ns)
                raise
            finally:
                if self._has_turn:
                    run.turns.give_up()
        self.wait_ns += thread.held_ns
        self.hidden_ns += thread.hidden_ns
        if self._describe is not None:
            self.transfer = self._described(thread, self._describe)
            self._describe = None
        if run.watch is not None:
            run.watch.leave(self._mark)
        self.is_open = kind is not None
        self.call_ns = end_ns - self.start_ns - self.wait_ns
        if run.notes is not None:
            run.notes.leave_phase(self._place, self, thread.index)
        if self._describe_operand is not None:
            took_ns = self.call_ns + self.wait_ns
            describe = partial(self._described, thread, self._describe_operand)
            run.operands.note(self.name, self.operation, self.start_ns, took_ns, describe)
            self._describe_operand = None
        if end_ns - self.start_ns >= FROM_NS:
            self.peaks = run.memory.peaks()

    def _begin_fenced(self, run: Run, thread: Thread) -> None:
        is_alone = True
        if self.operation is not None and len(run.threads) > 1:
            is_alone = self._has_turn = run.turns.take()
            now_ns = run.clock()
            thread.held_ns += now_ns - self.start_ns
            self.start_ns = now_ns
        try:
            self.fenced = run.fence(thread, self.start_ns) and is_alone
        except BaseException:
            if self._has_turn:
                run.turns.give_up()
            raise
        if self._has_turn:
            run.turns.in_call = True
        self.wait_ns = -thread.held_ns
        self.start_ns = run.clock()

    def _end_fenced(self, run: Run, thread: Thread, end_ns: int) -> int:
        if self._has_turn:
            run.turns.in_call = False
        if self.on_host:
            self.fenced = False
            return end_ns
        if self._is_blocking:
            run.block(thread, self.start_ns + self.wait_ns - self.hidden_ns)
        self.fenced = run.fence(thread, end_ns) and self.fenced
        return run.clock()

    def _described(self, thread: Thread, describe: Callable[[], Transfer | None]) -> Transfer | None:
        """Describes a tensor; library calls made for that are none of the test's."""
        was_in_call, thread.in_call = thread.in_call, True
        try:
            return describe()
        except Exception as error:
            # A tensor that cannot be described must not fail the test that moved it.
            if is_interrupt(error):
                raise
            return None
        finally:
            thread.in_call = was_in_call

    @property
    def is_ended(self) -> bool:
        """Whether the phase was entered and left."""
        return self.call_ns != RUNNING

    @property
    def thread(self) -> int:
        """Number of its thread in the iteration."""
        return self._thread.index

    @property
    def stage(self) -> Stage:
        """Stage in which it began."""
        return self._thread.stages.at(self.start_ns)

    def as_phase(self, now_ns: int, *, cold: bool) -> Phase:
        """Returns the record; a phase that has not ended lasts until now and is open."""
        wait_ns, hidden_ns, call_ns = self.wait_ns, self.hidden_ns, self.call_ns
        if not self.is_ended:
            wait_ns += self._thread.held_ns
            hidden_ns += self._thread.hidden_ns
            call_ns = max(0, now_ns - self.start_ns - wait_ns)
        return Phase(
            name=self.name,
            operation=self.operation,
            start_ns=self.start_ns,
            call_ns=call_ns,
            wait_ns=wait_ns,
            hidden_ns=hidden_ns,
            fenced=self.fenced and self.is_ended,
            cold=cold,
            within=self.within,
            thread=self.thread,
            transfer=self.transfer,
            is_open=self.is_open,
            on_host=self.on_host,
            stage=self.stage,
            peaks=self.peaks,
        )


class HandSpan(Span):
    """A phase made by hand while it lasts: what only library calls have is the same for all of them.

    Who makes one does by himself what `Span.__init__` does: calling that costs a tenth of the phase.
    """

    __slots__ = ()

    operation = None
    on_host = False
    transfer = None
    _describe = None
    _describe_operand = None
    _is_blocking = False
    _has_turn = False

    __init__ = object.__init__


RUNNING = -1
"""`Span.call_ns` before its end."""
