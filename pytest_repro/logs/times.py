"""When jobs and steps began and ended, as the stamps say that CI systems put before each line."""

from __future__ import annotations

import re

from pytest_repro.logs.records import Found, LogLine, Times

_STAMP = re.compile(
    r"\[?(?P<stamp>\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d{1,9})?(?:Z|[+-]\d\d:?\d\d)|"
    r"\d\d:\d\d:\d\d(?:\.\d{1,6})?)"
)


class Span:
    """The first and the last line of a job or a step, as far as they have stamps."""

    __slots__ = ("_first", "last")

    def __init__(self) -> None:
        self._first: LogLine | None = None
        self.last: LogLine | None = None

    def begin(self, line: LogLine) -> None:
        """Takes the first line that has a stamp; others are only set as `last`, as each line of a log is."""
        self._first = self.last = line

    @property
    def times(self) -> Times | None:
        """The stamps of both, None where the lines have none."""
        first, last = _stamp(self._first), _stamp(self.last)
        return Times(first=first, last=last) if first is not None and last is not None else None


def _stamp(line: LogLine | None) -> Found | None:
    match = _STAMP.match(line.framed) if line is not None and line.framed is not None else None
    return Found(value=match["stamp"], line=line.number) if match is not None and line is not None else None
