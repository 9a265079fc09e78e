"""Commands of users and tools that may fail, hang, print without end, or leave children behind."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass

from pytest_repro.clock import MonotonicNs, monotonic_ns
from pytest_repro.stress.pipe import is_readable

_LOOK_S = 0.05
_END_S = 1.0
_READ_BYTES = 65_536


@dataclass(frozen=True, slots=True, kw_only=True)
class Output:
    """How a command ended, and what it printed.

    Attributes:
        problem: Why it has failed, None if it has not.
        text: The end of what it printed.
    """

    problem: str | None
    text: str


def run_bounded(
    command: Sequence[str], *, limit_ns: int, limit_bytes: int, clock: MonotonicNs = monotonic_ns
) -> Output:
    """Runs a command for a limited time.

    What it started goes with it: it stands in a process group of its own, which is killed at its end.

    Args:
        command: Its words.
        limit_ns: Time that it may take.
        limit_bytes: What is kept of the end of its output.
        clock: Monotonic, in nanoseconds.
    """
    deadline_ns = clock() + limit_ns
    try:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    except (OSError, ValueError) as error:
        return Output(problem=str(getattr(error, "strerror", None) or error), text="")
    assert process.stdout is not None
    reader = _Tail(process.stdout.fileno(), limit_bytes)
    try:
        while process.poll() is None and clock() < deadline_ns:
            rest_s = min(_LOOK_S, max(0, deadline_ns - clock()) / 1e9)
            if not reader.read(wait_s=rest_s):
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(timeout=rest_s)
        status = process.poll()
        reader.read(wait_s=0)
    finally:
        is_over = _end(process)
    if status is None:
        left = "" if is_over else ", and could not be killed"
        return Output(problem=f"no end within {limit_ns / 1e9:g} s{left}", text=reader.text())
    return Output(problem=_status_problem(status), text=reader.text())


class _Tail:
    """Reads a pipe as far as it goes, and keeps the end."""

    def __init__(self, descriptor: int, limit_bytes: int) -> None:
        os.set_blocking(descriptor, False)
        self._descriptor = descriptor
        self._limit_bytes = limit_bytes
        self._kept = b""
        self._is_open = True

    def read(self, *, wait_s: float) -> bool:
        """Waits for output and reads some; returns False if there is none to come."""
        if self._is_open and is_readable(self._descriptor, wait_s=wait_s):
            with contextlib.suppress(BlockingIOError):
                data = os.read(self._descriptor, _READ_BYTES)
                self._is_open = bool(data)
                self._kept = (self._kept + data)[-self._limit_bytes :]
        return self._is_open

    def text(self) -> str:
        return self._kept.decode("utf-8", "replace")


def _end(process: subprocess.Popen[bytes]) -> bool:
    """Kills what is left of a command; returns False where it does not let itself be killed."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    if process.stdout is not None:
        process.stdout.close()
    try:
        process.wait(timeout=_END_S)
    except subprocess.TimeoutExpired:
        # Another user's, by sudo, or stuck in the driver: nobody waits for it any more.
        process.returncode = -signal.SIGKILL
        return False
    return True


def _status_problem(status: int) -> str | None:
    if status < 0:
        return f"killed by signal {-status}"
    return f"exit status {status}" if status else None
