"""What the pages are filled with: facts of sessions, of git and of the project."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pytest_repro.errors import ReproError
from pytest_repro.model import Failure, Outcome
from pytest_repro.report.attempts import (
    Attempt,
    Standing,
    Status,
    attempts_of,
    finished,
    has_failed,
    status_of,
    worked_ns,
)
from pytest_repro.report.catalogue import SessionEntry
from pytest_repro.report.certificate_facts import runs_words
from pytest_repro.report.change.codeowners import is_handle, read_rules, reviewers_of
from pytest_repro.report.change.difference import Difference
from pytest_repro.report.change.workflows import Workflow
from pytest_repro.report.comparison.compared import compare_sessions
from pytest_repro.report.comparison.text import impact_lines
from pytest_repro.report.documents.certificate import (
    CERTIFICATE,
    certificate_context,
    certificate_impact,
    newest_certificate,
)
from pytest_repro.report.session_list import result_of, work_of
from pytest_repro.report.session_text import fact_rows
from pytest_repro.report.session_view import SessionView, read_session
from pytest_repro.report.words import counted, percent, percent_range, seconds
from pytest_repro.scaffold.render import Safe
from pytest_repro.stats import failure_rate_interval
from pytest_repro.store import SessionState
from pytest_repro.stress.summary import TestSummary
from pytest_repro.timing.lines import breakdown_lines, chosen
from pytest_repro.timing.units import humanise_bytes

MOST_LISTED = 100
"""Files, tests or sessions that a page lists."""

_MOST_READ = 50
"""Newest sessions that are looked into for one that was timed or that failed."""

_MOST_TABLES = 5
_LONGEST_TEXT = 12_000
BEFORE, AFTER = "before", "after"


@dataclass(frozen=True, slots=True, kw_only=True)
class Material:
    """What is on record of one work.

    Attributes:
        entries: The sessions that it is told from, oldest first; at least one.
        named: Those that the user named, in that order.
        difference: What git says; None where it says nothing.
        difference_problem: Why it does not.
        workflows: That the change asks for.
        has_rules: Whether the project has rules for these.
    """

    entries: tuple[SessionEntry, ...]
    named: tuple[SessionEntry, ...] = ()
    difference: Difference | None = None
    difference_problem: str = ""
    workflows: tuple[Workflow, ...] = ()
    has_rules: bool = False


def page_context(material: Material, *, base_hint: str) -> dict[str, Any]:
    """Returns what both templates may use.

    Args:
        material: What is on record.
        base_hint: What to do to get a comparison where there is none.
    """
    entries = finished(material.entries) or list(material.entries)
    status, worked = status_of(entries), worked_ns(entries)
    failing = _first_view(entries, has_failed) or _broken_off(material.entries)
    timed = _newest_view(entries, lambda view: bool(view.breakdowns))
    newest = read_session(entries[-1])
    verdicts = [entry for entry in entries if entry.kind in ("verify", CERTIFICATE)]
    certificate = newest_certificate(verdicts)
    return {
        "status": Safe(f"{status.mark} {status.value}"),
        "is_success": status is Status.SUCCESS,
        "is_failed": status is Status.FAILED,
        "duration": Safe(seconds(worked) if worked else "not known"),
        "tests": _tests(failing or newest),
        "commands": list(dict.fromkeys(entry.command for entry in entries if entry.command))[:MOST_LISTED],
        "failure_type": Safe(_failure_type(failing)),
        "bugs": [] if failing is None else _bugs(failing),
        "failing": None if failing is None else failing.entry.id,
        "failing_text": _failing_text(failing),
        "files": _files(material),
        "more_files": max(0, len(material.difference.files) - MOST_LISTED) if material.difference else 0,
        "branch": material.difference.branch if material.difference else None,
        "head": material.difference.head[:12] if material.difference else None,
        "base": material.difference.base if material.difference else None,
        "difference_problem": material.difference_problem or None,
        "attempts": [_attempt(number, one) for number, one in enumerate(attempts_of(entries), 1)],
        "verdicts": [_verdict(entry) for entry in verdicts[-MOST_LISTED:]],
        "certificate": None if certificate is None else certificate_context(certificate),
        "newest": _session_row(newest.entry),
        "story": _story(failing, verdicts),
        "impact": _impact(material, entries, certificate),
        "impact_hint": base_hint,
        "timed": None if timed is None else timed.entry.id,
        "timing": [] if timed is None else _timing(timed),
        "sizes": [] if timed is None else _sizes(timed),
        "facts": [(Safe(name), text) for name, text in fact_rows(newest) if name in _MACHINE],
        "workflows": [{"name": one.name, "reason": one.reason or None} for one in material.workflows],
        "has_rules": material.has_rules,
        "reviewers": _reviewers(material),
    }


_MACHINE = ("host", "devices", "versions", "commit")


def _first_view(entries: Sequence[SessionEntry], fits: Callable[[SessionEntry], bool]) -> SessionView | None:
    """Returns the first session that fits, one that has kept its failures before one that has not."""
    found = [entry for entry in entries if fits(entry)][:_MOST_READ]
    with_bugs = next((entry for entry in found if entry.total("bugs")), None)
    first = with_bugs or (found[0] if found else None)
    return None if first is None else read_session(first)


def _broken_off(entries: Sequence[SessionEntry]) -> SessionView | None:
    """Returns the first session that did not come to its end and has failures on record all the same."""
    unfinished = [entry for entry in entries if entry.state is SessionState.UNFINISHED][:_MOST_READ]
    views = map(read_session, unfinished)
    return next((view for view in views if view.stress is not None and view.stress.bugs), None)


def _newest_view(entries: Sequence[SessionEntry], fits: Callable[[SessionView], bool]) -> SessionView | None:
    views = (read_session(entry) for entry in reversed(entries[-_MOST_READ:]))
    return next((view for view in views if fits(view)), None)


def _tests(view: SessionView) -> list[str]:
    tests = () if view.stress is None else view.stress.tests
    failing = [test.test for test in tests if test.failures]
    names = failing or [test.test for test in tests] or [one.test for one in view.breakdowns]
    return (names or _tests_of_runs(view.runs))[:MOST_LISTED]


def _tests_of_runs(runs: Iterable[Mapping[str, Any]]) -> list[str]:
    names: dict[str, None] = {}
    for run in runs:
        report = run.get("report")
        tests = report.get("tests") if isinstance(report, dict) else None
        names |= dict.fromkeys(map(str, tests)) if isinstance(tests, dict) else {}
    return list(names)


def _failure_type(view: SessionView | None) -> str:
    if view is None:
        return "none on record"
    if view.stress is None or not view.stress.bugs:
        broken = view.summary.get("broken_limits")
        return "Performance (a limit was broken)" if broken else "Failing run"
    outcomes = {bug.first.outcome for bug in view.stress.bugs}
    kinds = {Outcome.CRASH: "Crash", Outcome.HANG: "Hang", Outcome.TIMEOUT: "Timeout"}
    named = sorted({kinds.get(outcome, "Correctness") for outcome in outcomes})
    is_flaky = any(0 < test.failures < test.executed for test in view.stress.tests)
    return "/".join(named) + (", fails now and then" if is_flaky else ", fails always")


def _bugs(view: SessionView) -> list[dict[str, Any]]:
    report = view.stress
    if report is None:
        return []
    rows = []
    for bug in report.bugs[:MOST_LISTED]:
        first: Failure = bug.first
        rows.append(
            {
                "title": bug.signature.title,
                "key": bug.signature.key,
                "failures": Safe(counted(bug.failures, "failure")),
                "tests": list(bug.tests[:MOST_LISTED]),
                "first": Safe(f"iteration {first.iteration:,}, after {seconds(first.elapsed_ns)}"),
                "replay": report.replays.get(bug.signature.key) or None,
            }
        )
    return rows


def _failing_text(view: SessionView | None) -> str | None:
    bugs = () if view is None or view.stress is None else view.stress.bugs
    text = next((bug.first.text for bug in bugs if bug.first.text), None)
    if text is None or len(text) <= _LONGEST_TEXT:
        return text
    half = _LONGEST_TEXT // 2
    return f"{text[:half]}\n... {len(text) - 2 * half:,} characters left out ...\n{text[-half:]}"


def _files(material: Material) -> list[dict[str, Any]]:
    if material.difference is None:
        return []
    words = {"A": "added", "M": "changed", "D": "removed"}
    return [
        {
            "path": file.path,
            "what": Safe(words.get(file.status, "changed")),
            "lines": Safe(
                f"{counted(len(file.added), 'line')} added, {len(file.removed):,} removed"
                if file.hunks
                else "no line of text"
            ),
        }
        for file in material.difference.files[:MOST_LISTED]
    ]


def _story(failing: SessionView | None, verdicts: Sequence[SessionEntry]) -> list[dict[str, Any]]:
    """What is on record of the failure and of its end: a session and what it says."""
    lines: list[tuple[SessionEntry, str]] = []
    if failing is not None:
        lines += [(failing.entry, f"{_rate_of(test)} of {test.test}") for test in _failing_tests(failing)[:5]]
    if failing is not None and not lines and failing.entry not in verdicts:
        lines.append((failing.entry, result_of(failing.entry)))
    if verdicts:
        said = read_session(verdicts[-1]).said
        lines.append((verdicts[-1], said[0] if said else result_of(verdicts[-1])))
    return [{"session": entry.id, "text": text} for entry, text in lines]


def _failing_tests(view: SessionView) -> list[TestSummary]:
    return [test for test in view.stress.tests if test.failures] if view.stress else []


def _rate_of(test: TestSummary) -> str:
    interval = percent_range(failure_rate_interval(test.failures, test.executed))
    told = f"{test.failures:,} of {counted(test.executed, 'iteration')}"
    return f"{told} failed ({percent(test.failures / test.executed)}, 95 % interval {interval})"


def _attempt(number: int, attempt: Attempt) -> dict[str, Any]:
    marks = {Standing.PROVED: "✅", Standing.PASSED: "✅", Standing.FAILED: "❌", Standing.UNKNOWN: "⚠️"}
    what = (attempt.commit or "no commit")[:12]
    return {
        "number": number,
        "code": what + (f" with local changes {attempt.difference}" if attempt.difference else ""),
        "standing": Safe(f"{marks[attempt.standing]} {attempt.standing.value}"),
        "sessions": [_session_row(entry) for entry in attempt.entries[-MOST_LISTED:]],
    }


def _session_row(entry: SessionEntry) -> dict[str, Any]:
    return {
        "id": entry.id,
        "tag": entry.tag,
        "command": entry.command or "not known",
        "result": ", ".join(filter(None, (result_of(entry), work_of(entry)))),
    }


def _verdict(entry: SessionEntry) -> dict[str, Any]:
    view = read_session(entry)
    asked, passed = entry.total("runs_asked"), entry.total("runs_passed")
    count = runs_words(view.summary) or result_of(entry)
    if asked and passed is not None:
        count = f"{passed:,} of {counted(asked, 'run')} passed"
    return {
        "id": entry.id,
        "command": entry.command or "not known",
        "count": count,
        "is_stable": entry.totals.get("verdict") in ("stable", "certified"),
        "said": list(view.said[:20]),
    }


def _impact(
    material: Material, entries: Sequence[SessionEntry], certificate: SessionEntry | None
) -> Safe | None:
    """Returns the comparison of the sessions that were named, or of those tagged before and after.

    Where they are not to be compared the medians of the certificate stand behind the reason.
    """
    measured = None if certificate is None else certificate_impact(certificate)
    pair = material.named if len(material.named) >= 2 else _tagged(entries)
    if pair is None:
        return measured
    try:
        comparison = compare_sessions(pair[0], pair[-1])
    except ReproError as error:
        return Safe("\n\n".join(filter(None, (_said(error), measured))))
    # Each name in it has passed through the filters of `render`, and all else is numbers and words of ours.
    return Safe("\n".join(impact_lines(comparison)))


def _said(error: ReproError) -> Safe:
    from pytest_repro.scaffold.render import markdown_code

    return Safe(f"Not compared: {markdown_code(str(error))}")


def _tagged(entries: Sequence[SessionEntry]) -> tuple[SessionEntry, SessionEntry] | None:
    newest = {entry.tag: entry for entry in entries}
    if BEFORE not in newest or AFTER not in newest:
        return None
    return newest[BEFORE], newest[AFTER]


def _timing(view: SessionView) -> list[str]:
    return ["\n".join(breakdown_lines(one, 100)) for one in chosen(view.breakdowns, _MOST_TABLES)]


def _sizes(view: SessionView) -> list[dict[str, Any]]:
    rows = []
    for breakdown in view.breakdowns:
        for row in breakdown.operations:
            if row.size_bytes:
                shape = "" if row.largest is None else f"{list(row.largest.shape)} {row.largest.dtype}"
                rows.append(
                    {
                        "test": breakdown.test,
                        "name": f"{row.name}: {row.operation}",
                        "calls": row.calls,
                        "size": Safe(humanise_bytes(row.size_bytes)),
                        "largest": shape or "-",
                    }
                )
    return rows[:MOST_LISTED]


def _reviewers(material: Material) -> list[dict[str, Any]]:
    if material.difference is None:
        return []
    found = reviewers_of(read_rules(material.difference.top), [one.path for one in material.difference.files])
    return [
        {
            # A name on GitHub mentions its owner only as plain text.
            "handle": Safe(owner) if is_handle(owner) else None,
            "owner": owner,
            "files": Safe(counted(len(paths), "changed file")),
        }
        for owner, paths in list(found.items())[:MOST_LISTED]
    ]
