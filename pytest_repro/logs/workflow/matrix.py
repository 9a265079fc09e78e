"""`strategy.matrix`: the combinations that GitHub makes of it, in its order and with its names."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from math import prod
from typing import Any

from pytest_repro.errors import LogError
from pytest_repro.logs.workflow.records import Place
from pytest_repro.logs.workflow.values import (
    Open,
    Partial,
    Unresolved,
    Value,
    holds_unresolved,
    loosely_equal,
    text_of,
)

MOST_COMBINATIONS = 5_000


@dataclass(frozen=True, slots=True)
class Combination:
    """One job of a matrix.

    Attributes:
        values: What the context `matrix` holds.
        named: The values that stand in the job's name when it has no expression of its own.
    """

    values: dict[str, Value]
    named: tuple[Value, ...] = ()


def expand(matrix: Value, place: Place) -> list[Combination]:
    """Expands a matrix.

    Where a part of it is not known, so is which combinations there are: the one that stands for them holds
    what is known, and everything else in it is unresolved.

    Args:
        matrix: The evaluated value of `strategy.matrix`; None where the job has none.
        place: Where it stands.

    Raises:
        LogError: It has more combinations than can be handled, or is no mapping.
    """
    if matrix is None:
        return [Combination({})]
    if isinstance(matrix, Unresolved):
        return [Combination(Open("matrix", {}), (matrix,))]
    if not isinstance(matrix, dict):
        raise _no_matrix("The matrix is no mapping", place)
    axes = {key: value for key, value in matrix.items() if key not in {"include", "exclude"}}
    include, exclude = matrix.get("include"), matrix.get("exclude")
    if isinstance(include, Unresolved) or isinstance(exclude, Unresolved):
        return list(_partly_known(axes, place))
    crossed = _crossed(axes, place)
    return list(_combined(crossed, set(axes), _filters(include, place), _filters(exclude, place)))


def _no_matrix(fact: str, place: Place) -> LogError:
    return LogError(fact, place=str(place), next_step="Correct the matrix: GitHub refuses it as it is.")


def _partly_known(axes: dict[str, Any], place: Place) -> Iterator[Combination]:
    """Combinations of the axes, each of which an unknown `include` may have made larger."""
    for values in _crossed(axes, place) or [{}]:
        yield Combination(Open("matrix", values), (*values.values(), Unresolved()))


def _crossed(axes: dict[str, Any], place: Place) -> list[dict[str, Value]]:
    lists = [_axis(value) for value in axes.values()]
    count = prod(map(len, lists)) if lists else 0
    if count > MOST_COMBINATIONS:
        raise _no_matrix(f"The matrix has {count:,} combinations, and GitHub allows 256", place)
    return [dict(zip(axes, values, strict=True)) for values in product(*lists)] if count else []


def _axis(value: Value) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _filters(value: Value, place: Place) -> list[dict[str, Any]]:
    if value is None:
        return []
    if not isinstance(value, list) or len(value) > MOST_COMBINATIONS:
        raise _no_matrix(f"include or exclude is no list of at most {MOST_COMBINATIONS:,} mappings", place)
    return [one if isinstance(one, dict) else Open("matrix", {}) for one in value if one != {}]


def _combined(
    crossed: list[dict[str, Value]],
    axes: set[str],
    include: list[dict[str, Any]],
    exclude: list[dict[str, Any]],
) -> Iterator[Combination]:
    used = [False] * len(include)
    for values in crossed:
        if any(_matches(values, one, set(one)) for one in exclude):
            continue
        extra: dict[str, Value] = {}
        for index, one in enumerate(include):
            if _matches(values, one, axes & set(one)):
                used[index] = True
                extra.update({key: value for key, value in one.items() if key not in axes})
        yield Combination({**values, **extra}, tuple(values.values()))
    for one, is_used in zip(include, used, strict=True):
        if not is_used:
            ordered = {key: one[key] for key in one if key in axes} | dict(one)
            values = Open("matrix", ordered) if isinstance(one, Open) else ordered
            named = (*ordered.values(), Unresolved()) if isinstance(one, Open) else tuple(ordered.values())
            yield Combination(values, named)


def _matches(values: dict[str, Value], wanted: dict[str, Any], keys: set[str]) -> bool:
    """Says whether each leaf of a filter is equal to what stands there; an unresolved one is not."""
    if isinstance(wanted, Open):
        return False
    return all(_leaves_equal(values.get(key), wanted[key]) for key in keys)


def _leaves_equal(value: Value, wanted: Value) -> bool:
    if isinstance(wanted, dict):
        inner = value if isinstance(value, dict) else {}
        return all(_leaves_equal(inner.get(key), one) for key, one in wanted.items())
    if isinstance(wanted, list):
        parts = value if isinstance(value, list) else []
        return all(
            _leaves_equal(parts[index] if index < len(parts) else None, one)
            for index, one in enumerate(wanted)
        )
    if isinstance(value, Unresolved | Partial) or isinstance(wanted, Unresolved | Partial):
        return False
    return loosely_equal(value, wanted)


def name_segments(named: tuple[Value, ...]) -> Iterator[str | None]:
    """Yields the parts of a job's name that a combination gives; None for what is not known."""
    for value in named:
        if isinstance(value, Unresolved | Partial | Open):
            yield None
        elif isinstance(value, dict):
            yield from name_segments(tuple(value.values()))
        elif isinstance(value, list):
            yield from name_segments(tuple(value))
        elif text := text_of(value, as_github=True):
            yield text


def is_complete(combination: Combination) -> bool:
    """Says whether everything in a combination is known."""
    return not holds_unresolved(combination.values)
