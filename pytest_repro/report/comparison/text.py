"""A comparison as people and programs read it: on the terminal, as Markdown, as JSON."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import TYPE_CHECKING, Any, Literal

from pytest_repro.report.catalogue import SessionEntry
from pytest_repro.report.comparison.conditions import Objection
from pytest_repro.report.comparison.demands import Demand
from pytest_repro.report.comparison.judgement import OF_TIME, Change, Judgement, Row
from pytest_repro.report.comparison.measured import Key, Quantity
from pytest_repro.report.comparison.targets import Target
from pytest_repro.report.words import counted, percent, visible
from pytest_repro.timing.units import humanise_bytes, humanise_ns

if TYPE_CHECKING:
    from rich.table import Table

FORMAT_VERSION = 1

_INTERVAL = "95 % interval"
_COLUMNS = ("before", "after", "change", _INTERVAL, "is")
_LONGEST_NAME = 30
"""Of a row, where the terminal is narrow."""

_MOST_SAME = 40
"""Rows without a difference that the terminal shows; all others are always shown."""

_STYLES = {Change.HIGHER: "red", Change.LOWER: "green", Change.UNKNOWN: "dim", Change.CONTENDED: "dim"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """Two sessions, and what became of everything that both have measured.

    Attributes:
        before: The first session.
        after: The second.
        judgement: What differs.
        objections: What speaks against comparing them, accepted by the user or told with the rows.
        broken: Demands that it breaks, each with the row that shows it.
        unchecked: Demands that say nothing, as what they look at could not be judged.
        notes: What else is to be said.
        targets: Limits on record of the second session, and whether it keeps to them.
    """

    before: SessionEntry
    after: SessionEntry
    judgement: Judgement
    objections: tuple[Objection, ...] = ()
    broken: tuple[tuple[Demand, Row], ...] = ()
    unchecked: tuple[Demand, ...] = ()
    notes: tuple[str, ...] = ()
    targets: Mapping[Key, Target] = field(default_factory=dict)


def comparison_tables(comparison: Comparison, *, with_all: bool, width: int) -> Iterator[tuple[str, Table]]:
    """Yields each test with its rows for a terminal: all that differ, and some that do not.

    Args:
        comparison: The comparison.
        with_all: Whether all rows are shown.
        width: Of the terminal; where it has no room for names and intervals, the intervals are left out.
    """
    from rich.cells import cell_len
    from rich.markup import escape
    from rich.table import Table

    shown = _shown(comparison.judgement.rows, with_all=with_all)
    texts = {row.key: (*_numbers(row), _change_text(row), _interval(row), verdict_word(row)) for row in shown}
    widths = [max(map(cell_len, column)) for column in zip(_COLUMNS, *texts.values(), strict=True)]
    names = min(_LONGEST_NAME, max((cell_len(visible(row.key.name)) for row in shown), default=0))
    places = [place for place, name in enumerate(_COLUMNS) if name != _INTERVAL]
    if 2 + names + sum(widths) + 2 * len(_COLUMNS) <= width:
        places = list(range(len(_COLUMNS)))
    for test, rows in groupby(shown, key=lambda row: row.key.test):
        table = Table(box=None, pad_edge=False, header_style="bold", expand=True)
        table.add_column("", no_wrap=True, overflow="ellipsis", ratio=1)
        for place in places:
            justify: Literal["left", "right"] = "left" if place == len(_COLUMNS) - 1 else "right"
            table.add_column(_COLUMNS[place], justify=justify, no_wrap=True, min_width=widths[place])
        for row in rows:
            cells = (f"  {visible(row.key.name)}", *(texts[row.key][place] for place in places))
            table.add_row(*map(escape, cells), style=_STYLES.get(row.change, ""))
        yield visible(test), table


def comparison_lines(comparison: Comparison, *, with_all: bool) -> Iterator[str]:
    """Yields what stands under the table."""
    judgement = comparison.judgement
    judged = [row for row in judgement.rows if row.change not in (Change.UNKNOWN, Change.CONTENDED)]
    different = sum(row.is_different for row in judged)
    told = counted(different, "difference") if different else "no difference"
    of = f"{len(judged)} of {counted(len(judgement.rows), 'row')} that could be judged"
    yield (
        f"{told} among {of}: of {percent(judgement.least_effect)} or more, and certain at "
        f"{percent(1 - judgement.level)} after correction for all rows"
    )
    yield from _reservations(judgement)
    hidden = len(judgement.rows) - len(_shown(judgement.rows, with_all=with_all))
    if hidden:
        yield f"{counted(hidden, 'row')} without a difference not shown: --all shows them"
    for tests, which in ((judgement.only_before, "first"), (judgement.only_after, "second")):
        if tests:
            names = ", ".join(map(visible, tests[:5])) + (", ..." if len(tests) > 5 else "")
            yield f"{counted(len(tests), 'test')} only in the {which} session: {names}"
    for objection in comparison.objections:
        yield f"note: {objection.fact}: {objection.next_step}"
    for note in comparison.notes:
        yield f"note: {note}"
    for demand, row in comparison.broken:
        place = f"{visible(row.key.test)}: {row.key.name}"
        yield f"--fail-on {demand.text!r} is broken by {place} {_change_text(row)}"
    for demand in comparison.unchecked:
        yield f"--fail-on {demand.text!r} was not checked: what it looks at could not be judged"


def _reservations(judgement: Judgement) -> Iterator[str]:
    """Yields why some rows are not judged, or not as others are."""
    times = [row for row in judgement.rows if row.key.quantity in OF_TIME]
    has_times = any(row.change is not Change.CONTENDED for row in times)
    if judgement.least_of_time > judgement.least_effect and has_times:
        yield (
            "the sessions waited differently long for a processor, which explains differences of times up to "
            f"{percent(judgement.least_of_time)}: these are none"
        )
    if any(row.change is Change.UNKNOWN for row in judgement.rows):
        yield (
            "too few: fewer than four executions, or stretches of a quarter second, that are independent of "
            "each other; take longer sessions, or a process each with --verify-runs"
        )
    for row in judgement.rows:
        if row.is_clustered:
            yield (
                f"no chance: the failures of {visible(row.key.test)} gather in some processes; "
                "processes were compared, not iterations"
            )
    if judgement.unlike:
        yield (
            f"note: {counted(len(judgement.unlike), 'test')} of a stress run against a gate: an iteration is "
            "not a run, in which all is called for the first time; compare two of a kind"
        )


def comparison_markdown(comparison: Comparison) -> str:
    """Returns the block of the largest differences and the table of all, for a report or a pull request."""
    lines = ["## Performance impact", "", *impact_lines(comparison), ""]
    return "\n".join(lines)


def impact_lines(comparison: Comparison) -> list[str]:
    """Returns what stands under the heading of the same."""
    from pytest_repro.scaffold.render import markdown_cell, markdown_code

    rows = comparison.judgement.rows
    shown = [row for row in rows if row.is_different] or list(rows[:1])
    lines: list[str] = []
    for row in shown[:5]:
        before, after = _numbers(row)
        if len(shown) > 1 or len({one.key.test for one in rows}) > 1:
            lines += [f"{markdown_code(row.key.test)}, {markdown_code(row.key.name)}:", ""]
        lines += [
            f"- **Before**: {before}",
            f"- **After**: {after}",
            f"- **Improvement**: {_improvement(row)}",
            "",
        ]
    lines += ["| Metric | Before | After | Change | Meets target |", "|---|---|---|---|---|"]
    for row in rows:
        before, after = _numbers(row)
        name = markdown_cell(f"{row.key.test}: {row.key.name}")
        target = _target_word(comparison, row)
        change = f"{_change_text(row)} ({verdict_word(row)})".strip()
        lines.append(f"| {name} | {before} | {after} | {change} | {target} |")
    lines += ["", *(f"- {line}" for line in comparison_lines(comparison, with_all=True)), ""]
    facts = (("before", comparison.before), ("after", comparison.after))
    lines += [f"- {word}: {markdown_code(entry.id)}, {markdown_code(entry.command)}" for word, entry in facts]
    return lines


def _target_word(comparison: Comparison, row: Row) -> str:
    broken = [demand.text for demand, other in comparison.broken if other.key == row.key]
    if broken:
        return f"no ({', '.join(broken)})".replace("|", "\\|")
    target = comparison.targets.get(row.key)
    return "-" if target is None else target.word


def comparison_record(comparison: Comparison) -> dict[str, Any]:
    """Returns plain builtins: times in ns, sizes in bytes, parts and chances from 0 to 1."""
    judgement = comparison.judgement
    return {
        "format_version": FORMAT_VERSION,
        "before": comparison.before.id,
        "after": comparison.after.id,
        "least_effect": judgement.least_effect,
        "least_of_time": judgement.least_of_time,
        "level": judgement.level,
        "rows": [_row_record(row) | {"target": _target_record(comparison, row)} for row in judgement.rows],
        "only_before": list(judgement.only_before),
        "only_after": list(judgement.only_after),
        "objections": [
            {"condition": one.condition.value, "fact": one.fact, "next_step": one.next_step}
            for one in comparison.objections
        ],
        "broken": [
            {"demand": demand.text, "test": row.key.test, "name": row.key.name}
            for demand, row in comparison.broken
        ],
        "unchecked": [demand.text for demand in comparison.unchecked],
        "notes": list(comparison.notes),
    }


def _target_record(comparison: Comparison, row: Row) -> dict[str, Any] | None:
    target = comparison.targets.get(row.key)
    return None if target is None else {"is_met": target.is_met, "text": target.text}


def _row_record(row: Row) -> dict[str, Any]:
    return {
        "test": row.key.test,
        "quantity": row.key.quantity.value,
        "name": row.key.name,
        "before": row.before,
        "after": row.after,
        "before_count": row.before_count,
        "after_count": row.after_count,
        "unit": row.unit or None,
        "effect": row.effect,
        "effect_low": row.effect_low,
        "effect_high": row.effect_high,
        "chance": row.chance,
        "change": row.change.value,
        "is_clustered": row.is_clustered,
    }


def verdict_word(row: Row) -> str:
    """Returns what became of a row, in the words of its quantity."""
    if not row.is_different:
        return row.change.value
    if row.key.quantity in (Quantity.DURATION, Quantity.PHASE):
        return "slower" if row.change is Change.HIGHER else "faster"
    if row.key.quantity is Quantity.FAILURES:
        return "fails more" if row.change is Change.HIGHER else "fails less"
    return row.change.value


def _shown(rows: Sequence[Row], *, with_all: bool) -> list[Row]:
    """Returns the rows in their order, without those that say nothing where there are many."""
    left = _MOST_SAME
    shown = []
    for row in rows:
        is_news = row.is_different or with_all
        if is_news or left > 0:
            shown.append(row)
        left -= not is_news
    return shown


def _numbers(row: Row) -> tuple[str, str]:
    if row.key.quantity is Quantity.FAILURES:
        return _rate(row.before, row.before_count), _rate(row.after, row.after_count)
    return _value(row, row.before), _value(row, row.after)


def _rate(rate: float, total: int) -> str:
    return f"{round(rate * total):,} of {total:,}"


def _value(row: Row, value: float) -> str:
    if row.key.quantity in (Quantity.DURATION, Quantity.PHASE):
        return humanise_ns(round(value))
    return humanise_bytes(round(value)) if row.key.quantity is Quantity.MEMORY else f"{value:.6g}"


def _change_text(row: Row) -> str:
    if row.key.quantity is Quantity.FAILURES:
        return f"{percent(row.before)} to {percent(row.after)}"
    return "" if row.effect is None else _signed(row.effect)


def _interval(row: Row) -> str:
    if row.effect_low is None or row.effect_high is None:
        return ""
    return f"{_signed(row.effect_low)} to {_signed(row.effect_high)}"


def _signed(part: float) -> str:
    value = 100 * part
    return f"{value:+.1f} %" if abs(round(value, 1)) < 100 else f"{value:+,.0f} %"


def _improvement(row: Row) -> str:
    return f"{_change_text(row)}, {verdict_word(row)}" if _change_text(row) else verdict_word(row)


def broken_demands(demands: Iterable[Demand], rows: Sequence[Row]) -> tuple[tuple[Demand, Row], ...]:
    """Returns each demand with each row that breaks it."""
    return tuple((demand, row) for demand in demands for row in rows if demand.is_broken_by(row))


def unchecked_demands(demands: Iterable[Demand], rows: Sequence[Row]) -> tuple[Demand, ...]:
    """Returns the demands that say nothing: a row of theirs is contended, or all have too few values."""
    return tuple(
        demand
        for demand in demands
        if any(demand.concerns(row) and row.change is Change.CONTENDED for row in rows)
        or all(row.change is Change.UNKNOWN for row in rows if demand.concerns(row))
    )
