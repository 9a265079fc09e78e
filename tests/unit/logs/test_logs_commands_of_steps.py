"""Which command a session has, where no line before it shows one; and which step and job it ran in."""

from __future__ import annotations

import io

import pytest

from pytest_repro.logs.reader import read_log
from pytest_repro.logs.records import LogReport

SUMMARY = (
    "=========================== short test summary info ============================\n"
    "FAILED tests/test_pump.py::test_pressure - OSError: no pump\n"
    "========================= 1 failed, 2 passed in 0.10s ==========================\n"
)
UNITTEST = (
    f"{'=' * 70}\nFAIL: test_flow (plant.test_valve.ValveTest)\n{'-' * 70}\n"
    "Traceback (most recent call last):\n"
    '  File "/srv/plant/test_valve.py", line 12, in test_flow\n    check()\nAssertionError: 3 != 0\n\n'
    f"{'-' * 70}\nRan 2 tests in 0.001s\n"
)


def report_of(text: str) -> LogReport:
    return read_log(io.BytesIO(text.encode()))


@pytest.mark.parametrize(
    "told",
    [
        "nox > Command pytest -x tests failed with exit code 1",
        "ERROR: InvocationError for command /srv/.tox/py/bin/pytest -x tests (exited with code 1)",
        "py312: exit 1 (0.38 seconds) /srv/plant> pytest -x tests pid=4711",
        'The command "pytest -x tests" exited with 1.',
        "The command '/bin/sh -c pytest -x tests' returned a non-zero code: 1",
    ],
)
def test_a_command_may_be_told_after_it_has_failed(told: str) -> None:
    command = report_of(f"{SUMMARY}{told}\n").session.command
    assert command is not None
    assert command.value.removeprefix("/srv/.tox/py/bin/") == "pytest -x tests"
    assert command.line == SUMMARY.count("\n") + 1


def test_a_command_that_failed_before_the_session_is_not_its_own() -> None:
    assert report_of(f"nox > Command pytest docs failed with exit code 1\n{SUMMARY}").session.command is None


@pytest.mark.parametrize(
    ("head", "command", "step"),
    [
        (
            "Run python plant/manage.py test plant\n",
            "python plant/manage.py test plant",
            "Run python plant/manage.py test plant",
        ),
        (
            "##[group]Run cd plant\ncd plant\npython -m unittest -v\nshell: bash\n##[endgroup]\n",
            "python -m unittest -v",
            "Run cd plant",
        ),
    ],
)
def test_a_step_that_calls_a_unittest_runner_has_its_command(head: str, command: str, step: str) -> None:
    session = report_of(head + UNITTEST).session
    assert session.command is not None
    assert session.step is not None
    assert (session.command.value, session.step.value) == (command, step)


def test_a_script_that_starts_pytest_itself_is_not_told_to_be_its_command() -> None:
    """A runner of many files calls pytest with options of its own."""
    head = "##[group]Run python run_test.py\npython run_test.py\nshell: bash\n##[endgroup]\n"
    header = "platform linux -- Python 3.12.1, pytest-8.3.5, pluggy-1.5.0\n"
    assert report_of(head + header + SUMMARY).session.command is None


@pytest.mark.parametrize(
    "dump",
    [
        "Variables: {'BUILDKITE_STEP_KEY': 'pump-test', 'CI_JOB_NAME': 'plant 1/2'}",
        'BUILDKITE_STEP_KEY="pump-test"\nCI_JOB_NAME="plant 1/2"',
        "STAGE_NAME='pump-test'\nCIRCLE_JOB='plant 1/2'",
    ],
)
def test_variables_of_the_ci_system_name_job_and_step(dump: str) -> None:
    session = report_of(f"{dump}\n{SUMMARY}").session
    assert session.job is not None
    assert session.step is not None
    assert (session.job.value, session.step.value) == ("plant 1/2", "pump-test")


def test_variables_that_name_two_jobs_name_none() -> None:
    assert report_of(f"CI_JOB_NAME=pump\nCI_JOB_NAME=valve\n{SUMMARY}").session.job is None


STEPS = (
    "##[group]Run ./prepare\n./prepare\nshell: bash\nenv:\n  LEVEL: INFO\n  STAGE: one\n##[endgroup]\n"
    "{session}"
    "##[group]Run ./upload\nwith:\n  path: out\nenv:\n  LEVEL: INFO\n  STAGE: two\n  TAG: 12\n##[endgroup]\n"
)


def test_a_session_of_which_the_end_alone_is_left_may_have_run_in_a_lost_step() -> None:
    """What steps before and after it have stands for its variables."""
    session = report_of(STEPS.format(session=SUMMARY)).session
    assert session.step is None
    assert {one.name: one.value for one in session.variables} == {
        "LEVEL": "INFO",
        "STAGE": "two",
        "TAG": "12",
    }


def test_a_session_that_is_whole_has_the_variables_of_its_own_step_alone() -> None:
    title = "============================= test session starts ==============================\n"
    session = report_of(STEPS.format(session=title + SUMMARY)).session
    assert session.step is not None
    assert {one.name: one.value for one in session.variables} == {"LEVEL": "INFO", "STAGE": "one"}
