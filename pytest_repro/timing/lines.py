"""Breakdowns as text: a table per test, and a sentence where timers without fences would mislead."""

from __future__ import annotations

from textwrap import wrap
from typing import TYPE_CHECKING, NamedTuple

from pytest_repro.timing.backend import TO_DEVICE, TO_TORCH
from pytest_repro.timing.summary import HOST, breakdowns
from pytest_repro.timing.units import humanise_bytes, humanise_ns, humanise_rate, humanise_share

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from pytest_repro.model import Profile
    from pytest_repro.timing.summary import Breakdown, Row

OPERATIONS_SHOWN = 5
"""Operations listed under a phase; the others are counted."""


def table_lines(
    profiles: Sequence[Profile],
    width: int = 80,
    under: Callable[[Breakdown, int], list[str]] = lambda _breakdown, _width: [],
) -> list[str]:
    """Returns the tables of all tests, each with its heading, for a terminal.

    Args:
        profiles: What was timed; profiles without phases are left out.
        width: Columns of the terminal; below 50 the lines are longer than it.
        under: Makes what is to stand under the table of a test, given the width.
    """
    lines: list[str] = []
    for breakdown in breakdowns(profile for profile in profiles if profile.phases):
        if lines:
            lines.append("")
        lines += breakdown_lines(breakdown, width) + under(breakdown, width)
    return lines


def breakdown_lines(breakdown: Breakdown, width: int) -> list[str]:
    """Returns the table of one test."""
    labelled = [entry for row in breakdown.rows for entry in _entries(row, breakdown)]
    table = _Table(breakdown, width, longest=max((len(label) for label, _ in labelled), default=0))
    total = [humanise_ns(breakdown.total_ns) if column.title == "total" else "" for column in table.columns]
    lines = [
        _heading(breakdown),
        table.line("phase", [column.title for column in table.columns]),
        *(f"  {label}" if row is None else table.row(row, label) for label, row in labelled),
        table.line("TOTAL", total),
    ]
    return lines + [
        line for note in _notes(breakdown) for line in wrap(f"  {note}", width, subsequent_indent="  ")
    ]


def verdict(breakdown: Breakdown) -> str | None:
    """Returns what the table means where timers without fences would have blamed another phase."""
    real, suspect = breakdown.bottleneck, breakdown.suspect
    if real is None or suspect is None or real.path == suspect.path:
        return None
    waited = max(0, suspect.unfenced_ns - suspect.total_ns) / max(1, suspect.unfenced_ns)
    sentence = (
        f"{suspect.name} looks slow ({humanise_ns(suspect.unfenced_ns)} to a timer without fences), but "
        f"{humanise_share(waited)} of that is waiting for {_named(breakdown, real)}"
    )
    if suspect.name not in {TO_DEVICE, TO_TORCH}:
        return f"{sentence}."
    itself = f"the transfer itself takes {humanise_ns(suspect.total_ns)}"
    if suspect.size_bytes:
        rate = humanise_rate(suspect.size_bytes, suspect.total_ns)
        itself += f" for {humanise_bytes(suspect.size_bytes)} ({rate} GB/s)"
    return f"{sentence}; {itself}."


class _Column(NamedTuple):
    title: str
    width: int
    text: Callable[[Row], str]
    is_told: Callable[[Row], bool]


class _Table:
    """The columns that have something to tell and fit beside the names."""

    def __init__(self, breakdown: Breakdown, width: int, *, longest: int) -> None:
        self.columns = [column for column in _COLUMNS if any(column.is_told(row) for row in breakdown.rows)]
        for title in _LEAST:
            if self._room(width) < _NAME_WIDTH:
                self.columns = [column for column in self.columns if column.title != title]
        self._name_width = max(_NAME_WIDTH, min(longest, self._room(width)))

    def row(self, row: Row, name: str) -> str:
        mark = _MARK if row.is_bottleneck else ""
        return self.line(name, [column.text(row) for column in self.columns]) + mark

    def line(self, name: str, cells: Sequence[str]) -> str:
        width = self._name_width
        shown = name if len(name) <= width else f"{name[: width - 3]}..."
        right = "".join(cell.rjust(column.width) for cell, column in zip(cells, self.columns, strict=True))
        return f"  {shown:<{width}}{right}".rstrip()

    def _room(self, width: int) -> int:
        return width - 2 - sum(column.width for column in self.columns) - len(_MARK)


def _heading(breakdown: Breakdown) -> str:
    count = "1 iteration" if breakdown.iterations == 1 else f"{breakdown.iterations} iterations"
    contended = f", contended: {breakdown.contended}" if breakdown.contended else ""
    return f"{breakdown.test} ({count}{contended})"


def _entries(row: Row, breakdown: Breakdown) -> Iterator[tuple[str, Row | None]]:
    """Yields what is said about one phase: a label and its numbers, or a label alone."""
    operations = [operation for operation in breakdown.operations if operation.path == row.path]
    name = row.name
    if len(operations) == 1 and operations[0].operation != name:
        name += f": {operations[0].operation}"
    indent = "  " * len(row.within)
    yield f"{indent}{name}{' (open)' if row.is_open else ''}", row
    if len(operations) < 2:
        return
    for operation in operations[:OPERATIONS_SHOWN]:
        yield f"{indent}  {operation.operation}", operation
    more = operations[OPERATIONS_SHOWN:]
    if more:
        rest_ns = sum(operation.total_ns for operation in more)
        yield f"{indent}  and {len(more)} more, {humanise_ns(rest_ns)} together", None


def _notes(breakdown: Breakdown) -> list[str]:
    notes = [verdict(breakdown)]
    device_rows = [row for row in breakdown.rows if row.name != HOST]
    if len({row.is_fenced for row in device_rows}) > 1:
        notes.append(
            "Not all could be fenced (a trace or a graph was captured): those times are of the calls alone."
        )
    return [note for note in notes if note]


def _named(breakdown: Breakdown, row: Row) -> str:
    """Returns the name of a phase's longest operation, or its own where no operation stands out."""
    for operation in breakdown.operations:
        if operation.path == row.path and operation.total_ns * 2 > row.total_ns:
            return str(operation.operation)
    return row.name


def _first(row: Row) -> str:
    return humanise_ns(row.cold_ns // row.cold_calls) if row.cold_calls else "-"


def _bytes(row: Row) -> str:
    return "-" if row.size_bytes is None else humanise_bytes(row.size_bytes)


def _rate(row: Row) -> str:
    return "-" if row.size_bytes is None else humanise_rate(row.size_bytes, row.total_ns)


def _has_both(row: Row) -> bool:
    return 0 < row.cold_calls < row.calls


_COLUMNS = (
    _Column("calls", 6, lambda row: str(row.calls), lambda _: True),
    _Column("total", 9, lambda row: humanise_ns(row.total_ns), lambda _: True),
    _Column("share", 7, lambda row: humanise_share(row.share), lambda _: True),
    _Column("first", 9, _first, _has_both),
    _Column("warm", 9, lambda row: "-" if row.warm_ns is None else humanise_ns(row.warm_ns), _has_both),
    _Column("bytes", 9, _bytes, lambda row: row.size_bytes is not None),
    _Column("GB/s", 7, _rate, lambda row: bool(row.size_bytes)),
    _Column("unfenced", 10, lambda row: humanise_ns(row.unfenced_ns), lambda row: row.is_fenced),
)
_LEAST = ("warm", "first", "GB/s", "share")
"""Columns that go first where there is no room for all."""

_NAME_WIDTH = 18
_MARK = " <<<"
