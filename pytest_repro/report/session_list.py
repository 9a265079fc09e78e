"""What is on record, a line a session."""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum
from typing import Any

from pytest_repro.report.catalogue import SessionEntry
from pytest_repro.report.columns import aligned
from pytest_repro.report.words import counted, seconds, visible
from pytest_repro.store import SessionState


class Look(Enum):
    """What a line of the table stands for, for a terminal with colours."""

    HEADING = "heading"
    PLAIN = "plain"
    BAD = "bad"


def session_lines(entries: Sequence[SessionEntry], *, width: int | None) -> list[tuple[str, Look]]:
    """Returns the lines of a table for a terminal and how each looks, newest session first.

    Args:
        entries: Oldest first.
        width: Of the terminal; None where nothing is cut.
    """
    newest_first = entries[::-1]
    looks = [Look.HEADING, *(Look.BAD if _is_bad(entry) else Look.PLAIN for entry in newest_first)]
    lines = aligned([_HEADER, *map(_cells, newest_first)], width=width)
    return list(zip(lines, looks, strict=True))


_HEADER = ("session", "tag", "result", "what")


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
        "problem": entry.problem or None,
        "totals": dict(entry.totals),
    }


def result_of(entry: SessionEntry) -> str:
    """Returns how a session ended, in a word or two."""
    if entry.problem:
        return "unreadable"
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
    passed = entry.total("runs_passed")
    # A certificate asks for runs of each side, and none of the base is to pass.
    runs = "" if asked is None else counted(asked, "run")
    parts = [
        counted(iterations, "iteration") if iterations is not None else "",
        f"{passed:,} of {runs}" if runs and passed is not None else runs and f"{runs} each",
        seconds(entry.duration_ns) if entry.duration_ns is not None else "",
    ]
    return ", ".join(filter(None, parts))


def _is_bad(entry: SessionEntry) -> bool:
    return bool(entry.problem) or entry.state is SessionState.UNFINISHED or entry.exit_status not in (0, None)
