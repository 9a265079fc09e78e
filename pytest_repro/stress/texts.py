"""Which tracebacks the records keep: a run with ten thousand failures must not fill the disk."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from enum import Enum

from pytest_repro.model import Failure

TEXTS_OF_A_BUG = 3
"""Tracebacks of one bug that the records keep; each process shows a bug of a test once."""

BUGS_WITH_A_TEXT = 200
"""Bugs of which the records keep any traceback: with those of a bug, at most 60 MB."""

TEXTS_OF_A_PROCESS = BUGS_WITH_A_TEXT
"""Different bugs of one test whose tracebacks one process makes and sends."""


class LeftOut(Enum):
    """Why the records hold no traceback of a failure."""

    REPEATED = "repeated"
    TOO_MANY_BUGS = "too many bugs"


class KeptTexts:
    """Decides on each failure of a session, in the order in which they become known."""

    def __init__(self) -> None:
        self._texts: Counter[str] = Counter()

    def kept(self, failure: Failure) -> tuple[Failure, LeftOut | None]:
        """Returns a failure as the records keep it, and why its text is not in it, None if it is."""
        key = failure.signature.key
        if key not in self._texts and len(self._texts) >= BUGS_WITH_A_TEXT:
            return replace(failure, text=None), LeftOut.TOO_MANY_BUGS
        if failure.text is None or self._texts[key] >= TEXTS_OF_A_BUG:
            return replace(failure, text=None), LeftOut.REPEATED
        self._texts[key] += 1
        return failure, None
