"""What people see while the gate's runs go on."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from textwrap import wrap
from typing import Any

import pytest

from pytest_repro.clock import MonotonicNs
from pytest_repro.plugin.displays import PLAIN_NS, UPDATE_NS, LiveLine, can_rewrite
from pytest_repro.plugin.internals.process import file_of, terminal_writer
from pytest_repro.plugin.run_progress import read_progress
from pytest_repro.report.progress import GateProgress, Progress
from pytest_repro.verify.runs import Run

_BLOCK = 2**16
"""Characters of an output that are shown at once: a run may have printed more than memory holds."""

_COMMAND = " again: "
"""Comes before a command that is to be copied."""


class GateTerminal:
    """The gate's own output: lines that stay, and one that tells how far the runs are.

    Args:
        config: Of the gate's process.
        clock: Monotonic, in nanoseconds.
        environ: The environment.
    """

    def __init__(
        self, config: pytest.Config, *, clock: MonotonicNs, environ: Mapping[str, str] = os.environ
    ) -> None:
        self._writer: Any = terminal_writer(config)
        self._clock = clock
        self._began_ns = clock()
        self._verbose = int(config.getoption("verbose", 0))
        file = file_of(self._writer)
        is_live = file.isatty() and can_rewrite(environ)
        self._live = LiveLine(self._writer, file, is_short=self._verbose < 0) if is_live else None
        self._next_ns = self._began_ns + (0 if is_live else PLAIN_NS)

    def say(self, line: str, **markup: bool) -> None:
        """Writes one line, or several, that stay."""
        self._erase()
        self._writer.line(line, **markup)
        self._writer.flush()

    def tell(self, line: str) -> None:
        """Writes a line of prose that stays, on a terminal broken between words; a command stays whole."""
        if self._live is None or _COMMAND in line:
            self.say(line)
            return
        for part in wrap(
            line,
            self._live.columns(),
            subsequent_indent="  ",
            break_long_words=False,
            break_on_hyphens=False,
        ):
            self.say(part)

    def show_file(self, path: Path) -> None:
        """Writes what a run printed, as far as it is still there."""
        self._erase()
        try:
            with path.open(encoding="utf-8", errors="replace") as file:
                ends_line = True
                while block := file.read(_BLOCK):
                    self._writer.write(block)
                    ends_line = block.endswith("\n")
                if not ends_line:
                    self._writer.line()
        except OSError as error:
            self._writer.line(f"the output of the run cannot be shown: {error}")
        self._writer.flush()

    def title(self, title: str, **markup: bool) -> None:
        """Writes a rule with a title."""
        self._erase()
        self._writer.sep("=", title, **markup)

    def show(
        self, number: int, *, asked: int | None, folder: Path, began_ns: int, before: Sequence[Run]
    ) -> None:
        """Tells how far the gate is, if it is time to.

        Args:
            number: Of the run that goes on, 1-based.
            asked: Runs asked for, None where that is not known yet.
            folder: Of this run.
            began_ns: When it began.
            before: The runs that have ended.
        """

        def progress(now_ns: int) -> GateProgress:
            told = read_progress(folder)
            return GateProgress(
                run=number,
                asked=asked,
                finished=0 if told is None else told.finished,
                planned=None if told is None else told.planned,
                failures=0 if told is None else told.failures,
                unit="test" if told is None else told.unit,
                elapsed_ns=now_ns - self._began_ns,
                run_elapsed_ns=now_ns - began_ns,
                runs_ns=tuple(run.duration_ns for run in before),
            )

        self.update(progress)

    def update(self, progress_at: Callable[[int], Progress]) -> None:
        """Shows how far something is, if it is time to.

        Args:
            progress_at: Tells it at a time of the clock; called only then.
        """
        now_ns = self._clock()
        if now_ns < self._next_ns or self._verbose < (-1 if self._live else 0):
            return
        self._next_ns = now_ns + (PLAIN_NS if self._live is None else UPDATE_NS)
        progress = progress_at(now_ns)
        if self._live is None:
            self._writer.line(progress.line())
            self._writer.flush()
        else:
            self._live.show(progress)

    def _erase(self) -> None:
        if self._live is not None:
            self._live.erase()
