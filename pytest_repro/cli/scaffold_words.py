"""What `repro-scaffold` says."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Iterator, Sequence

from pytest_repro.logs.records import CiFailure, LogPart, LogReport
from pytest_repro.scaffold.context import Reproduction
from pytest_repro.scaffold.facts import Suite, WorkflowPart
from pytest_repro.scaffold.render import short_line
from pytest_repro.scaffold.templates import Exported, Overrides, misnamed, overridden
from pytest_repro.scaffold.write import Written


def folder_words(reproduction: Reproduction, written: Written, overrides: Overrides | None) -> Iterator[str]:
    """Says what was made, and what is to be done with it."""
    yield f"{written.folder}: {len(written.files)} files"
    for path in written.files:
        yield f"  {path.relative_to(written.folder)}"
    for path in written.kept:
        yield f"  {path.relative_to(written.folder)} (your earlier version)"
    yield from _failure_words(reproduction)
    yield from _workflow_words(reproduction.workflow)
    yield from _template_words(overrides)
    yield f"next: {written.folder / 'run_test.sh'}"


def failing_test_words(report: LogReport) -> Iterator[str]:
    """Lists the failing tests of a log."""
    count = len(report.failures)
    yield f"{count} failing test{'' if count == 1 else 's'} in {report.line_count:,} lines"
    for failure in report.failures:
        again = ", passed later" if failure.passed_later else ""
        yield f"{failure.outcome.value:<8} {short_line(failure.nodeid)} (line {failure.line}{again})"
        yield f"         {_error_words(failure)}"
    if not count:
        yield f"the run as a whole: {report.outcome.value}"


def _error_words(failure: CiFailure) -> str:
    error = ": ".join(part for part in (failure.exception, failure.message) if part)
    return short_line(error) or "its error is not printed in the log"


def exported_words(exported: Exported) -> Iterator[str]:
    """Says which templates were copied."""
    yield f"{exported.folder}: {len(exported.written)} templates"
    for name in exported.written:
        yield f"  {name}"
    for name in exported.kept:
        yield f"  {name} (was there already, and is as it was)"
    yield "delete those that you do not change: then later versions of the package's own are used"
    yield f"next: repro-scaffold <failure-name> --templates {exported.folder}"


def _template_words(overrides: Overrides | None) -> Iterator[str]:
    if overrides is None:
        return
    names = ", ".join(overridden(overrides))
    yield f"templates: {names} from {overrides.folder} ({overrides.told_by})"
    yield "  the others are the package's own"
    for name, meant in misnamed(overrides):
        yield f"not used: {short_line(name)} in {overrides.folder}; the package's own is named {meant}"


def _workflow_words(workflow: WorkflowPart | None) -> Iterator[str]:
    if workflow is None:
        return
    yield f"workflow job: {short_line(workflow.job)}"
    for fact in workflow.looked_into:
        yield f"looked into {short_line(fact.value)}"
    for one in workflow.conflicts:
        yield (
            f"{one.label} differs: {short_line(one.log)} in the log, which is used, "
            f"{short_line(one.workflow)} in {short_line(one.file)}:{one.line}"
        )


def note_words(parts: Sequence[LogPart], notes: Iterable[str]) -> Iterator[str]:
    """Says what the user should know about what was read."""
    if parts:
        yield f"the log is {len(parts)} files, one after the other in logs/ci.log, each under its name"
    for note in notes:
        yield f"note: {short_line(note)}"


def _suite_words(suite: Suite, *, has_log: bool) -> Iterator[str]:
    why = "the log names no failing test" if has_log else "no log was given"
    yield f"{why}: the test runs what the workflow runs in {short_line(suite.folder)}"
    yield f"command: {suite.module} {short_line(shlex.join(suite.words))}"
    for text in suite.to_be_set:
        yield f"to be set in REPRO_ARGUMENTS: {short_line(text)}"
    for fact in suite.left:
        yield f"left out: {short_line(fact.value)} ({fact.label})"


def _failure_words(reproduction: Reproduction) -> Iterator[str]:
    if reproduction.suite is not None:
        yield from _suite_words(reproduction.suite, has_log=reproduction.has_log)
    elif not reproduction.has_log and reproduction.workflow is not None:
        yield "no log was given, and the workflow calls no pytest or unittest that can be read"
        yield f"describe the failure in {reproduction.test_file}"
    elif not reproduction.has_log:
        yield f"no log was given: describe the failure in {reproduction.test_file}"
    elif reproduction.nodeid is None:
        yield "the log names no failing test: what it does say is in README.md"
    else:
        yield f"failing test: {short_line(reproduction.nodeid)}"
        yield (
            f"error: {short_line(reproduction.error)}"
            if reproduction.error
            else "error: not printed in the log"
        )
        if reproduction.source is None:
            yield "its source was not found: give its root with --source, or REPRO_SOURCE when running"
    if reproduction.others:
        yield f"other failing tests in the log: {len(reproduction.others)}, listed in README.md"
    if reproduction.secrets:
        yield f"to be set by hand: {', '.join(short_line(one.name) for one in reproduction.secrets)}"
