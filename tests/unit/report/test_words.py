"""Numbers in people's words."""

from __future__ import annotations

import pytest

from pytest_repro.report.words import counted, percent, percent_range, seconds
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
