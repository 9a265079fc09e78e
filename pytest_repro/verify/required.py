"""How many clean runs it takes before a fix counts as proved, from the rates on record."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from enum import Enum

from pytest_repro.model import Outcome
from pytest_repro.stats import DEFAULT_CONFIDENCE, chance_if_unchanged, clean_iterations_needed
from pytest_repro.verify.history import RecordedRate, Unit
from pytest_repro.verify.runs import Run, RunReport

FEWEST_RUNS = 5
"""So many runs at least, unless all failures are marked deterministic."""

FEWEST_DETERMINISTIC_RUNS = 2
"""So many where they are: the second shows that the first left nothing behind."""

LONGEST_NS = 3600 * 10**9
"""Runs that would take longer, all together, are out of reach."""

DETERMINISTIC = "deterministic"
"""Argument of the mark `repro_verify`: the failure came in each run, and so a pass tells at once."""


HASH_SEED = "PYTHONHASHSEED"
"""Variable by which all that a process hashes comes in the same order again."""


class Reason(str, Enum):
    """Why so many runs are asked for."""

    DETERMINISTIC = "deterministic"
    FEWEST = "fewest"
    RATE = "rate"
    TOO_LONG = "too_long"
    NOT_COMPARABLE = "not_comparable"


@dataclass(frozen=True, slots=True, kw_only=True)
class Requirement:
    """What the recorded rate of one test asks of the runs.

    Attributes:
        rate: What is on record.
        iterations: How often one run executes the test, at least 1.
        confidence: From 0 to 1.
        repeated: What makes the same random choices in all runs: more of them are no further evidence.
    """

    rate: RecordedRate
    iterations: int
    confidence: float
    repeated: tuple[str, ...] = ()

    @property
    def is_long_enough(self) -> bool:
        """Whether a run executes the test often enough to fail as the processes on record did."""
        return self.iterations >= self.rate.iterations_each

    @property
    def is_comparable(self) -> bool:
        """Whether clean runs say anything about the rate."""
        return self.is_long_enough and not self.repeated

    @property
    def clean(self) -> int:
        """Clean iterations, processes or runs, whatever the record counts, that it takes."""
        needed = clean_iterations_needed(self.rate.failures, self.rate.total, confidence=self.confidence)
        assert needed is not None  # a rate is on record because the test failed
        return needed

    @property
    def runs(self) -> int | None:
        """Clean runs that it takes; None where no number of such runs does."""
        if not self.is_comparable:
            return None
        return -(-self.clean // self._units_of_a_run)

    def chance(self, runs: int) -> float | None:
        """Returns how likely so many clean runs are had nothing changed; None where that cannot be told."""
        if not self.is_comparable:
            return None
        clean = runs * self._units_of_a_run
        return chance_if_unchanged(self.rate.failures, self.rate.total, clean=clean)

    @property
    def _units_of_a_run(self) -> int:
        # A run is one process, and one run: only iterations that fail by themselves make it count for more.
        return self.iterations if self.rate.unit is Unit.ITERATION else 1


@dataclass(frozen=True, slots=True, kw_only=True)
class RunsRequired:
    """How many runs `--verify-runs auto` comes to.

    Attributes:
        asked: Clean runs that the verdict takes.
        planned: Runs that take place: fewer than asked where that is out of reach.
        reason: Why.
        requirement: Of the test that asks for the most, None where no rate decides.
    """

    asked: int
    planned: int
    reason: Reason
    requirement: Requirement | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What the runs of a gate are held against.

    Attributes:
        confidence: Of what they are to prove, from 0 to 1.
        rates: What is on record of each test, by node id.
        required: What `auto` came to; None where the number was given, or no run has ended yet.
        fixed: What was given by hand and chooses for all runs alike: options, or `PYTHONHASHSEED`. As soon as
            two runs have told what they had, that counts.
    """

    confidence: float = DEFAULT_CONFIDENCE
    rates: Mapping[str, RecordedRate] = field(default_factory=dict)
    required: RunsRequired | None = None
    fixed: tuple[str, ...] = ()

    def asking(self, runs: Sequence[Run]) -> list[Requirement]:
        """Returns what the rates ask of these runs, that of the test that asks for the most first.

        A test whose failure is marked deterministic asks for nothing, unless the record contradicts the mark.

        Args:
            runs: They tell which tests are executed, and how often; the run that did the least counts.
        """
        executed = {
            test
            for run in runs
            for test, told in run.tests.items()
            # What is excused (xfail) is no evidence: the verdict says that nothing is proved of it.
            if told.is_executed and told.outcome is not Outcome.XFAILED
        }
        found = [
            self._requirement(test, runs)
            for test in sorted(executed & frozenset(self.rates))
            if not any(_is_deterministic(run, test, self.rates[test]) for run in runs if test in run.executed)
        ]
        return sorted(found, key=_most_first)

    def unproved(self, runs: Sequence[Run]) -> tuple[str, ...]:
        """Says what these runs leave unproved, whatever their number, of what `auto` was to prove."""
        if self.required is None:
            return ()
        for most in self.asking(runs)[:1]:
            if most.runs is None:
                return (f"no number of such runs proves {most.rate.test} repaired",)
            if most.runs > len(runs) >= self.required.asked:
                # With a time budget inside, a run may get less far than the first one.
                fewer = f"{most.rate.test} was executed less often than in run 1"
                return (f"{fewer}: by that, {most.runs:,} runs are needed",)
        return ()

    def _requirement(self, test: str, runs: Sequence[Run]) -> Requirement:
        requirements = [
            Requirement(
                rate=rate,
                iterations=_least_iterations(test, runs),
                confidence=self.confidence,
                repeated=self._repeated(rate, runs),
            )
            for rate in self.rates[test].all
        ]
        return min(requirements, key=_most_first)

    def _repeated(self, rate: RecordedRate, runs: Sequence[Run]) -> tuple[str, ...]:
        reports = [run.report for run in runs if run.report is not None]
        alike = choices_alike(reports) if len(reports) > 1 else self.fixed
        hash_seeds = {report.hash_seed for report in reports}
        # A hash seed is the same for all iterations of a process: where they fail by themselves, or some
        # processes failed with it and others did not, it is not what decides.
        is_beside = rate.unit is Unit.ITERATION or (
            hash_seeds == {rate.hash_seed} and rate.failures < rate.total
        )
        return tuple(choice for choice in alike if choice != HASH_SEED or not is_beside)


