"""Reports a run of the gate from inside it: decisions are made on this, not on text or exit status alone."""

from __future__ import annotations

from collections.abc import Callable, Generator

import pytest

from pytest_repro.model import Outcome
from pytest_repro.store import SessionFolder
from pytest_repro.verify.process import REPORT

CALLS = "repro_calls"
"""Attribute of the teardown report: how often the test was called."""


class CallCounter:
    """Counts how often each test is called, in a process that runs tests: twice means a rerun."""

    def __init__(self) -> None:
        self._calls = 0

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_protocol(self) -> Generator[None, object, object]:
        """A test begins."""
        self._calls = 0
        return (yield)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_call(self) -> Generator[None, object, object]:
        """Counts a call, whoever makes it."""
        self._calls += 1
        return (yield)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(self) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Attaches the number to the last report of the test."""
        report = yield
        if report.when == "teardown":
            setattr(report, CALLS, self._calls)
        return report


class RunRecorder:
    """Registered in the controller of each run of the gate.

    Args:
        folder: Where the report goes.
        iterations: Asked at the end for the iterations of a stress run inside.
    """

    def __init__(self, folder: SessionFolder, *, iterations: Callable[[], int]) -> None:
        self._folder = folder
        self._iterations = iterations
        self._outcomes: dict[str, Outcome] = {}
        self._rerun: dict[str, None] = {}
        self._collection_errors: dict[str, None] = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Notes the outcome of a stage; the worst one of a test counts."""
        known = self._outcomes.get(report.nodeid)
        if str(report.outcome) not in ("passed", "failed", "skipped") or getattr(report, CALLS, 1) > 1:
            self._rerun[report.nodeid] = None
        if str(report.outcome) not in ("passed", "failed", "skipped"):
            return
        if report.failed:
            is_call = report.when == "call"
            self._outcomes[report.nodeid] = Outcome.FAILED if is_call else Outcome.ERROR
        elif known is not None and known.is_failure:
            return
        elif report.skipped:
            is_expected = hasattr(report, "wasxfail")
            self._outcomes[report.nodeid] = Outcome.XFAILED if is_expected else Outcome.SKIPPED
        elif report.when == "call":
            self._outcomes[report.nodeid] = Outcome.XPASSED if hasattr(report, "wasxfail") else Outcome.PASSED

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Notes what could not be collected."""
        if report.failed:
            self._collection_errors[report.nodeid or "the session"] = None

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self) -> None:
        """Writes the report: its being there says that the session came to its end."""
        rescued = [test for test in self._rerun if not self._outcomes.get(test, Outcome.PASSED).is_failure]
        self._folder.write_json(
            REPORT,
            {
                "outcomes": {test: outcome.value for test, outcome in self._outcomes.items()},
                "rescued": rescued,
                "collection_errors": list(self._collection_errors),
                "iterations": self._iterations(),
            },
        )
