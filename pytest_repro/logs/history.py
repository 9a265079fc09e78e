"""What ran in a process before a test failed, from the lines of `-v` output: a second pass over the log."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field

from pytest_repro.logs.nodeids import lone_status, verbose_line
from pytest_repro.logs.patterns import TITLE
from pytest_repro.logs.records import CiFailure, LogLine
from pytest_repro.logs.secrets import Masker, is_masked

_ENDS_PROGRESS = frozenset({"FAILURES", "ERRORS", "PASSES", "RERUNS", "short test summary info"})
_FAILED = frozenset({"FAILED", "ERROR", "RERUN"})
_STARTED = re.compile(r"(?P<id>[^\s:]+\.py::\w+(?:::\w+)*(?:\[[^\]]*\])?) ")
"""A test that prints (`-s`): its output follows on the line that names it."""

_ALONE = "main"
"""Stands for the one process of a session without workers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerHistory:
    """The tests that one process ran until one of them failed.

    Attributes:
        worker: xdist's worker id, `main` without workers.
        tests: Node ids in order, the failing one last; a test that was rerun stands there several times.
    """

    worker: str
    tests: tuple[str, ...]


def read_history(
    lines: Iterable[LogLine], failure: CiFailure, *, masker: Masker | None = None
) -> WorkerHistory | None:
    """Reads what the process of a failing test ran before; memory grows with the tests of one session only.

    Args:
        lines: Of the log, from its beginning.
        failure: Read from the same log.
        masker: Took the secrets out of the failure, None if none did.

    Returns:
        The tests as they stand in the log, secrets and all. None where the log does not name tests as they
        end, so that nobody can know.
    """
    hidden_by = masker if is_masked(failure.nodeid) else None
    histories: dict[tuple[str, ...], _History] = {}
    branch: tuple[str, ...] = ()
    for line in lines:
        if line.number == failure.line:
            branch = line.branch
        known = histories.get(branch)
        if line.number > failure.line and known is not None and known.found is not None:
            break
        if line.begins is not None:
            for one in histories.values():
                one.end_file()
        history = histories.get(line.branch)
        if history is None:
            history = histories[line.branch] = _History(failure.nodeid, failure.worker, hidden_by)
        history.feed(line.text.rstrip())
    found = histories.get(branch)
    return None if found is None else found.found or found.in_flight()


@dataclass(slots=True)
class _Process:
    tests: list[str] = field(default_factory=list)
    is_running: bool = False


class _History:
    """The processes of the session that is being read, and what was found last."""

    def __init__(self, nodeid: str, worker: str | None, masker: Masker | None) -> None:
        self._nodeid = nodeid
        self._masker = masker
        self._worker = worker
        self._processes: dict[str, _Process] = {}
        self._is_progress = True
        self.found: WorkerHistory | None = None

    def end_file(self) -> None:
        """Forgets what ran: the next line is another file's."""
        self._processes, self._is_progress = {}, True

    def feed(self, text: str) -> None:
        """Takes the next line."""
        title = TITLE.fullmatch(text) if text.startswith("=") else None
        if title is not None:
            name = title["title"].strip()
            if name == "test session starts":
                self._processes, self._is_progress = {}, True
            elif name in _ENDS_PROGRESS:
                self._is_progress = False
            return
        if self._is_progress and text:
            self._progress(text)

    def in_flight(self) -> WorkerHistory | None:
        """Returns the history of a test that began and never ended: its process died."""
        alone = self._processes.get(_ALONE)
        has_workers = any(worker != _ALONE for worker in self._processes)
        if alone is None or has_workers or not alone.is_running or not self._is_wanted(alone.tests[-1]):
            return None
        return WorkerHistory(worker=_ALONE, tests=tuple(alone.tests))

    def _progress(self, text: str) -> None:
        read = verbose_line(text)
        if read is None:
            self._lone_status(text)
            return
        if read.status is not None and read.status.startswith("SUB"):
            return
        worker = read.worker or _ALONE
        if self._worker is not None and worker not in (self._worker, _ALONE):
            return
        process = self._processes.setdefault(worker, _Process())
        if read.status is None:
            process.tests.append(read.nodeid)
            process.is_running = True
            return
        # A teardown that fails is told in a line of its own, after that of the call.
        is_teardown = read.status == "ERROR" and not process.is_running
        is_known = process.tests[-1:] == [read.nodeid] and (process.is_running or is_teardown)
        if not is_known:
            process.tests.append(read.nodeid)
        self._ended(worker, process, read.status)

    def _lone_status(self, text: str) -> None:
        process = self._processes.get(_ALONE)
        status = lone_status(text) if process is not None and process.is_running else None
        if process is not None and status is not None:
            self._ended(_ALONE, process, status)
            return
        started = _STARTED.match(text)
        if started is not None and (process is None or not process.is_running):
            self._processes.setdefault(_ALONE, _Process(tests=[], is_running=True)).tests.append(
                started["id"]
            )
            self._processes[_ALONE].is_running = True

    def _is_wanted(self, test: str) -> bool:
        return self._nodeid == (test if self._masker is None else self._masker(test))

    def _ended(self, worker: str, process: _Process, status: str) -> None:
        process.is_running = False
        if status in _FAILED and self._is_wanted(process.tests[-1]):
            self.found = self.found_in(worker, process)

    def found_in(self, worker: str, process: _Process) -> WorkerHistory:
        """Returns the history up to the first failure of a test that was rerun."""
        tests = process.tests
        before = self.found
        is_rerun = (
            before is not None
            and before.worker == worker
            and tuple(tests[: len(before.tests)]) == before.tests
        )
        return before if is_rerun and before is not None else WorkerHistory(worker=worker, tests=tuple(tests))
