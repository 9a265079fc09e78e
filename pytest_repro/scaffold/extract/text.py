"""Source cut along its syntax tree: what is kept stays as it was written, comments and all."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


@dataclass(frozen=True, slots=True, kw_only=True)
class Edit:
    """A stretch of the source, in bytes of UTF-8, and what comes in its place."""

    start: int
    end: int
    text: str


class Source:
    """The text of a module, addressed as the syntax tree addresses it.

    Args:
        text: The whole text.

    Raises:
        SyntaxError: It is no Python of this interpreter.
    """

    def __init__(self, text: str) -> None:
        self.tree = ast.parse(text)
        self._bytes = text.encode("utf-8")
        self._starts = [0]
        for line in self._bytes.splitlines(keepends=True):
            self._starts.append(self._starts[-1] + len(line))

    def offset(self, line: int, column: int = 0) -> int:
        """Returns the place of a 1-based line and a column in bytes."""
        return self._starts[min(line - 1, len(self._starts) - 1)] + column

    def span(self, node: ast.expr) -> tuple[int, int]:
        """Returns where an expression begins and ends."""
        return (
            self.offset(node.lineno, node.col_offset),
            self.offset(node.end_lineno or node.lineno, node.end_col_offset or 0),
        )

    def segment(self, node: ast.expr) -> str:
        """Returns the text of an expression."""
        start, end = self.span(node)
        return self._bytes[start:end].decode("utf-8")

    def lines(self, first: int, last: int, edits: Iterable[Edit] = ()) -> str:
        """Returns whole lines, 1-based and inclusive, with the edits that lie in them made."""
        start, end = self.offset(first), self.offset(last + 1)
        pieces = []
        for edit in sorted(edits, key=lambda each: each.start):
            if start <= edit.start and edit.end <= end:  # one inside of another is dropped with it
                pieces += [self._bytes[start : edit.start].decode("utf-8"), edit.text]
                start = edit.end
        pieces.append(self._bytes[start:end].decode("utf-8"))
        return "".join(pieces)

    def line(self, number: int) -> str:
        """Returns one 1-based line without its end."""
        return self.lines(number, number).rstrip("\n")


def first_line(node: ast.stmt) -> int:
    """Returns the line on which a statement begins, with its decorators."""
    decorators = node.decorator_list if isinstance(node, Definition) else []
    return min([node.lineno, *(each.lineno for each in decorators)])


def last_line(node: ast.stmt) -> int:
    """Returns the line on which a statement ends."""
    return node.end_lineno or node.lineno


def removal(source: Source, node: ast.stmt, siblings: Sequence[ast.stmt]) -> Edit | None:
    """Returns the edit that takes a statement out of a body; None where it shares a line with another one."""
    first, last = first_line(node), last_line(node)
    for other in siblings:
        if other is not node and first_line(other) <= last and last_line(other) >= first:
            return None
    before = max((last_line(each) for each in siblings if last_line(each) < first), default=0)
    # With the comments right above it, and the blank lines behind it where others stand before it.
    while first - 1 > before and source.line(first - 1).lstrip().startswith("#"):
        first -= 1
    after = min((first_line(each) for each in siblings if first_line(each) > last), default=0)
    is_apart = not before or not source.line(first - 1).strip()
    while is_apart and after and last + 1 < after and not source.line(last + 1).strip():
        last += 1
    return Edit(start=source.offset(first), end=source.offset(last + 1), text="")
