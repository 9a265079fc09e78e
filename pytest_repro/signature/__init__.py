"""Failure text to Signature, and when two signatures are the same failure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Any

from pytest_repro.model import Frame, Signature
from pytest_repro.signature.messages import (
    MESSAGE_LIMIT,
    normalise_message,
    without_folders_below,
    without_temporary,
)

__all__ = [
    "CRASH_MESSAGE",
    "HANG_MESSAGE",
    "MESSAGE_LIMIT",
    "TRUNCATED_MESSAGE",
    "differences",
    "make_signature",
    "normalise_file",
    "normalise_message",
    "same_failure",
    "signature_from_dict",
    "signature_to_dict",
]

CRASH_MESSAGE = "the worker process died"
"""Message of a failure that ended its process: nothing else is known for certain of any of these."""

HANG_MESSAGE = "hung"
"""Message of a failure that was ended from outside because it took too long."""

TRUNCATED_MESSAGE = 20
"""A message that was cut (by a terminal's width, by a log) must share at least so many characters."""

_MASK = "***"
_DEATH = re.compile(r"the (?:worker )?process died(?: with (?P<how>.+))?")
_TIMEOUT = re.compile(r"Timeout (?:>|\(>)")
_INSTALLED = re.compile(r"^.*?/(?:site|dist)-packages/")
_STANDARD_LIBRARY = re.compile(r"^.*?/lib/python3\.\d+/")


def normalise_file(file: str, *, root: str | None = None, temporary: str | None = None) -> str:
    """Returns a path that two machines, and two iterations, would agree on.

    Args:
        file: A path as a traceback shows it.
        root: The project's root, from which the path is told where it lies below it.
        temporary: The folder for the tests' temporary folders, where it is not pytest's usual one.
    """
    if temporary is not None:
        file = without_folders_below(temporary, file)
    path = file.replace("\\", "/")
    for pattern in (_INSTALLED, _STANDARD_LIBRARY):
        found = pattern.match(path)
        if found:
            return path[found.end() :]
    prefix = root.replace("\\", "/").rstrip("/") + "/" if root else ""
    path = path[len(prefix) :] if prefix and path.startswith(prefix) else path.removeprefix("./")
    # What a test has written itself has another path in each iteration.
    return without_temporary(path)


def make_signature(
    *,
    exception: str | None,
    message: str,
    frame: Frame | None = None,
    root: str | None = None,
    temporary: str | None = None,
) -> Signature:
    """Makes the signature of one failure.

    Args:
        exception: Name of the exception as shown, with or without its module.
        message: The message; its first line counts.
        frame: The deepest frame that pytest shows.
        root: The project's root, see `normalise_file`.
        temporary: Where temporary folders are made, see `normalise_file`.
    """
    # A timeout comes from outside, wherever the test is at that moment.
    is_timeout = _TIMEOUT.match(message.strip()) is not None
    return Signature(
        exception=exception,
        message=normalise_message(message, temporary=temporary),
        file=normalise_file(frame.file, root=root, temporary=temporary) if frame else None,
        function=frame.function if frame else None,
        statement=frame.statement if frame and not is_timeout else None,
    )


def same_failure(one: Signature, other: Signature) -> bool:
    """Tells whether two signatures name the same failure; what one of them does not know does not count."""
    return not differences(one, other)


def differences(one: Signature, other: Signature) -> tuple[str, ...]:
    """Names the fields in which two signatures contradict each other."""
    checks = {
        "exception": _same_exception(one.exception, other.exception),
        "message": _same_message(one.message, other.message),
        "file": _same_file(one.file, other.file),
        "function": _same_text(one.function, other.function),
        "statement": _same_text(one.statement, other.statement),
    }
    return tuple(name for name, agrees in checks.items() if not agrees)


def signature_to_dict(signature: Signature) -> dict[str, Any]:
    """Returns plain builtins for JSON and for a worker's channel."""
    return {
        "key": signature.key,
        "exception": signature.exception,
        "message": signature.message,
        "file": signature.file,
        "function": signature.function,
        "statement": signature.statement,
    }


def signature_from_dict(data: Mapping[str, Any]) -> Signature:
    """Reads what `signature_to_dict` wrote.

    Raises:
        KeyError: A field is missing.
    """
    return Signature(
        exception=data["exception"],
        message=data["message"],
        file=data["file"],
        function=data["function"],
        statement=data.get("statement"),
    )


def _same_exception(one: str | None, other: str | None) -> bool:
    if one is None or other is None:
        return True
    return one.rpartition(".")[2] == other.rpartition(".")[2]


def _same_message(one: str, other: str) -> bool:
    if one == other or not one or not other:
        return True
    death, other_death = _DEATH.fullmatch(one), _DEATH.fullmatch(other)
    if death and other_death:
        return _same_text(death["how"], other_death["how"])
    if HANG_MESSAGE in (one, other):
        # What a CI's log calls a timeout may be a hang here.
        return _TIMEOUT.match(one) is not None or _TIMEOUT.match(other) is not None
    if _MASK in one or _MASK in other:
        return _same_masked(one, other) or _same_masked(other, one)
    shorter, longer = sorted((one.rstrip(". …"), other.rstrip(". …")), key=len)
    return len(shorter) >= TRUNCATED_MESSAGE and longer.startswith(shorter)


def _same_masked(masked: str, other: str) -> bool:
    """A CI system has put its mask in place of something secret."""
    return re.fullmatch(".*".join(map(re.escape, masked.split(_MASK))), other) is not None


def _same_file(one: str | None, other: str | None) -> bool:
    if one is None or other is None:
        return True
    shorter, longer = sorted((PurePosixPath(one).parts, PurePosixPath(other).parts), key=len)
    return longer[len(longer) - len(shorter) :] == shorter


def _same_text(one: str | None, other: str | None) -> bool:
    return one is None or other is None or one == other
