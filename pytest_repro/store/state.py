"""Whether a session came to its end."""

from __future__ import annotations

import platform
from collections.abc import Mapping
from enum import Enum
from pathlib import Path
from typing import Any

from pytest_repro.errors import StoreError
from pytest_repro.processes import is_running, process_start
from pytest_repro.store.json_files import read_json

STATE = "state.json"
"""File that tells who writes a session, and whether that is done."""


FACTS = "session.json"
"""File that tells what a session was about to run, and where."""

SUMMARY = "summary.json"
"""File that tells all that a session has learned."""


class SessionState(Enum):
    """Whether a session came to its end."""

    RUNNING = "running"
    FINISHED = "finished"
    UNFINISHED = "unfinished"


def session_state(path: Path) -> SessionState:
    """Tells whether a session came to its end, still runs, or was broken off.

    Of a session that another machine writes it cannot be told: it is taken for running.

    Args:
        path: Its folder.
    """
    try:
        return told_state(read_json(path / STATE))
    except StoreError:
        return SessionState.UNFINISHED


def told_state(record: Mapping[str, Any]) -> SessionState:
    """Tells the same of what `STATE` holds."""
    if record.get("state") == SessionState.FINISHED.value:
        return SessionState.FINISHED
    pid = record.get("pid")
    is_alive = record.get("host") != platform.node() or (
        isinstance(pid, int) and is_running(pid) and record.get("process_start") == process_start(pid)
    )
    return SessionState.RUNNING if is_alive else SessionState.UNFINISHED
