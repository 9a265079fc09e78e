"""The records of a session whose runs lie in folders of two sides: those of a certificate."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_repro.report.certificate_facts import SIDES
from pytest_repro.report.timed_frames import Timed, timed_frames

if TYPE_CHECKING:
    import pandas as pd


def side_folders(path: Path) -> Iterator[tuple[str, int, Path]]:
    """Yields side, number and folder of each run of a certificate, by side; nothing for another session."""
    for side in SIDES:
        begin = f"{side}_run_"
        runs = [run for run in path.glob(f"{begin}*") if run.name.removeprefix(begin).isdecimal()]
        for number, run in sorted((int(run.name.removeprefix(begin)), run) for run in runs):
            yield side, number, run


def has_sides(path: Path) -> bool:
    """Tells whether it is a session that ran a base and a fix."""
    return next(side_folders(path), None) is not None


def of_all_sides(path: Path, read: Callable[[Path], pd.DataFrame]) -> pd.DataFrame:
    """Returns the table of a session; of a certificate that of all its runs, with the side before each test.

    Args:
        path: The session's folder.
        read: Reads the table of one folder, with the columns `run` and `test`.

    Raises:
        StoreError: A record cannot be read.
    """
    folders = list(side_folders(path))
    if not folders:
        return read(path)
    return _joined((side, number, read(folder)) for side, number, folder in folders)


def timed_of_all_sides(path: Path) -> Timed:
    """Returns what a session has timed; of a certificate as `of_all_sides` does.

    Raises:
        StoreError: A record cannot be read.
    """
    found = [(side, number, timed_frames(folder)) for side, number, folder in side_folders(path)]
    if not found:
        return timed_frames(path)
    return Timed(
        phases=_joined((side, number, timed.phases) for side, number, timed in found),
        metrics=_joined((side, number, timed.metrics) for side, number, timed in found),
        peaks_bytes={
            (f"{side}: {test}", place): size_bytes
            for side, _, timed in found
            for (test, place), size_bytes in timed.peaks_bytes.items()
        },
    )


def _joined(tables: Iterable[tuple[str, int, pd.DataFrame]]) -> pd.DataFrame:
    import pandas as pd

    named = [
        table.assign(run=number, test=[f"{side}: {test}" for test in table["test"]])
        for side, number, table in tables
    ]
    filled = [table for table in named if len(table)] or named[:1]
    return pd.concat(filled, ignore_index=True)
