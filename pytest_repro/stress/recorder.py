"""The flight recorder: where a process that runs iterations is, readable from outside and after its death.

One file for each such process, mapped into memory. An update is a write to memory and costs below a
microsecond; what was written survives SIGKILL, as the pages belong to the system and not to the process.
"""

from __future__ import annotations

import mmap
import os
import struct
from array import array
from dataclasses import dataclass
from enum import IntEnum
from functools import partial
from pathlib import Path

from pytest_repro.model import Outcome, Phase, Stage
from pytest_repro.signature import make_signature, signature_to_dict
from pytest_repro.stress import phase_trail
from pytest_repro.stress.board import make_room
from pytest_repro.stress.loop import FLUSH_ITERATIONS, Batch, FailureFacts, IterationResult, Message
from pytest_repro.stress.phase_trail import NotedPhase, PhaseTrail, read_trail


class Activity(IntEnum):
    """What a process that runs iterations does."""

    IDLE = 0
    """It is in no slice."""
    BETWEEN = 1
    """It is in a slice and in no iteration: it sends what has finished."""
    SETUP = 2
    CALL = 3
    TEARDOWN = 4
    CLOSING = 5
    """It tears down what the last iteration of a slice left set up."""


_STAGES = {Activity.SETUP: Stage.SETUP, Activity.CALL: Stage.CALL}
_ACTIVITIES = {"setup": int(Activity.SETUP), "call": int(Activity.CALL), "teardown": int(Activity.TEARDOWN)}

_PROCESS = struct.Struct("=q")
_SLICE = struct.Struct("=qqqqq")
_SLICE_AT = _PROCESS.size
_LIMIT = struct.Struct("=qq")
_LIMIT_AT = _SLICE_AT + _SLICE.size - _LIMIT.size
_ITERATION = struct.Struct("=qqqqqBB")
_ITERATION_AT = _SLICE_AT + _SLICE.size
_ACTIVITY = struct.Struct("=qB")
_PHASE_AT = _ITERATION_AT + _ITERATION.size - 1
_ACTIVITY_AT = _PHASE_AT - _ACTIVITY.size
_NAMES_AT = 128
_NAME_BYTES = 64
_MOST_NAMES = 250
_OUTCOMES_AT = _NAMES_AT + _MOST_NAMES * _NAME_BYTES
_DURATIONS_AT = _OUTCOMES_AT + FLUSH_ITERATIONS
_TRAIL_AT = _DURATIONS_AT + FLUSH_ITERATIONS * array("q").itemsize
_SIZE = _TRAIL_AT + phase_trail.SIZE

_OUTCOMES = tuple(Outcome)
_CODES = {outcome: code for code, outcome in enumerate(_OUTCOMES)}
_SETUP = int(Activity.SETUP)


