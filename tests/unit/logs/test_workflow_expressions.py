from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_repro.logs.workflow.document import Scalar
from pytest_repro.logs.workflow.evaluate import evaluate
from pytest_repro.logs.workflow.functions import LONGEST_TEXT
from pytest_repro.logs.workflow.records import Place
from pytest_repro.logs.workflow.scope import Scope
from pytest_repro.logs.workflow.values import Number, Open, Unresolved, Value, text_of

CONTEXTS: dict[str, Value] = {
    "matrix": {"os": "Ubuntu", "py": Number(3.1, "3.10"), "flags": ["a", "b"], "cfg": {"Name": "x"}},
    "env": Open("env", {"SET": "1"}),
    "github": Open("github", {"job": "test"}),
    "secrets": Unresolved(names=frozenset({"secrets"})),
    "objects": [{"n": "one"}, {"n": "two"}, {"m": "three"}],
}
PLACE = Place(file="x.yml", line=1)


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("'it''s'", "it's"),
        ("0x1F", "31"),
        ("-1.50", "-1.5"),
        ("true && 'yes' || 'no'", "yes"),
        ("false && 'yes' || 'no'", "no"),
        ("'' || 'default'", "default"),
        ("matrix.missing || 'default'", "default"),
        ("matrix.OS == 'ubuntu'", "true"),
        ("matrix['os']", "Ubuntu"),
        ("matrix.py", "3.10"),
        ("matrix.py == 3.1", "true"),
        ("matrix.flags[1]", "b"),
        ("matrix.flags[7]", ""),
        ("matrix.cfg.name", "x"),
        ("join(objects.*.n, '+')", "one+two"),
        ("contains(matrix.flags, 'B')", "true"),
        ("contains('Hello', 'ELL')", "true"),
        ("startsWith('abc', 'AB') && !endsWith('abc', 'x')", "true"),
        ("format('{0}-{1}-{{0}}', 'a', 2)", "a-2-{0}"),
        ('fromJSON(\'["x", {"y": 3.10}]\')[1].y', "3.10"),
        ("toJSON(fromJSON('{\"a\":[1]}'))", '{\n  "a": [\n    1\n  ]\n}'),
        ("null == 0", "true"),
        ("'1' == 1", "true"),
        ("'abc' == 0", "false"),
        ("1 < 2 && 'a' < 'B'", "true"),
        ("!(1 > 2)", "true"),
        ("always() && success()", "true"),
        ("case(false, 1, true, 2, 3)", "2"),
        ("github.job", "test"),
    ],
)
def test_what_the_file_says_is_evaluated_as_github_does(expression: str, expected: str) -> None:
    """Operators, functions, properties and comparisons have GitHub's meaning."""
    value = evaluate(expression, CONTEXTS)
    assert not isinstance(value, Unresolved)
    assert text_of(value) == expected


@pytest.mark.parametrize(
    ("expression", "name"),
    [
        ("secrets.TOKEN", "secrets.TOKEN"),
        ("github.ref == 'x'", "github.ref"),
        ("env.UNSET", "env.UNSET"),
        ("runner.os", "runner.os"),
        ("github.event.labels.*.name", "github.event.labels.*.name"),
        ("hashFiles('x')", "hashFiles()"),
        ("nothing('x')", "nothing()"),
        ("failure()", "failure()"),
        ("format('{0}', secrets.A)", "secrets.A"),
    ],
)
def test_what_the_file_does_not_say_is_named(expression: str, name: str) -> None:
    """An unresolved value says what would have to be known."""
    value = evaluate(expression, CONTEXTS)
    assert isinstance(value, Unresolved)
    assert value.names == {name}


@pytest.mark.parametrize(
    ("expression", "decided"),
    [
        ("runner.os == 'x' && false", False),
        ("runner.os || true", True),
        ("!(runner.os || true)", False),
        ("runner.os && true", None),
        ("runner.os", None),
    ],
)
def test_a_condition_is_decided_where_one_side_decides_it(expression: str, decided: object) -> None:
    """What is not known does not matter beside a false `&&` or a true `||`."""
    assert Scope(CONTEXTS).condition(Scalar(text=expression, place=PLACE)) is decided


def test_unresolved_parts_of_a_text_stay_visible() -> None:
    """What is known is filled in, the rest stays as it is written, secrets are named."""
    text = Scope(CONTEXTS).text_at(
        "a ${{ matrix.os }} ${{ runner.os }} ${{ secrets.KEY }} ${{ 'x }}' }}", PLACE
    )
    assert text.text == "a Ubuntu ${{ runner.os }} ${{ secrets.KEY }} x }}"
    assert text.unresolved == ("${{ runner.os }}", "${{ secrets.KEY }}")
    assert text.secrets == ("KEY",)


@pytest.mark.parametrize("text", ["${{", "${{ a", "${{ ' }}", "${{ 'a }}", "}} ${{ }}"])
def test_what_is_no_expression_stays_as_it_is(text: str) -> None:
    """Nothing that is not closed or not understood is lost."""
    assert Scope(CONTEXTS).text_at(text, PLACE).text == text


def test_no_expression_fills_the_memory() -> None:
    """A text that doubles itself forty times stays unresolved."""
    expression = "'" + "x" * 5000 + "'"
    for _ in range(40):
        expression = f"format('{{0}}{{0}}', {expression})"
    value = evaluate(expression, {})
    assert isinstance(value, Unresolved)
    assert any(str(LONGEST_TEXT) in name for name in value.names)


CALLS = ["format(", "join(", "fromJSON(", "toJSON(", "contains(", "case("]
WORDS = [*"()[],.! *'", "&&", "||", "==", "'a'", "'{0}{1}'", "0x", "matrix", "os", "runner", "${{", "}}"]
PIECES = st.lists(st.sampled_from([*CALLS, *WORDS]), max_size=20).map("".join)


@settings(max_examples=60)
@given(PIECES | st.text(max_size=40))
def test_any_text_is_evaluated_or_unresolved(text: str) -> None:
    """No expression raises anything."""
    evaluate(text, CONTEXTS)
    Scope(CONTEXTS).text_at(f"${{{{ {text} }}}}", PLACE)
