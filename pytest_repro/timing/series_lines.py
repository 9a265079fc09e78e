"""Phases and metrics over the iterations of a test, as text."""

from __future__ import annotations

from textwrap import wrap
from typing import TYPE_CHECKING, NamedTuple

from pytest_repro.timing.names import cells, fitted, printable
from pytest_repro.timing.series import KEPT, LEVEL, Quantity
from pytest_repro.timing.units import humanise_ns, humanise_share

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pytest_repro.timing.medians import Median
    from pytest_repro.timing.series import LimitDistance, Series
    from pytest_repro.timing.summary import Breakdown

SHOWN = 20
"""Phases and metrics of a test that are shown; the record holds all."""


def series_lines(breakdown: Breakdown, *, width: int) -> list[str]:
    """Returns the medians over the iterations, how failing ones differ, and the distances to limits."""
    shown = [one for one in breakdown.series if _is_shown(one, breakdown.iterations)]
    is_one = breakdown.iterations == 1
    table = _table(shown, is_one=is_one, width=width) if shown else []
    if is_one:
        return table
    notes = [text for one in breakdown.series if (text := comparison_text(one)) is not None]
    notes += _notes(breakdown.series)
    return table + [line for note in notes for line in wrap(f"  {note}", width, subsequent_indent="  ")]


def _table(shown: Sequence[Series], *, is_one: bool, width: int) -> list[str]:
    if is_one:
        columns = [_VALUE.around(shown)]
        is_any_phase = any(one.quantity is Quantity.PHASE for one in shown)
        title = "phase or metric" if is_any_phase else "metric"
    else:
        columns = [column.around(shown) for column in _COLUMNS if any(column.text(one) for one in shown)]
        title = "per iteration"
    while len(columns) > 1 and _width_of(columns) + _NAME_WIDTH > width:
        least = next((name for name in _LEAST if any(column.title == name for column in columns)), None)
        if least is None:
            break
        columns = [column for column in columns if column.title != least]
    names = max(_NAME_WIDTH, min(width - _width_of(columns), 2 + max(cells(_name(one)) for one in shown) + 2))
    lines = [_line(title, [column.title for column in columns], columns, names)]
    for one in shown[:SHOWN]:
        lines.append(_line(_name(one), [column.text(one) for column in columns], columns, names))
        lines += [f"    {limit_text(limit)}" for limit in one.limits]
    if len(shown) > SHOWN:
        lines.append(f"  and {len(shown) - SHOWN} more: see summary.json")
    return lines


def comparison_text(series: Series) -> str | None:
    """Returns `to_device is 3.1 times slower in failing iterations, p = 0.002 (...)`; None for chance."""
    comparison, passing, failing = series.comparison, series.passing, series.failing
    if comparison is None or passing is None or failing is None or not comparison.is_told:
        return None
    name, ratio = printable(series.name), series.ratio
    if series.quantity is Quantity.PHASE and ratio is not None:
        how = f"{_times(ratio)} slower" if ratio > 1 else f"{_times(1 / ratio)} faster"
    else:
        how = "higher" if failing.value > passing.value else "lower"
    values = f"{_value(series, failing.value)} against {_value(series, passing.value)}"
    counts = f"medians of {failing.count:,} and {passing.count:,}"
    return f"{name} is {how} in failing iterations, {_chance(comparison.chance)} ({values}, {counts})."


def limit_text(distance: LimitDistance) -> str:
    """Returns `limit >= 19,649: missed by 0.02 %`."""
    limit = distance.limit
    is_phase = limit.kind.noun == Quantity.PHASE.value
    bound = humanise_ns(round(limit.bound)) if is_phase else number(limit.bound)
    what = f"limit {limit.relation.value} {bound}"
    how_far = _part(distance)
    if not distance.missed:
        near = "" if distance.checked == 1 else ", the nearest of all"
        return f"{what}: kept{near}, by {how_far}"
    if distance.checked == 1:
        return f"{what}: missed by {how_far}"
    return f"{what}: {distance.missed:,} of {distance.checked:,} values miss it, the worst by {how_far}"


