"""Hooks that record each test of a session; imported only where something is timed."""

from __future__ import annotations

from collections.abc import Generator

import pytest

from pytest_repro.model import Outcome
from pytest_repro.plugin.iteration import Current
from pytest_repro.plugin.timing import REPORT_ATTRIBUTE, Timekeeper


class TimingHooks:
    """Records each test of a session without a stress run.

    Args:
        timekeeper: Of this process.
        current: Told which test runs.
    """

    def __init__(self, timekeeper: Timekeeper, current: Current) -> None:
        self._timekeeper = timekeeper
        self._current = current
        self._outcome = Outcome.PASSED

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> Generator[None, object, object]:
        """Begins a new record before any fixture runs."""
        self._current.begin(test=item.nodeid, iteration=1, seed=None)
        self._timekeeper.begin()
        self._outcome = Outcome.PASSED
        return (yield)

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_call(self) -> None:
        """What follows is the test's own."""
        self._timekeeper.note_stage("call")

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_teardown(self) -> None:
        """What follows are fixtures, perhaps of many tests."""
        self._timekeeper.note_stage("teardown")

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Attaches the record to the report of the last stage."""
        report = yield
        if report.failed:
            self._outcome = Outcome.FAILED if report.when == "call" else Outcome.ERROR
        elif hasattr(report, "wasxfail"):
            self._outcome = Outcome.XFAILED if report.skipped else Outcome.XPASSED
        elif report.skipped:
            self._outcome = Outcome.SKIPPED
        if report.when == "teardown":
            payload = self._timekeeper.end(item, item.nodeid, 1, self._outcome)
            if payload is not None:
                setattr(report, REPORT_ATTRIBUTE, payload)
        return report
