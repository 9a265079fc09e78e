from __future__ import annotations

import io

import pytest

from pytest_repro.logs.commands import pytest_command, unittest_command
from pytest_repro.logs.reader import read_log
from pytest_repro.logs.records import LogOutcome, LogReport, Runner
from pytest_repro.model import Outcome, Stage

RULE = "=" * 70
LINE = "-" * 70
WHERE = """Traceback (most recent call last):
  File "/repo/tests/test_io.py", line 9, in test_read
    self.check()
"""


def report_of(text: str) -> LogReport:
    return read_log(io.BytesIO(text.encode()))


@pytest.mark.parametrize(
    "header",
    [
        "platform linux2 -- Python 2.7.9 -- py-1.4.26 -- pytest-2.7.0 -- /usr/bin/python",
        "Test session starts (platform: linux2, Python 2.7.9, pytest 2.7.0, pytest-sugar 0.9.3)",
    ],
)
def test_versions_are_read_from_headers_of_old_and_of_decorated_sessions(header: str) -> None:
    """Dashes instead of commas, or pytest-sugar's one line, name the same three versions."""
    session = report_of(header + "\n").session
    assert session.python is not None
    assert session.pytest is not None
    assert session.platform is not None
    assert (session.platform.value, session.python.value, session.pytest.value) == (
        "linux2",
        "2.7.9",
        "2.7.0",
    )


def test_a_header_between_bars_opens_a_block() -> None:
    """pytest-sugar draws bars instead of underscores, and shows failures as they come."""
    bars = "\u2015" * 20
    (failure,) = report_of(
        f"{bars} ERROR at teardown of TestUser.test_name {bars}\n\n"
        ">       close()\nE       psycopg2.OperationalError: still open\n"
    ).failures
    assert (failure.stage, failure.exception) == (Stage.TEARDOWN, "psycopg2.OperationalError")


def test_a_wrong_call_is_told_under_any_program_name() -> None:
    """The usage names the program that called it, not itself."""
    wrong = "usage: setup.py [options] [file_or_dir] [file_or_dir] [...]\nsetup.py: error: no such --cov\n"
    assert report_of(wrong).outcome is LogOutcome.USAGE_ERROR
    other = "usage: deploy [options] target\ndeploy: error: no such --now\n"
    assert report_of(other).outcome is LogOutcome.NO_TEST_FAILURE


@pytest.mark.parametrize(
    "end",
    [
        "##[error]Process completed with exit code 1.",
        "Error: Process completed with exit code 134.",
        "##[error]Bash exited with code '3'.",
        "ERROR: Job failed: exit code 1",
    ],
)
def test_a_process_that_ends_within_a_test_has_crashed_in_it(end: str) -> None:
    """Neither a result of the test nor a summary is printed before the shell tells of the end."""
    report = report_of(f"tests/test_a.py::test_one PASSED\ntests/test_a.py::test_two \n{end}\n")
    assert report.outcome is LogOutcome.CRASH
    assert [(one.nodeid, one.outcome) for one in report.failures] == [
        ("tests/test_a.py::test_two", Outcome.CRASH)
    ]


def test_a_failed_process_after_the_summary_has_crashed_nowhere() -> None:
    """The exit code of failing tests is no accident."""
    report = report_of(
        "tests/test_a.py::test_two FAILED\n== 1 failed in 0.1s ==\n"
        "##[error]Process completed with exit code 1.\n"
    )
    assert report.outcome is LogOutcome.FAILED


def test_the_function_that_pytest_called_is_the_test_whatever_its_file_is_called() -> None:
    """A dump shows the test directly above pytest's own caller."""
    (failure,) = report_of(
        "rootdir: /work\ncollecting ... Windows fatal exception: access violation\n\n"
        "Current thread 0x1 (most recent call first):\n"
        '  File "/work/checks.py", line 3 in check_all\n'
        '  File "/py/lib/site-packages/_pytest/python.py", line 174 in pytest_pyfunc_call\n'
    ).failures
    assert (failure.nodeid, failure.outcome) == ("checks.py::check_all", Outcome.CRASH)


def test_a_crash_after_progress_letters_on_the_same_line_is_that_files() -> None:
    """The file is still open: its line has not ended."""
    (failure,) = report_of(
        "collected 2 items\n\nplatform linux -- Python 3.12.1, pytest-8.3.5, pluggy-1.5.0\n"
        "tests/test_a.py .Fatal Python error: Segmentation fault\n"
    ).failures
    assert (failure.nodeid, failure.outcome) == ("tests/test_a.py", Outcome.CRASH)


def test_a_dead_worker_is_read_with_either_quote() -> None:
    """An id that has a single quote in it is quoted with double ones."""
    (failure,) = report_of(
        "worker 'gw1' crashed while running \"tests/test_a.py::test_b[<Device 'x'>]\"\n"
    ).failures
    assert (failure.nodeid, failure.worker) == ("tests/test_a.py::test_b[<Device 'x'>]", "gw1")


@pytest.mark.parametrize(
    ("head", "nodeid"),
    [
        ("FAIL [2.987s]: test_read (io.TestIo)", "test_read (io.TestIo)"),
        ("FAIL: Doctest: pack.io.Reader", "Doctest: pack.io.Reader"),
        ("FAIL: C:\\p\\test_io.py.test_all:check(Reader)", "C:\\p\\test_io.py.test_all:check(Reader)"),
    ],
)
def test_unittest_may_give_a_test_any_name(head: str, nodeid: str) -> None:
    """What stands between the two rules is the name, with xmlrunner's duration taken off."""
    (failure,) = report_of(f"{RULE}\n{head}\n{LINE}\n{WHERE}AssertionError: no\n").failures
    assert (failure.nodeid, failure.exception, failure.message) == (nodeid, "AssertionError", "no")
    assert failure.runner is Runner.UNITTEST


def test_an_error_below_a_title_is_no_test_without_the_second_rule() -> None:
    """Rules of equal signs are drawn by much else."""
    assert report_of(f"{RULE}\nERROR: could not resolve host\nretrying\n").failures == ()


def test_an_error_that_begins_with_an_empty_line_goes_on_in_the_next() -> None:
    """Those of numpy do."""
    body = "AssertionError: \nNot equal to tolerance rtol=1e-07, atol=0\n"
    (failure,) = report_of(f"{RULE}\nFAIL: test_read (io.TestIo)\n{LINE}\n{WHERE}{body}").failures
    assert failure.message == "Not equal to tolerance rtol=1e-07, atol=0"


def test_a_verbose_line_of_unittest_names_a_failure_that_no_block_shows() -> None:
    """A log that ends before the tracebacks still says what failed; with its block it is told once."""
    line = "test_read (io.TestIo) ... FAIL\n"
    assert [one.nodeid for one in report_of(line).failures] == ["test_read (io.TestIo)"]
    whole = f"{line}\n{RULE}\nFAIL: test_read (io.TestIo)\n{LINE}\n{WHERE}AssertionError: no\n"
    assert [one.message for one in report_of(whole).failures] == ["no"]


def test_the_last_line_of_a_doctest_names_its_file() -> None:
    """Its name says the module only."""
    (failure,) = report_of(
        "___________ [doctest] pack.mod.f ___________\n004     >>> f()\nExpected:\n    1\nGot:\n    2\n\n"
        "/repo/pack/mod.py:4: DocTestFailure\n"
    ).failures
    assert (failure.nodeid, failure.message) == ("/repo/pack/mod.py::pack.mod.f", "Expected:")


def test_an_unexpected_exception_of_a_doctest_is_told_as_its_traceback_does() -> None:
    """The full name and the first line, rather than the representation of the object."""
    (failure,) = report_of(
        "___________ [doctest] pack.mod.f ___________\n004     >>> f()\n"
        "UNEXPECTED EXCEPTION: CallError('no\\nmore')\nTraceback (most recent call last):\n"
        '  File "/repo/pack/mod.py", line 9, in f\n    raise CallError\npack.errors.CallError: no\nmore\n'
        "/repo/pack/mod.py:4: UnexpectedException\n"
    ).failures
    assert (failure.exception, failure.message) == ("pack.errors.CallError", "no")


