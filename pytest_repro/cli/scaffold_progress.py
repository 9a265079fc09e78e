"""How far reading and downloading are: a bar on standard error, or lines where a terminal draws no bar."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from pytest_repro.logs.sources import Progress, Silent

if TYPE_CHECKING:
    from rich.progress import Progress as Bars


_BAR_WIDTH = 30
"""In 80 columns there is room beside it for both sizes and the speed."""
_LEAST_TOLD_BYTES = 50_000_000
_STEP_PERCENT = 20


@contextmanager
def shown_progress(*, quiet: bool) -> Iterator[Progress]:
    """Gives what shows progress, or what shows nothing where nobody could see it."""
    if quiet or sys.stderr is None or sys.stderr.closed or not sys.stderr.isatty():
        yield Silent()
        return
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, TextColumn, TransferSpeedColumn
    from rich.progress import Progress as Bars

    console = Console(stderr=True)
    if console.is_dumb_terminal:
        yield ProgressLines(lambda line: print(line, file=sys.stderr, flush=True))  # noqa: T201 - a terminal
        return
    columns = (
        TextColumn("{task.description}"),
        BarColumn(bar_width=_BAR_WIDTH),
        DownloadColumn(),
        TransferSpeedColumn(),
    )
    with Bars(*columns, console=console, transient=True) as bars:
        yield ProgressBar(bars)


class ProgressBar:
    """One bar, for the part of the work that is being done.

    Args:
        bars: What draws it.
    """

    def __init__(self, bars: Bars) -> None:
        self._bars = bars
        self._task = bars.add_task("", total=None, visible=False)

    def begin(self, what: str, total_bytes: int | None) -> None:
        """Begins anew at zero."""
        self._bars.reset(self._task, total=total_bytes, description=f"{what} the log", visible=True)

    def advance(self, size_bytes: int) -> None:
        """Moves on."""
        self._bars.advance(self._task, size_bytes)


class ProgressLines:
    """Now and then a line, where the work takes long.

    Args:
        write: Writes one line.
    """

    def __init__(self, write: Callable[[str], None]) -> None:
        self._write = write
        self._what = ""
        self._total = 0
        self._done = 0
        self._told_percent = 0

    def begin(self, what: str, total_bytes: int | None) -> None:
        """Begins anew at zero."""
        self._what, self._total = what, total_bytes or 0
        self._done = self._told_percent = 0

    def advance(self, size_bytes: int) -> None:
        """Moves on."""
        self._done += size_bytes
        if self._total < _LEAST_TOLD_BYTES:
            return
        percent = min(self._done * 100 // self._total, 100)
        if percent - self._told_percent >= _STEP_PERCENT:
            self._told_percent = percent - percent % _STEP_PERCENT
            self._write(f"{self._what} the log: {self._told_percent} % of {self._total // 10**6} MB")
