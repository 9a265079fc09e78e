"""Writes the profiling logs of a session and adds the profiles up."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pytest_repro.errors import OptionError
from pytest_repro.model import Profile
from pytest_repro.plugin.limit_options import read_limits
from pytest_repro.plugin.options import Options
from pytest_repro.plugin.timing import MARKS
from pytest_repro.report.timing import timing_record
from pytest_repro.report.words import counted
from pytest_repro.store import SessionFolder
from pytest_repro.timing.formats import LOG, RECORDS, profile_from_payload, write_profile
from pytest_repro.timing.lines import chosen, tables_lines
from pytest_repro.timing.tally import TimingTally
from pytest_repro.timing.trace import TRACE, trace_events
from pytest_repro.verify.limits import Limit

if TYPE_CHECKING:
    from pytest_repro.plugin.profiling import SampleBook

TRACE_PROFILES = 2000
"""Newest profiles that the trace is made from; the tables are of all, and the logs hold all."""


def begin_book(config: pytest.Config, folder: SessionFolder, options: Options) -> ProfileBook:
    """Makes the book of a session."""
    samples = None
    if options.profile:
        from pytest_repro.plugin.profiling import SampleBook

        samples = SampleBook(folder, start=config.invocation_params.dir)
    try:
        return ProfileBook(folder, samples, limits=read_limits(config))
    except OptionError as error:
        return ProfileBook(folder, samples, problem=str(error))


class ProfileBook:
    """All profiles of a session, written as they arrive.

    Args:
        folder: Where the logs go.
        samples: Takes the samples of a profile; None where nothing is sampled.
        limits: Of the gate, for all tests.
        problem: Why these could not be read, or None.
    """

    def __init__(
        self,
        folder: SessionFolder,
        samples: SampleBook | None = None,
        *,
        limits: Sequence[Limit] = (),
        problem: str | None = None,
    ) -> None:
        self._folder = folder
        self.samples = samples
        self._limits_problem = problem
        self._newest: deque[Profile] = deque(maxlen=TRACE_PROFILES)
        self._tally = TimingTally(limits)

    def add(self, payload: Mapping[str, Any]) -> Profile:
        """Writes one profile and returns it."""
        profile = profile_from_payload(payload)
        if self.samples is not None and "samples" in payload:
            self.samples.add(profile.test, payload["samples"])
        if not profile.phases and not profile.metrics:
            return profile
        self._newest.append(profile)
        self._tally.add(profile, payload.get(MARKS, ()))
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

    def record(self) -> list[dict[str, Any]]:
        """Returns what the tables say, for programs."""
        return timing_record(self._tally.breakdowns())

    def lines(self, *, width: int, most: int | None = None) -> list[str]:
        """Returns the tables with their bottlenecks marked, each with its lines where they were sampled.

        Args:
            width: Columns of the terminal.
            most: Tests that are shown, of those with phases and of those that were only sampled; None for
                all.
        """
        found, samples = self._tally.breakdowns(), self.samples
        shown = chosen(found, most)
        if samples is None:
            lines = tables_lines(shown, width=width)
        else:
            lines = tables_lines(shown, width=width, under=samples.lines)
        if len(shown) < len(found):
            more = counted(len(found) - len(shown), "more test")
            lines += ["", f"{more}: see {LOG}, or -v for their tables"]
        if samples is not None:
            tests = {breakdown.test for breakdown in found}
            lines += samples.lines_without_phases(besides=tests, width=width, most=most)
        if self._tally.left_out:
            lines.append(f"{counted(self._tally.left_out, 'more test')} without a table: see {RECORDS}")
        if self._limits_problem is not None:
            lines.append(f"limits were not looked at: {self._limits_problem}")
        return lines