class FlightRecorder:
    """Notes where this process is.

    Args:
        path: A file of its own, made anew; None for memory that nobody else sees.

    Raises:
        OSError: The file cannot be made.
    """

    def __init__(self, path: Path | None) -> None:
        self._map = _new_map(path)
        self._durations = memoryview(self._map)[_DURATIONS_AT:_TRAIL_AT].cast("q")
        self._trail = PhaseTrail(self._map, _TRAIL_AT)
        self._pack_iteration = _ITERATION.pack_into
        self._pack_activity = _ACTIVITY.pack_into
        self._codes: dict[str, dict[str | None, int]] = {"": {None: 0}}
        self._names = 1
        self._batch_first = 0
        self._finished = 0
        self._sent = (0, 0)
        self.note_process()

    def note_process(self) -> None:
        """Notes that it is this process that writes now: a fork says so first."""
        _PROCESS.pack_into(self._map, 0, os.getpid())

    def begin_slice(self, test_index: int, *, first: int, step: int) -> None:
        """Notes the slice whose iterations come now."""
        self._batch_first = self._finished = 0
        self._sent = (0, 0)
        # What the slice before has sent is none of this one's.
        self._leave(Activity.IDLE, 0, 0)
        _SLICE.pack_into(self._map, _SLICE_AT, test_index, first, step, 0, 0)

    def limit(self, limit_ns: int, *, of_call: bool) -> None:
        """Notes how long pytest-timeout lets an iteration of this slice take, or its call alone."""
        _LIMIT.pack_into(self._map, _LIMIT_AT, limit_ns, of_call)

    def begin(self, iteration: int, now_ns: int) -> None:
        """Notes the iteration that begins now, with its setup."""
        finished = self._finished
        if not finished:
            self._batch_first = iteration
        self._pack_iteration(
            self._map, _ITERATION_AT, iteration, now_ns, self._batch_first, finished, now_ns, _SETUP, 0
        )

    def stage(self, when: str, now_ns: int) -> None:
        """Notes that `setup`, `call` or `teardown` begins now."""
        self._pack_activity(self._map, _ACTIVITY_AT, now_ns, _ACTIVITIES[when])

    def begin_phases(self) -> None:
        """Notes that the phases of another iteration come now."""
        self._trail.begin()

    def enter_phase(self, phase: NotedPhase, thread: int) -> int:
        """Notes that a phase has begun.

        Args:
            phase: The phase.
            thread: Number of its thread; the phase of the first is the one that the process is in.

        Returns:
            Its place, for `leave_phase`.
        """
        code = self._code(phase.name, phase.operation)
        if not thread:
            self._map[_PHASE_AT] = code
        return self._trail.enter(code, phase, thread)

    def leave_phase(self, place: int, phase: NotedPhase, thread: int) -> None:
        """Notes that a phase has ended.

        Args:
            place: What `enter_phase` returned.
            phase: The phase.
            thread: Number of its thread.
        """
        if not thread:
            within = phase.within
            self._map[_PHASE_AT] = self._code(within[-1], None) if within else 0
        self._trail.leave(place, self._code(phase.name, phase.operation), phase, thread)

    def finish(self, outcome: Outcome, duration_ns: int) -> None:
        """Notes how the iteration ended; it counts as finished once the next one begins."""
        finished = self._finished
        self._durations[finished] = duration_ns
        self._map[_OUTCOMES_AT + finished] = _CODES[outcome]
        self._finished = finished + 1

    def between(self, now_ns: int) -> None:
        """Notes that no iteration runs while what has finished is sent."""
        self._leave(Activity.BETWEEN, 0, now_ns)

    def sent(self) -> None:
        """Notes that what has finished was sent."""
        self._sent = (self._batch_first, self._finished)
        self._finished = 0

    def closing(self, iteration: int, now_ns: int) -> None:
        """Notes that what the last iteration left set up is torn down."""
        self._leave(Activity.CLOSING, iteration, now_ns)

    def idle(self, now_ns: int, *, broken_off_in: int = 0) -> None:
        """Notes that this process is in no slice.

        What it sent last stays readable: a test may have closed the channel that took it.

        Args:
            now_ns: Monotonic clock.
            broken_off_in: Iteration of which an exception has ended the slice, 0 for none.
        """
        first, finished = self._sent
        if not self._finished and first == self._batch_first:
            self._finished = finished
        self._leave(Activity.IDLE, broken_off_in if self._batch_first else 0, now_ns)

    def _leave(self, activity: Activity, iteration: int, now_ns: int) -> None:
        first, finished = self._batch_first, self._finished
        self._pack_iteration(
            self._map, _ITERATION_AT, iteration, now_ns, first, finished, now_ns, activity, 0
        )

    def _code(self, name: str, operation: str | None) -> int:
        """Returns the number of a phase's names; beyond those that have a place, all share the last one."""
        codes = self._codes.get(name)
        code = None if codes is None else codes.get(operation)
        return self._number(name, operation) if code is None else code

    def _number(self, name: str, operation: str | None) -> int:
        code = min(self._names, _MOST_NAMES - 1)
        if code < _MOST_NAMES - 1:
            self._names += 1
            self._codes.setdefault(name, {})[operation] = code
        names = [part.replace("\0", " ") for part in (name, operation) if part is not None]
        text = "\0".join(names).encode("utf-8", "replace")[:_NAME_BYTES].ljust(_NAME_BYTES, b"\0")
        place = _NAMES_AT + code * _NAME_BYTES
        self._map[place : place + _NAME_BYTES] = text
        return code


@dataclass(frozen=True, slots=True, kw_only=True)
class Position:
    """Where a process is, or was when it died.

    Attributes:
        pid: Process that wrote last.
        activity: What it does.
        test_index: 0-based number of the test.
        slice_first: First iteration of the slice.
        step: Distance from one iteration of the slice to the next.
        iteration: 1-based; 0 between two iterations. Of an idle process, the one that an exception broke off.
        began_ns: Monotonic clock when the iteration began.
        since_ns: Monotonic clock when the activity began.
        phase: Timed phase that the test is in; empty for none.
        limit_ns: How long pytest-timeout lets an iteration take, None where it does not say.
        is_limit_of_call: Whether that is for the call alone.
        unsent_first: First iteration that has finished and perhaps was not sent.
        unsent: Outcomes and durations of it and of those after it.
    """

    pid: int
    activity: Activity
    test_index: int
    slice_first: int
    step: int
    iteration: int
    began_ns: int
    since_ns: int
    phase: str
    limit_ns: int | None
    is_limit_of_call: bool
    unsent_first: int
    unsent: tuple[tuple[Outcome, int], ...]

    @property
    def stage(self) -> Stage:
        """The stage that it is in; the late teardown of wider scopes is one."""
        return _STAGES.get(self.activity, Stage.TEARDOWN)

    @property
    def slice_id(self) -> tuple[int, int]:
        """Number of the test and first iteration of the slice."""
        return self.test_index, self.slice_first

    @property
    def is_idle(self) -> bool:
        """Whether it is in no slice."""
        return self.activity is Activity.IDLE

    @property
    def is_in_iteration(self) -> bool:
        """Whether an iteration has begun and not ended."""
        return self.activity in (Activity.SETUP, Activity.CALL, Activity.TEARDOWN)

    @property
    def last_ended(self) -> int:
        """Number of the last iteration that has ended, be it with its process; 0 for none that is known."""
        return max(self.iteration, self.last_unsent)

    @property
    def last_unsent(self) -> int:
        """Number of the last iteration that has finished and perhaps was not sent, 0 for none."""
        return self.unsent_first + (len(self.unsent) - 1) * self.step if self.unsent else 0

    def unsent_message(self, *, test: str, item: str, worker: str, after: int) -> Message | None:
        """Returns the batch that the process would have sent next, None if all was received.

        Args:
            test: Node id.
            item: Node id under which pytest hears of it.
            worker: xdist's worker id, or `main`.
            after: Last iteration of the slice that was received, 0 for none.
        """
        batch = Batch(
            test=test,
            item=item,
            worker=worker,
            slice=(self.test_index, self.slice_first),
            step=self.step,
        )
        ended_ns = self.began_ns - sum(duration_ns for _, duration_ns in self.unsent)
        for number, (outcome, duration_ns) in enumerate(self.unsent):
            started_ns, ended_ns = ended_ns, ended_ns + duration_ns
            iteration = self.unsent_first + number * self.step
            if iteration > after:
                failure = _UNTOLD if outcome.is_failure else None
                result = IterationResult(outcome, (0, 0, 0), failure=failure)
                batch.add(iteration, result, started_ns=started_ns, ended_ns=ended_ns)
        return batch.message() if batch.durations_ns else None


