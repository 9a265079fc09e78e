"""Limits on what tests may take or must reach: read from text, held against what the runs measured."""

from __future__ import annotations

import math
import operator
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from pytest_repro.clock import parse_duration_ns
from pytest_repro.errors import OptionError
from pytest_repro.verify.measures import Measure, TestMeasures

_METRIC = re.compile(r"(?P<name>.*?[^\s<>=!])\s*(?P<relation>>=|<=|==|>|<)\s*(?P<number>[^\s<>=]+)")


class LimitKind(str, Enum):
    """What a limit is about; the value is its keyword in a mark."""

    DURATION = "max_duration"
    PHASE = "max_phase"
    METRIC = "metric"

    @property
    def option(self) -> str:
        """Its name on the command line, without the dashes."""
        return f"verify-{self.value.replace('_', '-')}"


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


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasuredRun:
    """What limits are held against.

    Attributes:
        number: Of the run, 1-based.
        tests: What was measured, by node id; tests that were executed without a failure only.
        limits: Of the tests' own marks, by node id.
    """

    number: int
    tests: Mapping[str, TestMeasures]
    limits: Mapping[str, Sequence[Limit]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokenLimit:
    """A value that broke a limit.

    Attributes:
        run: Number of the run, 1-based.
        test: Node id.
        limit: What it broke.
        value: Nanoseconds, or the value of a metric.
    """

    run: int
    test: str
    limit: Limit
    value: float


@dataclass(frozen=True, slots=True, kw_only=True)
class UnrecordedLimit:
    """A limit that names nothing that any run recorded: a mistake, or the recording is off.

    Attributes:
        limit: The limit.
        test: Whose mark it is; None for all tests.
        recorded: Names that were recorded in its place.
    """

    limit: Limit
    test: str | None
    recorded: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitGap:
    """A run that did not record what others did, so that its limit was not held against it.

    Attributes:
        run: Number of the run, 1-based.
        test: Node id.
        limit: The limit.
    """

    run: int
    test: str
    limit: Limit


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitFindings:
    """What holding limits against runs has shown.

    Attributes:
        broken: Values that broke a limit, by run.
        unrecorded: Limits that say nothing.
        gaps: Runs that do not count.
    """

    broken: tuple[BrokenLimit, ...] = ()
    unrecorded: tuple[UnrecordedLimit, ...] = ()
    gaps: tuple[LimitGap, ...] = ()


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
    """Reads the limits in the keyword arguments of a test's mark.

    Args:
        test: Node id.
        keywords: All of them; those that are no limits are left to others.

    Raises:
        OptionError: One cannot be read.
    """
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


def hold(limits: Sequence[Limit], runs: Sequence[MeasuredRun]) -> LimitFindings:
    """Holds limits against what the runs measured.

    Args:
        limits: Of the session, for all tests; a test's own on the same subject hold in their place.
        runs: In order.
    """
    tests = {test: None for run in runs for test in run.tests}
    broken: list[BrokenLimit] = []
    gaps: list[LimitGap] = []
    for test in tests:
        found = [(run, limit) for run in runs for limit in nearest(run.limits.get(test, ()), limits)]
        for run, limit in found:
            measures = run.tests.get(test)
            if measures is None:
                continue
            measure = limit.measure_in(measures)
            worst = None if measure is None else limit.worst_of(measure)
            if worst is not None:
                broken.append(BrokenLimit(run=run.number, test=test, limit=limit, value=worst))
            if measure is None and _is_recorded(limit, test, runs):
                gaps.append(LimitGap(run=run.number, test=test, limit=limit))
    return LimitFindings(
        broken=tuple(sorted(broken, key=lambda one: one.run)),
        unrecorded=(*_unrecorded_of_session(limits, runs), *_unrecorded_of_marks(runs)),
        gaps=tuple(sorted(gaps, key=lambda one: one.run)),
    )


def _is_recorded(limit: Limit, test: str, runs: Iterable[MeasuredRun]) -> bool:
    return any(limit.measure_in(run.tests[test]) is not None for run in runs if test in run.tests)


def _unrecorded_of_session(limits: Iterable[Limit], runs: Sequence[MeasuredRun]) -> list[UnrecordedLimit]:
    tests = {test: None for run in runs for test in run.tests}
    return [
        UnrecordedLimit(limit=limit, test=None, recorded=_recorded(limit.kind, tests, runs))
        for limit in limits
        if tests and not any(_is_recorded(limit, test, runs) for test in tests)
    ]


def _unrecorded_of_marks(runs: Sequence[MeasuredRun]) -> list[UnrecordedLimit]:
    own = {
        (test, limit): None
        for run in runs
        for test, limits in run.limits.items()
        for limit in limits
        if any(test in other.tests for other in runs)
    }
    return [
        UnrecordedLimit(limit=limit, test=test, recorded=_recorded(limit.kind, (test,), runs))
        for test, limit in own
        if not _is_recorded(limit, test, runs)
    ]


def _recorded(kind: LimitKind, tests: Iterable[str], runs: Iterable[MeasuredRun]) -> tuple[str, ...]:
    wanted = set(tests)
    names: dict[str, None] = {}
    for run in runs:
        for test, measures in run.tests.items():
            if test in wanted:
                names |= dict.fromkeys(measures.phases_ns if kind is LimitKind.PHASE else measures.metrics)
    return tuple(names)


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan
