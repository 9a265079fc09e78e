"""The heads under which unittest, trial and nose2 print a failure."""

from __future__ import annotations

import re
from dataclasses import replace

from pytest_repro.logs.evidence import Block, Mention
from pytest_repro.logs.patterns import METHOD, UNITTEST_HEAD
from pytest_repro.logs.records import Runner

_NARROWEST_RULE = 60
_MOST_LINES_BELOW_RULE = 2
_FIRST_WORDS = ("=", "FAIL", "ERROR", "[FAIL]", "[ERROR]")
_NAME = re.compile(r" *(?P<name>test\w* \([\w.]+\))")
_RESULT = re.compile(
    rf"(?:{_NAME.pattern}|(?! *test\w* \().*) \.\.\. "
    r"(?P<word>FAIL|FAILED|ERROR|unexpected success)(?: \([\d.]+s\))?"
)
_TRIAL_HEAD = re.compile(r"\[(?P<word>FAIL|ERROR)\]")
_TRIAL_NAME = re.compile(r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)+")


class HeadReader:
    """Finds heads, one line after the other.

    A head stands below a rule of `=`. Where that rule was cut off, or another line has come between, the rule
    of `-` below the head tells it.
    """

    def __init__(self) -> None:
        self._rule = 0
        self._waiting: Block | None = None

    def feed(self, number: int, text: str, *, is_shown: bool) -> Block | None:
        """Takes the next line; returns the block that it opens.

        Args:
            number: 1-based line.
            text: The line without trailing space.
            is_shown: Whether pytest is showing failures, with what they have printed.
        """
        if not self._rule and self._waiting is None and not text.startswith(_FIRST_WORDS):
            return None
        waiting, self._waiting = self._waiting, None
        if is_rule(text, "="):
            self._rule = number
            return None
        if waiting is not None and is_rule(text, "-"):
            waiting.add(text)
            return waiting
        if not text:
            return None
        is_below = bool(self._rule) and number - self._rule <= _MOST_LINES_BELOW_RULE
        self._rule = 0
        opened = _block(number, text)
        if opened is None or is_below or (opened.is_named_below and not is_shown):
            return opened
        if not is_shown and text.startswith(_FIRST_WORDS) and METHOD.fullmatch(opened.name):
            self._waiting = opened
        return None


class ResultReader:
    """Reads the lines of `-v`, in which a test's own sentence may stand between its name and its result."""

    def __init__(self) -> None:
        self._documented: Mention | None = None

    def feed(self, number: int, text: str) -> Mention | None:
        """Takes the next line; returns the failing test that it names.

        Args:
            number: 1-based line.
            text: The line without trailing space.
        """
        documented, self._documented = self._documented, None
        if " ... " in text:
            result = _RESULT.fullmatch(text)
            if result is None:
                return None
            is_error = result["word"] == "ERROR"
            if result["name"] is not None:
                return Mention(nodeid=result["name"], line=number, is_error=is_error)
            if documented is not None and documented.line == number - 1:
                return replace(documented, is_error=is_error)
        elif text.endswith(")") and (name := _NAME.fullmatch(text)) is not None:
            self._documented = Mention(nodeid=name["name"], line=number)
        return None


def _block(number: int, text: str) -> Block | None:
    trial = _TRIAL_HEAD.fullmatch(text)
    if trial is not None:
        is_error = trial["word"] == "ERROR"
        return Block(line=number, name="", is_error=is_error, runner=Runner.UNITTEST, is_named_below=True)
    match = UNITTEST_HEAD.fullmatch(text)
    if match is None:
        return None
    name = match["name"] or match["other"]
    return Block(line=number, name=name, is_error=match["word"] == "ERROR", runner=Runner.UNITTEST)


def is_rule(text: str, character: str) -> bool:
    """Says whether a line is a rule as wide as unittest draws them."""
    return len(text) > _NARROWEST_RULE and set(text) == {character}


def named_blocks(block: Block) -> list[Block]:
    """Gives a block of trial the name below its text: one block for each of the tests that failed so."""
    if not block.is_named_below:
        return [block]
    end = len(block.lines)
    while end and (not block.lines[end - 1].strip() or is_rule(block.lines[end - 1], "-")):
        end -= 1
    start = end
    while start and _TRIAL_NAME.fullmatch(block.lines[start - 1]):
        start -= 1
    return [replace(block, name=name, lines=block.lines[:start]) for name in block.lines[start:end]]
