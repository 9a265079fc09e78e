"""Tracebacks as Python itself prints them, and failures without any."""

from __future__ import annotations

import io

from pytest_repro.logs.blocks import read_block
from pytest_repro.logs.reader import read_log

GROUP = """\
  + Exception Group Traceback (most recent call last):
  |   File "/repo/tests/test_a.py", line 81, in test_group
  |     raise ExceptionGroup("several things", [ValueError("one"), TypeError("two")])
  | ExceptionGroup: several things (2 sub-exceptions)
  | a note
  | tests/test_a.py:99: in elsewhere
  +-+---------------- 1 ----------------
    | Traceback (most recent call last):
    |   File "/repo/tests/helpers.py", line 3, in inner
    |     raise ValueError("one")
    | ValueError: one
    +---------------- 2 ----------------
    | TypeError: two
    +------------------------------------
"""
NATIVE = """\
Traceback (most recent call last):
  File "/repo/tests/test_a.py", line 35, in test_remote
    raise RuntimeError(...)
RuntimeError: remote failed:
Traceback (most recent call last):
  File "remote.py", line 3, in f
    x()
KeyError: 'remote'
"""
LETTERS = """\
============================= test session starts ==============================
platform linux -- Python 3.11.7, pytest-3.10.1, py-1.11.0, pluggy-0.13.1
collected 4 items

tests/test_a.py .F                                                       [ 50%]
tests/test_b.py FF                                                       [100%]

=================================== FAILURES ===================================
____________________________________ test_x ____________________________________
no trace: here
_________________________________ TestK.test_y _________________________________
Unexpected success
____________________________________ test_x ____________________________________

    def test_x():
>       helper()

tests/test_b.py:8:
_ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _
>   assert 0
E   assert 0

lib.py:2: AssertionError
====================== 3 failed, 1 passed in 0.13 seconds ======================
"""


def test_an_exception_group_is_read_as_itself() -> None:
    """The error and the place are those of the group, not those of its parts or its notes."""
    facts = read_block(GROUP.splitlines(), test_file="tests/test_a.py")
    assert (facts.exception, facts.message) == ("ExceptionGroup", "several things (2 sub-exceptions)")
    assert facts.place is not None
    assert (facts.place.file, facts.place.line) == ("/repo/tests/test_a.py", 81)
    assert facts.test_place == facts.place


def test_a_traceback_within_a_message_is_no_traceback() -> None:
    """The first line that is not indented is the error; the message goes on below it."""
    facts = read_block(NATIVE.splitlines(), test_file="tests/test_a.py")
    assert (facts.exception, facts.message) == ("RuntimeError", "remote failed:")
    assert facts.place is not None
    assert (facts.place.file, facts.place.line) == ("/repo/tests/test_a.py", 35)


def test_exceptions_of_any_name_are_read_where_python_names_them() -> None:
    """A native traceback says what is the name; it need not look like one."""
    facts = read_block(NATIVE.replace("RuntimeError: remote failed:", "helpers.Oops").splitlines()[:4])
    assert (facts.exception, facts.message) == ("helpers.Oops", None)


def test_failures_are_given_their_files_by_the_letters_of_progress() -> None:
    """The n-th failure shown is the n-th F, which tells equal names apart and files where no frame does."""
    report = read_log(io.BytesIO(LETTERS.encode()))
    assert [(one.nodeid, one.message) for one in report.failures] == [
        ("tests/test_a.py::test_x", "no trace: here"),
        ("tests/test_b.py::TestK::test_y", "Unexpected success"),
        ("tests/test_b.py::test_x", "assert 0"),
    ]


def test_subtests_are_read_in_both_notations() -> None:
    """pytest-subtests puts the description first, pytest itself behind the word."""
    tail = """\
=========================== short test summary info ============================
[msg] (i=1) SUBFAIL tests/test_s.py::test_old - AssertionError: odd 1
SUBFAILED[msg [x]] (i=1) tests/test_s.py::test_new - AssertionError: odd 1
SUBFAILED(name='a b') tests/test_s.py::test_named - assert 0
=================== 3 failed, 1 passed, 2 subtests passed in 0.13s ===================
"""
    report = read_log(io.BytesIO((LETTERS.partition("\n\n")[0] + "\n\n" + tail).encode()))
    assert [one.nodeid for one in report.failures] == [
        "tests/test_s.py::test_old",
        "tests/test_s.py::test_new",
        "tests/test_s.py::test_named",
    ]
