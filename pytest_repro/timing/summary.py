"""Profiles to breakdowns: how often, how long, how much, and what is the bottleneck."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from pytest_repro.timing.backend import AUTOMATIC, SYNCHRONIZE
from pytest_repro.timing.merge import merge

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from pytest_repro.model import Phase, Profile

HOST = "host"
"""Name under which work of the host alone is shown where a device is at work beside it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """Calls of one phase, or of one operation in it.

    Attributes:
        name: Name of the phase.
        operation: Name of the library call; None for the row of the whole phase.
        within: Names of the phases around it.
        calls: How often.
        total_ns: All calls together.
        cold_calls: How many of them were the first of their operation in their process.
        cold_ns: Those together.
        own_ns: `total_ns` without the phases inside.
        unfenced_ns: What timers without fences would have shown.
        size_bytes: What was moved, None where nothing could be.
        share: Part of the breakdown's total, from 0 to 1.
        is_bottleneck: Whether this phase has the largest part of its own.
        is_open: Whether the test ended, raised or died inside it.
        is_fenced: Whether all of it was fenced.
    """

    name: str
    operation: str | None
    within: tuple[str, ...]
    calls: int
    total_ns: int
    cold_calls: int
    cold_ns: int
    own_ns: int
    unfenced_ns: int
    size_bytes: int | None
    share: float = 0.0
    is_bottleneck: bool = False
    is_open: bool = False
    is_fenced: bool = False

    @property
    def path(self) -> tuple[str, ...]:
        """The phase's name after those of the phases around it."""
        return (*self.within, self.name)

    @property
    def warm_ns(self) -> int | None:
        """Mean time of a warm call; None where all calls were cold."""
        warm_calls = self.calls - self.cold_calls
        return (self.total_ns - self.cold_ns) // warm_calls if warm_calls else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Breakdown:
    """Where the time of one test went.

    Attributes:
        test: Node id.
        iterations: How many were timed.
        contended: Why the times are not to be compared, empty if they are.
        rows: One per phase, phases inside others after these; the automatic three first.
        operations: One per operation, by phase and then by time, longest first.
        total_ns: All phases that are in no other.
    """

    test: str
    iterations: int
    contended: str
    rows: tuple[Row, ...]
    operations: tuple[Row, ...]
    total_ns: int

    @property
    def bottleneck(self) -> Row | None:
        """The phase with the largest part of its own."""
        return next((row for row in self.rows if row.is_bottleneck), None)

    @property
    def suspect(self) -> Row | None:
        """The phase that timers without fences would have called the bottleneck."""
        inner = {row.within for row in self.rows}
        leaves = [row for row in self.rows if row.path not in inner]
        return max(leaves, key=lambda row: row.unfenced_ns, default=None)


def breakdowns(profiles: Iterable[Profile]) -> list[Breakdown]:
    """Returns one breakdown per test, in the order in which the tests first came."""
    by_test: dict[str, list[Profile]] = {}
    for profile in profiles:
        by_test.setdefault(profile.test, []).append(profile)
    return [_breakdown(test, profiles) for test, profiles in by_test.items()]


def named_totals(phases: Sequence[Phase]) -> dict[str, int]:
    """Returns nanoseconds by phase name; a phase inside one of the same name is counted once."""
    totals: dict[str, int] = {}
    for phase in shown(phases):
        if phase.name not in phase.within:
            totals[phase.name] = totals.get(phase.name, 0) + phase.duration_ns
    return totals


def shown(phases: Sequence[Phase]) -> list[Phase]:
    """Returns the phases as they are shown: work of the host alone is `host` beside that of a device."""
    if all(phase.on_host or phase.operation is None for phase in phases):
        return list(phases)
    return [replace(phase, name=HOST) if phase.on_host else phase for phase in phases]


def _breakdown(test: str, profiles: Sequence[Profile]) -> Breakdown:
    phases = [phase for profile in profiles for phase in shown(profile.phases)]
    total_ns = sum(phase.duration_ns for phase in phases if phase.depth == 0)
    rows = _marked([_share(row, total_ns) for row in _rows(phases)])
    calls = [_share(row, total_ns) for row in _operation_rows(phases)]
    places = {row.path: index for index, row in enumerate(rows)}
    calls.sort(key=lambda row: (places[row.path], -row.total_ns))
    contended = "; ".join(dict.fromkeys(profile.contended for profile in profiles if profile.contended))
    return Breakdown(
        test=test,
        iterations=len(profiles),
        contended=contended,
        rows=tuple(rows),
        operations=tuple(calls),
        total_ns=total_ns,
    )


def _rows(phases: Sequence[Phase]) -> list[Row]:
    groups: dict[tuple[str, ...], list[Phase]] = {}
    for phase in phases:
        groups.setdefault((*phase.within, phase.name), []).append(phase)
    inner_ns: dict[tuple[str, ...], int] = {}
    for phase in phases:
        inner_ns[phase.within] = inner_ns.get(phase.within, 0) + phase.duration_ns
    rows = {path: _row(group, None, inner_ns.get(path, 0)) for path, group in groups.items()}
    return [rows[path] for path in _in_order(rows)]


def _operation_rows(phases: Sequence[Phase]) -> list[Row]:
    groups: dict[tuple[tuple[str, ...], str, str], list[Phase]] = {}
    for phase in phases:
        if phase.operation is not None:
            groups.setdefault((phase.within, phase.name, phase.operation), []).append(phase)
    return [_row(group, operation, 0) for (_, _, operation), group in groups.items()]


def _row(phases: Sequence[Phase], operation: str | None, inner_ns: int) -> Row:
    total = merge(phases)
    cold = [phase for phase in phases if phase.cold]
    return Row(
        name=total.name,
        operation=operation,
        within=total.within,
        calls=total.calls,
        total_ns=total.duration_ns,
        cold_calls=len(cold),
        cold_ns=sum(phase.duration_ns for phase in cold),
        own_ns=max(0, total.duration_ns - inner_ns),
        unfenced_ns=total.unfenced_ns,
        size_bytes=None if total.transfer is None else total.transfer.size_bytes,
        is_open=total.is_open,
        is_fenced=total.fenced,
    )


def _in_order(paths: Iterable[tuple[str, ...]]) -> list[tuple[str, ...]]:
    """Returns paths parents first, the automatic phases before others, else as they came."""
    came = {path: index for index, path in enumerate(paths)}

    def rank(path: tuple[str, ...]) -> list[tuple[int, int]]:
        prefixes = [path[: length + 1] for length in range(len(path))]
        return [(_RANK.get(prefix[-1], len(_RANK)), came.get(prefix, 0)) for prefix in prefixes]

    return sorted(came, key=rank)


_RANK = {name: index for index, name in enumerate((*AUTOMATIC, SYNCHRONIZE, HOST))}


def _share(row: Row, total_ns: int) -> Row:
    return replace(row, share=row.total_ns / total_ns if total_ns else 0.0)


def _marked(rows: list[Row]) -> list[Row]:
    longest = max(rows, key=lambda row: row.own_ns, default=None)
    return [replace(row, is_bottleneck=row is longest and row.own_ns > 0) for row in rows]
