"""Lines of a shell script in their simple commands, each with the folder that the script is in by then.

Nothing is run: `cd`, `pushd`, `popd` and subshells are followed as far as their words say where they go.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from pytest_repro.logs.workflow.scope import WORKSPACE

MOST_PARTS = 200
"""Simple commands of a line; what stands behind them is not read."""

_PIECE = re.compile(
    r"(?P<quoted>'[^']*'|\"(?:[^\"\\]|\\.)*\"|\\.)"
    r"|(?P<expression>\$\{\{.*?\}\}|\$\{[^}]*\})"
    r"|(?P<comment>(?<!\S)\#.*)"
    r"|(?P<redirection>\d?>&\d?|<&\d?|&>>?)"
    r"|(?P<between>&&|\|\||\|&|;;|[;|&])"
    r"|(?P<open>\()|(?P<close>\))"
    r"|(?P<plain>[^\s'\"\\$;|&()<>#]+|.)",
    re.DOTALL,
)
_WORD = re.compile(
    r"(?:'[^']*'|\"(?:[^\"\\]|\\.)*\"|\\.|\$\{\{.*?\}\}|\$\{[^}]*\}|\$\([^()]*(?:\([^()]*\)[^()]*)*\)|[^\s'\"\\])+"
)
_KEYWORDS = frozenset(
    {"then", "do", "else", "{", "}", "!", "if", "while", "time", "builtin", "command", "exec"}
)
_ASSIGNMENT = re.compile(
    r"(?:(?:export|local|readonly|declare)\s+(?:-\w+\s+)*)?(?P<name>[A-Za-z_]\w*)=(?P<value>.*)", re.DOTALL
)
_OWN_FOLDER = re.compile(
    r"\$\(\s*dirname\s+(?:--\s+)?\"?(?:\$0|\$\{0\}|\$BASH_SOURCE|\$\{BASH_SOURCE(?:\[0\])?(?::-\$0)?\})\"?\s*\)"
    r"|\$\{(?:0|BASH_SOURCE(?:\[0\])?)%/\*\}"
)
_GONE_THERE = re.compile(
    r"\$\(\s*(?:builtin\s+)?cd\s+(?:-P\s+|--\s+)*(?P<folder>[^;&|()]+?)\s*(?:>\s*/dev/null\s*(?:2>&1)?\s*)?(?:&&|;)\s*pwd(?:\s+-P)?\s*\)"
)
_TOP = re.compile(r"\$\(\s*git\s+rev-parse\s+--show-toplevel\s*\)")
_HERE = re.compile(r"\$\(\s*pwd(?:\s+-P)?\s*\)|`pwd`|\$\{?PWD\}?(?!\w)")
_VARIABLE = re.compile(r"\$(?P<brace>\{)?(?P<name>[A-Za-z_]\w*)(?(brace)(?::?-(?P<default>[^${}]*))?\})")


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A simple command.

    Attributes:
        text: Its text.
        folder: Where it is run; None where that is not known.
        gone: What the script went to then, as it is written.
    """

    text: str
    folder: str | None
    gone: str = ""


