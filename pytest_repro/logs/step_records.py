"""CircleCI's step output, as its API gives it: JSON records whose messages are the log."""

from __future__ import annotations

import json
from dataclasses import replace
from io import BytesIO

from pytest_repro.logs.formats import encoding_of
from pytest_repro.logs.sources import DAMAGES, LogSource

_MOST_BYTES = 64 << 20
_FIRST_BYTES = 4098
_BEGINS = ("[{", "[\n", "[ ", "[\r")
_BETWEEN = " \t\r\n,"


def records_as_text(source: LogSource) -> LogSource:
    """Returns a source of the messages where the file is such JSON, and the source itself otherwise.

    Where the JSON ends within a record, the source gives what comes before, and then tells so.
    """
    try:
        with source.open() as stream:
            first = stream.read(_FIRST_BYTES)
        start = _decoded(first, encoding_of(first))
        if not start.startswith(_BEGINS) or '"message"' not in start:
            return source
        with source.open() as stream:
            data = stream.read(_MOST_BYTES + 1)
    except (*DAMAGES, OSError):
        return source  # what is wrong with it is told when it is read
    if len(data) > _MOST_BYTES:
        return source
    messages, is_whole = _messages(_decoded(data, encoding_of(data)))
    if not messages:
        return source
    text = "".join(messages).encode("utf-8", "replace")
    return replace(source, open=lambda: BytesIO(text) if is_whole else _CutOff(text), size_bytes=len(text))


def _decoded(data: bytes, encoding: str) -> str:
    return data.decode(encoding, "replace").removeprefix("\ufeff")


def _messages(text: str) -> tuple[list[str], bool]:
    """Returns the messages, and whether they are all there are; none where these are other records."""
    decoder = json.JSONDecoder()
    messages: list[str] = []
    position = 1
    while True:
        while text[position : position + 1] and text[position] in _BETWEEN:
            position += 1
        if text.startswith("]", position):
            return messages, True
        try:
            record, position = decoder.raw_decode(text, position)
        except (ValueError, RecursionError):
            return messages, False
        if not isinstance(record, dict) or not isinstance(record.get("message"), str):
            return [], False
        messages.append(record["message"])


class _CutOff(BytesIO):
    """Bytes after which it is told that there should be more."""

    def read1(self, size: int | None = -1, /) -> bytes:
        piece = super().read1(size)
        if not piece and size:
            raise EOFError("the list of CircleCI's records ends within a record")
        return piece
