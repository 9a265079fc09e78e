"""What the gate says that its runs prove: per run, per iteration, and against what is on record."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import pytest

from pytest_repro.model import Outcome
from pytest_repro.report.proof import (
    cluster_lines,
    evidence_lines,
    proof,
    recorded_lines,
    required_lines,
    required_record,
    requirement_record,
)
from pytest_repro.verify.history import RecordedRate, Unit
from pytest_repro.verify.required import Evidence, Requirement, RunsRequired, runs_required
from pytest_repro.verify.runs import Run, RunReport, RunTest
from pytest_repro.verify.verdict import Verdict, VerdictKind

SESSION = "20261121-120000-stress-0000"


def came_to(first: Run, rates: Mapping[str, RecordedRate], *, confidence: float = 0.95) -> RunsRequired:
    """Returns how many runs the rates come to."""
    return runs_required(first, Evidence(rates=rates, confidence=confidence))


def asked_of(
    runs: Sequence[Run], rates: Mapping[str, RecordedRate], *, confidence: float = 0.95
) -> list[Requirement]:
    """Returns what the rates ask of the runs."""
    return Evidence(rates=rates, confidence=confidence).asking(runs)


def rate(
    failures: int, total: int, unit: Unit = Unit.ITERATION, *, each: int = 1, test: str = "t", others: int = 0
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
        sessions=(SESSION, *["other"] * others),
        command="pytest --repro-stress 100 -n2",
    )


def run(
    number: int = 1,
    *,
    iterations: int = 0,
    failures: int = 0,
    tests: str = "t",
    seed: str | None = None,
    hash_seed: str | None = None,
    duration_ns: int = 10**9,
    marked: bool = False,
) -> Run:
    """Makes a run in which all tests went the same way."""
    told = RunTest(
        outcome=Outcome.FAILED if failures else Outcome.PASSED,
        iterations=iterations,
        failures=failures,
        marks=({"deterministic": True},) if marked else (),
    )
    seeds = {} if seed is None else {"--repro-seed": seed}
    report = RunReport(exit_status=0, tests=dict.fromkeys(tests, told), seeds=seeds, hash_seed=hash_seed)
    return Run(number=number, exit_status=0, duration_ns=duration_ns, report=report)


def test_iterations_that_were_excused_are_no_clean_ones() -> None:
    """A failure that was expected (xfail) proves nothing of a test, so neither does a hundred of them."""
    told = {
        "t": RunTest(outcome=Outcome.PASSED, iterations=50, outcomes={Outcome.PASSED: 50}),
        "u": RunTest(outcome=Outcome.XFAILED, iterations=50, outcomes={Outcome.XFAILED: 50}),
    }
    report = RunReport(exit_status=0, tests=told)
    runs = [Run(number=number, exit_status=0, duration_ns=1, report=report) for number in (1, 2)]
    assert proof(runs, Evidence()).endswith(
        "above 3.0 % of the iterations if each fails by itself; 100 iterations ran without a failure"
    )
    assert asked_of(runs, {"t": rate(1, 10), "u": rate(1, 10, test="u")}) == asked_of(
        runs, {"t": rate(1, 10)}
    )


BEFORE = f"t failed 10 of 100 iterations in session {SESSION}"


@pytest.mark.parametrize(
    ("first", "recorded", "line"),
    [
        (run(), None, "verify: 5 runs: no failure of these tests is on record"),
        (run(marked=True), None, "verify: 2 runs: the failure is marked deterministic"),
        (
            run(),
            rate(10, 100),
            f"verify: 34 runs: {BEFORE}; 34 clean ones rule out that nothing changed, at 95 % confidence",
        ),
        (
            run(iterations=5),
            rate(10, 100),
            (
                f"verify: 7 runs: {BEFORE}; 34 clean ones, 5 in each run, rule out that nothing changed, "
                "at 95 % confidence"
            ),
        ),
        (
            run(),
            rate(99, 100, others=2),
            (
                f"verify: 5 runs: t failed 99 of 100 iterations in session {SESSION} "
                "and 2 others of its commit; 1 clean one rules out that nothing changed, at 95 % confidence"
            ),
        ),
        (
            run(),
            replace(rate(10, 100), title="rare\x1b"),
            (
                f"verify: 34 runs: {BEFORE} (rare?); "
                "34 clean ones rule out that nothing changed, at 95 % confidence"
            ),
        ),
        (
            run(),
            rate(1, 3, Unit.RUN),
            (
                f"verify: 57 runs: t failed 1 of 3 runs in session {SESSION}; "
                "57 clean ones rule out that nothing changed, at 95 % confidence"
            ),
        ),
        (
            run(iterations=50),
            rate(1, 2, Unit.PROCESS),
            (
                f"verify: 38 runs: t failed in 1 of 2 processes (1 of 2 iterations) in session {SESSION}; "
                "38 clean ones rule out that nothing changed, at 95 % confidence"
            ),
        ),
    ],
)
def test_how_many_runs_there_are_is_told_with_its_reason(
    first: Run, recorded: RecordedRate | None, line: str
) -> None:
    """What is on record, where, and what it asks for."""
    rates = {} if recorded is None else {"t": recorded}
    assert required_lines(came_to(first, rates), first) == [line]


def test_a_number_out_of_reach_is_told_with_what_to_do() -> None:
    """Amplify first, and verify under the same conditions."""
    first = run(duration_ns=5 * 10**9)
    lines = required_lines(came_to(first, {"t": rate(1, 100)}), first)
    assert lines == [
        (
            "verify: 5 runs, where 1,900 would take 2 h 38 min: "
            f"t failed 1 of 100 iterations in session {SESSION}; "
            "1,900 clean ones rule out that nothing changed, at 95 % confidence"
        ),
        (
            "amplify first, so that it fails more often: many iterations in each run (--repro-stress N), "
            "more workers (-n), load beside it"
        ),
        "verify under the conditions in which it failed: pytest --repro-stress 100 -n2",
    ]
    by_process = came_to(first, {"t": rate(1, 100, Unit.PROCESS)})
    assert "--repro-stress" not in required_lines(by_process, first)[1]


def test_runs_that_are_too_short_to_fail_are_told() -> None:
    """No number of them proves a fix."""
    first = run(iterations=3)
    lines = required_lines(came_to(first, {"t": rate(2, 4, Unit.PROCESS, each=50)}), first)
    assert lines == [
        (
            "verify: 5 runs, which cannot prove a fix: "
            f"t failed in 2 of 4 processes (100 of 200 iterations) in session {SESSION}"
        ),
        "a run executes it 3 times, it failed in processes of about 50 iterations: add --repro-stress 50",
        "verify under the conditions in which it failed: pytest --repro-stress 100 -n2",
    ]


PER_RUN = "a failure rate above 45 % is ruled out at 95 % confidence"


@pytest.mark.parametrize(
    ("runs", "recorded", "expected"),
    [
        ([run(number) for number in range(5)], {}, PER_RUN),
        (
            [run(number, iterations=20) for number in range(5)],
            {},
            (
                f"{PER_RUN}, above 3.0 % of the iterations if each fails by itself; "
                "100 iterations ran without a failure"
            ),
        ),
        (
            [run(number, iterations=20, tests="tu") for number in range(5)],
            {},
            (
                f"{PER_RUN}, above 3.0 % of the iterations if each fails by itself; "
                "200 iterations ran without a failure"
            ),
        ),
        (
            [run(number, iterations=20, seed="7") for number in range(5)],
            {},
            (
                f"{PER_RUN}, above 14 % of the iterations if each fails by itself; "
                "20 iterations ran without a failure, the same in 5 runs (one seed)"
            ),
        ),
        (
            [run(number, iterations=20, seed=str(number)) for number in range(5)],
            {"t": rate(1, 2, Unit.PROCESS)},
            (
                f"{PER_RUN}; 100 iterations ran without a failure, "
                "but on record failures come together in a process: runs count"
            ),
        ),
    ],
    ids=["runs", "iterations", "two tests", "one seed", "clustered"],
)
def test_clean_runs_prove_something_of_runs_and_perhaps_of_iterations(
    runs: list[Run], recorded: dict[str, RecordedRate], expected: str
) -> None:
    """Of an iteration only where each fails by itself, of one test, and each random choice once."""
    assert proof(runs, Evidence(rates=recorded)) == expected


def test_what_clean_runs_prove_depends_on_the_confidence() -> None:
    """As `--verify-confidence` says."""
    expected = "a failure rate above 60 % is ruled out at 99 % confidence"
    assert proof([run(number) for number in range(5)], Evidence(confidence=0.99)) == expected


@pytest.mark.parametrize(
    ("passed", "line"),
    [
        (
            5,
            (
                f"not proved: {BEFORE}: 5 clean runs had a chance of 60 % without a fix; "
                "34 are needed at 95 % confidence"
            ),
        ),
        (34, f"{BEFORE}: 34 clean runs had a chance of 4.7 % without a fix, ruled out at 95 % confidence"),
    ],
)
def test_clean_runs_are_held_against_the_rate_on_record(passed: int, line: str) -> None:
    """How likely they were without a fix, and how many are needed."""
    asking = asked_of([run()], {"t": rate(10, 100)})
    assert recorded_lines(asking, passed=passed) == [line]


def test_without_a_rate_on_record_nothing_is_held_against_the_runs() -> None:
    """What is not known is not said."""
    assert recorded_lines([], passed=5) == []


def test_tests_that_are_not_proved_are_named_and_others_counted() -> None:
    """Where all are proved, the one that asked for the most stands for them."""
    tests = "abcde"
    rates = {test: rate(10 + number, 100, test=test) for number, test in enumerate(tests)}
    asking = asked_of([run(tests=tests)], rates)
    lines = recorded_lines(asking, passed=5)
    assert [line.split()[2] for line in lines[:3]] == ["a", "b", "c"]
    assert lines[3:] == ["not proved of 2 other tests either, see summary.json"]
    assert [line.split()[0] for line in recorded_lines(asking, passed=40)] == ["a"]


def test_runs_that_are_too_short_are_held_against_nothing() -> None:
    """No chance can be told."""
    asking = asked_of([run()], {"t": rate(2, 4, Unit.PROCESS, each=50)})
    lines = recorded_lines(asking, passed=5)
    assert lines[0].startswith("not proved: t failed in 2 of 4 processes")
    assert "add --repro-stress 50" in lines[1]
    assert requirement_record(asking[0], passed=5)["chance_if_unchanged"] is None


def test_runs_that_repeat_their_random_choices_are_held_against_nothing() -> None:
    """With the option that makes them."""
    asking = Evidence(rates={"t": rate(10, 100)}, fixed=("--repro-seed", "PYTHONHASHSEED")).asking(
        [run(iterations=20)]
    )
    assert recorded_lines(asking, passed=5) == [
        f"not proved: {BEFORE}",
        "all runs make the same random choices: drop --repro-seed",
    ]


def verdict(kind: VerdictKind, *, passed: int) -> Verdict:
    """Makes a verdict."""
    return Verdict(kind=kind, asked=9, passed=passed, failed=(), reasons=(), exit_status=0)


def test_what_the_record_makes_of_the_runs_depends_on_the_verdict() -> None:
    """Of an unstable test it makes nothing, of an incomplete gate only what is lacking."""
    evidence = Evidence(rates={"t": rate(10, 100)})
    runs = [run(1), run(2)]
    (proved,) = evidence_lines(verdict(VerdictKind.STABLE, passed=34), runs, evidence)
    assert proved.endswith("ruled out at 95 % confidence")
    assert evidence_lines(verdict(VerdictKind.INCOMPLETE, passed=34), runs, evidence) == []
    (lacking,) = evidence_lines(verdict(VerdictKind.INCOMPLETE, passed=33), runs, evidence)
    assert lacking.startswith("not proved: ")
    assert evidence_lines(verdict(VerdictKind.UNSTABLE, passed=34), runs, evidence) == []
    gathered = [run(1, iterations=20, failures=18), run(2, iterations=20), run(3, iterations=20)]
    (cluster,) = evidence_lines(verdict(VerdictKind.UNSTABLE, passed=2), gathered, evidence)
    assert cluster.startswith("no chance: ")


def test_what_was_the_same_in_all_runs_is_told() -> None:
    """Hash seed and seeds, where more than one run had them."""
    same = [run(number, seed="3", hash_seed="0") for number in (1, 2)]
    stable = verdict(VerdictKind.STABLE, passed=2)
    assert evidence_lines(stable, same, Evidence()) == [
        "all runs had PYTHONHASHSEED=0: nothing is proved of other hash seeds",
        "all runs had --repro-seed 3: nothing is proved of other random choices",
    ]
    assert evidence_lines(stable, same[:1], Evidence()) == []
    differing = [run(number, seed=str(number), hash_seed=str(number)) for number in (1, 2)]
    assert evidence_lines(stable, differing, Evidence()) == []
    assert evidence_lines(stable, [run(1), run(2)], Evidence()) == []


def test_a_command_on_record_cannot_steer_the_terminal() -> None:
    """It may come from anybody's folder."""
    recorded = rate(2, 4, Unit.PROCESS, each=50)
    hostile = RecordedRate(
        test="t",
        unit=recorded.unit,
        failures=2,
        total=4,
        iterations_each=50,
        failed_iterations=100,
        iterations=200,
        sessions=(SESSION,),
        command="pytest \x1b[2J",
    )
    lines = recorded_lines(asked_of([run()], {"t": hostile}), passed=5)
    assert lines[-1].endswith("pytest ?[2J")


