"""Limits held against what the runs measured."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from pytest_repro.errors import OptionError
from pytest_repro.verify.limits import Limit, LimitKind, limits_of_mark, nearest
from pytest_repro.verify.measures import Measure, TestMeasures
from pytest_repro.verify.runs import Run


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
class HeldLimit:
    """A limit that was held against a test, kept or not.

    Attributes:
        test: Node id.
        limit: The limit.
        checked: Runs that recorded what it is about.
        missed: Those of them that break it.
        worst: The value that is nearest to breaking it, or breaks it most: nanoseconds, or that of a metric.
    """

    test: str
    limit: Limit
    checked: int
    missed: int
    worst: float


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

    @property
    def reason(self) -> str:
        """What it names that nobody recorded, what was recorded, and what to do now."""
        what = f"{self.limit.kind.noun} {self.limit.name!r}"
        recorded = ", ".join(self.recorded) or "nothing"
        fact = (
            f"{self.limit.place}: no test recorded a {what}"
            if self.test is None
            else f"repro_verify({self.limit.kind.value}={self.limit.text!r}): {self.test} recorded no {what}"
        )
        return f"{fact} (recorded: {recorded}). {self._next_step}"

    @property
    def _next_step(self) -> str:
        if self.limit.kind is LimitKind.METRIC:
            return (
                f"Correct the name, or record it in the test with repro.metric({self.limit.name!r}, value)"
                " and without --no-repro-timing."
            )
        return (
            "Correct the name, or record it: --repro-timing does so for to_device, op and to_torch,"
            f" repro.phase({self.limit.name!r}) in the test for all others."
        )


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

    @property
    def reason(self) -> str:
        """Why the run does not count."""
        return f"run {self.run} {self.what}"

    @property
    def what(self) -> str:
        """The same without the run's number."""
        what = f"{self.limit.kind.noun} {self.limit.name}".rstrip()
        return f"recorded no {what} of {self.test}, which other runs did and which has a limit"


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitFindings:
    """What holding limits against runs has shown.

    Attributes:
        held: All limits that were held against a test, by test.
        broken: Values that broke a limit, by run.
        unrecorded: Limits that say nothing.
        gaps: Runs that do not count.
        bad_marks: Why marks of tests cannot be read.
    """

    held: tuple[HeldLimit, ...] = ()
    broken: tuple[BrokenLimit, ...] = ()
    unrecorded: tuple[UnrecordedLimit, ...] = ()
    gaps: tuple[LimitGap, ...] = ()
    bad_marks: tuple[str, ...] = ()

    @property
    def is_clean(self) -> bool:
        """Whether nothing was found."""
        return not (self.broken or self.gaps or self.mistakes)

    @property
    def mistakes(self) -> tuple[str, ...]:
        """What the user has to correct before the gate can say anything."""
        return (*self.bad_marks, *(one.reason for one in self.unrecorded))

    def breaks(self, run: int) -> bool:
        """Tells whether a limit is broken in the run of this number."""
        return any(one.run == run for one in self.broken)

    def reasons_against(self, run: int) -> tuple[str, ...]:
        """Says why the run of this number does not count, as far as limits are concerned."""
        return tuple(gap.reason for gap in self.gaps if gap.run == run)


NO_FINDINGS = LimitFindings()
"""Of a gate without limits."""


def hold_limits(limits: Sequence[Limit], runs: Sequence[Run]) -> LimitFindings:
    """Holds the session's limits, and those of the tests' own marks, against runs of the gate.

    Only tests that were executed without a failure are looked at: a failing one fails its run anyway, and
    may have ended before it recorded anything.

    Args:
        limits: Of the session.
        runs: In order.
    """
    problems: dict[str, None] = {}
    measured = []
    for run in runs:
        passed = {
            test: told for test, told in run.tests.items() if told.is_executed and not told.outcome.is_failure
        }
        own: dict[str, Sequence[Limit]] = {}
        for test, told in passed.items():
            try:
                own[test] = nearest(*(limits_of_mark(test, mark) for mark in told.marks))
            except OptionError as error:
                problems[str(error)] = None
        tests = {test: told.measures for test, told in passed.items()}
        measured.append(MeasuredRun(number=run.number, tests=tests, limits=own))
    return replace(hold(limits, measured), bad_marks=tuple(problems))


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
        held=tuple(held for test in tests for held in _held(test, limits, runs)),
        broken=tuple(sorted(broken, key=lambda one: one.run)),
        unrecorded=(*_unrecorded_of_session(limits, runs), *_unrecorded_of_marks(runs)),
        gaps=tuple(sorted(gaps, key=lambda one: one.run)),
    )


def _held(test: str, limits: Sequence[Limit], runs: Sequence[MeasuredRun]) -> Iterator[HeldLimit]:
    measures: dict[Limit, list[Measure]] = {}
    for run in runs:
        for limit in nearest(run.limits.get(test, ()), limits) if test in run.tests else ():
            measure = limit.measure_in(run.tests[test])
            if measure is not None:
                measures.setdefault(limit, []).append(measure)
    for limit, told in measures.items():
        broken = [measure for measure in told if limit.worst_of(measure) is not None]
        values = [limit.nearest_of(measure) for measure in broken or told]
        choose = max if broken else min
        worst = choose(values, key=lambda value: abs(value - limit.bound))
        yield HeldLimit(test=test, limit=limit, checked=len(told), missed=len(broken), worst=worst)


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
