"""The line that tells how far a stress run is."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pytest_repro.order.search import SearchState, Stage
from pytest_repro.report.order import SearchProgress
from pytest_repro.report.progress import StressProgress

HALFWAY = StressProgress(
    finished=12_345, planned=100_000, failures=3, bugs=2, rate_per_s=4121.4, left_ns=20_400_000_000
)


def test_the_line_tells_iterations_failures_bugs_rate_and_time_left() -> None:
    """All of it, where there is room."""
    whole = "stress: 12,345 of 100,000 iterations, 3 failures (2 bugs), 4,120/s, 21 s left"
    assert HALFWAY.line() == whole
    assert HALFWAY.line(width=199) == whole
    assert HALFWAY.line(width=len(whole)) == whole


@pytest.mark.parametrize(
    ("width", "expected"),
    [
        (76, "stress: 12,345 of 100,000, 3 failures (2 bugs), 4,120/s, 21 s left"),
        (60, "stress: 12,345 of 100,000, 3 failures, 4,120/s, 21 s left"),
        (50, "stress: 12,345 of 100,000, 3 failures, 21 s left"),
        (39, "stress: 12,345 of 100,000, 3 failures"),
        (30, "stress: 12,345, 3 failures"),
        (20, "stress: 12,345"),
        (9, "stress: 1"),
        (0, ""),
    ],
)
def test_what_matters_least_is_left_out_first(width: int, expected: str) -> None:
    """The line never gets wider than the terminal: failures and iterations are the last to go."""
    assert HALFWAY.line(width=width) == expected


@pytest.mark.parametrize("width", range(200))
def test_no_line_is_wider_than_it_may_be(width: int) -> None:
    """Not with large numbers either."""
    late = replace(HALFWAY, finished=10**9, planned=10**10, failures=10**6, left_ns=10**15)
    assert len(late.line(width=width)) <= width


def test_the_short_line_tells_iterations_and_failures() -> None:
    """For -q, however wide the terminal is."""
    assert (
        HALFWAY.line(width=199, is_short=True)
        == HALFWAY.line(is_short=True)
        == "stress: 12,345 of 100,000, 3 failures"
    )


def test_what_is_not_known_is_not_told() -> None:
    """No rate before the first batch, no end without a number or a budget."""
    begins = replace(HALFWAY, finished=0, failures=0, bugs=0, rate_per_s=None, left_ns=None)
    assert begins.line() == "stress: 0 of 100,000 iterations, no failure"


def test_without_a_number_of_iterations_only_those_that_ran_are_told() -> None:
    """A time budget plans none."""
    timed = replace(HALFWAY, planned=None)
    assert timed.line() == "stress: 12,345 iterations, 3 failures (2 bugs), 4,120/s, 21 s left"


def test_one_of_a_thing_is_told_in_the_singular() -> None:
    """One iteration, one failure, one bug."""
    one = StressProgress(finished=1, planned=1, failures=1, bugs=1, rate_per_s=0.0, left_ns=0)
    assert one.line() == "stress: 1 of 1 iteration, 1 failure (1 bug), 0/h, 0 s left"


SEARCHING = SearchState(stage=Stage.SEARCHING, trials=11, failed=5, candidates=37, running=18)


@pytest.mark.parametrize(
    ("width", "expected"),
    [
        (None, "bisect: trial 12, 37 tests left, 5 failures, 40 s"),
        (48, "bisect: trial 12, 37 tests left, 40 s"),
        (36, "bisect: trial 12, 37 tests left"),
        (30, "bisect: trial 12"),
        (8, "bisect: "),
    ],
)
def test_a_bisection_tells_its_trial_and_what_is_left(width: int | None, expected: str) -> None:
    """Its failures are what it looks for, so they are nothing to be shown in red."""
    progress = SearchProgress(state=SEARCHING, elapsed_ns=40 * 10**9)
    assert progress.line(width=width) == expected
    assert not progress.shows_failure


def test_a_bisection_that_confirms_says_so() -> None:
    """What is left is what it has found by then."""
    progress = SearchProgress(state=replace(SEARCHING, stage=Stage.CONFIRMING), elapsed_ns=0)
    assert progress.line(is_short=True) == "bisect: trial 12, confirming"
