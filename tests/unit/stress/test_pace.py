"""The pace of a stress run, at listed times."""

from __future__ import annotations

from pytest_repro.stress.pace import WINDOW_NS, Pace

SECOND_NS = 10**9


def test_there_is_no_rate_before_anything_finished() -> None:
    """Nothing is made up: neither a rate nor an end."""
    pace = Pace(began_ns=5)
    assert pace.rate_per_s is None
    pace.note(0, now_ns=5)
    pace.note(0, now_ns=SECOND_NS)
    assert pace.rate_per_s is None
    assert pace.left_ns(to_run=10, budget_ns=None) is None


def test_the_rate_is_that_of_the_last_seconds() -> None:
    """A run that gets slower says so, whatever it did before."""
    pace = Pace(began_ns=0)
    for second in range(1, 11):
        pace.note(second * 1000, now_ns=second * SECOND_NS)
    assert pace.rate_per_s == 1000.0
    for second in range(11, 11 + WINDOW_NS // SECOND_NS):
        pace.note(10_000 + (second - 10) * 10, now_ns=second * SECOND_NS)
    assert pace.rate_per_s == 10.0


def test_a_standstill_has_the_rate_zero() -> None:
    """Where other messages arrive and nothing finishes."""
    pace = Pace(began_ns=0)
    for second in range(1, 20):
        pace.note(7, now_ns=second * SECOND_NS)
    assert pace.rate_per_s == 0.0


def test_iterations_that_take_longer_than_the_window_have_a_rate() -> None:
    """The window reaches back to the last look before it."""
    pace = Pace(began_ns=0)
    pace.note(1, now_ns=20 * SECOND_NS)
    pace.note(2, now_ns=40 * SECOND_NS)
    assert pace.rate_per_s == 0.05


def test_the_time_left_follows_from_the_rate_of_the_whole_run() -> None:
    """A hundred in ten seconds: fifty take five."""
    pace = Pace(began_ns=0)
    pace.note(10, now_ns=9 * SECOND_NS)
    pace.note(100, now_ns=10 * SECOND_NS)
    assert pace.left_ns(to_run=50, budget_ns=None) == 5 * SECOND_NS
    assert pace.left_ns(to_run=0, budget_ns=None) == 0
    assert pace.left_ns(to_run=-3, budget_ns=None) == 0


def test_a_budget_leaves_what_is_not_spent_of_it() -> None:
    """Counted from the first iteration, and never less than nothing."""
    pace = Pace(began_ns=2 * SECOND_NS)
    assert pace.left_ns(to_run=None, budget_ns=60 * SECOND_NS) == 60 * SECOND_NS
    pace.note(1, now_ns=12 * SECOND_NS)
    assert pace.left_ns(to_run=None, budget_ns=60 * SECOND_NS) == 50 * SECOND_NS
    assert pace.left_ns(to_run=None, budget_ns=SECOND_NS) == 0
    assert pace.left_ns(to_run=None, budget_ns=None) is None


def test_of_a_number_and_a_budget_the_one_that_ends_first_counts() -> None:
    """As the stress run itself does."""
    pace = Pace(began_ns=0)
    pace.note(10, now_ns=10 * SECOND_NS)
    assert pace.left_ns(to_run=20, budget_ns=15 * SECOND_NS) == 5 * SECOND_NS
    assert pace.left_ns(to_run=2, budget_ns=15 * SECOND_NS) == 2 * SECOND_NS
