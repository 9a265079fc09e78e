"""Compares what the tool reports with what the dying tests wrote: nothing missing, twice or wrong."""

from __future__ import annotations

import random
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any

from tests.faults.kinds import FAULTS, Fault
from tests.faults.records import Journal, Key, Life, Records


class Kind(str, Enum):
    """What is wrong."""

    NOT_RUN = "not run"
    RAN_TWICE = "ran twice"
    CUT_SHORT = "cut short"
    SURVIVED = "survived its fault"
    MISSING = "missing"
    DOUBLED = "told twice"
    INVENTED = "invented"
    OUTCOME = "wrong outcome"
    STAGE = "wrong stage"
    MESSAGE = "wrong message"
    WORKER = "wrong worker"
    SEED = "wrong seed"
    STACK = "no stack"
    SUMMARY = "wrong summary"
    STATUS = "wrong exit status"
    ODD = "odd"
    LEFT = "left behind"
    UNREADABLE = "unreadable"


@dataclass(frozen=True, slots=True, kw_only=True)
class Discrepancy:
    """One place where both sides disagree.

    Attributes:
        kind: What is wrong.
        test: Node id, None for what concerns the session.
        iteration: 1-based, None for what concerns the whole test.
        journal: What the tests wrote.
        tool: What the tool says.
    """

    kind: Kind
    test: str | None = None
    iteration: int | None = None
    journal: str
    tool: str

    def __str__(self) -> str:
        where = "session" if self.test is None else self.test
        number = "" if self.iteration is None else f", iteration {self.iteration}"
        return f"{self.kind.value}: {where}{number}: journal: {self.journal}; tool: {self.tool}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """What was asked for.

    Attributes:
        tests: All of them.
        iterations: Of each.
        needs_each_stack: Whether each death must come with a stack of its own, and not the first of its bug.
    """

    tests: Sequence[str]
    iterations: int
    needs_each_stack: bool = False


def compare(expected: Expected, journal: Journal, records: Records, *, status: int) -> list[Discrepancy]:
    """Returns all in which the journal, the records, the summary and the exit status disagree."""
    planned = [(test, number) for test in expected.tests for number in range(1, expected.iterations + 1)]
    found = [one for key in planned for one in _of_iteration(expected, key, journal, records)]
    for key in sorted((journal.lives.keys() | records.told.keys() | records.failures.keys()) - {*planned}):
        said = ", ".join(map(str, journal.lives.get(key, []))) or "nothing"
        found.append(_of(Kind.INVENTED, key, said, _said(key, records)))
    found += [Discrepancy(kind=Kind.ODD, journal=one, tool="nothing") for one in journal.oddities]
    found += [
        Discrepancy(kind=Kind.UNREADABLE, journal="nothing", tool=problem) for problem in records.problems
    ]
    found += _of_summary(expected, journal, records, status=status)
    return found


def _of(kind: Kind, key: Key, journal: object, tool: str) -> Discrepancy:
    return Discrepancy(kind=kind, test=key[0], iteration=key[1], journal=str(journal), tool=tool)


def _said(key: Key, records: Records) -> str:
    parts = [f"{told.outcome} on {told.worker}" for told in records.told.get(key, [])]
    parts += [
        f"failure: {failure['outcome']} in {failure['stage']} on {failure['worker']}, {failure['message']!r}"
        for failure in records.failures.get(key, [])
    ]
    return ", ".join(parts) or "nothing"


def outcome_of(life: Life) -> str:
    """Returns the outcome that a life must have for the tool."""
    return "passed" if life.fault == "pass" else FAULTS[life.fault].outcome


def _of_iteration(expected: Expected, key: Key, journal: Journal, records: Records) -> list[Discrepancy]:
    lives, said = journal.lives.get(key, []), _said(key, records)
    if not lives:
        return [_of(Kind.NOT_RUN if said == "nothing" else Kind.INVENTED, key, "nothing", said)]
    if len(lives) > 1:
        return [_of(Kind.RAN_TWICE, key, ", then ".join(map(str, lives)), said)]
    (life,) = lives
    if said == "nothing":
        return [_of(Kind.MISSING, key, life, said)]
    return [
        _of(kind, key, life, detail or said)
        for kind, detail in (
            *_wrong_life(life),
            *_wrong_entry(key, life, records),
            *_wrong_failure(key, life, records, needs_each_stack=expected.needs_each_stack),
        )
    ]


def _wrong_life(life: Life) -> Iterator[tuple[Kind, str]]:
    # What raises in the call is torn down; what raises around it has no last line of its own.
    is_deadly = life.fault != "pass" and FAULTS[life.fault].is_deadly
    if not is_deadly and life.stage == "call":
        if not life.has_ended:
            yield Kind.CUT_SHORT, ""
    elif life.has_ended:
        yield Kind.SURVIVED, ""
    if life.xdist != life.worker:
        yield Kind.WORKER, f"told the test {life.worker}, and xdist told it {life.xdist}"
    if life.seed is not None and life.drawn != random.Random(life.seed).random():
        yield Kind.SEED, f"seed {life.seed}, and random began otherwise"


def _wrong_entry(key: Key, life: Life, records: Records) -> Iterator[tuple[Kind, str]]:
    told, failures = records.told.get(key, []), records.failures.get(key, [])
    outcomes = {entry.outcome for entry in told} | {failure["outcome"] for failure in failures}
    if len(told) > 1 or len(failures) > 1 or len(outcomes) > 1:
        yield Kind.DOUBLED, ""
    if outcome_of(life) not in outcomes:
        yield Kind.OUTCOME, ""
    # A death ends no batch: its record among the failures is enough. All others stand in a batch.
    is_death = life.fault != "pass" and FAULTS[life.fault].is_deadly
    if not told and not is_death:
        yield Kind.MISSING, f"not in iterations.jsonl; {_said(key, records)}"
    workers = {entry.worker for entry in told} | {failure["worker"] for failure in failures}
    if workers != {life.worker}:
        yield Kind.WORKER, ""


def _wrong_failure(
    key: Key, life: Life, records: Records, *, needs_each_stack: bool
) -> Iterator[tuple[Kind, str]]:
    failures = records.failures.get(key, [])
    if outcome_of(life) in {"passed", "skipped"}:
        return
    fault = FAULTS[life.fault]
    if not failures:
        yield Kind.MISSING, f"not in failures.jsonl; {_said(key, records)}"
        return
    failure = failures[0]
    if failure["outcome"] != fault.outcome:
        return  # said already; stage, message and stack are then those of something else
    if failure["stage"] != life.stage:
        yield Kind.STAGE, ""
    phrase = fault.phrase if fault.is_deadly else f"{fault.phrase} in {life.stage} of iteration {key[1]}"
    if not re.search(rf"{re.escape(phrase)}\b", failure["message"]):
        yield Kind.MESSAGE, ""
    if failure["seed"] != life.seed:
        yield Kind.SEED, f"seed {failure['seed']}, and told the test {life.seed}"
    if fault.function is not None:
        yield from _wrong_stack(fault, failure, records, needs_each_stack=needs_each_stack)


def names_function(fault: Fault, text: str | None) -> bool:
    """Tells whether a text names the function that a death of this kind happens in."""
    return fault.function is None or (
        text is not None and re.search(rf"\b{fault.function}\b", text) is not None
    )


def _wrong_stack(
    fault: Fault, failure: Mapping[str, Any], records: Records, *, needs_each_stack: bool
) -> Iterator[tuple[Kind, str]]:
    text = failure["text"]
    if names_function(fault, text):
        return
    if text is not None:
        yield Kind.STACK, f"no {fault.function} in {text.strip()[-300:]!r}"
    elif needs_each_stack or not _has_shown_twin(failure, records):
        yield Kind.STACK, f"no text; {failure['message']!r}"


def _has_shown_twin(failure: Mapping[str, Any], records: Records) -> bool:
    """Tells whether the same bug was shown in another iteration; of some bugs many tests are."""
    return any(
        other["text"] is not None and other["signature"]["key"] == failure["signature"]["key"]
        for others in records.failures.values()
        for other in others
    )


def expected_status(outcomes: Mapping[str, Counter[str]]) -> int:
    """Returns the exit status of a session whose tests had these outcomes, all of which were asked for."""
    if any(number for counts in outcomes.values() for name, number in counts.items() if _is_failure(name)):
        return 1
    # What was skipped in some iterations and not in others has not run as often as asked.
    is_partial = any(counts["skipped"] not in {0, counts.total()} for counts in outcomes.values())
    return 6 if is_partial else 0


def _is_failure(outcome: str) -> bool:
    return outcome not in {"passed", "skipped"}


def _of_summary(expected: Expected, journal: Journal, records: Records, *, status: int) -> list[Discrepancy]:
    outcomes: dict[str, Counter[str]] = {test: Counter() for test in expected.tests}
    for (test, _), lives in journal.lives.items():
        outcomes.setdefault(test, Counter()).update(map(outcome_of, lives[-1:]))
    found = []
    summary = records.summary
    stated = {one["test"]: one for one in summary["tests"]} if summary is not None else {}
    for test in expected.tests if summary is not None else ():
        counts = outcomes[test]
        facts: dict[str, Any] = {
            "planned": expected.iterations,
            "executed": expected.iterations - counts["skipped"],
            "skipped": counts["skipped"],
            "missing": 0,
            "surplus": 0,
            "failures": sum(number for name, number in counts.items() if _is_failure(name)),
            "outcomes": dict(counts),
        }
        wrong = [name for name, fact in facts.items() if stated.get(test, {}).get(name) != fact]
        if wrong:
            ours = ", ".join(f"{name} {facts[name]}" for name in wrong)
            theirs = ", ".join(f"{name} {stated.get(test, {}).get(name)}" for name in wrong)
            found.append(Discrepancy(kind=Kind.SUMMARY, test=test, journal=ours, tool=theirs))
    wanted = expected_status(outcomes)
    told = None if summary is None else summary["exit_status"]
    if status != wanted or (summary is not None and told != status):
        said = f"exit status {status}" + ("" if summary is None else f", {told} in the summary")
        found.append(Discrepancy(kind=Kind.STATUS, journal=f"exit status {wanted}", tool=said))
    return found
