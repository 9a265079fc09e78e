"""The source that a traceback shows around a frame: which statement failed, in which function."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from pytest_repro.logs.secrets import is_masked
from pytest_repro.signature.statements import statement_at, statement_of_line

_INDENT = "    "
_MARK = ">"
_DEFINITION = re.compile(r"(?P<indent>\s*)(?:async\s+)?def\s+(?P<name>\w+)\s*\(")
_ARROWS = re.compile(r"[\s^~]+")
_FRAME = re.compile(r"(?!E\s)[^\s>].*:\d+:(?: |$)")
_RULES = ("_ _", "___", "---", "===")
_UNKNOWN = "???"


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownSource:
    """What the source beside a frame tells.

    Attributes:
        statement: The statement that failed, None where it is not shown whole.
        function: The function that it stands in, None where its head is not shown.
    """

    statement: str | None = None
    function: str | None = None


def source_above(lines: Sequence[str], index: int) -> ShownSource:
    """Reads pytest's long style: the function up to the failing statement, then the errors, then the frame.

    Args:
        lines: A traceback.
        index: 0-based number of the frame's line.
    """
    marked = index - 1
    while marked >= 0 and not lines[marked].startswith(_MARK):
        if not _may_stand_between(lines[marked]):
            return ShownSource()
        marked -= 1
    if marked < 0 or lines[marked][1:].strip() == _UNKNOWN:
        return ShownSource()
    first, end = marked, marked + 1
    while first > 0 and _is_source(lines[first - 1]):
        first -= 1
    while end < index and _is_source(lines[end]):
        end += 1
    shown = ["" if _ARROWS.fullmatch(line) else line.removeprefix(_MARK) for line in lines[first:end]]
    return ShownSource(statement=_unmasked(statement_at(shown, marked - first)), function=_function(shown))


def source_below(lines: Sequence[str], index: int) -> ShownSource:
    """Reads pytest's short style and Python's own: one line of source below the frame.

    Args:
        lines: A traceback.
        index: 0-based number of the frame's line.
    """
    below = lines[index + 1] if index + 1 < len(lines) else ""
    indented = below[:1].isspace() and below.strip() != _UNKNOWN
    return ShownSource(statement=_unmasked(statement_of_line(below)) if indented else None)


def _may_stand_between(line: str) -> bool:
    """Errors, local variables and the rest of a statement; not another frame and no rule between two."""
    return not line.startswith(_RULES) and not _FRAME.match(line)


def _is_source(line: str) -> bool:
    return not line.strip() or line.startswith(_INDENT)


def _function(shown: Sequence[str]) -> str | None:
    filled = [line for line in shown if line.strip()]
    found = next((match for line in filled if (match := _DEFINITION.match(line))), None)
    is_outermost = found is not None and len(filled[0]) - len(filled[0].lstrip()) == len(found["indent"])
    return found["name"] if found is not None and is_outermost else None


def _unmasked(statement: str | None) -> str | None:
    return None if statement is None or is_masked(statement) else statement
