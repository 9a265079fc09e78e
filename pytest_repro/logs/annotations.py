"""What annotation plugins print of a failing test: its name and the error, with or without its file."""

from __future__ import annotations

import re
from dataclasses import replace

from pytest_repro.logs.evidence import Mention
from pytest_repro.logs.records import LogLine
from pytest_repro.model import Frame

_NAMED = re.compile(r"(?:##\[error\]|Error: |::error [^:]*::)(?P<name>test\w*(?:\[.*\])?)")
_WHOLE = re.compile(
    r"::error file=(?P<file>[^,:]+),line=(?P<line>\d+)(?:,[^:]*)?::"
    r"(?P<name>test\S*?)%0A%0A(?P<message>.*?)(?:%0A.*)?"
)
_ERROR = re.compile(r"[A-Za-z_][\w.]*(?:Error|Exception|Failed|Warning)\b.*|assert .*")
_MOST_LINES = 3


class AnnotationReader:
    """Reads annotations, one line after the other."""

    def __init__(self) -> None:
        self._waiting: Mention | None = None

    def feed(self, line: LogLine, text: str) -> Mention | None:
        """Takes the next line; returns what it completes, None where it completes nothing."""
        if text.startswith("::error file=") and (whole := _WHOLE.fullmatch(text)) is not None:
            return Mention(
                nodeid=f"{whole['file']}::{whole['name']}",
                line=line.number,
                message=whole["message"],
                place=Frame(file=whole["file"], line=int(whole["line"])),
            )
        named = _NAMED.fullmatch(text) if "rror" in text else None
        if named is not None:
            self._waiting = Mention(nodeid=named["name"], line=line.number)
            return None
        waiting = self._waiting
        if waiting is None or not text:
            return None
        self._waiting = None
        is_near = line.number - waiting.line <= _MOST_LINES
        return replace(waiting, message=text) if is_near and _ERROR.fullmatch(text) else None
