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
from pytest_repro.plugin.call_counter import CALLS, MARKS
from pytest_repro.plugin.run_progress import note_progress
from pytest_repro.store import SessionFolder
from pytest_repro.verify.runs import REPORT, RunReport, RunTest

if TYPE_CHECKING:
    from pytest_repro.plugin.run_measures import RunMeasures
    from pytest_repro.stress.plan import StressPlan
    from pytest_repro.stress.summary import TestSummary

_OUTCOMES = ("passed", "failed", "skipped")

_FAILURES = {"setup": Outcome.ERROR, "call": Outcome.FAILED, "teardown": Outcome.ERROR}
"""By stage; xdist reports a test whose worker died in a stage that has no name."""

_NOTE_NS = 100_000_000
"""Progress is noted no more often than that."""


class RunRecorder:
    """Registered in the controller of each run of the gate.

    Args:
        folder: Where the report goes.
        stressed: Asked at the end for what a stress run inside has learned of each test; empty without.
        is_stressed: Whether there is one.
        measures: Asked at the end for what was measured of each test.
        seeds: Asked at the end for options that make random choices again, each with its value.
        clock: Monotonic, in nanoseconds.
    """

    def __init__(
        self,
        folder: SessionFolder,
        *,
        stressed: Callable[[], Sequence[TestSummary]],
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
        self._outcomes: dict[str, Outcome] = {}
        self._uncalled: set[str] = set()
        self._marks: dict[str, Mapping[str, Any]] = {}
        self._skipped_parts: dict[str, dict[str, None]] = {}
        self._rerun: dict[str, None] = {}
        self._finished: set[str] = set()
        self._collected: dict[str, None] = {}
        self._deselected: dict[str, None] = {}
        self._collection_errors: dict[str, None] = {}
        self._lost_workers: dict[str, None] = {}
        self._failures: set[str] = set()
        self._next_note_ns = 0

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Notes what could not be collected."""
        if report.failed:
            self._collection_errors[report.nodeid or "the session"] = None

    def pytest_deselected(self, items: Sequence[pytest.Item]) -> None:
        """Notes what is left out."""
        self._deselected.update((item.nodeid, None) for item in items)

    @pytest.hookimpl(trylast=True)
    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Notes what will be run, without workers."""
        if not self._is_stressed:
            self._collected.update((item.nodeid, None) for item in session.items)

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_node_collection_finished(self, ids: Sequence[str]) -> None:
        """Notes what a worker of xdist has found."""
        if not self._is_stressed:
            # The group of `--dist loadgroup` is no part of the reports' node ids.
            self._collected.update((_without_group(nodeid), None) for nodeid in ids)

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any, error: object) -> None:
        """Notes a worker of xdist that ended early; a stress run counts such by itself."""
        if error is not None and not self._is_stressed:
            self._lost_workers[str(node.gateway.id)] = None

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Notes the outcome of a stage; the worst one of a test counts."""
        test = report.nodeid
        marks = getattr(report, MARKS, None)
        if marks:
            self._marks[test] = marks
        calls = getattr(report, CALLS, None)
        # In a stress run each test is called again and again, and reruns do not take place.
        if str(report.outcome) not in _OUTCOMES or ((calls or 0) > 1 and not self._is_stressed):
            self._rerun[test] = None
        if str(report.outcome) not in _OUTCOMES:
            return
        if report.when == "call":
            self._uncalled.add(test)
        if calls:
            self._uncalled.discard(test)
        self._note_outcome(report)
        if report.when == "teardown":
            self._finished.add(test)
            self._show_progress()

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, exitstatus: int) -> None:
        """Writes the report: its being there says that the session came to its end."""
        if os.getpid() != self._pid:
            # A test forked, and its child went on.
            return
        report = RunReport(
            exit_status=int(exitstatus),
            tests=self._tests(),
            rescued=tuple(
                test for test in self._rerun if not self._outcomes.get(test, Outcome.PASSED).is_failure
            ),
            not_run=tuple(test for test in self._collected if test not in self._outcomes),
            deselected=tuple(self._deselected),
            collection_errors=tuple(self._collection_errors),
            lost_workers=tuple(self._lost_workers),
            seeds=self._seeds(),
            hash_seed=os.environ.get("PYTHONHASHSEED"),
            time_zone=now_utc().astimezone().strftime("%Z %z"),
            locale=f"{locale.setlocale(locale.LC_ALL)} {locale.getpreferredencoding(do_setlocale=False)}",
            directory=str(Path.cwd()),
        )
        self._folder.write_json(REPORT, {"pid": self._pid, **report.to_payload()})

    def _note_outcome(self, report: pytest.TestReport) -> None:
        test = report.nodeid
        known = self._outcomes.get(test)
        if report.failed:
            self._outcomes[test] = _FAILURES.get(str(report.when), Outcome.CRASH)
            self._failures.add(test)
        elif known is not None and known.is_failure:
            return
        elif report.skipped and hasattr(report, "context"):
            self._skipped_parts.setdefault(test, {})[_subtest(report.context)] = None
        elif report.skipped:
            is_expected = hasattr(report, "wasxfail")
            self._outcomes[test] = Outcome.XFAILED if is_expected else Outcome.SKIPPED
            if report.when != "call":
                # Excused before it began.
                self._uncalled.add(test)
        elif report.when == "call":
            self._outcomes[test] = Outcome.XPASSED if hasattr(report, "wasxfail") else Outcome.PASSED

    def _tests(self) -> dict[str, RunTest]:
        if not self._is_stressed:
            return {test: self._tested(test, outcome) for test, outcome in self._outcomes.items()}
        tests = {summary.test: self._stressed_test(summary) for summary in self._stressed()}
        # What failed beside the iterations, such as the teardown of a module.
        failed = {test: outcome for test, outcome in self._outcomes.items() if outcome.is_failure}
        for test, outcome in failed.items():
            if test in tests and not tests[test].outcome.is_failure:
                tests[test] = replace(tests[test], outcome=outcome)
            elif not any(told.outcome.is_failure for told in tests.values()):
                tests[test] = self._tested(test, outcome)
        return tests

    def _tested(self, test: str, outcome: Outcome) -> RunTest:
        return RunTest(
            outcome=outcome,
            is_executed=outcome.is_executed and (outcome.is_failure or test not in self._uncalled),
            skipped_parts=tuple(self._skipped_parts.get(test, ())),
            marks=self._marks.get(test, {}),
            measures=self._measures.of(test),
        )

    def _stressed_test(self, summary: TestSummary) -> RunTest:
        executed = summary.executed
        outcomes = sorted(summary.outcomes, key=_worst_first)
        outcome = outcomes[0] if outcomes else Outcome.SKIPPED
        is_excused = outcome is Outcome.XFAILED and summary.test in self._uncalled
        return RunTest(
            outcome=outcome,
            is_executed=executed > 0 and not is_excused,
            iterations=executed,
            missing=0 if summary.is_complete else max(1, (summary.planned or 1) - executed),
            failures=summary.failures,
            outcomes=dict(summary.outcomes),
            marks=self._marks.get(summary.test, {}),
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


def _worst_first(outcome: Outcome) -> int:
    """Orders the outcomes of the iterations of one test: a failure says most of it, a skip least."""
    if outcome.is_failure:
        return 0
    return 1 + (Outcome.PASSED, Outcome.XPASSED, Outcome.XFAILED, Outcome.SKIPPED).index(outcome)


def _subtest(context: Any) -> str:
    """Names a subtest as pytest does."""
    message = [f"[{context.msg}]"] if context.msg else []
    values = ", ".join(f"{name}={value}" for name, value in context.kwargs.items())
    return " ".join([*message, *([f"({values})"] if values else [])])


def _without_group(nodeid: str) -> str:
    """Returns a node id without the group that `--dist loadgroup` adds to it."""
    return (
        nodeid.rpartition("@")[0]
        if nodeid.rfind("@") > max(nodeid.rfind("]"), nodeid.rfind("::"))
        else nodeid
    )


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
