"""Sessions, rules and failures within what tests print: none of them is a failure of the log."""

from __future__ import annotations

import io

import pytest

from pytest_repro.logs.reader import read_log
from pytest_repro.logs.records import CiFailure, LogReport

HEADER = """\
============================= test session starts ==============================
platform linux -- Python 3.11.7, pytest-9.2.0, pluggy-1.7.0
rootdir: /repo
collected 3 items

"""
INNER = """\
============================= test session starts ==============================
platform linux -- Python 3.8.1, pytest-6.0.0, py-1.9, pluggy-0.13
rootdir: /tmp/pytest-0
collected 1 item

test_inner.py F                                                          [100%]

=================================== FAILURES ===================================
__________________________________ test_inner __________________________________
    def test_inner():
>       assert 0
E       assert 0

test_inner.py:2: AssertionError
=========================== short test summary info ============================
FAILED test_inner.py::test_inner - assert 0
============================== 1 failed in 0.01s ===============================
"""
CUT_INNER = "".join(INNER.splitlines(keepends=True)[:6])
OUTER_BLOCK = """\
____________________________________ test_b ____________________________________

    def test_b():
>       assert f() == 2
E       assert 1 == 2

tests/test_a.py:9: AssertionError
"""
END = """\
=========================== short test summary info ============================
FAILED tests/test_a.py::test_a - ValueError: outer
FAILED tests/test_a.py::test_b - assert 1 == 2
========================= 2 failed, 1 passed in 0.10s ==========================
"""
CAPTURED = "----------------------------- Captured stdout call -----------------------------\n"


def report_of(text: str) -> LogReport:
    return read_log(io.BytesIO(text.encode()))


def ids_of(report: LogReport) -> list[str]:
    return [failure.nodeid for failure in report.failures]


def place_of(failure: CiFailure) -> tuple[str, int | None] | None:
    return (failure.place.file, failure.place.line) if failure.place else None


@pytest.mark.parametrize("inner", [INNER, CUT_INNER, INNER.partition("\n\n")[2]])
def test_a_session_in_captured_output_is_not_read(inner: str) -> None:
    """Whole, cut off before its end, or quiet: what follows belongs to the outer session again."""
    report = report_of(
        HEADER
        + "=================================== FAILURES ===================================\n"
        + "____________________________________ test_a ____________________________________\n\n"
        + "    def test_a():\n>       raise ValueError('outer')\nE       ValueError: outer\n\n"
        + "tests/test_a.py:4: ValueError\n"
        + CAPTURED
        + inner
        + OUTER_BLOCK
        + END
    )
    assert ids_of(report) == ["tests/test_a.py::test_a", "tests/test_a.py::test_b"]
    assert place_of(report.failures[1]) == ("tests/test_a.py", 9)
    assert report.session.pytest is not None
    assert report.session.pytest.value == "9.2.0"


def test_a_session_that_a_test_prints_unbuffered_is_not_read() -> None:
    """Under -s the inner session stands between the outer one's lines; the outer one has the last word."""
    report = report_of(
        HEADER
        + "tests/test_a.py::test_a "
        + INNER
        + "FAILED\ntests/test_a.py::test_b FAILED\ntests/test_a.py::test_c PASSED\n"
        + "=================================== FAILURES ===================================\n"
        + OUTER_BLOCK
        + END
    )
    assert ids_of(report) == ["tests/test_a.py::test_a", "tests/test_a.py::test_b"]
    assert report.session.rootdir is not None
    assert report.session.rootdir.value == "/repo"
    assert report.session.summary is not None
    assert report.session.summary.value == "2 failed, 1 passed in 0.10s"


def test_a_session_that_died_is_not_taken_for_one_around_the_next() -> None:
    """Where another step begins, nothing goes on: both sessions count."""
    died = HEADER + "tests/test_a.py::test_x FAILED\n##[error]Process completed with exit code 137.\n"
    again = HEADER + "tests/test_a.py::test_y FAILED\n" + END
    report = report_of(died + "##[group]Run pytest\n" + again)
    assert {"tests/test_a.py::test_x", "tests/test_a.py::test_a"} <= set(ids_of(report))


def test_printed_lines_that_look_like_results_are_no_failures() -> None:
    """Rules of another width, summary lines and counts that a passing test has printed."""
    report = report_of(
        HEADER
        + "tests/test_a.py::test_p FAILED tests/test_a.py::test_decoy - AssertionError\n"
        + "FAILED tests/test_a.py::test_decoy2 - AssertionError\n"
        + "____________ test_decoy3 ____________\n1 failed, 2 passed in 3.21s\nPASSED\n"
        + "tests/test_a.py::test_a FAILED\ntests/test_a.py::test_b FAILED\n"
        + "=================================== FAILURES ===================================\n"
        + OUTER_BLOCK
        + END
    )
    assert ids_of(report) == ["tests/test_a.py::test_a", "tests/test_a.py::test_b"]


