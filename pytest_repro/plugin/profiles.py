"""Writes the profiling logs of a session and shows them as a table."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pytest_repro.model import Profile
from pytest_repro.plugin.options import Options
from pytest_repro.store import SessionFolder
from pytest_repro.timing.formats import LOG, profile_from_payload, write_profile
from pytest_repro.timing.lines import table_lines
from pytest_repro.timing.trace import TRACE, trace_events

if TYPE_CHECKING:
    from pytest_repro.plugin.profiling import SampleBook

TABLE_PROFILES = 2000
"""Newest profiles that the table and the trace are made from; the logs hold all."""


def begin_book(config: pytest.Config, folder: SessionFolder, options: Options) -> ProfileBook:
    """Makes the book of a session."""
    if not options.profile:
        return ProfileBook(folder)
    from pytest_repro.plugin.profiling import SampleBook

    return ProfileBook(folder, SampleBook(folder, start=config.invocation_params.dir))


class ProfileBook:
    """All profiles of a session, written as they arrive.

    Args:
        folder: Where the logs go.
        samples: Takes the samples of a profile; None where nothing is sampled.
    """

    def __init__(self, folder: SessionFolder, samples: SampleBook | None = None) -> None:
        self._folder = folder
        self.samples = samples
        self._newest: deque[Profile] = deque(maxlen=TABLE_PROFILES)

    def add(self, payload: Mapping[str, Any]) -> Profile:
        """Writes one profile and returns it."""
        profile = profile_from_payload(payload)
        if self.samples is not None and "samples" in payload:
            self.samples.add(profile.test, payload["samples"])
        if not profile.phases and not profile.metrics:
            return profile
        self._newest.append(profile)
        write_profile(self._folder, profile)
        return profile

    def close(self) -> None:
        """Writes the trace, and what was sampled."""
        if self.samples is not None:
            self.samples.close()
        if not self._newest:
            return
        self._folder.write_foreign_json(TRACE, {"traceEvents": trace_events(self._newest)})

    @property
    def problem(self) -> str | None:
        """Why the logs are incomplete, or None."""
        return self._folder.problem

    @property
    def log(self) -> Path | None:
        """The log of one line an iteration; None where nothing was timed."""
        return self._folder.path / LOG if self._newest else None

    def lines(self, *, width: int) -> list[str]:
        """Returns the tables with their bottlenecks marked, each with its lines where they were sampled."""
        samples = self.samples
        if samples is None:
            return table_lines(list(self._newest), width=width)
        lines = table_lines(list(self._newest), width=width, under=samples.lines)
        tests = {profile.test for profile in self._newest if profile.phases}
        return lines + samples.lines_without_phases(besides=tests, width=width)
