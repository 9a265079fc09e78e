"""One log, read as a stream, to one record."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

from pytest_repro.errors import LogError
from pytest_repro.logs.accidents import is_hang_signal
from pytest_repro.logs.blocks import same_file
from pytest_repro.logs.environment import MOST_IMAGES, EnvironmentReader
from pytest_repro.logs.evidence import Evidence
from pytest_repro.logs.formats import ByteSource, log_lines
from pytest_repro.logs.masking import masked_report
from pytest_repro.logs.merge import failures_of, outcome_of
from pytest_repro.logs.records import CiFailure, Found, LogLine, LogOutcome, LogReport, Session, Variable
from pytest_repro.logs.secret_keys import KeyHider
from pytest_repro.logs.secrets import Masker
from pytest_repro.logs.sources import Log
from pytest_repro.logs.streams import Streams
from pytest_repro.model import Outcome

_CRASH_SIGNAL = re.compile(
    r"Fatal Python error|fatal exception|TT_FATAL|TT_THROW|terminate called|Segmentation fault|core dumped|"
    r"\b(?:Killed|Aborted|Bus error|Illegal instruction)\b.*pytest"
)
_SHELL_DEATH = re.compile(r"\(core dumped\)")
_TIMEOUT_SIGNAL = re.compile(r"Stack of .+\(\d+\)|\+ ?Timeout|returning 124")


def read_log_file(path: Path) -> LogReport:
    """Reads a log file.

    Raises:
        LogError: The file cannot be read.
    """
    try:
        with path.open("rb") as source:
            return read_log(source)
    except OSError as error:
        raise LogError(
            f"The log cannot be read: {error.strerror or error}",
            place=str(path),
            next_step="Give a log file that exists and that you may read, or - for standard input.",
        ) from error


def read_log(source: ByteSource) -> LogReport:
    """Reads a log from a stream of bytes; memory does not grow with its size."""
    return read_log_and_masker(source)[0]


def read_log_and_masker(source: ByteSource) -> tuple[LogReport, Masker]:
    """Reads a log, and gives what takes its secrets out of any text."""
    report, masker = _read_lines(log_lines(source))
    return masked_report(report, masker), masker


def read_whole_log(log: Log) -> tuple[LogReport, Masker]:
    """Reads a log that may consist of several files.

    Raises:
        LogError: One of them cannot be read.
    """
    report, masker = _read_lines(log.lines())
    return masked_report(replace(report, parts=log.parts, told=log.told), masker), masker


def _read_lines(lines: Iterable[LogLine]) -> tuple[LogReport, Masker]:
    """Returns what was read as it stands in the log, and what takes the secrets out of it."""
    streams = Streams()
    keys = KeyHider()
    scene: tuple[Evidence, EnvironmentReader] | None = None
    stream = streams.main
    last = 0
    for line in lines:
        keys(line.text)
        stream = streams.feed(line)
        if scene is None and (stream.unnamed.failures or line.text.startswith("##[error]")):
            scene = stream.start(line), stream.environment
        last = line.number
    masker = Masker(streams.secret_values | keys.bodies)
    first = LogLine(number=1, text="")
    return _report(last, streams, scene or (stream.start(first), stream.environment)), masker


def _report(last: int, streams: Streams, scene: tuple[Evidence, EnvironmentReader]) -> LogReport:
    loose = streams.loose
    read = {id(one): _session(one, passed) for one, passed in streams.sessions}
    sessions = list(read.values())
    primary = _primary(sessions)
    environment = scene[1]
    if primary is not None:
        environment = streams.environment_of(lambda one: read[id(one)] is primary)
    if primary is None or (loose and not primary.failures):
        primary = _session(scene[0], frozenset())
    everything = (primary, *(one for one in sessions if one is not primary))
    failures = tuple(_unique([*(failure for one in everything for failure in one.failures), *loose]))
    signals = streams.signals
    return LogReport(
        line_count=last,
        session=_completed(primary, sessions, environment),
        failures=failures,
        outcome=_outcome(primary, failures, signals),
        signals=signals,
        other_commands=tuple(_others(streams.commands, primary.command)),
        runner_image=streams.images[:MOST_IMAGES],
        commit=environment.commit or streams.commit,
        is_flaky=any(failure.passed_later for failure in failures),
    )


def _session(evidence: Evidence, passed: frozenset[str]) -> Session:
    failures = failures_of(evidence)
    outcome = outcome_of(evidence, failures)
    command = evidence.command or (evidence.unittest_call if evidence.is_of_unittest else None)
    shown = tuple(replace(failure, passed_later=failure.nodeid in passed) for failure in failures)
    return Session(
        line=evidence.line,
        failures=shown,
        command=command,
        job=evidence.job,
        step=None if evidence.lost_its_beginning else evidence.step,
        python=evidence.python,
        pytest=evidence.pytest,
        platform=evidence.platform,
        rootdir=evidence.rootdir,
        plugins=evidence.plugins,
        directory=evidence.directory if command is not None else None,
        job_times=evidence.job_span.times,
        step_times=None if evidence.lost_its_beginning else evidence.step_span.times,
        timeout=evidence.timeout,
        variables=evidence.variables,
        summary=evidence.summary,
        outcome=outcome,
        lost_its_beginning=evidence.lost_its_beginning,
    )


def _primary(sessions: list[Session]) -> Session | None:
    """The session with the most failing tests that did not pass later; the first of equals."""

    def weight(session: Session) -> tuple[int, int, bool]:
        lasting = sum(not failure.passed_later for failure in session.failures)
        broken = session.outcome not in {LogOutcome.PASSED, LogOutcome.NO_TEST_FAILURE}
        return lasting, len(session.failures), broken

    return max(sessions, key=weight, default=None)


def _completed(session: Session, sessions: list[Session], environment: EnvironmentReader) -> Session:
    """Fills in what the session's own lines do not say, from what the log says elsewhere."""
    variables: tuple[Variable, ...] = session.variables or tuple(environment.last_variables.values())
    if session.lost_its_beginning:  # it may have run in a later step, whose head is lost as well
        known = {one.name: one for one in session.variables}
        variables = tuple((known | environment.last_variables).values())
    return replace(
        session,
        variables=variables,
        python=session.python or _agreed(sessions, "python") or environment.python,
        job=session.job or environment.name_shown(of_step=False),
        step=session.step or environment.name_shown(of_step=True),
        pytest=session.pytest or _agreed(sessions, "pytest"),
        platform=session.platform or _agreed(sessions, "platform"),
        command=session.command or environment.command_told_after(session.line),
    )


