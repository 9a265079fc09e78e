from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_repro.errors import ScaffoldError
from pytest_repro.scaffold.render import (
    markdown_code,
    markdown_fence,
    one_line,
    python_docstring,
    python_literal,
    render,
)

ANY = st.text(alphabet=st.characters(codec="utf-8"), max_size=60) | st.text(
    alphabet="`'\"\\\n {}%#$", max_size=20
)


@given(ANY)
def test_a_docstring_line_stays_in_its_docstring(text: str) -> None:
    """No text ends a docstring or begins an escape."""
    tree = ast.parse(f'"""Says {python_docstring(text)}\n"""\n')
    assert len(tree.body) == 1


@given(ANY)
def test_a_literal_is_the_text(text: str) -> None:
    """What a literal stands for is exactly the text, in one printable line."""
    literal = python_literal(text)
    assert ast.literal_eval(literal) == text
    assert literal.isprintable()


@given(ANY)
def test_a_fence_is_not_closed_by_its_text(text: str) -> None:
    """Only the last line closes it."""
    lines = markdown_fence(text).split("\n")
    fence = re.match("`+", lines[0])
    assert fence is not None
    assert not any(line.lstrip().startswith(fence[0]) for line in lines[1:-1])
    assert lines[-1] == fence[0]


@given(ANY)
def test_a_code_span_is_one_visible_line(text: str) -> None:
    """Its marks are longer than any run of backticks in it."""
    span = markdown_code(text)
    marks = re.match("`+", span)
    assert marks is not None
    assert span.isprintable()
    inside = span[len(marks[0]) : -len(marks[0])]
    assert marks[0] not in re.findall("`+", inside)


def test_characters_that_turn_the_text_are_spelled_out() -> None:
    """What is shown is what is there."""
    assert one_line("a\u202e\x1b b\n\tc") == "a\\u202e\\x1b b c"


def test_a_template_cannot_write_what_no_filter_has_made_safe(tmp_path: Path) -> None:
    """A forgotten filter is an error, not a hole."""
    (tmp_path / "x.j2").write_text("{{ name }}")
    with pytest.raises(ScaffoldError, match="was to be written without a filter"):
        render("x.j2", {"name": "a"}, overrides=tmp_path)


def test_a_template_that_names_the_unknown_is_an_error(tmp_path: Path) -> None:
    """A misspelt name does not become an empty text."""
    (tmp_path / "x.j2").write_text("{{ nmae | sh }}")
    with pytest.raises(ScaffoldError, match="'nmae' is undefined"):
        render("x.j2", {"name": "a"}, overrides=tmp_path)


def test_braces_in_a_value_are_text(tmp_path: Path) -> None:
    """Values are never templates."""
    (tmp_path / "x.md.j2").write_text("{{ value | code }}")
    assert (
        render("x.md.j2", {"value": "{{ 7 * 7 }}{% raw %}"}, overrides=tmp_path) == "`{{ 7 * 7 }}{% raw %}`"
    )
