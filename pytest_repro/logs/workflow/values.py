"""GitHub's values: how they compare, what is true, and how they read as text."""

from __future__ import annotations

import json
import math
import re
from dataclasses import dataclass
from typing import Any

from pytest_repro.logs.workflow.document import DEEPEST, Scalar

_NULL = frozenset({"", "~", "null", "Null", "NULL"})
_TRUE = frozenset({"true", "True", "TRUE"})
_FALSE = frozenset({"false", "False", "FALSE"})
_DECIMAL = re.compile(r"[-+]?(?:\.\d+|\d+(?:\.\d*)?)(?:[eE][-+]?\d+)?", re.ASCII)
_BASED = re.compile(r"0x[\da-fA-F]+|0o[0-7]+", re.ASCII)
_SPECIAL = re.compile(r"(?P<sign>[-+]?)\.(?P<name>inf|Inf|INF|nan|NaN|NAN)")


class Number(float):
    """A number that remembers how it was written: `3.10` is a version before it is 3.1."""

    text: str

    def __new__(cls, value: float, text: str | None = None) -> Number:
        """Makes one; without a text it is written as GitHub writes it."""
        made = super().__new__(cls, value)
        made.text = text if text is not None else number_text(value)
        return made


@dataclass(frozen=True, slots=True, kw_only=True)
class Unresolved:
    """A value that the file does not say.

    Attributes:
        names: What would have to be known, such as `secrets.TOKEN`.
        truth: Whether it counts as true, where that is known all the same.
    """

    names: frozenset[str] = frozenset()
    truth: bool | None = None


class Partial(str):
    """A text of which some parts are expressions that the file does not decide.

    Attributes:
        unresolved: Those expressions, as they stand in it.
        secrets: Names of the secrets among what they ask for.
        names: What would have to be known.
    """

    __slots__ = ("names", "secrets", "unresolved")

    unresolved: tuple[str, ...]
    secrets: tuple[str, ...]
    names: frozenset[str]

    def __new__(
        cls, text: str, *, unresolved: tuple[str, ...] = (), secrets: tuple[str, ...] = ()
    ) -> Partial:
        """Makes one from a text that was filled in as far as possible."""
        made = super().__new__(cls, text)
        made.unresolved, made.secrets = unresolved, secrets
        made.names = frozenset(f"secrets.{name}" for name in secrets) or frozenset(unresolved)
        return made


class Open(dict[str, Any]):
    """A context of which only a part is known: what it does not hold is unresolved, not empty.

    Args:
        name: Its name, such as `env`.
        known: What is known of it.
    """

    def __init__(self, name: str, known: dict[str, Any]) -> None:
        super().__init__(known)
        self.name = name


Value = None | bool | Number | str | list[Any] | dict[str, Any] | Unresolved


def typed(scalar: Scalar) -> Value:
    """Gives a value the type that YAML 1.2 gives it, as GitHub does: `on` and `yes` are texts."""
    text = scalar.text
    if not scalar.is_plain:
        return text
    if text in _NULL:
        return None
    if text in _TRUE or text in _FALSE:
        return text in _TRUE
    number = parsed_number(text)
    return Number(number, text) if number is not None else text


def parsed_number(text: str) -> float | None:
    """Reads a number as YAML 1.2 writes it."""
    if len(text) > 400:
        return None
    if _DECIMAL.fullmatch(text):
        return float(text)
    if _BASED.fullmatch(text):
        return _float(int(text[2:], 16 if text[1] == "x" else 8))
    special = _SPECIAL.fullmatch(text)
    if special is None:
        return None
    value = float(special["name"].lower())
    return -value if special["sign"] == "-" else value


def _float(value: int) -> float:
    try:
        return float(value)
    except OverflowError:
        return math.inf


def number_text(value: float) -> str:
    """Writes a number as GitHub does: at most 15 digits, without zeros at the end."""
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "Infinity" if value > 0 else "-Infinity"
    return format(value or 0.0, ".15g").replace("e", "E")


def text_of(value: Value, *, as_github: bool = False) -> str:
    """Writes a value as text.

    Args:
        value: Any value that is resolved.
        as_github: Whether a number is written as GitHub does, instead of as the file does.
    """
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Number):
        return number_text(value) if as_github else value.text
    if isinstance(value, str):
        return value
    return "Array" if isinstance(value, list) else "Object"


def truth_of(value: Value) -> bool | None:
    """Says whether a value counts as true; None where that is not known."""
    if isinstance(value, Unresolved):
        return value.truth
    if isinstance(value, Partial):
        return None
    if isinstance(value, (list, dict)):
        return True
    return bool(value) and not (isinstance(value, float) and math.isnan(value))


def number_of(value: Value) -> float:
    """Turns a value into a number as GitHub does before it compares different types."""
    if value is None:
        return 0.0
    if isinstance(value, (bool, float)):
        return float(value)
    if isinstance(value, str):
        stripped = value.strip()
        number = parsed_number(stripped) if stripped else 0.0
        return math.nan if number is None else number
    return math.nan


def loosely_equal(left: Value, right: Value) -> bool:
    """Compares as GitHub's `==` does: texts whatever their case, different types as numbers."""
    if isinstance(left, str) and isinstance(right, str):
        return left.upper() == right.upper()
    if isinstance(left, (list, dict)) or isinstance(right, (list, dict)):
        return left is right
    return number_of(left) == number_of(right)


def from_json(text: str) -> Value:
    """Reads JSON; what is none is unresolved."""
    try:
        value: Value = json.loads(
            text,
            parse_int=lambda number: Number(_number(number), number),
            parse_float=lambda number: Number(_number(number), number),
            parse_constant=lambda name: Number(float(name.replace("Infinity", "inf"))),
        )
    except (ValueError, RecursionError):
        return Unresolved()
    return value if _depth(value) <= DEEPEST else Unresolved()


def _depth(value: Any) -> int:
    """Counts levels, without recursion."""
    level, depth = [value], 0
    while level and depth <= DEEPEST:
        depth += 1
        level = [
            part
            for one in level
            if isinstance(one, (list, dict))
            for part in (one.values() if isinstance(one, dict) else one)
        ]
    return depth


def _number(text: str) -> float:
    return float(text)


def to_json(value: Value) -> str:
    """Writes JSON as GitHub does, two spaces a level."""
    return json.dumps(_plain(value), indent=2, ensure_ascii=False)


def _plain(value: Any) -> Any:
    if isinstance(value, Number):
        return int(value) if value.is_integer() else float(value)
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    return value


def holds_unresolved(value: Any) -> bool:
    """Says whether any part of a value is unresolved."""
    if isinstance(value, Unresolved | Partial | Open):
        return True
    if isinstance(value, list):
        return any(map(holds_unresolved, value))
    return isinstance(value, dict) and any(map(holds_unresolved, value.values()))
