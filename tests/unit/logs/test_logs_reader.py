from __future__ import annotations

import io
import os
from pathlib import Path

import pytest

from pytest_repro.errors import LogError
from pytest_repro.logs.reader import read_log, read_log_file
from pytest_repro.logs.records import CiFailure, LogOutcome, LogReport
from pytest_repro.model import Outcome, Stage

HEADER = """\
============================= test session starts ==============================
platform linux -- Python 3.12.1, pytest-8.3.5, pluggy-1.5.0
rootdir: /repo
plugins: xdist-3.8.0, timeout-2.4.0
collected 3 items

"""
ACTIONS = """\
Complete job name: unit (3.12)
##[group]Run actions/setup-python@v5
with:
  python-version: 3.12
env:
  EARLY: 1
##[endgroup]
##[group]Run pytest -v
pytest -v
shell: /usr/bin/bash -e {0}
env:
  MODE: fast
  API_TOKEN: ***
  DB_PASSWORD: hunter2-and-more
  pythonLocation: /opt/hostedtoolcache/Python/3.12.1/x64
##[endgroup]
"""
BLOCK = """\
=================================== FAILURES ===================================
_________________________________ TestX.test_a _________________________________

    def test_a(self):
>       assert f() == 2
E       AssertionError: assert 1 == 2

tests/test_a.py:7: AssertionError
"""
SUMMARY = """\
=========================== short test summary info ============================
FAILED tests/test_a.py::TestX::test_a - AssertionError: assert 1 == 2
========================= 1 failed, 2 passed in 0.10s ==========================
"""


def report_of(text: str) -> LogReport:
    return read_log(io.BytesIO(text.encode()))


def only_failure(text: str) -> CiFailure:
    (failure,) = report_of(text).failures
    return failure


def test_a_failing_test_is_read_with_all_that_is_known_of_it() -> None:
    """Node id, outcome, stage, error, place and the line of the log."""
    failure = only_failure(HEADER + BLOCK + SUMMARY)
    assert failure.nodeid == "tests/test_a.py::TestX::test_a"
    assert (failure.outcome, failure.stage) == (Outcome.FAILED, Stage.CALL)
    assert (failure.exception, failure.message) == ("AssertionError", "assert 1 == 2")
    assert failure.place is not None
    assert (failure.place.file, failure.place.line) == ("tests/test_a.py", 7)
    assert failure.line == 16
    assert "assert f() == 2" in failure.text


def test_the_environment_is_that_of_the_step_that_ran_the_tests() -> None:
    """Variables, command, job and step are those of the failing session, each with its line."""
    session = report_of(ACTIONS + HEADER + BLOCK + SUMMARY).session
    assert {one.name: one.value for one in session.variables} == {
        "MODE": "fast",
        "API_TOKEN": None,
        "DB_PASSWORD": None,
        "pythonLocation": "/opt/hostedtoolcache/Python/3.12.1/x64",
    }
    assert session.command is not None
    assert (session.command.value, session.command.line) == ("pytest -v", 9)
    assert session.job is not None
    assert session.job.value == "unit (3.12)"
    assert session.step is not None
    assert session.step.value == "Run pytest -v"
    assert session.python is not None
    assert (session.python.value, session.python.line) == ("3.12.1", 18)


def test_secret_values_leave_no_trace_in_the_report() -> None:
    """A value beside a secret-looking name is masked wherever the log repeats it."""
    text = ACTIONS + HEADER + BLOCK.replace("assert 1 == 2", "assert 'hunter2-and-more' == 2")
    assert "hunter2-and-more" not in repr(report_of(text + SUMMARY))


def test_the_header_of_a_failure_is_enough_without_a_summary() -> None:
    """The node id is rebuilt from the header and the file of the test's own frame."""
    failure = only_failure(HEADER + BLOCK)
    assert failure.nodeid == "tests/test_a.py::TestX::test_a"
    assert not failure.is_verbatim


@pytest.mark.parametrize(
    "nodeid",
    [
        "t.py::test_a[a b]",
        "t.py::test_a[x - y]",
        "t.py::test_a[[1, 2]-(3, 4)]",
        "t.py::test_a[q::r]",
        "t.py::test_a[PASSED]",
        "t.py::test_a[x]y - z]",
        "pkg/sub dir".replace(" ", "_") + "/t.py::TestA::TestB::test_a[1]",
    ],
)
def test_odd_parameters_stay_in_the_node_id(nodeid: str) -> None:
    """Spaces, dashes, brackets and colons within the brackets do not end the id."""
    text = HEADER + SUMMARY.replace("tests/test_a.py::TestX::test_a", nodeid)
    assert only_failure(text).nodeid == nodeid


