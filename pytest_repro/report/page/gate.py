"""What the page tells of a gate and of a certificate: the verdict, and each run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pytest_repro.errors import StoreError
from pytest_repro.report.certificate_facts import certificate_facts, median_rows
from pytest_repro.report.frames import iteration_folders
from pytest_repro.report.page.iterations import FAILING
from pytest_repro.report.words import seconds
from pytest_repro.store import SUMMARY, read_json
from pytest_repro.verify.record_checks import signature_of

_MOST_RUNS = 2_000
_MOST_LINES = 100
_GOOD = frozenset({"stable", "certified"})


def verdict_record(summary: Mapping[str, Any]) -> dict[str, Any] | None:
    """Returns the verdict: its word, whether it is a good one, what was said, and facts of both sides."""
    word = summary.get("verdict")
    if not isinstance(word, str):
        return None
    said = _texts(summary.get("said"))
    if not said:
        statement = summary.get("statement")
        others = (_texts(summary.get(name)) for name in ("reasons", "notes", "next_steps"))
        said = [str(statement or word), *(line for lines in others for line in lines)]
    facts = [list(fact) for fact in certificate_facts(summary)]
    for name, base_ns, fix_ns in median_rows(summary):
        facts.append([f"median of {name}", f"base {seconds(base_ns)}, fix {seconds(fix_ns)}"])
    return {"word": word, "is_good": word in _GOOD, "said": said[:_MOST_LINES], "facts": facts}


def run_rows(summary: Mapping[str, Any]) -> list[list[str]]:
    """Returns of each run its name, outcome, exit status, time, tests, failing tests and command."""
    failed, rows = set(_list(summary.get("runs_failed"))), []
    for one in _list(summary.get("runs"))[:_MOST_RUNS]:
        if not isinstance(one, dict):
            continue
        tests = _mapping(_mapping(one.get("report")).get("tests"))
        failing = [name for name, told in tests.items() if _mapping(told).get("outcome") in FAILING]
        shown = ", ".join(failing[:5]) + (f" and {len(failing) - 5:,} more" if len(failing) > 5 else "")
        side = f"{one['side']} " if isinstance(one.get("side"), str) else ""
        rows.append(
            [
                f"{side}{one.get('run')}",
                "failed" if one.get("run") in failed or one.get("exit_status") else "passed",
                str(one.get("exit_status")),
                seconds(one.get("duration_ns") or 0),
                f"{len(tests):,}",
                shown,
                str(one.get("command") or ""),
            ]
        )
    return rows


def replays_of_runs(path: Path) -> dict[str, str]:
    """Returns for the key of each bug of a stress run inside of a run the command that runs it again.

    Args:
        path: Of the session; a summary that cannot be read is left out.
    """
    # Those of a certificate ran in worktrees that are gone.
    folders = [folder for number, folder in iteration_folders(path) if number]
    found: dict[str, str] = {}
    for folder in folders[:_MOST_RUNS]:
        for bug in filter(lambda one: isinstance(one, dict), _list(_summary_of(folder).get("bugs"))):
            if isinstance(bug.get("replay"), str):
                found.setdefault(signature_of(bug)[0], bug["replay"])
    return found


def timed_summary(path: Path, summary: Mapping[str, Any]) -> tuple[Mapping[str, Any], str]:
    """Returns the summary that tells where the time went, and of which run it is.

    Args:
        path: Of the session.
        summary: Its own; of a gate it says nothing of that, but those of its runs do: the newest one counts.
    """
    if not _list(summary.get("timing")):
        for number, folder in reversed(iteration_folders(path)):
            found = _summary_of(folder) if number else {}
            if _list(found.get("timing")):
                return found, f"run {number}"
    return summary, ""


def _summary_of(folder: Path) -> Mapping[str, Any]:
    """Returns the summary of a run; nothing where it cannot be read."""
    try:
        return read_json(folder / SUMMARY)
    except StoreError:
        return {}


def _texts(value: object) -> list[str]:
    return [one for one in _list(value) if isinstance(one, str)]


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _list(value: object) -> Sequence[Any]:
    return value if isinstance(value, list) else []
