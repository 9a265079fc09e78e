"""What a run of the gate collects in its controller."""

from __future__ import annotations

from array import array
from typing import Any

import pytest

from pytest_repro.model import Metric, Outcome, Phase, Profile
from pytest_repro.plugin.run_measures import RunMeasures


def _report(when: Any, duration_s: float, *, test: str = "t", **more: Any) -> pytest.TestReport:
    outcome = more.pop("outcome", "passed")
    report = pytest.TestReport(
        test, ("f", 0, test), {}, outcome, None, when, duration=duration_s, start=0, stop=0
    )
    for name, value in more.items():
        setattr(report, name, value)
    return report


def _feed(measures: RunMeasures, *reports: pytest.TestReport) -> dict[str, Any] | None:
    for report in reports:
        measures.pytest_runtest_logreport(report)
    duration: dict[str, Any] | None = measures.of("t").to_payload()["duration_ns"]
    return duration


def test_an_execution_lasts_from_setup_to_teardown() -> None:
    """One count an execution; two executions are not one long one."""
    measures = RunMeasures(is_stressed=False)
    stages = _report("setup", 0.25), _report("call", 1.0), _report("teardown", 0.5)
    again = _report("setup", 0.25), _report("call", 2.0), _report("teardown", 0.5)
    assert _feed(measures, *stages, *again) == {
        "count": 2,
        "low": 1_750_000_000,
        "median": 1_750_000_000,
        "high": 2_750_000_000,
    }


def test_workers_that_run_the_same_test_are_kept_apart() -> None:
    """`--dist each`: their reports come in turns."""
    measures = RunMeasures(is_stressed=False)
    reports = [
        _report(when, duration, node=node)
        for when, durations in (("setup", (0.0, 0.0)), ("call", (1.0, 4.0)), ("teardown", (0.0, 0.0)))
        for node, duration in zip(("gw0", "gw1"), durations, strict=True)
    ]
    duration = _feed(measures, *reports)
    assert duration is not None
    assert (duration["count"], duration["low"], duration["high"]) == (2, 10**9, 4 * 10**9)


def test_a_skipped_test_was_not_executed() -> None:
    """Its microseconds say nothing."""
    measures = RunMeasures(is_stressed=False)
    assert _feed(measures, _report("setup", 0.1, outcome="skipped"), _report("teardown", 0.1)) is None


def test_a_subtest_is_a_part_of_its_test() -> None:
    """Neither its time nor its skip is counted beside that of the whole call."""
    measures = RunMeasures(is_stressed=False)
    duration = _feed(
        measures,
        _report("setup", 0.0),
        _report("call", 0.5, outcome="skipped"),
        _report("call", 2.0),
        _report("teardown", 0.0),
    )
    assert duration is not None
    assert (duration["count"], duration["high"]) == (1, 2 * 10**9)


def test_in_a_stress_run_the_batches_count_and_the_reports_do_not() -> None:
    """The report of a test stands for all of its iterations together."""
    measures = RunMeasures(is_stressed=True)
    durations = array("q", [5, 7]).tobytes()
    measures.add_batch({"test": "t", "durations_ns": durations, "outcomes": [["passed", 2]]})
    duration = _feed(measures, _report("setup", 9.0), _report("call", 9.0), _report("teardown", 9.0))
    assert duration == {"count": 2, "low": 5, "median": 5, "high": 7}


def test_a_profile_gives_the_total_of_each_phase_and_every_metric() -> None:
    """Two calls of one operation in one execution are one value."""
    measures = RunMeasures(is_stressed=False)
    phases = tuple(Phase(name="op", operation="add", start_ns=0, call_ns=5, wait_ns=2) for _ in range(2))
    metrics = (Metric(name="rate", value=1.5),)
    measures.add_profile(
        Profile(test="t", iteration=1, worker="main", outcome=Outcome.PASSED, phases=phases, metrics=metrics)
    )
    payload = measures.of("t").to_payload()
    assert payload["phases_ns"] == {"op": {"count": 1, "low": 14, "median": 14, "high": 14}}
    assert payload["metrics"]["rate"]["low"] == 1.5
