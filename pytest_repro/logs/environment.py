"""Jobs, steps, variables and commands of a log: what has to be the same for a failure to come back."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from pytest_repro.logs.commands import Branches, pytest_command, told_command, unittest_command
from pytest_repro.logs.directories import DirectoryReader
from pytest_repro.logs.records import Found, LogLine, Origin, Variable
from pytest_repro.logs.secrets import is_secret
from pytest_repro.logs.times import Span

MOST_VARIABLES = 400
MOST_IMAGES = 10
MOST_CHARACTERS = 40_000
"""Of a line, which may show a whole environment."""

_JOB = re.compile(r"Complete job name: (?P<job>.+)")
_GROUP = re.compile(r"##\[group\](?P<title>.+)|\[group\](?P<bare>Run .+)")
_RUN_PLAIN = re.compile(r"Run (?P<title>\S.*)")
_SECTION = re.compile(r"##\[section\]Starting: (?P<title>.+)")
_STEP_STARTS = ("##[", "[group]", "Run ")
_SHELL = re.compile(r"shell: \S.*")
_SHELL_DEATH = re.compile(
    r".*: line \d+: +\d+ (?:.*\(core dumped\)|[A-Z][a-z]+(?: [a-z]+){0,2}(?:: \d+)?) +(?P<command>\S.*)"
)
_VARIABLE = re.compile(r"(?P<name>[A-Za-z_][\w.-]*): ?(?P<value>.*)")
_EXPORT = re.compile(r"(?:[+$]+ )?(?:export|declare -x) (?P<name>[A-Za-z_]\w*)=(?P<value>.+)")
_SET = re.compile(
    r".*\b(?:setting env var: (?P<a>[A-Z_]\w*)=(?P<av>\S.*)|Set (?P<b>[A-Z_][A-Z\d_]*)(?: to |=)(?P<bv>\S.*))"
)
_ASSIGNED = re.compile(  # as tox 3 and `set -x` print them
    r"(?:[\w.-]+ (?:runtests|run-test-pre): |\++ )?(?P<name>[A-Z][A-Z\d_]{2,})=(?P<value>\S+)"
)
_DOCKER_E = re.compile(r"(?:-e|--env) (?P<name>[A-Z_]\w*)=(?P<value>\S*)")
_COMMIT = re.compile(
    r"(?:HEAD is now at (?P<short>[0-9a-f]{7,40})\b.*|"
    r".*\b(?:git checkout|Checking out) (?:-\S+ )*(?P<full>[0-9a-f]{40})\b.*)"
)
_IMAGE = re.compile(
    r"(?:(?:Image|Runner Image): (?P<image>\S.*)|Using (?:docker )?image (?P<docker>\S.*)|"
    r"Using Docker executor with image (?P<gitlab>\S+).*|container: (?P<container>\S.*))"
)
_NAMED_BY_CI = re.compile(  # in dumps of the environment
    r"\b(?P<name>BUILDKITE_STEP_KEY|CI_JOB_NAME|CIRCLE_JOB|AGENT_JOBNAME|TRAVIS_JOB_NAME|STAGE_NAME)"
    r"(?:['\"]?: ?|=)(?P<quote>['\"]?)(?P<value>(?(quote)[^'\"]+|[^\s,'\"}]+))"
)
_STEP_NAMES = frozenset({"BUILDKITE_STEP_KEY", "STAGE_NAME"})
_TITLED_COMMAND = re.compile(r"^(?:\[[\w.-]+\] )+Command: ")
_PYTHON_PATH = re.compile(r"[/\\][Pp]ython[/\\](?P<version>3\.\d+\.\d+)[/\\]")
_PYTHON_SAID = re.compile(
    r"(?:Successfully set up CPython \(|Python |Using Python |Installed CPython |Using CPython )"
    r"\(?(?P<version>3\.\d+\.\d+)\b.*"
)


@dataclass(slots=True, kw_only=True)
class Step:
    """One step of a job while it is being read.

    Attributes:
        title: Its name as printed, None outside of any step.
        line: 1-based line at which it begins.
        commands: pytest calls among them and among what was echoed since.
        unittest: The first call of a unittest runner in the script.
        sessions: Number of sessions that have begun in it.
        variables: Variables by name.
    """

    title: str | None = None
    line: int = 0
    job: str | None = None
    commands: list[Found] = field(default_factory=list)
    traced: list[Found] = field(default_factory=list)
    unittest: Found | None = None
    sessions: int = 0
    variables: dict[str, Variable] = field(default_factory=dict)


class EnvironmentReader:
    """Follows jobs and steps, one line after the other."""

    def __init__(self) -> None:
        self._job: Found | None = None
        self._step = Step()
        self._in_header = False
        self._in_env = False
        self._branches = Branches()
        self._column: tuple[str | None, str | None] = (None, None)
        self._exports: dict[str, Variable] = {}
        self._shown: dict[str, Variable] = {}
        self._secret_values: set[str] = set()
        self.commands: list[Found] = []
        self._told: list[Found] = []
        self._directories = DirectoryReader()
        self._command_directory: Found | None = None
        self.job_span = Span()
        self.step_span = Span()
        self._named: dict[bool, list[Found]] = {True: [], False: []}
        self.last_variables: dict[str, Variable] = {}
        self.images: list[Found] = []
        self.commit: Found | None = None
        self.python: Found | None = None

    @property
    def job(self) -> Found | None:
        """The job that the line last read belongs to."""
        return self._job

    @property
    def step(self) -> Found | None:
        """The step that the line last read belongs to."""
        return Found(value=self._step.title, line=self._step.line) if self._step.title else None

    @property
    def variables(self) -> tuple[Variable, ...]:
        """Variables of the present step, with what was exported or shown until now."""
        merged = {**self._shown, **(self._step.variables or {}), **self._exports}
        return tuple(merged.values())

    @property
    def secret_values(self) -> frozenset[str]:
        """Values that must not appear in anything that is written."""
        return frozenset(self._secret_values)

    def session_command(self) -> Found | None:
        """Returns the command of the session that begins now: the n-th of its step, or the last one shown."""
        position = self._step.sessions
        self._step.sessions += 1
        if self._step.traced:
            return self._step.traced[-1]
        if self._step.commands:
            return self._step.commands[min(position, len(self._step.commands) - 1)]
        titled = pytest_command(self._step.title or "")
        return Found(value=titled, line=self._step.line) if titled else None

    def name_shown(self, *, of_step: bool) -> Found | None:
        """Returns the name of the step, or of the job, that variables of the CI system show; the only one."""
        found = self._named[of_step]
        return found[0] if len({one.value for one in found}) == 1 else None

    @property
    def directory(self) -> Found | None:
        """The folder that the last command ran in, None where it is the one that the step began in."""
        return self._command_directory

    @property
    def unittest_call(self) -> Found | None:
        """The call of a unittest runner in the present step's script."""
        return self._step.unittest

    def command_told_after(self, line: int) -> Found | None:
        """Returns the first command that was named as having failed after a line, where a session began."""
        return next((one for one in self._told if one.line >= line), None)

    def end_file(self) -> None:
        """Ends job and step: the next line is another file's."""
        self._job = None
        self._step = Step()
        self._column = (None, None)
        self._in_header = False
        self._exports.clear()
        self._shown.clear()
        self._directories.begin_step()
        self._command_directory = None
        self.job_span = Span()
        self.step_span = Span()

    def feed(self, line: LogLine) -> None:
        """Takes the next line."""
        text = line.text.rstrip()
        self._columns(line)
        if not text:
            self._stamp(line)
            return
        job = _JOB.fullmatch(text) if text.startswith("Complete job name") else None
        if job is not None and self._column[0] is None:
            self._job = Found(value=job["job"], line=line.number)
        opens = text.startswith(_STEP_STARTS) and self._opens_step(line, text)
        self._stamp(line)
        if opens:
            return
        if self._in_header:
            self._header_line(line, text)
        else:
            self._body_line(line, text)

    def _stamp(self, line: LogLine) -> None:
        if line.framed is None:
            return
        for span in (self.job_span, self.step_span):
            if span.last is None:
                span.begin(line)
            else:
                span.last = line

    def _columns(self, line: LogLine) -> None:
        if line.job is None or (line.job, line.step) == self._column:
            return
        if line.job != self._column[0]:
            self._exports.clear()
            self._shown.clear()
            self._job = Found(value=line.job, line=line.number)
            self.job_span = Span()
        self._column = (line.job, line.step)
        self._step = Step(title=line.step, line=line.number, variables=dict(self._step.variables))
        self._enter_step()
        self._in_header = False

    def _opens_step(self, line: LogLine, text: str) -> bool:
        if text.startswith("##[endgroup]"):
            self._in_header = False
            return True
        group = _GROUP.fullmatch(text)
        title = (group["title"] or group["bare"]) if group else None
        section = _SECTION.fullmatch(text)
        plain = _RUN_PLAIN.fullmatch(text) if title is None and text.startswith("Run ") else None
        if section is not None:
            self._begin_step(section["title"], line)
            return True
        if title is not None and not title.startswith("Run "):
            self._in_header = False
            return True
        if title is None and plain is None:
            return False
        if plain is not None and not (pytest_command(text) or unittest_command(text, in_script=True)):
            return False
        title = title or (f"Run {plain['title']}" if plain else None)
        self._begin_step(title, line)
        self._unittest_call(line, title or "")
        self._in_header = True
        self._in_env = False
        self._branches = Branches()
        return True

    def _begin_step(self, title: str | None, line: LogLine) -> None:
        named = self._column[1] or title
        self._step = Step(title=named, line=line.number)
        self._exports.clear()
        if self._column[1] is None:
            self._enter_step()

    def _enter_step(self) -> None:
        self._directories.begin_step()
        self._command_directory = None
        self.step_span = Span()

    def _header_line(self, line: LogLine, text: str) -> None:
        if text.strip() == "env:":
            self._in_env = True
            return
        if self._in_env:
            variable = _VARIABLE.fullmatch(text.strip()) if text[0].isspace() else None
            if variable is not None:
                self._variable(variable["name"], variable["value"], line)
                return
            self._in_header = False
            self._body_line(line, text)
            return
        if "shell: " in text and _SHELL.fullmatch(text.strip()):
            return
        self._script_line(line, text)
        if "-e " in text or "--env " in text:
            self._docker(line, text)

    def _variable(self, name: str, value: str, line: LogLine) -> None:
        if len(self._step.variables) < MOST_VARIABLES:
            self._step.variables[name] = self._made(name, value, line)
        self.last_variables = self._step.variables
        path = _PYTHON_PATH.search(value + "/") if name.lower().startswith("python") else None
        if path is not None:
            self.python = Found(value=path["version"], line=line.number)

    def _made(self, name: str, value: str, line: LogLine, origin: Origin = Origin.STEP) -> Variable:
        if is_secret(name, value):
            self._secret_values.add(value.strip("'\""))
            return Variable(name=name, value=None, line=line.number, origin=origin)
        return Variable(name=name, value=value, line=line.number, origin=origin)

    def _script_line(self, line: LogLine, text: str) -> None:
        self._branches.feed(text)
        if self._branches.is_taken:
            self._directories.feed(line.number, text)
        command = pytest_command(text) if self._branches.is_taken else None
        if command is not None:
            found = Found(value=command, line=line.number)
            self._step.commands.append(found)
            self.commands.append(found)
            self._command_directory = self._directories.present
        else:
            self._unittest_call(line, text.strip())
        self._export(line, text.strip())

    def _unittest_call(self, line: LogLine, text: str) -> None:
        if self._step.unittest is not None or not self._branches.is_taken:
            return
        command = unittest_command(text, in_script=True) if "test" in text or "trial" in text else None
        if command is not None:
            self._step.unittest = Found(value=command, line=line.number)
            self._command_directory = self._directories.present

    def _export(self, line: LogLine, text: str) -> bool:
        match = _EXPORT.fullmatch(text) if "export " in text or "declare -x" in text else None
        if match is None:
            return False
        self._exports[match["name"]] = self._made(match["name"], match["value"], line, Origin.EXPORT)
        return True

    def _body_line(self, line: LogLine, text: str) -> None:
        self._traced(line, text)
        self._export(line, text.strip())
        if " Set " in text or "setting env var" in text:
            self._shown_variable(line, _SET.fullmatch(text))
        elif "-e " in text or "--env " in text:
            self._docker(line, text)
        elif "=" in text and not self._step.sessions:
            assigned = _ASSIGNED.fullmatch(text)
            if assigned is not None and len(self._shown) < MOST_VARIABLES:
                value = assigned["value"].strip("'\"")
                self._shown[assigned["name"]] = self._made(assigned["name"], value, line, Origin.MENTION)
        self._machine(line, text)
        if "BUILDKITE_S" in text or "_JOB" in text or "STAGE_NAME" in text:
            self._named_by_ci(line, text)

    def _named_by_ci(self, line: LogLine, text: str) -> None:
        for match in _NAMED_BY_CI.finditer(text[:MOST_CHARACTERS]):
            found = self._named[match["name"] in _STEP_NAMES]
            if len(found) < MOST_VARIABLES and not match["value"].startswith("$"):
                found.append(Found(value=match["value"].strip(), line=line.number))

    def _traced(self, line: LogLine, text: str) -> None:
        if not self._step.sessions:
            self._directories.feed(line.number, text)
        command = pytest_command(text) if not text.startswith(("E ", ">", "    ")) else None
        died = _SHELL_DEATH.fullmatch(text) if ": line " in text else None
        told = died["command"] if died is not None and "pytest" in died["command"] else None
        if told is not None and (self._step.traced or self._step.commands):
            told = None
        if told is None and command is None and ("exit" in text or "non-zero code" in text):
            told = told_command(text)
        if told is not None:
            self._told.append(Found(value=told, line=line.number))
        if command is None and "test" in text:
            command = unittest_command(_TITLED_COMMAND.sub("$ ", text))
        if command is None:
            return
        found = Found(value=command, line=line.number)
        self._step.traced.append(found)
        self.commands.append(found)
        self._command_directory = self._directories.present

    def _shown_variable(self, line: LogLine, match: re.Match[str] | None) -> None:
        if match is None or len(self._shown) >= MOST_VARIABLES:
            return
        name, value = (match["a"], match["av"]) if match["a"] else (match["b"], match["bv"])
        self._shown[name] = self._made(name, value, line, Origin.MENTION)

    def _docker(self, line: LogLine, text: str) -> None:
        for match in _DOCKER_E.finditer(text[:4000]):
            if len(self._shown) < MOST_VARIABLES:
                made = self._made(match["name"], match["value"], line, Origin.MENTION)
                self._shown[made.name] = made

    def _machine(self, line: LogLine, text: str) -> None:
        commit = _COMMIT.fullmatch(text) if "HEAD is now" in text or "heck" in text else None
        if commit is not None:
            self.commit = Found(value=commit["short"] or commit["full"], line=line.number)
        image = _IMAGE.fullmatch(text) if "mage" in text or "container: " in text else None
        if image is not None and len(self.images) < MOST_IMAGES:
            self.images.append(Found(value=text, line=line.number))
        said = _PYTHON_SAID.match(text) if "ython" in text else None
        if said is not None:
            self.python = Found(value=said["version"], line=line.number)
