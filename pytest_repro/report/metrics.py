"""How the work went over many reports and sessions: what came of it, how long it took, what failed most."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from statistics import median
from typing import Any

from pytest_repro.errors import StoreError
from pytest_repro.report.attempts import Standing, Status, has_failed, standing_of, status_of
from pytest_repro.report.catalogue import Catalogue, SessionEntry
from pytest_repro.signature import signature_from_dict
from pytest_repro.store import SessionState

REPORTS = "outputs"
MOST_SIGNATURES = 10
_MAIN_BRANCHES = frozenset({"main", "master", "trunk"})
_HEAD_BYTES = 4096
_STATUS_LINE = re.compile(r"^\*\*Status\*\*:(.*)$", re.MULTILINE)
_STATUS_WORD = re.compile("|".join(status.value for status in Status), re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """The sessions of one branch; where there is none, of one tag.

    What ran on the main branch belongs to the branch that was worked on next: a failure is often reproduced
    before a branch is made for it.

    Attributes:
        root: Of the project.
        name: Of the branch or the tag; empty for sessions without either.
        entries: Its sessions, oldest first.
    """

    root: Path
    name: str
    entries: tuple[SessionEntry, ...]

    @property
    def reproduction(self) -> SessionEntry | None:
        """The first session that saw a failure."""
        return next(filter(has_failed, self.entries), None)

    @property
    def proof(self) -> SessionEntry | None:
        """The first stable gate or certificate after the first failure."""
        reproduction = self.reproduction
        if reproduction is None:
            return None
        later = self.entries[self.entries.index(reproduction) + 1 :]
        return next((entry for entry in later if standing_of(entry) is Standing.PROVED), None)

    @property
    def to_reproduce_ns(self) -> int | None:
        """From the beginning of its first session to the end of the first that saw a failure."""
        reproduction = self.reproduction
        return None if reproduction is None else _between(self.entries[0].began, _end(reproduction))

    @property
    def to_fix_ns(self) -> int | None:
        """From the end of the first session that saw a failure to the end of its proof."""
        reproduction, proof = self.reproduction, self.proof
        return None if reproduction is None or proof is None else _between(_end(reproduction), _end(proof))

    @property
    def runs(self) -> int | None:
        """How many runs its proof took."""
        if self.proof is None:
            return None
        passed = self.proof.total("runs_passed")
        return passed if passed is not None else len(_listed(_summary(self.proof).get("runs"))) or None


def metrics_of(roots: Sequence[Path]) -> dict[str, Any]:
    """Returns what became of the work in these projects, as plain builtins; durations in nanoseconds.

    Args:
        roots: Folders that hold `.pytest_repro`, reports in `outputs`, or both; each counts once.
    """
    folders = list(dict.fromkeys(root.resolve() for root in roots))
    works = [work for folder in folders for work in _works(folder)]
    entries = [entry for work in works for entry in work.entries]
    return {
        "places": [str(folder) for folder in folders],
        "reports": _counts(status for folder in folders for status in _report_statuses(folder)),
        "works": _counts(status_of(work.entries) for work in works),
        "sessions": {
            "all": len(entries),
            "failing": sum(map(has_failed, entries)),
            "broken_off": sum(entry.state is SessionState.UNFINISHED for entry in entries),
        },
        "medians": {
            "to_reproduce_ns": _median(work.to_reproduce_ns for work in works),
            "to_fix_ns": _median(work.to_fix_ns for work in works),
            "runs": _median(work.runs for work in works),
        },
        "each": [_record(work) for work in works],
        "signatures": _signatures(entries),
    }


def _works(root: Path) -> Iterator[Work]:
    found: dict[str, list[SessionEntry]] = {}
    before_a_branch: list[SessionEntry] = []
    for entry in Catalogue(root).entries():
        name = _name_of(entry)
        if name in _MAIN_BRANCHES:
            before_a_branch.append(entry)
        else:
            found.setdefault(name, []).extend([*before_a_branch, entry])
            before_a_branch.clear()
    for entry in before_a_branch:
        found.setdefault(_name_of(entry), []).append(entry)
    for name, entries in found.items():
        yield Work(root=root, name=name, entries=tuple(entries))


def _name_of(entry: SessionEntry) -> str:
    branch = entry.git.get("branch")
    return branch if isinstance(branch, str) else entry.tag or ""


def _record(work: Work) -> dict[str, Any]:
    return {
        "place": str(work.root),
        "name": work.name,
        "sessions": len(work.entries),
        "status": status_of(work.entries).value.lower(),
        "reproduced_by": None if work.reproduction is None else work.reproduction.id,
        "proved_by": None if work.proof is None else work.proof.id,
        "to_reproduce_ns": work.to_reproduce_ns,
        "to_fix_ns": work.to_fix_ns,
        "runs": work.runs,
    }


def _report_statuses(root: Path) -> Iterator[Status | None]:
    """Yields the status of each page that has a line for it, None where that says no single one."""
    for path in sorted((root / REPORTS).glob("*.md")):
        try:
            with path.open("rb") as file:
                head = file.read(_HEAD_BYTES).decode("utf-8", "replace")
        except OSError:
            continue
        line = _STATUS_LINE.search(head.replace("\r\n", "\n"))
        if line is not None:
            words = {word.capitalize() for word in _STATUS_WORD.findall(line[1])}
            yield Status(words.pop()) if len(words) == 1 else None


def _counts(statuses: Iterable[Status | None]) -> dict[str, int]:
    counts = Counter(statuses)
    return {status.value.lower(): counts[status] for status in Status} | {"unknown": counts[None]}


def _signatures(entries: Iterable[SessionEntry]) -> list[dict[str, Any]]:
    titles: dict[str, str] = {}
    sessions: Counter[str] = Counter()
    failures: Counter[str] = Counter()
    for entry in entries:
        seen: Counter[str] = Counter()
        if entry.total("failures") or entry.kind == "certificate":
            for key, title, number in _bugs(_summary(entry)):
                titles.setdefault(key, title)
                seen[key] += number
        failures.update(seen)
        sessions.update(seen.keys())
    order = sorted(titles, key=lambda key: (-sessions[key], -failures[key], key))
    return [
        {"key": key, "title": titles[key], "sessions": sessions[key], "failures": failures[key]}
        for key in order[:MOST_SIGNATURES]
    ]


def _bugs(summary: Mapping[str, Any]) -> Iterator[tuple[str, str, int]]:
    """Yields key, title and failures of each bug that a stress run or the base of a certificate showed."""
    for bug in [*_listed(summary.get("bugs")), *_listed(summary.get("bugs_of_base"))]:
        try:
            signature = signature_from_dict(bug["signature"])
            number = bug["failures"] if "failures" in bug else len(bug["runs"])
            yield signature.key, signature.title, int(number)
        except (AttributeError, KeyError, TypeError, ValueError):
            continue


def _summary(entry: SessionEntry) -> Mapping[str, Any]:
    try:
        return entry.summary()
    except StoreError:
        return {}


def _listed(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _end(entry: SessionEntry) -> datetime | None:
    return entry.ended or entry.began


def _between(one: datetime | None, other: datetime | None) -> int | None:
    if one is None or other is None:
        return None
    return max(0, round((other - one).total_seconds() * 1e9))


def _median(values: Iterable[int | None]) -> int | None:
    known = [value for value in values if value is not None]
    return round(median(known)) if known else None
