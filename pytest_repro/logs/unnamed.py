"""Failures outside of any pytest session: a test module that cannot be imported, and GoogleTest."""

from __future__ import annotations

import re
from dataclasses import replace

from pytest_repro.logs.blocks import frame_of, read_block
from pytest_repro.logs.nodeids import is_test_file
from pytest_repro.logs.records import CiFailure, LogLine, Runner
from pytest_repro.model import Frame, Outcome, Stage

_TRACEBACK = "Traceback (most recent call last):"
_GTEST = re.compile(r"\[  FAILED  \] (?P<name>[\w/]+\.[\w/]+)(?:, where .*)?(?: \(\d+ ms(?: total)?\))?")
_GTEST_RUN = re.compile(r"\[ RUN      \] (?P<name>\S+)")
_GTEST_PLACE = re.compile(
    r"(?P<file>\S+\.\w{1,4})(?::(?P<line>\d+): Failure|\((?P<windows>\d+)\): error: .*)"
)
_LONGEST = 300


class UnnamedReader:
    """Reads, one line after the other, what is printed where no pytest session is open."""

    def __init__(self) -> None:
        self.failures: list[CiFailure] = []
        self._lines: list[str] | None = None
        self._start = 0
        self._words: set[str] = set()
        self._gtest_place: Frame | None = None
        self._gtest_names: set[str] = set()

    def feed(self, line: LogLine, *, in_session: bool) -> None:
        """Takes the next line; `in_session` says whether a pytest session is open."""
        text = line.text.rstrip()
        self._gtest(line, text)
        if "Executing [" in text or "Running " in text:
            self._words = set(re.findall(r"[\w./-]+\.py", text)) or self._words
        if text == _TRACEBACK and not in_session:
            self._lines = []
            self._start = line.number
        elif self._lines is not None:
            self._traceback_line(text)

    def _traceback_line(self, text: str) -> None:
        assert self._lines is not None
        self._lines.append(text)
        if text and not text[0].isspace():
            self._conclude(self._lines)
            self._lines = None
        elif len(self._lines) > _LONGEST:
            self._lines = None

    def _conclude(self, lines: list[str]) -> None:
        frames = [frame for one in lines if (frame := frame_of(one)) is not None]
        if not frames or frames[0].function != "<module>" or not is_test_file(frames[0].file):
            return
        if not self._words or not any(
            frames[0].file.endswith("/" + word) or frames[0].file == word for word in self._words
        ):
            return
        nodeid = max((word for word in self._words if frames[0].file.endswith(word)), key=len)
        facts = read_block([_TRACEBACK, *lines], test_file=nodeid)
        self.failures.append(
            CiFailure(
                nodeid=nodeid,
                line=self._start,
                outcome=Outcome.ERROR,
                stage=Stage.COLLECT,
                exception=facts.exception,
                message=facts.message,
                place=facts.place,
                test_place=facts.test_place,
                text=facts.text,
            )
        )

    def _gtest(self, line: LogLine, text: str) -> None:
        if text.startswith("[ RUN "):
            self._gtest_place = None
            return
        is_near = text.endswith(": Failure") or "): error: " in text
        place = _GTEST_PLACE.fullmatch(text) if is_near else None
        if place is not None:
            number = int(place["line"] or place["windows"])
            self._gtest_place = self._gtest_place or Frame(file=place["file"], line=number)
            return
        match = _GTEST.fullmatch(text) if text.startswith("[  FAILED  ]") else None
        if match is not None and match["name"] not in self._gtest_names:
            self._gtest_names.add(match["name"])
            # GoogleTest names no function: the test's own is the one around its checks.
            around = replace(self._gtest_place, function=match["name"]) if self._gtest_place else None
            self.failures.append(
                CiFailure(
                    nodeid=match["name"],
                    line=line.number,
                    outcome=Outcome.FAILED,
                    stage=Stage.CALL,
                    place=around,
                    test_place=around,
                    runner=Runner.GTEST,
                )
            )
