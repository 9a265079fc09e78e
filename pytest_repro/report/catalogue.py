"""Which sessions are on record, and which one a name means."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from pytest_repro.errors import StoreError
from pytest_repro.store import FACTS, STATE, SUMMARY, SessionState, Store, read_json, told_state

NEWEST = "latest"
"""Names the newest session; `latest~1` the one before it."""

_BACK = re.compile(rf"{NEWEST}(?:~(\d{{1,9}}))?")
_SHOWN = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionEntry:
    """One session on record, as far as its small files tell.

    Attributes:
        path: Its folder.
        kind: What it did: `stress`, `verify`, `timing`, `certificate`, ...; empty where its facts are lost.
        state: Whether it came to its end.
        facts: What it was about to run, and where: `session.json`; empty where that is lost.
        totals: The plain values of its summary; empty before its end.
        ended: When it ended, None where that is not known.
        problem: Why one of its small files cannot be read; empty where they can, or are not there.
    """

    path: Path
    kind: str
    state: SessionState
    facts: Mapping[str, Any] = field(default_factory=dict)
    totals: Mapping[str, Any] = field(default_factory=dict)
    ended: datetime | None = None
    problem: str = ""

    @property
    def id(self) -> str:
        """Its name, unique within its store; sorts by time."""
        return self.path.name

    @property
    def tag(self) -> str | None:
        """The name that it was given."""
        return _text(self.facts.get("tag"))

    @property
    def command(self) -> str:
        """The command line that it was started with; empty where that is not known."""
        return _text(self.facts.get("command")) or ""

    @property
    def began(self) -> datetime | None:
        """When it began."""
        return _time(self.facts.get("began"))

    @property
    def duration_ns(self) -> int | None:
        """From its beginning to its end."""
        if self.began is None or self.ended is None:
            return None
        return max(0, round((self.ended - self.began).total_seconds() * 1e9))

    @property
    def git(self) -> Mapping[str, Any]:
        """What is known of its checkout; empty where there was none."""
        git = self.facts.get("git")
        return git if isinstance(git, dict) else {}

    @property
    def exit_status(self) -> int | None:
        """How it ended, as a process."""
        status = self.totals.get("exit_status")
        return status if isinstance(status, int) else None

    def total(self, name: str) -> int | None:
        """Returns a count of its summary, None where it holds none of this name."""
        value = self.totals.get(name)
        return value if isinstance(value, int) and not isinstance(value, bool) else None

    def summary(self) -> Mapping[str, Any]:
        """Reads all that it has learned; empty where it did not come to its end.

        Raises:
            StoreError: The summary cannot be read.
        """
        path = self.path / SUMMARY
        return read_json(path) if path.exists() else {}


class Catalogue:
    """The sessions of one project.

    Args:
        root: Of the project, where `.pytest_repro` lies.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self._store = Store(root)

    @property
    def folder(self) -> Path:
        """Where the sessions lie."""
        return self._store.folder / "sessions"

    def entries(self) -> list[SessionEntry]:
        """Reads the small files of all sessions, oldest first."""
        return [read_entry(path) for path in self._store.sessions()]

    def newest(self, kinds: Sequence[str] = ()) -> SessionEntry | None:
        """Returns the newest session, of these kinds if any are named; None where there is none."""
        read = map(read_entry, reversed(self._store.sessions()))
        return next((entry for entry in read if not kinds or entry.kind in kinds), None)

    def find(self, name: str) -> SessionEntry:
        """Returns the session that a name means.

        Args:
            name: Its id or the beginning of it, `latest`, `latest~1`, a tag (then the newest that has it), or
                the path of its folder, which may be anybody's.

        Raises:
            StoreError: There is none, or the beginning is that of several.
        """
        paths = self._store.sessions()
        back = _BACK.fullmatch(name)
        if back is not None:
            return read_entry(self._counted_back(paths, int(back[1] or 0), name))
        if Path(name, FACTS).is_file():
            return read_entry(Path(name).resolve())
        by_id = [path for path in paths if path.name.startswith(name)] if name else []
        if len(by_id) == 1 or (by_id and by_id[0].name == name):
            return read_entry(by_id[0])
        entries = [read_entry(path) for path in reversed(paths)]
        tagged = next((entry for entry in entries if entry.tag == name), None)
        if tagged is not None:
            return tagged
        raise self._none_of(name, entries, ambiguous=[path.name for path in by_id])

    def prune(self, *, keep: int, with_tags: bool = False) -> list[Path]:
        """Removes all but the newest sessions, as `Store.prune`."""
        return self._store.prune(keep=keep, with_tags=with_tags)

    def _counted_back(self, paths: Sequence[Path], back: int, name: str) -> Path:
        if back < len(paths):
            return paths[-1 - back]
        raise self._none_of(name, [read_entry(path) for path in reversed(paths)])

    def _none_of(
        self, name: str, newest_first: Sequence[SessionEntry], *, ambiguous: Sequence[str] = ()
    ) -> StoreError:
        if not newest_first:
            return StoreError(
                "There are no sessions on record",
                place=str(self.folder),
                next_step="Run pytest with --repro-stress N or --verify-runs N, or give --root.",
            )
        if ambiguous:
            fact = f"{name!r} is the beginning of {len(ambiguous)} sessions: {_listed(ambiguous)}"
        else:
            known = [entry.id for entry in newest_first] + [entry.tag for entry in newest_first if entry.tag]
            close = difflib.get_close_matches(name, known, n=1)
            meant = f", did you mean {close[0]!r}?" if close else "."
            shown = [f"{entry.id} ({entry.tag})" if entry.tag else entry.id for entry in newest_first]
            fact = f"There is no session {name!r}{meant} There are {len(newest_first)}: {_listed(shown)}"
        return StoreError(
            fact,
            place=str(self.folder),
            next_step="Give an id or its beginning, latest, latest~1, a tag, or the path of a folder.",
        )


def read_entry(path: Path) -> SessionEntry:
    """Reads the small files of one session; what is lost or not ours is left empty.

    Args:
        path: Its folder.
    """
    problems: list[str] = []
    facts, state = (_read(path / name, problems) for name in (FACTS, STATE))
    totals = state.get("totals")
    return SessionEntry(
        path=path,
        kind=_text(facts.get("kind")) or "",
        state=told_state(state) if state else SessionState.UNFINISHED,
        facts=facts,
        totals=totals if isinstance(totals, dict) else {},
        ended=_time(state.get("ended")),
        problem=problems[0] if problems else "",
    )


def find_root(start: Path) -> Path:
    """Returns the folder with the records: the nearest one upwards, or the start where there is none."""
    start = start.resolve()
    return next((folder for folder in (start, *start.parents) if Store(folder).folder.is_dir()), start)


def _read(path: Path, problems: list[str]) -> Mapping[str, Any]:
    try:
        return read_json(path)
    except StoreError as error:
        if path.exists():
            problems.append(str(error))
        return {}


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _time(value: object) -> datetime | None:
    try:
        told = datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        return None
    return told.replace(tzinfo=timezone.utc) if told is not None and told.tzinfo is None else told


def _listed(names: Sequence[str]) -> str:
    rest = len(names) - _SHOWN
    return ", ".join(names[:_SHOWN]) + (f" and {rest} more" if rest > 0 else "")
