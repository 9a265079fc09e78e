"""What is read from a CI log: frozen records, each value with the line that it came from."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum

from pytest_repro.model import Frame, Outcome, Stage

_PLUGIN = re.compile(r"(?P<name>[A-Za-z].*?)-(?P<version>v?\d[^\s-]*(?:-[\w.]+)?)")


class Runner(str, Enum):
    """Which test runner printed a failure."""

    PYTEST = "pytest"
    UNITTEST = "unittest"
    GTEST = "gtest"
    SYMPY = "sympy"


class LogOutcome(str, Enum):
    """How the run that a log tells of ended, as a whole."""

    FAILED = "failed"
    CRASH = "crash"
    HANG = "hang"
    TIMEOUT = "timeout"
    USAGE_ERROR = "usage-error"
    NOTHING_COLLECTED = "no-tests-collected"
    PASSED = "passed"
    NO_TEST_FAILURE = "no-test-failure"


@dataclass(frozen=True, slots=True, kw_only=True)
class LogLine:
    """One line of a log without what the CI system and the terminal put around it.

    Attributes:
        number: 1-based line number in the file.
        text: The line, free of prefixes, escapes and line ends.
        job: Name of the job where the line itself says it.
        step: Name of the step where the line itself says it.
        branch: What runs beside others in the same log and has printed it, where the line itself says it: a
            job, a container, a branch of a pipeline; the outer before the inner.
        begins: Name of the file that begins here, of a log that was put together from several; the line
            stands before the file's own first one.
        framed: The line with the prefixes that were taken off it, None where there were none.
    """

    number: int
    text: str
    job: str | None = None
    step: str | None = None
    branch: tuple[str, ...] = ()
    begins: str | None = None
    framed: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LogPart:
    """One file of a log that was put together from several.

    Attributes:
        name: Its path, or its archive's path and its own in there.
        line: 1-based line of the whole log that stands for its line 0.
        line_count: Number of its own lines.
    """

    name: str
    line: int
    line_count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ToldFact:
    """What is known of a CI run from elsewhere than its log.

    Attributes:
        label: What it is, such as `Runner`.
        value: As it was told.
        teller: Who told it, such as `GitHub's API`.
    """

    label: str
    value: str
    teller: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A value and the 1-based line of the log that it was read from."""

    value: str
    line: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Argument:
    """One argument of a falsifying example.

    Attributes:
        name: Name of the parameter.
        value: Its value as Hypothesis prints it, in one line.
        line: 1-based line of the log.
    """

    name: str
    value: str
    line: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Plugin:
    """A plugin of pytest, as a session names it.

    Attributes:
        name: Its name without `pytest-`.
        version: Its version.
        line: 1-based line of the log.
    """

    name: str
    version: str
    line: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Times:
    """When a job or a step began and ended, as the stamps before its lines say.

    Attributes:
        first: Stamp of its first line, as printed.
        last: Stamp of its last line, as printed.
    """

    first: Found
    last: Found


class Origin(str, Enum):
    """How a log shows an environment variable."""

    STEP = "step"
    EXPORT = "export"
    MENTION = "mention"


@dataclass(frozen=True, slots=True, kw_only=True)
class Variable:
    """An environment variable of the run.

    Attributes:
        name: Its name.
        value: Its value, unexpanded; None where it is masked or looks secret, and so never left the log.
        line: 1-based line of the log.
        origin: How the log shows it.
        file: The file that the line is of, None for the log.
    """

    name: str
    value: str | None
    line: int
    origin: Origin = Origin.STEP
    file: str | None = None

    @property
    def is_shell(self) -> bool:
        """Whether the value is shell text that may name other variables."""
        return self.origin is Origin.EXPORT

    @property
    def is_secret(self) -> bool:
        """Whether the value was withheld."""
        return self.value is None


