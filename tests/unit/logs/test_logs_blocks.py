from __future__ import annotations

import pytest

from pytest_repro.logs.blocks import read_block, split_error
from pytest_repro.model import Frame

LONG = """
    def test_a():
>       helper(1)

tests/test_a.py:4:
_ _ _ _ _ _ _ _ _ _ _ _ _

    def helper(x):
>       raise ValueError(f"bad {x}")
E       ValueError: bad 1

src/lib.py:9: ValueError
----------------------------- Captured stdout call -----------------------------
other.py:1: KeyError
"""
SHORT = """
tests/test_a.py:4: in test_a
    helper(1)
src/lib.py:9: in helper
    raise ValueError(f"bad {x}")
E   ValueError: bad 1
"""
NATIVE = """
Traceback (most recent call last):
  File "tests/test_a.py", line 4, in test_a
    helper(1)
  File "src/lib.py", line 9, in helper
    raise ValueError(f"bad {x}")
ValueError: bad 1
"""


@pytest.mark.parametrize("text", [LONG, SHORT, NATIVE], ids=["long", "short", "native"])
def test_every_style_gives_the_same_facts(text: str) -> None:
    """Exception, message and places do not depend on `--tb`."""
    facts = read_block(text.strip("\n").split("\n"), test_file="tests/test_a.py")
    assert (facts.exception, facts.message) == ("ValueError", "bad 1")
    assert facts.place is not None
    assert facts.test_place is not None
    assert (facts.place.file, facts.place.line) == ("src/lib.py", 9)
    assert (facts.test_place.file, facts.test_place.line) == ("tests/test_a.py", 4)


def test_of_chained_exceptions_the_last_is_the_failure() -> None:
    """What came before the last exception is its cause, not the failure."""
    text = """
a.py:1: in f
E   KeyError: 'k'

The above exception was the direct cause of the following exception:
t.py:3: in test_x
E   RuntimeError: outer
"""
    facts = read_block(text.split("\n"))
    assert (facts.exception, facts.message) == ("RuntimeError", "outer")
    assert facts.place == Frame(file="t.py", line=3, function="test_x")


def test_a_bare_assert_has_no_exception_unless_the_place_names_it() -> None:
    """The name is taken as printed, never made up."""
    assert read_block(["t.py:3: in test_x", "E   assert 1 == 2"]).exception is None
    assert (
        read_block([">   assert 1 == 2", "E   assert 1 == 2", "", "t.py:3: AssertionError"]).exception
        == "AssertionError"
    )


def test_a_syntax_error_is_told_from_the_line_that_it_shows() -> None:
    """The least indented of the marked lines is the error."""
    lines = ['E     File "/x/t.py", line 3', "E       def", "E          ^", "E   SyntaxError: invalid syntax"]
    facts = read_block(lines)
    assert (facts.exception, facts.message) == ("SyntaxError", "invalid syntax")


@pytest.mark.parametrize(
    ("text", "exception", "message"),
    [
        ("ValueError: no", "ValueError", "no"),
        ("KeyError", "KeyError", None),
        ("a.b.MyError: x: y", "a.b.MyError", "x: y"),
        ("Failed: DID NOT RAISE", "Failed", "DID NOT RAISE"),
        ("SystemExit: 3", "SystemExit", "3"),
        ("assert 1 == 2", None, "assert 1 == 2"),
        ("fixture 'x' not found", None, "fixture 'x' not found"),
        ("pkg.mod.Odd: text", "pkg.mod.Odd", "text"),
        ("Note: not an error", None, "Note: not an error"),
    ],
)
def test_name_and_message_are_split(text: str, exception: str | None, message: str | None) -> None:
    """What looks like the name of an exception is one; all else is message."""
    assert split_error(text) == (exception, message)
