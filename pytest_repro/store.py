"""Session folders and JSON Lines: the only writer of results."""

from __future__ import annotations

import contextlib
import json
import os
import platform
import secrets
import shutil
from collections.abc import Iterator, Mapping
from datetime import datetime
from enum import Enum
from pathlib import Path
from typing import IO, Any

from pytest_repro.errors import StoreError
from pytest_repro.processes import is_running, process_start

FORMAT_VERSION = 1
"""Stands in every record; a reader that meets a higher one must refuse it."""

FOLDER = ".pytest_repro"
"""Name of the store at the root of the project."""

KEPT_SESSIONS = 20
"""Newest sessions that stay when a new one begins, beside those that still run."""

STATE = "state.json"
"""File that tells who writes a session, and whether that is done."""

OWNER = "owner.json"
"""File that tells which process a temporary folder belongs to."""

HEIR = "heir.json"
"""The same of a process that has work to do there when the owner has died."""

_SELF_IGNORING = "# Made by pytest-repro: results are not part of the project.\n*\n"


class SessionState(Enum):
    """Whether a session came to its end."""

    RUNNING = "running"
    FINISHED = "finished"
    UNFINISHED = "unfinished"


class SessionFolder:
    """Where one session's results go, each written when it arrives.

    A folder that cannot be written (read-only, disk full, removed while running) never ends a session: the
    first problem is kept in `problem` for the summary, and writing stops.

    Attributes:
        path: The folder.
        problem: What the first failed write said, or None.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.problem: str | None = None
        self._open: dict[str, IO[str]] = {}
        self._identities: dict[str, tuple[int, int] | None] = {}

    @property
    def id(self) -> str:
        """Name of the session, unique within its store; sorts by time."""
        return self.path.name

    def append(self, name: str, record: Mapping[str, Any]) -> None:
        """Adds one line to a JSON Lines file and hands it to the operating system."""
        self.append_line(name, json.dumps({"format_version": FORMAT_VERSION, **record}))

    def append_line(self, name: str, line: str) -> None:
        """Adds one line to a text file and hands it to the operating system."""
        if self.problem is not None:
            return
        try:
            file = self._open.get(name)
            if file is not None and file_identity(file.fileno()) != self._identities[name]:
                # A test has closed it behind our back; its descriptor may be another file's by now.
                file = None
            if file is None:
                file = self._open[name] = self._created(name)
                self._identities[name] = file_identity(file.fileno())
            file.write(line + "\n")
            file.flush()
        except OSError as error:
            self.problem = f"{error.strerror or error} ({self.path / name})"

    def write_json(self, name: str, record: Mapping[str, Any]) -> None:
        """Writes one JSON file whole: a reader sees the old one or the new one, never a half."""
        self.write_foreign_json(name, {"format_version": FORMAT_VERSION, **record})

    def write_foreign_json(self, name: str, record: Mapping[str, Any]) -> None:
        """Writes one JSON file of a format that is not ours, and so carries no version of ours."""
        if self.problem is not None:
            return
        try:
            write_json(self.path / name, record)
        except OSError as error:
            self.problem = f"{error.strerror or error} ({self.path / name})"

    def write_for_user(self, path: Path | None, record: Mapping[str, Any]) -> None:
        """Writes the same record where the user asked for it, also if the session's own cannot be written.

        Args:
            path: Outside of the session; None if nobody asked.
            record: Of the session.
        """
        if path is None:
            return
        try:
            write_json(path, {"format_version": FORMAT_VERSION, **record})
        except OSError as error:
            self.problem = self.problem or f"{error.strerror or error} ({path})"

    def write_text(self, name: str, text: str) -> None:
        """Writes one text file whole, like `write_json`."""
        if self.problem is not None:
            return
        try:
            _write_whole(self.path / name, text)
        except OSError as error:
            self.problem = f"{error.strerror or error} ({self.path / name})"

    def remove(self, name: str) -> None:
        """Removes a file that was written whole."""
        with contextlib.suppress(OSError):
            (self.path / name).unlink(missing_ok=True)

    def note_running(self) -> None:
        """Notes that this process writes the session from now on."""
        self.write_json(STATE, {"state": SessionState.RUNNING.value, **_this_process()})

    def note_finished(self) -> None:
        """Notes that all is written that will be."""
        self.write_json(STATE, {"state": SessionState.FINISHED.value, **_this_process()})

    def removed(self) -> str | None:
        """Tells of a file that was removed while it was written, None if all are in place."""
        gone = (name for name, file in self._open.items() if self._is_removed(name, file))
        return next((f"removed while it was written ({self.path / name})" for name in gone), None)

    def close(self) -> None:
        """Closes the files; later writes open them again."""
        for name, file in self._open.items():
            descriptor = file.fileno()
            if file_identity(descriptor) != self._identities[name]:
                continue
            try:
                file.close()
                os.close(descriptor)
            except OSError as error:
                self.problem = self.problem or f"{error.strerror or error} ({self.path})"
        self._open.clear()

    def _is_removed(self, name: str, file: IO[str]) -> bool:
        if file_identity(file.fileno()) != self._identities[name]:
            return not (self.path / name).exists()
        return not os.fstat(file.fileno()).st_nlink

    def _created(self, name: str) -> IO[str]:
        path = self.path / name
        # "surrogatepass" would write what no JSON reader accepts: a lone surrogate is shown escaped instead.
        descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o666)
        # Python must not close it by itself: a test may have done so, and it be another file's by then.
        return open(descriptor, "a", encoding="utf-8", errors="backslashreplace", closefd=False)


class Store:
    """All sessions of one project.

    Args:
        root: The project's root (pytest's rootdir).
    """

    def __init__(self, root: Path) -> None:
        self.folder = root / FOLDER

    def begin(self, kind: str, *, now: datetime) -> SessionFolder:
        """Makes the folder of a new session and removes the oldest ones.

        Args:
            kind: What the session does: `stress`, `verify`, `timing`.
            now: The time that names the folder.

        Returns:
            The folder; where it could not be made, its `problem` says why.
        """
        name = f"{now:%Y%m%d-%H%M%S}-{kind}-{secrets.token_hex(2)}"
        session = SessionFolder(self.folder / "sessions" / name)
        try:
            session.path.mkdir(parents=True)
            ignore = self.folder / ".gitignore"
            if not ignore.exists():
                ignore.write_text(_SELF_IGNORING, encoding="utf-8")
        except OSError as error:
            session.problem = f"{error.strerror or error} ({session.path})"
        else:
            self._prune()
        return session

    def sessions(self) -> list[Path]:
        """Returns the folders of all sessions, oldest first."""
        folder = self.folder / "sessions"
        try:
            return sorted(path for path in folder.iterdir() if path.is_dir())
        except OSError:
            return []

    def _prune(self) -> None:
        for path in self.sessions()[:-KEPT_SESSIONS]:
            if session_state(path) is not SessionState.RUNNING:
                shutil.rmtree(path, ignore_errors=True)


def session_state(path: Path) -> SessionState:
    """Tells whether a session came to its end, still runs, or was broken off.

    Of a session that another machine writes it cannot be told: it is taken for running.

    Args:
        path: Its folder.
    """
    try:
        record = read_json(path / STATE)
    except StoreError:
        return SessionState.UNFINISHED
    if record.get("state") == SessionState.FINISHED.value:
        return SessionState.FINISHED
    pid = record.get("pid")
    is_alive = record.get("host") != platform.node() or (
        isinstance(pid, int) and is_running(pid) and record.get("process_start") == process_start(pid)
    )
    return SessionState.RUNNING if is_alive else SessionState.UNFINISHED


def file_identity(descriptor: int) -> tuple[int, int] | None:
    """Returns what tells an open file from others, None if the descriptor is closed."""
    try:
        status = os.fstat(descriptor)
    except OSError:
        return None
    return status.st_dev, status.st_ino


def _this_process() -> dict[str, Any]:
    return {"pid": os.getpid(), "process_start": process_start(os.getpid()), "host": platform.node()}


def note_owner(folder: Path, *, as_heir: bool = False) -> None:
    """Notes in a folder that it belongs to this process, and to no later one.

    Args:
        folder: The folder.
        as_heir: Whether it belongs to this process after its owner's death only.

    Raises:
        OSError: It cannot be written.
    """
    note = {**_this_process(), "processes": _process_namespace()}
    write_json(folder / (HEIR if as_heir else OWNER), note)


def is_left_behind(folder: Path) -> bool:
    """Tells whether processes noted that they own this folder, and are gone; where in doubt, they are not."""
    return _is_gone(folder / OWNER) and (not (folder / HEIR).exists() or _is_gone(folder / HEIR))


def _is_gone(note: Path) -> bool:
    try:
        record = read_json(note)
    except StoreError:
        return False
    pid = record.get("pid")
    is_known = record.get("host") == platform.node() and record.get("processes") == _process_namespace()
    if not is_known or not isinstance(pid, int):
        return False
    return not is_running(pid) or record.get("process_start") != process_start(pid)


def _process_namespace() -> str | None:
    """Returns what tells apart the sets of process ids of one machine's containers, None without such."""
    try:
        return str(Path("/proc/self/ns/pid").readlink())
    except OSError:
        return None


