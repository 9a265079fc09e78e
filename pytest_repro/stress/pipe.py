"""Frames of plain builtins through a pipe between two processes of the same code."""

from __future__ import annotations

import marshal
import os
import select
import struct
from collections.abc import Callable, Mapping
from typing import Any

_LOOK_S = 0.5
"""Time after which a silent writer is looked at."""

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


def read_frame(descriptor: int, *, is_alive: Callable[[], bool]) -> dict[str, Any] | None:
    """Reads one frame, or returns None where the writer ended before its end.

    Args:
        descriptor: Of the pipe.
        is_alive: Tells whether the writer still runs; the pipe alone does not, as a process that a test has
            started may hold its other end open.
    """
    head = _read(descriptor, _LENGTH.size, is_alive)
    if head is None:
        return None
    body = _read(descriptor, _LENGTH.unpack(head)[0], is_alive)
    if body is None:
        return None
    frame: dict[str, Any] = marshal.loads(body)
    return frame


def is_readable(descriptor: int, *, wait_s: float) -> bool:
    """Tells whether something can be read, or the end was reached; waits so long for it."""
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    return bool(poll.poll(wait_s * 1000))


def _read(descriptor: int, size: int, is_alive: Callable[[], bool]) -> bytes | None:
    parts = []
    while size:
        while not is_readable(descriptor, wait_s=_LOOK_S):
            # What it wrote before it ended is there: one more look without waiting tells.
            if not is_alive() and not is_readable(descriptor, wait_s=0):
                return None
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