def test_setup_collection_and_teardown_errors_are_errors_of_their_stage() -> None:
    """ERROR is no FAILED, and the header says where it happened."""
    text = (
        HEADER
        + """\
==================================== ERRORS ====================================
_______________________ ERROR collecting tests/test_b.py _______________________
tests/test_b.py:1: in <module>
    import nothing
E   ModuleNotFoundError: No module named 'nothing'
_________________________ ERROR at setup of test_one __________________________
tests/test_c.py:3: in fix
    raise RuntimeError("up")
E   RuntimeError: up
________________________ ERROR at teardown of test_one ________________________
tests/test_c.py:5: in fix
    raise RuntimeError("down")
E   RuntimeError: down
=========================== short test summary info ============================
ERROR tests/test_b.py
ERROR tests/test_c.py::test_one - RuntimeError: up
========================= 2 passed, 3 errors in 0.10s ==========================
"""
    )
    failures = {(one.nodeid, one.stage): one for one in report_of(text).failures}
    assert failures["tests/test_b.py", Stage.COLLECT].exception == "ModuleNotFoundError"
    assert failures["tests/test_c.py::test_one", Stage.SETUP].outcome is Outcome.ERROR


def test_a_session_inside_captured_output_is_not_the_failure() -> None:
    """A pytester run prints a whole session of its own."""
    inner = HEADER + BLOCK.replace("TestX", "TestInner") + SUMMARY.replace("TestX", "TestInner")
    text = (
        HEADER
        + BLOCK
        + "----------------------------- Captured stdout call -----------------------------\n"
        + inner
        + SUMMARY
    )
    assert only_failure(text).nodeid == "tests/test_a.py::TestX::test_a"


def test_what_a_test_prints_does_not_pass_for_a_failure() -> None:
    """Lines that only look like pytest's, in captured output, name no test."""
    printed = (
        "----------------------------- Captured stdout call -----------------------------\n"
        "=== FAILURES ===\nFAILED tests/fake.py::test_fake - no\n____ test_fake ____\n"
    )
    assert only_failure(HEADER + BLOCK + printed + SUMMARY).nodeid == "tests/test_a.py::TestX::test_a"


def test_a_rerun_that_passed_is_no_failure() -> None:
    """RERUN and then PASSED is a pass."""
    text = (
        HEADER
        + "t.py::test_a RERUN [ 50%]\nt.py::test_a PASSED [100%]\n\n==== 1 passed, 1 rerun in 0.1s ====\n"
    )
    assert report_of(text).failures == ()
    assert report_of(text).outcome is LogOutcome.PASSED


def test_a_failure_that_passed_in_a_later_session_makes_the_log_flaky() -> None:
    """The failure is kept, and marked."""
    text = (
        HEADER
        + BLOCK
        + SUMMARY
        + HEADER
        + "tests/test_a.py::TestX::test_a PASSED [100%]\n==== 1 passed in 0.1s ====\n"
    )
    verbose = text.replace(
        "collected 3 items\n", "collected 3 items\ntests/test_a.py::TestX::test_a FAILED [100%]\n", 1
    )
    report = report_of(verbose)
    assert report.is_flaky
    assert [one.passed_later for one in report.failures] == [True]


def test_the_session_with_most_failures_counts() -> None:
    """Of several sessions the one with failing tests is described."""
    passing = HEADER.replace("3.12.1", "3.10.1") + "==== 3 passed in 0.1s ====\n"
    report = report_of(passing + HEADER + BLOCK + SUMMARY + passing)
    assert report.session.python is not None
    assert report.session.python.value == "3.12.1"


