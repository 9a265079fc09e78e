"""How far reading and downloading are: a bar on standard error, where that is a terminal."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from pytest_repro.logs.sources import Progress, Silent

if TYPE_CHECKING:
    from rich.progress import Progress as Bars


@contextmanager
def shown_progress(*, quiet: bool) -> Iterator[Progress]:
    """Gives what shows progress, or what shows nothing where nobody could see it."""
    if quiet or sys.stderr is None or sys.stderr.closed or not sys.stderr.isatty():
        yield Silent()
        return
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, TextColumn, TransferSpeedColumn
    from rich.progress import Progress as Bars

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(binary_units=True),
        TransferSpeedColumn(),
    )
    with Bars(*columns, console=Console(stderr=True), transient=True) as bars:
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
