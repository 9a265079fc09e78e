from __future__ import annotations

from dataclasses import replace

import pytest

from pytest_repro.logs.records import CiFailure, LogReport, Session
from pytest_repro.model import Frame, Outcome, Stage
from pytest_repro.scaffold.hypotheses import hypotheses_of

FAILURE = CiFailure(
    nodeid="tests/test_a.py::test_a[1]",
    line=7,
    outcome=Outcome.FAILED,
    exception="AssertionError",
    message="assert 1 == 2",
    place=Frame(file="src/a.py", line=3, function="f"),
    test_place=Frame(file="tests/test_a.py", line=9, function="test_a"),
)


def questions(failure: CiFailure, *others: CiFailure, is_flaky: bool = False) -> list[str]:
    report = LogReport(line_count=9, session=Session(line=1), failures=(failure, *others))
    return [f"{one.label} | {one.value}" for one in hypotheses_of(failure, report, is_flaky=is_flaky)]


def test_a_failure_asks_for_its_error_and_for_the_places() -> None:
    """Where it shows is not where it arises, so the test's own line is named too."""
    assert questions(FAILURE) == [
        (
            "The value is wrong, or the expectation is: which of them changed last (`git log -p` on both) | "
            "AssertionError: assert 1 == 2"
        ),
        "It shows there, and may arise before | src/a.py:3 in f",
        "The test gets there from this line: what does it hand in | tests/test_a.py:9",
    ]


@pytest.mark.parametrize(
    ("changed", "asked"),
    [
        ({"exception": "pkg.ModuleNotFoundError"}, "imports is missing"),
        ({"exception": "requests.exceptions.ConnectionError"}, "Nothing answers"),
        ({"exception": "FileNotFoundError"}, "A file is not there"),
        ({"exception": "UnicodeDecodeError"}, "encoding"),
        ({"exception": "DeprecationWarning"}, "A warning counts as an error"),
        ({"exception": "subprocess.TimeoutExpired"}, "took too long"),
        ({"exception": None, "outcome": Outcome.CRASH}, "Native code ended its process"),
        ({"exception": None, "outcome": Outcome.HANG}, "waits for something"),
        ({"exception": "my.Error", "stage": Stage.SETUP}, "in a fixture"),
        ({"exception": "my.Error", "stage": Stage.TEARDOWN}, "clears up"),
        ({"exception": "my.Error", "place": FAILURE.test_place}, "in the test itself"),
    ],
)
def test_the_question_is_that_of_the_error(changed: dict[str, object], asked: str) -> None:
    """An error of the project's own says nothing, so nothing is asked for it but where it shows."""
    assert asked in questions(replace(FAILURE, **changed))[0]  # type: ignore[arg-type]


def test_what_failed_beside_it_is_asked_for() -> None:
    """Further sets of parameters apart from other tests; one with another error is not like it."""
    of_test = replace(FAILURE, nodeid="tests/test_a.py::test_a[2]")
    alike = replace(FAILURE, nodeid="tests/test_b.py::test_b")
    other = replace(alike, nodeid="tests/test_b.py::test_c", exception="KeyError")
    assert questions(FAILURE, of_test, alike, other)[-2:] == [
        (
            "Further sets of parameters of this test failed: what have they in common | 1, such as "
            "tests/test_a.py::test_a[2]"
        ),
        (
            "Other tests failed with the same exception in the same file: is it one cause | 1, such as "
            "tests/test_b.py::test_b"
        ),
    ]
    assert "It comes and goes" in questions(FAILURE, is_flaky=True)[-1]