def test_a_worker_that_crashed_names_its_test() -> None:
    """The controller says which test a dead worker was running."""
    text = (
        HEADER
        + """\
=================================== FAILURES ===================================
________________________________ tests/test_a.py _______________________________
[gw2] linux -- Python 3.12.1 /usr/bin/python
worker 'gw2' crashed while running 'tests/test_a.py::test_dies'
=========================== short test summary info ============================
FAILED tests/test_a.py::test_dies
============================== 1 failed in 0.10s ===============================
"""
    )
    failure = only_failure(text)
    assert (failure.nodeid, failure.outcome, failure.worker) == (
        "tests/test_a.py::test_dies",
        Outcome.CRASH,
        "gw2",
    )


def test_a_fatal_error_belongs_to_the_test_in_flight() -> None:
    """The dump of faulthandler ends the line on which the test began."""
    text = (
        HEADER
        + """\
tests/test_a.py::test_ok PASSED [ 50%]
tests/test_a.py::test_dies Fatal Python error: Segmentation fault

Current thread 0x00007f9fa8dd2000 (most recent call first):
  File "/usr/lib/python3.12/ctypes/__init__.py", line 517 in string_at
  File "/repo/tests/test_a.py", line 12 in test_dies
"""
    )
    failure = only_failure(text)
    assert (failure.nodeid, failure.outcome) == ("tests/test_a.py::test_dies", Outcome.CRASH)
    assert failure.message == "Fatal Python error: Segmentation fault"
    assert failure.place is not None
    assert failure.place.line == 12


@pytest.mark.parametrize(
    "line", ["E   Failed: Timeout >5.0s", "E   Failed: Timeout (>5.0s) from pytest-timeout."]
)
def test_pytest_timeout_is_a_timeout(line: str) -> None:
    """The signal method raises inside the test."""
    assert (
        only_failure(HEADER + BLOCK.replace("E       AssertionError: assert 1 == 2", line)).outcome
        is Outcome.TIMEOUT
    )


def test_a_dump_of_pytest_timeout_belongs_to_the_test_in_flight() -> None:
    """The thread method prints stacks and ends the process."""
    banner = "+++++++++++++++++++++++++++++++++++ Timeout ++++++++++++++++++++++++++++++++++++\n"
    failure = only_failure(HEADER + "tests/test_a.py::test_slow \n" + banner)
    assert (failure.nodeid, failure.outcome) == ("tests/test_a.py::test_slow", Outcome.TIMEOUT)


def test_a_dump_without_verbose_output_names_the_test_of_its_stack() -> None:
    """The node id is rebuilt from the frame in the test module."""
    dump = """\
tests/test_a.py ..+++++++++++++++++++++++++++++++++++ Timeout ++++++++++++++++++++++++++++++++++++
~~~~~~~~~~~~~~~~~~~~ Stack of MainThread (139665393318784) ~~~~~~~~~~~~~~~~~~~~~
  File "/usr/lib/python3.12/runpy.py", line 88, in _run_code
    exec(code, run_globals)
  File "/repo/tests/test_a.py", line 5, in test_slow
    time.sleep(5)
+++++++++++++++++++++++++++++++++++ Timeout ++++++++++++++++++++++++++++++++++++
"""
    failure = only_failure(HEADER + dump)
    assert (failure.nodeid, failure.outcome) == ("tests/test_a.py::test_slow", Outcome.TIMEOUT)


def test_with_workers_the_line_last_printed_is_not_the_test_that_died() -> None:
    """Several tests are in flight; the controller names the one."""
    text = (
        HEADER
        + """\
2 workers [3 items]
tests/test_a.py::test_dies
tests/test_a.py::test_innocent
Fatal Python error: Segmentation fault
[gw0] node down: Not properly terminated
[gw0] FAILED tests/test_a.py::test_dies
"""
    )
    failure = only_failure(text)
    assert (failure.nodeid, failure.outcome) == ("tests/test_a.py::test_dies", Outcome.CRASH)


@pytest.mark.parametrize(
    ("text", "outcome"),
    [
        ("==== 3 deselected in 0.10s ====\n", LogOutcome.NOTHING_COLLECTED),
        ("==== no tests ran in 0.10s ====\n", LogOutcome.NOTHING_COLLECTED),
        ("==== no tests ran in 0.10s ====\nERROR: file or directory not found: x\n", LogOutcome.USAGE_ERROR),
        ("==== 3 passed in 0.10s ====\n", LogOutcome.PASSED),
    ],
)
def test_a_session_without_failures_is_told_by_its_last_line(text: str, outcome: LogOutcome) -> None:
    """Passed, nothing collected and wrong arguments are three things."""
    assert report_of(HEADER + text).outcome is outcome


