"""From an exception that ended a stage to its signature: the place that pytest shows, and its source."""

from __future__ import annotations

import linecache
import os
import re
from dataclasses import dataclass
from functools import lru_cache
from types import CodeType
from typing import Any

import pytest

from pytest_repro.model import Frame, Signature
from pytest_repro.signature import MESSAGE_LIMIT, make_signature
from pytest_repro.signature.statements import statement_at

_MOST_CHAINED = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Raised:
    """An exception that ended a stage.

    Attributes:
        signature: Made from the deepest frame that pytest would show.
        message: As it was.
    """

    signature: Signature
    message: str


def base_folder(config: pytest.Config) -> str | None:
    """Returns the folder that `--basetemp` names for the tests' temporary folders, of all workers."""
    given = config.getoption("basetemp", None)
    # A worker is given a folder of its own below.
    return re.sub(r"[/\\]popen-gw\d+$", "", os.path.realpath(given)) if given else None


def raised_of(
    excinfo: pytest.ExceptionInfo[BaseException], *, root: str, temporary: str | None = None
) -> Raised:
    """Returns signature and message of an exception.

    Args:
        excinfo: The exception.
        root: The project's root.
        temporary: See `base_folder`.
    """
    kind = excinfo.type
    name = kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"
    if isinstance(excinfo.value, pytest.FixtureLookupError):
        # pytest shows the function that asks for the fixture, and its own words.
        shown = excinfo.value.formatrepr()
        message = shown.errorstring
        frame: Frame | None = Frame(file=os.fspath(shown.filename), line=shown.firstlineno + 1)
    else:
        message = message_of(excinfo.value)
        frame = _deepest_shown(excinfo)
    signature = make_signature(exception=name, message=message, frame=frame, root=root, temporary=temporary)
    return Raised(signature=signature, message=message)


def first_line(message: str) -> str:
    """Returns the first line of a message, cut where no terminal would show more."""
    return message.strip().partition("\n")[0][:MESSAGE_LIMIT]


def chain_of(error: BaseException) -> str:
    """Returns types and messages of an exception, of its parts, and of those that led to it."""
    lines: list[str] = []
    waiting, seen = [error], set[int]()
    while waiting and len(lines) < _MOST_CHAINED:
        one = waiting.pop()
        if id(one) in seen:
            continue
        seen.add(id(one))
        lines.append(f"{type(one).__name__}: {message_of(one)}")
        lines += [str(note) for note in getattr(one, "__notes__", ())]
        before = one.__cause__ or (None if one.__suppress_context__ else one.__context__)
        waiting += [part for part in (before, *getattr(one, "exceptions", ())) if part is not None]
    return "\n".join(lines)


def message_of(error: BaseException) -> str:
    """Returns the message of an exception, also where it cannot be printed."""
    try:
        return str(error)
    except Exception as problem:  # noqa: BLE001  a user's __str__ may raise anything
        return f"<message not printable: {type(problem).__name__}>"


def _deepest_shown(excinfo: pytest.ExceptionInfo[BaseException]) -> Frame | None:
    entries = list(excinfo.traceback)
    # The methods of unittest's own test case hide behind a name in their module.
    shown = [one for one in entries if not (one.ishidden(excinfo) or "__unittest" in one.frame.f_globals)]
    if not entries:
        return None
    deepest = (shown or entries)[-1]
    line = deepest.lineno + 1
    statement = _statement_in(deepest.frame.code.raw, line, module=deepest.frame.f_globals)
    return Frame(file=str(deepest.path), line=line, function=deepest.name, statement=statement)


def _statement_in(code: CodeType, line: int, *, module: dict[str, Any]) -> str | None:
    """Returns the statement on a 1-based line of a file, None where its source is not available."""
    # The module knows how to read itself out of an archive.
    linecache.lazycache(code.co_filename, module)
    return _statement(code.co_filename, code.co_firstlineno, line)


@lru_cache(maxsize=1024)
def _statement(file: str, first: int, line: int) -> str | None:
    """Remembered: most failures of a stress run are raised at the same few places."""
    linecache.checkcache(file)
    lines = linecache.getlines(file)
    # Code that was made at run time may tell lines that its file does not have.
    return statement_at(lines[first - 1 :], line - first) if 1 <= first <= line <= len(lines) else None
