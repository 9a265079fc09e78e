"""What the reports of a run tell of each test: how its executions ended, and what speaks against them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import pytest

from pytest_repro.model import Outcome
from pytest_repro.plugin.call_counter import CALLS, FAILURES, TRIES

_OUTCOMES = ("passed", "failed", "skipped")

_FAILURES = {"setup": Outcome.ERROR, "call": Outcome.FAILED, "teardown": Outcome.ERROR}
"""By stage; xdist reports a test whose worker died in a stage that has no name."""

MOST_PARTS = 300
"""So many subtests of a test are kept by name; all are counted."""

_PASSED = (Outcome.PASSED, Outcome.XPASSED)


@dataclass(slots=True)
class _Execution:
    """One execution of one test, while its reports come in.

    Attributes:
        outcome: The worst so far, None before anything is known.
        is_uncalled: Whether its body did not run.
        failures: Failures that were seen where they happened.
    """

    outcome: Outcome | None = None
    is_uncalled: bool = False
    failures: int = 0


@dataclass(slots=True)
class ToldTest:
    """What is told of one test.

    Attributes:
        outcomes: How its executions ended.
        is_uncalled: Whether the body of one of them that passed or was excused did not run.
        is_rerun: Whether it was tried again after a failure.
        is_hidden: Whether it failed where nobody reported it.
        skipped_parts: Subtests that were skipped.
        parts: The first names of subtests that were executed.
        parts_executed: How many were.
    """

    outcomes: Counter[Outcome] = field(default_factory=Counter)
    is_uncalled: bool = False
    is_rerun: bool = False
    is_hidden: bool = False
    skipped_parts: dict[str, None] = field(default_factory=dict)
    parts: dict[str, None] = field(default_factory=dict)
    parts_executed: int = 0

    def add_part(self, name: str) -> None:
        """Adds a subtest that was executed."""
        self.parts_executed += 1
        if len(self.parts) < MOST_PARTS:
            self.parts[name] = None

    @property
    def outcome(self) -> Outcome:
        """The worst of its executions."""
        return worst(self.outcomes)

    def end(self, execution: _Execution) -> None:
        """Adds an execution up."""
        if execution.outcome is None:
            return
        self.outcomes[execution.outcome] += 1
        if execution.is_uncalled and not execution.outcome.is_failure and execution.outcome.is_executed:
            self.is_uncalled = True
        if execution.failures and execution.outcome in _PASSED:
            self.is_hidden = True


class RunOutcomes:
    """Takes the reports of a run.

    Several workers of xdist may execute one test at a time, and one process may do so more than once.

    Args:
        is_stressed: Whether a stress run inside calls each test again and again: no reruns take place there.
    """

    def __init__(self, *, is_stressed: bool) -> None:
        self._is_stressed = is_stressed
        self._tests: dict[str, ToldTest] = {}
        self._open: dict[tuple[str, str], _Execution] = {}

    def add(self, report: pytest.TestReport) -> None:
        """Takes a report of one stage, or of a subtest."""
        test = self._tests.setdefault(report.nodeid, ToldTest())
        calls, tries = getattr(report, CALLS, 0), getattr(report, TRIES, 0)
        is_known = str(report.outcome) in _OUTCOMES
        if not is_known or (tries > 1 and not self._is_stressed):
            test.is_rerun = True
        if not is_known:
            return
        key = report.nodeid, _worker(report)
        execution = self._open.setdefault(key, _Execution())
        if report.when == "call":
            execution.is_uncalled = True
        if calls:
            execution.is_uncalled = False
        execution.failures += getattr(report, FAILURES, 0)
        _note_outcome(execution, test, report)
        if report.when == "teardown":
            test.end(self._open.pop(key))

    def end(self) -> dict[str, ToldTest]:
        """Returns all, by node id; what did not come to its end counts as far as it came."""
        for (test, _), execution in self._open.items():
            self._tests[test].end(execution)
        self._open.clear()
        return {test: told for test, told in self._tests.items() if told.outcomes}


def worst(outcomes: Iterable[Outcome]) -> Outcome:
    """Returns the outcome that says most: a failure does, a skip least."""
    return min(outcomes, key=_worst_first, default=Outcome.SKIPPED)


def _worst_first(outcome: Outcome) -> int:
    if outcome.is_failure:
        return 0
    return 1 + (Outcome.PASSED, Outcome.XPASSED, Outcome.XFAILED, Outcome.SKIPPED).index(outcome)


def _note_outcome(execution: _Execution, test: ToldTest, report: pytest.TestReport) -> None:
    context = getattr(report, "context", None)
    if context is not None and not report.skipped:
        test.add_part(_subtest(context))
    if report.failed:
        execution.outcome = _FAILURES.get(str(report.when), Outcome.CRASH)
    elif execution.outcome is not None and execution.outcome.is_failure:
        return
    elif report.skipped and context is not None:
        test.skipped_parts[_subtest(context)] = None
    elif report.skipped:
        execution.outcome = Outcome.XFAILED if hasattr(report, "wasxfail") else Outcome.SKIPPED
        if report.when != "call":
            # Excused before it began.
            execution.is_uncalled = True
    elif report.when == "call":
        execution.outcome = Outcome.XPASSED if hasattr(report, "wasxfail") else Outcome.PASSED


def _worker(report: pytest.TestReport) -> str:
    """Returns the worker of xdist that sent a report, empty without."""
    node = getattr(report, "node", None)
    return "" if node is None else str(node.gateway.id)


def _subtest(context: Any) -> str:
    """Names a subtest as pytest does."""
    message = [f"[{context.msg}]"] if context.msg else []
    values = ", ".join(f"{name}={value}" for name, value in context.kwargs.items())
    return " ".join([*message, *([f"({values})"] if values else [])])
