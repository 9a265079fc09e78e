"""What is on record, a line a session."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from pytest_repro.report.catalogue import SessionEntry
from pytest_repro.report.words import counted, seconds, visible
from pytest_repro.store import SessionState

if TYPE_CHECKING:
    from rich.table import Table


def session_table(entries: Sequence[SessionEntry]) -> Table:
    """Returns a table for a terminal, newest session first.

    Args:
        entries: Oldest first.
    """
    from rich.cells import cell_len
    from rich.markup import escape
    from rich.table import Table

    rows = [_cells(entry) for entry in reversed(entries)]
    table = Table(box=None, pad_edge=False, header_style="bold", expand=True)
    for column, name in enumerate(("session", "tag", "result")):
        widest = max((cell_len(row[column]) for row in rows), default=0)
        table.add_column(name, no_wrap=True, min_width=max(widest, len(name)))
    table.add_column("what", ratio=1, no_wrap=True, overflow="ellipsis")
    for row, entry in zip(rows, reversed(entries), strict=True):
        table.add_row(*map(escape, row), style="red" if _is_bad(entry) else "")
    return table


def _cells(entry: SessionEntry) -> tuple[str, ...]:
    what = "  ".join(filter(None, (work_of(entry), entry.command)))
    return tuple(map(visible, (entry.id, entry.tag or "", result_of(entry), what)))


def session_row(entry: SessionEntry) -> dict[str, Any]:
    """Returns the same as plain builtins, for programs."""
    git = entry.git
    return {
        "session": entry.id,
        "path": str(entry.path),
        "tag": entry.tag,
        "kind": entry.kind,
        "state": entry.state.value,
        "began": entry.began.isoformat() if entry.began else None,
        "duration_ns": entry.duration_ns,
        "command": entry.command,
        "commit": git.get("commit"),
        "branch": git.get("branch"),
        "is_dirty": git.get("is_dirty"),
        "exit_status": entry.exit_status,
        "result": result_of(entry),
        "totals": dict(entry.totals),
    }


def result_of(entry: SessionEntry) -> str:
    """Returns how a session ended, in a word or two."""
    if entry.state is not SessionState.FINISHED:
        return "running" if entry.state is SessionState.RUNNING else "broken off"
    verdict = entry.totals.get("verdict")
    if isinstance(verdict, str):
        return verdict
    failures = entry.total("failures")
    if failures:
        return counted(failures, "failure")
    return _STATUSES.get(entry.exit_status, "finished")


_STATUSES = {0: "passed", 1: "failed", 2: "interrupted", 3: "internal error", 4: "usage error"} | {
    5: "no tests",
    6: "incomplete",
    None: "finished",
}


def work_of(entry: SessionEntry) -> str:
    """Returns how much a session did: iterations or runs, tests, time."""
    iterations, asked = entry.total("iterations_executed"), entry.total("runs_asked")
    parts = [
        counted(iterations, "iteration") if iterations is not None else "",
        f"{entry.total('runs_passed') or 0} of {counted(asked, 'run')}" if asked is not None else "",
        seconds(entry.duration_ns) if entry.duration_ns is not None else "",
    ]
    return ", ".join(filter(None, parts))


def _is_bad(entry: SessionEntry) -> bool:
    return entry.state is SessionState.UNFINISHED or entry.exit_status not in (0, None)
