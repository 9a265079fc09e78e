"""Test sessions within what a test has printed: how their lines are told from those of the session around."""

from __future__ import annotations

import re

from pytest_repro.logs.patterns import BOUNDARY, FINAL, HEADER, TITLE

RESULTS = frozenset({"FAILURES", "ERRORS", "RERUNS", "PASSES", "XFAILURES", "XPASSES"})
"""Titles of the sections in which pytest shows tests, with what these have printed."""

_CAPTURED = re.compile(r"-{3,} ?Captured .*")
_NARROWEST_TITLE = 40
_SHORTEST_FILL = re.compile(r"([_=]) [^_=\s].* \1")
"""What pytest draws around a name that does not fit into the terminal."""
_WIDTH_TOLERANCE = 4
"""Characters by which the rules of one terminal differ, wide characters counted as one."""


class Nesting:
    """Follows, one line after the other, whether a line is pytest's own or was printed by a test.

    Attributes:
        is_captured: Whether the lines are what a test has printed.
    """

    def __init__(self) -> None:
        self.is_captured = False
        self._width = 0
        self._depth = 0
        self._inner_shows_tests = False
        self._inner_is_odd = False

    def leave(self) -> None:
        """Ends what a test has printed."""
        self.is_captured = False
        self._depth = 0

    def enter_section(self, text: str) -> None:
        """Takes a title of pytest's own: its width is that of the terminal."""
        self.leave()
        self._width = len(text)

    def watch(self, text: str) -> None:
        """Takes a line of a section that shows tests."""
        if text.startswith("---") and _CAPTURED.match(text):
            self.is_captured = True

    def is_printed(self, text: str) -> bool:
        """Tells a rule that a test has printed from pytest's own, which are as wide as the terminal."""
        return self.is_captured and self.is_odd(text)

    def is_odd(self, text: str) -> bool:
        """Whether a rule has another width than the terminal, where that is known."""
        if self._width <= _NARROWEST_TITLE or abs(len(text) - self._width) <= _WIDTH_TOLERANCE:
            return False
        return len(text) < self._width or _SHORTEST_FILL.fullmatch(text) is None

    def holds(self, text: str, section: str) -> bool:
        """Takes the next line; returns whether it belongs to a session that a test has run."""
        if not self.is_captured:
            return False
        title = _title(text)
        if title == "test session starts" or (not self._depth and _is_out_of_turn(title, section)):
            self._inner_is_odd = self.is_odd(text) and (self._inner_is_odd or not self._depth)
            self._depth += 1
            self._inner_shows_tests = title in RESULTS
            return True
        if not self._depth:
            return False
        if BOUNDARY.fullmatch(text) or self._is_cut_off(text):
            self._depth = 0
            return False
        self._inner_shows_tests = self._inner_shows_tests or title in RESULTS
        if FINAL.fullmatch(text):
            self._depth -= 1
        return True

    def _is_cut_off(self, text: str) -> bool:
        """An inner session without a last line has ended where what only a shown test has comes too early."""
        if abs(len(text) - self._width) > _WIDTH_TOLERANCE:
            return False
        if self._inner_is_odd:  # whatever is as wide as the terminal is not its own
            return bool(HEADER.fullmatch(text) or TITLE.fullmatch(text))
        if self._inner_shows_tests:
            return False
        return bool(_CAPTURED.match(text) or HEADER.fullmatch(text))


def _title(text: str) -> str | None:
    match = TITLE.fullmatch(text) if text.startswith("=") else None
    return match["title"].strip() if match else None


def _is_out_of_turn(title: str | None, section: str) -> bool:
    """Errors are shown first, then failures, each once: another such title is that of an inner session."""
    if title == "FAILURES":
        return section in RESULTS and section != "ERRORS"
    return title == "ERRORS" and section in RESULTS
