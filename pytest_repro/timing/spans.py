"""Phases while they last: their edges, fences and threads, and how many of them are kept."""

from __future__ import annotations

from threading import Lock, get_ident
from typing import TYPE_CHECKING, Any, Protocol

from pytest_repro.model import Metric, Phase, Stage, Transfer
from pytest_repro.timing.merge import Merged, kind_of
from pytest_repro.timing.operands import Operands
from pytest_repro.timing.stages import Stages
from pytest_repro.timing.turns import Turns

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from pytest_repro.clock import MonotonicNs


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


FOLD_EVERY = 1024
"""Phases gathered beyond what is kept before they are merged."""


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
        "_describe", "_describe_operand", "_has_turn", "_is_blocking", "_mark", "_place", "_run", "_thread",
        "call_ns", "fenced", "hidden_ns", "is_open", "name", "on_host", "operation", "start_ns", "transfer",
        "wait_ns", "within",
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
        self.within = thread.names
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
            self._begin_fenced(run, thread)
        if self.operation is not None:
            thread.in_call = True
        else:
            thread.names = (*self.within, self.name)
        if run.watch is not None:
            self._mark = run.watch.enter(self)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        run = self._run
        end_ns = run.clock()
        thread = self._thread
        thread.names = self.within
        if self.operation is not None:
            thread.in_call = False
        if run.fences or self._has_turn:
            try:
                end_ns = self._end_fenced(run, thread, end_ns)
            finally:
                if self._has_turn:
                    run.turns.give_up()
        self.wait_ns += thread.held_ns
        self.hidden_ns += thread.hidden_ns
        if self._describe is not None:
            self.transfer = _described(self._describe)
            self._describe = None
        if run.watch is not None:
            run.watch.leave(self._mark)
        self.is_open = kind is not None
        self.call_ns = end_ns - self.start_ns - self.wait_ns
        if run.notes is not None:
            run.notes.leave_phase(self._place, self, thread.index)
        if self._describe_operand is not None:
            took_ns = self.call_ns + self.wait_ns
            run.operands.note(self.name, self.operation, self.start_ns, took_ns, self._describe_operand)
            self._describe_operand = None

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
        )


class Thread:
    """What one thread does in one iteration.

    Attributes:
        index: 0 for the first.
        names: Names of the open phases made by hand, outermost first.
        in_call: Whether it is inside a recorded library call: calls inside that one are not recorded.
        held_ns: Time it spent waiting in fences.
        hidden_ns: Time it would have waited in blocking calls, had there been no fences.
        stages: Of the test; the same for all threads.
    """

    __slots__ = ("held_ns", "hidden_ns", "in_call", "index", "names", "stages")

    def __init__(self, index: int, stages: Stages) -> None:
        self.index = index
        self.stages = stages
        self.names: tuple[str, ...] = ()
        self.in_call = False
        self.held_ns = 0
        self.hidden_ns = 0


class Run:
    """One iteration while it lasts.

    Attributes:
        notes: Told of each phase; None for nobody, or once the iteration is over.
    """

    __slots__ = (
        "_free_ns", "_keep", "_lock", "_merged", "clock", "fences", "limit", "metrics", "notes", "operands",
        "spans", "stages", "threads", "turns", "watch",
    )  # fmt: skip

    def __init__(
        self,
        clock: MonotonicNs,
        fences: tuple[Fence, ...],
        keep: int,
        notes: PhaseNotes | None = None,
        watch: WatchPhase | None = None,
        *,
        stage: Stage = Stage.CALL,
    ) -> None:
        self.clock = clock
        self.fences = fences
        self.watch = watch
        self.metrics: list[Metric] = []
        self.spans: list[Span] = []
        self._keep = keep
        self.limit = keep + FOLD_EVERY
        self._merged: Merged | None = None
        self.operands = Operands()
        self.stages = Stages(stage)
        self.threads: dict[int, Thread] = {get_ident(): Thread(0, self.stages)}
        self.notes = notes
        if notes is not None:
            notes.begin_phases()
        self.turns = Turns()
        self._free_ns = 0
        self._lock = Lock()

    def thread(self) -> Thread:
        """Returns the calling thread's state."""
        state = self.threads.get(get_ident())
        if state is None:
            with self._lock:
                state = self.threads.setdefault(get_ident(), Thread(len(self.threads), self.stages))
        return state

    def fence(self, thread: Thread, before_ns: int) -> bool:
        """Waits for the devices.

        Args:
            thread: The calling thread's state.
            before_ns: The clock at the call.

        Returns:
            Whether all devices could be waited for.
        """
        unusable = [fence for fence in self.fences if not _waited(fence)]
        waited_ns = self.clock() - before_ns
        host_ns = before_ns - thread.held_ns + thread.hidden_ns
        with self._lock:
            # Without fences the device would have gone on from its earlier work to this, without a pause.
            self._free_ns = max(self._free_ns, host_ns) + waited_ns
        thread.held_ns += waited_ns
        return not unusable

    def block(self, thread: Thread, host_ns: int) -> None:
        """Charges a blocking call, begun at `host_ns` of the unfenced timeline, with what was unfinished."""
        thread.hidden_ns += max(0, self._free_ns - host_ns)

    def phases(self, seen: set[tuple[str, str | None]]) -> tuple[Phase, ...]:
        """Returns all phases, and notes in `seen` which operations are warm from now on."""
        now_ns = self.clock()
        records = [span.as_phase(now_ns, cold=_is_new(seen, span)) for span in self.spans]
        if self._merged is not None:
            records += self._merged.phases()
            records.sort(key=lambda phase: phase.start_ns)
        return tuple(self.operands.added_to(records))

    def fold(self, beginning: Span) -> None:
        """Merges the phases beyond those that are kept, except for those that have not ended."""
        with self._lock:
            merged = self._merged
            if merged is None:
                merged = self._merged = Merged()
                for span in self.spans[: self._keep]:
                    merged.is_first(kind_of(span))
            # Other threads may add phases meanwhile: only those that were there are looked at.
            count = len(self.spans)
            firsts: list[Span] = []
            lasting: list[Span] = []
            for span in self.spans[self._keep : count]:
                if span is beginning or not span.is_ended:
                    lasting.append(span)
                elif merged.is_first(kind := kind_of(span)):
                    firsts.append(span)
                else:
                    merged.add(kind, span)
            self.spans[self._keep : count] = firsts + lasting
            self._keep += len(firsts)
            self.limit = len(self.spans) + FOLD_EVERY


def _is_new(seen: set[tuple[str, str | None]], span: Span) -> bool:
    key = (span.name, span.operation)
    if key in seen or len(seen) >= _SEEN_LIMIT:
        return False
    seen.add(key)
    return True


def _waited(fence: Fence) -> bool:
    try:
        if not fence.is_usable():
            return False
        fence.wait()
    except Exception:  # noqa: BLE001 - a device's error belongs to the test, which meets it at its own next wait
        return False
    return True


def _described(describe: Callable[[], Transfer | None]) -> Transfer | None:
    try:
        return describe()
    except Exception:  # noqa: BLE001 - a tensor that cannot be described must not fail the test that moved it
        return None


RUNNING = -1
"""`Span.call_ns` before its end."""

_SEEN_LIMIT = 10_000
"""Names remembered as warm: names with a counter in them must not fill the memory of a long stress run."""
