"""Summaries of what was measured: exact ends, a fair middle, little memory."""

from __future__ import annotations

import json
import math
import random
import statistics
from array import array

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_repro.verify.measures import (
    KEPT_VALUES,
    NAMES_OF_A_TEST,
    Measure,
    MeasureTally,
    RunTally,
    TestMeasures,
)


def _tally(values: list[float], *, parts: int = 1) -> MeasureTally:
    tally = MeasureTally(random.Random(0))
    size = max(1, -(-len(values) // parts))
    for begin in range(0, len(values), size):
        tally.add(values[begin : begin + size])
    return tally


@given(st.lists(st.integers(0, 10**12), min_size=1, max_size=KEPT_VALUES - 1), st.integers(1, 7))
def test_few_values_are_summed_up_exactly(values: list[int], parts: int) -> None:
    """However they come in."""
    measure = _tally(list(values), parts=parts).measure()
    expected = Measure(
        count=len(values), low=min(values), median=statistics.median_low(values), high=max(values)
    )
    assert measure == expected


@pytest.mark.slow
def test_a_million_values_take_the_memory_of_a_thousand_and_keep_their_ends() -> None:
    """The rare slow iteration is what is looked for; the median is right within a few ranks of a hundred."""
    values: list[float] = list(range(1_000_000))
    random.Random(5).shuffle(values)
    tally = _tally(values, parts=61)
    measure = tally.measure()
    assert (measure.count, measure.low, measure.high) == (1_000_000, 0, 999_999)
    assert measure.median == pytest.approx(500_000, rel=0.1)
    assert len(tally._kept) <= KEPT_VALUES


def test_a_rhythm_in_the_series_does_not_deceive_the_median() -> None:
    """Every fourth iteration is slow: one in four of what is kept is, too."""
    tally = _tally([9, 1, 1, 1] * 20_000, parts=3)
    assert tally.measure().median == 1
    assert tally._kept.count(9) / len(tally._kept) == pytest.approx(0.25, abs=0.06)


def test_a_drift_is_seen_whole() -> None:
    """What is kept is spread over all of the series, not only its first or last part."""
    assert _tally(list(range(100_000))).measure().median == pytest.approx(50_000, rel=0.02)


def test_nan_is_never_lost_among_numbers() -> None:
    """A limit on it must fail."""
    measure = _tally([1.0, math.nan, 3.0]).measure()
    assert measure.count == 3
    assert math.isnan(measure.low)
    assert math.isnan(measure.median)
    assert math.isnan(measure.high)


def test_nothing_measured_has_no_summary() -> None:
    """There is no zero that could be taken for a time."""
    with pytest.raises(ValueError, match="nothing was measured"):
        _tally([]).measure()


def test_a_batch_counts_its_executed_iterations() -> None:
    """A skipped iteration says nothing about how long the test takes."""
    run = RunTally()
    durations = array("q", [5, 6, 7, 8, 9])
    message = {
        "test": "t",
        "durations_ns": durations.tobytes(),
        "outcomes": [["passed", 2], ["skipped", 2], ["failed", 1]],
    }
    run.add_batch(message)
    assert run.measures("t").duration_ns == Measure(count=3, low=5, median=6, high=9)


def test_phases_and_metrics_are_kept_by_test_and_name() -> None:
    """One value an execution for a phase, one a call for a metric."""
    run = RunTally()
    run.add_named("t", phases_ns={"op": 5}, metrics=[("rate", 1.5), ("rate", 2.5)])
    run.add_named("t", phases_ns={"op": 7, "to_torch": 1}, metrics=[])
    measures = run.measures("t")
    assert measures == TestMeasures(
        phases_ns={
            "op": Measure(count=2, low=5, median=5, high=7),
            "to_torch": Measure(count=1, low=1, median=1, high=1),
        },
        metrics={"rate": Measure(count=2, low=1.5, median=1.5, high=2.5)},
    )
    assert run.measures("another") == TestMeasures()


def test_names_made_anew_in_each_iteration_do_not_fill_the_memory() -> None:
    """A name that is left out is not recorded: a limit on it is refused, not passed."""
    run = RunTally()
    for number in range(NAMES_OF_A_TEST + 5):
        run.add_named("t", phases_ns={f"step {number}": 1}, metrics=[])
    assert len(run.measures("t").phases_ns) == NAMES_OF_A_TEST


def test_measures_survive_the_way_through_a_file() -> None:
    """Integers stay integers."""
    run = RunTally()
    run.add_durations("t", [5, 7])
    run.add_named("t", phases_ns={"op": 5}, metrics=[("rate", 1.5)])
    measures = run.measures("t")
    payload = json.loads(json.dumps(measures.to_payload()))
    assert TestMeasures.from_payload(payload) == measures
    assert isinstance(payload["duration_ns"]["low"], int)
    assert TestMeasures.from_payload(TestMeasures().to_payload()) == TestMeasures()