def test_what_passing_tests_have_printed_ends_no_session() -> None:
    """-rA shows the output of passing tests behind the failures."""
    report = report_of(
        HEADER
        + "=================================== FAILURES ===================================\n"
        + OUTER_BLOCK
        + "==================================== PASSES ====================================\n"
        + "____________________________________ test_p ____________________________________\n"
        + CAPTURED
        + "FAILED tests/test_a.py::test_decoy - AssertionError\n1 failed, 2 passed in 3.21s\n"
        + END
    )
    assert ids_of(report) == ["tests/test_a.py::test_a", "tests/test_a.py::test_b"]


def test_one_line_a_failure_with_captured_output_between() -> None:
    """--tb=line prints the place and the error last, behind what the test has printed."""
    report = report_of(
        HEADER
        + "=================================== FAILURES ===================================\n"
        + "E   ValueError: outer\n"
        + CAPTURED
        + "E   AssertionError: printed\ntests/test_a.py:1: AssertionError\n________ test_decoy ________\n"
        + "/repo/tests/test_a.py:4: ValueError: outer\nE   assert 1 == 2\n"
        + "/repo/tests/test_a.py:9: assert 1 == 2\n"
        + END.replace("ValueError: outer", "ValueErr...")
    )
    assert [place_of(one) for one in report.failures] == [
        ("/repo/tests/test_a.py", 4),
        ("/repo/tests/test_a.py", 9),
    ]
    assert [(one.exception, one.message) for one in report.failures] == [
        ("ValueError", "outer"),
        (None, "assert 1 == 2"),
    ]


def test_a_message_of_several_lines_adds_no_failures() -> None:
    """With -vv the summary prints messages whole; a line of one may look like another failure."""
    report = report_of(
        HEADER
        + "tests/test_a.py::test_a FAILED\ntests/test_a.py::test_b FAILED\n"
        + END.replace("ValueError: outer", "ValueError: x\nFAILED a.py::b - c\nmore")
    )
    assert ids_of(report) == ["tests/test_a.py::test_a", "tests/test_a.py::test_b"]


def test_a_title_that_a_test_has_printed_alone_swallows_no_failure_after_it() -> None:
    """It is narrower than the terminal, so whatever is as wide as that is pytest's own."""
    wide = 60
    text = (
        f"{' FAILURES '.center(wide, '=')}\n{' test_prints '.center(wide, '_')}\nE   OSError: no pump\n\n"
        f"tests/test_a.py:3: OSError\n{' Captured stdout call '.center(wide, '-')}\n"
        "=== FAILURES ===\n___ test_fake ___\nE   OSError: printed\n"
        f"{' test_after '.center(wide, '_')}\nE   KeyError: 'lid'\n\ntests/test_a.py:9: KeyError\n"
        f"_ test_long[{'x' * wide}] _\nE   ValueError: too long\n\ntests/test_a.py:12: ValueError\n"
        f"{' 3 failed in 0.10s '.center(wide, '=')}\n"
    )
    failures = read_log(io.BytesIO(text.encode())).failures
    assert [(one.nodeid, one.exception) for one in failures] == [
        ("tests/test_a.py::test_prints", "OSError"),
        ("tests/test_a.py::test_after", "KeyError"),
        (f"tests/test_a.py::test_long[{'x' * wide}]", "ValueError"),
    ]


def test_lines_of_errors_that_look_alike_go_to_the_tests_in_their_order() -> None:
    """A failure without a traceback has no line; a narrow terminal leaves little or nothing of an error."""
    text = (
        f"{' FAILURES '.center(80, '=')}\n/repo/test_a.py:1: OSError: one\n\n"
        "/repo/test_a.py:3: OSError: three\n/repo/test_a.py:4: KeyError: 4\n"
        "/repo/test_a.py:5: OSError: five\n/repo/test_a.py:6: OSError: six\n"
        f"{' short test summary info '.center(80, '=')}\nFAILED test_a.py::test_1 - OSErr...\n"
        "FAILED test_a.py::test_2 - gave up\nFAILED test_a.py::test_3 - OSError:...\n"
        "FAILED test_a.py::test_4\nFAILED test_a.py::test_5 - OSError: fi...\n"
        "FAILED test_a.py::test_6 - OSError: six\n"
        f"{' 6 failed in 0.10s '.center(80, '=')}\n"
    )
    failures = read_log(io.BytesIO(text.encode())).failures
    assert [(one.place and one.place.line, one.message) for one in failures] == [
        (1, "one"),
        (None, "gave up"),
        (3, "three"),
        (4, "4"),
        (5, "five"),
        (6, "six"),
    ]
