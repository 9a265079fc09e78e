"""Text of a log as shell words: exact, and inert."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator

SOURCE_WORD = '"$REPRO_SOURCE"'
"""The shell word for the root of the source under test."""

WORKSPACE_FOLDER = re.compile(
    r"(?:/home/runner/work/(?P<a>[^/:\s]+)/(?P=a)|/Users/runner/work/(?P<b>[^/:\s]+)/(?P=b)|/__w/(?P<c>[^/:\s]+)/(?P=c)|"
    r"/github/workspace|/home/circleci/project|/builds/[^/:\s]+/[^/:\s]+|/home/vsts/work/1/s)(?=$|[/:;,])"
)
"""Where CI systems check a repository out."""

_PIECE = re.compile(
    r"(?P<here>\$\(pwd\)|`pwd`|\$\{?(?:PWD|GITHUB_WORKSPACE|CI_PROJECT_DIR|WORKSPACE)\b\}?)"
    r"|\$\{(?P<braced>[A-Za-z_]\w*)(?::?-(?P<default>[\w./:-]*))?\}"
    r"|\$(?P<bare>[A-Za-z_]\w*)"
    r"|'(?P<single>[^']*)'"
    r"|(?P<double>\")"
    r"|\\(?P<escaped>[\\\"$' ])"
    r"|(?P<plain>[^$`'\"\\\s;&|<>()]+)"
    r"|(?P<space> +)"
)


def quote(text: str) -> str:
    """Returns one shell word that stands for exactly this text, in printable characters."""
    text = text.replace("\0", "")
    if all(character.isprintable() for character in text):
        return shlex.quote(text)
    return "$'" + "".join(map(_ansi_c, text)) + "'"


def _ansi_c(character: str) -> str:
    if character in "\\'":
        return "\\" + character
    if character.isprintable():
        return character
    return "".join(f"\\x{byte:02x}" for byte in character.encode("utf-8", "replace"))


def quote_value(value: str) -> str:
    """Quotes a value, with the CI system's checkout folder replaced by the source under test."""
    words = []
    end = 0
    for match in WORKSPACE_FOLDER.finditer(value):
        words.append(_quoted_part(value[end : match.start()]) + SOURCE_WORD)
        end = match.end()
    return "".join(words) + _quoted_part(value[end:]) if end else _quoted_part(value) or "''"


def _quoted_part(text: str) -> str:
    word = quote(text)
    bare = f"'{word}'" if word == text else word  # a bare `test` reads like a command that was forgotten
    return bare if text else ""


def safe_expansion(text: str) -> str | None:
    """Turns the shell text of an `export` line into a word that expands variables and does nothing else.

    Returns:
        The word, or None where the text holds anything that a shell would have to run to know.
    """
    pieces = list(_pieces(text))
    return None if None in pieces else "".join(piece for piece in pieces if piece) or "''"


def _pieces(text: str) -> Iterator[str | None]:
    position = 0
    in_double = False
    while position < len(text):
        match = _PIECE.match(text, position)
        if match is None:
            yield None
            return
        position = match.end()
        if match["double"]:
            in_double = not in_double
        elif match["space"] and not in_double:
            yield None
            return
        else:
            yield _piece(match)
    if in_double:
        yield None


def _piece(match: re.Match[str]) -> str:
    if match["here"]:
        return SOURCE_WORD
    name = match["braced"] or match["bare"]
    if name:
        default = match["default"] or ""
        return f'"${{{name}:-{default}}}"'
    literal = match["single"] or match["escaped"] or match["plain"] or match["space"] or ""
    return quote_value(literal) if literal else ""


def names_itself(name: str, text: str) -> bool:
    """Says whether an export's text extends the variable's own earlier value."""
    return bool(re.search(rf"\$\{{?{re.escape(name)}\b", text))
