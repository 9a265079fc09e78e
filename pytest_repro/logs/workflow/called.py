"""Scripts and tools that a step calls, as far as they lie in the checkout: read for their calls of pytest."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from pytest_repro.logs.workflow.build_tools import Recipe, recipe_of
from pytest_repro.logs.workflow.records import EnvValue, Place, Text
from pytest_repro.logs.workflow.scope import WORKSPACE
from pytest_repro.logs.workflow.scripts import MOST_LINES, Call, continued, read_script
from pytest_repro.logs.workflow.shell_lines import ShellLines, below, words_of

DEEPEST_CALL = 4
MOST_CALLED = 50
LONGEST_SCRIPT = 1_000_000

_BEFORE = re.compile(
    r"[A-Za-z_]\w*=.*|sudo|xvfb-run|env|nice|nohup|exec|time|stdbuf|source|\.|(?:\S*/)?(?:ba|da|z)?sh"
)
_SHEBANG = re.compile(r"#!\s*\S*(?:/|env\s+(?:-S\s+)?)(?:ba|da|z|k)?sh\b")
_SCRIPT = re.compile(r".*\.(?:sh|bash)")
_ARGUMENTS = re.compile(r"\"\$(?:@|\{@\}|\*)\"|\$(?:@|\{@\}|\*)")
_ARGUMENT = re.compile(r"\$(?:(?P<bare>[1-9])|\{(?P<number>[1-9])(?P<default>:?-[^}]*)?\})")


@dataclass(frozen=True, slots=True, kw_only=True)
class Followed:
    """What is in the scripts and tools that were called.

    Attributes:
        calls: Calls of pytest and unittest.
        exported: Variables that hold for these.
        notes: For each that was looked into, what was found or not.
    """

    calls: tuple[Call, ...] = ()
    exported: tuple[EnvValue, ...] = ()
    notes: tuple[Text, ...] = ()


def follow(commands: Iterable[Call], root: Path) -> Followed:
    """Reads what commands call, where that lies in the checkout; nothing is run.

    Args:
        commands: Commands that call neither pytest nor unittest themselves.
        root: Root of the checkout; nothing outside of it is read.
    """
    return _Follower(root).follow(commands, ())


class _Follower:
    def __init__(self, root: Path) -> None:
        self._root = root.resolve()
        self._count = 0

    def follow(self, commands: Iterable[Call], above: tuple[object, ...]) -> Followed:
        calls: list[Call] = []
        exported: list[EnvValue] = []
        notes: list[Text] = []
        for command in commands:
            read = self._script(command, above) or self._tool(command, above)
            if read is not None:
                calls += read.calls
                exported += read.exported
                notes += read.notes
        return Followed(calls=tuple(calls), exported=tuple(exported), notes=tuple(notes))

    def _script(self, command: Call, above: tuple[object, ...]) -> Followed | None:
        """Reads a shell script; None where the command calls none."""
        words = words_of(command.text.text)
        begun = len(words)
        while words and (_BEFORE.fullmatch(words[0]) or (len(words) < begun and words[0].startswith("-"))):
            words = words[1:]
        if not words or command.folder is None:
            return None
        shell = ShellLines(folder=command.folder)
        name = shell.expanded(words[0])
        if name is None or ("/" not in name and len(words) == begun and not _SCRIPT.fullmatch(name)):
            return None
        path = self._file(posixpath.join(command.folder, name))
        if path is None:
            is_named = _SCRIPT.fullmatch(name) is not None
            return Followed(notes=(_note(command, f"{name} is not in this checkout"),)) if is_named else None
        text = _text_of(path)
        is_script = text is not None and (
            _SHEBANG.match(text) or _SCRIPT.fullmatch(name) or len(words) < begun
        )
        if text is None or not is_script or (text.startswith("#!") and not _SHEBANG.match(text)):
            return None
        shown = path.relative_to(self._root).as_posix()
        if shown in above or len(above) >= DEEPEST_CALL or self._count >= MOST_CALLED:
            return None
        self._count += 1
        within = ShellLines(
            folder=command.folder,
            own_folder=below(WORKSPACE, posixpath.dirname(shown)),
        )
        lines = [replace(line, text=_with_arguments(line.text, words[1:])) for line in _lines(text, shown)]
        script = read_script(lines, within)
        inner = self.follow(script.others, (*above, shown))
        calls = tuple(_gone(call, command) for call in (*script.calls, *inner.calls))
        return Followed(
            calls=calls,
            exported=(*script.exported, *inner.exported),
            notes=(_found_note(command, shown, calls), *inner.notes),
        )

    def _tool(self, command: Call, above: tuple[object, ...]) -> Followed | None:
        """Reads the recipe of make, tox or nox; None where the command calls none of them."""
        if command.folder is None:
            return None
        recipe = recipe_of(words_of(command.text.text), folder=command.folder, read=self._read)
        if recipe is None:
            return None
        key = (recipe.file, *words_of(command.text.text))
        if key in above or len(above) >= DEEPEST_CALL or self._count >= MOST_CALLED:
            return None
        self._count += 1
        calls: list[Call] = []
        exported: list[EnvValue] = []
        notes: list[Text] = []
        for line in recipe.lines:
            # Each line has a shell of its own.
            script = read_script([line], ShellLines(folder=recipe.folder))
            inner = self.follow(script.others, (*above, key))
            calls += [*script.calls, *inner.calls]
            exported += [*script.exported, *inner.exported]
            notes += inner.notes
        moved = tuple(_gone(call, command) for call in calls)
        return Followed(
            calls=moved,
            exported=tuple(exported),
            notes=(_recipe_note(command, recipe, moved), *notes),
        )

    def _read(self, path: str) -> str | None:
        """Reads a file of the checkout, by its path from `WORKSPACE` on; None where there is none."""
        file = self._file(path)
        return _text_of(file) if file is not None else None

    def _file(self, path: str) -> Path | None:
        inner = posixpath.relpath(posixpath.normpath(path), WORKSPACE)
        if inner.startswith("..") or "\0" in inner or len(inner) > 1000:
            return None
        file = self._root / inner
        try:
            return file if file.is_file() and file.resolve().is_relative_to(self._root) else None
        except (OSError, RuntimeError):
            return None


def _is_shell(text: str, *, is_called_so: bool) -> bool:
    return _SHEBANG.match(text) is not None or (is_called_so and not text.startswith("#!"))


def _text_of(path: Path) -> str | None:
    try:
        with path.open("rb") as file:
            return file.read(LONGEST_SCRIPT).decode("utf-8", "replace")
    except OSError:
        return None


def _lines(text: str, shown: str) -> Iterator[Text]:
    rows = text.replace("\r\n", "\n").split("\n")[:MOST_LINES]
    return continued(
        Text(text=row, place=Place(file=shown, line=number)) for number, row in enumerate(rows, start=1)
    )


def _with_arguments(line: str, arguments: list[str]) -> str:
    """Fills in the arguments of a script, each as the caller has written it."""
    filled = _ARGUMENTS.sub(lambda _: " ".join(arguments), line)

    def one(found: re.Match[str]) -> str:
        number = int(found["bare"] or found["number"])
        if number <= len(arguments):
            return arguments[number - 1].strip("'\"")
        return (found["default"] or "").lstrip(":-")

    return _ARGUMENT.sub(one, filled)


def _gone(call: Call, caller: Call) -> Call:
    """A call of a script: it is where its caller had gone, and where the script has gone since."""
    moved = call.gone or caller.gone or ("." if call.folder != caller.folder else "")
    return replace(call, gone=moved)


def _note(command: Call, text: str) -> Text:
    return replace(command.text, text=f"{command.text.text}: {text}", unresolved=(), secrets=())


def _found_note(command: Call, shown: str, calls: tuple[Call, ...]) -> Text:
    return _note(command, _found(calls) or f"no call of pytest or unittest was found in {shown}")


def _recipe_note(command: Call, recipe: Recipe, calls: tuple[Call, ...]) -> Text:
    return _note(command, _found(calls) or recipe.problem or f"no call of pytest was found in {recipe.file}")


def _found(calls: tuple[Call, ...]) -> str:
    places = dict.fromkeys(str(call.text.place) for call in calls)
    return f"its call of pytest or unittest was read from {', '.join(places)}" if places else ""
