"""How many clean runs are asked for: by mark, by number, by what is on record."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_repro.model import Outcome
from pytest_repro.verify.history import RecordedRate, Unit
from pytest_repro.verify.required import (
    FEWEST_DETERMINISTIC_RUNS,
    FEWEST_RUNS,
    LONGEST_NS,
    Evidence,
    Reason,
    Requirement,
    RunsRequired,
    parse_confidence,
    runs_required,
)
from pytest_repro.verify.runs import Run, RunReport, RunTest

SECOND = 10**9


def came_to(first: Run, rates: Mapping[str, RecordedRate], *, confidence: float = 0.95) -> RunsRequired:
    """Returns how many runs the rates come to."""
    return runs_required(first, Evidence(rates=rates, confidence=confidence))


def asked_of(
    runs: Sequence[Run], rates: Mapping[str, RecordedRate], *, confidence: float = 0.95
) -> list[Requirement]:
    """Returns what the rates ask of the runs."""
    return Evidence(rates=rates, confidence=confidence).asking(runs)


def rate(
    failures: int, total: int, unit: Unit = Unit.ITERATION, *, each: int = 1, test: str = "t"
) -> RecordedRate:
    """Makes a rate on record."""
    return RecordedRate(
        test=test,
        unit=unit,
        failures=failures,
        total=total,
        iterations_each=each,
        failed_iterations=failures * each,
        iterations=total * each,
        sessions=("s",),
    )


def first(
    *, iterations: int = 0, duration_ns: int = SECOND, marked: bool = False, tests: tuple[str, ...] = ("t",)
) -> Run:
    """Makes a first run that passed."""
    told = RunTest(
        outcome=Outcome.PASSED, iterations=iterations, marks=({"deterministic": True},) if marked else ()
    )
    report = RunReport(exit_status=0, tests=dict.fromkeys(tests, told))
    return Run(number=1, exit_status=0, duration_ns=duration_ns, report=report)


@pytest.mark.parametrize(
    ("recorded", "iterations", "asked", "reason"),
    [
        (None, 0, 5, Reason.FEWEST),
        (None, 50, 5, Reason.FEWEST),
        (rate(90, 100), 0, 5, Reason.FEWEST),
        (rate(10, 100), 0, 34, Reason.RATE),
        (rate(10, 100), 1, 34, Reason.RATE),
        (rate(10, 100), 5, 7, Reason.RATE),
        (rate(10, 100), 50, 5, Reason.FEWEST),
        (rate(1, 100), 0, 1_900, Reason.RATE),
        (rate(1, 100), 50, 38, Reason.RATE),
        (rate(1, 3, Unit.RUN), 0, 57, Reason.RATE),
        (rate(1, 3, Unit.RUN), 50, 57, Reason.RATE),
        (rate(1, 1, Unit.PROCESS), 0, 19, Reason.RATE),
        (rate(1, 1, Unit.PROCESS), 50, 19, Reason.RATE),
        (rate(3, 10, Unit.PROCESS, each=50), 50, 16, Reason.RATE),
        (rate(3, 10, Unit.PROCESS, each=50), 49, 5, Reason.NOT_COMPARABLE),
        (rate(3, 10, Unit.PROCESS, each=50), 0, 5, Reason.NOT_COMPARABLE),
    ],
)
def test_the_rate_on_record_decides_how_many_runs_are_asked_for(
    recorded: RecordedRate | None, iterations: int, asked: int, reason: Reason
) -> None:
    """Never below five; iterations inside a run count where each fails by itself, else runs do."""
    rates = {} if recorded is None else {"t": recorded}
    required = came_to(first(iterations=iterations), rates)
    assert (required.asked, required.planned, required.reason) == (asked, asked, reason)
    assert (required.requirement is None) is (recorded is None)


def test_a_failure_that_is_marked_deterministic_takes_two_runs() -> None:
    """Only if every test is; a record of it failing always agrees, one of it passing too does not."""
    marked = first(marked=True, tests=("t", "u"))
    required = came_to(marked, {"t": rate(1, 1)})
    assert (required.asked, required.reason) == (FEWEST_DETERMINISTIC_RUNS, Reason.DETERMINISTIC)
    assert came_to(marked, {"t": rate(10, 100)}).asked == 34
    assert marked.report is not None
    mixed = {**marked.report.tests, "v": RunTest(outcome=Outcome.PASSED)}
    partly = replace(marked, report=replace(marked.report, tests=mixed))
    assert came_to(partly, {}).asked == FEWEST_RUNS
    assert came_to(partly, {"t": rate(1, 1)}).asked == FEWEST_RUNS


def test_the_nearest_mark_says_whether_a_failure_is_deterministic() -> None:
    """One that says nothing of it leaves the word to the next."""
    yes, no, other = {"deterministic": True}, {"deterministic": False}, {"max_duration": "1s"}
    marks: list[list[Mapping[str, object]]] = [[other, yes], [no, yes]]
    asked = [
        came_to(replace(first(), report=RunReport(exit_status=0, tests={"t": told})), {}).asked
        for told in (RunTest(outcome=Outcome.PASSED, marks=tuple(each)) for each in marks)
    ]
    assert asked == [FEWEST_DETERMINISTIC_RUNS, FEWEST_RUNS]


def test_of_the_failures_of_a_test_the_one_that_asks_for_the_most_decides() -> None:
    """An older one that passed sometimes also contradicts the mark that a failure is deterministic."""
    both = {"t": replace(rate(6, 6), title="typo", earlier=(replace(rate(10, 100), title="rare"),))}
    required = came_to(first(), both)
    assert required.requirement is not None
    assert (required.asked, required.requirement.rate.title) == (34, "rare")
    assert came_to(first(marked=True), both).asked == 34


def test_the_test_that_asks_for_the_most_decides() -> None:
    """One that cannot be proved by such runs at all comes before any number."""
    rates = {"t": rate(10, 100), "u": rate(5, 100, test="u"), "v": rate(1, 2, Unit.PROCESS, each=9, test="v")}
    two = first(tests=("t", "u"))
    required = came_to(two, rates)
    assert required.requirement is not None
    assert (required.asked, required.requirement.rate.test) == (runs_of(5, 100), "u")
    asking = asked_of([first(tests=("t", "u", "v", "w"))], rates)
    assert [each.rate.test for each in asking] == ["v", "u", "t"]


def runs_of(failures: int, total: int) -> int:
    """Returns what one rate alone asks for."""
    return came_to(first(), {"t": rate(failures, total)}).asked


def test_a_higher_confidence_asks_for_more() -> None:
    """As `--verify-confidence` says."""
    assert came_to(first(), {"t": rate(10, 100)}, confidence=0.99).asked == 56
    assert came_to(first(), {"t": rate(10, 100)}, confidence=0.8).asked == 17


def test_runs_that_repeat_their_random_choices_prove_nothing_however_many() -> None:
    """The same seed in each: what did not fail in the first does not in the second."""
    evidence = Evidence(rates={"t": rate(10, 100)}, fixed=("--repro-seed",))
    required = runs_required(first(iterations=50), evidence)
    assert (required.planned, required.reason) == (FEWEST_RUNS, Reason.NOT_COMPARABLE)
    assert unproved(evidence, first(iterations=50)) == ("no number of such runs proves t repaired",)
    assert unproved(Evidence(rates={"t": rate(10, 100)}), first(iterations=50)) == ()


def unproved(evidence: Evidence, *runs: Run) -> tuple[str, ...]:
    """Returns what runs leave unproved of what `auto` was to prove."""
    return replace(evidence, required=runs_required(runs[0], evidence)).unproved(runs)


def seeded(seed: str | None = None, hash_seed: str | None = None, *, option: str = "--randomly-seed") -> Run:
    """Makes a run that tells its seeds."""
    report = RunReport(
        exit_status=0,
        tests={"t": RunTest(outcome=Outcome.PASSED)},
        seeds={} if seed is None else {option: seed},
        hash_seed=hash_seed,
    )
    return replace(first(), report=report)


RUNS, ITERATIONS = rate(1, 3, Unit.RUN), rate(10, 100)


@pytest.mark.parametrize(
    ("recorded", "runs", "is_proved"),
    [
        (RUNS, [seeded(), seeded()], True),
        (RUNS, [seeded("1", "1"), seeded("2", "2")], True),
        (RUNS, [seeded("1", "1"), seeded("1", "2")], False),
        (ITERATIONS, [seeded("1", "1"), seeded("1", "2")], False),
        (RUNS, [seeded("1", "0"), seeded("2", "0")], False),
        (rate(1, 3, Unit.PROCESS), [seeded(None, "0"), seeded(None, "0")], False),
        (ITERATIONS, [seeded("1", "0"), seeded("2", "0")], True),
        (replace(RUNS, hash_seed="0"), [seeded(None, "0"), seeded(None, "0")], True),
        (replace(RUNS, hash_seed="0"), [seeded(None, "1"), seeded(None, "1")], False),
        (replace(rate(3, 3, Unit.RUN), hash_seed="0"), [seeded(None, "0"), seeded(None, "0")], False),
    ],
)
def test_the_runs_tell_at_the_end_what_was_the_same_in_all(
    recorded: RecordedRate, runs: list[Run], *, is_proved: bool
) -> None:
    """A hash seed is nothing to iterations that fail by themselves, nor where it passed with it, too."""
    assert (unproved(Evidence(rates={"t": recorded}), *runs) == ()) is is_proved


def test_what_was_given_by_hand_counts_until_the_runs_tell() -> None:
    """After the first run nothing else is known; where they differ all the same, they are evidence."""
    evidence = Evidence(rates={"t": RUNS}, fixed=("--randomly-seed",))
    assert runs_required(seeded("1"), evidence).reason is Reason.NOT_COMPARABLE
    assert unproved(evidence, seeded("1")) != ()
    assert unproved(evidence, seeded("1"), seeded("2")) == ()
    given = replace(evidence, required=None)
    assert given.unproved([seeded("1"), seeded("1")]) == ()


def test_the_run_that_did_the_least_counts() -> None:
    """With a time budget inside, runs differ."""
    runs = [first(iterations=number) for number in (9, 3, 5)]
    (requirement,) = asked_of(runs, {"t": rate(10, 100)})
    assert (requirement.iterations, requirement.runs) == (3, 12)


def test_runs_that_get_less_far_than_the_first_one_leave_it_unproved() -> None:
    """34 clean iterations are needed: five runs of ten are enough, one of ten and four of two are not."""
    rates = {"t": rate(10, 100)}
    evidence = Evidence(rates=rates, required=came_to(first(iterations=10), rates))
    assert evidence.unproved([first(iterations=10)] * 5) == ()
    assert evidence.unproved([first(iterations=10), *[first(iterations=2)] * 4]) == (
        "t was executed less often than in run 1: by that, 17 runs are needed",
    )


def test_runs_that_would_take_too_long_do_not_take_place_and_stay_asked_for() -> None:
    """Those that take place cannot make the verdict stable."""
    rates = {"t": rate(1, 100)}
    fits = LONGEST_NS // 1_900
    assert came_to(first(duration_ns=fits), rates).planned == 1_900
    required = came_to(first(duration_ns=fits + 1), rates)
    assert (required.asked, required.planned, required.reason) == (1_900, FEWEST_RUNS, Reason.TOO_LONG)


def test_the_fewest_runs_take_place_however_long_one_takes() -> None:
    """Two hours each, if need be: the user asked for a verdict."""
    required = came_to(first(duration_ns=2 * LONGEST_NS), {"t": rate(9, 10)})
    assert (required.asked, required.planned) == (FEWEST_RUNS, FEWEST_RUNS)


def test_a_first_run_that_executed_nothing_leaves_five() -> None:
    """It is judged elsewhere."""
    nothing = Run(number=1, exit_status=3, duration_ns=1, report=None)
    assert came_to(nothing, {"t": rate(1, 100)}).asked == FEWEST_RUNS


@given(
    st.integers(1, 200).flatmap(lambda n: st.tuples(st.integers(1, n), st.just(n))),
    st.sampled_from(list(Unit)),
    st.integers(0, 100),
    st.integers(1, 100),
    st.sampled_from([0.8, 0.95, 0.99]),
)
def test_so_many_runs_leave_no_more_chance_than_the_confidence_does(
    counts: tuple[int, int], unit: Unit, iterations: int, each: int, confidence: float
) -> None:
    """And one run less leaves more; where no number is given, no chance is either."""
    recorded = {"t": rate(*counts, unit, each=each if unit is Unit.PROCESS else 1)}
    (requirement,) = asked_of([first(iterations=iterations)], recorded, confidence=confidence)
    runs = requirement.runs
    if runs is None:
        assert requirement.chance(5) is None
        assert unit is Unit.PROCESS
        return
    enough, short = requirement.chance(runs), requirement.chance(runs - 1)
    assert enough is not None
    assert short is not None
    assert enough <= (1 - confidence) * (1 + 1e-9)
    assert short > (1 - confidence) * (1 - 1e-9)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0.95", 0.95),
        (".9", 0.9),
        ("95%", 0.95),
        (" 99.9 % ", 0.999),
        ("0.5", 0.5),
        ("50%", 0.5),
    ],
)
def test_a_confidence_is_a_share_or_a_percentage(text: str, expected: float) -> None:
    """Both ways to write it."""
    assert parse_confidence(text) == expected


@pytest.mark.parametrize(
    "text",
    ["95", "1", "100%", "0.95%", "0.4", "49%", "", "x", "-0.9", "1e-1", "nan", "0.99999999999999999999"],
)
def test_a_confidence_that_could_be_misread_is_refused(text: str) -> None:
    """95 may be meant as 95 %, 0.95% as 0.95: neither is guessed at; none is certain."""
    with pytest.raises(ValueError, match=r"a share from 0.5 up to but without 1, such as 0.95, or 95%"):
        parse_confidence(text)
