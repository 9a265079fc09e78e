"""Two sessions against each other: what is told as a difference, and what is not."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace
from itertools import accumulate, zip_longest
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import stats

from pytest_repro.errors import OptionError, ReportError
from pytest_repro.report.catalogue import read_entry
from pytest_repro.report.comparison.compared import compare_sessions
from pytest_repro.report.comparison.conditions import (
    Condition,
    IncomparableError,
    objections,
    refuse,
)
from pytest_repro.report.comparison.demands import check_demands, parse_demand
from pytest_repro.report.comparison.judgement import Change, Judgement, Row, judge
from pytest_repro.report.comparison.measured import (
    MOST_STRETCHES,
    STRETCH_NS,
    Counted,
    Key,
    Measured,
    Quantity,
    measure,
    sample_of,
)
from pytest_repro.report.comparison.shift import shift_between
from pytest_repro.report.comparison.targets import targets_of
from pytest_repro.store import STATE, SessionFolder, read_json, write_json
from tests.unit.report.session_records import batch, failure, write_session

DURATION = Key(test="t::a", quantity=Quantity.DURATION, name="duration")
TO_TORCH = Key(test="t::a", quantity=Quantity.PHASE, name="to_torch")


def _measured(
    durations: Sequence[float] = (), *, key: Key = DURATION, failures: int = 0, contended: str = ""
) -> Measured:
    values = {key: sample_of(np.asarray(_mixed(durations)))} if len(durations) else {}
    counts = {"t::a": Counted(failures=failures, total=100, unit="iteration")}
    return Measured(counts=counts, values=values, contended=contended)


def _mixed(values: Sequence[float]) -> list[float]:
    """Returns them in an order in which no value is like the one before."""
    ordered = sorted(values)
    half = (len(ordered) + 1) // 2
    pairs = zip_longest(ordered[:half], ordered[half:])
    return [value for pair in pairs for value in pair if value is not None]


def _row(judgement: Judgement, key: Key = DURATION) -> Row:
    return next(row for row in judgement.rows if row.key == key)


@pytest.mark.parametrize(("first", "second"), [(1, 1), (3, 4), (6, 6), (5, 9), (12, 30)])
def test_the_interval_of_a_shift_is_what_the_test_does_not_reject(first: int, second: int) -> None:
    """Just inside of its ends the exact test of scipy keeps more than 5 %, just outside it does not."""
    numbers = random.Random(first * 100 + second)
    before = np.asarray([numbers.random() for _ in range(first)])
    after = np.asarray([numbers.random() + 0.2 for _ in range(second)])
    shift = shift_between(before, after)

    def chance(moved: float) -> float:
        return float(stats.mannwhitneyu(before + moved, after, method="exact").pvalue)

    assert shift.estimate == pytest.approx(np.median([b - a for a in before for b in after]))
    if shift.low is None or shift.high is None:
        assert chance(float("inf")) > 0.05  # even the largest difference would not be certain
        return
    tiny = 1e-9
    assert chance(shift.low + tiny) > 0.05
    assert chance(shift.high - tiny) > 0.05
    assert chance(shift.low - tiny) <= 0.05
    assert chance(shift.high + tiny) <= 0.05


def test_a_session_of_one_moment_is_one_witness() -> None:
    """Neighbours within a quarter of a second are disturbed together; processes of their own are not."""
    values = np.tile([1.0, 4.0, 2.0, 5.0, 3.0], 200)
    assert len(sample_of(values, span_ns=STRETCH_NS - 1).witnesses) == 1
    assert len(sample_of(values, span_ns=3 * STRETCH_NS).witnesses) == 3
    assert len(sample_of(values, span_ns=10**12).witnesses) == MOST_STRETCHES
    assert sample_of(np.asarray([5, 1, 3])).witnesses.tolist() == [5, 1, 3]
    assert sample_of(values, span_ns=10**12).median == 3.0


def test_stretches_that_follow_each_other_are_fewer_witnesses() -> None:
    """A drift is one witness of itself; where half of the time before is kept, a third is independent."""
    assert len(sample_of(np.arange(1000.0), span_ns=10**12).witnesses) == 1
    numbers = np.random.default_rng(3)
    kept = np.empty(50)
    for place, fresh in enumerate(numbers.normal(size=50)):
        kept[place] = fresh if place == 0 else 0.5 * kept[place - 1] + 0.75**0.5 * fresh
    assert 8 <= len(sample_of(kept, span_ns=10**12).witnesses) <= 25


@pytest.mark.parametrize("kept", [0.8, 0.95, 0.998])
def test_noise_that_lasts_is_no_difference(kept: float) -> None:
    """Of 60 pairs of the same test, on a machine that is slow for a while: told no more often than 1 of 10.

    Without regard to the order of time half of them are told as different (measured with `kept` of 0.998).
    """
    numbers = np.random.default_rng(7)
    told = 0
    for _ in range(60):
        sides = []
        for _ in range(2):
            fresh = numbers.normal(size=400) * (1 - kept**2) ** 0.5
            slow = np.asarray(list(accumulate(fresh, lambda last, new: kept * last + new)))
            durations = 1e6 * np.exp(0.2 * slow) * numbers.lognormal(sigma=0.1, size=400)
            sides.append(
                Measured(counts={}, values={DURATION: sample_of(durations, span_ns=20 * STRETCH_NS)})
            )
        told += _row(judge(*sides)).is_different
    assert told <= 6


def test_a_slower_phase_is_told_with_its_interval() -> None:
    """As a part of what it was; the row says how certain that is."""
    before = _measured([100.0 + i for i in range(20)], key=TO_TORCH)
    after = _measured([150.0 + i for i in range(20)], key=TO_TORCH)
    row = _row(judge(before, after), TO_TORCH)
    assert row.change is Change.HIGHER
    assert row.effect == pytest.approx(50 / 109.5, rel=1e-3)
    assert row.effect_low is not None
    assert row.effect_high is not None
    assert 0.35 < row.effect_low < 50 / 109.5 < row.effect_high < 0.55
    assert row.chance is not None
    assert row.chance < 1e-6
    assert _row(judge(after, before), TO_TORCH).change is Change.LOWER


def test_no_time_falls_by_more_than_all_of_itself() -> None:
    """Of skewed values above zero the effect is a factor; where zero is among them it is a difference."""
    before = _measured([1.0, 1.1, 1.2, 30.0, 31.0, 32.0, 33.0])
    after = _measured([0.01, 0.011, 0.012, 0.013, 0.014, 0.015, 0.016])
    row = _row(judge(before, after))
    assert row.effect is not None
    assert row.effect_low is not None
    assert -1 < row.effect_low <= row.effect < -0.98
    zero = _row(judge(before, _measured([0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6])))
    assert zero.effect is not None


def test_a_certificate_is_not_compared(tmp_path: Path) -> None:
    """It has both sides in it: their mean is nobody's."""
    first = write_session(tmp_path, summary={})
    second = write_session(tmp_path, minute=1, kind="certificate", summary={})
    with pytest.raises(ReportError, match=r"is a certificate.*Look at it with repro-report show "):
        compare_sessions(read_entry(first.path), read_entry(second.path))


