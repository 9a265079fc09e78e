"""Adds profiles up, test by test, in memory that does not grow with the iterations."""

from __future__ import annotations

import random
import statistics
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, NamedTuple

from pytest_repro.errors import OptionError
from pytest_repro.model import Outcome, Phase, Stage
from pytest_repro.timing.backend import AUTOMATIC, SYNCHRONIZE
from pytest_repro.timing.names import staged_name
from pytest_repro.timing.series import Quantity, SeriesTally, corrected
from pytest_repro.timing.summary import HOST, Breakdown, Peak, Row, elapsed_ns, shown
from pytest_repro.verify.limits import limits_of_mark, nearest

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from pytest_repro.model import Profile, Transfer
    from pytest_repro.timing.series import Series
    from pytest_repro.verify.limits import Limit

TESTS = 1000
"""Tests that are added up; those that come later are only in the logs."""

ROWS_OF_A_TEST = 1000
"""Phases and operations of a test that are told apart; further ones are `other`."""

SERIES_OF_A_TEST = 100
"""Phases and metrics of a test that are followed over its iterations; further ones are left out."""

SERIES = 10_000
"""The same of all tests together."""

OTHER = "other"

_GROWN = 1.01


class TimingTally:
    """The profiles of a session.

    Args:
        limits: Of the gate, for all tests.
    """

    def __init__(self, limits: Sequence[Limit] = ()) -> None:
        self._limits = limits
        # Its own, and always the same: one record always gives one table.
        self._chance = random.Random(0)
        self._tests: dict[str, _TestTally] = {}
        self._others: set[str] = set()
        self._room = _Room(SERIES)
        # By worker and place.
        self._reached: dict[tuple[str, str], int] = {}

    @property
    def left_out(self) -> int:
        """Tests that came when there was no room for more."""
        return len(self._others)

    def add(self, profile: Profile, marks: Sequence[Mapping[str, Any]] = ()) -> None:
        """Adds one iteration.

        Args:
            profile: What was timed in it.
            marks: Arguments of the test's marks `repro_verify`, the nearest mark first.
        """
        tally = self._tests.get(profile.test)
        if tally is None:
            if len(self._tests) >= TESTS:
                self._others.add(profile.test)
                return
            limits, problems = _limits_of(profile.test, marks, self._limits)
            tally = self._tests[profile.test] = _TestTally(
                profile.test,
                limits=limits,
                problems=problems,
                chance=self._chance,
                room=self._room,
                reached=self._reached,
            )
        tally.add(profile)

    def breakdowns(self) -> list[Breakdown]:
        """Returns one breakdown per test, in the order in which the tests first came."""
        found = [(tally.breakdown(), tally.series()) for tally in self._tests.values()]
        judged = iter(corrected([one for _, series in found for one in series]))
        return [replace(breakdown, series=tuple(next(judged) for _ in series)) for breakdown, series in found]


def breakdowns(profiles: Iterable[Profile]) -> list[Breakdown]:
    """Returns one breakdown per test of these profiles, in the order in which the tests first came."""
    tally = TimingTally()
    for profile in profiles:
        tally.add(profile)
    return tally.breakdowns()


@dataclass(slots=True)
class _Room:
    """How many more series may be followed."""

    left: int


class _Key(NamedTuple):
    stage: Stage
    within: tuple[str, ...]
    name: str
    operation: str | None = None

    @property
    def path(self) -> tuple[str, ...]:
        return (*self.within, self.name)


@dataclass(slots=True)
class _Sum:
    """The growing counterpart of `Row`."""

    calls: int = 0
    total_ns: int = 0
    cold_calls: int = 0
    cold_ns: int = 0
    inner_ns: int = 0
    unfenced_ns: int = 0
    size_bytes: int | None = None
    largest: Transfer | None = None
    largest_ns: int | None = None
    longest_ns: int = -1
    is_open: bool = False
    is_fenced: bool = True
    lacks_fence: bool = False

    def add(self, phase: Phase) -> None:
        duration_ns = phase.duration_ns
        self.calls += phase.calls
        self.total_ns += duration_ns
        if phase.cold:
            self.cold_calls += 1
            self.cold_ns += duration_ns
        self.unfenced_ns += phase.unfenced_ns
        self.is_open = self.is_open or phase.is_open
        self.is_fenced = self.is_fenced and phase.fenced
        self.lacks_fence |= not (phase.fenced or phase.on_host or phase.is_open)
        moved = phase.transfer
        if moved is not None:
            self.size_bytes = (self.size_bytes or 0) + moved.size_bytes
            if phase.calls == 1 and (self.largest is None or moved.size_bytes > self.largest.size_bytes):
                self.largest, self.largest_ns = moved, duration_ns
        elif phase.operand is not None and duration_ns // phase.calls > self.longest_ns:
            self.largest, self.longest_ns = phase.operand, duration_ns // phase.calls

    def row(self, key: _Key, *, whole_ns: int) -> Row:
        return Row(
            name=key.name,
            operation=key.operation,
            within=key.within,
            stage=key.stage,
            calls=self.calls,
            total_ns=self.total_ns,
            cold_calls=self.cold_calls,
            cold_ns=self.cold_ns,
            own_ns=max(0, self.total_ns - self.inner_ns),
            unfenced_ns=self.unfenced_ns,
            size_bytes=self.size_bytes,
            largest=self.largest,
            largest_ns=self.largest_ns,
            share=self.total_ns / whole_ns if whole_ns else 0.0,
            is_open=self.is_open,
            is_fenced=self.is_fenced,
            lacks_fence=self.lacks_fence,
        )


