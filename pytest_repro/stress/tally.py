"""Adds up batches: what ran, what failed, which bugs there are."""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from pytest_repro.model import Failure, Outcome, Stage
from pytest_repro.signature import signature_from_dict
from pytest_repro.stress.patterns import ProcessTally, by_process, find_pattern
from pytest_repro.stress.plan import StressPlan
from pytest_repro.stress.summary import Bug, TestSummary

BUGS_WITH_TEXT = 50
"""Bugs whose first traceback is kept in memory; those of further bugs are in the records."""


_NO_FAILURES = tuple(outcome for outcome in Outcome if not outcome.is_failure)


@dataclass(slots=True, kw_only=True)
class _TestTally:
    """The growing counterpart of TestSummary."""

    test: str
    copies: int = 1
    outcomes: dict[Outcome, int] = field(default_factory=dict)
    stages_ns: list[int] = field(default_factory=lambda: [0, 0, 0])
    fastest_ns: int | None = None
    slowest_ns: int | None = None
    first_failure: Failure | None = None
    lane: str = ""
    lane_reason: str | None = None
    processes: dict[str, ProcessTally] = field(default_factory=dict)
    matches: int = 0
    first_match: Failure | None = None
    surplus: int = 0
    counted: int = 0

    def count(self, outcome: Outcome, number: int) -> None:
        self.outcomes[outcome] = self.outcomes.get(outcome, 0) + number

    def note(self, failure: Failure) -> None:
        self.counted += failure.counts
        self.first_failure = _earlier(self.first_failure, failure)
        if failure.is_match:
            self.matches += 1
            self.first_match = _earlier(self.first_match, failure)


@dataclass(slots=True, kw_only=True)
class _BugTally:
    """The growing counterpart of Bug."""

    failures: int = 0
    matches: int = 0
    tests: dict[str, None] = field(default_factory=dict)
    first: Failure

    def note(self, failure: Failure) -> None:
        self.failures += 1
        self.matches += failure.is_match is True
        self.tests.setdefault(failure.test)
        if failure.text is not None and _rank(failure) < _rank(self.first):
            self.first = failure


def _rank(failure: Failure) -> tuple[bool, int]:
    """What is looked for comes first, then what came first in time."""
    return failure.is_match is not True, failure.elapsed_ns


def _earlier(known: Failure | None, failure: Failure) -> Failure:
    return failure if known is None or failure.elapsed_ns < known.elapsed_ns else known


