"""Limits on what tests may take or must reach, read from options and marks."""

from __future__ import annotations

import math
import operator
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any

from pytest_repro.clock import parse_duration_ns
from pytest_repro.errors import OptionError
from pytest_repro.verify.measures import Measure, TestMeasures
from pytest_repro.verify.runs import POSITIONAL

_METRIC = re.compile(r"(?P<name>.*?[^\s<>=!])\s*(?P<relation>>=|<=|==|>|<)\s*(?P<number>[^\s<>=]+)")


class LimitKind(str, Enum):
    """What a limit is about; the value is its keyword in a mark."""

    DURATION = "max_duration"
    PHASE = "max_phase"
    METRIC = "metric"

    @property
    def noun(self) -> str:
        """What it is called."""
        return self.value.removeprefix("max_")


class Relation(str, Enum):
    """How a value must stand to its bound."""

    AT_LEAST = ">="
    AT_MOST = "<="
    ABOVE = ">"
    BELOW = "<"
    EQUAL = "=="

    def holds(self, value: float, bound: float) -> bool:
        """Tells whether it does; NaN stands in no relation to anything."""
        compare: Callable[[float, float], bool] = _COMPARISONS[self.value]
        return compare(value, bound)


_COMPARISONS: Mapping[str, Callable[[float, float], bool]] = {
    ">=": operator.ge,
    "<=": operator.le,
    ">": operator.gt,
    "<": operator.lt,
    "==": operator.eq,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """What each execution of a test must keep to.

    Attributes:
        kind: What is limited.
        name: Of the phase or metric; empty for the duration.
        relation: How each value must stand to the bound.
        bound: Nanoseconds, or of a metric any finite number.
        text: As it was given.
    """

    kind: LimitKind
    name: str = ""
    relation: Relation = Relation.AT_MOST
    bound: float
    text: str

    @property
    def subject(self) -> tuple[LimitKind, str]:
        """What it is about: of two limits on the same, the nearer one holds."""
        return self.kind, self.name

    @property
    def place(self) -> str:
        """It as it would stand on the command line."""
        return f"--verify-{self.kind.value.replace('_', '-')} {self.text}"

    def measure_in(self, measures: TestMeasures) -> Measure | None:
        """Returns what it is about, None where that was not measured."""
        if self.kind is LimitKind.DURATION:
            return measures.duration_ns
        series = measures.phases_ns if self.kind is LimitKind.PHASE else measures.metrics
        return series.get(self.name)

    def worst_of(self, measure: Measure) -> float | None:
        """Returns the value that breaks it most, None if all values keep to it."""
        broken = [
            value for value in (measure.low, measure.high) if not self.relation.holds(value, self.bound)
        ]
        return max(broken, key=lambda value: abs(value - self.bound), default=None)

    def nearest_of(self, measure: Measure) -> float:
        """Returns the value that is nearest to breaking it; of those that do, the one that does so most."""
        worst = self.worst_of(measure)
        nearest = min((measure.low, measure.high), key=lambda value: abs(value - self.bound))
        return nearest if worst is None else worst


def parse_limit(kind: LimitKind, text: str) -> Limit:
    """Reads one limit as it stands in an option or a mark.

    Raises:
        ValueError: It cannot be read; the text says what can.
    """
    if kind is LimitKind.DURATION:
        return Limit(kind=kind, bound=parse_duration_ns(text), text=text)
    if kind is LimitKind.PHASE:
        name, _, time = text.rpartition("=")
        if not name.strip():
            raise ValueError("a phase and its time, such as to_torch=0.5s")
        return Limit(kind=kind, name=name.strip(), bound=parse_duration_ns(time), text=text)
    found = _METRIC.fullmatch(text.strip())
    bound = math.nan if found is None else _number(found["number"])
    if found is None or not math.isfinite(bound):
        raise ValueError("a metric, one of >=, <=, >, <, == and a number, such as 'samples_per_s>=19649'")
    return Limit(
        kind=kind, name=found["name"].strip(), relation=Relation(found["relation"]), bound=bound, text=text
    )


def limits_of_mark(test: str, keywords: Mapping[str, Any]) -> tuple[Limit, ...]:
    """Reads the limits in the arguments of a test's mark.

    Args:
        test: Node id.
        keywords: All of them.

    Raises:
        OptionError: One cannot be read, or says nothing to the gate.
    """
    if POSITIONAL in keywords:
        given = ", ".join(map(repr, keywords[POSITIONAL]))
        raise OptionError(
            f"repro_verify({given}) cannot be used: it takes keyword arguments alone",
            place=test,
            next_step=f"Use {', '.join(_KEYWORDS)}, such as max_duration={_EXAMPLES[LimitKind.DURATION]}.",
        )
    for keyword in keywords:
        if keyword not in _KEYWORDS:
            raise OptionError(
                f"repro_verify has no {keyword!r}",
                place=test,
                next_step=f"Use one of {', '.join(_KEYWORDS)}.",
            )
    limits: list[Limit] = []
    for kind in LimitKind:
        given = keywords.get(kind.value, ())
        texts = given if isinstance(given, Sequence) and not isinstance(given, str) else (given,)
        limits += [_limit_of_mark(test, kind, text) for text in texts]
    return tuple(limits)


def _limit_of_mark(test: str, kind: LimitKind, text: object) -> Limit:
    if not isinstance(text, str):
        raise _bad_mark(test, kind, text, f"{_EXAMPLES[kind]}, as a text or a list of texts")
    try:
        return parse_limit(kind, text)
    except ValueError as error:
        raise _bad_mark(test, kind, text, str(error)) from error


def _bad_mark(test: str, kind: LimitKind, given: object, wanted: str) -> OptionError:
    return OptionError(
        f"repro_verify({kind.value}={given!r}) cannot be used", place=test, next_step=f"Give {wanted}."
    )


_KEYWORDS = ("deterministic", *(kind.value for kind in LimitKind))

_EXAMPLES = {LimitKind.DURATION: "'5s'", LimitKind.PHASE: "'to_torch=0.5s'", LimitKind.METRIC: "'loss<0.1'"}


def nearest(*places: Sequence[Limit]) -> tuple[Limit, ...]:
    """Returns limits of several places; what a place says of a subject holds instead of all later ones.

    Args:
        places: The nearest first: a test's own mark, the command line, the ini file.
    """
    known: set[tuple[LimitKind, str]] = set()
    limits: list[Limit] = []
    for place in places:
        limits += [limit for limit in place if limit.subject not in known]
        known |= {limit.subject for limit in place}
    return tuple(limits)


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan
