"""The lines in which pytest's short summary names failing tests, with their messages."""

from __future__ import annotations

from pytest_repro.logs.evidence import Mention
from pytest_repro.logs.nodeids import looks_like_nodeid, split_summary
from pytest_repro.logs.patterns import SHORT_LINE
from pytest_repro.logs.records import LogLine


class SummaryReader:
    """Reads `FAILED` and `ERROR` lines, one line after the other."""

    def __init__(self) -> None:
        self._unended: Mention | None = None

    @property
    def is_open(self) -> bool:
        """Whether the next line may be that of a message."""
        return self._unended is not None

    def go_on(self, line: LogLine, text: str) -> None:
        """Gives a message that began with an empty line, as numpy's do, its first words."""
        unended, self._unended = self._unended, None
        if unended is not None and text and line.number == unended.line + 1:
            unended.message = f"{unended.message} {text.strip()}"

    def read(self, line: LogLine, text: str, *, in_summary: bool) -> Mention | None:
        """Reads a line; None where it names no test.

        Args:
            line: The line.
            text: Its text without trailing space.
            in_summary: Whether the summary's title was read, and so a test may be named by its name alone.
        """
        match = SHORT_LINE.fullmatch(text)
        if match is None:
            return None
        nodeid, message = split_summary(match["rest"])
        if not looks_like_nodeid(nodeid) and not (in_summary and nodeid.startswith("::")):
            return None
        if not in_summary and "::" not in nodeid and not nodeid.endswith(".py"):
            return None
        mention = Mention(
            nodeid=nodeid,
            line=line.number,
            is_error=match["word"] == "ERROR",
            message=message,
            subtest=match["before"] or match["after"],
        )
        self._unended = mention if message and message.endswith(":") else None
        return mention
