"""The failing statement: whole, on one line, and only what the source says."""

from __future__ import annotations

import ast
import textwrap
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_repro.signature import statements
from pytest_repro.signature.statements import STATEMENT_LIMIT, statement_at, statement_of_line


def _lines(text: str) -> list[str]:
    return textwrap.dedent(text).strip("\n").split("\n")


WHOLE = 'assert f(1, "a  # b", g(2)) == """x y"""'


@pytest.mark.parametrize(
    "source",
    [
        WHOLE,
        '    assert f(1, "a  # b", g(2))   ==  """x y"""  # why',
        'assert f(1, "a  # b", g(2)) == """x\n    y"""',
        'assert f(\n    1,  # one\n    "a  # b",\n\n    g(\n        2,\n    ),\n) == """x y"""',
        'assert f(1, "a  # b", g(2)) \\\n    == """x y"""',
    ],
)
def test_layout_and_comments_do_not_count(source: str) -> None:
    """One statement reads the same however it is broken into lines, from each of its lines."""
    lines = source.split("\n")
    assert {statement_at(lines, index) for index in range(len(lines))} == {WHOLE}


@pytest.mark.parametrize(
    ("index", "expected"),
    [
        (0, "def test_a(x):"),
        (1, '"""Says ( what."""'),
        (3, "if x: raise KeyError('#'); y = (1,)"),
        (4, "with open(x) as file:"),
        (5, "with open(x) as file:"),
        (6, "return {'a': [1, 2]}"),
        (2, None),
        (7, None),
        (99, None),
    ],
)
def test_the_statement_is_the_one_of_the_line(index: int, expected: str | None) -> None:
    """A block's head stands for itself, what shares a line belongs together, a comment is no statement."""
    lines = _lines(
        '''
        def test_a(x):
            """Says ( what."""
            # A comment (
            if x: raise KeyError('#'); y = (1,)
            with open(
                    x) as file:
                return {'a': [1, 2]}
        '''
    )
    assert statement_at(lines, index) == expected


def test_a_long_statement_is_cut() -> None:
    """Two cuts of one statement are equal; a text that never ends is known no further."""
    lines = ["x = [", *[f"    {number}," for number in range(1000)], "]"]
    found = statement_at(lines, 0)
    assert found is not None
    assert len(found) == STATEMENT_LIMIT
    assert found == statement_at(lines, 40)


def test_what_is_no_whole_python_is_no_statement() -> None:
    """A bracket that is never closed: the rest is not shown."""
    assert statement_at(["assert f(", "    1,"], 0) is None


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("    assert x == 1  # why", "assert x == 1"),
        ("  raise KeyError", "raise KeyError"),
        ("    f(1)", None),
        ("    assert f(", None),
        ("    == 2)", None),
        ("assertion(1)", None),
        ("", None),
    ],
)
def test_a_line_alone_is_a_statement_only_if_it_cannot_be_a_part_of_one(
    line: str, expected: str | None
) -> None:
    """`--tb=short` shows one line, which may be the third of five."""
    assert statement_of_line(line) == expected


@given(st.text("ab'\"\\\n#()[]{}, =\r\t\x0c", max_size=200), st.integers(0, 20))
def test_any_text_is_read(text: str, index: int) -> None:
    """No source breaks the signature, and none makes it long or of several lines."""
    found = statement_at(text.split("\n"), index)
    assert found is None or (0 < len(found) <= STATEMENT_LIMIT and "\n" not in found)


def test_every_statement_of_a_real_module_reads_as_its_own_tree() -> None:
    """What is left of a statement parses to what the statement was."""
    path = Path(statements.__file__)
    source = path.read_text(encoding="utf-8")
    checked = 0
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Assign | ast.Return | ast.Raise | ast.AugAssign | ast.Assert):
            found = statement_at(source.split("\n"), node.lineno - 1)
            assert found is not None
            if len(found) < STATEMENT_LIMIT and '"""' not in found:
                checked += 1
                assert ast.dump(ast.parse(found).body[0]) == ast.dump(node)
    assert checked > 10
