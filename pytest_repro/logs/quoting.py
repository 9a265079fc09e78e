"""Prefixes too common to be taken for one on sight: indentation, quote marks, container names, local times.

Nearly every line of a window has to carry such a prefix, a line that only a test runner prints has to stand
behind it, and none of those may stand at the beginning of a line. So the output of a test that shows
another session, indented, is left as it is.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

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
    re.compile(r"\[[^\]]{1,80}\] *\|(?: |$)"),  # act
    re.compile(r"[\w./-]{1,80} *\|(?: |$)"),  # docker compose and the like
    re.compile(r"\|(?: |$)"),
    re.compile(r">(?: |$)"),  # a quotation in a message
)


def is_telltale(text: str) -> bool:
    """Whether a line begins as only the output of a test runner does."""
    return any(hint in text for hint in _HINTS) and _TELLTALE.match(text) is not None


def _is_inner(text: str) -> bool:
    """Whether a line is a test runner's, perhaps behind a time of its own."""
    return is_telltale(text) or any(
        match is not None and _TELLTALE.match(text, match.end())
        for match in (one.match(text) for one in _TIMES)
    )


def find_quoting(texts: Sequence[str | None]) -> re.Pattern[str] | None:
    """Returns the prefix that these lines carry, None where they carry none."""
    lines = [text for text in texts if text and not text.isspace()]
    shown: dict[str, re.Pattern[str]] = {}
    for line in lines:
        if any(hint in line for hint in _HINTS):
            if _is_inner(line):
                return None
            for pattern in _candidates(line):
                shown.setdefault(pattern.pattern, pattern)
    for pattern in sorted(shown.values(), key=lambda one: len(one.pattern)):
        if sum(pattern.match(line) is not None for line in lines) >= _ENOUGH * len(lines):
            return pattern
    return None


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
