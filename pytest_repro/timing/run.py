"""One iteration while it lasts: its phases, its threads, and the time that a device is busy."""

from __future__ import annotations

from contextvars import ContextVar
from itertools import pairwise
from threading import Lock, get_ident
from typing import TYPE_CHECKING

from pytest_repro.model import Metric, Phase, Stage
from pytest_repro.timing.interrupts import is_interrupt
from pytest_repro.timing.memory import Memory
from pytest_repro.timing.merge import Merged, kind_of
from pytest_repro.timing.operands import Operands
from pytest_repro.timing.stages import Stages
from pytest_repro.timing.turns import Turns

if TYPE_CHECKING:
    from pytest_repro.clock import MonotonicNs
    from pytest_repro.model import Peaks
    from pytest_repro.timing.spans import Fence, PhaseNotes, Span, WatchPhase

_IDLE_FENCES = 3

FOLD_EVERY = 1024
"""Phases gathered beyond what is kept before they are merged."""


_TASK: ContextVar[tuple[Thread, tuple[str, ...]] | None] = ContextVar("pytest_repro_phases", default=None)
"""Names of the phases made by hand in a task, outermost first, and the thread that they are of."""


class Thread:
    """What one thread does in one iteration.

    Attributes:
        index: 0 for the first.
        names: Names of its open phases made by hand outside of tasks of an event loop, outermost first.
        has_tasks: Whether such tasks have opened phases by hand: each task has its own nesting.
        in_call: Whether it is inside a recorded library call: calls inside that one are not recorded.
        held_ns: Time it spent waiting in fences.
        hidden_ns: Time it would have waited in blocking calls, had there been no fences.
        peaks: Most memory in use until the end of calls that keep no such thing themselves, by their start.
        stages: Of the test; the same for all threads.
    """

    __slots__ = ("has_tasks", "held_ns", "hidden_ns", "in_call", "index", "names", "peaks", "stages")

    def __init__(self, index: int, stages: Stages) -> None:
        self.index = index
        self.stages = stages
        self.peaks: dict[int, Peaks] = {}
        self.names: tuple[str, ...] = ()
        self.has_tasks = False
        self.in_call = False
        self.held_ns = 0
        self.hidden_ns = 0

    def names_in_task(self) -> tuple[str, ...]:
        """Returns the names of the phases made by hand that are open around the running task, and in it."""
        known = _TASK.get()
        return (*self.names, *known[1]) if known is not None and known[0] is self else self.names

    def open_in_task(self, name: str) -> tuple[str, ...]:
        """Opens a phase in the running task of an event loop; tasks that it starts are in that phase too."""
        self.has_tasks = True
        inner = (*self.names_in_task()[len(self.names) :], name)
        _TASK.set((self, inner))
        return inner

    def close(self, name: str, inner: tuple[str, ...]) -> None:
        """Closes a phase that was opened in a task, or that is not the innermost one.

        Args:
            name: Its name.
            inner: The names that were open with it.
        """
        known = _TASK.get()
        if known is not None and known[0] is self and known[1] is inner:
            _TASK.set((self, inner[:-1]))
        elif name in self.names:
            last = len(self.names) - 1 - self.names[::-1].index(name)
            self.names = self.names[:last] + self.names[last + 1 :]


class FenceCost:
    """What fences take where the device is idle.

    Attributes:
        idle_ns: All of them together; None as long as it is not known.
    """

    __slots__ = ("idle_ns",)

    def __init__(self) -> None:
        self.idle_ns: int | None = None

    def measure(self, fences: tuple[Fence, ...], clock: MonotonicNs) -> None:
        """Waits some times for devices that were just waited for: the least counts."""
        times = [clock()]
        for _ in range(_IDLE_FENCES):
            for fence in fences:
                _waited(fence)
            times.append(clock())
        self.idle_ns = min(after - before for before, after in pairwise(times))


class Run:
    """One iteration while it lasts.

    Attributes:
        notes: Told of each phase; None for nobody, or once the iteration is over.
    """

    __slots__ = (
        "_free_ns", "_keep", "_lock", "_merged", "_operands", "clock", "cost", "fences", "limit", "memory",
        "metrics", "notes", "spans", "stages", "threads", "turns", "watch",
    )  # fmt: skip

    def __init__(
        self,
        clock: MonotonicNs,
        fences: tuple[Fence, ...],
        keep: int,
        notes: PhaseNotes | None = None,
        watch: WatchPhase | None = None,
        memory: Memory | None = None,
        turns: Turns | None = None,
        cost: FenceCost | None = None,
        *,
        stage: Stage = Stage.CALL,
    ) -> None:
        self.clock = clock
        self.fences = fences
        self.watch = watch
        self.memory = memory or Memory()
        self.metrics: list[Metric] = []
        self.spans: list[Span] = []
        self._keep = keep
        self.limit = keep + FOLD_EVERY
        self._merged: Merged | None = None
        self._operands: Operands | None = None
        self.stages = Stages(stage)
        self.threads: dict[int, Thread] = {get_ident(): Thread(0, self.stages)}
        self.notes = notes
        if notes is not None:
            notes.begin_phases()
        self.turns = turns or Turns()
        self.cost = cost or FenceCost()
        self._free_ns = 0
        self._lock = Lock()

    @property
    def operands(self) -> Operands:
        """What operations worked on; made when it is first needed."""
        if self._operands is None:
            self._operands = Operands()
        return self._operands

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
        # A fence may use calls that are recorded: not those that it makes itself.
        was_in_call, thread.in_call = thread.in_call, True
        try:
            unusable = [fence for fence in self.fences if not _waited(fence)]
            waited_ns = held_ns = self.clock() - before_ns
            if self.cost.idle_ns is None and not unusable:
                self.cost.measure(self.fences, self.clock)
                held_ns = self.clock() - before_ns
        finally:
            thread.in_call = was_in_call
        # A fence takes its time also where nothing is to be waited for: the device was idle then.
        busy_ns = max(0, waited_ns - (self.cost.idle_ns or 0))
        host_ns = before_ns - thread.held_ns + thread.hidden_ns
        with self._lock:
            # Without fences the device would have gone on from its earlier work to this, without a pause.
            self._free_ns = max(self._free_ns, host_ns) + busy_ns
        thread.held_ns += held_ns
        return not unusable

    def block(self, thread: Thread, host_ns: int) -> None:
        """Charges a blocking call, begun at `host_ns` of the unfenced timeline, with what was unfinished."""
        thread.hidden_ns += max(0, self._free_ns - host_ns)

    def phases(self, seen: set[tuple[str, str | None]]) -> tuple[Phase, ...]:
        """Returns all phases, and notes in `seen` which operations are warm from now on."""
        if not self.spans:
            return ()
        now_ns = self.clock()
        records = [span.as_phase(now_ns, cold=_is_new(seen, span)) for span in self.spans]
        if self._merged is not None:
            records += self._merged.phases()
            records.sort(key=lambda phase: phase.start_ns)
        return tuple(records if self._operands is None else self._operands.added_to(records))

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
    except Exception as error:
        # A device's error belongs to the test, which meets it at its own next wait.
        if is_interrupt(error):
            raise
        return False
    return True


_SEEN_LIMIT = 10_000
"""Names remembered as warm: names with a counter in them must not fill the memory of a long stress run."""