class _TestTally:
    """The growing counterpart of `Breakdown`."""

    def __init__(
        self,
        test: str,
        *,
        limits: Sequence[Limit],
        problems: tuple[str, ...],
        chance: random.Random,
        room: _Room,
        reached: dict[tuple[str, str], int],
    ) -> None:
        self._test = test
        self._limits = limits
        self._problems = problems
        self._chance = chance
        self._room = room
        self._reached = reached
        self._sums: dict[_Key, _Sum] = {}
        self._series: dict[tuple[Quantity, str], SeriesTally] = {}
        self._contended: dict[str, None] = {}
        self._iterations = self._failing = self._interrupted = self._total_ns = 0
        self._threads = 1
        self._elapsed_ns: int | None = 0
        self._peaks: dict[str, Peak] = {}

    def add(self, profile: Profile) -> None:
        phases = shown(profile.phases)
        self._iterations += 1
        self._failing += profile.outcome.is_failure
        self._interrupted += profile.outcome is Outcome.INTERRUPTED
        if profile.contended:
            self._contended[profile.contended] = None
        for phase in phases:
            self._add_phase(phase, profile.worker)
        total_ns = sum(phase.duration_ns for phase in phases if phase.depth == 0)
        self._total_ns += total_ns
        threads = len({phase.thread for phase in phases})
        self._threads = max(self._threads, threads)
        elapsed = elapsed_ns(phases)
        if elapsed is None and threads < 2:
            elapsed = total_ns
        if self._elapsed_ns is not None:
            self._elapsed_ns = None if elapsed is None else self._elapsed_ns + elapsed
        # Of a skipped or an expectedly failing iteration nobody knows how much of it ran.
        is_failing = profile.outcome.is_failure
        if profile.outcome.is_death:
            # The flight recorder holds only some of its phases, and no first call is known to be one.
            self._add_unfinished(phases)
        elif is_failing or profile.outcome in {Outcome.PASSED, Outcome.XPASSED}:
            self._add_times(phases, is_failing=is_failing)
            self._add_metrics(profile, is_failing=is_failing)

    def breakdown(self) -> Breakdown:
        keys = _in_order([key for key in self._sums if key.operation is None])
        places = {key: index for index, key in enumerate(keys)}
        operations = [key for key in self._sums if key.operation is not None]
        operations.sort(key=lambda key: (places[key._replace(operation=None)], -self._sums[key].total_ns))
        rows = [self._sums[key].row(key, whole_ns=self._total_ns) for key in keys]
        return Breakdown(
            test=self._test,
            iterations=self._iterations,
            failing=self._failing,
            interrupted=self._interrupted,
            contended="; ".join(self._contended),
            rows=tuple(_marked(rows)),
            operations=tuple(self._sums[key].row(key, whole_ns=self._total_ns) for key in operations),
            total_ns=self._total_ns,
            threads=self._threads,
            elapsed_ns=self._elapsed_ns,
            problems=self._problems,
            peaks=tuple(self._peaks.values()),
        )

    def series(self) -> list[tuple[Series, float | None]]:
        ordered = sorted(self._series, key=lambda key: (key[0] is Quantity.METRIC, _place_of(key[1])))
        return [self._series[key].series() for key in ordered]

    def _add_phase(self, phase: Phase, worker: str) -> None:
        for place, size_bytes in phase.peaks:
            # It never goes down: only what a test adds to it is that test's, but for steps of counting.
            if size_bytes > self._reached.get((worker, place), 0) * _GROWN:
                self._reached[worker, place] = size_bytes
                known = self._peaks.get(place)
                if known is None or size_bytes > known.size_bytes:
                    self._peaks[place] = Peak(place, size_bytes, phase.operation or staged_name(phase))
        key = _Key(phase.stage, phase.within, phase.name)
        if key not in self._sums and len(self._sums) >= ROWS_OF_A_TEST:
            key = _Key(phase.stage, (), OTHER)
        self._of(key).add(phase)
        if phase.operation is not None:
            call = key._replace(operation=phase.operation)
            if call not in self._sums and len(self._sums) >= ROWS_OF_A_TEST:
                call = key._replace(operation=OTHER)
            self._of(call).add(phase)
        if phase.within:
            around = _Key(phase.stage, phase.within[:-1], phase.within[-1])
            if around in self._sums:
                self._sums[around].inner_ns += phase.duration_ns

    def _of(self, key: _Key) -> _Sum:
        known = self._sums.get(key)
        if known is None:
            known = self._sums[key] = _Sum()
        return known

    def _add_times(self, phases: Sequence[Phase], *, is_failing: bool) -> None:
        times: dict[str, list[Any]] = {}
        for phase in phases:
            if phase.name in phase.within:
                continue
            known = times.setdefault(staged_name(phase), [0, 0, False, False])
            known[0] += phase.duration_ns
            known[1] += phase.calls
            known[2] |= phase.cold
            known[3] |= phase.is_open
        for name, (duration_ns, calls, is_cold, is_open) in times.items():
            tally = self._tally_of(Quantity.PHASE, name)
            if tally is None:
                continue
            if is_open and is_failing:
                tally.add_unfinished()
            else:
                tally.add(duration_ns, is_failing=is_failing, is_cold=is_cold, calls=calls)
                if not is_failing:
                    tally.hold(duration_ns)

    def _add_unfinished(self, phases: Sequence[Phase]) -> None:
        for name in dict.fromkeys(staged_name(phase) for phase in phases if phase.is_open):
            tally = self._tally_of(Quantity.PHASE, name)
            if tally is not None:
                tally.add_unfinished()

    def _add_metrics(self, profile: Profile, *, is_failing: bool) -> None:
        values: dict[str, list[float]] = {}
        for metric in profile.metrics:
            values.setdefault(metric.name, []).append(metric.value)
        for name, given in values.items():
            tally = self._tally_of(Quantity.METRIC, name)
            if tally is None:
                continue
            # Values of one iteration hang together: it counts as one.
            tally.add(statistics.median(given), is_failing=is_failing)
            for value in () if is_failing else given:
                tally.hold(value)

    def _tally_of(self, quantity: Quantity, name: str) -> SeriesTally | None:
        tally = self._series.get((quantity, name))
        if tally is None and len(self._series) < SERIES_OF_A_TEST and self._room.left > 0:
            self._room.left -= 1
            limits = [
                limit for limit in self._limits if limit.kind.noun == quantity.value and limit.name == name
            ]
            tally = SeriesTally(name, quantity, limits=limits, chance=self._chance)
            self._series[quantity, name] = tally
        return tally


