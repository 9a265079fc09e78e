"""Private keys that a log shows over several lines, or in one with its line ends spelled out."""

from __future__ import annotations

import re

MASK = "***"

MOST_LINES = 400
"""Lines of one key: one of 16,384 bits has 200."""
MOST_OTHER_LINES = 10
"""Lines in a row that are none of the key, after which its end is no longer waited for."""
MOST_BODIES = 2_000

_SPACE = r"(?:[ +_]|%20)"
_KIND = rf"{_SPACE}(?:[A-Z0-9]{{1,12}}{_SPACE}){{0,4}}PRIVATE{_SPACE}KEY(?:{_SPACE}BLOCK)?{_SPACE}?-{{4,5}}"
_BEGIN = re.compile(rf"-{{4,5}}{_SPACE}?BEGIN{_KIND}|\bPrivate-Lines: \d{{1,4}}")
_END = re.compile(rf"-{{4,5}}{_SPACE}?END{_KIND}|\bPrivate-MAC:")
_REST = re.compile(r"(?:\\+[nrt]|%0[AD]|%2[BF]|%3D|[A-Za-z0-9+/=]|[ \t](?=[A-Za-z0-9+/=]{16}))+")
_PIECE = re.compile(r"[A-Za-z0-9+/=]{8,}")
_DIGITS = re.compile(r"\d+")
_BODY = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=\\"
_CLOSERS = " \t\r\"',;)]}"
_LONG_BODY = 16
_SHORTEST_REST = 8


def may_hold_key(text: str) -> bool:
    """Says whether it is worth to look for the beginning of a key; cheap."""
    return "PRIVATE" in text or "Private-" in text


class KeyHider:
    """Puts the mask in place of private keys, from one line to the next.

    A key's lines are told from others by what stands before them: the same as before its beginning, numbers
    aside, or a part of it. So the short last line is found behind any CI system's prefix.
    """

    def __init__(self) -> None:
        self._prefix: str | None = None
        self._left = 0
        self._other_lines = 0
        self._has_body = False
        self.bodies: set[str] = set()
        """Lines of keys that were taken out, at most `MOST_BODIES`."""

    def __call__(self, line: str) -> str:
        """Returns a line without what it holds of a key."""
        if self._prefix is None and not may_hold_key(line):
            return line
        return "".join(self._parts(line))

    def _parts(self, line: str) -> list[str]:
        parts: list[str] = []
        position = 0
        if self._prefix is not None:
            end = _END.search(line)
            if end is None:
                return [self._inner(line)]
            parts += [self._hidden_tail(line[: end.start()]), end[0]]
            position = end.end()
            self._prefix = None
        while (begin := _BEGIN.search(line, position)) is not None:
            parts.append(line[position : begin.end()])
            end = _END.search(line, begin.end())
            if end is None:
                return [*parts, self._opened(line[: begin.start()], line[begin.end() :])]
            parts += [self._hidden(line[begin.end() : end.start()]), end[0]]
            position = end.end()
        return [*parts, line[position:]]

    def _opened(self, before: str, rest: str) -> str:
        """Begins to wait for a key's lines, unless the text goes on as no key does."""
        run = _REST.match(rest)
        body = run[0] if run is not None else ""
        if rest[len(body) :].strip(_CLOSERS + "\\"):
            return rest if len(body) < _SHORTEST_REST else self._hidden(body) + rest[len(body) :]
        self._prefix = _normal(before)
        self._left = MOST_LINES
        self._other_lines = 0
        self._has_body = len(body) >= _SHORTEST_REST
        return rest if not self._has_body else self._hidden(body) + rest[len(body) :]

    def _inner(self, line: str) -> str:
        self._left -= 1
        core = line.rstrip(_CLOSERS)
        head = core.rstrip(_BODY)
        body = core[len(head) :]
        expected = (self._prefix or "").startswith(_normal(head))
        is_key = len(body) >= 2 * _LONG_BODY or (
            expected and bool(body) and (self._has_body or len(body) >= _LONG_BODY)
        )
        self._has_body |= is_key
        self._other_lines = 0 if is_key else self._other_lines + 1
        if self._left <= 0 or self._other_lines >= MOST_OTHER_LINES:
            self._prefix = None
        return head + self._hidden(body) + line[len(core) :] if is_key else line

    def _hidden_tail(self, text: str) -> str:
        head = text.rstrip(_BODY)
        return head + self._hidden(text[len(head) :])

    def _hidden(self, body: str) -> str:
        for piece in _PIECE.findall(body):
            if len(self.bodies) < MOST_BODIES:
                self.bodies.add(piece)
        return MASK if body.strip() else body


def _normal(prefix: str) -> str:
    return _DIGITS.sub("0", prefix).strip(" \t\"'+>|")