def test_a_difference_below_the_least_effect_is_none() -> None:
    """However certain it is."""
    before, after = (_measured([base + i / 100 for i in range(30)]) for base in (100.0, 103.0))
    assert _row(judge(before, after)).change is Change.SAME
    assert _row(judge(before, after, least_effect=0.01)).change is Change.HIGHER


def test_too_few_witnesses_are_said_and_not_judged() -> None:
    """Three against three differ by chance one time in ten, however far they are apart."""
    row = _row(judge(_measured([1.0, 2.0, 3.0]), _measured([10.0, 20.0, 30.0])))
    assert (row.change, row.chance) == (Change.UNKNOWN, None)
    enough = _row(judge(_measured([1.0, 2.0, 3.0, 4.0, 5.0]), _measured([10.0, 20.0, 30.0, 40.0, 50.0])))
    assert enough.change is Change.HIGHER


def test_contended_times_are_not_judged_unless_that_is_accepted() -> None:
    """Other workers slow a test down; failure rates and metrics do not ask."""
    before = _measured([1.0, 2.0, 3.0, 4.0, 5.0], failures=50, contended="2 workers")
    after = _measured([11.0, 12.0, 13.0, 14.0, 15.0])
    judged = judge(before, after)
    assert [row.change for row in judged.rows] == [Change.LOWER, Change.CONTENDED]
    assert _row(judge(before, after, with_contended=True)).change is Change.HIGHER


