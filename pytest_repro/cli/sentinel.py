"""A process beside a stress run without workers: it tells how pytest died, and ends it if it hangs.

Without workers and without `--repro-isolate`, the process that runs the tests is the one that keeps the
records. When it dies, this one adds to them what had finished and was not written, and the iteration that
ended with it, and says on the terminal how to go on.

It imports little, and begins only where a stress run lasts or dies: see `sentinel_start`.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import shutil
import signal
import sys
import threading
from collections import deque
from dataclasses import dataclass, field
from pathlib import Path

from pytest_repro.cli.sentinel_start import DONE
from pytest_repro.clock import MonotonicNs, monotonic_ns
from pytest_repro.processes import end_process, has_ended
from pytest_repro.report.stress import batch_record, failure_record
from pytest_repro.store import SessionFolder, note_owner
from pytest_repro.stress.deaths import (
    Death,
    Examination,
    OutOfMemoryKills,
    code_of_fatal_signal,
    describe_death,
)
from pytest_repro.stress.recorder import Position, PositionReader, read_phases, read_position
from pytest_repro.stress.seeds import SeedSource, seed_name
from pytest_repro.stress.stacks import has_native_tool, read_stacks, stacks_taken_ns
from pytest_repro.stress.watchdog import examine, examine_crash, is_same_iteration, overdue_ns
from pytest_repro.timing.deaths import profile_left_behind
from pytest_repro.timing.formats import write_profile

_LOOK_S = 0.2
_TAIL = 1 << 20


@dataclass(slots=True, kw_only=True)
class Watched:
    """What this process is told in the first line of its input.

    Attributes:
        pid: The pytest process.
        position_file: Where it notes where it is.
        stack_file: Where it writes its stacks.
        records: Folder of the session's records.
        shown_records: The same as a person sees it.
        root: The project's root.
        go_on: Command that goes on past a crash.
        base_seed: The seed that all seeds derive from, None where nothing is reseeded.
        hash_seed: `PYTHONHASHSEED` of the pytest process, None where it was not set by a number.
        began_ns: Monotonic clock at the start of the stress run.
        hang_ns: Longest time of an iteration, None where only pytest-timeout's limits hold.
        triage: The user's command for a hanging process.
        tests: Pairs of node id and file, in order of collection; told in a second line.
    """

    pid: int
    position_file: str
    stack_file: str
    records: str
    shown_records: str
    root: str
    go_on: str
    base_seed: int | None
    hash_seed: int | None
    began_ns: int
    hang_ns: int | None
    triage: list[str] | None
    tests: list[list[str]] = field(default_factory=list)


class Sentinel:
    """Watches one pytest process.

    Args:
        watched: Which, and what to do.
        clock: Monotonic, in nanoseconds.
    """

    def __init__(self, watched: Watched, *, clock: MonotonicNs) -> None:
        self._watched = watched
        self._clock = clock
        self._memory = OutOfMemoryKills()
        self._holds_crashes = has_native_tool()
        self._reader: PositionReader | None = None
        self._suspect: Position | None = None
        self._examination: Examination | None = None

    def look(self) -> None:
        """Ends the process if its iteration takes too long."""
        watched = self._watched
        if self._examination is not None:
            # It is about to end.
            return
        if self._reader is None:
            try:
                self._reader = PositionReader(Path(watched.position_file))
            except (OSError, ValueError):
                return
        if self._holds_crashes:
            self._examination = examine_crash(watched.pid, stack_file=Path(watched.stack_file))
        if self._examination is not None:
            # Its exit status is the same as without anybody who looks.
            code = self._examination.code or -signal.SIGKILL
            end_process(watched.pid, spared=os.getpid(), by=-code)
            return
        position = self._reader.look()
        taken_ns = overdue_ns(position, now_ns=self._clock(), hang_ns=watched.hang_ns)
        is_sure = self._suspect is not None and is_same_iteration(self._suspect, position)
        self._suspect = None if taken_ns is None else position
        if taken_ns is None or not is_sure:
            return
        reader = self._reader
        self._examination = examine(
            watched.pid,
            stack_file=Path(watched.stack_file),
            hung_ns=taken_ns,
            triage=watched.triage,
            is_hanging=lambda: is_same_iteration(reader.look(), position),
        )
        if self._examination is not None:
            # This process is one that it has started.
            end_process(watched.pid, spared=os.getpid())

    def tell(self) -> str | None:
        """Completes the records and returns what a person must know; None if it died in no slice."""
        watched = self._watched
        position = read_position(Path(watched.position_file))
        if not Path(watched.position_file).parent.exists():
            return self._tell_lost_output()
        if position is None or position.test_index >= len(watched.tests) or position.is_idle:
            return None
        stacks = read_stacks(Path(watched.stack_file))
        ran_out_of_memory = self._memory.any_since()
        ended_ns = self._examination and self._examination.ended_ns(position)
        until_ns = ended_ns or stacks_taken_ns(Path(watched.stack_file), self._clock())
        phases = read_phases(Path(watched.position_file), until_ns)
        death = describe_death(
            position,
            code=code_of_fatal_signal(stacks) or (-signal.SIGKILL if ran_out_of_memory else None),
            root=watched.root,
            stacks=stacks,
            examination=self._examination,
            ran_out_of_memory=ran_out_of_memory,
        )
        test, file = watched.tests[position.test_index]
        folder = SessionFolder(Path(watched.records))
        profile = profile_left_behind(death.position, phases, outcome=death.outcome, test=test, worker="main")
        if profile is not None:
            write_profile(folder, profile)
        self._write(folder, position, death, test=test, file=file)
        how = death.text if position.is_in_iteration else f"{death.message} between two iterations"
        kept = f"the records hold every finished iteration: {watched.shown_records}"
        if folder.problem is not None:
            kept = f"the records are incomplete: {folder.problem}"
        return (
            f"\n\npytest-repro: {test}: {how}\n\n"
            "This ended the session: without -n or --repro-isolate the tests run in pytest's own process.\n"
            f"{kept}\nto go on past it: {watched.go_on}\n"
        )

    def _tell_lost_output(self) -> str:
        """Speaks for a session that came to its end, wrote its records, and had no output any more."""
        return (
            "\n\npytest-repro: a test has closed files of pytest's own, which ended the session\n"
            f"the records hold every finished iteration: {self._watched.shown_records}\n"
            f"to go on past it: {self._watched.go_on}\n"
        )

    def _write(
        self, folder: SessionFolder, position: Position, death: Death, *, test: str, file: str
    ) -> None:
        watched = self._watched
        after = _last_recorded(folder.path / "iterations.jsonl", test, position)
        message = position.unsent_message(test=test, item=test, worker="main", after=after)
        if message is not None:
            folder.append("iterations.jsonl", batch_record(message))
        if position.is_in_iteration:
            seed = None
            if watched.base_seed is not None:
                seeds = SeedSource(watched.base_seed, seed_name(Path(file).name, test))
                seed = seeds.seed(position.iteration)
            failure = death.failure(
                test=test,
                worker="main",
                seed=seed,
                hash_seed=watched.hash_seed,
                elapsed_ns=self._clock() - watched.began_ns,
            )
            folder.append("failures.jsonl", failure_record(failure))
        folder.close()


def main(given: bytes = b"") -> None:
    """Watches until the process says that it is done, or dies.

    Args:
        given: What was read of the standard input before.
    """
    lines = _Lines(sys.stdin.fileno(), given)
    head = lines.wait()
    if head is None:
        return
    watched = Watched(**json.loads(head))
    with contextlib.suppress(OSError):  # no room
        # Sessions that begin remove what dead ones have left behind: not before it was read here.
        note_owner(Path(watched.position_file).parent, as_heir=True)
    tests = lines.wait()
    if tests is None:
        return
    watched.tests = json.loads(tests)
    sentinel = Sentinel(watched, clock=monotonic_ns)
    pause = threading.Event()
    while _is_alive(watched.pid):
        if DONE in lines.take():
            return
        if lines.is_over:
            # It dies, or a test has closed the pipe: then the process itself tells.
            pause.wait(_LOOK_S)
        sentinel.look()
    if DONE not in lines.take():
        told = sentinel.tell()
        if told is not None:
            os.write(sys.stderr.fileno(), told.encode("utf-8", "backslashreplace"))
    _remove(watched)


class _Lines:
    """Lines of a pipe, without waiting longer than for a look at the process.

    Args:
        descriptor: Of the pipe.
        given: What was read of it before.
    """

    def __init__(self, descriptor: int, given: bytes = b"") -> None:
        self._descriptor = descriptor
        self._rest = b""
        self._lines: deque[bytes] = deque()
        self.is_over = False
        self._add(given)

    def wait(self) -> bytes | None:
        """Returns the first line, None if there is none."""
        while not self._lines and not self.is_over:
            self._read()
        return self._lines.popleft() if self._lines else None

    def take(self) -> list[bytes]:
        """Returns the lines that have come; waits a moment for one."""
        self._read()
        lines = list(self._lines)
        self._lines.clear()
        return lines

    def _read(self) -> None:
        if self.is_over or not select.select([self._descriptor], [], [], _LOOK_S)[0]:
            return
        part = os.read(self._descriptor, 1 << 20)
        self.is_over = not part
        self._add(part)

    def _add(self, part: bytes) -> None:
        *lines, self._rest = (self._rest + part).split(b"\n")
        self._lines.extend(line + b"\n" for line in lines)


def _is_alive(pid: int) -> bool:
    """Tells whether the process, the parent of this one, still runs."""
    return os.getppid() == pid and not has_ended(pid)


def _last_recorded(path: Path, test: str, position: Position) -> int:
    """Returns the last iteration of this slice in the records, 0 for none; a torn last line is cut off."""
    try:
        with path.open("r+b") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - _TAIL))
            tail = file.read()
            whole = tail.rpartition(b"\n")[0] + b"\n"
            file.truncate(size - len(tail) + len(whole))
    except OSError:
        return 0
    try:
        record = json.loads(whole.splitlines()[-1])
        if record["test"] != test or record["first"] < position.slice_first:
            return 0
        return int(record["first"] + (len(record["durations_ns"]) - 1) * record["step"])
    except (ValueError, LookupError):
        return 0


def _remove(watched: Watched) -> None:
    shutil.rmtree(Path(watched.position_file).parent, ignore_errors=True)
