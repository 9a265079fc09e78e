"""Breakdowns as text: a table per test, what it means, and its phases and metrics over the iterations."""

from __future__ import annotations

from textwrap import wrap
from typing import TYPE_CHECKING, NamedTuple

from pytest_repro.timing.memory import PROCESS
from pytest_repro.timing.names import cells, fitted, printable
from pytest_repro.timing.series_lines import series_lines
from pytest_repro.timing.tally import breakdowns
from pytest_repro.timing.units import humanise_bytes, humanise_ns, humanise_rate, humanise_share
from pytest_repro.timing.verdict import label_of, verdict

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from pytest_repro.model import Profile, Transfer
    from pytest_repro.timing.summary import Breakdown, Peak, Row

TABLES_SHOWN = 10
"""Tests whose tables are shown unless all are asked for."""

PHASES_SHOWN = 20
"""Phases listed of a test; the others are counted."""

OPERATIONS_SHOWN = 5
"""Operations listed under a phase; the others are counted."""

BOTTLENECK = " <<<"
"""End of the line of the bottleneck."""


def table_lines(profiles: Sequence[Profile], width: int = 80) -> list[str]:
    """Returns the tables of all tests, each with its heading, for a terminal.

    Args:
        profiles: What was timed; profiles without phases and metrics are left out.
        width: Columns of the terminal; below 50 the lines are longer than it.
    """
    found = breakdowns(profile for profile in profiles if profile.phases or profile.metrics)
    return tables_lines(found, width=width)


def tables_lines(
    found: Sequence[Breakdown],
    *,
    width: int,
    under: Callable[[Breakdown, int], list[str]] = lambda _breakdown, _width: [],
) -> list[str]:
    """Returns the tables of these tests, with an empty line between them.

    Args:
        found: What is known of each test.
        width: Columns of the terminal.
        under: Makes what is to stand under the table of a test, given the width.
    """
    lines: list[str] = []
    for breakdown in found:
        if lines:
            lines.append("")
        lines += breakdown_lines(breakdown, width) + under(breakdown, width)
    return lines


def chosen(found: Sequence[Breakdown], most: int | None) -> list[Breakdown]:
    """Returns the tests whose tables matter most, in the order in which they came.

    Those that failed, were interrupted, missed a limit or have limits that cannot be read come before the
    others, among their like those whose phases took longest.

    Args:
        found: What is known of each test.
        most: How many at most, None for all.
    """
    if most is None or len(found) <= most:
        return list(found)
    places = sorted(range(len(found)), key=lambda place: _weight(found[place]), reverse=True)[:most]
    return [found[place] for place in sorted(places)]


def _weight(breakdown: Breakdown) -> tuple[bool, int]:
    has_missed = any(limit.missed for series in breakdown.series for limit in series.limits)
    is_told_first = bool(breakdown.failing or breakdown.interrupted or breakdown.problems or has_missed)
    return is_told_first, breakdown.total_ns


def breakdown_lines(breakdown: Breakdown, width: int) -> list[str]:
    """Returns what is known of one test."""
    lines = [_heading(breakdown)]
    if breakdown.rows:
        lines += _phase_lines(breakdown, width)
        lines += [
            line for note in _notes(breakdown) for line in wrap(f"  {note}", width, subsequent_indent="  ")
        ]
    return lines + series_lines(breakdown, width=width)


def _phase_lines(breakdown: Breakdown, width: int) -> list[str]:
    rows = _longest(breakdown.rows)
    labelled = [entry for row in rows for entry in _entries(row, breakdown)]
    left_out = [row for row in breakdown.rows if row not in rows]
    if left_out:
        rest_ns = sum(row.own_ns for row in left_out)
        labelled.append((f"and {len(left_out):,} more: {humanise_ns(rest_ns)}, see summary.json", None))
    table = _Table(breakdown, width, longest=max((cells(label) for label, _ in labelled), default=0))
    total = [humanise_ns(breakdown.total_ns) if column.title == "total" else "" for column in table.columns]
    return [
        table.line("phase", [column.title for column in table.columns]),
        *(f"  {label}" if row is None else table.row(row, label) for label, row in labelled),
        table.line("TOTAL", total),
    ]


