"""Starts real pytest sessions on a pseudo-terminal and looks at its screen."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import signal
import struct
import subprocess
import sys
import termios
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from tests.acceptance.sessions import LIMIT_S

if TYPE_CHECKING:
    import pyte

LIVE_LINE = re.compile(rb"\x1bD\x1b\[A\x1b7\x1b\[B\r([^\r\n]*?)\x1b\[J\x1b8")
"""What draws or erases the live line, with its text."""

ROWS = 24

_NOT_FOR_A_SESSION = frozenset(
    {"CI", "BUILD_NUMBER", "COLUMNS", "LINES", "NO_COLOR", "FORCE_COLOR", "PY_COLORS"}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class TerminalSession:
    """A session that has ended.

    Attributes:
        ret: Its exit status.
        raw: All that it wrote to the terminal.
        columns: Width of the terminal.
    """

    ret: int
    raw: bytes
    columns: int

    @property
    def live_texts(self) -> list[str]:
        """The live line, each time that it was drawn, with its colours."""
        return [found[1].decode() for found in LIVE_LINE.finditer(self.raw) if found[1]]

    @property
    def raw_without_live_line(self) -> bytes:
        """What the session would have written without it."""
        return LIVE_LINE.sub(b"", self.raw)

    def final_rows(self) -> list[str]:
        """Returns all rows at the end, those that were scrolled away included."""
        return rows_after(self.raw, columns=self.columns)

    def screens(self) -> Iterator[list[str]]:
        """Yields the rows of the screen after each time that the live line was drawn or erased."""
        screen, stream = _terminal(self.columns)
        end = 0
        for found in LIVE_LINE.finditer(self.raw):
            stream.feed(self.raw[end : found.end()])
            end = found.end()
            yield [row.rstrip() for row in screen.display]


def rows_after(raw: bytes, *, columns: int) -> list[str]:
    """Returns all rows of a terminal, scrolled away or not, once this was written to it."""
    screen, stream = _terminal(columns)
    stream.feed(raw)
    scrolled = ["".join(row[column].data for column in range(columns)) for row in screen.history.top]
    rows = [row.rstrip() for row in (*scrolled, *screen.display)]
    while rows and not rows[-1]:
        rows.pop()
    return rows


def _terminal(columns: int) -> tuple[pyte.HistoryScreen, pyte.ByteStream]:
    pyte = pytest.importorskip("pyte")
    screen = pyte.HistoryScreen(columns, ROWS, history=100_000)
    return screen, pyte.ByteStream(screen)


def run_on_terminal(
    pytester: pytest.Pytester,
    *arguments: str,
    columns: int = 80,
    environ: Mapping[str, str] | None = None,
    interrupt_after: bytes | None = None,
) -> TerminalSession:
    """Runs pytest in a process of its own, on a terminal with 24 rows.

    Args:
        pytester: Of the test.
        arguments: Of pytest.
        columns: Width of the terminal.
        environ: Set beside the usual.
        interrupt_after: Once this was written (a pattern), the session is interrupted as by Ctrl-C.
    """
    kept = {name: value for name, value in os.environ.items() if name not in _NOT_FOR_A_SESSION}
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, columns, 0, 0))
    process = subprocess.Popen(
        [sys.executable, "-m", "pytest", *arguments],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        cwd=pytester.path,
        env={**kept, "TERM": "xterm-256color", **(environ or {})},
        start_new_session=True,
    )
    os.close(theirs)
    raw = b""
    try:
        while part := _read(ours):
            raw += part
            if interrupt_after is not None and re.search(interrupt_after, raw):
                interrupt_after = None
                os.killpg(process.pid, signal.SIGINT)
        return TerminalSession(ret=process.wait(LIMIT_S), raw=raw, columns=columns)
    finally:
        process.kill()
        os.close(ours)


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 65_536)
    except OSError:
        # Linux: nobody has the other end open any more.
        return b""