class StressTally:
    """Collects the messages of all processes; its memory does not grow with the iterations.

    Args:
        plan: What was asked for.
        began_ns: Monotonic clock at the start of the stress run.
        hash_seed: `PYTHONHASHSEED` of the session, None where it was not set by a number.

    Attributes:
        failures: Failing iterations of all tests.
        counted_failures: Those that count for what ends the session.
        finished: Iterations of all tests that came to an end.
    """

    def __init__(self, plan: StressPlan, *, began_ns: int, hash_seed: int | None = None) -> None:
        self._plan = plan
        self._hash_seed = hash_seed
        self._began_ns = began_ns
        self._tests: dict[str, _TestTally] = {}
        self._bugs: dict[str, _BugTally] = {}
        self._last_failing: dict[str, tuple[str, int]] = {}
        self._expected = 0
        self.failures = 0
        self.finished = 0
        self._texts: Counter[bool] = Counter()
        self.counted_failures = 0

    def expect(self, tests: Iterable[str]) -> None:
        """Names tests that were collected, so that one that never runs is missed."""
        for test, copies in Counter(tests).items():
            self._tests.setdefault(test, _TestTally(test=test)).copies = copies
        self._expected = sum(tally.copies for tally in self._tests.values())

    @property
    def planned(self) -> int | None:
        """Iterations of all tests, or None for as many as fit into the budget."""
        each = self._planned_of_a_test
        return None if each is None else each * self._expected

    @property
    def distinct_bugs(self) -> int:
        """How many bugs there are so far."""
        return len(self._bugs)

    def note_lane(self, test: str, lane: str, reason: str | None) -> None:
        """Notes how the iterations of a test are run."""
        tally = self._tests.setdefault(test, _TestTally(test=test))
        tally.lane, tally.lane_reason = lane, reason

    def add_batch(self, message: Mapping[str, Any]) -> list[Failure]:
        """Adds the iterations of one batch.

        Returns:
            The failures in it.
        """
        tally = self._tests.setdefault(message["test"], _TestTally(test=message["test"]))
        for outcome, number in message["outcomes"]:
            tally.count(Outcome(outcome), number)
            self.finished += number
        for label, name, number in by_process(message):
            outcome = Outcome(name)
            if outcome.is_executed:
                process = tally.processes.setdefault(label, ProcessTally(label=label))
                process.add(is_failure=outcome.is_failure, number=number)
        for index, duration in enumerate(message["stages_ns"]):
            tally.stages_ns[index] += duration
        durations = durations_of(message)
        tally.fastest_ns = min(durations) if tally.fastest_ns is None else min(tally.fastest_ns, *durations)
        tally.slowest_ns = max(durations) if tally.slowest_ns is None else max(tally.slowest_ns, *durations)
        failures = [self.failure_of(message, failure) for failure in message["failures"]]
        for failure in failures:
            self._note(failure)
        return failures

    def add_surplus(self, failure: Failure) -> None:
        """Adds a failure that came after the last one that was asked for."""
        self._tests[failure.test].surplus += 1

    def counted_failures_of(self, test: str) -> int:
        """Returns the failing iterations of a test that count for what ends it."""
        return self._tests[test].counted

    def is_enough(self, test: str) -> bool:
        """Tells whether the failures that end this test, or the session, are all there."""
        most, of_test = self._plan.max_failures, self._plan.stop_after
        is_over = most is not None and self.counted_failures >= most
        return is_over or (of_test is not None and self._tests[test].counted >= of_test)

    def add_closing_failure(self, message: Mapping[str, Any]) -> Failure:
        """Adds the failure of a late teardown to the last, already counted iteration of a slice."""
        tally = self._tests[message["test"]]
        failure = self.failure_of(message, message["failure"])
        self._replace_one(tally, failure)
        self._note(failure)
        return failure

    def add_death(self, failure: Failure, *, is_counted: bool) -> None:
        """Adds an iteration that ended with its process, and so in no batch.

        Args:
            failure: The iteration.
            is_counted: Whether it had ended, and was in a batch, before its process died.
        """
        tally = self._tests.setdefault(failure.test, _TestTally(test=failure.test))
        if is_counted:
            self._replace_one(tally, failure)
        else:
            tally.count(failure.outcome, 1)
            self.finished += 1
            process = tally.processes.setdefault(failure.worker, ProcessTally(label=failure.worker))
            process.add(is_failure=True, number=1)
        self._note(failure)

    def summary(self, test: str) -> TestSummary:
        """Returns what is known of one test.

        Raises:
            KeyError: No such test.
        """
        tally = self._tests[test]
        planned = self._planned_of_a_test
        if planned is not None:
            planned *= tally.copies  # a plugin may have put one test into the collection twice
        setup, call, teardown = tally.stages_ns
        return TestSummary(
            test=test,
            planned=planned,
            has_budget=self._plan.budget_ns is not None,
            outcomes={outcome: number for outcome, number in tally.outcomes.items() if number},
            stages_ns=(setup, call, teardown),
            fastest_ns=tally.fastest_ns,
            slowest_ns=tally.slowest_ns,
            first_failure=tally.first_failure,
            lane=tally.lane,
            lane_reason=tally.lane_reason,
            pattern=find_pattern(tally.processes.values(), is_isolated=self._plan.isolate),
            matches=tally.matches,
            first_match=tally.first_match,
            surplus=tally.surplus,
        )

    def summaries(self) -> list[TestSummary]:
        """Returns what is known of all tests, in order of collection."""
        return [self.summary(test) for test in self._tests]

    def bugs(self) -> list[Bug]:
        """Returns the bugs: those that are looked for first, then in order of appearance."""
        bugs = [
            Bug(
                signature=tally.first.signature,
                failures=tally.failures,
                tests=tuple(tally.tests),
                first=tally.first,
                matches=tally.matches,
            )
            for tally in self._bugs.values()
        ]
        return sorted(bugs, key=lambda bug: not bug.is_match)

    def _replace_one(self, tally: _TestTally, failure: Failure) -> None:
        """Has an iteration that was counted fail after all.

        Where it had failed anyway, it is one more bug and no further failing iteration.
        """
        if self._last_failing.get(failure.worker) == (failure.test, failure.iteration):
            return
        counted_as = next((outcome for outcome in _NO_FAILURES if tally.outcomes.get(outcome)), None)
        if counted_as is not None:
            tally.count(counted_as, -1)
            tally.count(failure.outcome, 1)

    @property
    def _planned_of_a_test(self) -> int | None:
        return 1 if self._plan.only_iteration is not None else self._plan.iterations

    def _note(self, failure: Failure) -> None:
        self._last_failing[failure.worker] = (failure.test, failure.iteration)
        self.failures += 1
        self.counted_failures += failure.counts
        self._tests[failure.test].note(failure)
        key = failure.signature.key
        if key not in self._bugs:
            # What is looked for keeps its text, however many other bugs there are.
            is_match = failure.is_match is True
            if self._texts[is_match] >= BUGS_WITH_TEXT:
                failure = replace(failure, text=None)
            self._texts[is_match] += 1
            self._bugs[key] = _BugTally(first=failure)
        self._bugs[key].note(failure)

    def failure_of(self, message: Mapping[str, Any], failure: Mapping[str, Any]) -> Failure:
        """Returns one failure of a message as a record."""
        return Failure(
            test=message["test"],
            iteration=failure["iteration"],
            outcome=Outcome(failure["outcome"]),
            stage=Stage(failure["stage"]),
            signature=signature_from_dict(failure["signature"]),
            message=failure["message"],
            seed=failure["seed"],
            worker=message["worker"],
            elapsed_ns=failure["ended_ns"] - self._began_ns,
            text=failure["text"],
            hash_seed=self._hash_seed if failure["hash_seed"] is None else failure["hash_seed"],
            is_match=failure.get("is_match"),
        )


def durations_of(message: Mapping[str, Any]) -> array[int]:
    """Reads the durations of a batch, in nanoseconds, in order of its iterations."""
    durations = array("q")
    durations.frombytes(message["durations_ns"])
    return durations