def _longest(rows: Sequence[Row]) -> list[Row]:
    """Returns the rows that are listed, in their order: the longest, and those around them."""
    if len(rows) <= PHASES_SHOWN:
        return list(rows)
    longest = sorted(rows, key=lambda row: row.total_ns, reverse=True)[:PHASES_SHOWN]
    # The marked one, which has most of its own, may be shorter than those around others.
    places = {
        row.place[:length] for row in (*longest, *_marked(rows)) for length in range(1, 1 + len(row.place))
    }
    return [row for row in rows if row.place in places]


def _marked(rows: Sequence[Row]) -> list[Row]:
    return [row for row in rows if row.is_bottleneck]


class _Column(NamedTuple):
    title: str
    width: int
    text: Callable[[Row], str]
    is_told: Callable[[Row], bool]

    def around(self, rows: Sequence[Row]) -> _Column:
        """Returns the column, wide enough that none of its cells touches the one before."""
        return self._replace(width=max(self.width, *(len(self.text(row)) + 1 for row in rows)))


class _Table:
    """The columns that have something to tell and fit beside the names."""

    def __init__(self, breakdown: Breakdown, width: int, *, longest: int) -> None:
        rows = (*breakdown.rows, *breakdown.operations)
        self.columns = [
            column.around(rows) for column in _COLUMNS if any(column.is_told(row) for row in rows)
        ]
        for title in _LEAST:
            if self._room(width) < (_NAME_WIDTH if title != _LARGEST else max(_NAME_WIDTH, longest)):
                self.columns = [column for column in self.columns if column.title != title]
        self._name_width = max(_NAME_WIDTH, min(longest, self._room(width)))

    def row(self, row: Row, name: str) -> str:
        mark = BOTTLENECK if row.is_bottleneck else ""
        if name.endswith(_OPEN) and cells(name) > self._name_width:
            # What is cut off is the name.
            name = fitted(name.removesuffix(_OPEN), self._name_width - len(_OPEN)) + _OPEN
        return self.line(name, [column.text(row) for column in self.columns]) + mark

    def line(self, name: str, texts: Sequence[str]) -> str:
        right = "".join(cell.rjust(column.width) for cell, column in zip(texts, self.columns, strict=True))
        return f"  {fitted(name, self._name_width)}{right}".rstrip()

    def _room(self, width: int) -> int:
        return width - 2 - sum(column.width for column in self.columns) - len(BOTTLENECK)


def _heading(breakdown: Breakdown) -> str:
    count = "1 iteration" if breakdown.iterations == 1 else f"{breakdown.iterations:,} iterations"
    failing = f", {breakdown.failing:,} failing" if breakdown.failing and breakdown.iterations > 1 else ""
    if breakdown.interrupted:
        failing += f", {breakdown.interrupted:,} interrupted"
    contended = f", contended: {breakdown.contended}" if breakdown.contended else ""
    return f"{printable(breakdown.test)} ({count}{failing}{contended})"


def _entries(row: Row, breakdown: Breakdown) -> Iterator[tuple[str, Row | None]]:
    """Yields what is said about one phase: a label and its numbers, or a label alone."""
    operations = breakdown.operations_of(row)
    name = printable(row.name) if row.within else label_of(row)
    if len(operations) == 1 and operations[0].operation != row.name:
        name += f": {printable(str(operations[0].operation))}"
    indent = "  " * len(row.within)
    yield f"{indent}{name}{_OPEN if row.is_open else ''}", row
    if len(operations) < 2:
        return
    for operation in operations[:OPERATIONS_SHOWN]:
        yield f"{indent}  {printable(str(operation.operation))}", operation
    more = operations[OPERATIONS_SHOWN:]
    if more:
        rest_ns = sum(operation.total_ns for operation in more)
        yield f"{indent}  and {len(more)} more, {humanise_ns(rest_ns)} together", None


