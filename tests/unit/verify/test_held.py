"""Limits are held against every run and every test, and none that says nothing is passed."""

from __future__ import annotations

from typing import Any

from pytest_repro.model import Outcome
from pytest_repro.verify.held import LimitGap, MeasuredRun, UnrecordedLimit, hold, hold_limits
from pytest_repro.verify.limits import Limit, LimitKind, parse_limit
from pytest_repro.verify.measures import Measure, TestMeasures
from pytest_repro.verify.runs import POSITIONAL, Run, RunReport, RunTest

DURATION, PHASE, METRIC = LimitKind.DURATION, LimitKind.PHASE, LimitKind.METRIC


def _measure(low: float, high: float | None = None, count: int = 1) -> Measure:
    return Measure(count=count, low=low, median=low, high=low if high is None else high)


def _run(
    number: int = 1, *, limits: dict[str, list[Limit]] | None = None, **tests: TestMeasures
) -> MeasuredRun:
    return MeasuredRun(number=number, tests=tests, limits=limits or {})


def _took(low_ns: int, high_ns: int | None = None, **named: Any) -> TestMeasures:
    return TestMeasures(duration_ns=_measure(low_ns, high_ns), **named)


def _phases(**times_ns: int) -> TestMeasures:
    return _took(1, phases_ns={name: _measure(time_ns) for name, time_ns in times_ns.items()})


def test_the_slowest_execution_of_any_run_breaks_a_limit() -> None:
    """A million quick iterations do not make up for a slow one; the run and the value are named."""
    limit = parse_limit(DURATION, "5s")
    findings = hold([limit], [_run(1, t=_took(1)), _run(2, t=_took(1, 6 * 10**9), u=_took(2))])
    assert [(one.run, one.test, one.value) for one in findings.broken] == [(2, "t", 6 * 10**9)]
    assert (findings.unrecorded, findings.gaps) == ((), ())


def test_a_limit_that_is_kept_is_told_with_its_nearest_value() -> None:
    """A reader of the record sees what was asked for, not only what was missed."""
    limits = [parse_limit(DURATION, "5s"), parse_limit(METRIC, "rate>=8"), parse_limit(PHASE, "op=1s")]
    fast = _took(1, 4 * 10**9, metrics={"rate": _measure(9, 30)})
    slow = _took(2, 3 * 10**9, metrics={"rate": _measure(5, 40)})
    held = hold(limits, [_run(1, t=fast), _run(2, t=slow)]).held
    assert [(one.test, one.limit.kind, one.checked, one.missed, one.worst) for one in held] == [
        ("t", DURATION, 2, 0, 4 * 10**9),
        ("t", METRIC, 2, 1, 5),
    ]


def test_a_mark_holds_in_the_place_of_the_session_for_its_test_alone() -> None:
    """Also where it allows more; limits on other names stay."""
    session = [parse_limit(PHASE, "op=1us"), parse_limit(PHASE, "to_torch=1us")]
    own = {"t": [parse_limit(PHASE, "op=1s")]}
    measures = _phases(op=5_000, to_torch=6_000)
    findings = hold(session, [_run(limits=own, t=measures, u=measures)])
    assert [(one.test, one.limit.name) for one in findings.broken] == [
        ("t", "to_torch"),
        ("u", "op"),
        ("u", "to_torch"),
    ]


def test_a_session_wide_limit_must_be_recorded_by_some_test() -> None:
    """Not by all: most tests have no such phase."""
    limits = [parse_limit(PHASE, "op=1s"), parse_limit(PHASE, "opp=1s")]
    findings = hold(limits, [_run(t=_phases(op=1, to_torch=1), u=_took(1))])
    (unrecorded,) = findings.unrecorded
    assert (unrecorded.limit.name, unrecorded.test, unrecorded.recorded) == ("opp", None, ("op", "to_torch"))
    assert findings.gaps == ()


def test_the_limit_of_a_mark_must_be_recorded_by_its_own_test() -> None:
    """What another test recorded does not speak for it."""
    own = {"t": [parse_limit(METRIC, "rate>1")], "gone": [parse_limit(METRIC, "rate>1")]}
    other = _took(1, metrics={"rate": _measure(5.0)})
    (unrecorded,) = hold([], [_run(limits=own, t=_took(1), u=other)]).unrecorded
    assert (unrecorded.test, unrecorded.limit.name, unrecorded.recorded) == ("t", "rate", ())


