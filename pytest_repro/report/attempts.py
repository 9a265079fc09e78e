"""Sessions put together by the code that they ran: each is an attempt, with how it turned out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum

from pytest_repro.errors import StoreError
from pytest_repro.report.catalogue import SessionEntry
from pytest_repro.store import SessionState

LONGEST_PAUSE_NS = 30 * 60 * 10**9
"""A longer time without a session is not counted as work."""

_PROVED = {"verify": "stable", "certificate": "certified"}
_FAILED = frozenset({"unstable", "fix fails"})


class Standing(str, Enum):
    """How an attempt turned out, as far as its sessions tell."""

    PROVED = "proved"
    """A gate was stable with as many runs as the record asks for, or a certificate was given."""

    PASSED = "passed"
    """It did not fail, and no gate has proved anything."""

    FAILED = "failed"
    UNKNOWN = "unknown"


class Status(str, Enum):
    """What became of the whole work, in the word of the execution report."""

    SUCCESS = "Success"
    PARTIAL = "Partial"
    FAILED = "Failed"

    @property
    def mark(self) -> str:
        """The sign that stands before it."""
        return {"Success": "✅", "Partial": "⚠️", "Failed": "❌"}[self.value]


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """The sessions of one state of the code.

    Attributes:
        commit: Of the checkout, None where there is none.
        difference: Digest of the local changes, None without any.
        entries: Its sessions, oldest first.
    """

    commit: str | None
    difference: str | None
    entries: tuple[SessionEntry, ...]

    @property
    def standing(self) -> Standing:
        """How it turned out: by its newest session that says anything."""
        told = (standing_of(entry) for entry in reversed(self.entries))
        return next((standing for standing in told if standing is not Standing.UNKNOWN), Standing.UNKNOWN)


def standing_of(entry: SessionEntry) -> Standing:
    """Returns what one session says of the code that it ran."""
    verdict = entry.totals.get("verdict")
    if isinstance(verdict, str):
        if verdict == _PROVED.get(entry.kind):
            return Standing.PASSED if _is_too_short(entry) else Standing.PROVED
        return Standing.FAILED if verdict in _FAILED else Standing.UNKNOWN
    if entry.total("failures") or entry.exit_status == 1:
        return Standing.FAILED
    return Standing.PASSED if entry.exit_status == 0 else Standing.UNKNOWN


def _is_too_short(entry: SessionEntry) -> bool:
    """Tells whether a stable gate had fewer runs than the failure rate on record asks for."""
    try:
        rates = entry.summary().get("rates_before") if entry.total("rates_before") else None
    except StoreError:
        return True
    passed = entry.total("runs_passed") or 0
    needed = [rate.get("runs_needed") for rate in rates if isinstance(rate, dict)] if rates else []
    return any(not isinstance(number, int) or number > passed for number in needed)


def attempts_of(entries: Iterable[SessionEntry]) -> list[Attempt]:
    """Returns the states of the code that were tried, in the order in which they first were.

    Args:
        entries: Oldest first. Sessions without a checkout are one attempt together: nothing tells them apart.
    """
    found: dict[tuple[str | None, str | None], list[SessionEntry]] = {}
    for entry in entries:
        git = entry.git
        commit = git.get("commit")
        difference = git.get("difference") if git.get("is_dirty") else None
        is_known = isinstance(commit, str)
        key = (commit if is_known else None, difference if isinstance(difference, str) else None)
        found.setdefault(key, []).append(entry)
    return [
        Attempt(commit=commit, difference=difference, entries=tuple(together))
        for (commit, difference), together in found.items()
    ]


def status_of(entries: Sequence[SessionEntry]) -> Status:
    """Returns what became of the work: by the newest session that says anything.

    Args:
        entries: Oldest first.
    """
    told = (standing_of(entry) for entry in reversed(entries))
    standing = next((one for one in told if one is not Standing.UNKNOWN), Standing.UNKNOWN)
    if standing is Standing.PROVED:
        return Status.SUCCESS
    return Status.FAILED if standing is Standing.FAILED else Status.PARTIAL


def has_failed(entry: SessionEntry) -> bool:
    """Tells whether the failure that is looked into was seen in a session."""
    if entry.kind == "certificate":
        # Its base failed, or there would be nothing to certify.
        return entry.totals.get("verdict") in ("certified", "fix fails")
    return standing_of(entry) is Standing.FAILED


def worked_ns(entries: Sequence[SessionEntry]) -> int:
    """Returns how long the work took: sessions and the time between them, without long pauses.

    Args:
        entries: Oldest first.
    """
    return sum(_spans(entries))


def _spans(entries: Sequence[SessionEntry]) -> Iterator[int]:
    reached: datetime | None = None
    for entry in entries:
        if entry.began is None:
            continue
        begin = entry.began if reached is None else max(reached, entry.began)
        pause_ns = 0 if reached is None else _between(reached, begin)
        if pause_ns <= LONGEST_PAUSE_NS:
            yield pause_ns
        ended = max(begin, entry.ended or begin)
        yield _between(begin, ended)
        reached = ended


def _between(one: datetime, other: datetime) -> int:
    return round((other - one).total_seconds() * 1e9)


def finished(entries: Iterable[SessionEntry]) -> list[SessionEntry]:
    """Returns the sessions that came to their end."""
    return [entry for entry in entries if entry.state is SessionState.FINISHED]
