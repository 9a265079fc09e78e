"""How far a run of the gate is, told from inside it and read by the gate."""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass
from pathlib import Path

_FILE = "progress"


@dataclass(frozen=True, slots=True, kw_only=True)
class RunProgress:
    """How far one run is.

    Attributes:
        finished: Tests or iterations that came to an end.
        planned: Of these, None where nobody knows.
        failures: Of these.
        unit: `test` or `iteration`.
    """

    finished: int
    planned: int | None
    failures: int
    unit: str


def note_progress(folder: Path, *, finished: int, planned: int | None, failures: int, unit: str) -> None:
    """Tells the gate how far this run is; a folder that cannot be written costs no more than that.

    The file is opened anew each time: a test may close descriptors that are not its own.
    """
    text = f"{finished} {planned or 0} {failures} {unit}".ljust(80)
    with contextlib.suppress(OSError):
        descriptor = os.open(folder / _FILE, os.O_WRONLY | os.O_CREAT, 0o666)
        try:
            os.write(descriptor, text.encode())
        finally:
            os.close(descriptor)


def read_progress(folder: Path) -> RunProgress | None:
    """Returns what a run told last, None before its first word."""
    try:
        finished, planned, failures, unit = (folder / _FILE).read_text(encoding="utf-8").split()
        return RunProgress(
            finished=int(finished), planned=int(planned) or None, failures=int(failures), unit=unit
        )
    except (OSError, ValueError):
        return None
