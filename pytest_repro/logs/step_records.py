"""CircleCI's step output, as its API gives it: JSON records whose messages are the log."""

from __future__ import annotations

import json
from dataclasses import replace
from io import BytesIO
from typing import BinaryIO

from pytest_repro.logs.sources import DAMAGES, LogSource

_MOST_BYTES = 64 << 20
_BEGINS = (b"[{", b"[\n", b"[ ", b"[\r")


def records_as_text(source: LogSource) -> LogSource:
    """Returns a source of the messages where the file is such JSON, and the source itself otherwise."""
    try:
        with source.open() as stream:
            if not stream.read(2).startswith(_BEGINS) or b'"message"' not in stream.read(4096):
                return source
        with source.open() as stream:
            text = _messages(stream)
    except (*DAMAGES, OSError):
        return source  # what is wrong with it is told when it is read
    if text is None:
        return source
    return replace(source, open=lambda: BytesIO(text), size_bytes=len(text))


def _messages(stream: BinaryIO) -> bytes | None:
    data = stream.read(_MOST_BYTES + 1)
    if len(data) > _MOST_BYTES:
        return None
    try:
        records = json.loads(data)
    except (ValueError, RecursionError):
        return None
    if not isinstance(records, list) or not all(_is_message(record) for record in records):
        return None
    return "".join(record["message"] for record in records).encode("utf-8", "replace")


def _is_message(record: object) -> bool:
    return isinstance(record, dict) and isinstance(record.get("message"), str)
