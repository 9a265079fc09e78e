"""What is known of the phases of one test: how often, how long, how much, and what is the bottleneck."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple

from pytest_repro.model import Stage
from pytest_repro.timing.names import staged_name

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from pytest_repro.model import Phase, Transfer
    from pytest_repro.timing.series import Series

HOST = "host"
"""Name under which work of the host alone is shown where a device is at work beside it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """Calls of one phase, or of one operation in it.

    Attributes:
        name: Name of the phase.
        operation: Name of the library call; None for the row of the whole phase.
        within: Names of the phases around it.
        stage: Stage of the test in which it began.
        calls: How often.
        total_ns: All calls together, of all threads.
        cold_calls: How many of them were the first of their operation in their process.
        cold_ns: Those together.
        own_ns: `total_ns` without the phases inside.
        unfenced_ns: What timers without fences would have shown.
        size_bytes: What was moved, None where nothing could be.
        largest: Largest transfer, or largest operand of an operation's longest call; None if unknown.
        largest_ns: Time of that transfer, None where it was merged with others or nothing was moved.
        share: Part of the breakdown's total, from 0 to 1.
        is_bottleneck: Whether this phase has the largest part of its own.
        is_open: Whether the test ended, raised or died inside it.
        is_fenced: Whether all of it was fenced.
        lacks_fence: Whether a call that ended, and that may concern a device, was not.
    """

    name: str
    operation: str | None
    within: tuple[str, ...]
    stage: Stage = Stage.CALL
    calls: int
    total_ns: int
    cold_calls: int
    cold_ns: int
    own_ns: int
    unfenced_ns: int
    size_bytes: int | None
    largest: Transfer | None = None
    largest_ns: int | None = None
    share: float = 0.0
    is_bottleneck: bool = False
    is_open: bool = False
    is_fenced: bool = False
    lacks_fence: bool = False

    @property
    def path(self) -> tuple[str, ...]:
        """The phase's name after those of the phases around it."""
        return (*self.within, self.name)

    @property
    def place(self) -> tuple[str, ...]:
        """The same after its stage: what tells phases apart."""
        return (self.stage.value, *self.path)

    @property
    def warm_ns(self) -> int | None:
        """Mean time of a warm call; None where all calls were cold."""
        warm_calls = self.calls - self.cold_calls
        return (self.total_ns - self.cold_ns) // warm_calls if warm_calls else None


class Peak(NamedTuple):
    """The most memory in use at one place.

    Attributes:
        place: `process`, or a device.
        size_bytes: Since the process began.
        phase: Name of the phase or operation by the end of which it was reached.
    """

    place: str
    size_bytes: int
    phase: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Breakdown:
    """Where the time of one test went.

    Attributes:
        test: Node id.
        iterations: How many were timed.
        failing: How many of them failed.
        interrupted: How many of them did not end.
        contended: Why the times are not to be compared, empty if they are.
        rows: One per phase, phases inside others after these; by stage, the automatic three first.
        operations: One per operation, by phase and then by time, longest first.
        total_ns: All phases that are in no other, of all threads.
        threads: Most threads that had phases in one iteration.
        elapsed_ns: Time in which any phase lasted; None where calls were merged, so that nobody knows.
        series: Phases and metrics over the iterations, in the order in which they came.
        problems: Why limits of the test could not be read.
        peaks: The most memory in use, by place, where this test added to it, by the end of a long phase.
    """

    test: str
    iterations: int
    failing: int = 0
    interrupted: int = 0
    contended: str
    rows: tuple[Row, ...]
    operations: tuple[Row, ...]
    total_ns: int
    threads: int = 1
    elapsed_ns: int | None = None
    series: tuple[Series, ...] = ()
    problems: tuple[str, ...] = ()
    peaks: tuple[Peak, ...] = ()

    @property
    def bottleneck(self) -> Row | None:
        """The phase with the largest part of its own."""
        return next((row for row in self.rows if row.is_bottleneck), None)

    @property
    def suspect(self) -> Row | None:
        """The phase that timers without fences would have called the bottleneck."""
        inner = {(row.stage.value, *row.within) for row in self.rows}
        leaves = [row for row in self.rows if row.place not in inner]
        return max(leaves, key=lambda row: row.unfenced_ns, default=None)

    def operations_of(self, row: Row) -> list[Row]:
        """Returns the operations of a phase, longest first."""
        return [operation for operation in self.operations if operation.place == row.place]


def named_totals(phases: Sequence[Phase]) -> dict[str, int]:
    """Returns nanoseconds by phase name; a phase inside one of the same name is counted once.

    The names of phases in fixtures begin with their stage (`setup: to_device`): what a fixture of a wider
    scope does there is not charged to the one test that happened to come first or last.
    """
    totals: dict[str, int] = {}
    for phase in shown(phases):
        if phase.name not in phase.within:
            name = staged_name(phase)
            totals[name] = totals.get(name, 0) + phase.duration_ns
    return totals


def shown(phases: Sequence[Phase]) -> list[Phase]:
    """Returns the phases as they are shown: work of the host alone is `host` beside that of a device."""
    if all(phase.on_host or phase.operation is None for phase in phases):
        return list(phases)
    return [replace(phase, name=HOST) if phase.on_host else phase for phase in phases]


def elapsed_ns(phases: Iterable[Phase]) -> int | None:
    """Returns the time in which any of the outermost phases lasted; None where calls were merged."""
    spans = sorted(
        (phase.start_ns, phase.start_ns + phase.duration_ns, phase.calls)
        for phase in phases
        if phase.depth == 0
    )
    if any(calls > 1 for *_, calls in spans):
        return None
    elapsed = 0
    reached: int | None = None
    for begin, end, _ in spans:
        counted_from = begin if reached is None else max(begin, reached)
        elapsed += max(0, end - counted_from)
        reached = max(end, counted_from)
    return elapsed
