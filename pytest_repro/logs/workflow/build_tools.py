"""What make, tox and nox would run, read from their files."""

from __future__ import annotations

import ast
import configparser
import posixpath
import re
import shlex
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from pytest_repro.logs.workflow.records import Place, Text
from pytest_repro.logs.workflow.scope import WORKSPACE

Read = Callable[[str], "str | None"]
"""Gives the text of a file of the checkout, by its path from `WORKSPACE` on; None where there is none."""

MOST_RULES = 200
MOST_LINES = 500

_LEADS = frozenset(
    {"uv", "uvx", "poetry", "pdm", "pipenv", "pipx", "hatch", "rye", "run", "tool", "xvfb-run", "sudo", "env",
     "python", "python3", "py", "-m", "time", "exec"}
)  # fmt: skip
_MAKEFILES = ("GNUmakefile", "makefile", "Makefile")
_MAKE_VARIABLE = re.compile(
    r"(?:export\s+|override\s+)*(?P<name>[\w.-]+)\s*(?P<sign>[:?+]?:?=)\s*(?P<value>.*)"
)
_MAKE_USE = re.compile(r"\$(?:\((?P<round>[\w.-]+)\)|\{(?P<curly>[\w.-]+)\})")
_MAKE_VALUES = frozenset({"-C", "-f", "-I", "-o", "-W", "--directory", "--file", "--makefile"})
_TOX_USE = re.compile(
    r"\{(?P<name>posargs|toxinidir|tox_root|envpython|envname|env_name)(?::(?P<default>[^{}]*))?\}|\{\}"
)
_FACTOR = re.compile(r"(?P<condition>[\w!.,{}-]+):\s+(?=\S)")
_MOST_PIECES, _MOST_NAMES = 20, 500
_TOX_VALUES = frozenset({"-e", "-c", "--conf", "--workdir", "--result-json", "-x", "--override", "-f"})
_NOX_VALUES = frozenset(
    {"-s", "-e", "--session", "--sessions", "-f", "--noxfile", "-p", "--python", "-db", "-t", "-k"}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """What a tool would run.

    Attributes:
        file: The file that says it, as people name it; empty where there is none.
        folder: Where it is run.
        lines: The commands, each for a shell of its own.
        problem: Why there are none, empty where there are some.
    """

    file: str = ""
    folder: str = WORKSPACE
    lines: tuple[Text, ...] = ()
    problem: str = ""


def recipe_of(words: Sequence[str], *, folder: str, read: Read) -> Recipe | None:
    """Returns what a command's make, tox or nox would run; None where it calls none of them.

    Args:
        words: Words of the command, as they are written.
        folder: Where it is run, see `ShellLines`.
        read: Reads a file of the checkout.
    """
    for index, word in enumerate(words):
        name = posixpath.basename(word)
        if name in ("make", "gmake"):
            return _make(words[index + 1 :], folder, read)
        if name == "tox":
            return _tox(words[index + 1 :], folder, read)
        if name == "nox":
            return _nox(words[index + 1 :], folder, read)
        if name not in _LEADS and not re.fullmatch(r"-.*|[A-Za-z_]\w*=.*|python[\d.]+", word):
            return None
    return None


def _given(words: Sequence[str], with_value: Iterable[str]) -> tuple[dict[str, list[str]], list[str]]:
    """Parts words into options with their values, and the others."""
    options: dict[str, list[str]] = {}
    others: list[str] = []
    rest = list(words)
    while rest:
        word = rest.pop(0)
        name, equals, value = word.partition("=")
        if word.startswith("-") and name in with_value:
            values = [value] if equals else [rest.pop(0)] if rest else []
            options.setdefault(name, []).extend(one.strip("'\"") for one in values)
        elif word.startswith("-"):
            options.setdefault(name, [])
        else:
            others.append(word)
    return options, others


def _shown(path: str) -> str:
    return posixpath.relpath(path, WORKSPACE)


def _line(text: str, path: str, number: int, unresolved: tuple[str, ...] = ()) -> Text:
    return Text(text=text, place=Place(file=_shown(path), line=number), unresolved=unresolved)


def _make(words: Sequence[str], folder: str, read: Read) -> Recipe:
    options, others = _given(words, _MAKE_VALUES)
    for inner in (*options.get("-C", ()), *options.get("--directory", ())):
        folder = posixpath.normpath(posixpath.join(folder, inner))
    names = [*options.get("-f", ()), *options.get("--file", ()), *options.get("--makefile", ())] or _MAKEFILES
    found = [
        (path, text) for name in names if (text := read(path := posixpath.join(folder, name))) is not None
    ]
    if not found:
        return Recipe(problem=f"there is no {names[-1]} in {_shown(folder)} of this checkout")
    path, text = found[0]
    makefile = _Makefile(text, path)
    makefile.variables.update(one.partition("=")[::2] for one in others if "=" in one)
    targets = [one for one in others if "=" not in one] or makefile.targets[:1]
    lines = tuple(line for target in targets for line in makefile.recipe(target, set()))
    missing = [one for one in targets if one not in makefile.rules]
    problem = f"{_shown(path)} has no rule for {missing[0]}" if missing and not lines else ""
    return Recipe(file=_shown(path), folder=folder, lines=lines[:MOST_LINES], problem=problem)


class _Makefile:
    """The rules of a makefile: of conditions both branches, of functions none."""

    def __init__(self, text: str, path: str) -> None:
        self.rules: dict[str, tuple[list[str], list[Text]]] = {}
        self.targets: list[str] = []
        self.variables: dict[str, str] = {}
        self._path = path
        current: list[str] = []
        for number, row in _joined_rows(text):
            if row.startswith("\t"):
                for target in current:
                    self.rules[target][1].append(_line(row.strip(), path, number))
                continue
            variable = _MAKE_VARIABLE.fullmatch(row.strip())
            left, colon, right = row.partition(" #")[0].partition(":")
            if variable is not None:
                self._assign(variable)
            elif colon and left.strip() and "=" not in left and len(self.rules) < MOST_RULES:
                current = left.split()
                needs, semicolon, first = right.lstrip(":").partition(";")
                for target in current:
                    needed, recipe = self.rules.setdefault(target, ([], []))
                    needed += needs.split()
                    recipe += [_line(first.strip(), path, number)] if semicolon else []
                self.targets += [one for one in current if not one.startswith(".") and "%" not in one]

    def _assign(self, found: re.Match[str]) -> None:
        name, value = found["name"], found["value"].partition(" #")[0].strip()
        if found["sign"] == "?=" and name in self.variables:
            return
        before = f"{self.variables[name]} " if found["sign"] == "+=" and name in self.variables else ""
        self.variables[name] = before + value

    def recipe(self, target: str, seen: set[str]) -> Iterator[Text]:
        """Yields the lines of a target, those of what it needs first."""
        if target in seen or target not in self.rules:
            return
        seen.add(target)
        needed, lines = self.rules[target]
        for one in needed:
            yield from self.recipe(one, seen)
        for line in lines:
            text = self._filled(line.text.lstrip("@-+ ")).replace("$@", target).replace("$$", "$")
            unresolved = tuple(re.findall(r"\$[({][^(){}]*[)}]", text))
            yield Text(text=text, place=line.place, unresolved=unresolved)

    def _filled(self, text: str) -> str:
        for _ in range(5):  # a variable may hold others
            filled = _MAKE_USE.sub(self._value, text)
            if filled == text or len(filled) > 8000:
                break
            text = filled
        return text

    def _value(self, found: re.Match[str]) -> str:
        name = found["round"] or found["curly"]
        if name == "MAKE":
            return "make"
        return self.variables.get(name, found[0])


def _joined_rows(text: str) -> Iterator[tuple[int, str]]:
    """Yields rows with their numbers; one that ends in a backslash goes on in the next."""
    kept, first = "", 0
    for number, row in enumerate(text.replace("\r\n", "\n").split("\n"), start=1):
        first = first or number
        if row.endswith("\\"):
            kept += row[:-1].rstrip() + " " if not kept else row[:-1].strip() + " "
            continue
        whole = kept + (row.strip() if kept else row)
        if whole.strip():
            yield first, whole
        kept, first = "", 0


def _tox(words: Sequence[str], folder: str, read: Read) -> Recipe:
    words, positional = _parted(words)
    options, _ = _given(words, _TOX_VALUES)
    names = [name for one in options.get("-e", ()) for name in one.split(",") if name]
    for name in ("tox.ini", "setup.cfg"):
        path = posixpath.join(folder, name)
        text = read(path)
        parser = configparser.RawConfigParser(
            strict=False, comment_prefixes=("#", ";"), inline_comment_prefixes=()
        )
        try:
            parser.read_string(text or "")
        except (ValueError, configparser.Error):
            continue
        if text is None or not any(one.startswith("testenv") for one in parser.sections()):
            continue
        lines = tuple(_tox_lines(parser, text, path, names, positional))
        problem = (
            "" if lines else f"{_shown(path)} has no commands for {', '.join(names) or 'its environments'}"
        )
        own = [f"testenv:{name}" for name in names[:1]]
        found = [one for one in (*own, "testenv") if parser.has_option(one, "changedir")]
        inside = parser.get(found[0], "changedir") if found else "."
        inside = _TOX_USE.sub(lambda found: _tox_value(found, ()), inside)
        return Recipe(
            file=_shown(path),
            folder=posixpath.normpath(posixpath.join(folder, inside)),
            lines=lines[:MOST_LINES],
            problem=problem,
        )
    return Recipe(problem=f"there is no tox.ini that can be read in {_shown(folder)} of this checkout")


def _parted(words: Sequence[str]) -> tuple[Sequence[str], list[str]]:
    """Parts what stands before `--` from what stands behind it."""
    if "--" not in words:
        return words, []
    place = list(words).index("--")
    return words[:place], list(words[place + 1 :])


def _tox_lines(
    parser: configparser.RawConfigParser,
    text: str,
    path: str,
    names: Sequence[str],
    positional: Sequence[str],
) -> Iterator[Text]:
    for name in names or [""]:
        section = _section(parser, name)
        for row in parser.get(section, "commands").split("\n") if section else ():
            condition, command = _conditioned(row.strip())
            if not command or (name and not _holds(condition, name)):
                continue
            filled = _TOX_USE.sub(lambda found: _tox_value(found, positional), command)
            number = next((index for index, one in enumerate(text.split("\n"), 1) if row.strip() in one), 1)
            yield _line(filled, path, number, tuple(re.findall(r"\{[^{}]*\}", filled)))


def _conditioned(row: str) -> tuple[str, str]:
    """Parts a command from the condition before it, which names factors of environments."""
    found = _FACTOR.match(row)
    condition, command = (found["condition"], row[found.end() :]) if found else ("", row)
    return condition, command.lstrip("- ").rstrip("\\").strip()


def _holds(condition: str, name: str) -> bool:
    """Whether a condition holds for an environment: one of its parts does, with all of its factors."""
    factors = set(name.split("-"))
    return not condition or any(
        all((one.lstrip("!") in factors) is not one.startswith("!") for one in part.split("-"))
        for part in _braces(condition)
    )


def _section(parser: configparser.RawConfigParser, name: str) -> str | None:
    """Returns the section with the commands of an environment: its own, one for several, or that for all."""
    own = [
        section
        for section in parser.sections()
        if name and section.startswith("testenv:") and name in _braces(section.removeprefix("testenv:"))
    ]
    return next((one for one in (*own, "testenv") if parser.has_option(one, "commands")), None)


def _braces(text: str) -> list[str]:
    """Expands `py{310,311}-tests,lint` as tox does."""
    found = [""]
    for piece in re.findall(r"\{[^{}]*\}|[^{}]+|[{}]", text)[:_MOST_PIECES]:
        parts = _alternatives(piece[1:-1]) if piece.startswith("{") and piece.endswith("}") else [piece]
        found = [one + part for one in found for part in parts][:_MOST_NAMES]
    return [one.strip() for text_ in found for one in text_.split(",")]


def _alternatives(inside: str) -> list[str]:
    found: list[str] = []
    for part in inside.split(","):
        numbers = re.fullmatch(r"(\d{1,4})-(\d{1,4})", part.strip())
        ends = (int(numbers[1]), int(numbers[2]) + 1) if numbers else (0, 0)
        found += map(str, range(*ends)) if numbers else [part.strip()]
    return found[:_MOST_NAMES]


def _tox_value(found: re.Match[str], positional: Sequence[str]) -> str:
    if found["name"] in (None, "posargs"):
        return " ".join(positional) or found["default"] or ""
    if found["name"] in ("toxinidir", "tox_root"):
        return "."
    return "python" if found["name"] == "envpython" else found[0]


def _nox(words: Sequence[str], folder: str, read: Read) -> Recipe:
    words, positional = _parted(words)
    options, others = _given(words, _NOX_VALUES)
    names = [one for key in ("-s", "-e", "--session", "--sessions") for one in options.get(key, ())]
    names = [one.partition("-")[0].partition("(")[0] for one in (*names, *(others if names else ()))]
    path = posixpath.join(folder, *(options.get("-f") or options.get("--noxfile") or ["noxfile.py"])[:1])
    text = read(path)
    try:
        tree = ast.parse(text) if text is not None else None
    except (SyntaxError, ValueError):
        tree = None
    if tree is None:
        return Recipe(problem=f"there is no noxfile.py that can be read in {_shown(folder)} of this checkout")
    lines = tuple(_nox_lines(tree, path, names, positional))
    problem = "" if lines else f"{_shown(path)} runs nothing for {', '.join(names) or 'its sessions'}"
    return Recipe(file=_shown(path), folder=folder, lines=lines[:MOST_LINES], problem=problem)


def _nox_lines(
    tree: ast.Module, path: str, names: Sequence[str], positional: Sequence[str]
) -> Iterator[Text]:
    for function in tree.body:
        if not isinstance(function, ast.FunctionDef) or not function.args.args:
            continue
        told = [_session_name(one) for one in function.decorator_list]
        if not any(one is not None for one in told) or (names and not {function.name, *told} & {*names}):
            continue
        session = function.args.args[0].arg
        for node in ast.walk(function):
            if _is_run(node, session) and isinstance(node, ast.Call):
                parts = [part for one in node.args for part in _nox_words(one, session, positional)]
                unresolved = tuple(part for part in parts if part.startswith("{"))
                yield _line(" ".join(parts), path, node.lineno, unresolved)


def _session_name(decorator: ast.expr) -> str | None:
    """Returns the name that a decorator gives a session, empty for its function's; None for any other one."""
    called = decorator.func if isinstance(decorator, ast.Call) else decorator
    if not ast.unparse(called).endswith("session"):
        return None
    given = decorator.keywords if isinstance(decorator, ast.Call) else ()
    name = next((one.value for one in given if one.arg == "name"), None)
    return str(name.value) if isinstance(name, ast.Constant) else ""


def _is_run(node: ast.AST, session: str) -> bool:
    return (
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr in ("run", "run_always")
        and isinstance(node.func.value, ast.Name)
        and node.func.value.id == session
    )


def _nox_words(node: ast.expr, session: str, positional: Sequence[str]) -> Iterator[str]:
    if isinstance(node, ast.Constant):
        yield shlex.quote(str(node.value))
    elif isinstance(node, ast.Starred) and ast.unparse(node.value) == f"{session}.posargs":
        yield from positional
    elif isinstance(node, ast.Starred) and isinstance(node.value, ast.List | ast.Tuple):
        for one in node.value.elts:
            yield from _nox_words(one, session, positional)
    else:
        yield "{" + " ".join(ast.unparse(node).split()) + "}"
