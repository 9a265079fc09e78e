"""The functions of GitHub's expression language."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

from pytest_repro.logs.workflow.values import (
    Partial,
    Unresolved,
    Value,
    from_json,
    holds_unresolved,
    loosely_equal,
    text_of,
    to_json,
    truth_of,
)

LONGEST_TEXT = 128_000
"""Characters; what would become longer stays unresolved, so that no expression can fill the memory."""

_FORMAT = re.compile(r"\{\{|\}\}|\{(?P<index>\d{1,4})\}")

Function = Callable[[list[Value]], Value]


def _contains(arguments: list[Value]) -> Value:
    search, item = arguments
    if isinstance(search, list):
        return any(loosely_equal(one, item) for one in search)
    return text_of(item).upper() in text_of(search).upper()


def _starts_with(arguments: list[Value]) -> Value:
    return text_of(arguments[0]).upper().startswith(text_of(arguments[1]).upper())


def _ends_with(arguments: list[Value]) -> Value:
    return text_of(arguments[0]).upper().endswith(text_of(arguments[1]).upper())


def _format(arguments: list[Value]) -> Value:
    pattern, values = text_of(arguments[0]), arguments[1:]

    def pieces() -> Iterator[str]:
        end = 0
        for match in _FORMAT.finditer(pattern):
            yield pattern[end : match.start()]
            yield text_of(values[int(match["index"])]) if match["index"] else match[0][0]
            end = match.end()
        yield pattern[end:]

    try:
        return _bounded(pieces())
    except IndexError:
        return Unresolved(names=frozenset({"format()"}))


def _bounded(pieces: Iterator[str]) -> Value:
    kept: list[str] = []
    length = 0
    for piece in pieces:
        length += len(piece)
        if length > LONGEST_TEXT:
            return Unresolved(names=frozenset({f"a text of more than {LONGEST_TEXT} characters"}))
        kept.append(piece)
    return "".join(kept)


def _join(arguments: list[Value]) -> Value:
    values = arguments[0]
    separator = text_of(arguments[1]) if len(arguments) > 1 else ","
    if not isinstance(values, list):
        return text_of(values)

    def pieces() -> Iterator[str]:
        for index, value in enumerate(values):
            yield separator if index else ""
            yield text_of(value)

    return _bounded(pieces())


def _to_json(arguments: list[Value]) -> Value:
    return _bounded(iter([to_json(arguments[0])]))


def _from_json(arguments: list[Value]) -> Value:
    return from_json(text_of(arguments[0]))


def _true(_: list[Value]) -> Value:
    return True


def _case(arguments: list[Value]) -> Value:
    for condition, value in zip(arguments[:-1:2], arguments[1::2], strict=False):
        truth = truth_of(condition)
        if truth is None:
            return condition
        if truth:
            return value
    return arguments[-1]


def _never_known(name: str) -> Function:
    return lambda _: Unresolved(names=frozenset({f"{name}()"}))


def _checked(name: str, function: Function, least: int, most: int) -> Function:
    """Calls a function only with as many values as it takes, all of them resolved."""

    def call(arguments: list[Value]) -> Value:
        unknown = [one for one in arguments if holds_unresolved(one)]
        if unknown:
            return Unresolved(names=frozenset().union(*map(_names, unknown)))
        if not least <= len(arguments) <= most:
            return Unresolved(names=frozenset({f"{name}()"}))
        return function(arguments)

    return call


def _names(value: Any) -> frozenset[str]:
    return value.names if isinstance(value, Unresolved | Partial) else frozenset()


FUNCTIONS: dict[str, Function] = {
    "contains": _checked("contains", _contains, 2, 2),
    "startswith": _checked("startsWith", _starts_with, 2, 2),
    "endswith": _checked("endsWith", _ends_with, 2, 2),
    "format": _checked("format", _format, 1, 256),
    "join": _checked("join", _join, 1, 2),
    "tojson": _checked("toJSON", _to_json, 1, 1),
    "fromjson": _checked("fromJSON", _from_json, 1, 1),
    "case": lambda arguments: _case(arguments) if len(arguments) % 2 else Unresolved(),
    # The steps before the tests are run only while nothing has failed, and so were the tests.
    "success": _true,
    "always": _true,
    "failure": _never_known("failure"),
    "cancelled": _never_known("cancelled"),
    "hashfiles": _never_known("hashFiles"),
}
"""By their names in lower case, as GitHub finds them."""
