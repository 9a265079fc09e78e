"""The gate's judgement: stable only if every run that was asked for is valid and passed."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_repro.errors import StoreError
from pytest_repro.model import Outcome
from pytest_repro.verify.held import hold_limits
from pytest_repro.verify.limits import LimitKind, parse_limit
from pytest_repro.verify.measures import Measure, TestMeasures
from pytest_repro.verify.runs import Run, RunReport, RunTest
from pytest_repro.verify.verdict import VerdictKind, judge, must_stop, named

PASSED, FAILED, SKIPPED, XFAILED = Outcome.PASSED, Outcome.FAILED, Outcome.SKIPPED, Outcome.XFAILED


def _run(number: int = 1, *, exit_status: int = 0, **changes: Any) -> Run:
    outcomes = changes.pop("outcomes", {"t": PASSED})
    if outcomes is None:
        return Run(number=number, exit_status=exit_status, duration_ns=1, report=None)
    tests = {test: RunTest(outcome=each, is_executed=each is not SKIPPED) for test, each in outcomes.items()}
    facts: dict[str, Any] = {"exit_status": exit_status, "tests": tests} | changes
    return Run(number=number, exit_status=exit_status, duration_ns=1, report=RunReport(**facts))


def test_all_runs_passed_is_stable() -> None:
    """The only way to exit status 0."""
    verdict = judge([_run(1), _run(2)], asked=2)
    assert (verdict.kind, verdict.exit_status, verdict.passed) == (VerdictKind.STABLE, 0, 2)


def test_one_failing_run_is_unstable() -> None:
    """However many passed."""
    runs = [_run(1), _run(2, exit_status=1, outcomes={"t": FAILED})]
    verdict = judge(runs, asked=5)
    assert (verdict.kind, verdict.exit_status, verdict.failed, verdict.passed) == (
        VerdictKind.UNSTABLE,
        1,
        (2,),
        1,
    )


@pytest.mark.parametrize(
    ("run", "reason"),
    [
        (_run(exit_status=-9, outcomes=None), "run 1 ended with signal 9 and left no report"),
        (_run(outcomes={"t": SKIPPED, "u": SKIPPED}), "run 1 skipped all of its 2 tests"),
        (_run(exit_status=5, outcomes={}), "run 1 collected no test"),
        (_run(rescued=("t",)), "run 1 passed only because of a rerun of t"),
        (_run(hidden=("t",)), "run 1 reports as passed what failed: t"),
        (_run(exit_status=2, collection_errors=("test_a.py",)), "run 1 could not collect test_a.py"),
        (_run(exit_status=3), "run 1 shows no failing test but ended with exit status 3"),
        (_run(exit_status=6), "run 1 shows no failing test but ended with exit status 6"),
        (_run(exit_status=-11), "run 1 shows no failing test but ended with signal 11"),
        (_run(not_run=("u", "v")), "run 1 collected and never ran u, v"),
        (_run(lost_workers=("gw1",)), "run 1 lost gw1 of xdist's workers"),
        (
            _run(tests={"t": RunTest(outcome=PASSED, is_executed=False)}),
            "run 1 reports as passed without having called it: t",
        ),
        (
            _run(tests={"t": RunTest(outcome=PASSED, iterations=7, missing=3)}),
            "run 1 executed 7 of 10 iterations of t",
        ),
        (
            _run(tests={"t": RunTest(outcome=Outcome.XFAILED)}),
            "run 1 has only tests that failed as expected (xfail): nothing passed",
        ),
        (
            _run(tests={"t": RunTest(outcome=PASSED, iterations=50, outcomes={PASSED: 1, XFAILED: 49})}),
            "run 1 excused 49 of 50 iterations of t (xfail), which passed in others",
        ),
        (
            _run(tests={"t": RunTest(outcome=PASSED, outcomes={Outcome.XPASSED: 2, XFAILED: 1})}),
            "run 1 excused 1 of 3 executions of t (xfail), which passed in others",
        ),
        (
            replace(_run(exit_status=1), exit_status=0),
            "run 1 ended with exit status 0, its session with exit status 1",
        ),
    ],
)
def test_a_run_that_does_not_count_makes_the_verdict_incomplete(run: Run, reason: str) -> None:
    """Green is not enough: the run must have executed what was asked, itself."""
    verdict = judge([run], asked=1)
    assert verdict.kind is VerdictKind.INCOMPLETE
    assert reason in verdict.reasons
    assert verdict.exit_status == (5 if run.exit_status == 5 else 6)


def test_runs_that_did_not_take_place_make_the_verdict_incomplete() -> None:
    """A gate that was cut short proves nothing, even without any run."""
    assert judge([_run(1)], asked=3).reasons == ("2 of 3 runs did not take place",)
    assert judge([_run(1)], asked=1_900).reasons == ("1,899 of 1,900 runs did not take place",)
    assert (judge([], asked=3).kind, judge([], asked=3).exit_status) == (VerdictKind.INCOMPLETE, 6)


def test_what_runs_leave_unproved_makes_the_verdict_incomplete() -> None:
    """However many of them passed: more was asked for than they can prove."""
    verdict = judge([_run(1), _run(2)], asked=2, unproved=["no number of such runs proves t repaired"])
    assert (verdict.kind, verdict.exit_status) == (VerdictKind.INCOMPLETE, 6)
    assert verdict.reasons == ("no number of such runs proves t repaired",)
    failing = _run(3, exit_status=1, outcomes={"t": FAILED})
    assert judge([failing], asked=1, unproved=["unproved"]).kind is VerdictKind.UNSTABLE


@pytest.mark.parametrize(
    ("outcomes", "reason"),
    [
        ({"t": PASSED, "u": SKIPPED}, "run 2 skipped u, which other runs executed"),
        ({"t": PASSED}, "run 2 lacks u, which other runs executed"),
        ({"t": PASSED, "u": Outcome.XFAILED}, "run 2 excused u (xfail), which passed in other runs"),
    ],
)
def test_every_run_must_execute_the_same_tests(outcomes: dict[str, Outcome], reason: str) -> None:
    """A test that was skipped, excused or gone in one run did not pass it."""
    runs = [_run(1, outcomes={"t": PASSED, "u": PASSED}), _run(2, outcomes=outcomes)]
    verdict = judge(runs, asked=2)
    assert (verdict.kind, verdict.reasons) == (VerdictKind.INCOMPLETE, (reason,))


def test_a_test_that_every_run_skips_does_not_spoil_the_others() -> None:
    """A skip that is the same in all runs is part of the suite."""
    runs = [_run(number, outcomes={"t": PASSED, "u": SKIPPED}) for number in (1, 2)]
    verdict = judge(runs, asked=2)
    assert verdict.kind is VerdictKind.STABLE
    assert verdict.notes == ("nothing is proved of what every run skipped: u",)


def test_expected_failures_are_executed_tests() -> None:
    """An xfail or xpass says something about the test: it ran. Of an xfail nothing is proved."""
    outcomes = {"t": Outcome.XFAILED, "u": Outcome.XPASSED}
    verdict = judge([_run(1, outcomes=outcomes)], asked=1)
    assert verdict.kind is VerdictKind.STABLE
    assert verdict.notes == ("nothing is proved of what every run excused (xfail): t",)


def test_a_deselected_test_is_told_apart_from_one_that_is_gone() -> None:
    """Somebody chose by chance."""
    runs = [_run(1, outcomes={"t": PASSED, "u": PASSED}), _run(2, deselected=("u",))]
    assert judge(runs, asked=2).reasons == ("run 2 deselected u, which other runs executed",)


def test_a_subtest_that_only_one_run_skipped_speaks_against_it() -> None:
    """The test passed, a part of it did not run."""
    whole, partly = RunTest(outcome=PASSED), RunTest(outcome=PASSED, skipped_parts=("(i=1)",))
    runs = [_run(1, tests={"t": whole}), _run(2, tests={"t": partly})]
    assert judge(runs, asked=2).reasons == ("run 2 skipped parts of t that other runs executed: (i=1)",)
    assert judge([_run(1, tests={"t": partly}), runs[1]], asked=2).kind is VerdictKind.STABLE


@pytest.mark.parametrize(
    ("parts", "reason"),
    [
        ((), "run 2 lacks parts of t that other runs executed: (i=0), (i=1)"),
        (("(i=1)",), "run 2 lacks parts of t that other runs executed: (i=0)"),
        (("(i=1)", "(i=1)"), "run 2 lacks parts of t that other runs executed: (i=0)"),
        (("(i=2)",), "run 2 executed fewer parts of t than other runs: 1 of 2"),
        # A name may hold a folder, or what was drawn: as many parts under other names are no fewer.
        (("(i=2)", "(i=3)"), ""),
    ],
)
def test_a_subtest_that_is_gone_in_one_run_speaks_against_it(parts: tuple[str, ...], reason: str) -> None:
    """The test passed, a part of it did not run."""
    whole = RunTest(outcome=PASSED, parts=("(i=0)", "(i=1)"), parts_executed=2)
    other = RunTest(outcome=PASSED, parts=tuple(dict.fromkeys(parts)), parts_executed=len(parts))
    verdict = judge([_run(1, tests={"t": whole}), _run(2, tests={"t": other})], asked=2)
    assert verdict.reasons == ((reason,) if reason else ())


def test_a_subtest_that_was_skipped_is_told_once() -> None:
    """It is not gone as well."""
    whole = RunTest(outcome=PASSED, parts=("(i=0)", "(i=1)"), parts_executed=2)
    other = RunTest(outcome=PASSED, parts=("(i=0)",), parts_executed=1, skipped_parts=("(i=1)",))
    verdict = judge([_run(1, tests={"t": whole}), _run(2, tests={"t": other})], asked=2)
    assert verdict.reasons == ("run 2 skipped parts of t that other runs executed: (i=1)",)


def test_nothing_is_proved_of_files_that_every_run_skips() -> None:
    """Their tests have no names."""
    runs = [_run(number, skipped_files=("b.py", f"{number}.py")) for number in (1, 2)]
    verdict = judge(runs, asked=2)
    assert verdict.kind is VerdictKind.STABLE
    assert verdict.notes == ("nothing is proved of what every run skipped: b.py",)


def test_every_run_must_execute_a_test_as_often() -> None:
    """Items of one name, or those on each worker, count each; reruns and iterations are told otherwise."""
    twice, once = ({"t": RunTest(outcome=PASSED, outcomes={PASSED: number})} for number in (2, 1))
    runs = [_run(1, tests=twice), _run(2, tests=once)]
    assert judge(runs, asked=2).reasons == ("run 2 executed t less often than other runs",)

    rerun = [_run(1, tests=twice, rescued=("t",)), _run(2, tests=once)]
    assert judge(rerun, asked=2).reasons == ("run 1 passed only because of a rerun of t",)
    stressed = [
        _run(number, tests={"t": RunTest(outcome=PASSED, iterations=number, outcomes={PASSED: number})})
        for number in (1, 2)
    ]
    assert judge(stressed, asked=2).kind is VerdictKind.STABLE


def test_many_tests_are_named_by_some() -> None:
    """A reason stays readable."""
    assert named("ab") == "a, b"
    assert named("abcd") == "a, b, c and 1 other"
    assert named("abcde") == "a, b, c and 2 others"


def test_a_run_reports_itself_through_a_file() -> None:
    """What is written is what is read; anything else is refused."""
    report = _run(1, outcomes={"t": PASSED, "u": SKIPPED}, rescued=("t",), seeds={"--repro-seed": "1"}).report
    assert report is not None
    told = RunTest(outcome=PASSED, outcomes={PASSED: 2, XFAILED: 1})
    report = replace(report, tests={**report.tests, "v": told})
    assert RunReport.from_payload(json.loads(json.dumps(report.to_payload()))) == report
    with pytest.raises(StoreError, match="A run's report cannot be read"):
        RunReport.from_payload(report.to_payload() | {"tests": {"t": {"outcome": "splendid"}}})
    endless = report.tests["t"].to_payload() | {"iterations": float("inf")}
    with pytest.raises(StoreError, match="A run's report cannot be read"):
        RunReport.from_payload(report.to_payload() | {"tests": {"t": endless}})


@given(
    st.lists(
        st.builds(
            _run,
            number=st.just(1),
            exit_status=st.sampled_from([0, 1, 2, 3, 5, 6, -11]),
            outcomes=st.none() | st.dictionaries(st.sampled_from("tuv"), st.sampled_from(list(Outcome))),
            rescued=st.sampled_from([(), ("t",)]),
            collection_errors=st.sampled_from([(), ("f",)]),
        ),
        max_size=4,
    ),
    st.integers(1, 4),
)
def test_stable_is_only_what_is_stable(runs: list[Run], asked: int) -> None:
    """Whatever happens in the runs: stable means all asked for, each executed, none failed, none rescued."""
    verdict = judge(runs, asked=asked)
    if verdict.kind is VerdictKind.STABLE:
        assert len(runs) >= asked
        assert all(run.executed and not run.failed and run.exit_status == 0 for run in runs)
        reports = [run.report for run in runs]
        assert not any(report is None or report.rescued or report.collection_errors for report in reports)
        assert len({run.executed for run in runs}) == 1
    assert (verdict.exit_status == 0) == (verdict.kind is VerdictKind.STABLE)


@pytest.mark.parametrize(
    ("run", "keep_going", "expected"),
    [
        (_run(exit_status=4, outcomes=None), True, True),
        (_run(rescued=("t",)), False, True),
        (_run(rescued=("t",)), True, False),
        (_run(), False, False),
        (_run(exit_status=1, outcomes={"t": FAILED}), False, True),
        (_run(exit_status=1, outcomes={"t": FAILED}), True, False),
        (_run(outcomes={"t": SKIPPED}), False, True),
        (_run(exit_status=2), True, True),
        (_run(exit_status=2, outcomes={"t": FAILED}), True, False),
    ],
)
def test_the_gate_stops_where_no_further_run_helps(run: Run, *, keep_going: bool, expected: bool) -> None:
    """At the first failing run unless told to keep going, and always when a run was interrupted."""
    assert must_stop(run, [run], keep_going=keep_going) is expected


def _measured(number: int, duration_s: float, **marks: str) -> Run:
    value = round(duration_s * 10**9)
    measures = TestMeasures(duration_ns=Measure(count=1, low=value, median=value, high=value))
    tests = {"t": RunTest(outcome=PASSED, measures=measures, marks=(marks,))}
    return Run(number=number, exit_status=0, duration_ns=1, report=RunReport(exit_status=0, tests=tests))


def test_a_broken_limit_makes_a_run_fail_in_which_all_tests_passed() -> None:
    """The gate stops at it, as at a failing test."""
    runs = [_measured(1, 1.0), _measured(2, 6.0)]
    held = hold_limits([parse_limit(LimitKind.DURATION, "5s")], runs)
    verdict = judge(runs, asked=3, held=held)
    assert (verdict.kind, verdict.exit_status, verdict.failed) == (VerdictKind.UNSTABLE, 1, (2,))
    assert (verdict.passed, verdict.reasons) == (1, ())
    assert [(one.run, one.value) for one in verdict.broken] == [(2, 6 * 10**9)]
    assert must_stop(runs[1], runs, keep_going=False, held=held)
    assert not must_stop(runs[1], runs, keep_going=True, held=held)


@pytest.mark.parametrize(
    ("marks", "stops_anyway"), [({"metric": "rate>1"}, False), ({"max_duration": "soon"}, True)]
)
def test_a_limit_that_says_nothing_is_a_usage_error(marks: dict[str, str], *, stops_anyway: bool) -> None:
    """No further run can be worth its time where a mark cannot be read."""
    runs = [_measured(1, 1.0, **marks)]
    held = hold_limits([], runs)
    verdict = judge(runs, asked=1, held=held)
    assert (verdict.kind, verdict.exit_status, verdict.passed) == (VerdictKind.INCOMPLETE, 4, 0)
    assert verdict.reasons == held.mistakes
    assert len(verdict.reasons) == 1
    assert must_stop(runs[0], runs, keep_going=False, held=held)
    assert must_stop(runs[0], runs, keep_going=True, held=held) is stops_anyway


def test_a_failing_test_weighs_more_than_a_limit_that_says_nothing() -> None:
    """It may have ended before it recorded anything."""
    runs = [_run(1, exit_status=1, outcomes={"t": FAILED, "u": PASSED})]
    held = hold_limits([parse_limit(LimitKind.METRIC, "rate>1")], runs)
    verdict = judge(runs, asked=1, held=held)
    assert (verdict.kind, verdict.exit_status, verdict.reasons) == (VerdictKind.UNSTABLE, 1, ())


def test_a_run_that_recorded_less_than_the_others_does_not_count() -> None:
    """Its limit was not held against it."""
    value = Measure(count=1, low=5.0, median=5.0, high=5.0)
    told = RunTest(outcome=PASSED, measures=TestMeasures(metrics={"rate": value}))
    report = RunReport(exit_status=0, tests={"t": told})
    runs = [Run(number=1, exit_status=0, duration_ns=1, report=report), _measured(2, 1.0)]
    held = hold_limits([parse_limit(LimitKind.METRIC, "rate>1")], runs)
    verdict = judge(runs, asked=2, held=held)
    assert (verdict.kind, verdict.exit_status, verdict.passed) == (VerdictKind.INCOMPLETE, 6, 1)
    assert verdict.reasons == (
        "run 2 recorded no metric rate of t, which other runs did and which has a limit",
    )
    assert must_stop(runs[1], runs, keep_going=False, held=held)


def test_an_unsteady_test_is_named_and_the_verdict_stays() -> None:
    """It has passed in every run."""
    verdict = judge([_measured(number, 9.0 if number == 4 else 1.0) for number in range(1, 6)], asked=5)
    assert (verdict.kind, verdict.exit_status) == (VerdictKind.STABLE, 0)
    assert [(one.test, one.run) for one in verdict.unsteady] == [("t", 4)]


def test_what_every_run_executes_and_skips_is_proved_by_half() -> None:
    """As with workers of several interpreters, where one has nothing to do."""
    runs = [
        _run(number, tests={"t": RunTest(outcome=PASSED, outcomes={PASSED: 1, SKIPPED: 1})})
        for number in (1, 2)
    ]
    verdict = judge(runs, asked=2)
    assert verdict.kind is VerdictKind.STABLE
    assert verdict.notes == ("of what was both executed and skipped, only the former is proved: t",)
