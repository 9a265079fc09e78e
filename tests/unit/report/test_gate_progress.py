"""The line that tells how far the gate is."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pytest_repro.report.progress import GateProgress

SECOND = 10**9
SECOND_RUN = GateProgress(
    run=2,
    asked=5,
    finished=31,
    planned=120,
    failures=0,
    unit="test",
    elapsed_ns=12 * SECOND,
    run_elapsed_ns=2 * SECOND,
    runs_ns=(10 * SECOND,),
)


def test_the_line_tells_run_progress_and_time() -> None:
    """The runs before tell how long the others will take."""
    assert SECOND_RUN.line() == "verify: run 2 of 5, 31 of 120 tests, 12 s, about 38 s left"


@pytest.mark.parametrize(
    ("width", "line"),
    [
        (58, "verify: run 2 of 5, 31 of 120 tests, 12 s, about 38 s left"),
        (57, "verify: run 2 of 5, 12 s, about 38 s left"),
        (35, "verify: run 2 of 5, about 38 s left"),
        (34, "verify: run 2 of 5"),
        (9, "verify: r"),
    ],
)
def test_what_matters_least_is_left_out_first(width: int, line: str) -> None:
    """On a narrow terminal."""
    assert SECOND_RUN.line(width=width) == line


def test_in_the_first_run_its_own_progress_tells_the_time() -> None:
    """A quarter of a run in three seconds: nine more, and four runs of twelve."""
    first = replace(
        SECOND_RUN, run=1, finished=30, runs_ns=(), run_elapsed_ns=3 * SECOND, elapsed_ns=3 * SECOND
    )
    assert first.line() == "verify: run 1 of 5, 30 of 120 tests, 3 s, about 57 s left"


def test_what_nobody_knows_is_not_said() -> None:
    """Before a run has told anything, and where the number of runs is still to be found."""
    unknown = replace(SECOND_RUN, run=1, finished=0, planned=None, runs_ns=(), run_elapsed_ns=SECOND)
    assert unknown.line() == "verify: run 1 of 5, 12 s"
    assert replace(unknown, asked=None, finished=7).line() == "verify: run 1, 7 tests, 12 s"


def test_failures_are_told_and_make_the_line_red() -> None:
    """The run is not over, its verdict is."""
    failing = replace(SECOND_RUN, failures=1, unit="iteration")
    assert failing.shows_failure
    assert failing.line() == "verify: run 2 of 5, 31 of 120 iterations, 1 failure, 12 s, about 38 s left"
    assert failing.line(is_short=True) == "verify: run 2 of 5, 1 failure"


def test_a_run_that_takes_longer_than_those_before_has_no_time_left_to_tell() -> None:
    """Never less than nothing."""
    late = replace(SECOND_RUN, run=5, run_elapsed_ns=30 * SECOND)
    assert late.left_ns == 0