def test_an_annotation_with_its_file_is_a_failure() -> None:
    """Before Actions has read the command, it stands in the log as it was printed."""
    (failure,) = report_of(
        "::error file=test_f.py,line=4::test_f%0A%0Aassert 5 == 2%0A +  where 5 = f(3)\n"
    ).failures
    assert (failure.nodeid, failure.message) == ("test_f.py::test_f", "assert 5 == 2")
    assert failure.place is not None
    assert failure.place.line == 4


def test_visual_studio_shows_the_place_of_a_googletest_failure_in_parentheses() -> None:
    """The compiler's own way of writing a place."""
    (failure,) = report_of(
        "[ RUN      ] Root.Positive\n..\\root.cpp(68): error: Value of: root(4)\n"
        "[  FAILED  ] Root.Positive (9 ms)\n"
    ).failures
    assert failure.place is not None
    assert (failure.place.file, failure.place.line) == ("..\\root.cpp", 68)


@pytest.mark.parametrize("prefix", ["[   19s] ", "#14 12.345 "], ids=["open build service", "buildkit"])
def test_seconds_before_each_line_are_taken_off(prefix: str) -> None:
    """Build services print the time since the start."""
    text = (
        "========================= FAILURES =========================\n"
        "_________________________ test_a _________________________\n\n"
        "    def test_a():\n>       assert 0\nE       assert 0\n\ntest_a.py:2: AssertionError\n"
    )
    (failure,) = report_of("".join(prefix + line + "\n" for line in text.splitlines())).failures
    assert (failure.nodeid, failure.message) == ("test_a.py::test_a", "assert 0")


def test_variables_before_the_session_are_shown_ones() -> None:
    """Assignments are printed by tox and `set -x`; what a test prints of that form is none."""
    report = report_of(
        "py27 runtests: PYTHONHASHSEED='22'\n+ OMP_NUM_THREADS=4\n"
        "platform linux -- Python 3.12.1, pytest-8.3.5, pluggy-1.5.0\nANSWER=42\n"
    )
    assert {one.name: one.value for one in report.session.variables} == {
        "PYTHONHASHSEED": "22",
        "OMP_NUM_THREADS": "4",
    }


@pytest.mark.parametrize(
    ("text", "command"),
    [
        ("C:\\Users\\me\\repo>pytest -x", "pytest -x"),
        ("PS D:\\repo> pytest -x", "pytest -x"),
        ("~/repo \u00bb py.test -x", "py.test -x"),
        ("repo git:(main) \u2717 pytest -x", "pytest -x"),
        ("python -X faulthandler -W error -m pytest -x", "python -X faulthandler -W error -m pytest -x"),
        ("(venv) me@host:~/repo$ pytest -x", "pytest -x"),
        ("Step 9/11 : RUN pytest -x", "pytest -x"),
        ("(env) /srv/plant ((1a2b3c...)|BISECTING)> pytest -x", "pytest -x"),
    ],
)
def test_a_prompt_of_any_shell_stands_before_a_command(text: str, command: str) -> None:
    """The sign that a prompt ends with, not its shape, tells it."""
    assert pytest_command(text) == command


@pytest.mark.parametrize(
    ("text", "command"),
    [
        ("Step 9/11 : RUN python3 test.py", "python3 test.py"),
        ("(venv) me@host:~/repo$ python -m unittest ", "python -m unittest"),
        ("$ coverage run tests/test_all.py", "coverage run tests/test_all.py"),
        ("$ ./manage.py test plant", "./manage.py test plant"),
        ("+ trial plant.test_pump", "trial plant.test_pump"),
        ("python3 test.py failed", None),
    ],
)
def test_a_call_of_unittest_is_told_by_the_prompt_before_it(text: str, command: str | None) -> None:
    """Without a prompt the line may be prose."""
    assert unittest_command(text) == command