_UNTOLD_MESSAGE = "it failed, and the process died before it could say how"
_UNTOLD = FailureFacts(
    stage=Stage.CALL,
    signature=signature_to_dict(make_signature(exception=None, message=_UNTOLD_MESSAGE)),
    message=_UNTOLD_MESSAGE,
    text=_UNTOLD_MESSAGE,
)


def read_position(path: Path) -> Position | None:
    """Returns where the process of this file is or was, None if it never wrote."""
    try:
        data = path.read_bytes()
    except OSError:
        return None
    return None if len(data) < _SIZE else _position(data)


def read_phases(path: Path, now_ns: int) -> tuple[Phase, ...]:
    """Returns the phases of the iteration that the process of this file is in, or was in when it died.

    Args:
        path: The file.
        now_ns: Monotonic clock: phases that have not ended last until then.
    """
    try:
        data = path.read_bytes()
    except OSError:
        return ()
    if len(data) < _SIZE:
        return ()
    return read_trail(data[_TRAIL_AT:], partial(_names, data), now_ns)


class PositionReader:
    """Looks again and again into the file of a process that runs.

    Args:
        path: The file.

    Raises:
        OSError: It is not there.
        ValueError: It is not whole yet.
    """

    def __init__(self, path: Path) -> None:
        with path.open("rb") as file:
            self._map = mmap.mmap(file.fileno(), _SIZE, access=mmap.ACCESS_READ)

    def look(self) -> Position:
        """Returns where the process is now, without what it has not sent."""
        return _position(self._map[:_OUTCOMES_AT])


def _position(data: bytes) -> Position:
    (pid,) = _PROCESS.unpack_from(data)
    test_index, slice_first, step, limit_ns, is_limit_of_call = _SLICE.unpack_from(data, _SLICE_AT)
    iteration, began_ns, unsent_first, finished, since_ns, activity, phase = _ITERATION.unpack_from(
        data, _ITERATION_AT
    )
    durations = array("q")
    if len(data) >= _SIZE:
        durations.frombytes(data[_DURATIONS_AT:][: finished * durations.itemsize])
    outcomes = (_OUTCOMES[code] for code in data[_OUTCOMES_AT : _OUTCOMES_AT + finished])
    return Position(
        pid=pid,
        activity=Activity(activity),
        test_index=test_index,
        slice_first=slice_first,
        step=step,
        iteration=iteration,
        began_ns=began_ns,
        since_ns=since_ns,
        phase=" ".join(name for name in _names(data, phase) if name),
        limit_ns=limit_ns or None,
        is_limit_of_call=bool(is_limit_of_call),
        unsent_first=unsent_first,
        unsent=tuple(zip(outcomes, durations, strict=True)) if durations else (),
    )


def _names(data: bytes, code: int) -> tuple[str, str | None]:
    """Returns the name and the operation of a phase; both may have been cut."""
    if not code:
        return "", None
    place = _NAMES_AT + code * _NAME_BYTES
    # The last character may have been cut in the middle.
    text = data[place : place + _NAME_BYTES].rstrip(b"\0").decode("utf-8", "ignore")
    name, separator, operation = text.partition("\0")
    return name, operation if separator else None


def _new_map(path: Path | None) -> mmap.mmap:
    if path is None:
        return mmap.mmap(-1, _SIZE)
    make_room(path, _SIZE)
    with path.open("r+b") as file:
        return mmap.mmap(file.fileno(), _SIZE)
