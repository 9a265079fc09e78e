"""Runs one session of pytest over a project of dying tests and leaves nothing of it behind."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

MARK = "REPRO_FAULTS_SESSION"
"""Environment variable that all processes of a session inherit: its value names the session."""

OUTPUT = "output.txt"
"""What the session printed, in the folder of the project."""

MODES: Mapping[str, tuple[str, ...]] = {
    "load": ("-n", "2", "--dist", "load"),
    "worksteal": ("-n", "2", "--dist", "worksteal"),
    "loadscope": ("-n", "2", "--dist", "loadscope"),
    "each": ("-n", "2", "--dist", "each"),
    "isolate": ("--repro-isolate",),
    "isolate-n2": ("--repro-isolate", "-n", "2"),
    "loadfile": ("-n", "2", "--dist", "loadfile"),
    "loadgroup": ("-n", "2", "--dist", "loadgroup"),
    "no-overlap": ("-n", "2", "--repro-overlap", "none"),
    "full-lane": ("-n", "2", "--repro-lane", "full"),
    "alone": (),
}
"""Options of pytest for each way of running."""

USUAL_MODES = ("load", "worksteal", "loadscope", "each", "isolate", "isolate-n2")

GRACE_S = 3.0
"""Time in which what a session has started must be gone after its end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """How a session ended.

    Attributes:
        status: Its exit status, negative for a signal.
        is_late: Whether it was ended because it took longer than it may.
        left_behind: Processes that outlived it, by id and command line.
        duration_s: How long it took.
    """

    status: int
    is_late: bool
    left_behind: tuple[str, ...]
    duration_s: float


def run_session(folder: Path, arguments: Sequence[str], *, limit_s: float, grace_s: float = GRACE_S) -> Ended:
    """Runs pytest in this folder, waits for its end and ends all that it leaves behind."""
    mark = f"{folder}:{os.getpid()}"
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    command = (sys.executable, "-m", "pytest", "-p", "no:hypothesispytest", *arguments)
    began_s = time.monotonic()
    is_late = False
    try:
        with (folder / OUTPUT).open("wb") as output:
            process = subprocess.Popen(
                command,
                cwd=folder,
                env=environment | {MARK: mark},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        try:
            process.wait(timeout=limit_s)
        except subprocess.TimeoutExpired:
            is_late = True
        finally:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                if process.poll() is None:
                    os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        duration_s = time.monotonic() - began_s
        left = () if is_late else _still_there(mark, wait_s=grace_s)
    finally:
        for pid, _ in processes_of(mark):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
    return Ended(status=process.returncode, is_late=is_late, left_behind=left, duration_s=duration_s)


def processes_of(mark: str) -> Iterator[tuple[int, str]]:
    """Yields id and command line of each living process that inherited this mark."""
    wanted = f"{MARK}={mark}".encode()
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            # A zombie has no environment any more: it waits for its parent and does nothing.
            if wanted in (entry / "environ").read_bytes().split(b"\0"):
                words = (entry / "cmdline").read_bytes().split(b"\0")
                yield int(entry.name), b" ".join(words).decode("utf-8", "replace").strip()
        except OSError:
            continue  # it has ended meanwhile, or is not ours to look at


def _still_there(mark: str, *, wait_s: float) -> tuple[str, ...]:
    deadline_s = time.monotonic() + wait_s
    while left := list(processes_of(mark)):
        if time.monotonic() > deadline_s:
            return tuple(f"pid {pid}: {command[:120]}" for pid, command in left)
        time.sleep(0.05)
    return ()