@dataclass(slots=True)
class ShellLines:
    """Follows a script.

    Attributes:
        folder: Where it is, from `/` on, the checkout's root being `WORKSPACE`; None where that is not known.
        own_folder: Where the script's own file lies; None where it is no file.
        variables: Variables that it has set, as far as they are known.
    """

    folder: str | None = WORKSPACE
    own_folder: str | None = None
    variables: dict[str, str] = field(default_factory=dict)
    gone: str = ""
    _before: list[str | None] = field(default_factory=list)
    _pushed: list[str | None] = field(default_factory=list)
    _last: str | None = None

    def feed(self, line: str) -> Iterator[Part]:
        """Yields the simple commands of the next line."""
        for index, (text, parentheses) in enumerate(_split(line)):
            if index >= MOST_PARTS:
                return
            command = _without_keywords(text)
            if command:
                yield Part(text=command, folder=self.folder, gone=self.gone)
                self._follow(command)
            for one in parentheses:
                if one == "(":
                    self._before.append(self.folder)
                elif self._before:
                    self.folder = self._before.pop()

    def expanded(self, word: str) -> str | None:
        """Returns what a shell would make of a word; None where that is not known."""
        text = _without_quotes(word)
        own = self.own_folder
        if own is not None:
            text = _OWN_FOLDER.sub(lambda _: own, text)
        text = _TOP.sub(lambda _: WORKSPACE, text)
        here = self.folder
        if here is not None:
            text = _HERE.sub(lambda _: here, text)
        text = _GONE_THERE.sub(lambda found: self._inner(found["folder"]), text)
        known: Mapping[str, str] = {"GITHUB_WORKSPACE": WORKSPACE, **self.variables}
        text = _VARIABLE.sub(lambda found: known.get(found["name"], found["default"] or found[0]), text)
        return None if re.search(r"[$`*?]|^~", text) else text

    def _inner(self, folder: str) -> str:
        inner = self.expanded(folder)
        return inner if inner is not None else "$"

    def _follow(self, command: str) -> None:
        assigned = _ASSIGNMENT.fullmatch(command)
        if assigned is not None:
            self._assign(assigned["name"], assigned["value"])
            return
        words = words_of(command)
        name = words[0] if words else ""
        targets = [word for word in words[1:] if word not in ("-P", "-L", "--", "-q")]
        if name == "popd" and self._pushed:
            self._go(self._pushed.pop(), command)
        elif name in ("cd", "pushd", "chdir", "Set-Location"):
            if name == "pushd":
                self._pushed.append(self.folder)
            if targets[:1] == ["-"]:
                self._go(self._last, command)
            else:
                self._go(self._joined(targets[0]) if targets else None, command)

    def _assign(self, name: str, value: str) -> None:
        value = value.strip()
        word = _WORD.match(value)  # no full match, which would try each way to read it
        known = self.expanded(value) if not value or (word and word.end() == len(value)) else None
        if known is None:
            self.variables.pop(name, None)
        else:
            self.variables[name] = known

    def _go(self, folder: str | None, command: str) -> None:
        self._last, self.folder, self.gone = self.folder, folder, command

    def _joined(self, target: str) -> str | None:
        path = self.expanded(target)
        return below(self.folder, path) if path is not None else None


def below(folder: str | None, path: str) -> str | None:
    """Returns a path from a folder on; None where that is not known and matters."""
    if folder is None and not path.startswith("/"):
        return None
    return posixpath.normpath(posixpath.join(folder or "/", path))


def words_of(command: str) -> list[str]:
    """Returns the words of a simple command as they are written."""
    return [word[0] for word in _WORD.finditer(command)]


def _split(line: str) -> Iterator[tuple[str, str]]:
    """Yields the texts between separators, each with the parentheses of subshells that stand behind it."""
    text, parentheses, depth = "", "", 0
    previous = ""
    for piece in _PIECE.finditer(line):
        kind = piece.lastgroup
        if kind == "comment":
            break
        if kind == "open" and (depth or previous.endswith(("$", "<", ">", "="))):
            depth += 1
        elif kind == "close" and depth:
            depth -= 1
        elif kind in ("between", "open", "close") and not depth:
            if kind == "between":
                yield text, parentheses
                text = parentheses = ""
            elif text.strip() and kind == "open":
                text += piece[0]  # a function's name stands before it
            else:
                yield text, parentheses + piece[0]
                text = parentheses = ""
            previous = piece[0]
            continue
        text += piece[0]
        previous = piece[0]
    yield text, parentheses


def _without_keywords(text: str) -> str:
    text = text.strip()
    while (first := text.partition(" "))[0] in _KEYWORDS:
        text = first[2].strip()
    return text


def _without_quotes(word: str) -> str:
    return re.sub(
        r"'([^']*)'|\"((?:[^\"\\]|\\.)*)\"",
        lambda found: found[1] if found[1] is not None else found[2],
        word,
    )