def test_a_run_that_did_not_record_what_others_did_has_a_gap() -> None:
    """Its limit was not held against it."""
    limits = [parse_limit(PHASE, "op=1s")]
    findings = hold(limits, [_run(1, t=_phases(op=1)), _run(2, t=_took(1)), _run(3, u=_took(1))])
    assert [(gap.run, gap.test, gap.limit.name) for gap in findings.gaps] == [(2, "t", "op")]
    assert findings.unrecorded == ()


def test_without_an_executed_test_limits_say_nothing() -> None:
    """That nothing ran is told by others."""
    findings = hold([parse_limit(PHASE, "op=1s")], [_run()])
    assert (findings.broken, findings.unrecorded, findings.gaps) == ((), (), ())


def _told(number: int, **tests: RunTest) -> Run:
    report = RunReport(exit_status=0, tests=tests)
    return Run(number=number, exit_status=0, duration_ns=1, report=report)


def test_marks_and_measures_are_taken_from_the_reports_of_the_runs() -> None:
    """What failed or was skipped is told by others; a run without a report told nothing."""
    slow = _took(2 * 10**9)
    runs = [
        _told(
            1,
            t=RunTest(outcome=Outcome.PASSED, measures=slow),
            marked=RunTest(outcome=Outcome.PASSED, measures=slow, marks=({"max_duration": "3s"},)),
            failed=RunTest(outcome=Outcome.FAILED, measures=slow),
            skipped=RunTest(outcome=Outcome.SKIPPED, is_executed=False),
        ),
        Run(number=2, exit_status=-9, duration_ns=1, report=None),
    ]
    findings = hold_limits([parse_limit(DURATION, "1s")], runs)
    assert [(one.run, one.test) for one in findings.broken] == [(1, "t")]
    assert findings.breaks(1)
    assert not findings.breaks(2)
    assert findings.mistakes == ()


def test_a_mark_that_cannot_be_read_is_a_mistake_told_once() -> None:
    """Every run has it."""
    bad = RunTest(outcome=Outcome.PASSED, measures=_took(1), marks=({"max_phase": "decode"},))
    findings = hold_limits([], [_told(1, t=bad), _told(2, t=bad)])
    assert findings.mistakes == (
        (
            "repro_verify(max_phase='decode') cannot be used (t). "
            "Give a phase and its time, such as to_torch=0.5s."
        ),
    )


def test_the_marks_of_a_test_hold_together() -> None:
    """The nearer one replaces what a farther one says of the same, and of nothing else."""
    measures = _took(2 * 10**9, metrics={"loss": _measure(9.0), "acc": _measure(1.0)})
    near, far = {"metric": "acc>0.5", "max_duration": "3s"}, {"metric": "loss<0.1", "max_duration": "1s"}
    told = RunTest(outcome=Outcome.PASSED, measures=measures, marks=(near, far))
    assert [one.limit.text for one in hold_limits([], [_told(1, t=told)]).broken] == ["loss<0.1"]


def test_arguments_of_a_mark_without_a_keyword_are_a_mistake() -> None:
    """They would limit nothing."""
    bad = RunTest(outcome=Outcome.PASSED, measures=_took(1), marks=({POSITIONAL: ["max_duration=0.01s"]},))
    (mistake,) = hold_limits([], [_told(1, t=bad)]).mistakes
    assert mistake.startswith("repro_verify('max_duration=0.01s') cannot be used: it takes keyword arguments")


def test_a_limit_that_names_nothing_says_what_there_is_and_what_to_do() -> None:
    """A typing error is seen at once."""
    phase = UnrecordedLimit(limit=parse_limit(PHASE, "decod=1s"), test=None, recorded=("decode", "op"))
    metric = UnrecordedLimit(limit=parse_limit(METRIC, "rate>1"), test="test_x", recorded=())
    assert phase.reason == (
        "--verify-max-phase decod=1s: no test recorded a phase 'decod' (recorded: decode, op)."
        " Correct the name, or record it: --repro-timing does so for to_device, op and to_torch,"
        " repro.phase('decod') in the test for all others."
    )
    assert metric.reason == (
        "repro_verify(metric='rate>1'): test_x recorded no metric 'rate' (recorded: nothing)."
        " Correct the name, or record it in the test with repro.metric('rate', value)"
        " and without --no-repro-timing."
    )


def test_a_gap_tells_why_the_run_does_not_count() -> None:
    """The run, the test, what is missing."""
    gap = LimitGap(run=2, test="test_x", limit=parse_limit(PHASE, "op=1s"))
    assert gap.reason == "run 2 recorded no phase op of test_x, which other runs did and which has a limit"
