"""Words of a shell command, read as a POSIX shell would read them, and without one."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

_SCRIPT_PIECE = re.compile(
    r"'(?P<single>[^']*)'"
    r"|\"(?P<double>(?:[^\"\\$`]|\\.|\$\{\{.*?\}\}|\$\{?[A-Za-z_]\w*\}?|\$(?![\w({])|`)*)\""
    r"|(?P<open>\$\{\{.*?\}\})"
    r"|\$(?P<brace>\{)?(?P<name>[A-Za-z_]\w*)(?(brace)\})"
    r"|\\(?P<escaped>.)"
    r"|(?P<plain>[^\s'\"\\$`]+)"
    r"|(?P<other>[$`])",
    re.DOTALL,
)
_IN_DOUBLE = re.compile(
    r"(?P<open>\$\{\{.*?\}\})|\$(?P<brace>\{)?(?P<name>[A-Za-z_]\w*)(?(brace)\})"
    r"|(?P<other>`|\$[$!?#@*0-9-])|\\(?P<escaped>[\\\"$`])|(?P<plain>.)",
    re.DOTALL,
)
_EXPANDED = re.compile(r"[*?;|&<>()]|\{[^}]*(?:,|\.\.)[^}]*\}|^~")


@dataclass(frozen=True, slots=True)
class Word:
    """A word as a program gets it, None where that is not known; and as it is written."""

    text: str | None
    raw: str

    @property
    def may_be_value(self) -> bool:
        """Whether it may be the value of the option before it."""
        return self.text is None or not self.text.startswith("-")


def read_words(
    text: str, *, variables: Mapping[str, str], unresolved: tuple[str, ...] = ()
) -> Iterator[Word]:
    """Yields the words of a text.

    Args:
        text: What a shell would part into words.
        variables: Values of variables that it may name.
        unresolved: Expressions in it that are not decided.
    """
    position = 0
    word: _Building | None = None
    while position < len(text):
        if text[position].isspace():
            yield from _finished(word, unresolved)
            word = None
            position += 1
            continue
        word = word or _Building(texts=[""])
        piece = _SCRIPT_PIECE.match(text, position)
        if piece is None or piece["other"] == "`" or text.startswith("$(", position):
            # What a shell would run, or a quote without an end: nothing after it is known.
            yield Word(None, word.raw + text[position:])
            return
        word.raw += piece.group()
        _add(word, piece, variables)
        position = piece.end()
    yield from _finished(word, unresolved)


@dataclass(slots=True)
class _Building:
    """A word on its way: what a shell would make of it, or None where that is not known."""

    raw: str = ""
    texts: list[str] | None = None

    def add(self, text: str) -> None:
        if self.texts is not None:
            self.texts[-1] += text

    def add_words(self, text: str) -> None:
        """Adds what a shell would part into words."""
        parts = text.split()
        if self.texts is None or not parts:
            return
        self.texts[-1] += parts[0]
        self.texts += parts[1:]


def _finished(word: _Building | None, unresolved: tuple[str, ...]) -> Iterator[Word]:
    if word is None:
        return
    if word.texts is None or any(one in word.raw for one in unresolved):
        yield Word(None, word.raw)
    elif len(word.texts) == 1 and (word.texts[0] or word.raw[:1] in "\"'"):
        yield Word(word.texts[0], word.raw)
    else:
        yield from (Word(text, text) for text in word.texts if text)


def _add(word: _Building, piece: re.Match[str], variables: Mapping[str, str]) -> None:
    if piece["single"] is not None:
        word.add(piece["single"])
    elif piece["double"] is not None:
        for part in _IN_DOUBLE.finditer(piece["double"]):
            if part["plain"] or part["escaped"]:
                word.add(part["escaped"] or part["plain"])
            elif part["name"] and part["name"] in variables:
                word.add(variables[part["name"]])
            else:
                word.texts = None
    elif piece["name"] is not None and piece["name"] in variables:
        word.add_words(variables[piece["name"]])
    elif piece["escaped"] is not None:
        word.add(piece["escaped"])
    elif piece["plain"] is not None and not _EXPANDED.search(piece["plain"]):
        word.add(piece["plain"])
    else:
        word.texts = None