def test_what_waiting_explains_is_no_difference() -> None:
    """Half of the time waited, then three quarters: what took 2 s takes 4 s, whatever the code."""
    before = replace(_measured([1.0 + i / 100 for i in range(20)], contended="it waited"), waited=0.5)
    after = _measured([1.9 + i / 100 for i in range(20)])
    same = _row(judge(before, replace(after, waited=0.75), with_contended=True))
    assert (same.change, round(same.effect or 0, 1)) == (Change.SAME, 0.8)
    assert _row(judge(before, replace(after, waited=0.6), with_contended=True)).change is Change.HIGHER


def test_failure_rates_are_compared_by_fishers_test() -> None:
    """Two-sided; a gate's runs and a stress run's iterations are no one thing."""
    key = Key(test="t::a", quantity=Quantity.FAILURES, name="failure rate")
    row = _row(judge(_measured(failures=10), _measured(failures=1)), key)
    assert row.change is Change.LOWER
    assert row.chance == pytest.approx(stats.fisher_exact([[10, 90], [1, 99]]).pvalue)
    assert _row(judge(_measured(failures=3), _measured(failures=1)), key).change is Change.SAME
    runs = Measured(counts={"t::a": Counted(failures=0, total=5, unit="run")}, values={})
    assert _row(judge(_measured(failures=10), runs), key).change is Change.UNKNOWN


def test_an_iteration_is_not_compared_with_a_run() -> None:
    """In a process of its own all is called for the first time: that is no change of the code."""
    runs = Measured(
        counts={"t::a": Counted(failures=0, total=20, unit="run")},
        values={DURATION: sample_of(np.asarray([50.0 + i % 3 for i in range(20)]))},
    )
    judged = judge(_measured([1.0 + i / 100 for i in range(20)]), runs)
    assert _row(judged).change is Change.UNKNOWN
    assert judged.unlike == ("t::a",)


def test_failures_that_gather_in_processes_are_compared_by_process() -> None:
    """Two processes of eight fail always, then none: forty failures, but no more witnesses than processes."""
    key = Key(test="t::a", quantity=Quantity.FAILURES, name="failure rate")

    def counted(*failures: int) -> Measured:
        processes = tuple((failed, 20) for failed in failures)
        told = Counted(
            failures=sum(failures), total=20 * len(failures), unit="iteration", processes=processes
        )
        return Measured(counts={"t::a": told}, values={})

    row = _row(judge(counted(20, 20, 0, 0, 0, 0, 0, 0), counted(*[0] * 8)), key)
    assert (row.change, row.is_clustered) == (Change.SAME, True)
    assert stats.fisher_exact([[40, 120], [0, 160]]).pvalue < 1e-9
    spread = _row(judge(counted(6, 4, 5, 5, 5, 6, 4, 5), counted(*[0] * 8)), key)
    assert (spread.change, spread.is_clustered) == (Change.LOWER, False)


def test_the_same_thing_twice_is_the_same_at_least_95_times_of_100() -> None:
    """Over ten rows at once, without a least effect that would help: not more often told than 5 % explain."""
    numbers = np.random.default_rng(5)
    told = 0
    for _ in range(60):
        sides = []
        for _ in range(2):
            values = {
                Key(test="t::a", quantity=Quantity.PHASE, name=f"p{i}"): sample_of(
                    numbers.lognormal(size=15, sigma=1 + i / 10)
                )
                for i in range(10)
            }
            sides.append(Measured(counts={}, values=values))
        told += any(row.is_different for row in judge(*sides, least_effect=0.0).rows)
    assert stats.binomtest(told, 60, 0.05, alternative="greater").pvalue > 0.01