def _notes(breakdown: Breakdown) -> list[str]:
    notes = [verdict(breakdown), _operand_note(breakdown), _threads_note(breakdown)]
    notes += [_peak_note(peak) for peak in breakdown.peaks]
    if any(row.is_fenced for row in breakdown.rows) and any(row.lacks_fence for row in breakdown.rows):
        notes.append(
            "Not all could be fenced (as while a trace or a graph is captured): those times are of the calls "
            "alone."
        )
    return [note for note in (*notes, *breakdown.problems) if note]


def _operand_note(breakdown: Breakdown) -> str | None:
    """Returns what the bottleneck's longest operation worked on, or what its largest transfer moved."""
    row = breakdown.bottleneck
    if row is None:
        return None
    operations = breakdown.operations_of(row)
    longest = operations[0] if operations else row
    if longest.largest is None or longest.operation is None:
        return None
    name = printable(longest.operation)
    if longest.size_bytes is not None:
        return f"{name} moves at most {_tensor(longest.largest)} in one call."
    one = "works on" if longest.calls == 1 else "works, in its longest call, on"
    return f"{name} {one} {_tensor(longest.largest)} at most."


def _peak_note(peak: Peak) -> str:
    """Returns a sentence such as `largest resident size so far: 412 MB, by the end of torch.matmul`."""
    what = (
        "largest resident size" if peak.place == PROCESS else f"most memory in use on {printable(peak.place)}"
    )
    return f"{what} so far: {humanise_bytes(peak.size_bytes)}, by the end of {printable(peak.phase)}."


def _threads_note(breakdown: Breakdown) -> str | None:
    who = f"{breakdown.threads} threads" if breakdown.threads > 1 else "tasks of an event loop"
    if breakdown.elapsed_ns is None:
        return f"TOTAL adds up what {who} did, some of it perhaps at the same time."
    if breakdown.elapsed_ns >= breakdown.total_ns:
        return None
    elapsed = humanise_ns(breakdown.elapsed_ns)
    return f"TOTAL adds up what {who} did in part at the same time, in {elapsed}."


def _tensor(tensor: Transfer) -> str:
    shape = "x".join(map(str, tensor.shape)) or "scalar"
    return f"{shape} {tensor.dtype}, {humanise_bytes(tensor.size_bytes)}"


def _first(row: Row) -> str:
    return humanise_ns(row.cold_ns // row.cold_calls) if row.cold_calls else "-"


def _bytes(row: Row) -> str:
    return "-" if row.size_bytes is None else humanise_bytes(row.size_bytes)


def _rate(row: Row) -> str:
    return "-" if row.size_bytes is None else humanise_rate(row.size_bytes, row.total_ns)


def _largest(row: Row) -> str:
    if row.largest is None:
        return "-"
    text = _tensor(row.largest)
    return text if len(text) <= _LARGEST_WIDTH - 2 else humanise_bytes(row.largest.size_bytes)


def _has_both(row: Row) -> bool:
    return 0 < row.cold_calls < row.calls


_LARGEST = "largest tensor"
_LARGEST_WIDTH = 34
_COLUMNS = (
    _Column("calls", 6, lambda row: str(row.calls), lambda _: True),
    _Column("total", 9, lambda row: humanise_ns(row.total_ns), lambda _: True),
    _Column("share", 7, lambda row: humanise_share(row.share), lambda _: True),
    _Column("first", 9, _first, _has_both),
    _Column("warm", 9, lambda row: "-" if row.warm_ns is None else humanise_ns(row.warm_ns), _has_both),
    _Column("bytes", 9, _bytes, lambda row: row.size_bytes is not None),
    _Column("GB/s", 7, _rate, lambda row: bool(row.size_bytes)),
    _Column("unfenced", 10, lambda row: humanise_ns(row.unfenced_ns), lambda row: row.is_fenced),
    _Column(_LARGEST, _LARGEST_WIDTH, _largest, lambda row: row.largest is not None),
)
_LEAST = (_LARGEST, "warm", "first", "GB/s", "share")
"""Columns that go first where there is no room for all."""

_NAME_WIDTH = 18
_OPEN = " (open)"
