"""The records of a session whose runs lie in folders of two sides: those of a certificate."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

SIDES = ("base", "fix")


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
    import pandas as pd

    folders = list(side_folders(path))
    if not folders:
        return read(path)
    tables = []
    for side, number, folder in folders:
        table = read(folder)
        tables.append(table.assign(run=number, test=[f"{side}: {test}" for test in table["test"]]))
    filled = [table for table in tables if len(table)] or tables[:1]
    return pd.concat(filled, ignore_index=True)
