"""Where one session's results go: the only writer of results."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import IO, Any

from pytest_repro.store.json_files import FORMAT_VERSION, write_json, write_whole
from pytest_repro.store.owners import processor_record, this_process
from pytest_repro.store.state import STATE, SUMMARY, SessionState


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
        self._totals: dict[str, Any] = {}
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

    def conclude(self, summary: Mapping[str, Any]) -> None:
        """Writes what the session has learned; its plain values go into `STATE` too when it is finished.

        Args:
            summary: Of a list, `STATE` gets the length: who lists sessions need not read whole summaries.
        """
        self.write_json(SUMMARY, summary)
        counted = {name: len(value) if isinstance(value, list) else value for name, value in summary.items()}
        self._totals = {name: value for name, value in counted.items() if not isinstance(value, Mapping)}

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
            write_whole(self.path / name, text)
        except OSError as error:
            self.problem = f"{error.strerror or error} ({self.path / name})"

    def remove(self, name: str) -> None:
        """Removes a file that was written whole."""
        with contextlib.suppress(OSError):
            (self.path / name).unlink(missing_ok=True)

    def note_running(self) -> None:
        """Notes that this process writes the session from now on."""
        self.write_json(STATE, {"state": SessionState.RUNNING.value, **this_process()})

    def note_finished(self, now: datetime) -> None:
        """Notes that all is written that will be, when that was, and what it comes to."""
        self.write_json(
            STATE,
            {
                "state": SessionState.FINISHED.value,
                **this_process(),
                "processor": processor_record(),
                "ended": now.isoformat(),
                "totals": self._totals,
            },
        )

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


def file_identity(descriptor: int) -> tuple[int, int] | None:
    """Returns what tells an open file from others, None if the descriptor is closed."""
    try:
        status = os.fstat(descriptor)
    except OSError:
        return None
    return status.st_dev, status.st_ino
