"""One run of the gate, as it reported itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pytest_repro.errors import StoreError
from pytest_repro.model import Outcome
from pytest_repro.verify.measures import TestMeasures

REPORT = "run.json"
"""File in which a run reports itself; written when its session ends, so its absence says it did not."""

_PASSED = (Outcome.PASSED, Outcome.XPASSED)


POSITIONAL = "*"
"""Among the arguments of a mark, those without a keyword; it takes none of them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunTest:
    """What one run tells of one test.

    Attributes:
        outcome: How it ended, the worst of its stages and iterations.
        is_executed: Whether its body ran. A skip is no execution, nor is a failure that was expected and came
            before the body, nor what somebody reports as passed who never called it.
        iterations: Iterations of a stress run that executed it, 0 without.
        missing: Iterations of a stress run that were asked for and did not execute it.
        failures: How many of the iterations failed.
        outcomes: How often it ended how: by executions in one run, by iterations in a stress run.
        skipped_parts: Subtests of it that were skipped.
        parts: The first names of subtests of it that were executed.
        parts_executed: How many were, as far as pytest tells of those that pass.
        marks: Arguments of each of its marks `repro_verify`, those of the nearest one first.
        measures: What was measured of it.
    """

    outcome: Outcome
    is_executed: bool = True
    iterations: int = 0
    missing: int = 0
    failures: int = 0
    outcomes: Mapping[Outcome, int] = field(default_factory=dict)
    skipped_parts: tuple[str, ...] = ()
    parts: tuple[str, ...] = ()
    parts_executed: int = 0
    marks: tuple[Mapping[str, Any], ...] = ()
    measures: TestMeasures = field(default_factory=TestMeasures)

    @property
    def is_proof(self) -> bool:
        """Whether it says something in favour of the test: a failure that was expected does not."""
        return self.is_executed and self.outcome in _PASSED

    @property
    def executions(self) -> int:
        """How often it was executed; 0 where nobody counted."""
        return sum(number for outcome, number in self.outcomes.items() if outcome.is_executed)

    @property
    def excused(self) -> int:
        """How often it failed as expected (xfail)."""
        return self.outcomes.get(Outcome.XFAILED, 0)

    @property
    def unexcused(self) -> int:
        """Iterations of a stress run that say something of it: a failure that was expected does not."""
        return self.iterations - self.excused if self.iterations else 0

    @property
    def is_partly_skipped(self) -> bool:
        """Whether some of its executions in one run were skipped, and some were not."""
        return not self.iterations and bool(self.outcomes.get(Outcome.SKIPPED)) and bool(self.executions)

    @property
    def is_partly_excused(self) -> bool:
        """Whether it failed as expected in a part of its executions, and passed in others."""
        return bool(self.excused) and any(self.outcomes.get(outcome) for outcome in _PASSED)

    @classmethod
    def from_payload(cls, payload: Mapping[str, Any]) -> RunTest:
        """Reads what `to_payload` made.

        Raises:
            KeyError, ValueError, TypeError: It is something else.
        """
        return cls(
            outcome=Outcome(payload["outcome"]),
            is_executed=bool(payload["is_executed"]),
            iterations=int(payload["iterations"]),
            missing=int(payload["missing"]),
            failures=int(payload["failures"]),
            outcomes={Outcome(name): int(number) for name, number in payload["outcomes"].items()},
            skipped_parts=tuple(payload["skipped_parts"]),
            parts=tuple(payload["parts"]),
            parts_executed=int(payload["parts_executed"]),
            marks=tuple(dict(mark) for mark in payload["marks"]),
            measures=TestMeasures.from_payload(payload["measures"]),
        )

    def to_payload(self) -> dict[str, Any]:
        """Returns it as plain builtins."""
        return {
            "outcome": self.outcome.value,
            "is_executed": self.is_executed,
            "iterations": self.iterations,
            "missing": self.missing,
            "failures": self.failures,
            "outcomes": {outcome.value: number for outcome, number in self.outcomes.items()},
            "skipped_parts": list(self.skipped_parts),
            "parts": list(self.parts),
            "parts_executed": self.parts_executed,
            "marks": [dict(mark) for mark in self.marks],
            "measures": self.measures.to_payload(),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class RunReport:
    """What a run says of itself when its session ends.

    Attributes:
        exit_status: That the session ended with; the process may end with another one.
        tests: By node id.
        rescued: Tests that failed and passed on a rerun.
        hidden: Tests that failed and are reported as passed, without a rerun.
        not_run: Tests that were collected and never reported.
        deselected: Tests that were collected and then left out.
        collection_errors: Files or folders that could not be collected.
        skipped_files: Files or folders that were skipped as a whole when they were collected.
        lost_workers: Workers of xdist that ended before their time.
        seeds: Options that make its random choices again, each with its value.
        hash_seed: `PYTHONHASHSEED`, None where Python chose one that nobody can tell.
        time_zone: Name and offset.
        locale: The locale of the process and its encoding.
        directory: Working directory.
    """

    exit_status: int
    tests: Mapping[str, RunTest]
    rescued: tuple[str, ...] = ()
    hidden: tuple[str, ...] = ()
    not_run: tuple[str, ...] = ()
    deselected: tuple[str, ...] = ()
    collection_errors: tuple[str, ...] = ()
    skipped_files: tuple[str, ...] = ()
    lost_workers: tuple[str, ...] = ()
    seeds: Mapping[str, str] = field(default_factory=dict)
    hash_seed: str | None = None
    time_zone: str = ""
    locale: str = ""
    directory: str = ""

    @classmethod
    def from_payload(cls, payload: Mapping[str, Any]) -> RunReport:
        """Reads what `to_payload` made.

        Raises:
            StoreError: It is something else.
        """
        try:
            return cls(
                exit_status=int(payload["exit_status"]),
                tests={test: RunTest.from_payload(told) for test, told in payload["tests"].items()},
                seeds=dict(payload["seeds"]),
                hash_seed=payload["hash_seed"],
                time_zone=payload["time_zone"],
                locale=payload["locale"],
                directory=payload["directory"],
                **{name: tuple(payload[name]) for name in _LISTS},
            )
        except (AttributeError, KeyError, OverflowError, TypeError, ValueError) as error:
            raise StoreError(f"A run's report cannot be read: {error!r}", next_step="Repeat it.") from error

    def to_payload(self) -> dict[str, Any]:
        """Returns it as plain builtins."""
        return {
            "exit_status": self.exit_status,
            "tests": {test: told.to_payload() for test, told in self.tests.items()},
            "seeds": dict(self.seeds),
            "hash_seed": self.hash_seed,
            "time_zone": self.time_zone,
            "locale": self.locale,
            "directory": self.directory,
            **{name: list(getattr(self, name)) for name in _LISTS},
        }


_LISTS = ("rescued", "hidden", "not_run", "deselected", "collection_errors", "skipped_files", "lost_workers")


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One whole fresh pytest process.

    Attributes:
        number: 1-based.
        exit_status: Of the process; negative for a signal.
        duration_ns: From its start to its end.
        report: What it said of itself; None if the process left no report.
        output: File that holds its output.
        command: Shell command that repeats it, hash seed and all.
    """

    number: int
    exit_status: int
    duration_ns: int
    report: RunReport | None
    output: str = ""
    command: str = ""

    @property
    def tests(self) -> Mapping[str, RunTest]:
        """What it tells of each test, by node id; empty without a report."""
        return {} if self.report is None else self.report.tests

    @property
    def executed(self) -> frozenset[str]:
        """Tests that really ran."""
        return frozenset(test for test, told in self.tests.items() if told.is_executed)

    @property
    def failed(self) -> tuple[str, ...]:
        """Tests that failed."""
        return tuple(test for test, told in self.tests.items() if told.outcome.is_failure)

    @property
    def is_failing(self) -> bool:
        """Whether it shows a failing test; a process that ended badly without one shows nothing."""
        return bool(self.failed)

    @property
    def iterations(self) -> int:
        """Iterations of a stress run inside, all tests together; 0 without."""
        return sum(told.iterations for told in self.tests.values())
