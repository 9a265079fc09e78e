"""The judgement on base and fix: certified only if the base failed and the fix never did."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_repro.model import Outcome, Signature
from pytest_repro.stress.match import PatternMatch
from pytest_repro.verify.certificate.base_bugs import Standing, looks_lacking
from pytest_repro.verify.certificate.judgement import (
    CertificateKind,
    CertificateVerdict,
    fewest_runs,
    is_proof,
    judge_certificate,
    must_stop,
    runs_needed_of_each,
)
from pytest_repro.verify.certificate.trial_limits import with_limits
from pytest_repro.verify.certificate.trials import Seen, Side, Trial, median_measures, median_ns
from pytest_repro.verify.limits import LimitKind, parse_limit
from pytest_repro.verify.measures import Measure, TestMeasures
from pytest_repro.verify.runs import Run, RunReport, RunTest

PASSED, FAILED, SKIPPED = Outcome.PASSED, Outcome.FAILED, Outcome.SKIPPED
BUG = Signature(exception="ValueError", message="lost", file="pkg/queue.py", function="drain")
OTHER_BUG = Signature(exception="OSError", message="full", file="pkg/disk.py", function="write")
TEST = "test_a.py::test_a"


def _run(number: int, *, exit_status: int = 0, **changes: Any) -> Run:
    outcomes = changes.pop("outcomes", {TEST: PASSED})
    if outcomes is None:
        return Run(number=number, exit_status=exit_status, duration_ns=1, report=None)
    tests = {test: RunTest(outcome=each, is_executed=each is not SKIPPED) for test, each in outcomes.items()}
    report = RunReport(exit_status=exit_status, tests=tests, **changes)
    return Run(number=number, exit_status=exit_status, duration_ns=1, report=report)


def _trial(side: Side, number: int, *seen: Signature, **changes: Any) -> Trial:
    fields: dict[str, Any] = {"outcomes": {TEST: FAILED if seen else PASSED}, "exit_status": 1 if seen else 0}
    foreign = changes.pop("foreign", ())
    return Trial(
        side=side,
        run=_run(number, **(fields | changes)),
        failures=tuple(Seen(test=TEST, signature=one, message=one.message) for one in seen),
        foreign=foreign,
    )


def _pairs(*base: Signature | None, fix_fails: int = 0) -> list[Trial]:
    """One trial of each side for each item: what the base fails with, or None where it passes."""
    trials = []
    for number, signature in enumerate(base, 1):
        trials.append(_trial(Side.BASE, number, *([signature] if signature else [])))
        trials.append(_trial(Side.FIX, number, *([BUG] if number <= fix_fails else [])))
    return trials


def _judged(trials: list[Trial], *, asked: int | None = None, **changes: Any) -> CertificateVerdict:
    options: dict[str, Any] = {"confidence": 0.95, "wanted": None} | changes
    return judge_certificate(trials, asked=asked or len(trials) // 2, **options)


def test_a_base_that_always_fails_and_a_fix_that_never_does_is_certified() -> None:
    """Three of three against none of three has a chance of one in twenty: 5 %."""
    verdict = _judged(_pairs(BUG, BUG, BUG))
    assert (verdict.kind, verdict.exit_status) == (CertificateKind.CERTIFIED, 0)
    assert verdict.chance == pytest.approx(0.05)
    assert (verdict.base.failed, verdict.base.runs, verdict.fix.failed, verdict.fix.runs) == (3, 3, 0, 3)
    assert verdict.base.interval.low == pytest.approx(0.025 ** (1 / 3))
    assert verdict.fix.interval.high == pytest.approx(1 - 0.025 ** (1 / 3))


def test_a_base_that_never_fails_proves_nothing() -> None:
    """However often the fix passes."""
    verdict = _judged(_pairs(*[None] * 20))
    assert (verdict.kind, verdict.exit_status) == (CertificateKind.NOT_REPRODUCED, 6)
    assert (verdict.chance, verdict.needed) == (1.0, None)


def test_a_fix_that_fails_once_is_none() -> None:
    """With the bug of the base or another one."""
    verdict = _judged(_pairs(BUG, BUG, BUG, BUG, fix_fails=1))
    assert (verdict.kind, verdict.exit_status, verdict.fix.failed) == (CertificateKind.FIX_FAILS, 1, 1)
    stopped = _judged(_pairs(BUG, fix_fails=1), asked=5)
    assert (stopped.kind, stopped.reasons) == (CertificateKind.FIX_FAILS, ())


def test_too_few_runs_are_said_to_be_too_few() -> None:
    """One of five against none of five happens half of the time without a difference."""
    verdict = _judged(_pairs(BUG, None, None, None, None))
    assert (verdict.kind, verdict.exit_status) == (CertificateKind.TOO_FEW, 6)
    assert verdict.chance == pytest.approx(0.5)
    assert verdict.needed == 25


@pytest.mark.parametrize(
    ("trial", "reason"),
    [
        (
            _trial(Side.BASE, 4, exit_status=2, outcomes={}, collection_errors=("test_a.py",)),
            "base run 4 could not collect test_a.py",
        ),
        (
            _trial(Side.BASE, 4, exit_status=-11, outcomes=None),
            "base run 4 ended with signal 11 and left no report",
        ),
        (_trial(Side.FIX, 4, outcomes={TEST: SKIPPED}), "fix run 4 skipped all of its 1 tests"),
        (_trial(Side.FIX, 4, rescued=(TEST,)), f"fix run 4 passed only because of a rerun of {TEST}"),
        (
            _trial(Side.FIX, 4, foreign=("pkg from /home/me/project/pkg",)),
            "fix run 4 imported pkg from /home/me/project/pkg instead of that of its own worktree",
        ),
        (_trial(Side.BASE, 4, BUG, foreign=("pkg",)), "base run 4 imported pkg instead of"),
        (_trial(Side.BASE, 4, outcomes={TEST: PASSED, "test_a.py::gone": PASSED}), "lacks test_a.py::gone"),
    ],
)
def test_a_run_that_does_not_count_ends_the_certificate(trial: Trial, reason: str) -> None:
    """The other runs may say what they will: what does not count is no proof."""
    partner = _trial(Side.FIX if trial.side is Side.BASE else Side.BASE, 4)
    verdict = _judged([*_pairs(BUG, BUG, BUG), partner, trial])
    assert (verdict.kind, verdict.exit_status) == (CertificateKind.INCOMPLETE, 6)
    assert any(reason in said for said in verdict.reasons), verdict.reasons


def test_a_base_that_cannot_be_collected_has_reproduced_nothing() -> None:
    """It ends badly in each run, and has not run the test in any."""
    broken = {"exit_status": 2, "outcomes": {}, "collection_errors": ("test_a.py",)}
    trials = [
        _trial(side, number, **(broken if side is Side.BASE else {})) for number in (1, 2, 3) for side in Side
    ]
    verdict = _judged(trials)
    assert verdict.kind is CertificateKind.INCOMPLETE
    assert verdict.base.runs == 0


def test_runs_that_did_not_take_place_are_missing() -> None:
    """Three pairs of five are no certificate, however they ended."""
    verdict = _judged(_pairs(BUG, BUG, BUG), asked=5)
    assert verdict.kind is CertificateKind.INCOMPLETE
    assert "2 of 5 runs of the base did not take place" in verdict.reasons


def test_only_the_failure_looked_for_counts() -> None:
    """The base fails in each run, but with the bug in three of them alone."""
    verdict = _judged(_pairs(OTHER_BUG, BUG, BUG, BUG), wanted=PatternMatch(pattern="lost"))
    assert (verdict.base.failed, verdict.base.runs) == (3, 4)
    assert [(bug.standing, bug.runs) for bug in verdict.bugs] == [
        (Standing.REPRODUCED, (2, 3, 4)),
        (Standing.OTHER, (1,)),
    ]
    assert (
        _judged(_pairs(OTHER_BUG), wanted=PatternMatch(pattern="lost")).kind is CertificateKind.NOT_REPRODUCED
    )


def _of_test(exception: str, message: str, file: str = "test_a.py") -> Signature:
    return Signature(exception=exception, message=message, file=file, function="test_a")


@pytest.mark.parametrize(
    ("signature", "is_lacking"),
    [
        (_of_test("ImportError", "cannot import name 'fixed' from 'pkg'"), True),
        (_of_test("ModuleNotFoundError", "No module named 'pkg.fixed'"), True),
        (_of_test("AttributeError", "module 'pkg' has no attribute 'fixed'"), True),
        (_of_test("AttributeError", "'Queue' object has no attribute 'fixed'"), True),
        (_of_test("TypeError", "f() got an unexpected keyword argument 'fixed'"), True),
        (_of_test("TypeError", "f() takes 1 positional argument but 2 were given"), True),
        (_of_test("_pytest.fixtures.FixtureLookupError", "fixture 'fixed' not found", "x.py"), True),
        (_of_test("NameError", "name 'fixed' is not defined", "tests/conftest.py"), True),
        (_of_test("AttributeError", "'NoneType' object has no attribute 'x'"), False),
        (_of_test("AttributeError", "module 'pkg' has no attribute 'x'", "pkg/queue.py"), False),
        (_of_test("ImportError", "cannot import name 'x'", "pkg/queue.py"), False),
        (_of_test("TypeError", "unsupported operand type(s)"), False),
        (_of_test("AssertionError", "assert 1 == 2"), False),
    ],
)
def test_a_test_that_uses_what_only_the_fix_has_reproduces_nothing(
    signature: Signature, *, is_lacking: bool
) -> None:
    """It fails in the base as it would in any program; unless the user names just this failure."""
    assert looks_lacking(Seen(test=TEST, signature=signature, message=signature.message)) is is_lacking
    verdict = _judged(_pairs(*[signature] * 5))
    assert verdict.kind is (CertificateKind.NOT_REPRODUCED if is_lacking else CertificateKind.CERTIFIED)
    assert verdict.bugs[0].standing is (Standing.LACKING if is_lacking else Standing.REPRODUCED)
    named = _judged(_pairs(*[signature] * 5), wanted=PatternMatch(pattern=signature.exception or ""))
    assert named.kind is CertificateKind.CERTIFIED


def test_what_is_not_there_is_not_there_in_any_run() -> None:
    """A failure of this kind that comes and goes is a bug like others."""
    lacking = _of_test("AttributeError", "'Queue' object has no attribute 'ready'")
    assert _judged(_pairs(lacking, None, lacking)).base.failed == 2


def test_a_failure_of_a_test_that_the_fix_does_not_run_reproduces_nothing() -> None:
    """The fix may have removed the test."""
    outcomes = {TEST: PASSED, "test_a.py::removed": FAILED}
    base = Trial(side=Side.BASE, run=_run(1, exit_status=1, outcomes=outcomes))
    verdict = _judged([base, _trial(Side.FIX, 1)])
    assert verdict.bugs[0].standing is Standing.NOT_IN_FIX
    assert verdict.base.failed == 0


def _timed(side: Side, number: int, *, took_ns: int, name: str = "to_torch") -> Trial:
    measure = Measure(count=1, low=took_ns, median=took_ns, high=took_ns)
    told = RunTest(outcome=PASSED, measures=TestMeasures(phases_ns={name: measure}))
    report = RunReport(exit_status=0, tests={TEST: told})
    return Trial(side=side, run=Run(number=number, exit_status=0, duration_ns=1, report=report))


LIMIT = parse_limit(LimitKind.PHASE, "to_torch=0.5s")


def test_a_limit_that_the_base_breaks_and_the_fix_keeps_is_a_fix() -> None:
    """A test that is too slow fails as much as any; and a fix that is too slow is none."""
    slow, fast = 8_600_000_000, 20_000_000
    trials = [
        _timed(side, number, took_ns=slow if side is Side.BASE else fast)
        for number in (1, 2, 3)
        for side in Side
    ]
    held, mistakes = with_limits(trials, [LIMIT])
    verdict = _judged(list(held))
    assert (verdict.kind, mistakes) == (CertificateKind.CERTIFIED, ())
    assert [(bug.limit, bug.runs) for bug in verdict.bugs] == [(LIMIT, (1, 2, 3))]
    assert median_measures(held) == {(TEST, "to_torch"): {Side.BASE: slow, Side.FIX: fast}}
    held, _ = with_limits([*trials[:-1], _timed(Side.FIX, 3, took_ns=slow)], [LIMIT])
    assert _judged(list(held)).kind is CertificateKind.FIX_FAILS


def test_a_limit_that_names_nothing_recorded_is_a_mistake() -> None:
    """A usage error and no certificate; where one side alone recorded it, the other does not count."""
    trials = [_timed(side, 1, took_ns=1, name="op") for side in Side]
    held, mistakes = with_limits(trials, [LIMIT])
    verdict = _judged(list(held), mistakes=mistakes)
    assert (verdict.kind, verdict.exit_status) == (CertificateKind.INCOMPLETE, 4)
    assert "no test recorded a phase 'to_torch'" in verdict.reasons[0]
    held, mistakes = with_limits([trials[0], _timed(Side.FIX, 1, took_ns=1)], [LIMIT])
    assert mistakes == ()
    assert f"base run 1 recorded no phase to_torch of {TEST}, which other runs did and which has a limit" in (
        _judged(list(held)).reasons
    )


@pytest.mark.parametrize(
    ("trial", "stops"),
    [
        (_trial(Side.BASE, 1, BUG), False),
        (_trial(Side.BASE, 1), False),
        (_trial(Side.FIX, 1), False),
        (_trial(Side.FIX, 1, BUG), True),
        (_trial(Side.BASE, 1, outcomes={TEST: SKIPPED}), True),
        (_trial(Side.BASE, 1, foreign=("pkg from elsewhere",)), True),
    ],
)
def test_the_comparison_stops_where_it_can_prove_nothing_any_more(trial: Trial, *, stops: bool) -> None:
    """A failing base is what is wanted; the rest is counted with --verify-keep-going alone."""
    assert must_stop(trial, [trial], keep_going=False) is stops
    assert not must_stop(trial, [trial], keep_going=True)


def test_the_comparison_stops_where_the_fix_shows_what_the_base_did_not_run() -> None:
    """A first run has nothing beside it to be compared with."""
    base = _trial(Side.BASE, 1)
    fix = _trial(Side.FIX, 1, outcomes={TEST: PASSED, "test_a.py::test_new": PASSED})
    assert not must_stop(base, [base], keep_going=False)
    assert must_stop(fix, [base, fix], keep_going=False)


@pytest.mark.parametrize("exit_status", [4, 2])
def test_a_comparison_that_cannot_go_on_stops_at_once(exit_status: int) -> None:
    """A usage error is the same in each run; an interrupt is meant."""
    trial = _trial(Side.BASE, 1, exit_status=exit_status, outcomes=None)
    assert must_stop(trial, [trial], keep_going=True)


def test_a_failure_without_a_signature_counts() -> None:
    """A worker that died says no more than that it did; where one failure is looked for, it is not that."""
    trials = _pairs(None, None, None)
    for place in (0, 2, 4):
        run = _run(trials[place].run.number, exit_status=1, outcomes={TEST: Outcome.CRASH})
        trials[place] = Trial(side=Side.BASE, run=run)
    assert _judged(trials).kind is CertificateKind.CERTIFIED
    assert _judged(trials, wanted=PatternMatch(pattern="lost")).kind is CertificateKind.NOT_REPRODUCED


@given(st.lists(st.sampled_from([None, BUG, OTHER_BUG]), max_size=8), st.integers(0, 8), st.integers(1, 9))
def test_certified_is_said_of_nothing_else(base: list[Signature | None], fix_fails: int, asked: int) -> None:
    """Whatever the runs were: all there, the base failed, the fix did not, and chance does not explain it."""
    verdict = _judged(_pairs(*base, fix_fails=fix_fails), asked=asked)
    failed = sum(1 for signature in base if signature)
    runs = len(base)
    p_value = math.comb(runs, failed) / math.comb(2 * runs, failed) if runs else 1.0
    is_certified = runs >= asked and failed > 0 and not min(fix_fails, runs) and p_value <= 0.05 + 1e-9
    assert (verdict.exit_status == 0) is is_certified
    assert (verdict.kind is CertificateKind.CERTIFIED) is is_certified
    assert (verdict.exit_status == 1) is (min(fix_fails, runs) > 0)


@given(st.integers(1, 40), st.integers(0, 39), st.sampled_from([0.9, 0.95, 0.99]))
def test_the_number_of_runs_needed_is_enough_and_no_multiple_below_is(
    failed: int, passed: int, confidence: float
) -> None:
    """At the rate that was seen, rounded down."""
    runs = failed + passed
    needed = runs_needed_of_each(failed, runs, confidence=confidence)
    assert needed is not None

    def chance(each: int) -> float:
        failures = failed * each // runs
        return math.comb(each, failures) / math.comb(2 * each, failures)

    assert is_proof(chance(needed), confidence)
    assert not any(is_proof(chance(each), confidence) for each in range(1, needed))


def test_where_failures_are_too_rare_no_number_is_said() -> None:
    """One in a million cannot be certified by runs one after the other."""
    assert runs_needed_of_each(1, 10**6, confidence=0.95) is None
    assert runs_needed_of_each(0, 5, confidence=0.95) is None


@pytest.mark.parametrize(("confidence", "fewest"), [(0.9, 3), (0.95, 3), (0.99, 5), (0.999, 7)])
def test_fewer_runs_cannot_prove_anything(confidence: float, fewest: int) -> None:
    """All of the base failing and none of the fix is the most that can be seen."""
    assert fewest_runs(confidence) == fewest
    assert 1 / math.comb(2 * fewest, fewest) <= (1 - confidence) * 1.000001
    assert 1 / math.comb(2 * fewest - 2, fewest - 1) > 1 - confidence


def test_the_median_of_durations() -> None:
    """Of an even number the middle between two."""
    assert [median_ns(values) for values in ([], [3], [1, 9, 2], [4, 1, 9, 2])] == [None, 3, 2, 3]
