"""Processes by their ids: whether they are there, whose they are, and their end."""

from __future__ import annotations

import contextlib
import os
import signal
from pathlib import Path
from typing import NamedTuple

_PARENT, _START = 1, 19
"""Places behind the state in `/proc/<pid>/stat`."""


class ProcessorTimes(NamedTuple):
    """What the main thread of a process had of the processors since it began.

    Attributes:
        ran_ns: How long it was on one.
        waited_ns: How long it could have run and was not: others had them all.
    """

    ran_ns: int
    waited_ns: int


def processor_times(schedstat: Path = Path("/proc/self/schedstat")) -> ProcessorTimes | None:
    """Returns what this process had of the processors; None where the system does not tell: outside of Linux.

    Args:
        schedstat: File of Linux's scheduler (its documentation: scheduler/sched-stats).
    """
    try:
        ran, waited, *_ = schedstat.read_text(encoding="ascii").split()
        return ProcessorTimes(int(ran), int(waited))
    except (OSError, ValueError):
        return None


def is_running(pid: int) -> bool:
    """Tells whether a process with this id exists."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        pass  # somebody else's
    return True


def state_of(pid: int) -> str | None:
    """Returns the letter by which Linux names the state of a process, such as `S`; None elsewhere."""
    fields = _stat(pid)
    return fields[0] if fields else None


def process_start(pid: int) -> int | None:
    """Returns when a process began, in ticks since the system did; None where the system does not tell.

    Process ids are given out again: a process is the same if its start is.
    """
    fields = _stat(pid)
    return None if not fields or fields[0] in "ZX" else int(fields[_START])


def descendants_of(pid: int) -> list[int]:
    """Returns the processes that a process has started, and theirs; on Linux, elsewhere none."""
    children: dict[int, list[int]] = {}
    for entry in os.scandir("/proc") if _has_proc() else ():
        fields = _stat(int(entry.name)) if entry.name.isdigit() else []
        if fields:
            children.setdefault(int(fields[_PARENT]), []).append(int(entry.name))
    found = list(children.get(pid, ()))
    for descendant in found:
        found += children.get(descendant, ())
    return found


def has_ended(pid: int) -> bool:
    """Tells whether a process is dead, also where nobody has asked for its status yet."""
    state = state_of(pid)
    return state in ("Z", "X") if state is not None else _has_proc()


def end_process(pid: int, *, spared: int | None = None, by: int = signal.SIGKILL) -> None:
    """Kills a process and all that it has started, which may hold a device or a pipe.

    Args:
        pid: The process.
        spared: One that it has started, and that stays.
        by: Signal for the process itself. One that is held in a crash dies of the signal that it met.
    """
    for process in descendants_of(pid):
        if process != spared:
            with contextlib.suppress(OSError):
                os.kill(process, signal.SIGKILL)
    with contextlib.suppress(OSError):
        os.kill(pid, by)


def _has_proc() -> bool:
    return Path("/proc/self/stat").exists()


def _stat(pid: int) -> list[str]:
    """Returns what Linux tells of a process, from its state on; empty where it tells nothing."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return []
    # The name before may hold anything.
    return stat.rpartition(")")[2].split()