def test_failures_that_gather_in_some_runs_are_told() -> None:
    """All in one run is a matter of the process; spread over all it is not."""
    gathered = [run(1, iterations=20, failures=18), *(run(number, iterations=20) for number in (2, 3, 4))]
    assert list(cluster_lines(gathered)) == [
        (
            "no chance: the 18 failures of t gather in 1 of 4 runs; "
            "a matter of the process, so count runs, not iterations"
        )
    ]
    spread = [run(number, iterations=20, failures=3) for number in (1, 2, 3, 4)]
    assert list(cluster_lines(spread)) == []
    assert list(cluster_lines([run(1, failures=1), run(2)])) == []
    assert list(cluster_lines([])) == []


def test_what_auto_came_to_is_written_for_programs() -> None:
    """Nothing where the number was given."""
    slow = run(duration_ns=5 * 10**9)
    assert required_record(came_to(slow, {"t": rate(1, 100)})) == {
        "reason": "too_long",
        "runs_asked": 1_900,
        "runs_planned": 5,
    }
    assert required_record(None) is None


def test_a_rate_on_record_is_written_for_programs() -> None:
    """With what it makes of the runs."""
    (requirement,) = asked_of([run()], {"t": rate(10, 100)})
    record = requirement_record(requirement, passed=34)
    assert record["chance_if_unchanged"] == pytest.approx(0.0475, abs=1e-4)
    del record["chance_if_unchanged"]
    assert record == {
        "test": "t",
        "unit": "iteration",
        "failures": 10,
        "total": 100,
        "failed_iterations": 10,
        "iterations": 100,
        "iterations_each": 1,
        "is_clustered": False,
        "sessions": [SESSION],
        "title": "",
        "command": "pytest --repro-stress 100 -n2",
        "runs_needed": 34,
    }