def test_a_line_that_a_narrow_traceback_prints_gives_the_place() -> None:
    """`--tb=line` prints no header."""
    rule = "=================================== FAILURES ===================================\n"
    text = HEADER + rule + "/repo/tests/test_a.py:9: AssertionError: assert 1 == 2\n" + SUMMARY
    place = only_failure(text).place
    assert place is not None
    assert place.line == 9


def test_a_log_that_begins_within_a_failure_still_gives_its_place() -> None:
    """The end of a block, whose header is lost, belongs to the failure with its message."""
    block = "\n".join(BLOCK.split("\n")[4:])
    failure = only_failure(block + SUMMARY)
    assert failure.place is not None
    assert failure.place.line == 7


def test_a_cancelled_job_leaves_the_test_in_flight_hanging() -> None:
    """No result was printed for it."""
    failure = only_failure(HEADER + "tests/test_a.py::test_slow \n##[error]The operation was canceled.\n")
    assert (failure.nodeid, failure.outcome) == ("tests/test_a.py::test_slow", Outcome.HANG)


def test_device_faults_are_signals() -> None:
    """A log without tests still says that a device hung."""
    report = report_of("x | TT_FATAL: Read unexpected run_mailbox value from core (x=1,y=2)\n")
    assert report.outcome is LogOutcome.HANG
    assert len(report.signals) == 1


def test_unittest_failures_are_read() -> None:
    """`FAIL: test (module.Class)` between two rules."""
    text = (
        "=" * 70
        + "\nFAIL: test_a (pkg.test_mod.TestX)\n"
        + "-" * 70
        + '\nTraceback (most recent call last):\n  File "/repo/pkg/test_mod.py", line 5, in test_a\n'
        + "    self.assertEqual(1, 2)\nAssertionError: 1 != 2\n\n"
        + "-" * 70
        + "\nRan 1 test in 0.001s\n\nFAILED (failures=1)\n"
    )
    failure = only_failure(text)
    assert failure.nodeid == "test_a (pkg.test_mod.TestX)"
    assert (failure.exception, failure.message) == ("AssertionError", "1 != 2")


@pytest.mark.parametrize(
    "piece", ["=", "_ ", "- ", "x.py::t ", "pytest ", "FAILED a.py::b - ", "Aborted ", "$ - "]
)
def test_a_hostile_line_does_not_stop_the_reading(piece: str) -> None:
    """A line of 64 kB that almost matches many patterns is read like any other."""
    line = "$ " + piece * (60_000 // len(piece))
    assert only_failure(line + "\n" + HEADER + line + "\n" + BLOCK + SUMMARY).line > 1


def test_nothing_is_made_of_a_log_without_tests() -> None:
    """A failing linter is no failing test."""
    report = report_of("Run ruff check\nE501 Line too long\n##[error]Process completed with exit code 1.\n")
    assert report.failures == ()
    assert report.outcome is LogOutcome.NO_TEST_FAILURE


def test_a_log_that_cannot_be_read_is_an_error_in_three_parts(tmp_path: Path) -> None:
    """Fact, place and next step."""
    with pytest.raises(LogError) as caught:
        read_log_file(tmp_path / "none.log")
    assert str(caught.value) == (
        f"The log cannot be read: No such file or directory ({tmp_path / 'none.log'}). "
        "Give a log file that exists and that you may read, or - for standard input."
    )


def sample_logs() -> Path:
    given = os.environ.get("PYTEST_REPRO_LOGS")
    return Path(given) if given else Path(__file__).resolve().parents[4] / "shared" / "logs"


@pytest.mark.skipif(
    not (sample_logs() / "index.json").is_file(), reason="the sample logs are not on this machine"
)
def test_the_sample_logs_are_read_as_well_as_ever() -> None:
    """The scoring script holds the level that was reached."""
    import sys

    sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "benchmarks"))
    try:
        from log_scoring import score_folder  # type: ignore[import-not-found,unused-ignore]
    finally:
        del sys.path[0]
    scores = score_folder(sample_logs())
    low = {"test place": 0.8}  # one place is labelled outside of the test's file
    for field, score in scores.fields.items():
        assert min(score.precision, score.recall) >= low.get(field, 0.98), (field, scores.mistakes.get(field))
