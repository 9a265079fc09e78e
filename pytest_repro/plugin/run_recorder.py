"""Reports a run of the gate from inside it: decisions are made on this, not on text or exit status alone."""

from __future__ import annotations

import locale
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pytest_repro.clock import MonotonicNs, now_utc
from pytest_repro.model import Outcome
from pytest_repro.plugin.call_counter import MARKS
from pytest_repro.plugin.run_outcomes import RunOutcomes, ToldTest, worst
from pytest_repro.plugin.run_progress import note_progress
from pytest_repro.store import SessionFolder, processor_record
from pytest_repro.verify.runs import REPORT, RunReport, RunTest

if TYPE_CHECKING:
    from pytest_repro.plugin.run_measures import RunMeasures
    from pytest_repro.report.stress import StressReport
    from pytest_repro.stress.plan import StressPlan
    from pytest_repro.stress.summary import TestSummary

_NOTE_NS = 100_000_000
"""Progress is noted no more often than that."""


class RunRecorder:
    """Registered in the controller of each run of the gate.

    Args:
        folder: Where the report goes.
        stressed: Asked at the end for what a stress run inside has learned; None without.
        is_stressed: Whether there is one.
        measures: Asked at the end for what was measured of each test.
        seeds: Asked at the end for options that make random choices again, each with its value.
        clock: Monotonic, in nanoseconds.
    """

    def __init__(
        self,
        folder: SessionFolder,
        *,
        stressed: Callable[[], StressReport | None],
        is_stressed: bool,
        measures: RunMeasures,
        seeds: Callable[[], Mapping[str, str]],
        clock: MonotonicNs,
    ) -> None:
        self._folder = folder
        self._pid = os.getpid()
        self._stressed = stressed
        self._is_stressed = is_stressed
        self._measures = measures
        self._seeds = seeds
        self._clock = clock
        # Tests may change them in this process, for themselves.
        self._conditions = _conditions()
        self._outcomes = RunOutcomes(is_stressed=is_stressed)
        self._marks: dict[str, tuple[Mapping[str, Any], ...]] = {}
        self._finished: set[str] = set()
        self._collected: dict[str, None] = {}
        self._deselected: dict[str, None] = {}
        self._collection_errors: dict[str, None] = {}
        self._skipped_files: dict[str, None] = {}
        self._lost_workers: dict[str, None] = {}
        self._workers: set[str] = set()
        self._failures: set[str] = set()
        self._next_note_ns = 0

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Notes what could not be collected."""
        if report.failed:
            self._collection_errors[report.nodeid or "the session"] = None
        elif report.skipped:
            self._skipped_files[report.nodeid] = None

    def pytest_deselected(self, items: Sequence[pytest.Item]) -> None:
        """Notes what is left out."""
        self._deselected.update((item.nodeid, None) for item in items)

    @pytest.hookimpl(trylast=True)
    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Notes what will be run, without workers."""
        if not self._is_stressed:
            self._collected.update((item.nodeid, None) for item in session.items)

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_node_collection_finished(self, node: Any, ids: Sequence[str]) -> None:
        """Notes what a worker of xdist has found."""
        self._workers.add(str(node.gateway.id))
        if not self._is_stressed:
            # The group of `--dist loadgroup` is no part of the reports' node ids.
            self._collected.update((_without_group(nodeid), None) for nodeid in ids)

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any, error: object) -> None:
        """Notes a worker of xdist that ended early."""
        if error is not None:
            self._lost_workers[str(node.gateway.id)] = None

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Notes the outcome of a stage."""
        test = report.nodeid
        marks = getattr(report, MARKS, None)
        if marks:
            self._marks[test] = tuple(marks)
        self._outcomes.add(report)
        if report.failed:
            self._failures.add(test)
        if report.when == "teardown":
            self._finished.add(test)
            self._show_progress()

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, exitstatus: int) -> None:
        """Writes the report: its being there says that the session came to its end."""
        if os.getpid() != self._pid:
            # A test forked, and its child went on.
            return
        told = self._outcomes.end()
        stressed = self._stressed()
        tests = self._tests(told, () if stressed is None else stressed.tests)
        # A stress run counts a death in an iteration as a failure of it.
        booked = () if stressed is None else stressed.died
        passed = [test for test, each in told.items() if not tests.get(test, each).outcome.is_failure]
        rescued = tuple(test for test in passed if told[test].is_rerun)
        report = RunReport(
            exit_status=int(exitstatus),
            tests=tests,
            rescued=rescued,
            hidden=tuple(test for test in passed if told[test].is_hidden and test not in rescued),
            not_run=tuple(test for test in self._collected if test not in told),
            deselected=tuple(self._deselected),
            collection_errors=tuple(self._collection_errors),
            skipped_files=tuple(self._skipped_files),
            lost_workers=tuple(worker for worker in self._lost_workers if worker not in booked),
            seeds=self._seeds(),
            **self._conditions,
        )
        machine = {"pid": self._pid, "processor": processor_record(), "workers": len(self._workers) or 1}
        self._folder.write_json(REPORT, {**machine, **report.to_payload()})

    def _tests(self, told: Mapping[str, ToldTest], stressed: Sequence[TestSummary]) -> dict[str, RunTest]:
        if not self._is_stressed:
            return {test: self._tested(test, each) for test, each in told.items()}
        tests = {summary.test: self._stressed_test(summary, told) for summary in stressed}
        # What failed beside the iterations, such as the teardown of a module.
        failed = {test: each for test, each in told.items() if each.outcome.is_failure}
        for test, each in failed.items():
            if test in tests and not tests[test].outcome.is_failure:
                tests[test] = replace(tests[test], outcome=each.outcome)
            elif not any(known.outcome.is_failure for known in tests.values()):
                tests[test] = self._tested(test, each)
        return tests

    def _tested(self, test: str, told: ToldTest) -> RunTest:
        outcome = told.outcome
        return RunTest(
            outcome=outcome,
            is_executed=outcome.is_executed and (outcome.is_failure or not told.is_uncalled),
            outcomes=dict(told.outcomes),
            skipped_parts=tuple(told.skipped_parts),
            parts=tuple(told.parts),
            parts_executed=told.parts_executed,
            marks=self._marks.get(test, ()),
            measures=self._measures.of(test),
        )

    def _stressed_test(self, summary: TestSummary, told: Mapping[str, ToldTest]) -> RunTest:
        executed = summary.executed
        outcome = worst(summary.outcomes)
        is_uncalled = summary.test in told and told[summary.test].is_uncalled
        is_excused = outcome is Outcome.XFAILED and is_uncalled
        return RunTest(
            outcome=outcome,
            is_executed=executed > 0 and not is_excused,
            iterations=executed,
            missing=0 if summary.is_complete else max(1, (summary.planned or 1) - executed),
            failures=summary.failures,
            outcomes=dict(summary.outcomes),
            marks=self._marks.get(summary.test, ()),
            measures=self._measures.of(summary.test),
        )

    def _show_progress(self) -> None:
        now_ns = self._clock()
        if now_ns >= self._next_note_ns and not self._is_stressed:
            self._next_note_ns = now_ns + _NOTE_NS
            note_progress(
                self._folder.path,
                finished=len(self._finished),
                planned=len(self._collected) or None,
                failures=len(self._failures),
                unit="test",
            )


def _without_group(nodeid: str) -> str:
    """Returns a node id without the group that `--dist loadgroup` adds to it."""
    return (
        nodeid.rpartition("@")[0]
        if nodeid.rfind("@") > max(nodeid.rfind("]"), nodeid.rfind("::"))
        else nodeid
    )


def _conditions() -> dict[str, Any]:
    """Returns what this process has found."""
    return {
        "hash_seed": os.environ.get("PYTHONHASHSEED"),
        "time_zone": now_utc().astimezone().strftime("%Z %z"),
        "locale": f"{locale.setlocale(locale.LC_ALL)} {locale.getpreferredencoding(do_setlocale=False)}",
        "directory": str(Path.cwd()),
    }


def seeds_of(config: pytest.Config, plan: StressPlan | None) -> dict[str, str]:
    """Returns the options that make the random choices of this session again, each with its value.

    Args:
        config: Of the session.
        plan: Of a stress run inside, None without.
    """
    seeds = {}
    if plan is not None and plan.reseed:
        seeds["--repro-seed"] = str(plan.base_seed)
    # By now pytest-randomly has put the seed there that it chose.
    shuffled = config.getoption("randomly_seed", default=None)
    if isinstance(shuffled, int):
        seeds["--randomly-seed"] = str(shuffled)
    return seeds
