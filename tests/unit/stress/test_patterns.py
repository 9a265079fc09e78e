"""What the order and the processes of failures tell."""

from __future__ import annotations

import random

import pytest

from pytest_repro.stress.patterns import PatternKind, ProcessTally, find_pattern


def process(outcomes: str, label: str = "main") -> ProcessTally:
    """Makes the tally of one process from a string of `.` for a pass and `F` for a failure."""
    tally = ProcessTally(label=label)
    for outcome in outcomes:
        tally.add(is_failure=outcome == "F", number=1)
    return tally


@pytest.mark.parametrize(
    ("processes", "kind"),
    [
        ([".FF"], PatternKind.RUNNING_AGAIN),
        ([".FF", ".F"], PatternKind.RUNNING_AGAIN),
        ([".FF", "."], PatternKind.RUNNING_AGAIN),
        ([".F", "."], None),
        ([".F"], None),
        (["...FFFFFFFF", "...FFFFF"], PatternKind.RUNNING_AGAIN),
        (["FFFFF", "....."], PatternKind.PROCESS),
        (["FFF", ".........", "........"], PatternKind.PROCESS),
        ([".F.", ".FF"], None),
        (["..F", ".FF"], None),
        (["...F", "...."], None),
        (["F", "."], None),
        (["F", "F", "F", ".", ".", "."], None),
        (["FFFF", "FFFF"], None),
        (["....", "...."], None),
        (["FFF.", "...."], None),
        ([], None),
    ],
)
def test_a_pattern_is_named_where_chance_would_hardly_show_it(
    processes: list[str], kind: PatternKind | None
) -> None:
    """State left behind, a matter of the process, or nothing."""
    found = find_pattern([process(outcomes, f"p{number}") for number, outcomes in enumerate(processes)])
    assert (None if found is None else found.kind) == kind


def test_the_facts_of_a_pattern_are_counted() -> None:
    """How often it passed first, how often it failed then, in how many processes."""
    again = find_pattern([process("..FFFFFFFFF"), process("..FFFFFF"), process(".")])
    assert again is not None
    assert (again.passes, again.failures, again.failing_processes, again.processes) == (2, 15, 2, 3)
    matter = find_pattern([process("FFFFF", "4"), process(".....", "5"), process("FF", "9")])
    assert matter is not None
    assert (matter.failing, matter.failing_processes, matter.processes) == (("4", "9"), 2, 3)


def test_failures_by_chance_are_hardly_ever_called_a_pattern() -> None:
    """Of 2,000 random sessions with 4 to 10 iterations in each of 3 processes, at most 2 in 100."""
    generator = random.Random(1)
    named = 0
    for _ in range(2000):
        rate = generator.random()
        processes = [
            process(
                "".join("F" if generator.random() < rate else "." for _ in range(generator.randint(4, 10)))
            )
            for _ in range(3)
        ]
        found = find_pattern(processes)
        named += found is not None and found.is_certain
    assert named <= 40


def test_thousands_of_processes_are_judged_too() -> None:
    """Without counting all ways in which their iterations could fail."""
    always = [process("FFF", str(number)) for number in range(2000)]
    never = [process("...", str(number)) for number in range(2000)]
    found = find_pattern(always + never)
    assert found is not None
    assert found.failing_processes == 2000
    assert len(found.failing) == 20


@pytest.mark.parametrize("rate", [0.001, 0.01, 0.1, 0.5])
def test_a_run_that_stops_at_its_first_failures_is_no_pattern(rate: float) -> None:
    """Passes come before them anyway: 1,000 sessions of one and of two processes, at most 2 in 100."""
    generator = random.Random(2)
    named = 0
    for _ in range(1000):
        processes: list[ProcessTally] = []
        for _ in range(generator.randint(1, 2)):
            passes = 0
            while generator.random() >= rate:
                passes += 1
            processes.append(ProcessTally(label=str(len(processes)), passed_first=passes, failed=1))
        found = find_pattern(processes)
        named += found is not None and found.is_certain
    assert named <= 20


def test_few_runs_of_a_test_are_no_proof() -> None:
    """What came twice may come by chance: it is named as possible."""
    found = find_pattern([process(".FF")])
    assert found is not None
    assert not found.is_certain
    again = find_pattern([process("." + "F" * 60)])
    assert again is not None
    assert again.is_certain


def test_forks_leave_nothing_behind_for_each_other() -> None:
    """Iterations in processes of their own cannot fail from running again."""
    assert find_pattern([process(".FFFFFFFFFFFF")], is_isolated=True) is None
