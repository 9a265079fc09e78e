"""Frames of plain builtins through a pipe between two processes of the same code."""

from __future__ import annotations

import marshal
import os
import struct
from collections.abc import Mapping
from typing import Any

_LENGTH = struct.Struct("=Q")


def write_frame(descriptor: int, frame: dict[str, Any]) -> None:
    """Writes one frame; what is no plain builtin is written as its `repr`.

    Raises:
        OSError: Nobody reads any more.
    """
    body = marshal.dumps(_plain(frame))
    rest = memoryview(_LENGTH.pack(len(body)) + body)
    while rest:
        rest = rest[os.write(descriptor, rest) :]


def read_frame(descriptor: int) -> dict[str, Any] | None:
    """Reads one frame, or returns None where the writer ended before its end."""
    head = _read(descriptor, _LENGTH.size)
    if head is None:
        return None
    body = _read(descriptor, _LENGTH.unpack(head)[0])
    if body is None:
        return None
    frame: dict[str, Any] = marshal.loads(body)
    return frame


def _read(descriptor: int, size: int) -> bytes | None:
    parts = []
    while size:
        part = os.read(descriptor, min(size, 1 << 20))
        if not part:
            return None
        parts.append(part)
        size -= len(part)
    return b"".join(parts)


def _plain(value: Any) -> Any:
    if value is None or type(value) in (str, int, float, bool, bytes):
        return value
    if isinstance(value, Mapping):
        return {_plain(key): _plain(item) for key, item in value.items()}
    if isinstance(value, tuple):
        return tuple(_plain(item) for item in value)
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return str(value) if isinstance(value, str) else repr(value)