@dataclass(frozen=True, slots=True, kw_only=True)
class CiFailure:
    """One failing test as the log shows it.

    Attributes:
        nodeid: Node id as printed, or rebuilt from the header and the frames.
        line: 1-based line of the log that names it.
        outcome: One of the failing outcomes.
        is_verbatim: Whether the id was printed as it stands; otherwise it was rebuilt.
        stage: Where it failed, None where the log does not say.
        exception: Name of the exception as printed, None where none is printed.
        message: First line of the message.
        place: Deepest frame printed before the exception.
        test_place: Deepest frame within the test's own file.
        text: Traceback and captured output, as far as they were kept.
        worker: xdist's worker id.
        runner: Which test runner it was.
        passed_later: Whether the same test passed in a later session or attempt of this log.
        subtest: How the subtest that failed first is described, such as `[warm] (litres=3)`.
        example: Arguments of Hypothesis's falsifying example.
        blob: The decorator with which Hypothesis comes back to that example.
    """

    nodeid: str
    line: int
    outcome: Outcome
    is_verbatim: bool = True
    stage: Stage | None = None
    exception: str | None = None
    message: str | None = None
    place: Frame | None = None
    test_place: Frame | None = None
    text: str = ""
    worker: str | None = None
    runner: Runner = Runner.PYTEST
    passed_later: bool = False
    subtest: str | None = None
    example: tuple[Argument, ...] = ()
    blob: Found | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """One test session of a log.

    Attributes:
        line: 1-based line at which it begins.
        failures: Its failing tests, in the order in which they were printed.
        command: The command that started it.
        job: Job that it ran in.
        step: Step that it ran in.
        python: Version of Python.
        pytest: Version of pytest.
        platform: `sys.platform` as pytest prints it.
        rootdir: pytest's root directory.
        plugins: pytest's plugins with their versions, in one line.
        directory: Folder that the command ran in, where the log shows that it is not where the step began.
        job_times: When the job began and ended.
        step_times: When the step began and ended.
        timeout: pytest-timeout's limit, as printed.
        variables: Environment variables of the step that ran it.
        summary: pytest's last line, without its frame of `=`.
        outcome: How it ended.
        lost_its_beginning: Whether the log shows its end alone, and so the step above it may be another one.
    """

    line: int
    failures: tuple[CiFailure, ...] = ()
    command: Found | None = None
    job: Found | None = None
    step: Found | None = None
    python: Found | None = None
    pytest: Found | None = None
    platform: Found | None = None
    rootdir: Found | None = None
    plugins: Found | None = None
    directory: Found | None = None
    job_times: Times | None = None
    step_times: Times | None = None
    timeout: Found | None = None
    variables: tuple[Variable, ...] = ()
    summary: Found | None = None
    outcome: LogOutcome = LogOutcome.NO_TEST_FAILURE
    lost_its_beginning: bool = False

    @property
    def plugin_versions(self) -> tuple[Plugin, ...]:
        """Pytest's plugins one by one."""
        if self.plugins is None:
            return ()
        found = map(_PLUGIN.fullmatch, self.plugins.value.split(", "))
        return tuple(
            Plugin(name=match["name"], version=match["version"], line=self.plugins.line)
            for match in found
            if match is not None
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class LogReport:
    """All that was read from one log.

    Attributes:
        line_count: Number of lines read.
        session: The session that counts: the one with the most failing tests, the first of equals.
        failures: Failing tests of all sessions, those of `session` first, each once.
        outcome: How the run ended.
        signals: Lines that tell of a crash, a hang or a cancelled job.
        other_commands: pytest commands of other sessions and of steps that were not reached.
        runner_image: Runner image, container image and the like, which cannot be had here.
        commit: Commit that was checked out.
        is_flaky: Whether the log itself shows a failing test that passed on another attempt.
        parts: The files that it was put together from, none where it is one file.
        told: What was told about the run by others than the log.
    """

    line_count: int
    session: Session
    failures: tuple[CiFailure, ...] = ()
    outcome: LogOutcome = LogOutcome.NO_TEST_FAILURE
    signals: tuple[Found, ...] = ()
    other_commands: tuple[Found, ...] = ()
    runner_image: tuple[Found, ...] = ()
    commit: Found | None = None
    is_flaky: bool = False
    parts: tuple[LogPart, ...] = ()
    told: tuple[ToldFact, ...] = ()
