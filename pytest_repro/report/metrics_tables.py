"""How the work went, as tables: on a terminal and on a page."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pytest_repro.report.attempts import Status
from pytest_repro.report.columns import aligned
from pytest_repro.report.words import counted, seconds, visible

_STATUSES = (*(status.value.lower() for status in Status), "unknown")


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricsTable:
    """One table.

    Attributes:
        title: What it is about, for the page.
        header: Of its columns.
        rows: Cells, as many as columns in each.
        numbers: Places of the columns that hold numbers.
    """

    title: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    numbers: tuple[int, ...]


def metrics_tables(metrics: Mapping[str, Any]) -> list[MetricsTable]:
    """Returns what `metrics_of` has counted as tables, none of them without a row."""
    tables = [_counts(metrics), _each(metrics), _signatures(metrics)]
    return [table for table in tables if table.rows]


def metrics_lines(metrics: Mapping[str, Any], *, width: int | None = None) -> list[str]:
    """Returns the same for a terminal.

    Args:
        metrics: What `metrics_of` returns.
        width: Of the terminal, None where nothing is cut.
    """
    counts, *others = metrics_tables(metrics)
    lines = [*aligned([counts.header, *counts.rows]), "", sessions_line(metrics)]
    for table in others:
        lines += ["", *aligned([table.header, *table.rows], width=width)]
    return lines


def metrics_record(metrics: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the same for the page, as plain builtins."""
    return {
        "said": sessions_line(metrics),
        "tables": [
            {
                "title": one.title,
                "header": list(one.header),
                "rows": list(map(list, one.rows)),
                "numbers": list(one.numbers),
            }
            for one in metrics_tables(metrics)
        ],
    }


def sessions_line(metrics: Mapping[str, Any]) -> str:
    """Returns `10 sessions, 4 with the failure`."""
    sessions = metrics["sessions"]
    broken = f", {sessions['broken_off']:,} broken off" if sessions["broken_off"] else ""
    return f"{counted(sessions['all'], 'session')}, {sessions['failing']:,} with the failure{broken}"


def _counts(metrics: Mapping[str, Any]) -> MetricsTable:
    rows = tuple(
        (what, *(f"{metrics[key][name]:,}" for name in _STATUSES))
        for what, key in (("reports", "reports"), ("branches or tags", "works"))
    )
    return MetricsTable(
        title="What became of it",
        header=("", *_STATUSES),
        rows=rows,
        numbers=tuple(range(1, 1 + len(_STATUSES))),
    )


def _each(metrics: Mapping[str, Any]) -> MetricsTable:
    records = list(metrics["each"])
    if len(records) > 1:
        sessions = metrics["sessions"]["all"]
        records.append({"sessions": sessions, "status": "median", "name": "", **metrics["medians"]})
    return MetricsTable(
        title="Branches and tags",
        header=("sessions", "status", "reproduced in", "fixed in", "runs", "branch or tag"),
        rows=tuple(map(_cells, records)),
        numbers=(0, 2, 3, 4),
    )


def _cells(record: Mapping[str, Any]) -> tuple[str, ...]:
    times = [record["to_reproduce_ns"], record["to_fix_ns"]]
    runs = record["runs"]
    return (
        f"{record['sessions']:,}",
        record["status"],
        *("-" if time is None else seconds(time) for time in times),
        "-" if runs is None else f"{runs:,}",
        visible(record["name"]),
    )


def _signatures(metrics: Mapping[str, Any]) -> MetricsTable:
    return MetricsTable(
        title="Signatures",
        header=("sessions", "failures", "key", "most frequent signatures"),
        rows=tuple(
            (f"{one['sessions']:,}", f"{one['failures']:,}", one["key"], visible(one["title"]))
            for one in metrics["signatures"]
        ),
        numbers=(0, 1),
    )
