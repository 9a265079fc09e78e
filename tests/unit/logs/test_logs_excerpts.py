"""Excerpts, as issues quote them: a log that begins or ends within what would name a test."""

from __future__ import annotations

import io

import pytest

from pytest_repro.logs.reader import read_log
from pytest_repro.logs.records import CiFailure, LogReport
from pytest_repro.model import Outcome


def report_of(text: str) -> LogReport:
    return read_log(io.BytesIO(text.encode()))


def only_failure(text: str) -> CiFailure:
    (failure,) = report_of(text).failures
    return failure


def test_a_traceback_without_its_header_belongs_to_the_function_of_its_frame() -> None:
    failure = only_failure(
        "plant/tests/test_pump.py:59: in test_pressure\n    assert_close(bars, 2)\n"
        "E   AssertionError: \nE   too much pressure\n"
    )
    assert failure.nodeid == "plant/tests/test_pump.py::test_pressure"
    assert not failure.is_verbatim
    assert (failure.exception, failure.message) == ("AssertionError", "too much pressure")


def test_a_header_may_be_indented_by_a_quotation() -> None:
    failure = only_failure(
        " ________________________________ test_pressure ________________________________\n"
        "plant/tests/test_pump.py:59: in test_pressure\n    check(2)\nE   OSError: no pump\n"
    )
    assert failure.nodeid == "plant/tests/test_pump.py::test_pressure"
    assert failure.message == "no pump"


def test_a_helper_called_like_a_test_file_is_not_the_file_of_a_test_that_it_runs() -> None:
    """No frame is of the test's own function: nothing tells its file."""
    failure = only_failure(
        "_________________________________ test_pressure _________________________________\n"
        "plant/pump_test.py:7: in run_it\n    return call()\nplant/loop.py:3: in call\n    raise OSError\n"
        "E   OSError: no pump\n"
    )
    assert failure.nodeid == "test_pressure"


@pytest.mark.parametrize(
    "checkout",
    [
        "/home/runner/work/plant/plant",
        "/home/ubuntu/actions-runner/_work/plant/plant",
        "/home/vsts/work/1/s",
        "/home/travis/build/owner/plant",
        "/home/circleci/project",
    ],
)
def test_a_file_in_the_checkout_of_a_ci_system_is_named_from_there(checkout: str) -> None:
    failure = only_failure(
        "_________________________________ test_pressure _________________________________\n"
        f"{checkout}/tests/test_pump.py:59: in test_pressure\n    check(2)\nE   OSError: no pump\n"
    )
    assert failure.nodeid == "tests/test_pump.py::test_pressure"


def test_a_message_that_begins_with_an_empty_line_goes_on_in_the_next() -> None:
    failure = only_failure(
        "FAILED tests/test_pump.py::test_pressure - AssertionError: \nNot equal to 2 bars\n\nx: 3\n"
    )
    assert (failure.exception, failure.message) == ("AssertionError", "Not equal to 2 bars")


def test_a_worker_may_count_its_files_from_another_folder() -> None:
    failure = only_failure(
        "__________________________ test_pump.py __________________________\n"
        "worker 'gw0' crashed while running 'test_pump.py::test_pressure'\n"
        "FAILED tests/test_pump.py::test_pressure\n"
    )
    assert failure.nodeid == "tests/test_pump.py::test_pressure"
    assert failure.outcome is Outcome.CRASH


def test_a_crash_in_a_fixture_has_the_place_of_the_fixture() -> None:
    failure = only_failure(
        "platform linux -- Python 3.12.1, pytest-8.3.5, pluggy-1.5.0\ncollected 2 items\n"
        "tests/test_pump.py Fatal Python error: Aborted\n\n"
        "Current thread 0x00007fa5 (most recent call first):\n"
        '  File "/usr/lib/python3.12/ctypes/__init__.py", line 5 in call\n'
        '  File "/srv/plant/tests/conftest.py", line 63 in pump\n'
        '  File "/srv/env/lib/python3.12/site-packages/_pytest/fixtures.py", line 901 in call_fixture_func\n'
    )
    assert failure.nodeid == "tests/test_pump.py"
    assert failure.place is not None
    assert (failure.place.file, failure.place.line) == ("/srv/plant/tests/conftest.py", 63)


