"""What differs between two sessions: one row for each thing that both have measured."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import Enum
from typing import TYPE_CHECKING, Any

from pytest_repro.report.comparison.contention import explained_by_waiting
from pytest_repro.report.comparison.measured import Counted, Key, Measured, Quantity, Sample
from pytest_repro.report.comparison.shift import shift_between
from pytest_repro.stats import DEFAULT_CONFIDENCE, Interval, chance_of_clusters, failure_rate_interval
from pytest_repro.stress.patterns import CHANCE

if TYPE_CHECKING:
    import numpy as np

LEAST_EFFECT = 0.05
"""Part of the earlier value by which another one must differ to be told as different."""

FAR_APART = 3
"""Two ranges that are this many times their widths apart differ, however much neighbours are alike."""

OF_TIME = frozenset({Quantity.DURATION, Quantity.PHASE})
"""What a shared machine changes."""


class Change(str, Enum):
    """What became of a number."""

    SAME = "same"
    HIGHER = "higher"
    LOWER = "lower"
    UNKNOWN = "too few"
    """One of the sessions has too few values for a difference to be certain, whatever they were."""

    CONTENDED = "contended"
    """It is a time, and one of the sessions shared its machine: nothing is said."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One thing that both sessions have measured.

    Attributes:
        key: What it is.
        before: The first session's rate (0 to 1) or median; times in ns, memory in bytes.
        after: The second's.
        before_count: Executions that it is of.
        after_count: Likewise.
        effect: How much higher the second is, as a part of the first; None for a first of zero and for rates.
        effect_low: Lower end of its interval, None where there is none.
        effect_high: Upper end, likewise.
        chance: How likely such a difference is without a reason, corrected for the number of rows (0 to 1);
            None where no test can be made.
        change: The judgement.
        unit: What a rate counts.
        before_interval: Of a rate.
        after_interval: Likewise.
        is_clustered: Whether failures gather in some processes of a session, so that processes were compared.
    """

    key: Key
    before: float
    after: float
    before_count: int
    after_count: int
    effect: float | None = None
    effect_low: float | None = None
    effect_high: float | None = None
    chance: float | None = None
    change: Change = Change.UNKNOWN
    unit: str = ""
    before_interval: Interval | None = None
    after_interval: Interval | None = None
    is_clustered: bool = False

    @property
    def is_different(self) -> bool:
        """Whether the difference is certain and large enough to be told."""
        return self.change in (Change.HIGHER, Change.LOWER)


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """All rows of a comparison, and what only one of the sessions knows.

    Attributes:
        rows: By test, then rates before durations, phases, metrics and memory.
        only_before: Tests that only the first session executed.
        only_after: Likewise of the second.
        least_effect: Below which a difference is none.
        least_of_time: The same of times: more where the sessions waited differently long for a processor.
        unlike: Tests of which one session counts iterations, the other whole runs: nothing is said of them.
        level: Chance above which a difference is none (0 to 1).
    """

    rows: tuple[Row, ...]
    only_before: tuple[str, ...]
    only_after: tuple[str, ...]
    least_effect: float
    least_of_time: float
    level: float
    unlike: tuple[str, ...] = ()


def judge(
    before: Measured,
    after: Measured,
    *,
    least_effect: float = LEAST_EFFECT,
    confidence: float = DEFAULT_CONFIDENCE,
    with_contended: bool = False,
) -> Judgement:
    """Compares what two sessions have measured.

    Failure rates by Fisher's exact test, two-sided; where failures gather in some processes of a session, the
    rates of the processes by the test of Mann and Whitney. All else by that test and the shift of Hodges and
    Lehmann, over those of the numbers that are independent witnesses (`Sample`), as a factor where all are
    above zero. The chances are corrected for the number of all rows by the method of Benjamini and Hochberg
    (1995): of the differences that are told, at most `1 - confidence` are none, on average.

    Args:
        before: Of the first session.
        after: Of the second.
        least_effect: Part of the first value below which a difference is none; of rates it is not asked for.
        confidence: From 0 to 1.
        with_contended: Whether times of sessions that shared their machine are judged too; a difference that
            their waiting alone can explain is none.
    """
    contended = bool(before.contended or after.contended) and not with_contended
    tests = [test for test in before.counts if test in after.counts]
    rows = [_rate_row(test, before.counts[test], after.counts[test]) for test in tests]
    unlike = {test for test in tests if before.counts[test].unit != after.counts[test].unit}
    for key in sorted(key for key in before.values if key in after.values):
        is_blind = contended and key.quantity in OF_TIME
        row = _value_row(key, before.values[key], after.values[key], confidence, is_blind=is_blind)
        rows.append(replace(row, chance=None) if key.test in unlike else row)
    rows = _corrected(rows)
    explained = explained_by_waiting(before.waited, after.waited)
    least_of_time = max(least_effect, explained) if before.contended or after.contended else least_effect
    judged = [
        replace(
            row,
            change=_change(
                row,
                least_of_time if row.key.quantity in OF_TIME else least_effect,
                1.0 - confidence,
            ),
        )
        for row in rows
    ]
    order = {quantity: place for place, quantity in enumerate(Quantity)}
    judged.sort(key=lambda row: (row.key.test, order[row.key.quantity], row.key.name))
    known = {key.test for key in before.values} | set(before.counts)
    known_after = {key.test for key in after.values} | set(after.counts)
    return Judgement(
        rows=tuple(judged),
        only_before=tuple(sorted(known - known_after)),
        only_after=tuple(sorted(known_after - known)),
        least_effect=least_effect,
        least_of_time=least_of_time,
        unlike=tuple(sorted(unlike)),
        level=1.0 - confidence,
    )


def _rate_row(test: str, before: Counted, after: Counted) -> Row:
    is_countable = before.unit == after.unit and before.total > 0 and after.total > 0
    is_clustered = is_countable and any(map(_is_clustered, (before, after)))
    chance = None
    if is_countable:
        chance = _chance_by_process(before, after) if is_clustered else _chance_by_fisher(before, after)
    return Row(
        key=Key(test=test, quantity=Quantity.FAILURES, name="failure rate"),
        before=before.failures / before.total if before.total else 0.0,
        after=after.failures / after.total if after.total else 0.0,
        before_count=before.total,
        after_count=after.total,
        chance=chance,
        unit=before.unit if before.unit == after.unit else f"{before.unit} against {after.unit}",
        before_interval=failure_rate_interval(before.failures, before.total),
        after_interval=failure_rate_interval(after.failures, after.total),
        is_clustered=is_clustered,
    )


def _is_clustered(counted: Counted) -> bool:
    return chance_of_clusters(counted.processes) <= CHANCE


def _chance_by_fisher(before: Counted, after: Counted) -> float:
    if not before.failures and not after.failures:
        return 1.0
    from scipy import stats

    table = [[one.failures, one.total - one.failures] for one in (before, after)]
    return float(stats.fisher_exact(table).pvalue)


def _chance_by_process(before: Counted, after: Counted) -> float | None:
    """Compares the rates of processes: failures that gather in them are no witnesses one by one."""
    import numpy as np

    rates = [np.asarray([failed / total for failed, total in one.processes]) for one in (before, after)]
    shift = shift_between(*rates)
    return None if shift.low is None else shift.chance


def _value_row(key: Key, before: Sample, after: Sample, confidence: float, *, is_blind: bool) -> Row:
    row = Row(
        key=key,
        before=before.median,
        after=after.median,
        before_count=before.count,
        after_count=after.count,
        change=Change.CONTENDED if is_blind else Change.UNKNOWN,
    )
    if key.quantity is Quantity.MEMORY:
        return replace(row, effect=_part(row.after - row.before, row.before))
    sides = before.witnesses, after.witnesses
    if _are_far_apart(before.range, after.range):
        sides = before.stretches, after.stretches
    return _shifted(row, *sides, confidence, is_blind=is_blind)


def _shifted(
    row: Row, before: np.ndarray[Any, Any], after: np.ndarray[Any, Any], confidence: float, *, is_blind: bool
) -> Row:
    """Adds the effect and its chance: of values above zero by their factor, of others by their difference."""
    import numpy as np

    is_factor = bool(before.min() > 0 and after.min() > 0)
    sides = (np.log(before), np.log(after)) if is_factor else (before, after)
    shift = shift_between(*sides, confidence=confidence)

    def part(end: float | None) -> float | None:
        return math.expm1(end) if is_factor and end is not None else _part(end, row.before)

    return replace(
        row,
        effect=part(shift.estimate),
        effect_low=part(shift.low),
        effect_high=part(shift.high),
        chance=None if is_blind or shift.low is None else shift.chance,
    )


def _are_far_apart(before: tuple[float, float], after: tuple[float, float]) -> bool:
    """Tells whether two ranges are so far from each other that drifts like those seen cannot explain it."""
    gap = max(before[0] - after[1], after[0] - before[1])
    return gap > FAR_APART * (before[1] - before[0] + after[1] - after[0])


def _part(difference: float | None, whole: float) -> float | None:
    return None if difference is None or whole == 0 else difference / abs(whole)


def _corrected(rows: Sequence[Row]) -> list[Row]:
    from scipy import stats

    if not rows:
        return []
    # Also rows of which no test can be made count: which of them are tested depends on what was measured.
    chances = [1.0 if row.chance is None else row.chance for row in rows]
    corrected = stats.false_discovery_control(chances, method="bh")
    return [
        row if row.chance is None else replace(row, chance=float(chance))
        for row, chance in zip(rows, corrected, strict=True)
    ]


def _change(row: Row, least_effect: float, level: float) -> Change:
    if row.change is Change.CONTENDED:
        return row.change
    if row.key.quantity is Quantity.MEMORY:
        return _direction(row) if row.effect is not None and abs(row.effect) >= least_effect else Change.SAME
    if row.chance is None:
        return Change.UNKNOWN
    if row.chance > level:
        return Change.SAME
    if row.key.quantity is Quantity.FAILURES:
        return Change.HIGHER if row.after > row.before else Change.LOWER
    is_large = row.effect is None or abs(row.effect) >= least_effect
    return _direction(row) if is_large else Change.SAME


def _direction(row: Row) -> Change:
    higher = row.effect > 0 if row.effect is not None else row.after > row.before
    return Change.HIGHER if higher else Change.LOWER
