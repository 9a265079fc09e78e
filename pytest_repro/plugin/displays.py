"""Where people see how far something is: a line that is rewritten in place, or lines that stay."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any, Protocol, TextIO

import pytest

from pytest_repro.plugin.internals.process import terminal_file
from pytest_repro.report.progress import Progress

UPDATE_NS = 200_000_000
"""A live line is written anew no more often than that, however fast batches come."""

PLAIN_NS = 10 * 10**9
"""Where lines stay, one is written no more often than that."""

# Down and up again, which scrolls where the cursor is in the last row; then below, and later back.
_GO_BELOW = "\x1bD\x1b[A\x1b7\x1b[B\r"
_ERASE_TO_END = "\x1b[J"
_GO_BACK = "\x1b8"


class Display(Protocol):
    """Where progress is shown.

    Attributes:
        interval_ns: Time from one update to the next.
        delay_ns: Time to the first one.
    """

    interval_ns: int
    delay_ns: int

    def show(self, progress: Progress) -> None:
        """Shows how far it is by now."""

    def erase(self) -> None:
        """Makes room for what pytest or another plugin writes now."""

    def restore(self) -> None:
        """Shows what was erased."""


class LiveLine:
    """One line that is rewritten in place, one row below the place where pytest writes next.

    The cursor stays where pytest left it. So a dot never meets the line, erasing needs to know no place, and
    whatever else is written to the terminal begins where it should. Only what another process writes there
    unasked, such as the last words of a dying worker, can run into the line.

    Args:
        writer: pytest's terminal writer.
        file: What it writes to, a terminal.
        is_short: Whether to show no more than iterations and failures.
    """

    interval_ns = UPDATE_NS
    delay_ns = 0

    def __init__(self, writer: Any, file: TextIO, *, is_short: bool) -> None:
        self._writer = writer
        self._file = file
        self._is_short = is_short
        self._text = ""
        self._is_shown = False

    def show(self, progress: Progress) -> None:
        """See `Display`."""
        # Some terminals begin a new row once the last column is written.
        text = progress.line(width=self.columns() - 1, is_short=self._is_short)
        self._text = self._writer.markup(text, **{"red" if progress.shows_failure else "green": True})
        self._draw()

    def erase(self) -> None:
        """See `Display`."""
        if self._is_shown:
            self._is_shown = False
            self._write("")

    def restore(self) -> None:
        """See `Display`."""
        if self._text and not self._is_shown:
            self._draw()

    def _draw(self) -> None:
        column = self._writer.width_of_current_line
        if column and column % self.columns() == 0:
            # Terminals disagree about where the cursor is after the last column, and about going back there.
            return
        self._is_shown = True
        self._write(self._text)

    def columns(self) -> int:
        """Returns the true width: pytest's own is never below 40, and obeys COLUMNS."""
        try:
            columns = os.get_terminal_size(self._file.fileno()).columns
        except OSError:
            columns = 0
        return columns or int(self._writer.fullwidth)

    def _write(self, text: str) -> None:
        # Past the writer, which counts the columns of its line. Only what is below the cursor is erased: tmux
        # keeps in its history what is erased from the first row on.
        self._file.write(f"{_GO_BELOW}{text}{_ERASE_TO_END}{_GO_BACK}")
        self._file.flush()


class PlainLines:
    """A line of its own every ten seconds, without control characters.

    Args:
        reporter: pytest's terminal reporter.
        writer: Its terminal writer.
    """

    interval_ns = PLAIN_NS
    delay_ns = PLAIN_NS

    def __init__(self, reporter: Any, writer: Any) -> None:
        self._reporter = reporter
        self._writer = writer

    def show(self, progress: Progress) -> None:
        """See `Display`."""
        if self._reporter.config.option.verbose > 0:
            # Has pytest name the test again before its outcome.
            self._reporter.ensure_newline()
        if self._writer.width_of_current_line:
            self._writer.line()
        self._writer.line(progress.line())
        self._writer.flush()

    def erase(self) -> None:
        """See `Display`: lines stay."""

    def restore(self) -> None:
        """See `Display`: lines stay."""


def display_of(config: pytest.Config, *, environ: Mapping[str, str] = os.environ) -> Display | None:
    """Returns where to show progress in this session, None for nowhere.

    Args:
        config: Of the controller.
        environ: The environment.
    """
    reporter: Any = config.pluginmanager.get_plugin("terminalreporter")
    if reporter is None or config.option.verbose < -1:
        return None
    is_quiet = config.option.verbose < 0
    writer = config.get_terminal_writer()
    file = terminal_file(config)
    if file is not None and file.isatty() and can_rewrite(environ) and _is_quiet_meanwhile(config):
        return LiveLine(writer, file, is_short=is_quiet)
    return None if is_quiet else PlainLines(reporter, writer)


def can_rewrite(environ: Mapping[str, str]) -> bool:
    """Tells whether there is a terminal that knows control sequences, and no CI's log behind it."""
    is_ci = environ.get("CI") or environ.get("BUILD_NUMBER")
    return environ.get("TERM", "dumb") not in ("", "dumb") and not is_ci


def _is_quiet_meanwhile(config: pytest.Config) -> bool:
    """Tells whether nothing writes to the terminal while tests run: neither they nor pytest about them."""
    asked_for = ("log_cli_level", "setupshow", "usepdb", "trace")
    has_logging = config.pluginmanager.has_plugin("logging-plugin")
    return (
        config.getoption("capture", "no") == "fd"
        and not any(config.getoption(name, None) for name in asked_for)
        and not (has_logging and config.getini("log_cli"))
    )