def _agreed(sessions: list[Session], name: str) -> Found | None:
    """A version that all sessions of the log that print it agree on."""
    found: list[Found] = [one for session in sessions if (one := getattr(session, name)) is not None]
    return found[0] if len({one.value for one in found}) == 1 else None


def _unique(failures: list[CiFailure]) -> Iterator[CiFailure]:
    named = [failure for failure in failures if failure.is_verbatim and failure.outcome is Outcome.CRASH]
    seen: set[tuple[str, bool]] = set()
    for failure in failures:
        key = (failure.nodeid, failure.outcome is Outcome.ERROR)
        # A dump on the standard error may come before the session that tells of the same death.
        is_told = not failure.is_verbatim and any(_is_death_of(failure, one) for one in named)
        if key not in seen and not is_told:
            seen.add(key)
            yield failure


def _is_death_of(dumped: CiFailure, named: CiFailure) -> bool:
    file, _, names = dumped.nodeid.partition("::")
    named_file, _, named_names = named.nodeid.partition("::")
    function = named_names.partition("[")[0].rpartition("::")[2]
    return dumped.outcome is Outcome.CRASH and same_file(file, named_file) and names == function


def _others(commands: Iterable[Found], used: Found | None) -> Iterator[Found]:
    seen = {used.value} if used else set()
    for command in commands:
        if command.value not in seen:
            seen.add(command.value)
            yield command


def _outcome(session: Session, failures: tuple[CiFailure, ...], signals: tuple[Found, ...]) -> LogOutcome:
    died = session.summary is None and any(_SHELL_DEATH.search(signal.value) for signal in signals)
    if session.outcome is LogOutcome.FAILED and died:
        return LogOutcome.CRASH
    if session.outcome not in {LogOutcome.NO_TEST_FAILURE, LogOutcome.PASSED}:
        return session.outcome
    if failures:
        return LogOutcome.FAILED
    return session.outcome if session.outcome is LogOutcome.PASSED else _outcome_of_signals(signals)


def _outcome_of_signals(signals: tuple[Found, ...]) -> LogOutcome:
    texts = [signal.value for signal in signals]
    if any(_TIMEOUT_SIGNAL.search(text) for text in texts):
        return LogOutcome.TIMEOUT
    if any(is_hang_signal(text) for text in texts):
        return LogOutcome.HANG
    if any(_CRASH_SIGNAL.search(text) for text in texts):
        return LogOutcome.CRASH
    return LogOutcome.NO_TEST_FAILURE
