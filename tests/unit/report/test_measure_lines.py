"""Limits and steadiness read as sentences."""

from __future__ import annotations

import json

import pytest

from pytest_repro.report.measures import (
    broken_line,
    broken_record,
    unsteady_lines,
    unsteady_record,
)
from pytest_repro.verify.held import BrokenLimit
from pytest_repro.verify.limits import LimitKind, parse_limit
from pytest_repro.verify.steadiness import Unsteady

DURATION, PHASE, METRIC = LimitKind.DURATION, LimitKind.PHASE, LimitKind.METRIC


@pytest.mark.parametrize(
    ("kind", "text", "value", "line"),
    [
        (DURATION, "5s", 5_300_000_000, "run 3: test_x took 5.30 s, limit 5.00 s"),
        (DURATION, "5s", 5_000_000_001, "run 3: test_x took 5.000000001 s, limit 5.000000000 s"),
        (PHASE, "to_torch=0.5s", 710_000_000, "run 3: test_x: to_torch took 710 ms, limit 500 ms"),
        (METRIC, "rate>=19649", 19000.5, "run 3: test_x: rate was 19000.5, limit >= 19649"),
        (METRIC, "rate>=19649", 19648.99999, "run 3: test_x: rate was 19648.99999, limit >= 19649"),
        (METRIC, "rate>=1", 1 - 1e-12, "run 3: test_x: rate was 0.999999999999, limit >= 1.0"),
        (METRIC, "loss<0.1", float("nan"), "run 3: test_x: loss was nan, limit < 0.1"),
    ],
)
def test_a_broken_limit_is_told_with_its_numbers(kind: LimitKind, text: str, value: float, line: str) -> None:
    """Value and limit never look the same."""
    broken = BrokenLimit(run=3, test="test_x", limit=parse_limit(kind, text), value=value)
    assert broken_line(broken) == line


def _unsteady(test: str | None = "test_x", phase: str | None = None, *, is_longest: bool = True) -> Unsteady:
    return Unsteady(
        test=test,
        phase=phase,
        low_ns=900_000_000,
        median_ns=950_000_000,
        high_ns=3_100_000_000,
        run=4,
        is_longest=is_longest,
    )


def test_what_is_unsteady_is_named_with_range_median_and_run() -> None:
    """Test, phase, or the runs."""
    assert unsteady_lines([_unsteady(), _unsteady(phase="op"), _unsteady(None, is_longest=False)]) == [
        "unsteady: test_x took 900 ms to 3.1 s (median 950 ms), run 4 the longest",
        "unsteady: test_x: op took 900 ms to 3.1 s (median 950 ms), run 4 the longest",
        "unsteady: the runs took 900 ms to 3.1 s (median 950 ms), run 4 the shortest",
    ]


def test_a_machine_that_stalled_does_not_fill_the_screen() -> None:
    """Hundreds of tests may be slow in one run."""
    lines = unsteady_lines([_unsteady(f"test_{number}") for number in range(300)])
    assert len(lines) == 6
    assert lines[-1] == "unsteady: 295 more times, see summary.json"


def test_the_records_are_plain_and_carry_their_units() -> None:
    """For programs."""
    broken = BrokenLimit(run=3, test="t", limit=parse_limit(PHASE, "op=1s"), value=2 * 10**9)
    assert json.loads(json.dumps(broken_record(broken))) == {
        "run": 3,
        "test": "t",
        "kind": "max_phase",
        "name": "op",
        "relation": "<=",
        "bound": 10**9,
        "text": "op=1s",
        "value": 2 * 10**9,
    }
    assert unsteady_record(_unsteady())["high_ns"] == 3_100_000_000
