"""The lines of a `run:` script: which of them run tests, set variables, or call another script."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from pytest_repro.logs.commands import LONGEST_COMMAND, Branches, pytest_command, unittest_command
from pytest_repro.logs.workflow.document import Scalar
from pytest_repro.logs.workflow.records import EnvValue, Level, Place, Text
from pytest_repro.logs.workflow.scope import WORKSPACE, Scope
from pytest_repro.logs.workflow.shell_lines import ShellLines

MOST_LINES = 5_000

_BEFORE_THEN = re.compile(r"\]\s+;")
_SPLIT_EXPRESSION = re.compile(r"\$\{\{[^}]*\n")
_TO_GITHUB_ENV = re.compile(
    r"""echo\s+(?P<mark>["']?)(?P<name>[A-Za-z_]\w*)=(?P<value>.*?)(?P=mark)\s*>>\s*["']?\$\{?GITHUB_ENV\}?["']?\s*"""
)
_EXPORT = re.compile(r"(?:export|declare -x)\s+(?P<name>[A-Za-z_]\w*)=(?P<value>.+?)\s*;?")
_PREFIX = re.compile(
    r"(?:env\s+)?(?P<name>[A-Za-z_]\w*)=(?P<value>(?:\"[^\"]*\"|'[^']*'|\$\{\{[^}]*\}\}|\$(?!\{\{)|[^\s\"';|&$])*)\s+"
)
_DOCKER_ENV = re.compile(
    r"(?:^|\s)(?:-e|--env)[ =](?P<name>[A-Z_][A-Z\d_]*)=(?P<value>\"[^\"]*\"|'[^']*'|(?:\$\{\{[^}]*\}\}|\S)*)"
)
_CALLED = re.compile(
    r"(?:^|&&|\|\||;|\bthen\b)\s*(?:[A-Za-z_]\w*=\S*\s+)*(?:(?:bash|sh|source|\.|sudo|xvfb-run|pwsh)\s+(?:-\S+\s+)*)*"
    r"(?P<script>[\w./-]{1,200}\.(?:sh|bash|ps1|bat|cmd))\b"
)
_INNER = re.compile(
    r"(?:(?:sudo|xvfb-run|env|time)\s+(?:-\S+\s+)*)*(?:\S*/)?(?:ba|da|z)?sh\s+(?:-\w+\s+)*-\w*c\s+"
    r"(?:'(?P<single>[^']*)'|\"(?P<double>(?:[^\"\\]|\\.)*)\")"
)
_FILLED = re.compile(r"\$(?P<brace>\{)?(?P<name>[A-Za-z_]\w*)(?(brace)\})")
_PLAIN = re.compile(r"[\w./:=,@+ -]*")
_TOOL = re.compile(
    r"(?:^|&&|\|\||;)\s*(?:[A-Za-z_]\w*=\S*\s+)*"
    r"(?P<tool>(?:(?:uv|poetry|pdm|pipenv|uvx|pipx|conda|xvfb-run)\s+(?:tool\s+)?(?:run\s+)?(?:-\S+\s+)*)*"
    r"(?:python[\d.]*\s+-m\s+)?"
    r"(?:tox|nox|spin\s+test|hatch\s+test|make\s+\S*(?:test|check)\S*|just\s+\S*test\S*|trial|stestr|"
    r"(?:pixi|hatch)\s+run\s+(?:(?:-e|--environment)[ =]\S+\s+|-(?!e\s|-environment\s)[\w=./-]+\s+)*"
    r"(?!-)\S*test\S*|"
    r"\S*runtests(?:\.py)?)(?=$|[\s;|&]).*)"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A simple command of a script.

    Attributes:
        text: The command.
        folder: Where it is run, see `ShellLines`; None where that is not known.
        gone: What the script went there by, empty where it is where it began.
    """

    text: Text
    folder: str | None = WORKSPACE
    gone: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ScriptFacts:
    """What the lines of a script say.

    Attributes:
        lines: The lines that may be run, each with the lines that continue it.
        calls: Calls of pytest and unittest.
        others: The other commands.
        called: Scripts and test tools that are called.
        exported: Variables that hold for the rest of the script.
        handed_on: Variables that hold for the steps after it.
    """

    lines: tuple[Text, ...] = ()
    calls: tuple[Call, ...] = ()
    others: tuple[Call, ...] = ()
    called: tuple[Text, ...] = ()
    exported: tuple[EnvValue, ...] = ()
    handed_on: tuple[EnvValue, ...] = ()

    @property
    def commands(self) -> tuple[Text, ...]:
        """Texts of the calls."""
        return tuple(call.text for call in self.calls)


def script_lines(scalar: Scalar, scope: Scope) -> Iterator[Text]:
    """Yields the lines of a script, their expressions filled in; a line that goes on is one with the next."""
    if _SPLIT_EXPRESSION.search(scalar.text):
        whole = scope.text(scalar)
        rows = [replace(whole, text=row) for row in whole.text.split("\n")]
    else:
        # The lines of a literal block begin below its mark; of any other style only the first is known.
        first, step = (scalar.place.line + 1, 1) if scalar.is_literal else (scalar.place.line, 0)
        rows = [
            scope.text_at(row, Place(file=scalar.place.file, line=first + step * index))
            for index, row in enumerate(scalar.text.split("\n")[:MOST_LINES])
        ]
    yield from continued(part for row in rows for part in _split(row))


def _split(text: Text) -> Iterator[Text]:
    """An expression can bring lines of its own."""
    for line in text.text.split("\n"):
        yield replace(text, text=line)


def continued(lines: Iterable[Text]) -> Iterator[Text]:
    """Joins each line with the one that it goes on in, by a backslash at its end; empty ones are left out."""
    kept: Text | None = None
    for line in lines:
        text = line.text.rstrip()
        if kept is not None:
            line = _joined(kept, replace(line, text=text.lstrip()))  # noqa: PLW2901 - the line as a whole
            text = line.text
        is_continued = text.endswith("\\") and not text.endswith("\\\\")
        if is_continued and len(text) <= LONGEST_COMMAND:
            kept = replace(line, text=text[:-1].rstrip())
            continue
        kept = None
        if text.strip():
            yield replace(line, text=text)
    if kept is not None:
        yield kept


def _joined(first: Text, second: Text) -> Text:
    return replace(
        first,
        text=f"{first.text} {second.text}",
        unresolved=tuple(dict.fromkeys((*first.unresolved, *second.unresolved))),
        secrets=tuple(dict.fromkeys((*first.secrets, *second.secrets))),
    )


def read_script(lines: Iterable[Text], shell: ShellLines | None = None) -> ScriptFacts:
    """Reads the lines of a script; a branch that its own words rule out is left out.

    Args:
        lines: Its lines.
        shell: Where it begins, by default the checkout's root.
    """
    shell = shell or ShellLines()
    branches = Branches()
    kept: list[Text] = []
    calls: list[Call] = []
    others: list[Call] = []
    exported: list[EnvValue] = []
    handed_on: list[EnvValue] = []
    for line in lines:
        text = line.text.strip()
        branches.feed(_BEFORE_THEN.sub("];", text))
        if not branches.is_taken or text.startswith("#"):
            continue
        kept.append(line)
        if len(text) <= LONGEST_COMMAND:
            shown = line if branches.is_certain else replace(line, unresolved=(text,))
            handed_on += _assigned(_TO_GITHUB_ENV.fullmatch(text), shown, Level.EARLIER_STEP)
            if not calls:
                exported += _assigned(_EXPORT.fullmatch(text), shown, Level.SCRIPT)
            before = dict(shell.variables)
            found, left = _calls(line, shell)
            if not branches.is_certain:
                # Another branch may have set them in another way.
                shell.variables = {key: old for key, old in before.items() if shell.variables.get(key) == old}
            calls += found
            others += left
    return ScriptFacts(
        lines=tuple(kept),
        calls=tuple(calls),
        others=tuple(others),
        called=tuple(_cut(one.text, name) for one in others for name in _called(one.text.text)),
        exported=tuple(exported),
        handed_on=tuple(handed_on),
    )


def _calls(line: Text, shell: ShellLines) -> tuple[list[Call], list[Call]]:
    """Parts the commands of a line into those that call pytest or unittest, and the others."""
    calls: list[Call] = []
    others: list[Call] = []
    for part in shell.feed(line.text.strip()):
        inner = _INNER.match(part.text)
        if inner is not None:
            within = ShellLines(folder=part.folder, variables=dict(shell.variables))
            text = inner["single"] if inner["single"] is not None else inner["double"]
            found, left = _calls(_cut(line, text), within)
            calls += found
            others += left
            continue
        text = _FILLED.sub(lambda found: _plain(shell.variables.get(found["name"]), found[0]), part.text)
        command = _command(text)
        one = Call(text=_cut(line, command or text), folder=part.folder, gone=part.gone)
        (others if command is None else calls).append(one)
    if not calls and (whole := _command(line.text.strip())) is not None:
        # Within quotes, for something that is no shell of this machine.
        calls.append(Call(text=_cut(line, whole), folder=shell.folder, gone=shell.gone))
    return calls, others


def _plain(value: str | None, otherwise: str) -> str:
    """A value of the script's own, as far as it is the same for a shell wherever it stands."""
    return value if value is not None and _PLAIN.fullmatch(value) else otherwise


def _command(text: str) -> str | None:
    """The call of pytest or unittest in a line, also behind the `--` of what runs it elsewhere."""
    found = pytest_command(text) or unittest_command(f"$ {text}")
    start = 0
    while found is None and (start := text.find(" -- ", start) + 1):
        found = pytest_command(text[start + 3 :]) or unittest_command(f"$ {text[start + 3 :]}")
    return found


def _cut(line: Text, text: str) -> Text:
    """A part of a line; what is unresolved in the rest of it does not concern that part."""
    unresolved = tuple(one for one in line.unresolved if one in text)
    return replace(line, text=text, unresolved=unresolved, secrets=line.secrets if unresolved else ())


def _called(text: str) -> Iterator[str]:
    if len(text) > LONGEST_COMMAND:
        return
    for match in _CALLED.finditer(text):
        yield match["script"]
    tool = _TOOL.search(text)
    if tool is not None:
        yield tool["tool"].strip()


def _assigned(match: re.Match[str] | None, line: Text, level: Level) -> Iterator[EnvValue]:
    if match is None:
        return
    mark = match["mark"] if "mark" in match.re.groupindex else ""
    value = replace(line, text=f"{mark}{match['value']}{mark}")
    yield EnvValue(name=match["name"], value=value, level=level)


def split_prefix(command: Text) -> tuple[tuple[EnvValue, ...], Text]:
    """Parts a command from the variables that stand before it."""
    variables: list[EnvValue] = []
    text = command.text
    while len(variables) < 100 and (match := _PREFIX.match(text)):
        variables.append(
            EnvValue(name=match["name"], value=_cut(command, match["value"]), level=Level.SCRIPT)
        )
        text = text[match.end() :]
    return tuple(variables), _cut(command, text)


def docker_variables(options: Text) -> Iterator[EnvValue]:
    """Yields the variables that options of `docker run` set in its container."""
    for match in _DOCKER_ENV.finditer(options.text[:LONGEST_COMMAND]):
        yield EnvValue(name=match["name"], value=_cut(options, match["value"]), level=Level.SCRIPT)
