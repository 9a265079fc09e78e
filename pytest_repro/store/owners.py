"""Whose a folder is: notes of processes, and whether these still run."""

from __future__ import annotations

import os
import platform
from pathlib import Path
from typing import Any

from pytest_repro.errors import StoreError
from pytest_repro.processes import is_running, process_start, processor_times
from pytest_repro.store.json_files import read_json, write_json

OWNER = "owner.json"
"""File that tells which process a temporary folder belongs to."""

HEIR = "heir.json"
"""The same of a process that has work to do there when the owner has died."""


def this_process() -> dict[str, Any]:
    """Returns what tells this process from all others, also from later ones of its id."""
    return {"pid": os.getpid(), "process_start": process_start(os.getpid()), "host": platform.node()}


def processor_record() -> dict[str, int] | None:
    """Returns how long this process ran and how long it waited for a processor, None where nobody tells."""
    times = processor_times()
    return None if times is None else times._asdict()


def note_owner(folder: Path, *, as_heir: bool = False) -> None:
    """Notes in a folder that it belongs to this process, and to no later one.

    Args:
        folder: The folder.
        as_heir: Whether it belongs to this process after its owner's death only.

    Raises:
        OSError: It cannot be written.
    """
    note = {**this_process(), "processes": _process_namespace()}
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
