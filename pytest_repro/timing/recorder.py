"""Collects the phases of one iteration after the other, fenced where a device is at work."""

from __future__ import annotations

import math
from contextlib import AbstractContextManager, nullcontext
from threading import get_ident
from typing import TYPE_CHECKING, Any

from pytest_repro.clock import monotonic_ns
from pytest_repro.errors import TimingError
from pytest_repro.model import Metric, Phase, Stage
from pytest_repro.timing.memory import Memory
from pytest_repro.timing.run import FenceCost, Run
from pytest_repro.timing.spans import RUNNING, HandSpan, Span
from pytest_repro.timing.turns import Turns

if TYPE_CHECKING:
    from pytest_repro.clock import MonotonicNs
    from pytest_repro.timing.spans import Fence, PhaseNotes, WatchPhase

KEEP = 1000
"""Phases kept one by one in an iteration; later calls are merged by name, operation and place."""


class Recorder:
    """Records phases and metrics between `begin` and `finish`; outside of them it does nothing.

    Timeline: with fences, each piece of device work is waited for where it was queued. Beside the real
    times the recorder keeps the time that the test would have seen without fences: `hidden_ns` of a
    blocking call is what the device would still have had to do when that call began. It is exact but
    for the time that a blocking call needs to queue its own work, which could have passed meanwhile.

    Memory: the first `keep` phases of an iteration are kept one by one, and so is the first call of each
    operation. The others are merged into one phase per name, operation and place (`Phase.calls`).

    Threads: any thread may open phases. Each has its own nesting. A fence waits for all threads' work, so
    library calls of several threads that may concern a device take turns; phases made by hand do not,
    and hold what other threads gave the device meanwhile.

    Args:
        clock: Monotonic clock.
        keep: Number of phases of an iteration that are kept one by one.

    Attributes:
        memory: What is read at the end of long phases; nothing unless added.
    """

    def __init__(self, clock: MonotonicNs = monotonic_ns, *, keep: int = KEEP) -> None:
        self.clock = clock
        self._keep = keep
        self._fences: tuple[Fence, ...] = ()
        self._seen: set[tuple[str, str | None]] = set()
        self.run: Run | None = None
        self._notes: PhaseNotes | None = None
        self._watch: WatchPhase | None = None
        self._turns = Turns()
        self._cost = FenceCost()
        self.memory = Memory()

    def note_phases(self, notes: PhaseNotes) -> None:
        """Has the phases told while they last, from the next iteration on."""
        self._notes = notes

    def watch_phases(self, watch: WatchPhase) -> None:
        """Has the phases of all threads told when they begin and end, from the next iteration on."""
        self._watch = watch

    def begin(self, stage: Stage = Stage.CALL) -> None:
        """Starts an iteration, in this stage of the test; one that was never finished is dropped."""
        self.run = Run(
            self.clock,
            self._fences,
            self._keep,
            self._notes,
            self._watch,
            self.memory,
            self._turns,
            self._cost,
            stage=stage,
        )

    def enter_stage(self, stage: Stage) -> None:
        """Notes that the next stage of the test begins."""
        if self.run is not None:
            self.run.stages.enter(stage, self.clock())

    def finish(self) -> tuple[tuple[Phase, ...], tuple[Metric, ...]]:
        """Ends the iteration.

        Returns:
            Its phases in the order in which they began, those still open marked, and its metrics.
        """
        run, self.run = self.run, None
        if run is None:
            return (), ()
        run.notes = None
        return run.phases(self._seen), tuple(run.metrics)

    def phase(self, name: str) -> AbstractContextManager[object]:
        """Times what is done inside the `with` block.

        Args:
            name: Name under which the times are added up.

        Raises:
            TimingError: If the name is not a text or is empty.
        """
        if type(name) is not str or not name or name.isspace():
            raise TimingError(
                f"A phase cannot be called {name!r}: its name must be a text that can be seen",
                next_step="Give it a short fixed name, such as repro.phase('preprocess').",
            )
        run = self.run
        if run is None:
            return _NOTHING
        span: Span = HandSpan()
        span._run = run  # noqa: SLF001 - see `HandSpan`
        span.name = name
        span.fenced = False
        span.is_open = True
        span.call_ns = RUNNING
        span.peaks = ()
        return span

    def metric(self, name: str, value: float) -> None:
        """Records a number that the test measured itself.

        Args:
            name: What it is, with its unit, such as `samples_per_s`.
            value: A finite number, or something that `float` turns into one.

        Raises:
            TimingError: If the name is no text or empty, or the value is no finite number.
        """
        if type(name) is not str or not name or name.isspace():
            raise TimingError(
                f"A metric cannot be called {name!r}: its name must be a text that can be seen",
                next_step="Give it a short fixed name with its unit, such as samples_per_s.",
            )
        number = _finite(name, value)
        if self.run is not None:
            self.run.metrics.append(Metric(name=name, value=number))

    def automatic(self, name: str, operation: str, *, on_host: bool = False) -> Span | None:
        """Makes the phase of a library call; for backends.

        Args:
            name: `to_device`, `op` or `to_torch`; `Span.settle` can still change it.
            operation: Name of the library call.
            on_host: Whether it cannot concern a device: it is not fenced then.

        Returns:
            The phase, to be entered with `with`, or None if the call is not to be recorded: outside of
            an iteration, or inside of another library call that is.
        """
        run = self.run
        if run is None:
            return None
        thread = run.threads.get(get_ident())
        if thread is not None and thread.in_call:
            return None
        span = Span(run, name, operation)
        if on_host:
            span.on_host = True
        return span

    @property
    def fences(self) -> tuple[Fence, ...]:
        """What phases wait for, oldest first."""
        return self._fences

    def add_fence(self, fence: Fence) -> None:
        """Makes phases wait for one more device, from now on."""
        self._set_fences((*self._fences, fence))

    def remove_fence(self, fence: Fence) -> None:
        """Takes a fence away again."""
        self._set_fences(tuple(kept for kept in self._fences if kept is not fence))

    def _set_fences(self, fences: tuple[Fence, ...]) -> None:
        self._fences = fences
        self._cost.idle_ns = None
        if self.run is not None:
            self.run.fences = fences


def _finite(name: str, value: Any) -> float:
    try:
        if not isinstance(value, (bool, str, bytes)) and math.isfinite(number := float(value)):
            return number
    except (TypeError, ValueError, OverflowError):
        pass
    raise TimingError(
        f"The metric {name!r} got {value!r}, which is not a finite number",
        next_step="Give a number: repro.metric('samples_per_s', 19646.28).",
    )


_NOTHING: AbstractContextManager[object] = nullcontext()
