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
        named += find_pattern(processes) is not None
    assert named <= 40


def test_thousands_of_processes_are_judged_too() -> None:
    """Without counting all ways in which their iterations could fail."""
    always = [process("FFF", str(number)) for number in range(2000)]
    never = [process("...", str(number)) for number in range(2000)]
    found = find_pattern(always + never)
    assert found is not None
    assert found.failing_processes == 2000
    assert len(found.failing) == 20
