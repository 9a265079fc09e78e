"""Watches xdist's workers from outside: ends those that hang, and notices those that are lost."""

from __future__ import annotations

import contextlib
import subprocess
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from pytest_repro.clock import MonotonicNs
from pytest_repro.processes import end_process
from pytest_repro.stress.deaths import Examination
from pytest_repro.stress.recorder import Position, PositionReader
from pytest_repro.stress.watchdog import examine, examine_crash, is_same_iteration, overdue_ns

_LOOK_S = 0.1
_LOST_NS = 10**9
"""Time from a worker's end until xdist should have noticed it."""


@dataclass(slots=True, kw_only=True)
class _Worker:
    """One worker that is watched."""

    process: subprocess.Popen[bytes]
    position_file: Path
    stack_file: Path
    holds_crashes: bool
    lose: Callable[[], None]
    reader: PositionReader | None = None
    position: Position | None = None
    suspect: tuple[int, int] | None = None
    ended_ns: int | None = None
    is_given_up: bool = False


class Watchdog:
    """A thread of the controller that looks at all workers ten times a second.

    A worker dies without xdist noticing where a child of it holds the pipe open.

    Args:
        hang_ns: Longest time of an iteration, None where only pytest-timeout's limits hold.
        triage: The user's command for a hanging process, None without one.
        clock: Monotonic, in nanoseconds.
    """

    def __init__(self, *, hang_ns: int | None, triage: Sequence[str] | None, clock: MonotonicNs) -> None:
        self._hang_ns = hang_ns
        self._triage = triage
        self._clock = clock
        self._workers: dict[str, _Worker] = {}
        self._examinations: dict[str, Examination] = {}
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="pytest-repro watchdog", daemon=True)

    def add(
        self,
        worker: str,
        process: subprocess.Popen[bytes],
        *,
        position_file: Path,
        stack_file: Path,
        holds_crashes: bool,
        lose: Callable[[], None],
    ) -> None:
        """Watches one more worker.

        Args:
            worker: xdist's id of it.
            process: Its process.
            position_file: Where it notes where it is.
            stack_file: Where it writes its stacks.
            holds_crashes: Whether it waits in a crash until it was looked into.
            lose: Called in the watchdog's thread when it is dead and xdist has not noticed.
        """
        self._workers[worker] = _Worker(
            process=process,
            position_file=position_file,
            stack_file=stack_file,
            holds_crashes=holds_crashes,
            lose=lose,
        )
        if not self._thread.is_alive() and not self._is_over.is_set():
            self._thread.start()

    def examination(self, worker: str) -> Examination | None:
        """Returns what was found before this worker was ended, None if it was not."""
        return self._examinations.get(worker)

    def longest(self) -> Position | None:
        """Returns where the worker is whose iteration has taken longest by now; None without any."""
        running = [
            worker.position
            for worker in list(self._workers.values())
            if worker.position is not None and worker.position.is_in_iteration and worker.ended_ns is None
        ]
        return min(running, key=lambda position: position.began_ns, default=None)

    def stop(self) -> None:
        """Watches no more."""
        self._is_over.set()
        if self._thread.is_alive():
            self._thread.join()

    def _watch(self) -> None:
        while not self._is_over.wait(_LOOK_S):
            for name, worker in list(self._workers.items()):
                if worker.process.poll() is None:
                    self._look(name, worker)
                elif not worker.is_given_up:
                    self._note_end(worker)

    def _note_end(self, worker: _Worker) -> None:
        now_ns = self._clock()
        if worker.ended_ns is None:
            worker.ended_ns = now_ns
        elif now_ns - worker.ended_ns > _LOST_NS:
            worker.is_given_up = True
            worker.lose()

    def _look(self, name: str, worker: _Worker) -> None:
        if worker.reader is None:
            with contextlib.suppress(OSError, ValueError):  # it has not begun yet
                worker.reader = PositionReader(worker.position_file)
            return
        if worker.holds_crashes and name not in self._examinations:
            found = examine_crash(worker.process.pid, stack_file=worker.stack_file)
            if found is not None:
                self._examinations[name] = found
                end_process(worker.process.pid)
                return
        position = worker.position = worker.reader.look()
        taken_ns = overdue_ns(position, now_ns=self._clock(), hang_ns=self._hang_ns)
        suspect = None if taken_ns is None else (position.iteration, position.began_ns)
        # One look may have met the moment in which a note was made.
        is_sure = suspect is not None and suspect == worker.suspect
        worker.suspect = suspect
        if taken_ns is not None and is_sure:
            self._end(name, worker, worker.reader, position, taken_ns)

    def _end(
        self, name: str, worker: _Worker, reader: PositionReader, position: Position, taken_ns: int
    ) -> None:
        pid = worker.process.pid
        found = examine(
            pid,
            stack_file=worker.stack_file,
            hung_ns=taken_ns,
            triage=self._triage,
            is_hanging=lambda: is_same_iteration(reader.look(), position),
        )
        worker.suspect = None
        if found is not None:
            self._examinations[name] = found
            end_process(pid)
