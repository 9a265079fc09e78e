"""Reads from the records how often tests failed before."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import Enum
from pathlib import Path
from typing import Any

from pytest_repro.errors import StoreError
from pytest_repro.model import Outcome
from pytest_repro.stats import DEFAULT_CONFIDENCE, chance_of_clusters
from pytest_repro.store import each_json_line, read_json
from pytest_repro.stress.patterns import CHANCE, PatternKind, ProcessTally, by_process, find_pattern
from pytest_repro.verify.record_checks import (
    MOST_COUNTED,
    is_batch,
    is_death,
    is_failure,
    proved_tests,
    signature_of,
)
from pytest_repro.verify.runs import REPORT, RunReport

_MOST_COMPARED = 10**7
"""So often, at most, the iteration of a death is looked for in a batch."""

_NAME = re.compile(r"[\w-]+")

_FAILURES = "failures.jsonl"


class Unit(str, Enum):
    """What of the past is counted, and so what must be clean to prove a fix."""

    ITERATION = "iteration"
    PROCESS = "process"
    RUN = "run"


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedRate:
    """How often one test failed before, in units that fail each by itself.

    Attributes:
        test: Node id.
        unit: What is counted: iterations, unless they fail or pass together in a process; runs of the gate
            where each executed the test once.
        failures: Units that failed.
        total: Units that executed the test.
        iterations_each: Of processes: how many iterations one must run to be held against those on record.
        failed_iterations: Failing iterations, whatever the unit.
        iterations: Executed iterations, whatever the unit.
        is_clustered: Whether the failures gather in processes more than chance would have it.
        sessions: Names of the sessions that it comes from; the newest in which the test failed is first.
        command: How that one was started.
        hash_seed: `PYTHONHASHSEED` of all its processes, None where they differ or nobody can tell.
        title: What the failures are recognised by, where older sessions have other ones; else empty.
        earlier: Of older sessions, whose failures no newer one has and no gate has proved gone since.
    """

    test: str
    unit: Unit
    failures: int
    total: int
    iterations_each: int = 1
    failed_iterations: int
    iterations: int
    is_clustered: bool = False
    sessions: tuple[str, ...]
    command: str = ""
    hash_seed: str | None = None
    title: str = ""
    earlier: tuple[RecordedRate, ...] = ()

    @property
    def all(self) -> tuple[RecordedRate, ...]:
        """It and the earlier ones."""
        return (self, *self.earlier)


def recorded_rates(
    sessions: Iterable[Path], tests: Collection[str], *, confidence: float = DEFAULT_CONFIDENCE
) -> dict[str, RecordedRate]:
    """Returns what is on record of the failure rate of each test; those that never failed are not in it.

    For each signature of its failures it is the newest session that has it, with all others of the same code:
    same commit, and no change beside it. Sessions of other code never count together, since the fix came in
    between; but a failure of another kind (a typing error while fixing) is no fix. What cannot be read, or is
    no record of ours, is left out.

    Args:
        sessions: Folders, oldest first.
        tests: Node ids.
        confidence: From 0 to 1; with it a gate must have proved an older failure gone for it to be left out.
    """
    ours = (path for path in sessions if _NAME.fullmatch(path.name))
    known = [session for path in ours if (session := _read_session(path)) is not None]
    known.reverse()
    found = ((test, _rates(test, known, confidence=confidence)) for test in tests)
    return {test: replace(rates[0], earlier=tuple(rates[1:])) for test, rates in found if rates}


def _rates(test: str, known: Sequence[_Session], *, confidence: float) -> list[RecordedRate]:
    """Returns the rates of one test, that of the newest session first."""
    rates: list[RecordedRate] = []
    signatures: set[str] = set()
    counted: set[str] = set()
    for number, newest in enumerate(known):
        if not newest.has_failed(test):
            continue
        told = newest.signatures(test)
        new = [key for key in told if key not in signatures]
        signatures |= told.keys()
        if not new or newest.path.name in counted:
            continue
        if rates and any(gate.has_proved(test, confidence=confidence) for gate in known[:number]):
            break
        others = [other for other in known if other is not newest and other.is_beside(newest, test)]
        rate = _rate(test, [newest, *_without_repeated_seeds([newest, *others])[1:]])
        counted |= set(rate.sessions)
        rates.append(replace(rate, title=told[new[0]]))
    return rates if len(rates) > 1 else [replace(rate, title="") for rate in rates]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Counts:
    """What one session tells of its tests.

    Attributes:
        processes: By test, one for each process.
        is_single: Whether each process is a run of the gate that executed each test once.
        is_isolated: Whether iterations of one process were forks of it.
        signatures: By test, of its failures: title by key.
        seeds: Base seeds of its iterations.
        hash_seeds: Of its processes, None for what nobody can tell.
    """

    processes: Mapping[str, Sequence[ProcessTally]]
    signatures: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    is_single: bool = False
    is_isolated: bool = False
    seeds: frozenset[int] = frozenset()
    hash_seeds: frozenset[str | None] = frozenset()


@dataclass(slots=True, kw_only=True)
class _Session:
    """One session, its counts read when they are asked for."""

    path: Path
    code: str | None
    command: str
    read: Callable[[Path], _Counts]
    _counts: _Counts | None = field(default=None)
    _proved: frozenset[str] | None = field(default=None)

    @property
    def counts(self) -> _Counts:
        if self._counts is None:
            self._counts = self.read(self.path)
        return self._counts

    def has_failed(self, test: str) -> bool:
        if self.read is _stress_counts and not (self.path / _FAILURES).is_file():
            # Nothing failed: its iterations, many perhaps, need not be read.
            return False
        return any(process.failed for process in self.counts.processes.get(test, ()))

    def signatures(self, test: str) -> Mapping[str, str]:
        """Returns the titles of its failures by key; a run of the gate alone does not tell them."""
        return self.counts.signatures.get(test) or {"": ""}

    def has_proved(self, test: str, *, confidence: float) -> bool:
        if self._proved is None:
            try:
                summary = _read_json(self.path / "summary.json") if self.read is _gate_counts else {}
            except StoreError:
                summary = {}
            self._proved = proved_tests(summary, confidence=confidence)
        return test in self._proved

    def is_beside(self, other: _Session, test: str) -> bool:
        if self.code is None or self.code != other.code:
            return False
        return test in self.counts.processes and self.counts.is_single == other.counts.is_single


def _without_repeated_seeds(sessions: Sequence[_Session]) -> list[_Session]:
    """Leaves out sessions that repeated the random choices of one before them: no further evidence."""
    seen: set[int] = set()
    kept = []
    for session in sessions:
        if not seen & session.counts.seeds:
            kept.append(session)
        seen |= session.counts.seeds
    return kept


def _rate(test: str, sessions: Sequence[_Session]) -> RecordedRate:
    processes = [process for session in sessions for process in session.counts.processes[test]]
    counts = [(process.failed, process.executed) for process in processes]
    failed, executed = sum(failed for failed, _ in counts), sum(executed for _, executed in counts)
    unit, iterations_each, is_clustered = Unit.RUN, 1, False
    if not sessions[0].counts.is_single:
        is_isolated = any(session.counts.is_isolated for session in sessions)
        unit, iterations_each, is_clustered = _unit(processes, is_isolated=is_isolated)
    hash_seeds = {seed for session in sessions for seed in session.counts.hash_seeds}
    counted = [(failed, executed)]
    if unit is not Unit.ITERATION:
        # One that ran less than it takes to fail counts as clean: that only asks for more.
        counted = [(min(1, failures), 1) for failures, _ in counts]
    return RecordedRate(
        test=test,
        unit=unit,
        failures=sum(failures for failures, _ in counted),
        total=sum(number for _, number in counted),
        iterations_each=iterations_each,
        failed_iterations=failed,
        iterations=executed,
        is_clustered=is_clustered,
        sessions=tuple(session.path.name for session in sessions),
        command=sessions[0].command,
        hash_seed=hash_seeds.pop() if len(hash_seeds) == 1 else None,
    )


def _unit(processes: Sequence[ProcessTally], *, is_isolated: bool) -> tuple[Unit, int, bool]:
    """Returns what fails by itself, how many iterations that takes, and whether failures surely gather."""
    counts = [(process.failed, process.executed) for process in processes]
    pattern = find_pattern(processes, is_isolated=is_isolated)
    if pattern is not None and pattern.kind is PatternKind.RUNNING_AGAIN:
        return Unit.PROCESS, pattern.passes + 1, True
    is_clustered = chance_of_clusters(counts) <= CHANCE
    if all(failed in (0, executed) for failed, executed in counts):
        # No process did both: nothing says that iterations of one process fail each by itself.
        return Unit.PROCESS, 1, is_clustered
    if is_clustered:
        return Unit.PROCESS, _upper_median([executed for failed, executed in counts if failed]), True
    return Unit.ITERATION, 1, False


def _upper_median(numbers: Sequence[int]) -> int:
    return sorted(numbers)[len(numbers) // 2]


def _read_session(path: Path) -> _Session | None:
    try:
        facts = _read_json(path / "session.json")
    except StoreError:
        return None
    read = {"stress": _stress_counts, "verify": _gate_counts}.get(str(facts.get("kind")))
    command = facts.get("command")
    if read is None or not isinstance(command, str) or "--repro-replay" in command:
        # A replay is one iteration, chosen because it fails: no rate.
        return None
    return _Session(path=path, code=_code(facts.get("git")), command=command, read=read)


def _code(git: object) -> str | None:
    """Returns what names the code of a session, None where nothing does: no commit, or changes beside it."""
    if not isinstance(git, dict) or git.get("is_dirty") is not False:
        return None
    commit = git.get("commit")
    return commit if isinstance(commit, str) else None


def _stress_counts(folder: Path) -> _Counts:
    """Reads iterations as they were written: a session that was broken off counts as far as it came."""
    tests: dict[str, dict[str, ProcessTally]] = {}
    spans: dict[str, list[tuple[int, int, int]]] = {}
    is_isolated = False
    for batch in _each(folder / "iterations.jsonl", is_batch):
        processes = tests.setdefault(batch["test"], {})
        is_isolated = is_isolated or bool(batch["hash_seeds"])
        for label, name, number in by_process(batch):
            if Outcome(name).is_executed and name != Outcome.XFAILED.value:
                tally = processes.setdefault(label, ProcessTally(label=label))
                tally.add(is_failure=Outcome(name).is_failure, number=number)
        number = sum(number for _, number in batch["outcomes"])
        spans.setdefault(batch["test"], []).append((batch["first"], batch["step"], number))
    signatures: dict[str, dict[str, str]] = {}
    deaths = []
    for failure in _each(folder / _FAILURES, is_failure):
        key, title = signature_of(failure)
        signatures.setdefault(failure["test"], {})[key] = title
        if is_death(failure):
            deaths.append(failure)
    for death in deaths:
        ran = spans.get(death["test"], [])
        if len(deaths) * len(ran) < _MOST_COMPARED and _is_within(death["iteration"], ran):
            continue
        processes = tests.setdefault(death["test"], {})
        tally = processes.setdefault(death["worker"], ProcessTally(label=death["worker"]))
        tally.add(is_failure=True, number=1)
    return _Counts(
        processes={test: _ours(processes.values()) for test, processes in tests.items()},
        signatures=signatures,
        is_isolated=is_isolated,
        seeds=_base_seed(folder),
        # A process of an isolated run has one of its own.
        hash_seeds=frozenset({None if is_isolated else _hash_seed(folder)}),
    )


def _gate_counts(folder: Path) -> _Counts:
    """Reads the runs of a gate: iterations where each ran a stress run inside, else its tests."""
    reports: list[tuple[Path, RunReport]] = []
    for run in sorted(folder.glob("run_*")):
        try:
            reports.append((run, RunReport.from_payload(_read_json(run / REPORT))))
        except StoreError:
            continue
    is_single = not any(told.iterations for _, report in reports for told in report.tests.values())
    tests: dict[str, list[ProcessTally]] = {}
    seeds: frozenset[int] = frozenset()
    hash_seeds: set[str | None] = set()
    signatures: dict[str, dict[str, str]] = {}
    is_isolated = False
    for run, report in reports:
        if not is_single:
            counts = _stress_counts(run)
            is_isolated = is_isolated or counts.is_isolated
            if not seeds & counts.seeds:
                for test, processes in counts.processes.items():
                    tests.setdefault(test, []).extend(processes)
                for test, titles in counts.signatures.items():
                    signatures.setdefault(test, {}).update(titles)
            seeds |= counts.seeds
            hash_seeds |= counts.hash_seeds
            continue
        hash_seeds.add(report.hash_seed)
        for test, told in report.tests.items():
            is_failure = told.outcome.is_failure or test in (*report.rescued, *report.hidden)
            if is_failure or told.is_proof:
                tally = ProcessTally(label=run.name)
                tally.add(is_failure=is_failure, number=1)
                tests.setdefault(test, []).append(tally)
    return _Counts(
        processes=tests,
        signatures=signatures,
        is_single=is_single,
        is_isolated=is_isolated,
        seeds=seeds,
        hash_seeds=frozenset(hash_seeds),
    )


def _ours(processes: Iterable[ProcessTally]) -> list[ProcessTally]:
    """Leaves out what ran nothing; all where a number cannot be one that we counted."""
    ran = [process for process in processes if process.executed]
    return ran if sum(process.executed for process in ran) <= MOST_COUNTED else []


def _hash_seed(folder: Path) -> str | None:
    try:
        seed = _read_json(folder / "session.json").get("hash_seed")
    except StoreError:
        return None
    return seed if isinstance(seed, str) and seed.isdigit() else None


def _base_seed(folder: Path) -> frozenset[int]:
    try:
        seed = _read_json(folder / "summary.json").get("base_seed")
    except StoreError:
        return frozenset()
    return frozenset({seed}) if isinstance(seed, int) else frozenset()


def _read_json(path: Path) -> dict[str, Any]:
    _refuse_no_file(path)
    return read_json(path)


def _each(path: Path, is_ours: Callable[[Mapping[str, Any]], bool]) -> Iterator[dict[str, Any]]:
    """Yields the records that are ours, up to the first line that cannot be read."""
    try:
        _refuse_no_file(path)
        yield from filter(is_ours, each_json_line(path))
    except StoreError:
        return


def _refuse_no_file(path: Path) -> None:
    # A pipe of that name would be waited for.
    if not path.is_file():
        raise StoreError("The record is no file", place=str(path), next_step="Repeat the session.")


def _is_within(iteration: int, spans: Iterable[tuple[int, int, int]]) -> bool:
    return any(
        (iteration - first) % step == 0 and 0 <= (iteration - first) // step < number
        for first, step, number in spans
    )
