from __future__ import annotations

from itertools import product
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_repro.errors import LogError
from pytest_repro.logs.workflow.matrix import expand, name_segments
from pytest_repro.logs.workflow.records import Place
from pytest_repro.logs.workflow.values import Number, Unresolved, Value

PLACE = Place(file="x.yml", line=1)


def values_of(matrix: Value) -> list[dict[str, Value]]:
    return [one.values for one in expand(matrix, PLACE)]


def test_the_example_of_githubs_documentation() -> None:
    """What `include` adds, changes nothing that the axes say, and may come later over what it added."""
    matrix: dict[str, Any] = {
        "fruit": ["apple", "pear"],
        "animal": ["cat", "dog"],
        "include": [
            {"color": "green"},
            {"color": "pink", "animal": "cat"},
            {"fruit": "apple", "shape": "circle"},
            {"fruit": "banana"},
            {"fruit": "banana", "animal": "cat"},
        ],
    }
    assert values_of(matrix) == [
        {"fruit": "apple", "animal": "cat", "color": "pink", "shape": "circle"},
        {"fruit": "apple", "animal": "dog", "color": "green", "shape": "circle"},
        {"fruit": "pear", "animal": "cat", "color": "pink"},
        {"fruit": "pear", "animal": "dog", "color": "green"},
        {"fruit": "banana"},
        {"fruit": "banana", "animal": "cat"},
    ]


def test_only_include_makes_one_job_each() -> None:
    """Without axes there is nothing to add to."""
    assert values_of({"include": [{"a": "1"}, {"b": "2"}]}) == [{"a": "1"}, {"b": "2"}]


def test_objects_are_compared_leaf_by_leaf_and_case_does_not_count() -> None:
    """A filter may name a part of an object."""
    matrix: dict[str, Any] = {
        "os": [{"name": "Linux", "v": "1"}, {"name": "mac", "v": "2"}],
        "py": ["3.9"],
        "exclude": [{"os": {"name": "linux"}}],
    }
    assert values_of(matrix) == [{"os": {"name": "mac", "v": "2"}, "py": "3.9"}]


def test_a_name_has_the_axes_and_not_what_include_adds() -> None:
    """Objects give their leaves, numbers are written as GitHub writes them."""
    matrix: dict[str, Any] = {
        "py": [Number(3.1, "3.10")],
        "os": [{"name": "linux", "gpu": True}],
        "include": [{"extra": "more"}],
    }
    (only,) = expand(matrix, PLACE)
    assert only.values["extra"] == "more"
    assert list(name_segments(only.named)) == ["3.1", "linux", "true"]


def test_what_is_not_known_stays_unresolved() -> None:
    """An axis from another job's output is one combination in which it is unresolved."""
    unknown = Unresolved(names=frozenset({"needs.x"}))
    (only,) = expand({"os": unknown, "py": ["3.9"]}, PLACE)
    assert list(name_segments(only.named)) == [None, "3.9"]
    (whole,) = expand(unknown, PLACE)
    assert list(name_segments(whole.named)) == [None]
    (included,) = expand({"include": unknown}, PLACE)
    assert list(name_segments(included.named)) == [None]


def test_too_many_combinations_are_an_error() -> None:
    """A matrix that GitHub would refuse is not expanded."""
    matrix: dict[str, Any] = {f"axis{n}": [str(k) for k in range(50)] for n in range(8)}
    with pytest.raises(LogError, match="has 39,062,500,000,000 combinations, and GitHub allows 256"):
        expand(matrix, PLACE)


KEYS = st.sampled_from(["a", "b", "c"])
LEAVES = st.sampled_from(["x", "X", "y", "1", ""])
FILTERS = st.lists(st.dictionaries(KEYS, LEAVES, min_size=1, max_size=3), max_size=4)
AXES = st.dictionaries(st.sampled_from(["a", "b"]), st.lists(LEAVES, min_size=1, max_size=3), max_size=2)


@settings(max_examples=60)
@given(AXES, FILTERS, FILTERS)
def test_expansion_is_that_of_the_rules(
    axes: dict[str, list[str]], include: list[dict[str, str]], exclude: list[dict[str, str]]
) -> None:
    """An independent model of GitHub's documentation gives the same jobs in the same order."""
    exclude = [{key: one[key] for key in one if key in axes} for one in exclude]
    exclude = [one for one in exclude if one]
    matrix: dict[str, Any] = {**axes, "include": include, "exclude": exclude}
    assert values_of(matrix) == model(axes, include, exclude)


def model(
    axes: dict[str, list[str]], include: list[dict[str, str]], exclude: list[dict[str, str]]
) -> list[dict[str, str]]:
    """Combinations are made one by one; an include that fits none of them is one of its own."""

    def fits(combination: dict[str, str], wanted: dict[str, str]) -> bool:
        return not any(
            key in axes and combination[key].casefold() != value.casefold() for key, value in wanted.items()
        )

    originals = [dict(zip(axes, choice, strict=True)) for choice in product(*axes.values())] if axes else []
    kept = [one for one in originals if not any(fits(one, wanted) for wanted in exclude)]
    made = [dict(one) for one in kept]
    alone = []
    for addition in include:
        places = [index for index, one in enumerate(kept) if fits(one, addition)]
        for index in places:
            made[index] |= {key: value for key, value in addition.items() if key not in axes}
        if not places:
            alone.append(addition)
    return made + alone
