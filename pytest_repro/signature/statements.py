"""The statement that failed, as its source says it: on one line, without comments."""

from __future__ import annotations

import re
from collections.abc import Sequence

STATEMENT_LIMIT = 300
"""Characters of a statement that count."""

LONGEST_STATEMENT = 200
"""Lines after the failing one that are read in search of the statement's end."""

# A quote inside the braces of an f-string, which Python allows from 3.12 on, ends the string here. That
# changes nothing but where spaces count.
_PIECE = re.compile(
    r"""
    (?P<string>\"{3}(?:[^\\]|\\.)*?\"{3}|'{3}(?:[^\\]|\\.)*?'{3}|"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*')
    |(?P<comment>\#[^\n]*)
    |(?P<joined>\\\r?\n)
    |(?P<newline>\n)
    |(?P<space>[^\S\n]+)
    |(?P<open>[(\[{])
    |(?P<close>[)\]}])
    |(?P<other>[^\s\\\#"'()\[\]{}]+|.)
    """,
    re.VERBOSE | re.DOTALL,
)
_BEGINS_STATEMENT = re.compile(r"(?:assert|raise|return|del|import|with|while)\b")


def statement_at(lines: Sequence[str], index: int) -> str | None:
    """Returns the whole statement that a line of source belongs to.

    Args:
        lines: Source from the first line of a function, or of anything that begins with a statement.
        index: 0-based number of the line.

    Returns:
        At most `STATEMENT_LIMIT` characters, of a block its head; None where there is no statement.
    """
    text = "\n".join(line.rstrip("\r\n") for line in lines[: index + LONGEST_STATEMENT]) + "\n"
    reading = _Reading()
    line = first = depth = 0
    for piece in _PIECE.finditer(text):
        kind = piece.lastgroup
        if kind == "newline" and depth <= 0:
            if first <= index <= line:
                return reading.text or None
            reading = _Reading()
            first, depth = line + 1, 0
        else:
            depth += (kind == "open") - (kind == "close")
            reading.add(str(kind), piece[0])
        line += piece[0].count("\n")
    # Never closed: too long to be read to its end, or no Python.
    return reading.text if first <= index <= line and len(reading.text) == STATEMENT_LIMIT else None


def statement_of_line(line: str) -> str | None:
    """Returns the statement on a line of which nothing else is known, None where it may be a part of one."""
    statement = statement_at([line], 0)
    return statement if statement and _BEGINS_STATEMENT.match(statement) else None


class _Reading:
    """A statement of which each piece is added in turn."""

    def __init__(self) -> None:
        self._pieces: list[str] = []
        self._is_gap = self._is_break = self._is_open = False

    @property
    def text(self) -> str:
        return "".join(self._pieces)[:STATEMENT_LIMIT].rstrip()

    def add(self, kind: str, piece: str) -> None:
        if kind in ("comment", "joined", "newline", "space"):
            self._is_gap = True
            self._is_break = self._is_break or kind == "newline"
            return
        if kind == "close":
            if self._is_break and self._pieces[-1:] and self._pieces[-1].endswith(","):
                self._pieces[-1] = self._pieces[-1][:-1]
        elif self._is_gap and self._pieces and not self._is_open:
            self._pieces.append(" ")
        self._pieces.append(re.sub(r"\s*\n\s*", " ", piece) if kind == "string" else piece)
        self._is_gap = self._is_break = False
        self._is_open = kind == "open"
