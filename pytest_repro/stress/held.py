"""Whether a process is held in a crash: what the system tells of it, not what anybody wrote in its name.

A hold is the C function `sleep` as the handler of a fatal signal, for so many seconds as the signal's number,
and for one time: while it sleeps, the system has put the signal's default back. See `stress.stacks`.
"""

from __future__ import annotations

import contextlib
import os
import re
import signal
import struct
from pathlib import Path

FATAL_SIGNALS = (signal.SIGSEGV, signal.SIGABRT, signal.SIGBUS, signal.SIGFPE, signal.SIGILL)
"""Signals on which faulthandler writes the stacks."""

_CAUGHT = re.compile(r"^SigCgt:\s*([0-9a-f]+)$", re.MULTILINE)
_TIMESPEC = struct.Struct("@ll")


def held_signal(pid: int, *, told: int | None) -> signal.Signals | None:
    """Returns the fatal signal that holds a process, None where none does; on Linux, elsewhere none.

    Args:
        pid: The process; it holds crashes, see `StackWriter`.
        told: Number of the fatal signal that its stacks tell of, None for none. A fork of it may have written
            them, so that they alone prove nothing. Without them a sleeping thread must prove it: a test may
            have given the signal's default back.
    """
    uncaught = _uncaught(pid)
    if not uncaught or len(uncaught) == len(FATAL_SIGNALS):
        return None
    for number in uncaught:
        if number == told or _has_sleeping_thread(pid, int(number)):
            return number
    return None


def release_children(pid: int) -> None:
    """Has the children that are held in a crash die of it at once: nobody looks into them.

    They are forks that native code has made: Python's own are not held.

    Args:
        pid: Their parent, which may wait for them.
    """
    for child in _children(pid):
        number = held_signal(child, told=None)
        if number is not None:
            with contextlib.suppress(OSError):
                os.kill(child, number)


def _children(pid: int) -> list[int]:
    """Returns the processes that a process has started; none where the system does not list them."""
    try:
        lists = [file.read_text(encoding="ascii") for file in Path(f"/proc/{pid}/task").glob("*/children")]
    except OSError:
        return []
    return [int(child) for line in lists for child in line.split()]


def _uncaught(pid: int) -> list[signal.Signals]:
    """Returns the fatal signals for which the process has no handler."""
    try:
        status = Path(f"/proc/{pid}/status").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return []
    found = _CAUGHT.search(status)
    caught = int(found[1], 16) if found else -1
    return [number for number in FATAL_SIGNALS if not caught >> (number - 1) & 1]


def _has_sleeping_thread(pid: int, seconds: int) -> bool:
    """Tells whether a thread is in a `sleep` of exactly so long; none where one may not look."""
    try:
        return any(_sleep_of(thread) == (seconds, 0) for thread in Path(f"/proc/{pid}/task").iterdir())
    except OSError:
        return False


def _sleep_of(thread: Path) -> tuple[int, ...] | None:
    call = (thread / "syscall").read_text(encoding="ascii").split()
    # clock_nanosleep(CLOCK_REALTIME, 0, time, time): a running thread, or one in no call, has fewer fields.
    if len(call) < 5 or call[1:3] != ["0x0", "0x0"] or call[3] != call[4] or call[3] == "0x0":
        return None
    with (thread / "mem").open("rb", buffering=0) as memory:
        memory.seek(int(call[3], 16))
        data = memory.read(_TIMESPEC.size)
    return _TIMESPEC.unpack(data) if len(data) == _TIMESPEC.size else None
