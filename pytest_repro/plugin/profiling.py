"""What `--repro-profile` adds: samples of each test, its files, and the lines in its bottleneck."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from textwrap import wrap
from typing import Any

from pytest_repro.clock import MonotonicNs, now_utc
from pytest_repro.report.words import counted
from pytest_repro.store import SessionFolder
from pytest_repro.timing.names import printable
from pytest_repro.timing.sample_files import file_stem, html_page, speedscope_record
from pytest_repro.timing.sample_lines import sample_lines
from pytest_repro.timing.sampler import INTERVAL_NS, PhaseSampler, StatProfile
from pytest_repro.timing.samples import Samples
from pytest_repro.timing.summary import Breakdown

MOST_STACKS = 5000
"""Different stacks that are kept of one test, over all its iterations."""

MOST_STACKS_IN_ALL = 100_000
"""Different stacks that are kept of all tests together."""

MOST_TESTS = 50
"""Tests that have files: those that were sampled longest."""

_HARNESS = ("_pytest", "pytest", "pluggy", "pytest_repro", "xdist", "execnet")


def make_sampler(clock: MonotonicNs) -> PhaseSampler:
    """Makes the sampler of this process.

    Raises:
        OptionError: pyinstrument cannot be imported.
    """
    return PhaseSampler(clock, harness=_harness_folders(), instrument=StatProfile())


def _harness_folders() -> tuple[str, ...]:
    files = (getattr(sys.modules.get(name), "__file__", None) for name in _HARNESS)
    return tuple(str(Path(file).parent) + os.sep for file in files if file)


class SampleBook:
    """Samples of all tests of a session, written as they grow.

    A test's files are written with its first samples and whenever it has twice as many as then, so that a
    crash costs at most half of them.

    Args:
        folder: Where the files go.
        start: Folder that files of the project are shown relative to.
    """

    def __init__(self, folder: SessionFolder, *, start: Path) -> None:
        self._folder = folder
        self._start = str(start)
        self._start_s = now_utc().timestamp()
        self._tests: dict[str, Samples] = {}
        self._iterations: dict[str, int] = {}
        self._written: dict[str, int] = {}
        self._left_out: set[str] = set()

    def add(self, test: str, payload: Mapping[str, Any]) -> None:
        """Adds the samples of one iteration."""
        if test in self._left_out:
            return
        self._iterations[test] = self._iterations.get(test, 0) + 1
        samples = self._tests.setdefault(test, Samples(MOST_STACKS))
        samples.merge(Samples.from_payload(payload))
        if len(self._tests) > MOST_TESTS or sum(map(len, self._tests.values())) > MOST_STACKS_IN_ALL:
            self._leave_one_out()
        if test in self._tests and samples.total().number >= 2 * self._written.get(test, 0):
            self._write(test)

    def close(self) -> None:
        """Writes what was not yet."""
        for test, samples in self._tests.items():
            if samples.total().number != self._written.get(test, 0):
                self._write(test)

    def lines(self, breakdown: Breakdown, width: int) -> list[str]:
        """Returns what is shown under the table of a test."""
        bottleneck = breakdown.bottleneck
        return self._lines(breakdown.test, None if bottleneck is None else bottleneck.path, width=width)

    def lines_without_phases(self, *, besides: set[str], width: int, most: int | None = None) -> list[str]:
        """Returns what is shown of the tests that have no table.

        Args:
            besides: Tests that have one.
            width: Columns of the terminal.
            most: How many are shown, those that were sampled longest; None for all.
        """
        tests = [test for test, samples in self._tests.items() if samples and test not in besides]
        shown = tests
        if most is not None and len(tests) > most:
            longest = sorted(tests, key=lambda test: self._tests[test].total().duration_ns, reverse=True)
            shown = [test for test in tests if test in longest[:most]]
        text = []
        for test in shown:
            text += ["", printable(test), *self._lines(test, None, width=width)]
        if len(shown) < len(tests):
            text += ["", f"{counted(len(tests) - len(shown), 'more test')} were sampled: -v for their lines"]
        return text[1:] if not besides else text

    def notes(self, *, width: int) -> list[str]:
        """Returns what is said once of the whole session."""
        rate = f"Sampled at most every {INTERVAL_NS // 1_000_000} ms."
        notes = [f"{rate} Sampling and fences change timings: compare them only with others taken so."]
        if self._left_out:
            notes.append(
                f"Of {len(self._left_out) + len(self._tests):,} tests, the {len(self._tests):,} that were "
                "sampled longest in an iteration have files."
            )
        if not any(samples.total().number or samples.gave_way for samples in self._tests.values()):
            notes.append("Nothing in a phase or in a call stage took long enough to be sampled.")
        return [line for note in notes for line in wrap(note, width)]

    @property
    def page(self) -> Path | None:
        """The page of the test that was sampled longest, if there is any."""
        test = max(
            (test for test, count in self._written.items() if count),
            key=lambda test: self._tests[test].total().duration_ns,
            default=None,
        )
        return None if test is None else self._folder.path / f"{file_stem(test)}.html"

    @property
    def count(self) -> int:
        """Number of tests that have files."""
        return sum(count > 0 for count in self._written.values())

    def _lines(self, test: str, bottleneck: tuple[str, ...] | None, *, width: int) -> list[str]:
        samples = self._tests.get(test)
        if samples is None:
            return []
        return sample_lines(samples, bottleneck=bottleneck, start=self._start, width=width)

    def _leave_one_out(self) -> None:
        least = min(
            self._tests, key=lambda test: self._tests[test].total().duration_ns / self._iterations[test]
        )
        del self._tests[least]
        self._left_out.add(least)
        if self._written.pop(least, 0):
            stem = file_stem(least)
            self._folder.remove(f"{stem}.html")
            self._folder.remove(f"{stem}.speedscope.json")

    def _write(self, test: str) -> None:
        samples = self._tests[test]
        count = samples.total().number
        self._written[test] = count
        if not count:
            return
        stem = file_stem(test)
        self._folder.write_text(f"{stem}.html", html_page(test, samples, start_s=self._start_s))
        self._folder.write_foreign_json(f"{stem}.speedscope.json", speedscope_record(test, samples))
