"""Lines that were written to look for a bug, and code that was commented out: told conservatively."""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

C_SUFFIXES = frozenset({".c", ".cc", ".cpp", ".cu", ".cuh", ".cxx", ".h", ".hh", ".hpp", ".hxx"})
SCRIPT_SUFFIXES = frozenset({".js", ".jsx", ".ts", ".tsx", ".mjs", ".vue"})

_DEBUGGERS = frozenset({"pdb", "ipdb", "pudb", "wdb", "rpdb", "debugpy", "icecream"})
_PRINTS = frozenset({"examples", "scripts", "tools", "benchmarks", "docs", "bin", "cli"})
"""Folders whose files print because that is what they are for."""

_C_PRINT = re.compile(r"^\s*(?:std::(?:cout|cerr)\b|(?:std::)?f?printf\s*\(|qDebug\b)")
_C_DEBUG = re.compile(
    r"__LINE__|__func__|__FUNCTION__|\"[^\"]*(?:\bdebug\b|\bhere\b|xxx|>>>|<<<|===|\*\*\*|!!!)", re.IGNORECASE
)
_C_COMMENTED = re.compile(
    r"^\s*//+\s*(?:(?:const|auto|return|static|delete|throw|if|for|while)\b.*|"
    r"[\w:<>,*&\s]*[\w\])>](?:\s*[-+*/|&]?=[^=].*|\s*(?:\.|->|::)\s*\w+.*|\s*\(.*\).*));\s*$"
)
_SCRIPT_DEBUG = re.compile(r"^\s*(?:console\.(?:log|debug|trace)\s*\(|debugger\s*;?\s*$)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Suspect:
    """A line that should not be in a change.

    Attributes:
        line: 1-based.
        what: What it is.
    """

    line: int
    what: str


def suspects(path: str, text: str, *, added: Collection[int], before: str | None) -> Iterator[Suspect]:
    """Yields lines that look forgotten.

    Args:
        path: Of the file.
        text: As it is now.
        added: Numbers of the lines that came, 1-based; only these are told.
        before: The file as it was, None for a new one: a file that printed before may print.
    """
    suffix = PurePosixPath(path).suffix.lower()
    if suffix == ".py":
        yield from _python(path, text, added=added, before=before)
    elif suffix in C_SUFFIXES:
        yield from _c(path, text, added)
    elif suffix in SCRIPT_SUFFIXES and not is_test(path):
        for number, line in _lines(text, added):
            if _SCRIPT_DEBUG.match(line):
                yield Suspect(line=number, what="debug output")


def is_test(path: str) -> bool:
    """Tells whether a file holds tests, or what tests share."""
    pure = PurePosixPath(path)
    is_named = pure.stem.startswith("test_") or pure.stem.endswith(("_test", ".test", ".spec"))
    return is_named or pure.name == "conftest.py" or bool({"test", "tests"} & set(pure.parts[:-1]))


def _python(path: str, text: str, *, added: Collection[int], before: str | None) -> Iterator[Suspect]:
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError):
        return
    may_print = is_test(path) or _prints(path, text, before)
    for node in ast.walk(tree):
        if getattr(node, "lineno", 0) not in added:
            continue
        what = _debugging(node)
        if what is None and not may_print and _is_plain_print(node):
            what = "print()"
        if what is not None:
            yield Suspect(line=getattr(node, "lineno", 0), what=what)
    yield from (one for one in _commented_python(text) if one.line in added)


def _prints(path: str, text: str, before: str | None) -> bool:
    """Tells whether printing is what a file does: it did so before, or is made to be started."""
    if before is not None and re.search(r"^\s*print\(", before, re.MULTILINE):
        return True
    parts = set(PurePosixPath(path).parts[:-1])
    is_program = PurePosixPath(path).stem in {"__main__", "setup", "cli"} or text.startswith("#!")
    return bool(parts & _PRINTS) or is_program or "__main__" in text


