"""All sessions of one project, oldest first."""

from __future__ import annotations

import shutil
from datetime import datetime
from pathlib import Path

from pytest_repro.errors import StoreError
from pytest_repro.store.folder import SessionFolder
from pytest_repro.store.json_files import read_json
from pytest_repro.store.state import FACTS, SessionState, session_state

FOLDER = ".pytest_repro"
"""Name of the store at the root of the project."""

KEPT_SESSIONS = 20
"""Newest sessions that stay when a new one begins, beside those that still run or have a tag."""

_PARTS = 16**4
"""Parts of a second that ids of sessions tell apart, which so sort by time."""

_SELF_IGNORING = "# Made by pytest-repro: results are not part of the project.\n*\n"


class Store:
    """All sessions of one project.

    Args:
        root: The project's root (pytest's rootdir).
    """

    def __init__(self, root: Path) -> None:
        self.folder = root / FOLDER

    def begin(self, kind: str, *, now: datetime, keep: int = KEPT_SESSIONS) -> SessionFolder:
        """Makes the folder of a new session and removes the oldest ones.

        Args:
            kind: What the session does: `stress`, `verify`, `timing`.
            now: The time that names the folder.
            keep: Newest sessions that stay.

        Returns:
            The folder; where it could not be made, its `problem` says why.
        """
        second = f"{now:%Y%m%d-%H%M%S}-{kind}"
        part = now.microsecond * _PARTS // 10**6
        session = SessionFolder(self.folder / "sessions" / f"{second}-{part:04x}")
        try:
            session = self._made(second, part)
            ignore = self.folder / ".gitignore"
            if not ignore.exists():
                ignore.write_text(_SELF_IGNORING, encoding="utf-8")
        except OSError as error:
            session.problem = f"{error.strerror or error} ({session.path})"
        else:
            self.prune(keep=keep)
        return session

    def _made(self, second: str, part: int) -> SessionFolder:
        """Makes the folder of a session that begins in this part of a second, or in the next free one."""
        path = self.folder / "sessions" / f"{second}-{part:04x}"
        while path.is_dir() and part + 1 < _PARTS:
            part += 1
            path = path.with_name(f"{second}-{part:04x}")
        try:
            path.mkdir(parents=True)
        except FileExistsError:
            if not path.is_dir() or part + 1 == _PARTS:
                raise
            return self._made(second, part + 1)
        return SessionFolder(path)

    def sessions(self) -> list[Path]:
        """Returns the folders of all sessions, oldest first."""
        folder = self.folder / "sessions"
        try:
            return sorted((path for path in folder.iterdir() if path.is_dir()), key=by_time)
        except OSError:
            return []

    def prune(self, *, keep: int, with_tags: bool = False) -> list[Path]:
        """Removes all but the newest sessions; those that still run stay, whatever their age.

        Args:
            keep: How many of the newest stay.
            with_tags: Whether older ones with a tag go too.

        Returns:
            The folders that were removed, oldest first; one that cannot be removed is none of them.
        """
        removed = []
        for path in self.sessions()[: -keep or None]:
            is_named = not with_tags and tag_of(path) is not None
            if not is_named and session_state(path) is not SessionState.RUNNING:
                shutil.rmtree(path, ignore_errors=True)
                if not path.exists():
                    removed.append(path)
        return removed


def by_time(path: Path) -> tuple[str, str, str]:
    """Returns what sorts folders of sessions by time: second, part of it, and what they do."""
    second, dash, rest = path.name[:15], path.name[15:16], path.name[16:]
    kind, _, part = rest.rpartition("-")
    return second + dash, part, kind


def tag_of(path: Path) -> str | None:
    """Returns the name that a session was given, None without one.

    Args:
        path: Its folder.
    """
    try:
        tag = read_json(path / FACTS).get("tag")
    except StoreError:
        return None
    return tag if isinstance(tag, str) else None
