"""What a log says, as what the templates need."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from pytest_repro.errors import ScaffoldError
from pytest_repro.logs.history import WorkerHistory
from pytest_repro.logs.records import CiFailure, Found, LogReport, Runner, Session, Variable
from pytest_repro.model import Outcome, Signature
from pytest_repro.scaffold.arguments import Arguments, Known, read_arguments
from pytest_repro.scaffold.choose import chosen
from pytest_repro.scaffold.command_options import conftest_texts, declared_options, options_of_command
from pytest_repro.scaffold.facts import Fact, Suite, WorkflowPart
from pytest_repro.scaffold.hypotheses import hypotheses_of
from pytest_repro.scaffold.log_facts import error_of, facts_of, missing_of
from pytest_repro.scaffold.render import Safe
from pytest_repro.scaffold.shell import names_itself, quote_value, safe_expansion
from pytest_repro.scaffold.source import TestSource, find_source
from pytest_repro.signature import CRASH_MESSAGE, make_signature

HistoryOf = Callable[[CiFailure], "WorkerHistory | None"]

LONGEST_NAME = 80
_HIDDEN = re.compile(r"(?:^|[/\\])(?:_pytest|unittest)[/\\]")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_VARIABLE_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)

_OF_THE_MACHINE = re.compile(
    r"RANDOM|SRANDOM|SECONDS|EPOCH\w+|LINENO|DIRSTACK|GROUPS|OPT(?:IND|ARG|ERR)|HIST\w+|HOSTTYPE|MACHTYPE|OSTYPE|"
    r"PIPESTATUS|REPLY|POSIXLY_CORRECT|COMP_\w+|TIMEFORMAT|TMOUT|COLUMNS|LINES|"
    r"PATH|HOME|PWD|OLDPWD|USER|LOGNAME|SHELL|SHLVL|HOSTNAME|TERM|TMPDIR|TEMP|TMP|_|UID|EUID|GID|PPID|DISPLAY|VIRTUAL_ENV|"
    r"pythonLocation|PKG_CONFIG_PATH|Python\d?_ROOT_DIR|(?:RUNNER|GITHUB|ACTIONS|AGENT|SYSTEM|BUILD|BUILDKITE|JENKINS|"
    r"CI_(?:JOB|PIPELINE|RUNNER|SERVER|BUILDS|PROJECT))_\w+|CONDA_\w+|UV_\w+|PIP_\w+|REPRO_\w*|repro_\w*"
)
_RUNS_CODE = re.compile(
    r"LD_PRELOAD|LD_AUDIT|DYLD_INSERT_LIBRARIES|GCONV_PATH|OPENSSL_CONF|MAKEFLAGS|LESS(?:OPEN|CLOSE)|\w*ASKPASS|"
    r"BASH\w*|ENV|SHELLOPTS|IFS|CDPATH|PS\d|PROMPT_COMMAND|GLOBIGNORE|FUNCNAME|"
    r"PYTHON(?:STARTUP|HOME|INSPECT|BREAKPOINT|USERBASE|EXECUTABLE|PLATLIBDIR|PYCACHEPREFIX|CASEOK)|PYTEST_\w+|GIT_\w+|"
    r"PERL5OPT|RUBYOPT|NODE_OPTIONS|JAVA_TOOL_OPTIONS|EDITOR|PAGER|VISUAL|BROWSER|HISTFILE|"
    r"TT_METAL_DISPATCH_TIMEOUT_COMMAND_TO_EXECUTE"
)
_TOOL_CACHE = re.compile(
    r"/opt/hostedtoolcache/|/Users/runner/hostedtoolcache/|[A-Z]:\\hostedtoolcache\\", re.IGNORECASE
)
_LONGEST_VALUE = 30_000  # Linux takes 131,072 bytes, and a character may be four of them
_ADDOPTS = "PYTEST_ADDOPTS"
_QUOTED = re.compile(r"(?P<mark>[\"'])(?P<text>[^\"'\\$`]*)(?P=mark)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """A variable that the script sets.

    Attributes:
        name: A valid shell name.
        word: Its value as one shell word.
        shown: Its value for people.
        line: 1-based line of the log.
        extends: Whether it extends a value from outside, which it then does not yield to.
        file: The file that the line is of, None for the log.
    """

    name: Safe
    word: Safe
    shown: str
    line: int
    extends: bool = False
    file: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Reproduction:
    """Everything that the templates need.

    Attributes:
        name: Name of the folder.
        slug: The name as part of a Python identifier.
        nodeid: The failing test as it is to be run, None where no failing test is known.
        file: File part of `nodeid`.
        source: Path from the folder to the root of the source, None where the source was not found.
        can_run: Whether it is a pytest test.
        is_flaky: Whether to stress instead of to run once.
        facts: What is known of the failure.
        error: Exception and message as pytest prints them, None where unknown.
        message: The message alone, None where unknown.
        text: The failure's text in the log.
        others: Other failing tests of the log.
        settings: Variables that the script sets.
        secrets: Names of variables to be set by hand, as their values are secret.
        unset: Variables of the log that the script leaves alone, with the reason.
        hypotheses: Questions about the cause.
        missing: What of the CI machine is not here, and what is used instead.
        signature: Signature of the failure, None where no failing test is known.
        has_log: Whether a log was given.
        workflow: What the workflow file adds, None without one.
        suite: What the workflow runs, where no failing test is known.
        options: Arguments for pytest that CI gives by `PYTEST_ADDOPTS` or in its command.
        history: What the failing test's process ran before it, None where the log does not tell.
        subtest: How the failing subtest is described, None where none is.
        example: Arguments of Hypothesis's falsifying example, as it prints them.
        versions: Python, pytest and its plugins in CI, by name.
    """

    name: Safe
    slug: Safe
    nodeid: str | None = None
    file: str | None = None
    source: str | None = None
    can_run: bool = True
    is_flaky: bool = False
    facts: tuple[Fact, ...] = ()
    error: str | None = None
    message: str | None = None
    text: str = ""
    others: tuple[CiFailure, ...] = ()
    settings: tuple[Setting, ...] = ()
    secrets: tuple[Variable, ...] = ()
    unset: tuple[Fact, ...] = ()
    hypotheses: tuple[Fact, ...] = ()
    missing: tuple[Fact, ...] = ()
    signature: Signature | None = None
    has_log: bool = False
    workflow: WorkflowPart | None = None
    suite: Suite | None = None
    options: tuple[str, ...] = ()
    history: WorkerHistory | None = None
    subtest: str | None = None
    example: Mapping[str, str] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=dict)

    @property
    def order_file(self) -> Safe | None:
        """Path of the order file in the folder, None without one."""
        return None if self.history is None else Safe(f"logs/order_{self.history.worker}.txt")

    @property
    def test_file(self) -> Safe:
        """Path of the reproduction test in the folder."""
        return Safe(f"tests/test_{self.slug}_repro.py")


def checked_name(name: str) -> Safe:
    """Returns the name of a failure if it can name a folder and a test.

    Raises:
        ScaffoldError: It cannot.
    """
    if not _NAME.fullmatch(name) or len(name) > LONGEST_NAME:
        shown = name if len(name) <= LONGEST_NAME else name[:LONGEST_NAME] + "..."
        raise ScaffoldError(
            f"{shown!r} cannot name a reproduction: its {len(name)} characters are not 1 to {LONGEST_NAME} "
            "letters, digits, dots, dashes and underscores that begin with a letter or a digit",
            place="failure-name",
            next_step="Choose a name such as gather-negative-index.",
        )
    return Safe(name)


def plan(
    name: str,
    *,
    report: LogReport | None,
    folder: Path,
    source_root: Path,
    is_flaky: bool | None = None,
    test: str | None = None,
    history_of: HistoryOf = lambda _: None,
) -> Reproduction:
    """Decides what the reproduction of a failure holds.

    Args:
        name: Name of the failure.
        report: What was read from its log, None without a log.
        folder: Where the reproduction is going to be.
        source_root: Where to look for the failing test's source.
        is_flaky: Whether it fails only now and then, None to go by what the log says.
        test: Which failing test of the log, see `chosen`.
        history_of: Reads what the process of a failing test ran before it.

    Raises:
        ScaffoldError: The name cannot be used, or the log has no such failing test.
    """
    checked = checked_name(name)
    slug = Safe(re.sub(r"[^a-z0-9]+", "_", checked.lower()).strip("_"))
    if report is None:
        return Reproduction(name=checked, slug=slug, is_flaky=bool(is_flaky))
    failure = chosen(report.failures, test)
    rootdir = report.session.rootdir.value if report.session.rootdir else None
    file = failure.nodeid.partition("::")[0] if failure else ""
    source = find_source(source_root, file, rootdir=rootdir) if failure else None
    can_run = failure is not None and failure.runner is Runner.PYTEST
    nodeid = _runnable(failure, source) if failure else None
    flaky = _is_flaky(failure, report) if is_flaky is None else is_flaky
    return Reproduction(
        name=checked,
        slug=slug,
        nodeid=nodeid,
        file=nodeid.partition("::")[0] if nodeid else None,
        source=os.path.relpath(source.root, folder.resolve()) if source and can_run else None,
        can_run=can_run,
        is_flaky=flaky,
        facts=tuple(facts_of(report, failure)),
        error=error_of(failure),
        message=failure.message if failure else None,
        text=failure.text if failure else "",
        others=tuple(one for one in report.failures if one is not failure),
        settings=tuple(filter(None, map(setting_of, report.session.variables))),
        secrets=tuple(one for one in report.session.variables if one.is_secret and is_ours(one.name)),
        unset=tuple(unset_of(report.session.variables, Known.FOR_ONE_TEST)),
        options=(
            *given_options(report.session.variables, Known.FOR_ONE_TEST),
            *(_command_options(report.session.command, source) if can_run else ()),
        ),
        hypotheses=tuple(hypotheses_of(failure, report, is_flaky=flaky)) if failure else (),
        missing=tuple(missing_of(report)),
        signature=signature_of(failure, report) if failure else None,
        has_log=True,
        history=history_of(failure) if failure and can_run else None,
        subtest=failure.subtest if failure else None,
        example={one.name: one.value for one in failure.example} if failure else {},
        versions=_versions(report.session),
    )


def _versions(session: Session) -> dict[str, str]:
    found = {"Python": session.python, "pytest": session.pytest}
    plugins = {one.name: one.version for one in session.plugin_versions}
    return {name: one.value for name, one in found.items() if one is not None} | plugins


def _command_options(command: Found | None, source: TestSource | None) -> tuple[str, ...]:
    if command is None:
        return ()
    conftests = conftest_texts(source.root, source.file) if source is not None else ()
    return options_of_command(command.value, declared_options(conftests))


def _is_flaky(failure: CiFailure | None, report: LogReport) -> bool:
    """Whether the log shows that the test also passes: another one that does says nothing of this one."""
    return failure.passed_later if failure else report.is_flaky


def _runnable(failure: CiFailure, source: TestSource | None) -> str:
    file, colons, rest = failure.nodeid.partition("::")
    return (source.file if source else file) + colons + rest


def signature_of(failure: CiFailure, report: LogReport) -> Signature:
    """Makes the signature of a failure in a log, to be compared with those of a stress run."""
    root = report.session.rootdir.value if report.session.rootdir else None
    if failure.outcome is Outcome.CRASH:
        # A stress run does not know what else a log prints about it.
        return make_signature(exception=None, message=CRASH_MESSAGE, frame=failure.place, root=root)
    place = failure.place
    if place is not None and _HIDDEN.search(place.file):
        # Shown by some styles of traceback, hidden by pytest's own.
        place = failure.test_place
    return make_signature(exception=failure.exception, message=failure.message or "", frame=place, root=root)


def is_ours(name: str) -> bool:
    """Says whether a script may set a variable of this name."""
    return (
        bool(_VARIABLE_NAME.fullmatch(name))
        and not _OF_THE_MACHINE.fullmatch(name)
        and not _RUNS_CODE.fullmatch(name)
    )


def setting_of(variable: Variable) -> Setting | None:
    """Makes the setting of a variable; None where the script leaves it alone."""
    if variable.value is None or len(variable.value) > _LONGEST_VALUE:
        return None
    if not is_ours(variable.name) or _TOOL_CACHE.search(variable.value):
        return None
    word = safe_expansion(variable.value) if variable.is_shell else quote_value(variable.value)
    if word is None:
        return None
    return Setting(
        name=Safe(variable.name),
        word=Safe(word),
        shown=variable.value,
        line=variable.line,
        extends=variable.is_shell and names_itself(variable.name, variable.value),
        file=variable.file,
    )


def given_options(variables: Iterable[Variable], known: Known) -> tuple[str, ...]:
    """Returns the arguments of `PYTEST_ADDOPTS` that a reproduction gives to pytest."""
    return tuple(
        word for one in variables if one.name == _ADDOPTS for word in _added_arguments(one, known).words
    )


def _added_arguments(variable: Variable, known: Known) -> Arguments:
    text = variable.value or ""
    if variable.is_shell and (quoted := _QUOTED.fullmatch(text)):
        text = quoted["text"]
    return read_arguments(text, variables={}, known=known)


def unset_of(variables: Iterable[Variable], known: Known) -> Iterator[Fact]:
    """Says what the script leaves alone, and why."""
    for one in variables:
        if one.name == _ADDOPTS:
            for left in _added_arguments(one, known).left:
                value = f"{_ADDOPTS}={left.text}"
                yield Fact(label=left.reason, value=value, line=one.line, file=one.file)
        elif (fact := _unset(one)) is not None:
            yield fact


def _unset(variable: Variable) -> Fact | None:
    if variable.value is None or setting_of(variable) is not None:
        return None
    if _RUNS_CODE.fullmatch(variable.name):
        reason = "could make a program run code that a log names: set it by hand if the failure needs it"
    elif len(variable.value) > _LONGEST_VALUE:
        reason = "is longer than any variable can be"
    elif not _VARIABLE_NAME.fullmatch(variable.name):
        reason = "is no name that a shell can set"
    elif variable.is_shell and safe_expansion(variable.value) is None:
        reason = "is shell text that would have to be run to be known: set it by hand"
    else:
        reason = "belongs to the CI machine: this machine's own is used"
    return Fact(
        label=Safe(reason),
        value=f"{variable.name}={variable.value}",
        line=variable.line,
        file=variable.file,
    )
