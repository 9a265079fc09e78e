"""Failure text to Signature, and when two signatures are the same failure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Any

from pytest_repro.model import Frame, Signature

MESSAGE_LIMIT = 300
"""Characters of a message that count: the rest is data, not meaning."""

TRUNCATED_MESSAGE = 20
"""A message that was cut (by a terminal's width, by a log) must share at least so many characters."""


_TMP = "<tmp>"

# In this order: an address is a number too, and a temporary path holds numbers.
_CHANGING: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]"), ""),
    (
        re.compile(r"(?:[A-Za-z]:)?[/\\][^\s'\"<>]*?pytest-of-[^/\\\s'\"]+[/\\]pytest-\d+[/\\][^/\\\s'\"]+"),
        "<tmp>",
    ),
    (re.compile(r"(?<![\w.])/(?:var/folders/[^\s'\":,)]+|(?:var/)?tmp/[^\s'\":,)/]+)"), _TMP),
    (re.compile(r"\b[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}\b"), "<uuid>"),
    (re.compile(r"\b\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:[.,]\d+)?)?(?:Z|[+-]\d\d:?\d\d)?)?"), "<time>"),
    (re.compile(r"\b\d\d:\d\d:\d\d(?:[.,]\d+)?\b"), "<time>"),
    (re.compile(r"\b0[xX][0-9a-fA-F]+\b"), "<n>"),
    (re.compile(r"\b(?=[0-9a-f]*[a-f])(?=[0-9a-f]*\d)[0-9a-f]{7,}\b"), "<id>"),
    (re.compile(r"[-+]?(?<![\d.])\d+(?:[.,_]\d+)*(?:[eE][-+]?\d+)?"), "<n>"),
    (re.compile(r"(?:<n>[\s,]+){2,}<n>"), "<n>, ..."),
    (re.compile(r"\s+"), " "),
)

_INSTALLED = re.compile(r"^.*?/(?:site|dist)-packages/")
_STANDARD_LIBRARY = re.compile(r"^.*?/lib/python3\.\d+/")


def normalise_message(message: str) -> str:
    """Returns the first line of a message without what changes from run to run.

    Addresses, numbers, times, ids and temporary paths become placeholders, so that the same bug in two
    iterations, two processes or two machines reads the same.
    """
    text = message.strip().partition("\n")[0][: 4 * MESSAGE_LIMIT]
    for pattern, replacement in _CHANGING:
        text = pattern.sub(replacement, text)
    return text.strip()[:MESSAGE_LIMIT]


def normalise_file(file: str, *, root: str | None = None) -> str:
    """Returns a path that two machines would agree on.

    Args:
        file: A path as a traceback shows it.
        root: The project's root, from which the path is told where it lies below it.
    """
    path = file.replace("\\", "/")
    for pattern in (_INSTALLED, _STANDARD_LIBRARY):
        found = pattern.match(path)
        if found:
            return path[found.end() :]
    prefix = root.replace("\\", "/").rstrip("/") + "/" if root else ""
    return path[len(prefix) :] if prefix and path.startswith(prefix) else path.removeprefix("./")


def make_signature(
    *, exception: str | None, message: str, frame: Frame | None = None, root: str | None = None
) -> Signature:
    """Makes the signature of one failure.

    Args:
        exception: Name of the exception as shown, with or without its module.
        message: The message; its first line counts.
        frame: The deepest frame that pytest shows.
        root: The project's root, see `normalise_file`.
    """
    return Signature(
        exception=exception,
        message=normalise_message(message),
        file=normalise_file(frame.file, root=root) if frame else None,
        function=frame.function if frame else None,
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
        "function": not (one.function and other.function) or one.function == other.function,
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
    }


def signature_from_dict(data: Mapping[str, Any]) -> Signature:
    """Reads what `signature_to_dict` wrote.

    Raises:
        KeyError: A field is missing.
    """
    return Signature(
        exception=data["exception"], message=data["message"], file=data["file"], function=data["function"]
    )


def _same_exception(one: str | None, other: str | None) -> bool:
    if one is None or other is None:
        return True
    return one.rpartition(".")[2] == other.rpartition(".")[2]


def _same_message(one: str, other: str) -> bool:
    if one == other or not one or not other:
        return True
    shorter, longer = sorted((one.rstrip(". …"), other.rstrip(". …")), key=len)
    return len(shorter) >= TRUNCATED_MESSAGE and longer.startswith(shorter)


def _same_file(one: str | None, other: str | None) -> bool:
    if one is None or other is None:
        return True
    shorter, longer = sorted((PurePosixPath(one).parts, PurePosixPath(other).parts), key=len)
    return longer[len(longer) - len(shorter) :] == shorter