def _limits_of(
    test: str, marks: Sequence[Mapping[str, Any]], limits: Sequence[Limit]
) -> tuple[Sequence[Limit], tuple[str, ...]]:
    """Returns the limits that hold for a test, its own before the session's, and what cannot be read."""
    if not marks:
        return limits, ()
    try:
        return nearest(*(limits_of_mark(test, mark) for mark in marks), limits), ()
    except OptionError as error:
        return limits, (str(error),)


def _in_order(keys: Iterable[_Key]) -> list[_Key]:
    """Returns keys by stage, parents first, the automatic phases before others, else as they came."""
    came = {(key.stage, key.path): index for index, key in enumerate(keys)}

    def rank(key: _Key) -> tuple[int, list[tuple[int, int]]]:
        path = key.path
        prefixes = [path[: length + 1] for length in range(len(path))]
        ranks = [(_RANK.get(prefix[-1], len(_RANK)), came.get((key.stage, prefix), 0)) for prefix in prefixes]
        return _STAGES[key.stage], ranks

    return sorted(keys, key=rank)


def _place_of(name: str) -> int:
    """Returns the place of a phase's stage."""
    stage, found, _ = name.partition(": ")
    return _PLACES.get(stage, _PLACES[Stage.CALL.value]) if found else _PLACES[Stage.CALL.value]


_RANK = {name: index for index, name in enumerate((*AUTOMATIC, SYNCHRONIZE, HOST))}
_STAGES = {stage: index for index, stage in enumerate(Stage)}
_PLACES = {stage.value: index for stage, index in _STAGES.items()}


def _marked(rows: list[Row]) -> list[Row]:
    longest = max(rows, key=lambda row: row.own_ns, default=None)
    return [replace(row, is_bottleneck=row is longest and row.own_ns > 0) for row in rows]
