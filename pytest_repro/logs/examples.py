"""Hypothesis's falsifying examples: the arguments with which a test has failed."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from pytest_repro.logs.records import Argument, Found

MOST_LINES = 200
"""Lines that an example may have; of a longer one nothing is read."""

_HEAD = re.compile(r"(?:Falsifying|Failing) (?:explicit )?(?:example|test case): (?P<test>\w+)\((?P<rest>.*)")
_MARK = re.compile(r"(?:E {1,12}|\| {1,4})?")
_ARGUMENT = re.compile(r"\s*(?P<name>[A-Za-z_]\w*)=(?P<value>.*)", re.DOTALL)
_BLOB = re.compile(r".*@reproduce_failure\((?P<arguments>[^)]*)\).*")
_OPENING, _CLOSING = "([{", ")]}"


def is_head(text: str) -> bool:
    """Says whether an example begins in a line; cheap, as it is asked of every line of a failure."""
    return ("example: " in text or "test case: " in text) and _HEAD.search(text) is not None


def read_example(lines: Sequence[str], first: int) -> tuple[Argument, ...]:
    """Reads the arguments of the first example.

    Args:
        lines: From the one that begins it on.
        first: 1-based line of the log that the first of them stands in.

    Returns:
        The arguments in order, without `self`; none where the example does not end.
    """
    head = _HEAD.search(lines[0]) if lines else None
    if head is None:
        return ()
    shown = [head["rest"], *(line[_end_of_mark(line) :] for line in lines[1:MOST_LINES])]
    parts = _arguments(shown)
    if parts is None:
        return ()
    arguments = (
        Argument(name=match["name"], value=_one_line(match["value"]), line=first + offset)
        for offset, part in parts
        if (match := _ARGUMENT.fullmatch(part)) is not None
    )
    return tuple(one for one in arguments if one.name != "self")


def read_blob(lines: Sequence[str], first: int) -> Found | None:
    """Reads the decorator that Hypothesis proposes for coming back to an example.

    Args:
        lines: From the one that begins the example on.
        first: 1-based line of the log that the first of them stands in.
    """
    for offset, line in enumerate(lines[:MOST_LINES]):
        match = _BLOB.fullmatch(line) if "@reproduce_failure(" in line else None
        if match is not None:
            return Found(value=f"@reproduce_failure({match['arguments']})", line=first + offset)
    return None


def _end_of_mark(line: str) -> int:
    match = _MARK.match(line)
    return match.end() if match is not None else 0


def _one_line(text: str) -> str:
    return " ".join(text.split()).rstrip(",")


def _arguments(lines: Sequence[str]) -> list[tuple[int, str]] | None:
    """Splits the text behind the opening parenthesis at its own commas; None where it is never closed."""
    found: list[tuple[int, str]] = []
    held: list[str] = []
    begins = 0
    depth = 1
    for offset, character in _characters(lines):
        if character in _OPENING:
            depth += 1
        elif character in _CLOSING:
            depth -= 1
            if depth == 0:
                return [*found, (begins, "".join(held))] if "".join(held).strip() else found
        elif character == "," and depth == 1:
            found.append((begins, "".join(held)))
            held = []
            continue
        if not held and not character.isspace():
            begins = offset
        if held or not character.isspace():
            held.append(character)
    return None


def _characters(lines: Sequence[str]) -> Iterator[tuple[int, str]]:
    """Yields quoted texts whole and other characters one by one, without comments, each with its line."""
    for offset, line in enumerate(lines):
        index = 0
        while index < len(line):
            character = line[index]
            if character == "#":
                break
            if character in "'\"":
                end = _end_of_quote(line, index)
                yield offset, line[index:end]
                index = end
                continue
            yield offset, character
            index += 1
        yield offset, " "


def _end_of_quote(line: str, start: int) -> int:
    index = start + 1
    while index < len(line):
        if line[index] == "\\":
            index += 1
        elif line[index] == line[start]:
            return index + 1
        index += 1
    return len(line)
