"""Starts sessions that are to be broken off, and looks at what they leave behind."""

from __future__ import annotations

import os
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pytest_repro.store import read_json_lines

LIMIT_S = 60
"""What does not happen within this time does not happen."""

_MARK = "REPRO_TEST_MARK"


class Started:
    """A pytest session in a process group of its own, and all processes that come of it.

    Args:
        folder: Where it runs.
        arguments: Of pytest.
    """

    def __init__(self, folder: Path, *arguments: str) -> None:
        self.folder = folder
        self.mark = uuid.uuid4().hex
        self.output = folder / "output.txt"
        with self.output.open("wb") as file:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "pytest", *arguments],
                cwd=folder,
                env=os.environ | {_MARK: self.mark},
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        """Process id of the controller, and of the group."""
        return self.process.pid

    def text(self) -> str:
        """Returns all that was printed by now."""
        return self.output.read_text(encoding="utf-8", errors="replace")

    def wait(self) -> int:
        """Waits for the end of the controller and returns its exit status."""
        try:
            return self.process.wait(LIMIT_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            pytest.fail(f"the session hangs: {self.text()}")

    def wait_for(self, is_so: Callable[[], bool], *, what: str) -> None:
        """Waits until something is so, while the session runs."""
        until = time.monotonic() + LIMIT_S
        while not is_so():
            if time.monotonic() > until or self.process.poll() is not None:
                self.process.kill()
                self.process.wait()
                pytest.fail(f"no {what}: {self.text()}")
            time.sleep(0.02)

    def session(self) -> Path:
        """Returns the folder of the session's records."""
        (session,) = (self.folder / ".pytest_repro" / "sessions").iterdir()
        return session

    def recorded(self) -> set[tuple[str, int]]:
        """Returns test and number of each iteration in the records; none may stand there twice."""
        iterations: set[tuple[str, int]] = set()
        for path in (self.folder / ".pytest_repro").glob("sessions/*/iterations.jsonl"):
            for record in read_json_lines(path):
                for number in range(len(record["durations_ns"])):
                    one = (record["test"], record["first"] + number * record["step"])
                    assert one not in iterations
                    iterations.add(one)
        return iterations

    def left_behind(self) -> list[int]:
        """Returns the processes of this session that still live, after some time to die."""
        until = time.monotonic() + 5
        while (left := list(_marked(self.mark))) and time.monotonic() < until:
            time.sleep(0.05)
        return left


def _marked(mark: str) -> Iterator[int]:
    wanted = f"{_MARK}={mark}".encode()
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            if wanted in (entry / "environ").read_bytes().split(b"\0"):
                yield int(entry.name)
        except OSError:
            continue  # gone meanwhile, or somebody else's