def number(value: float) -> str:
    """Returns a number as people read it: `19,649`, `0.9987`, `1.2e+09`; six digits that matter."""
    if value == round(value) and abs(value) < 10**9:
        return f"{round(value):,}"
    return f"{value:,.6g}" if abs(value) < 10**6 else f"{value:.6g}"


class _Column(NamedTuple):
    title: str
    width: int
    text: Callable[[Series], str]

    def around(self, shown: Sequence[Series]) -> _Column:
        """Returns the column, wide enough that none of its cells touches the one before."""
        return self._replace(width=max(self.width, *(len(self.text(one)) + 1 for one in shown)))


def _is_shown(series: Series, iterations: int) -> bool:
    if series.passing is None and series.failing is None and series.cold is None:
        return False
    return iterations > 1 or series.quantity is Quantity.METRIC or bool(series.limits)


def _name(series: Series) -> str:
    return printable(series.name)


def _line(name: str, texts: Sequence[str], columns: Sequence[_Column], width: int) -> str:
    right = "".join(cell.rjust(column.width) for cell, column in zip(texts, columns, strict=True))
    return f"  {fitted(name, width - 3)} {right}".rstrip()


def _width_of(columns: Sequence[_Column]) -> int:
    return sum(column.width for column in columns)


def _is_single(series: Series) -> bool:
    """Tells whether there was one iteration, and that one cold."""
    return series.is_all_cold and series.cold is not None and series.cold.count == 1


def _value(series: Series, value: float) -> str:
    return humanise_ns(round(value)) if series.quantity is Quantity.PHASE else number(value)


def _middle(median: Median | None, series: Series) -> str:
    return "" if median is None else _value(series, median.value)


def _range(median: Median | None, series: Series) -> str:
    if median is None or median.low is None or median.high is None:
        return ""
    return f"{_value(series, median.low)} to {_value(series, median.high)}"


def _chance(chance: float) -> str:
    if chance < 0.0001:
        return "p < 0.0001"
    return f"p = {chance:.1g}" if chance < 0.01 else f"p = {chance:.2g}"


def _times(ratio: float) -> str:
    return f"{ratio:.2g} times" if ratio < 10 else f"{ratio:,.0f} times"


def _part(distance: LimitDistance) -> str:
    part = distance.distance
    if part is None:
        return number(abs(distance.worst))
    return humanise_share(part) if part >= 0.1 else f"{100 * part:.2g} %"


def _notes(series: Sequence[Series]) -> list[str]:
    notes = []
    medians = [median for one in series for median in (one.passing, one.failing) if median is not None]
    if any(median.count > KEPT for median in medians):
        notes.append(
            f"Of more than {KEPT:,} iterations of a kind, a fair sample of {KEPT:,} stands for them."
        )
    cut = [one for one in series if one.comparison is not None and one.comparison.is_cut_short]
    if cut and any(one.comparison is not None and one.comparison.chance < LEVEL for one in cut):
        names = ", ".join(_name(one) for one in cut)
        notes.append(f"Not compared, as failing iterations do not make as many calls: {names}.")
    for one in series:
        if one.unfinished:
            times = "1 failing iteration" if one.unfinished == 1 else f"{one.unfinished:,} failing iterations"
            notes.append(f"{times} ended inside {_name(one)}: left out of its medians.")
    return notes


_INTERVAL = "95 % interval"
_COLUMNS = (
    _Column("median", 10, lambda one: "" if _is_single(one) else _middle(one.passing, one)),
    _Column(_INTERVAL, 22, lambda one: _range(one.passing, one)),
    _Column(
        "cold", 10, lambda one: "" if one.is_all_cold and not _is_single(one) else _middle(one.cold, one)
    ),
    _Column("failing", 10, lambda one: "" if _is_single(one) else _middle(one.failing, one)),
    _Column("interval, failing", 22, lambda one: _range(one.failing, one)),
)
_VALUE = _Column("value", 10, lambda one: _middle(one.passing or one.failing, one))
_LEAST = ("interval, failing", "cold", _INTERVAL)
"""Columns that go first where there is no room for all."""

_NAME_WIDTH = 22
