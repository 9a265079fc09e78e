"""The tally: batches in, rates and bugs out."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from pytest_repro.model import Failure, Outcome, Signature, Stage
from pytest_repro.stress.plan import StressPlan
from pytest_repro.stress.tally import BUGS_WITH_TEXT, StressTally


def _failure(iteration: int, *, message: str = "m", ended_ns: int = 0) -> dict[str, Any]:
    signature = {"key": message, "exception": "E", "message": message, "file": "a.py", "function": "f"}
    return {
        "iteration": iteration,
        "outcome": "failed",
        "stage": "call",
        "signature": signature,
        "message": message,
        "seed": 1,
        "hash_seed": None,
        "ended_ns": ended_ns,
        "text": "traceback",
        "reports": None,
    }


def _batch(
    outcomes: Sequence[tuple[str, int]], *, test: str = "t", failures: Sequence[dict[str, Any]] = ()
) -> dict[str, Any]:
    durations = array("q", range(100, 100 + sum(number for _, number in outcomes)))
    return {
        "test": test,
        "worker": "gw0",
        "first": 1,
        "step": 1,
        "started_ns": 0,
        "durations_ns": durations.tobytes(),
        "outcomes": outcomes,
        "stages_ns": [1, 2, 3],
        "failures": failures,
        "profiles": [],
        "hash_seeds": [],
    }


def _tally(iterations: int | None = 10, **plan: Any) -> StressTally:
    return StressTally(StressPlan(iterations=iterations, **plan), began_ns=1000)


def test_iterations_are_counted_by_outcome() -> None:
    """Finished, executed, skipped, failed and missing add up."""
    tally = _tally(10)
    tally.add_batch(_batch([("passed", 3), ("skipped", 2)]))
    tally.add_batch(_batch([("failed", 1)], failures=[_failure(6)]))
    summary = tally.summary("t")
    assert (summary.finished, summary.executed, summary.skipped) == (6, 4, 2)
    assert (summary.failures, summary.missing, summary.failure_rate) == (1, 4, 0.25)
    assert (summary.fastest_ns, summary.slowest_ns, summary.stages_ns) == (100, 104, (2, 4, 6))


def test_failures_of_one_signature_are_one_bug_also_over_several_tests() -> None:
    """Two messages make two bugs, two tests with one message make one."""
    tally = _tally()
    tally.add_batch(_batch([("failed", 2)], failures=[_failure(1), _failure(2, message="other")]))
    tally.add_batch(_batch([("failed", 1)], test="u", failures=[_failure(1)]))
    assert [(bug.signature.message, bug.failures, bug.tests) for bug in tally.bugs()] == [
        ("m", 2, ("t", "u")),
        ("other", 1, ("t",)),
    ]


def test_the_first_failure_is_the_first_in_time() -> None:
    """Not the lowest number, and not the first to arrive: workers run side by side."""
    tally = _tally()
    tally.add_batch(_batch([("failed", 1)], failures=[_failure(3, ended_ns=9000)]))
    tally.add_batch(_batch([("failed", 1)], failures=[_failure(8, ended_ns=4000)]))
    first = tally.summary("t").first_failure
    assert first is not None
    assert (first.iteration, first.elapsed_ns) == (8, 3000)
    assert tally.bugs()[0].first.iteration == 8


def test_a_test_that_never_ran_is_missed() -> None:
    """What was collected and did not run is stated."""
    tally = _tally(10)
    tally.expect(["t", "u"])
    tally.add_batch(_batch([("passed", 10)]))
    assert [(summary.test, summary.missing, summary.is_complete) for summary in tally.summaries()] == [
        ("t", 0, True),
        ("u", 10, False),
    ]


def test_a_test_that_always_skips_is_complete_and_one_that_sometimes_skips_is_not() -> None:
    """A skip now and then means fewer valid iterations than asked."""
    always, sometimes = _tally(3), _tally(3)
    always.add_batch(_batch([("skipped", 3)]))
    sometimes.add_batch(_batch([("passed", 2), ("skipped", 1)]))
    assert always.summary("t").is_complete
    assert not sometimes.summary("t").is_complete


def test_a_budget_is_kept_with_one_iteration() -> None:
    """Where time may end a test, one iteration of it fulfils what was asked; none does not."""
    tally = _tally(None, budget_ns=5)
    tally.expect(["t", "u"])
    tally.add_batch(_batch([("passed", 1)]))
    assert tally.summary("t").is_complete
    assert (tally.summary("u").is_complete, tally.summary("u").missing) == (False, 1)


def test_a_replay_plans_one_iteration() -> None:
    """The number of the original stress run does not count."""
    tally = _tally(500, only_iteration=7)
    tally.add_batch(_batch([("passed", 1)]))
    assert (tally.summary("t").planned, tally.summary("t").missing) == (1, 0)


def test_a_crash_counts_as_an_iteration_and_as_a_bug() -> None:
    """The iteration that ended with its process came in no batch."""
    tally = _tally(10)
    tally.add_batch(_batch([("passed", 4)]))
    tally.add_death(
        Failure(
            test="t",
            iteration=5,
            outcome=Outcome.CRASH,
            stage=Stage.CALL,
            signature=Signature(exception=None, message="died"),
            message="died",
            seed=None,
            worker="gw1",
            elapsed_ns=5,
        ),
        is_counted=False,
    )
    summary = tally.summary("t")
    assert (summary.executed, summary.failures, summary.outcomes[Outcome.CRASH]) == (5, 1, 1)
    assert tally.bugs()[0].failures == 1


def test_a_test_without_iterations_has_no_rate() -> None:
    """Nothing ran, nothing is known."""
    tally = _tally(10)
    tally.expect(["t"])
    assert tally.summary("t").failure_rate is None
    assert tally.summary("t").interval.high == 1.0


def test_what_finished_of_what_is_planned_is_known_while_the_run_goes_on() -> None:
    """Of all tests together, crashes included; a test that was collected twice is planned twice."""
    tally = _tally(10)
    tally.expect(["t", "u", "u"])
    assert (tally.planned, tally.finished, tally.distinct_bugs) == (30, 0, 0)
    tally.add_batch(_batch([("passed", 3), ("skipped", 2)]))
    failures = [_failure(1, message="a"), _failure(2, message="b"), _failure(3, message="a")]
    tally.add_batch(_batch([("failed", 3)], test="u", failures=failures))
    assert (tally.finished, tally.failures, tally.distinct_bugs) == (8, 3, 2)
    tally.add_death(replace(tally.bugs()[0].first, outcome=Outcome.CRASH), is_counted=False)
    assert (tally.planned, tally.finished, tally.failures, tally.distinct_bugs) == (30, 9, 4, 2)


def test_a_budget_plans_no_number_of_iterations_and_a_replay_plans_one() -> None:
    """For each test."""
    timed = _tally(None, budget_ns=5)
    replayed = _tally(50, only_iteration=7)
    for tally in (timed, replayed):
        tally.expect(["t", "u"])
    assert (timed.planned, replayed.planned) == (None, 2)


def _match(iteration: int, *, message: str = "m", ended_ns: int = 0, is_match: bool) -> dict[str, Any]:
    return _failure(iteration, message=message, ended_ns=ended_ns) | {"is_match": is_match}


def test_failures_that_are_looked_for_are_counted_apart_and_come_first() -> None:
    """Their bug is first, its first match is shown, and only they count for what ends a test."""
    tally = _tally()
    failures = [
        _match(1, message="other", ended_ns=2000, is_match=False),
        _match(2, message="wanted", ended_ns=3000, is_match=False),
        _match(4, message="wanted", ended_ns=5000, is_match=True),
        _match(3, message="wanted", ended_ns=4000, is_match=True),
    ]
    tally.add_batch(_batch([("failed", 4)], failures=failures))
    assert [
        (bug.signature.message, bug.failures, bug.matches, bug.first.iteration) for bug in tally.bugs()
    ] == [
        ("wanted", 3, 2, 3),
        ("other", 1, 0, 1),
    ]
    assert tally.counted_failures == 2
    summary = tally.summary("t")
    assert summary.first_match is not None
    assert (summary.failures, summary.matches, summary.first_match.iteration) == (4, 2, 3)


def test_a_bug_that_is_looked_for_keeps_its_text_however_many_others_there_are() -> None:
    """Other bugs past the first fifty do not."""
    tally = _tally()
    others = [_match(number, message=f"m{number}", is_match=False) for number in range(BUGS_WITH_TEXT + 1)]
    tally.add_batch(_batch([("failed", 52)], failures=[*others, _match(99, message="wanted", is_match=True)]))
    wanted, *rest = tally.bugs()
    assert (wanted.signature.message, wanted.first.text) == ("wanted", "traceback")
    assert [bug.first.text for bug in rest].count(None) == 1


def test_without_a_bug_to_look_for_every_failure_counts() -> None:
    """And none is a match."""
    tally = _tally()
    tally.add_batch(_batch([("failed", 2)], failures=[_failure(1), _failure(2)]))
    assert (tally.counted_failures, tally.bugs()[0].is_match, tally.summary("t").first_match) == (
        2,
        False,
        None,
    )


def _closing(iteration: int) -> dict[str, Any]:
    failure = {**_failure(iteration, message="late"), "outcome": "error"}
    return {"test": "t", "worker": "gw0", "hash_seeds": [], "failure": failure}


def test_a_late_teardown_that_fails_has_its_iteration_fail_after_all() -> None:
    """It was counted as passed."""
    tally = _tally()
    tally.add_batch(_batch([("passed", 3)]))
    tally.add_closing_failure(_closing(3))
    summary = tally.summary("t")
    assert (summary.finished, summary.failures) == (3, 1)
    assert summary.outcomes == {Outcome.PASSED: 2, Outcome.ERROR: 1}


def test_a_late_teardown_makes_no_second_failure_of_an_iteration_that_had_failed() -> None:
    """It is one more bug; the iterations that passed have passed."""
    tally = _tally()
    tally.add_batch(_batch([("passed", 2), ("failed", 1)], failures=[_failure(3)]))
    tally.add_closing_failure(_closing(3))
    summary = tally.summary("t")
    assert (summary.finished, summary.failures) == (3, 1)
    assert summary.outcomes == {Outcome.PASSED: 2, Outcome.FAILED: 1}
    assert [bug.signature.message for bug in tally.bugs()] == ["m", "late"]


def test_what_fails_after_its_iteration_has_no_place_in_the_order_of_failures() -> None:
    """A late teardown and a death after the iteration follow the pass that they replace: no pattern."""
    tally = _tally()
    for worker in ("gw0", "gw1"):
        tally.add_batch({**_batch([("passed", 1)]), "worker": worker})
        late = tally.add_closing_failure({**_closing(1), "worker": worker})
        tally.add_death(replace(late, iteration=2, outcome=Outcome.CRASH), is_counted=True)
    summary = tally.summary("t")
    assert summary.failures == 2
    assert summary.pattern is None