def _most_first(requirement: Requirement) -> tuple[bool, int]:
    return requirement.is_comparable, -(requirement.runs or 0)


def choices_alike(reports: Sequence[RunReport]) -> tuple[str, ...]:
    """Names the seeds that were the same in all of several runs: options, and `PYTHONHASHSEED`."""
    if len(reports) < 2:
        return ()
    alike = [
        option for option in reports[0].seeds if len({report.seeds.get(option) for report in reports}) == 1
    ]
    hash_seeds = {report.hash_seed for report in reports}
    return tuple(alike) if len(hash_seeds) > 1 or None in hash_seeds else (HASH_SEED, *alike)


def runs_required(first: Run, evidence: Evidence) -> RunsRequired:
    """Decides, after the first run, how many `auto` comes to."""
    tests = [test for test in first.executed if not _is_deterministic(first, test, evidence.rates.get(test))]
    if first.executed and not tests:
        runs = FEWEST_DETERMINISTIC_RUNS
        return RunsRequired(asked=runs, planned=runs, reason=Reason.DETERMINISTIC)
    fewest = FEWEST_RUNS
    asking = evidence.asking([first])
    most = asking[0] if asking else None
    if most is None:
        return RunsRequired(asked=fewest, planned=fewest, reason=Reason.FEWEST)
    needed = most.runs
    if needed is None:
        return RunsRequired(asked=fewest, planned=fewest, reason=Reason.NOT_COMPARABLE, requirement=most)
    asked = max(fewest, needed)
    if asked > fewest and asked * first.duration_ns > LONGEST_NS:
        return RunsRequired(asked=asked, planned=fewest, reason=Reason.TOO_LONG, requirement=most)
    reason = Reason.RATE if needed >= fewest else Reason.FEWEST
    return RunsRequired(asked=asked, planned=asked, reason=reason, requirement=most)


def _is_deterministic(first: Run, test: str, rate: RecordedRate | None) -> bool:
    told = (mark[DETERMINISTIC] for mark in first.tests[test].marks if DETERMINISTIC in mark)
    return next(told, None) is True and (
        rate is None or all(each.failed_iterations == each.iterations for each in rate.all)
    )


def _least_iterations(test: str, runs: Sequence[Run]) -> int:
    return max(1, min(run.tests[test].unexcused for run in runs if test in run.executed))


_SHARE = re.compile(r"(\d+(?:\.\d+)?|\.\d+)\s*(%?)")


def parse_confidence(text: str) -> float:
    """Reads `0.95` or `95%`; a bare 95 could be either, and is refused.

    Raises:
        ValueError: It is neither, or not from 50 % up to but without 100 %.
    """
    found = _SHARE.fullmatch(text.strip())
    share = Decimal(found[1]) / (100 if found[2] else 1) if found else Decimal(0)
    if not Decimal("0.5") <= share < 1 or float(share) == 1.0:
        raise ValueError("a share from 0.5 up to but without 1, such as 0.95, or 95%")
    return float(share)
