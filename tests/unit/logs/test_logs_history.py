from __future__ import annotations

import io

from pytest_repro.logs.formats import log_lines
from pytest_repro.logs.history import WorkerHistory, read_history
from pytest_repro.logs.reader import read_log

STARTS = "============================= test session starts =============================="
FAILURES = "=================================== FAILURES ==================================="
SUMMARY = """\
=========================== short test summary info ============================
FAILED t/test_a.py::test_x[a - b] - AssertionError: no
=================== 1 failed, 3 passed in 0.12s ===================
"""


def history_of(log: str) -> WorkerHistory | None:
    data = log.encode()
    report = read_log(io.BytesIO(data))
    return read_history(log_lines(io.BytesIO(data)), report.failures[0])


def test_the_failing_worker_ran_these_tests_before_in_this_order() -> None:
    """Other workers' tests are none of it; ids hold ` - `; a CI's prefix and colours are taken off."""
    lines = [
        STARTS,
        "t/test_a.py::test_1 ",
        "t/test_a.py::test_2 ",
        "[gw1] [ 10%] PASSED t/test_a.py::test_2 ",
        "t/test_a.py::test_3 ",
        "\x1b[32m[gw0] [ 20%] PASSED\x1b[0m t/test_a.py::test_1 ",
        "t/test_a.py::test_x[a - b] ",
        "[gw1] [ 30%] SKIPPED t/test_a.py::test_3 ",
        "[gw1] [ 40%] PASSED t/test_a.py::test_4 ",
        "[gw1] [ 40%] ERROR t/test_a.py::test_4 ",
        "[gw0] [ 50%] FAILED t/test_a.py::test_9 ",
        "[gw1] [ 60%] FAILED t/test_a.py::test_x[a - b] ",
        "[gw1] [ 70%] PASSED t/test_a.py::test_5 ",
        FAILURES,
        "____ test_x[a - b] ____",
        "[gw1] linux -- Python 3.11.7 /usr/bin/python",
        "E   AssertionError: no",
        "t/test_a.py:3: AssertionError",
        *SUMMARY.splitlines(),
    ]
    log = "".join(f"2026-01-02T03:04:05.0000000Z {line}\n" for line in lines)
    report = read_log(io.BytesIO(log.encode()))
    failure = next(one for one in report.failures if "test_x" in one.nodeid)
    assert read_history(log_lines(io.BytesIO(log.encode())), failure) == WorkerHistory(
        worker="gw1",
        tests=(
            "t/test_a.py::test_2",
            "t/test_a.py::test_3",
            "t/test_a.py::test_4",
            "t/test_a.py::test_x[a - b]",
        ),
    )


def test_one_process_ran_them_as_printed() -> None:
    """Also where output stands between a test and its outcome (`-s`), and of the session that failed only."""
    log = f"""\
{STARTS}
t/test_a.py::test_0 PASSED                                    [100%]
============================== 1 passed in 0.01s ===============================
{STARTS}
t/test_a.py::test_1 PASSED                                    [ 20%]
t/test_a.py::test_2 some output
PASSED
t/test_a.py::test_x[a - b] FAILED                             [ 60%]
t/test_a.py::test_3 PASSED                                    [100%]
{FAILURES}
{SUMMARY}"""
    assert history_of(log) == WorkerHistory(
        worker="main",
        tests=("t/test_a.py::test_1", "t/test_a.py::test_2", "t/test_a.py::test_x[a - b]"),
    )


def test_a_test_that_was_rerun_ends_the_list_at_its_first_failure() -> None:
    """An earlier test that was rerun stands there twice: it ran twice."""
    log = f"""\
{STARTS}
[gw0] [ 10%] RERUN t/test_a.py::test_1
[gw0] [ 10%] PASSED t/test_a.py::test_1
[gw0] [ 20%] RERUN t/test_a.py::test_x[a - b]
[gw0] [ 30%] FAILED t/test_a.py::test_x[a - b]
{FAILURES}
{SUMMARY}"""
    history = history_of(log)
    assert history is not None
    assert history.tests == ("t/test_a.py::test_1", "t/test_a.py::test_1", "t/test_a.py::test_x[a - b]")


def test_a_replacement_of_a_dead_worker_begins_anew() -> None:
    """It is a fresh process: what the dead one ran is none of its history."""
    log = f"""\
{STARTS}
[gw1] [ 10%] PASSED t/test_a.py::test_1
[gw1] node down: Not properly terminated
[gw1] [ 20%] FAILED t/test_a.py::test_dead
replacing crashed worker gw1
[gw4] [ 30%] PASSED t/test_a.py::test_2
[gw4] [ 40%] FAILED t/test_a.py::test_x[a - b]
{FAILURES}
{SUMMARY}"""
    report = read_log(io.BytesIO(log.encode()))
    failure = next(one for one in report.failures if "test_x" in one.nodeid)
    history = read_history(log_lines(io.BytesIO(log.encode())), failure)
    assert history == WorkerHistory(worker="gw4", tests=("t/test_a.py::test_2", "t/test_a.py::test_x[a - b]"))


def test_without_names_in_the_progress_nothing_is_guessed() -> None:
    """`-q` and plain letters do not tell which test ran where."""
    assert history_of(f"{STARTS}\nt/test_a.py .F.                  [100%]\n{FAILURES}\n{SUMMARY}") is None
