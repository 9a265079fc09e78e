"""What a trial of a bisection is taken for that has told nothing itself."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pytest_repro.order.matching import Collected
from pytest_repro.order.trials import TrialOutcome
from pytest_repro.plugin.bisect_processes import files_of
from pytest_repro.plugin.bisect_trial import BegunTest, begun_test, hanging_trial, trial_in
from pytest_repro.signature import HANG_MESSAGE


def write_begun(folder: Path, *, is_last: bool) -> None:
    begun = {"number": 3, "is_last": is_last, "nodeid": "t.py::test_c"}
    (folder / "begun.json").write_text(json.dumps(begun))


@pytest.mark.parametrize("text", ["", '{"number": 1', None])
def test_before_its_first_test_a_trial_is_at_none(tmp_path: Path, text: str | None) -> None:
    """Nor while the file is being written."""
    if text is not None:
        (tmp_path / "begun.json").write_text(text)
    assert begun_test(tmp_path) == BegunTest()


def test_a_process_that_dies_in_the_last_test_has_failed_by_that(tmp_path: Path) -> None:
    """With the signal, or the exit status, as what went wrong."""
    write_begun(tmp_path, is_last=True)
    trial = trial_in(tmp_path, exit_status=-11, output="")
    assert (trial.outcome, trial.message) == (TrialOutcome.FAILED, "the worker process died with signal 11")
    assert trial.signature is not None
    assert trial_in(tmp_path, exit_status=3, output="").message.endswith("with exit status 3")


def test_a_process_that_dies_before_tells_nothing_of_the_last_test(tmp_path: Path) -> None:
    """Where it was, and what it printed last."""
    write_begun(tmp_path, is_last=False)
    trial = trial_in(tmp_path, exit_status=-9, output="Killed")
    assert (trial.outcome, trial.signature) == (TrialOutcome.NOT_RUN, None)
    assert trial.reason == "its process ended before its turn in t.py::test_c (exit status -9): Killed"


def test_a_hang_counts_for_the_last_test_only(tmp_path: Path) -> None:
    """In one before it, the trial is void, and that test is named."""
    write_begun(tmp_path, is_last=True)
    assert hanging_trial(begun_test(tmp_path)).message == HANG_MESSAGE
    write_begun(tmp_path, is_last=False)
    trial = hanging_trial(begun_test(tmp_path))
    assert trial.outcome is TrialOutcome.NOT_RUN
    assert trial.reason == "t.py::test_c, which runs before it, did not come back"


def test_files_are_told_each_once_and_none_where_they_are_too_many_for_a_command_line() -> None:
    """Then pytest is left to find them by the order."""
    one = Collected(nodeid="a.py::test_a", path="/w/a.py")
    assert files_of([one, one]) == ("/w/a.py",)
    many = [Collected(nodeid="", path=f"/w/{'x' * 100}/{number}.py") for number in range(6_000)]
    assert files_of(many) == ()