def test_a_session_that_fails_without_a_file_is_named_as_the_summary_does() -> None:
    report = report_of(
        "=========================== short test summary info ============================\n"
        "FAILED ::plant - OSError: no pump\n"
        "========================= 1 failed, 2 passed in 0.10s ==========================\n"
    )
    assert [one.nodeid for one in report.failures] == ["::plant"]


def test_a_runner_may_tell_the_seconds_of_a_failure_in_the_summary() -> None:
    report = report_of(
        "FAILED [0.2012s] tests/test_pump.py::test_pressure - AssertionError: no pre...\n"
        "FAILED [1.5s] tests/test_pump.py::test_flow - AssertionError:...\n"
    )
    assert [(one.nodeid, one.exception, one.message) for one in report.failures] == [
        ("tests/test_pump.py::test_pressure", "AssertionError", "no pre..."),
        ("tests/test_pump.py::test_flow", "AssertionError", None),
    ]


def test_the_first_letters_of_an_exception_are_no_message() -> None:
    """A narrow terminal leaves no more of the summary's line."""
    failure = only_failure(
        "_________________________________ test_pressure _________________________________\n"
        "E   plant.errors.NoPumpError\n\ntests/test_pump.py:7: NoPumpError\n"
        "=========================== short test summary info ============================\n"
        "FAILED tests/test_pump.py::test_pressure - plant.err...\n"
    )
    assert (failure.exception, failure.message) == ("plant.errors.NoPumpError", None)


def test_a_dump_that_comes_before_the_session_tells_of_no_other_crash() -> None:
    """The standard error is not held back as the standard output is."""
    failure = only_failure(
        "Fatal Python error: Aborted\n\nCurrent thread 0x00007fa5 (most recent call first):\n"
        '  File "/srv/plant/tests/test_pump.py", line 4 in test_pressure\n'
        "============================= test session starts ==============================\n"
        "platform linux -- Python 3.12.1, pytest-8.3.5, pluggy-1.5.0\ncreated: 2/2 workers\n"
        "[gw0] node down: Not properly terminated\nF\n"
        "=================================== FAILURES ===================================\n"
        "______________________________ tests/test_pump.py ______________________________\n"
        "worker 'gw0' crashed while running 'tests/test_pump.py::PumpTest::test_pressure[2]'\n"
        "=========================== short test summary info ============================\n"
        "FAILED tests/test_pump.py::PumpTest::test_pressure[2]\n"
        "============================== 1 failed in 0.50s ===============================\n"
    )
    assert failure.nodeid == "tests/test_pump.py::PumpTest::test_pressure[2]"


def test_the_stacks_of_a_timeout_begin_behind_the_letters_of_a_quiet_session() -> None:
    failure = only_failure(
        "..+++++++++++++++++++++++++++++++++++ Timeout ++++++++++++++++++++++++++++++++++++\n"
        "~~~~~~~~~~~~~~~~~~~~~ Stack of MainThread (140405729819520) ~~~~~~~~~~~~~~~~~~~~~\n"
        '  File "tests/test_pump.py", line 3, in test_pressure\n    wait()\n'
        "+++++++++++++++++++++++++++++++++++ Timeout ++++++++++++++++++++++++++++++++++++\n"
    )
    assert failure.nodeid == "tests/test_pump.py::test_pressure"
    assert failure.outcome is Outcome.TIMEOUT


@pytest.mark.parametrize("between", ["", "\n"])
def test_a_process_that_the_shell_tells_to_be_dead_died_in_the_file_whose_tests_ran(between: str) -> None:
    """The shell's words may follow on the line of the letters, which has no end yet."""
    failure = only_failure(
        "============================= test session starts ==============================\n"
        "tests/test_tap.py ..                                                     [ 50%]\n"
        f"tests/test_pump.py ..{between}/srv/x.sh: line 1:  4711 Killed                  pytest -x\n"
        "##[error]Process completed with exit code 137.\n"
    )
    assert (failure.nodeid, failure.outcome) == ("tests/test_pump.py", Outcome.CRASH)
    assert (failure.message or "").startswith("4711 Killed")


def test_a_process_that_died_after_its_session_died_in_no_file() -> None:
    report = report_of(
        "============================= test session starts ==============================\n"
        "tests/test_tap.py ..                                                     [100%]\n"
        "============================== 2 passed in 0.50s ===============================\n"
        "/srv/x.sh: line 1:  4711 Killed                  pytest -x\n"
    )
    assert report.failures == ()
