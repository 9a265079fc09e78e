"""All that is on record of one session, read for a report."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pytest_repro.errors import StoreError
from pytest_repro.model import Outcome
from pytest_repro.report.catalogue import SessionEntry
from pytest_repro.report.frames import FAILURES, ITERATIONS, iteration_folders
from pytest_repro.report.rebuilt import breakdowns_of, failure_of, stress_of
from pytest_repro.report.stress import StressReport
from pytest_repro.store import SUMMARY, each_json_line, read_json
from pytest_repro.stress.plan import StressPlan
from pytest_repro.stress.summary import Bug, TestSummary
from pytest_repro.timing.summary import Breakdown
from pytest_repro.verify.record_checks import is_batch, is_failure

MOST_FILES = 200
"""Files of a session that are listed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionView:
    """One session, as far as its records tell.

    Attributes:
        entry: Its small files.
        summary: What it has learned; empty where it did not come to its end.
        stress: Its iterations and bugs, of one that was broken off as far as it came; None without any.
        breakdowns: Where the time of each test went.
        timed_in: The run that they are of, empty where the session itself was timed.
        files: Name and size of each file, at most `MOST_FILES`.
        more_files: How many there are beside these.
        problems: What could not be read.
    """

    entry: SessionEntry
    summary: Mapping[str, Any]
    stress: StressReport | None
    breakdowns: tuple[Breakdown, ...] = ()
    timed_in: str = ""
    files: tuple[tuple[str, int], ...] = ()
    more_files: int = 0
    problems: tuple[str, ...] = ()

    @property
    def said(self) -> tuple[str, ...]:
        """What the gate or the certificate said of it, verdict first; empty where it was neither."""
        said = _texts(self.summary.get("said"))
        statement = self.summary.get("statement")
        if not said and isinstance(statement, str):
            said = (statement, *_texts(self.summary.get("reasons")), *_texts(self.summary.get("next_steps")))
        return said

    @property
    def runs(self) -> tuple[Mapping[str, Any], ...]:
        """The runs of a gate or a certificate."""
        runs = self.summary.get("runs")
        return tuple(run for run in runs if isinstance(run, dict)) if isinstance(runs, list) else ()


def read_session(entry: SessionEntry) -> SessionView:
    """Reads the records of a session.

    Args:
        entry: Which one.
    """
    problems = [entry.problem] if entry.problem else []
    summary = _summary(entry.path, problems)
    is_isolated = "--repro-isolate" in _words(entry.command)
    stress = stress_of(summary, folder=str(entry.path), is_isolated=is_isolated)
    if stress is None and not summary and (entry.path / ITERATIONS).is_file():
        stress = _so_far(entry.path, problems)
    breakdowns, timed_in = breakdowns_of(summary), ""
    if not breakdowns:
        for number, folder in reversed(iteration_folders(entry.path)):
            breakdowns = breakdowns_of(_summary(folder, problems)) if number else ()
            if breakdowns:
                timed_in = f"run {number}"
                break
    files = sorted(_files(entry.path))
    return SessionView(
        entry=entry,
        summary=summary,
        stress=stress,
        breakdowns=breakdowns,
        timed_in=timed_in,
        files=tuple(files[:MOST_FILES]),
        more_files=max(0, len(files) - MOST_FILES),
        problems=tuple(problems),
    )


def _summary(folder: Path, problems: list[str]) -> Mapping[str, Any]:
    path = folder / SUMMARY
    if not path.exists():
        return {}
    try:
        return read_json(path)
    except StoreError as error:
        problems.append(str(error))
        return {}


def _so_far(path: Path, problems: list[str]) -> StressReport:
    """Returns what a session that did not come to its end has on record."""
    outcomes: dict[str, dict[Outcome, int]] = {}
    bugs: dict[str, Bug] = {}
    firsts: dict[str, Any] = {}
    try:
        for batch in filter(is_batch, each_json_line(path / ITERATIONS)):
            counts = outcomes.setdefault(batch["test"], {})
            for name, number in batch["outcomes"]:
                counts[Outcome(name)] = counts.get(Outcome(name), 0) + number
        if (path / FAILURES).is_file():
            for record in filter(is_failure, each_json_line(path / FAILURES)):
                _add_failure(record, outcomes, bugs, firsts)
    except StoreError as error:
        problems.append(str(error))
    tests = [
        TestSummary(
            test=test,
            planned=sum(counts.values()),
            has_budget=False,
            outcomes=counts,
            stages_ns=(0, 0, 0),
            fastest_ns=None,
            slowest_ns=None,
            first_failure=firsts.get(test),
        )
        for test, counts in outcomes.items()
    ]
    return StressReport(
        plan=StressPlan(iterations=None, only_iteration=1, reseed=False),
        tests=tuple(tests),
        bugs=tuple(bugs.values()),
        replays=dict.fromkeys(bugs, ""),
        folder=str(path),
        problem="the session did not come to its end",
    )


def _add_failure(
    record: Mapping[str, Any],
    outcomes: dict[str, dict[Outcome, int]],
    bugs: dict[str, Bug],
    firsts: dict[str, Any],
) -> None:
    try:
        failure = failure_of(record)
    except (AttributeError, KeyError, TypeError, ValueError):
        return
    counts = outcomes.setdefault(failure.test, {})
    if failure.outcome.is_death:
        # It stands in no batch.
        counts[failure.outcome] = counts.get(failure.outcome, 0) + 1
    firsts.setdefault(failure.test, failure)
    known = bugs.get(failure.signature.key)
    tests = dict.fromkeys((*(known.tests if known else ()), failure.test))
    bugs[failure.signature.key] = Bug(
        signature=failure.signature,
        failures=1 + (known.failures if known else 0),
        tests=tuple(tests),
        first=known.first if known else failure,
    )


def _files(path: Path) -> Iterator[tuple[str, int]]:
    for file in path.rglob("*"):
        try:
            if file.is_file() and not file.is_symlink():
                yield file.relative_to(path).as_posix(), file.stat().st_size
        except OSError:
            continue


def _texts(value: object) -> tuple[str, ...]:
    return tuple(one for one in value if isinstance(one, str)) if isinstance(value, list) else ()


def _words(command: str) -> list[str]:
    try:
        return shlex.split(command)
    except ValueError:
        return command.split()
