"""What `repro-scaffold` reads: the log, from a file or from standard input, and the tests' source."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import BinaryIO

from pytest_repro.errors import LogError
from pytest_repro.scaffold.source import find_root

OpenLog = Callable[[], BinaryIO]


def source_root(given: Path | None) -> Path:
    """Returns where to look for the tests' source: the given folder, else the checkout around here.

    Raises:
        LogError: There is no such folder.
    """
    if given is None:
        return find_root(Path.cwd())
    if not given.is_dir():
        raise LogError(
            "The source cannot be read: there is no such folder",
            place=f"--source {given}",
            next_step="Give the folder from which the tests are run, or leave --source out.",
        )
    return given


@contextmanager
def opened_log(log: str | None) -> Iterator[OpenLog | None]:
    """Gives what opens the log; standard input is kept in a file meanwhile, as the log is read twice."""
    if log is None:
        yield None
        return
    if log != "-":
        path = Path(log)
        _check_readable(path)
        yield partial(_open_binary, path)
        return
    descriptor, name = tempfile.mkstemp(prefix="repro-scaffold-")
    try:
        with os.fdopen(descriptor, "wb") as kept:
            shutil.copyfileobj(sys.stdin.buffer, kept)
        yield partial(_open_binary, Path(name))
    finally:
        Path(name).unlink(missing_ok=True)


def _open_binary(path: Path) -> BinaryIO:
    return path.open("rb")


def _check_readable(path: Path) -> None:
    try:
        with path.open("rb"):
            return
    except OSError as error:
        raise LogError(
            f"The log cannot be read: {error.strerror or error}",
            place=str(path),
            next_step="Give a log file that exists and that you may read, or - for standard input.",
        ) from error
