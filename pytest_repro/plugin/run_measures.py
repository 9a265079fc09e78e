"""Collects what tests take and tell of themselves in a run of the gate, in its controller."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from pytest_repro.verify.measures import RunTally, TestMeasures

if TYPE_CHECKING:
    from pytest_repro.model import Profile

_STAGES = ("setup", "call", "teardown")


class _Stage(NamedTuple):
    """How long one stage took, and whether the test was skipped in it."""

    duration_ns: int
    is_skipped: bool


class RunMeasures:
    """Registered in the controller of each run of the gate.

    Args:
        is_stressed: Whether the run is a stress run: its batches tell what an iteration takes, and
            pytest's reports stand for all iterations of a test together.
    """

    def __init__(self, *, is_stressed: bool) -> None:
        self._is_stressed = is_stressed
        self._tally = RunTally()
        # By test and worker: with `--dist each` several workers run the same test at the same time.
        self._stages: dict[tuple[str, object], dict[str, _Stage]] = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Adds up the stages of one execution; the teardown is its end."""
        if self._is_stressed or report.when not in _STAGES:
            return
        key = (report.nodeid, getattr(report, "node", None))
        if report.when == "setup":
            self._stages[key] = {}
        stages = self._stages.setdefault(key, {})
        # A subtest reports a call too; that of the whole test comes after it.
        is_skipped = report.skipped and not hasattr(report, "wasxfail")
        stages[report.when] = _Stage(round(report.duration * 1e9), is_skipped)
        if report.when == "teardown":
            del self._stages[key]
            if not any(stage.is_skipped for stage in stages.values()):
                self._tally.add_durations(
                    report.nodeid, [sum(stage.duration_ns for stage in stages.values())]
                )

    def add_batch(self, message: Mapping[str, Any]) -> None:
        """Adds a batch of iterations of a stress run."""
        self._tally.add_batch(message)

    def add_profile(self, profile: Profile) -> None:
        """Adds what one execution recorded."""
        from pytest_repro.timing.summary import named_totals

        metrics = [(metric.name, metric.value) for metric in profile.metrics]
        self._tally.add_named(profile.test, phases_ns=named_totals(profile.phases), metrics=metrics)

    def of(self, test: str) -> TestMeasures:
        """Returns the summary of one test, for the run's report."""
        return self._tally.measures(test)
