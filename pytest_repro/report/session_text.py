"""One session, told on a terminal and to programs."""

from __future__ import annotations

from collections.abc import Iterator
from textwrap import indent
from typing import Any

from pytest_repro.report.session_list import result_of, session_row, work_of
from pytest_repro.report.session_view import SessionView
from pytest_repro.report.stress import stress_lines
from pytest_repro.report.words import counted, seconds, visible
from pytest_repro.timing.lines import breakdown_lines, chosen
from pytest_repro.timing.units import humanise_bytes

FORMAT_VERSION = 1

_MOST_TABLES = 10


def session_lines(view: SessionView, *, width: int = 80, with_text: bool = False) -> Iterator[str]:
    """Yields what is on record of a session, part by part, with an empty line between them.

    Args:
        view: The session.
        width: Columns of the terminal.
        with_text: Whether each bug's traceback is shown.
    """
    parts = (
        _facts(view),
        _stress(view, with_text=with_text),
        _verdict(view),
        _timing(view, width=width),
        _files(view),
    )
    is_first = True
    for part in parts:
        lines = list(part)
        if lines and not is_first:
            yield ""
        is_first = is_first and not lines
        yield from map(visible, lines)


def fact_rows(view: SessionView) -> list[tuple[str, str]]:
    """Returns what a session ran, where and when: name and text of each fact that is known."""
    entry = view.entry
    facts, git = entry.facts, entry.git
    when = f"{entry.began:%Y-%m-%d %H:%M:%S} UTC" if entry.began else ""
    took = f", took {seconds(entry.duration_ns)}" if entry.duration_ns is not None else ""
    status = "" if entry.exit_status is None else f", exit status {entry.exit_status}"
    commit = str(git.get("commit") or "")[:12]
    branch = f" on {git['branch']}" if git.get("branch") else ""
    difference = f" {git['difference']}" if git.get("difference") else ""
    dirty = f", with local changes{difference}" if git.get("is_dirty") else ""
    machine = [
        str(facts.get("host") or ""),
        counted(facts["cpus"], "CPU") if isinstance(facts.get("cpus"), int) else "",
        str(facts.get("platform") or ""),
    ]
    devices = facts.get("devices")
    versions = facts.get("versions")
    named = versions.items() if isinstance(versions, dict) else ()
    python = [f"Python {facts['python']}"] if facts.get("python") else []
    rows = [
        ("session", entry.id + (f" ({entry.tag})" if entry.tag else "")),
        ("command", entry.command),
        ("directory", str(facts.get("working_directory") or "")),
        ("began", f"{when}{took}"),
        ("result", ", ".join(filter(None, (result_of(entry) + status, work_of(entry).split(", ")[0])))),
        ("commit", f"{commit}{branch}{dirty}" if commit else ""),
        ("host", ", ".join(filter(None, machine))),
        ("devices", ", ".join(map(str, devices)) if isinstance(devices, list) else ""),
        ("versions", ", ".join([*python, *(f"{name} {version}" for name, version in named)])),
    ]
    return [(name, text) for name, text in rows if text]


def _facts(view: SessionView) -> Iterator[str]:
    for name, text in fact_rows(view):
        yield f"{name + ':':<10} {text}"
    for problem in view.problems:
        yield f"note:      {problem}"


def _stress(view: SessionView, *, with_text: bool) -> Iterator[str]:
    report = view.stress
    if report is None:
        return
    match, reproduced = view.summary.get("match"), view.summary.get("reproduced")
    if isinstance(match, str) and isinstance(reproduced, int):
        yield f"looked for {match}: {counted(reproduced, 'failure')}" if reproduced else f"not seen: {match}"
    lines = stress_lines(report, verbose=1)
    yield from (line for line in lines if not line.startswith("records: ") and line != "  replay: ")
    for bug in report.bugs if with_text else ():
        yield ""
        yield f"{bug.signature.key}, iteration {bug.first.iteration:,} of {bug.first.test}:"
        text = bug.first.text or "no text of it was kept"
        yield from indent(text.expandtabs(4), "  ").split("\n")


def _verdict(view: SessionView) -> Iterator[str]:
    yield from view.said
    for run in view.runs:
        side = f"{run['side']} " if run.get("side") else ""
        duration = run.get("duration_ns")
        took = f" in {seconds(duration)}" if isinstance(duration, int) else ""
        yield f"  {side}run {run.get('run')}: exit status {run.get('exit_status')}{took}"


def _timing(view: SessionView, *, width: int) -> Iterator[str]:
    shown = chosen(view.breakdowns, _MOST_TABLES)
    if view.timed_in and shown:
        yield f"times of {view.timed_in}:"
    for breakdown in shown:
        yield from breakdown_lines(breakdown, width)
    if len(view.breakdowns) > len(shown):
        yield f"{counted(len(view.breakdowns) - len(shown), 'more test')} timed: see summary.json"


def _files(view: SessionView) -> Iterator[str]:
    yield f"files in {view.entry.path}:"
    for name, size_bytes in view.files:
        yield f"  {humanise_bytes(size_bytes):>10}  {name}"
    if view.more_files:
        yield f"  and {counted(view.more_files, 'more file')}"


def session_record(view: SessionView) -> dict[str, Any]:
    """Returns the same as plain builtins: times in ns, rates from 0 to 1."""
    return {
        "format_version": FORMAT_VERSION,
        **session_row(view.entry),
        "facts": dict(view.entry.facts),
        "summary": dict(view.summary),
        "files": [{"name": name, "size_bytes": size_bytes} for name, size_bytes in view.files],
        "more_files": view.more_files,
        "problems": list(view.problems),
    }
