"""Both sides of the comparison as records: the journal of the dying tests, and what the tool wrote."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

Key = tuple[str, int]
"""A test's node id and the number of an iteration."""


@dataclass(slots=True, kw_only=True)
class Life:
    """One execution of one iteration, as it wrote it down itself.

    Attributes:
        pid: Process that it ran in.
        worker: As the fixture `repro` told it.
        xdist: As xdist told it, `main` where it did not.
        seed: As the fixture told it.
        drawn: First number that it drew from `random`.
        fault: What it was about to do; `pass` if it wrote of nothing.
        stage: Where it did it.
        has_ended: Whether it came to its last line.
    """

    pid: int
    worker: str
    xdist: str
    seed: int | None = None
    drawn: float = 0.0
    fault: str = "pass"
    stage: str = "call"
    has_ended: bool = False

    def __str__(self) -> str:
        what = self.fault if self.fault == "pass" else f"{self.fault} in {self.stage}"
        if self.fault == "pass" and not self.has_ended:
            what = "began and wrote nothing more"
        return f"{what} on {self.worker}, pid {self.pid}"


@dataclass(slots=True, kw_only=True)
class Journal:
    """All that the dying tests wrote.

    Attributes:
        lives: Executions of each iteration: one of each, if all is well.
        oddities: Sentences about what cannot be: a fixture of wider scope that is set up twice at once, a
            line of an iteration that never began in its process.
    """

    lives: dict[Key, list[Life]] = field(default_factory=dict)
    oddities: list[str] = field(default_factory=list)

    def add_to_life(self, event: Mapping[str, Any]) -> None:
        """Adds a line that comes after `begin`."""
        test, iteration, pid = event["test"], event["iteration"], event["pid"]
        lives = [life for life in self.lives.get((test, iteration), []) if life.pid == pid]
        if not lives:
            self.oddities.append(f"{event['event']} of {test}, iteration {iteration}, not begun in pid {pid}")
        elif event["event"] == "do":
            lives[-1].fault, lives[-1].stage = event["fault"], event["stage"]
        else:
            lives[-1].has_ended = True


def read_journal(events: Iterable[Mapping[str, Any]]) -> Journal:
    """Makes lives of the lines of a journal, in their order."""
    journal = Journal()
    is_open: set[tuple[int, str]] = set()
    for event in events:
        pid, kind = event["pid"], event["event"]
        if kind in {"open", "close"}:
            place = (pid, event["fixture"])
            if (kind == "open") == (place in is_open):
                journal.oddities.append(f"{kind} of {event['fixture']} twice in pid {pid}")
            (is_open.add if kind == "open" else is_open.discard)(place)
        elif kind == "begin":
            life = Life(**{name: event[name] for name in ("pid", "worker", "xdist", "seed", "drawn")})
            journal.lives.setdefault((event["test"], event["iteration"]), []).append(life)
        else:
            journal.add_to_life(event)
    return journal


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """One iteration as a batch of the tool tells it."""

    outcome: str
    worker: str


@dataclass(slots=True, kw_only=True)
class Records:
    """What the tool wrote.

    Attributes:
        told: From `iterations.jsonl`: one entry for each iteration, if all is well.
        failures: From `failures.jsonl`: likewise.
        summary: `summary.json`, None if there is none.
        problems: What could not be read.
    """

    told: dict[Key, list[Told]] = field(default_factory=dict)
    failures: dict[Key, list[Mapping[str, Any]]] = field(default_factory=dict)
    summary: Mapping[str, Any] | None = None
    problems: list[str] = field(default_factory=list)

    def add_batch(self, batch: Mapping[str, Any]) -> None:
        """Adds one line of `iterations.jsonl`."""
        iteration = batch["first"]
        for outcome, number in batch["outcomes"]:
            for _ in range(number):
                told = Told(outcome=outcome, worker=batch["worker"])
                self.told.setdefault((batch["test"], iteration), []).append(told)
                iteration += batch["step"]

    def add_failure(self, failure: Mapping[str, Any]) -> None:
        """Adds one line of `failures.jsonl`."""
        self.failures.setdefault((failure["test"], failure["iteration"]), []).append(failure)


def read_lines(path: Path, problems: list[str]) -> Iterator[dict[str, Any]]:
    """Yields the records of a JSON Lines file; what is no record goes to the problems."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except OSError as error:
        problems.append(f"{path.name}: {error.strerror}")
        return
    for number, line in enumerate(lines, 1):
        try:
            yield json.loads(line)
        except ValueError as error:
            problems.append(f"{path.name}, line {number}: {error}")


def read_records(sessions: Path) -> Records:
    """Reads the only session of this folder."""
    records = Records()
    folders = sorted(sessions.iterdir()) if sessions.is_dir() else []
    if len(folders) != 1:
        records.problems.append(f"{len(folders)} sessions where one was started")
        return records
    for batch in read_lines(folders[0] / "iterations.jsonl", records.problems):
        records.add_batch(batch)
    # Without a failure there may be no such file: then each failure of the journal is missed.
    if (folders[0] / "failures.jsonl").exists():
        for failure in read_lines(folders[0] / "failures.jsonl", records.problems):
            records.add_failure(failure)
    try:
        records.summary = json.loads((folders[0] / "summary.json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        records.problems.append(f"summary.json: {error}")
    return records
