"""Writes the profiling logs of a session and shows them as a table."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pytest_repro.model import Profile
from pytest_repro.store import SessionFolder
from pytest_repro.timing.formats import LOG, profile_from_payload, write_profile
from pytest_repro.timing.lines import table_lines
from pytest_repro.timing.trace import TRACE, trace_events

TABLE_PROFILES = 2000
"""Newest profiles that the table and the trace are made from; the logs hold all."""


class ProfileBook:
    """All profiles of a session, written as they arrive.

    Args:
        folder: Where the logs go.
    """

    def __init__(self, folder: SessionFolder) -> None:
        self._folder = folder
        self._newest: deque[Profile] = deque(maxlen=TABLE_PROFILES)

    def add(self, payload: Mapping[str, Any]) -> Profile:
        """Writes one profile and returns it."""
        profile = profile_from_payload(payload)
        self._newest.append(profile)
        write_profile(self._folder, profile)
        return profile

    def close(self) -> None:
        """Writes the trace."""
        self._folder.write_foreign_json(TRACE, {"traceEvents": trace_events(self._newest)})

    @property
    def problem(self) -> str | None:
        """Why the logs are incomplete, or None."""
        return self._folder.problem

    @property
    def log(self) -> Path:
        """The log of one line an iteration."""
        return self._folder.path / LOG

    def lines(self, *, width: int) -> list[str]:
        """Returns the table with the bottleneck marked."""
        return table_lines(list(self._newest), width=width)
