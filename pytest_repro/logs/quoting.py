"""Prefixes too common to be taken for one on sight: indentation, quote marks, container names, local times.

Nearly every line of a window has to carry such a prefix, a line that only a test runner prints has to stand
behind it, and none of those may stand at the beginning of a line. So the output of a test that shows
another session, indented, is left as it is.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

_ENOUGH = 0.8
"""Share of the lines that begin with the prefix; an issue's first line often lost its indentation."""

_TELLTALE = re.compile(
    r"[=_\u2015]{3,} \S.* [=_\u2015]{3,}|E {3,7}\S|(?:FAILED|ERROR) \S+\.py\b|\[gw\d+\] "
    r"|(?:FAIL|ERROR): \w+ \(|\[  FAILED  \] |Traceback \(most recent call last\):|\+{5,} Timeout \+{5,}"
    r"|platform \w+ -- Python \d|Timeout \(\d+:\d\d:\d\d(?:\.\d+)?\)!$"
    r"|(?:\S+\.py |collecting \.\.\. )?(?:Windows fatal exception: |Fatal Python error: )"
    r"|\S+\.py(?:::\S+ (?:PASSED|FAILED|ERROR)| [.FEsxX]+(?:\s|$))"
    r"|\w+ \([\w.]+\) \.\.\. (?:ok|FAIL|ERROR)"
)
_HINTS = (
    "===",
    "___",
    "\u2015\u2015",
    "+++",
    "E   ",
    "FAIL",
    "ERROR",
    "Traceback",
    "atal",
    ".py",
    "gw",
    "plat",
    "Time",
    "ok",
)

_DATE = r"\d{4}[-/]\d\d[-/]\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d{1,9})?"
_TIMES = (
    re.compile(rf"\[?{_DATE}(?:Z|[+-]\d\d:?\d\d)\]?(?: |$)"),
    re.compile(r"\[?\d\d:\d\d:\d\d(?:\.\d{1,6})?\]?  ?"),
    re.compile(r"\[ {0,6}\d{1,6}s\] "),
)
"""Prefixes that are known on sight, here inside of others."""
_PREFIXES = (
    re.compile(rf"\[{_DATE}\](?: |$)|{_DATE}:?(?: |$)"),  # a time of no zone
    re.compile(r"[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d \S{1,80} [^\s:]{1,80}: ?"),  # syslog and journald
    re.compile(r"\d{1,6}\.\d{1,3}(?: |$)"),  # BuildKit's seconds, copied without the number of its step
    re.compile(r"\[(?P<branch>[^\]]{1,80})\] *\|(?: |$)"),  # act
    re.compile(r"(?P<branch>[\w./-]{1,80}) *\|(?: |$)"),  # docker compose and the like
    re.compile(r"\|(?: |$)"),
    re.compile(r">(?: |$)"),  # a quotation in a message
)


class QuotingFinder:
    """Looks for a prefix in one window of lines.

    Args:
        texts: The lines; None stands for one that is no line of its own.
    """

    def __init__(self, texts: Sequence[str | None]) -> None:
        self._lines = [text for text in texts if text]
        together = "\n".join(self._lines)
        # Most windows of a long log hold few of the hints: the others need not be looked for in each line.
        self._hints = tuple(hint for hint in _HINTS if hint in together)

    def has_telltale(self) -> bool:
        """Whether a line begins as only the output of a test runner does."""
        return any(map(_TELLTALE.match, self._hinting()))

    def find(self) -> re.Pattern[str] | None:
        """Returns the prefix that these lines carry, None where they carry none."""
        shown: dict[str, re.Pattern[str]] = {}
        for line in self._hinting():
            if _is_inner(line):
                return None
            for pattern in _candidates(line):
                shown.setdefault(pattern.pattern, pattern)
        lines = [line for line in self._lines if not line.isspace()] if shown else []
        for pattern in sorted(shown.values(), key=lambda one: len(one.pattern)):
            if sum(pattern.match(line) is not None for line in lines) >= _ENOUGH * len(lines):
                return pattern
        return None

    def _hinting(self) -> Iterator[str]:
        hints = self._hints
        if not hints:
            return
        for line in self._lines:
            for hint in hints:
                if hint in line:
                    yield line
                    break


def _is_inner(text: str) -> bool:
    """Whether a line is a test runner's, perhaps behind a time of its own."""
    return (any(hint in text for hint in _HINTS) and _TELLTALE.match(text) is not None) or any(
        match is not None and _TELLTALE.match(text, match.end())
        for match in (one.match(text) for one in _TIMES)
    )


def _candidates(line: str) -> list[re.Pattern[str]]:
    found = []
    bare = line.lstrip(" \t")
    if bare != line and _is_inner(bare):
        found.append(re.compile(re.escape(line[: len(line) - len(bare)])))
    for pattern in _PREFIXES:
        match = pattern.match(line)
        if match is not None and _is_inner(line[match.end() :]):
            found.append(pattern)
    return found
