"""What runs side by side and prints into one log, told apart: each with its own sessions and environment."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator

from pytest_repro.logs.accidents import MOST_SIGNALS, ends_process
from pytest_repro.logs.environment import EnvironmentReader
from pytest_repro.logs.evidence import Evidence
from pytest_repro.logs.pytest_output import PytestReader
from pytest_repro.logs.records import CiFailure, Found, LogLine
from pytest_repro.logs.unnamed import UnnamedReader

MOST_BRANCHES = 100
"""Branches that are told apart; the lines of more are read as if they were one."""
_MOST_ENVIRONMENTS = 400

Branch = tuple[str, ...]


class Stream:
    """Reads the lines of one branch.

    Args:
        environment: What is known where it begins.
    """

    def __init__(self, environment: EnvironmentReader) -> None:
        self.environment = environment
        self.sessions = PytestReader(self.start)
        self.unnamed = UnnamedReader()
        self.origin = environment.step

    @property
    def is_in_session(self) -> bool:
        """Whether a session is open."""
        return self.sessions.current is not None

    def start(self, line: LogLine) -> Evidence:
        """Makes the evidence of a session that begins at a line."""
        environment = self.environment
        return Evidence(
            line=line.number,
            command=environment.session_command(),
            unittest_call=environment.unittest_call,
            job=environment.job,
            step=environment.step,
            variables=environment.variables,
            directory=environment.directory,
            job_span=environment.job_span,
            step_span=environment.step_span,
            python=environment.python,
        )

    def feed(self, line: LogLine) -> None:
        """Takes the next line."""
        self.environment.feed(line)
        self.sessions.feed(line)
        self.unnamed.feed(line, in_session=self.sessions.current is not None)


class Streams:
    """All branches of a log, and what belongs to none."""

    def __init__(self) -> None:
        self.main = Stream(EnvironmentReader())
        """Reads what belongs to no branch."""
        self._branches: dict[Branch, Stream] = {}
        self._environments = [self.main.environment]

    def feed(self, line: LogLine) -> Stream:
        """Takes the next line; returns the stream that it belongs to."""
        if line.begins is not None:
            for one in self:
                one.environment.end_file()
                one.sessions.end_file()
        stream = self._stream(line.branch) if line.branch else self.main
        stream.feed(line)
        if self._branches and ends_process(line.text):
            self._end_of_process(line, stream)
        return stream

    def __iter__(self) -> Iterator[Stream]:
        """Yields all streams, first that of what belongs to no branch."""
        yield self.main
        yield from self._branches.values()

    def environment_of(self, is_meant: Callable[[Evidence], bool]) -> EnvironmentReader:
        """Returns what was read of the environment of a session."""
        return next(one.environment for one in self if any(map(is_meant, one.sessions.sessions)))

    @property
    def sessions(self) -> list[tuple[Evidence, frozenset[str]]]:
        """The sessions of all streams by their lines, with what passed again in the same stream."""
        found: list[tuple[Evidence, frozenset[str]]] = []
        for stream in self:
            sessions = stream.sessions.sessions
            passed = frozenset().union(*(session.passed_again for session in sessions))
            found += [(session, passed) for session in sessions]
        return sorted(found, key=lambda one: one[0].line)

    @property
    def loose(self) -> tuple[CiFailure, ...]:
        """Failures outside of any session."""
        found = (failure for stream in self for failure in stream.unnamed.failures)
        return tuple(sorted(found, key=lambda failure: failure.line))

    @property
    def signals(self) -> tuple[Found, ...]:
        """Lines that tell of a crash, a hang or a cancelled job."""
        found = dict.fromkeys(signal for stream in self for signal in stream.sessions.signals)
        return tuple(sorted(found, key=lambda signal: signal.line))[:MOST_SIGNALS]

    @property
    def commands(self) -> tuple[Found, ...]:
        """The pytest commands of all streams."""
        found = dict.fromkeys(command for one in self._environments for command in one.commands)
        return tuple(sorted(found, key=lambda command: command.line))

    @property
    def images(self) -> tuple[Found, ...]:
        """Images of runners and containers of all streams."""
        found = dict.fromkeys(image for one in self._environments for image in one.images)
        return tuple(sorted(found, key=lambda image: image.line))

    @property
    def commit(self) -> Found | None:
        """The commit that was last checked out."""
        found = [one.commit for one in self._environments if one.commit is not None]
        return max(found, key=lambda commit: commit.line, default=None)

    @property
    def secret_values(self) -> frozenset[str]:
        """Values that must not appear in anything that is written."""
        return frozenset().union(*(one.secret_values for one in self._environments))

    def _stream(self, branch: Branch) -> Stream:
        around = self._stream(branch[:-1]) if len(branch) > 1 else self.main
        known = self._branches.get(branch)
        if known is not None and known.is_in_session:
            return known
        if around.is_in_session or (known is None and len(self._branches) >= MOST_BRANCHES):
            return around  # what a test shows of other containers is its output
        if known is None:
            known = self._branches[branch] = Stream(self._inherited(around))
        elif known.origin != around.environment.step and len(self._environments) < _MOST_ENVIRONMENTS:
            known.environment = self._inherited(around)
        else:
            return known
        known.origin = around.environment.step
        return known

    def _inherited(self, around: Stream) -> EnvironmentReader:
        """What is known of the step around holds for what it starts."""
        environment = copy.deepcopy(around.environment)
        self._environments.append(environment)
        return environment

    def _end_of_process(self, line: LogLine, stream: Stream) -> None:
        """The end of the step around ends the branches that it has started."""
        for branch, one in self._branches.items():
            is_within = line.branch == branch[: len(line.branch)]
            if is_within and one is not stream and one.is_in_session:
                one.sessions.feed(line)