def _debugging(node: ast.AST) -> str | None:
    if isinstance(node, ast.Import):
        found = next((name.name for name in node.names if name.name.partition(".")[0] in _DEBUGGERS), None)
        return None if found is None else f"import {found}"
    if isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] in _DEBUGGERS:
        return f"import {node.module}"
    if not isinstance(node, ast.Call):
        return None
    called = ast.unparse(node.func)
    top, _, last = called.rpartition(".")
    is_debugger = called == "breakpoint" or (top in _DEBUGGERS and last in {"set_trace", "post_mortem"})
    return f"{called}()" if is_debugger or called == "ic" else None


def _is_plain_print(node: ast.AST) -> bool:
    is_print = isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print"
    return is_print and not any(keyword.arg == "file" for keyword in node.keywords)  # type: ignore[attr-defined]


def _commented_python(text: str) -> Iterator[Suspect]:
    """Yields comments that are code; one that ends with a colon introduces an example, which stays."""
    block: list[tuple[int, int, str]] = []
    for number, column, comment in [*_own_comments(text), (-1, -1, "")]:
        follows = block and number == block[-1][0] + 1 and column == block[-1][1]
        if block and not follows:
            yield from _code_in(block)
            block = []
        if number > 0:
            block.append((number, column, comment))


def _own_comments(text: str) -> list[tuple[int, int, str]]:
    """Returns line, column and text of the comments that have a line of their own."""
    lines = text.split("\n")
    found = []
    try:
        for token in tokenize.generate_tokens(io.StringIO(text).readline):
            row, column = token.start
            if token.type == tokenize.COMMENT and not lines[row - 1][:column].strip():
                found.append((row, column, token.string[1:]))
    except (tokenize.TokenError, SyntaxError):
        return []
    return found


def _code_in(block: Sequence[tuple[int, int, str]]) -> Iterator[Suspect]:
    texts = [comment.removeprefix(" ") for *_, comment in block]
    if len(texts) > 1 and _is_code("\n".join(texts), least=2):
        yield Suspect(line=block[0][0], what="commented-out code")
        return
    for place, (number, _, _) in enumerate(block):
        introduced = place > 0 and texts[place - 1].rstrip().endswith((":", ","))
        if not introduced and _is_code(texts[place].strip(), least=1):
            yield Suspect(line=number, what="commented-out code")


def _is_code(text: str, *, least: int) -> bool:
    """Tells whether a comment can be nothing but code: prose, lists of names and marks of tools are not."""
    try:
        body = ast.parse(text).body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    if least > 1:
        return bool(body) and all(map(_is_statement, body)) and any(map(_is_telling, body))
    return len(body) == 1 and _is_telling(body[0])


def _is_statement(node: ast.stmt) -> bool:
    is_value = isinstance(node, ast.Expr) and not isinstance(node.value, (ast.Call, ast.Await))
    is_mark = isinstance(node, ast.AnnAssign)
    return not is_value and not is_mark


def _is_telling(node: ast.stmt) -> bool:
    """Tells whether a statement alone is more than a formula or a word."""
    if isinstance(node, ast.Expr):
        return isinstance(node.value, ast.Call) and ";" not in ast.unparse(node) and bool(node.value.args)
    if isinstance(node, (ast.Assign, ast.AugAssign)):
        return any(isinstance(part, ast.Call) for part in ast.walk(node.value))
    if isinstance(node, ast.Return):
        return node.value is not None and not isinstance(node.value, ast.Name)
    telling = (ast.Import, ast.ImportFrom, ast.FunctionDef, ast.ClassDef, ast.With, ast.For, ast.Try, ast.If)
    return isinstance(node, telling)


def _c(path: str, text: str, added: Collection[int]) -> Iterator[Suspect]:
    for number, line in _lines(text, added):
        if not is_test(path) and _C_PRINT.match(line) and _C_DEBUG.search(line):
            yield Suspect(line=number, what="debug output")
        elif _C_COMMENTED.match(line):
            yield Suspect(line=number, what="commented-out code")
        elif re.match(r"\s*#\s*if\s+0\b", line):
            yield Suspect(line=number, what="code left out with #if 0")


def _lines(text: str, added: Collection[int]) -> Iterator[tuple[int, str]]:
    return ((number, line) for number, line in enumerate(text.split("\n"), 1) if number in added)
