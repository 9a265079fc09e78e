"""Numbers in people's words."""

from __future__ import annotations

import pytest

from pytest_repro.report.words import counted, per_second, percent, percent_range, seconds, whole_seconds
from pytest_repro.stats import Interval


@pytest.mark.parametrize(
    ("rate", "expected"),
    [
        (0.0, "0 %"),
        (1.0, "100 %"),
        (0.4507, "45 %"),
        (0.095, "9.5 %"),
        (0.0999, "10 %"),
        (0.9999, ">99 %"),
        (0.0003, "0.030 %"),
        (2.9957e-5, "0.0030 %"),
        (1e-12, "0.00000000010 %"),
    ],
)
def test_a_rate_is_told_with_two_significant_digits(rate: float, expected: str) -> None:
    """Small rates are what the tool is for: they are not rounded to nothing."""
    assert percent(rate) == expected


def test_a_range_names_both_ends() -> None:
    """Low first."""
    assert percent_range(Interval(low=0.00011, high=0.00065)) == "0.011 % to 0.065 %"


@pytest.mark.parametrize(("number", "expected"), [(0, "0 tests"), (1, "1 test"), (20_000, "20,000 tests")])
def test_a_count_agrees_with_its_noun(number: int, expected: str) -> None:
    """One test, two tests."""
    assert counted(number, "test") == expected


@pytest.mark.parametrize(
    ("duration_ns", "expected"),
    [
        (380_000, "380 µs"),
        (12_300_000, "12.3 ms"),
        (1_240_000_000, "1.2 s"),
        (200_000_000_000, "3 min 20 s"),
        (7_320_000_000_000, "2 h 2 min"),
    ],
)
def test_a_duration_is_told_in_the_unit_that_fits(duration_ns: int, expected: str) -> None:
    """Integer nanoseconds inside, people's units in text."""
    assert seconds(duration_ns) == expected


@pytest.mark.parametrize(
    ("duration_ns", "expected"),
    [
        (0, "0 s"),
        (1, "1 s"),
        (20_400_000_000, "21 s"),
        (99_000_000_000, "99 s"),
        (99_000_000_001, "1 min 40 s"),
        (7_320_000_000_000, "2 h 2 min"),
    ],
)
def test_a_time_to_wait_is_told_in_whole_seconds(duration_ns: int, expected: str) -> None:
    """Rounded up: nothing is over before it is."""
    assert whole_seconds(duration_ns) == expected


@pytest.mark.parametrize(
    ("rate_per_s", "expected"),
    [
        (1_234_567.0, "1,230,000/s"),
        (4121.4, "4,120/s"),
        (999.6, "1,000/s"),
        (57.0, "57/s"),
        (9.96, "10/s"),
        (3.24, "3.2/s"),
        (0.99, "59/min"),
        (0.2, "12/min"),
        (0.016, "58/h"),
        (0.0, "0/h"),
    ],
)
def test_a_rate_of_events_is_told_in_the_unit_that_fits(rate_per_s: float, expected: str) -> None:
    """Three digits at most: more would only flicker."""
    assert per_second(rate_per_s) == expected
