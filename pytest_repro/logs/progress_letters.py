"""The letters that pytest prints without `-v`, one for each test that has ended."""

from __future__ import annotations

from collections.abc import Callable

from pytest_repro.logs.evidence import Evidence
from pytest_repro.logs.patterns import FILE_ALONE, LETTERS, PROGRESS
from pytest_repro.logs.records import LogLine

_ENDS = ".FEsxXRfu,]"
"""What such a line ends with: one of the letters, or the bracket of its percentage."""


def read_letters(
    line: LogLine, text: str, current: Evidence | None, session_of: Callable[[LogLine], Evidence]
) -> bool:
    """Takes a line's letters into its session; returns whether it holds letters and nothing else.

    Args:
        line: The line.
        text: Its text without trailing space.
        current: The session that is open, None where there is none.
        session_of: Gives the session that is open, or begins one.
    """
    match = PROGRESS.fullmatch(text) if text[-1:] in _ENDS else None
    if match is not None and ("[" in text or current is not None):
        is_open = "%" not in text  # of old pytest's lines too, of which the last one alone matters
        session_of(line).add_letters(match["file"], match["letters"], line.number, is_open=is_open)
        return True
    match = LETTERS.fullmatch(text) if text.endswith("%]") else None
    if match is not None:
        session = session_of(line)
        if session.in_flight_file is None:
            session.unnamed_letters += match["letters"]
        else:
            session.add_letters(session.in_flight_file.value, match["letters"], line.number)
        return True
    match = FILE_ALONE.fullmatch(text) if current is not None and ".py" in text else None
    if match is not None and current is not None:
        is_open = bool((match["rest"] or "").strip())
        current.add_letters(match["file"], match["letters"], line.number, is_open=is_open)
    return False