def read_json_lines(path: Path) -> list[dict[str, Any]]:
    """Reads a JSON Lines file that this module wrote or still writes.

    A last line without its end is left out: who wrote it was stopped in the middle.

    Raises:
        StoreError: It is not there, another line is not JSON, or of a newer format.
    """
    return list(each_json_line(path))


def each_json_line(path: Path) -> Iterator[dict[str, Any]]:
    """Yields the records of a JSON Lines file, as `read_json_lines` reads them, one at a time.

    Raises:
        StoreError: As there; what came before has been yielded.
    """
    try:
        with path.open(encoding="utf-8", errors="replace", newline="\n") as file:
            for number, line in enumerate(file, 1):
                if line.endswith("\n"):
                    yield _record(line, place=f"{path}:{number}")
    except OSError as error:
        raise _unreadable(path, error) from error


def write_json(path: Path, record: Mapping[str, Any]) -> None:
    """Writes one JSON file whole, through a temporary file beside it.

    Raises:
        OSError: The file cannot be written.
    """
    _write_whole(path, json.dumps(record, indent=2) + "\n")


def _write_whole(path: Path, text: str) -> None:
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    temporary.write_text(text, encoding="utf-8", errors="backslashreplace")
    temporary.replace(path)


def read_json(path: Path) -> dict[str, Any]:
    """Reads one JSON file that this module wrote.

    Raises:
        StoreError: It is not there, not JSON, or of a newer format.
    """
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        raise _unreadable(path, error) from error
    return _record(text, place=str(path))


def _record(text: str, *, place: str) -> dict[str, Any]:
    try:
        data = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise StoreError(
            f"The record is not JSON: {error}", place=place, next_step="Remove it, or repeat the session."
        ) from error
    version = data.get("format_version", FORMAT_VERSION) if isinstance(data, dict) else None
    if not isinstance(data, dict) or not isinstance(version, int) or version > FORMAT_VERSION:
        raise StoreError(
            f"The record is not of format {FORMAT_VERSION}", place=place, next_step="Upgrade pytest-repro."
        )
    return data


def _unreadable(path: Path, error: OSError) -> StoreError:
    return StoreError(
        f"Cannot read the record: {error.strerror}", place=str(path), next_step="Check the path."
    )