def test_measures_are_read_from_the_records_of_a_stress_run(tmp_path: Path) -> None:
    """Durations of passing iterations alone; one that died counts as a failure though it never finished."""
    lines = [batch("t::a", [("passed", 2), ("failed", 1)], [10**9, 2 * 10**9, 9])]
    dead = failure("t::a", 4, outcome="crash")
    session = write_session(
        tmp_path, records={"iterations.jsonl": lines, "failures.jsonl": [failure("t::a", 3), dead]}
    )
    measured = measure(session.path)
    counted = Counted(failures=2, total=4, unit="iteration", processes=((2, 4),))
    assert measured.counts["t::a"] == counted
    assert measured.values[DURATION].witnesses.tolist() == [10**9, 2 * 10**9]


def test_measures_are_read_from_the_runs_of_a_gate(tmp_path: Path) -> None:
    """Each run is a process of its own, and so a witness."""

    def run(outcome: str, duration_ns: int) -> dict[str, Any]:
        told = {"median": duration_ns}
        measures = {"duration_ns": told, "phases_ns": {"to_torch": told}, "metrics": {"rate": told}}
        return {"report": {"tests": {"t::a": {"outcome": outcome, "measures": measures}}}}

    lines = [run("passed", 5), run("failed", 6), run("passed", 7), run("skipped", 8), {"report": None}]
    session = write_session(tmp_path, kind="verify", records={"runs.jsonl": lines}, summary={})
    measured = measure(session.path)
    assert measured.counts["t::a"] == Counted(failures=1, total=3, unit="run")
    assert {key.name: value.witnesses.tolist() for key, value in measured.values.items()} == {
        "duration": [5, 7],
        "to_torch": [5, 7],
        "rate": [5, 7],
    }


def _pair(tmp_path: Path, first: dict[str, Any], second: dict[str, Any]) -> list[SessionFolder]:
    return [
        write_session(tmp_path, minute=minute, facts=facts, summary={})
        for minute, facts in enumerate((first, second))
    ]


@pytest.mark.parametrize(
    ("first", "second", "condition", "words"),
    [
        ({"host": "a"}, {"host": "b"}, Condition.HOST, "they ran on different hosts, 'a' and 'b'"),
        ({"devices": ["x"]}, {"devices": []}, Condition.DEVICES, "different devices, x and none"),
        ({}, {"git": {"is_dirty": True}}, Condition.CHANGES, "ran with changes that no commit holds"),
    ],
)
def test_sessions_of_other_conditions_are_refused_with_what_to_do(
    tmp_path: Path, first: dict[str, Any], second: dict[str, Any], condition: Condition, words: str
) -> None:
    """Unless that is accepted by name; then it is told with the result."""
    entries = [read_entry(session.path) for session in _pair(tmp_path, first, second)]
    found = list(objections(*entries, measured=(_measured(), _measured())))
    assert [one.condition for one in found] == [condition]
    with pytest.raises(IncomparableError) as raised:
        refuse(found, accepted=())
    assert words in str(raised.value)
    assert f"or accept it with --even-if {condition.value}." in str(raised.value)
    refuse(found, accepted=[condition])


@pytest.mark.parametrize(
    ("processor", "contended"),
    [
        ({"ran_ns": 10**9, "waited_ns": 10**9}, "it waited 50 % of its time for a processor"),
        ({"ran_ns": 10**9, "waited_ns": 10**7}, ""),
        ({"ran_ns": 10**6, "waited_ns": 10**9}, ""),
        ({"ran_ns": "x", "waited_ns": None}, ""),
        (None, ""),
    ],
)
def test_a_session_that_waited_for_a_processor_is_contended(
    tmp_path: Path, processor: object, contended: str
) -> None:
    """Others had them: its times are theirs too. One that hardly ran says nothing."""
    session = write_session(tmp_path, summary={})
    state = read_json(session.path / STATE)
    write_json(session.path / STATE, state | {"processor": processor})
    assert measure(session.path).contended == contended


