"""Expressions to values: exact where the file says it, unresolved with the reason where it does not."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Mapping
from typing import Any

from pytest_repro.logs.workflow.functions import FUNCTIONS
from pytest_repro.logs.workflow.syntax import (
    Binary,
    Call,
    Context,
    ExpressionError,
    Index,
    Literal,
    Not,
    Star,
    Tree,
    parse_expression,
)
from pytest_repro.logs.workflow.values import (
    Open,
    Partial,
    Unresolved,
    Value,
    loosely_equal,
    number_of,
    text_of,
    truth_of,
)

_ORDERS: dict[str, Callable[[Any, Any], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


class Starred(list[Any]):
    """What `.*` gives: a property of it is that property of each of its values."""


def evaluate(text: str, contexts: Mapping[str, Value]) -> Value:
    """Evaluates an expression; what cannot be parsed is unresolved."""
    try:
        return _value(parse_expression(text), contexts)
    except (ExpressionError, RecursionError):
        return Unresolved()


def _value(tree: Tree, contexts: Mapping[str, Value]) -> Value:
    match tree:
        case Literal(value):
            found = value
        case Context(name):
            found = contexts.get(name, Unresolved(names=frozenset({name})))
        case Index():
            found = _property(tree, contexts)
        case Star(base):
            found = _all_of(_value(base, contexts))
        case Call():
            found = _called(tree, contexts)
        case Not(operand):
            found = _negated(_value(operand, contexts))
        case Binary():
            found = _binary(tree, contexts)
    return found


def _all_of(base: Value) -> Value:
    if isinstance(base, Unresolved | Open):
        return _unknown(base, "*")
    return Starred(base.values() if isinstance(base, dict) else base if isinstance(base, list) else ())


def _negated(value: Value) -> Value:
    truth = truth_of(value)
    return _unresolved(value) if truth is None else not truth


def _called(tree: Call, contexts: Mapping[str, Value]) -> Value:
    function = FUNCTIONS.get(tree.name)
    if function is None:
        return Unresolved(names=frozenset({f"{tree.name}()"}))
    return function([_value(argument, contexts) for argument in tree.arguments])


def _property(tree: Index, contexts: Mapping[str, Value]) -> Value:
    base, key = _value(tree.base, contexts), _value(tree.key, contexts)
    if isinstance(key, Unresolved | Partial):
        return _unresolved(key)
    if isinstance(base, Starred):
        kept = Starred(part for one in base if (part := _at(one, key)) is not None)
        unknown = next((one for one in kept if isinstance(one, Unresolved)), None)
        return unknown or kept
    return _at(base, key)


def _at(base: Value, key: Value) -> Value:
    if isinstance(base, Unresolved):
        return _unknown(base, text_of(key))
    if isinstance(base, list):
        index = number_of(key)
        if math.isnan(index) or not 0 <= index < len(base):
            return None
        found: Value = base[int(index)]
        return found
    if not isinstance(base, dict):
        return None
    wanted = text_of(key)
    name = wanted if wanted in base else _same_name(base, wanted)
    if name is not None:
        kept: Value = base[name]
        return kept
    return _unknown(base, wanted) if isinstance(base, Open) else None


def _same_name(base: dict[str, Any], wanted: str) -> str | None:
    """The key that is the same but for its case."""
    return next((key for key in base if key.lower() == wanted.lower()), None)


def _unknown(base: Unresolved | Open, key: str) -> Unresolved:
    names = {base.name} if isinstance(base, Open) else base.names
    return Unresolved(names=frozenset(f"{name}.{key}"[:200] for name in names))


def _binary(tree: Binary, contexts: Mapping[str, Value]) -> Value:
    left = _value(tree.left, contexts)
    if tree.sign in {"&&", "||"}:
        return _joined(tree, left, contexts)
    right = _value(tree.right, contexts)
    unknown = _unresolved(left, right)
    if unknown is not None:
        return unknown
    if tree.sign in {"==", "!="}:
        return loosely_equal(left, right) is (tree.sign == "==")
    if isinstance(left, str) and isinstance(right, str):
        return _ORDERS[tree.sign](left.upper(), right.upper())
    return _ORDERS[tree.sign](number_of(left), number_of(right))


def _joined(tree: Binary, left: Value, contexts: Mapping[str, Value]) -> Value:
    ends_at = tree.sign == "||"
    truth = truth_of(left)
    if truth is not None and truth is ends_at:
        return left
    right = _value(tree.right, contexts)
    if truth is not None:
        return right
    unknown = _unresolved(left, right) or Unresolved()
    decided = truth_of(right) is ends_at
    return Unresolved(names=unknown.names, truth=ends_at if decided else None)


def _unresolved(*values: Value) -> Unresolved | None:
    """What is unresolved among values, as one."""
    unknown = [value for value in values if isinstance(value, Unresolved | Partial)]
    if not unknown:
        return None
    return Unresolved(names=frozenset().union(*(value.names for value in unknown)))
