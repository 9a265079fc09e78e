"""What annotation plugins print of a failure: the test's name, an empty line, the error."""

from __future__ import annotations

from dataclasses import replace

from pytest_repro.logs.evidence import Mention
from pytest_repro.logs.patterns import ANNOTATED, ANNOTATION, ANNOTATION_LINES
from pytest_repro.logs.records import LogLine


class AnnotationReader:
    """Follows annotations, one line after the other."""

    def __init__(self) -> None:
        self._waiting: Mention | None = None

    def feed(self, line: LogLine, text: str) -> Mention | None:
        """Takes the next line; returns the failure that it completes."""
        match = ANNOTATION.fullmatch(text) if "rror" in text else None
        if match is not None:
            self._waiting = Mention(nodeid=match["name"], line=line.number)
            return None
        waiting = self._waiting
        if waiting is None or not text:
            return None
        self._waiting = None
        if line.number - waiting.line <= ANNOTATION_LINES and ANNOTATED.fullmatch(text):
            return replace(waiting, message=text)
        return None