def test_runs_of_a_gate_with_workers_are_contended(tmp_path: Path) -> None:
    """Tests that ran beside each other, though no iteration tells of a worker."""
    session = write_session(tmp_path, kind="verify", summary={})
    (session.path / "run_1").mkdir()
    write_json(session.path / "run_1" / "run.json", {"workers": 2, "processor": None})
    assert measure(session.path).contended == "2 workers"


def test_contended_times_are_an_objection_that_refuses_nothing(tmp_path: Path) -> None:
    """They leave out the rows that they touch; the rest can be compared."""
    entries = [read_entry(session.path) for session in _pair(tmp_path, {}, {})]
    found = list(objections(*entries, measured=(_measured(contended="2 workers"), _measured())))
    assert [one.condition for one in found] == [Condition.CONTENDED]
    refuse(found, accepted=())


@pytest.mark.parametrize(
    ("text", "is_broken"),
    [
        ("to_torch>+10%", True),
        ("to_torch>+60%", False),
        ("to_torch<-10%", False),
        ("phase > 10 %", True),
        ("failure_rate>0%", False),
    ],
)
def test_a_limit_is_broken_by_a_certain_difference_beyond_it(text: str, *, is_broken: bool) -> None:
    """Of a phase by its name or as a phase; of a rate by the difference of the rates."""
    before = _measured([100.0 + i for i in range(20)], key=TO_TORCH)
    after = _measured([150.0 + i for i in range(20)], key=TO_TORCH)
    rows = judge(before, after).rows
    demand = parse_demand(text)
    check_demands([demand], rows)
    assert any(demand.is_broken_by(row) for row in rows) is is_broken


@pytest.mark.parametrize("text", ["to_torch", "to_torch>10", ">5%", "to_torch>+x%", ""])
def test_a_limit_that_cannot_be_read_is_refused(text: str) -> None:
    """With its form."""
    with pytest.raises(OptionError, match=r"--fail-on .* cannot be used\. Give NAME>\+10%"):
        parse_demand(text)


def test_a_limit_that_looks_at_nothing_is_refused() -> None:
    """It would never fail."""
    rows = judge(_measured([1.0]), _measured([1.0])).rows
    with pytest.raises(OptionError, match=r"looks at nothing that was compared: duration, failure_rate"):
        check_demands([parse_demand("to_tosrch>+10%")], rows)


def test_ties_and_zeros_are_no_trouble() -> None:
    """Equal values are the same; from zero to more is higher without a part."""
    same = _row(judge(_measured([5.0] * 10), _measured([5.0] * 10)))
    assert (same.change, same.effect) == (Change.SAME, 0.0)
    more = _row(judge(_measured([0.0] * 10), _measured([5.0] * 10)))
    assert (more.change, more.effect) == (Change.HIGHER, None)


def test_limits_of_the_gate_are_targets_kept_or_not(tmp_path: Path) -> None:
    """With how far the value was that is nearest to breaking them."""
    duration = {"kind": "max_duration", "name": "", "relation": "<=", "bound": 4e9, "text": "4s"}
    rate = {"kind": "metric", "name": "rate", "relation": ">=", "bound": 8.0, "text": "rate>=8"}
    counts = {"test": "t::a", "checked": 5}
    held = [
        {**counts, **duration, "missed": 0, "worst": 3e9},
        {**counts, **rate, "missed": 1, "worst": 6.0},
        {**counts, "kind": "of another version"},
    ]
    session = write_session(tmp_path, kind="verify", summary={"held_limits": held})
    found = targets_of(read_entry(session.path))
    assert {key.name: target.word for key, target in found.items()} == {
        "duration": "yes (limit <= 4.00 s: kept, the nearest of all, by 25 %)",
        "rate": "no (limit >= 8: 1 of 5 values miss it, the worst by 25 %)",
    }
