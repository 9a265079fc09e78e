"""The source in a traceback tells the failing statement and its function, in every style that shows it."""

from __future__ import annotations

import io
import textwrap

import pytest

from pytest_repro.logs.blocks import read_block
from pytest_repro.logs.reader import read_log
from pytest_repro.model import Frame


def _place(text: str) -> Frame:
    place = read_block(textwrap.dedent(text).strip("\n").split("\n")).place
    assert place is not None
    return place


LONG = """
self = <test_a.TestX object at 0x7f>

    @pytest.mark.parametrize("n", [1,
        2])
    def test_a(self, n):

        x = 1
>       assert f(
            n,  # the number
        ) == 2
E       assert 1 == 2

n          = 1
x          = 1

tests/test_a.py:9: AssertionError
"""


def test_pytests_long_style_shows_the_whole_statement_and_the_function() -> None:
    """Also where it has several lines and where local variables stand below."""
    expected = Frame(file="tests/test_a.py", line=9, function="test_a", statement="assert f(n) == 2")
    assert _place(LONG) == expected


def test_the_mark_may_stand_in_the_middle_of_a_statement() -> None:
    """Newer interpreters mark the argument that failed."""
    text = """
    def test_a():
        foo(
>           bar(1),
            2,
        )
E       KeyError

a.py:3: KeyError
"""
    assert _place(text).statement == "foo(bar(1), 2)"


def test_each_frame_has_its_own_source() -> None:
    """The deepest is the place."""
    text = """
    def test_a():
>       helper(1)

a.py:4:
_ _ _ _ _ _ _ _

    def helper(n):
        def inner(): pass
>       raise ValueError(f"bad {n}")
E       ValueError: bad 1

b.py:9: ValueError
"""
    place = _place(text)
    assert (place.function, place.statement) == ("helper", 'raise ValueError(f"bad {n}")')


@pytest.mark.parametrize(
    "text",
    [
        "a.py:3: in test_a\n    assert f(1) == 2\nE   assert 1 == 2",
        'Traceback:\n  File "a.py", line 3, in test_a\n    assert f(1) == 2\nAssertionError',
    ],
    ids=["short", "native"],
)
def test_one_line_is_enough_where_it_cannot_be_a_part(text: str) -> None:
    """`--tb=short` and Python's own tracebacks."""
    assert (_place(text).function, _place(text).statement) == ("test_a", "assert f(1) == 2")


@pytest.mark.parametrize(
    "text",
    [
        "a.py:3: in test_a\n    f(1),\nE   KeyError",
        "a.py:3: in test_a\nE   KeyError",
        ">   ???\nE   KeyError\n\na.pyx:3: KeyError",
        ">       f(\nE   KeyError\n\na.py:3: KeyError",
        "    def test_a():\nE   KeyError\n\na.py:3: KeyError",
        ">       f(1)\n\na.py:3:\n_ _ _ _\n\nb.py:3: KeyError",
        "file /x/a.py, line 3\n  def test_a(no):\nE       fixture 'no' not found",
        '>       login("***")\nE   KeyError\n\na.py:3: KeyError',
    ],
)
def test_what_is_not_shown_whole_is_not_known(text: str) -> None:
    """A part of a statement, no source at all, another frame's source, or a masked one."""
    assert _place(text).statement is None


def test_a_statement_with_a_secret_does_not_leave_the_log() -> None:
    """What a variable of the same log holds is masked everywhere else too."""
    log = """\
2025-01-01T00:00:00.0000000Z ##[group]Run pytest
2025-01-01T00:00:00.0000000Z env:
2025-01-01T00:00:00.0000000Z   API_TOKEN: s3cr3t-v4lue-x
2025-01-01T00:00:00.0000000Z ##[endgroup]
============================= test session starts ==============================
=================================== FAILURES ===================================
____________________________________ test_a ____________________________________

    def test_a():
>       assert login("s3cr3t-v4lue-x")
E       assert False

test_a.py:2: AssertionError
=========================== short test summary info ============================
FAILED test_a.py::test_a - assert False
============================== 1 failed in 0.01s ===============================
"""
    (failure,) = read_log(io.BytesIO(log.encode())).failures
    assert failure.place is not None
    assert (failure.place.function, failure.place.statement) == ("test_a", None)
    assert "s3cr3t" not in repr(failure)


def test_a_check_of_googletest_stands_in_its_test() -> None:
    """No function is named, and several tests of a file may fail alike."""
    log = """\
[ RUN      ] Device.Reads
/work/test_a.cpp:375: Failure
Value of: ok
[  FAILED  ] Device.Reads (18 ms)
[ RUN      ] Device.Writes
/work/test_a.cpp:429: Failure
[  FAILED  ] Device.Writes (12 ms)
"""
    places = [failure.place for failure in read_log(io.BytesIO(log.encode())).failures]
    assert places == [
        Frame(file="/work/test_a.cpp", line=375, function="Device.Reads"),
        Frame(file="/work/test_a.cpp", line=429, function="Device.Writes"),
    ]
