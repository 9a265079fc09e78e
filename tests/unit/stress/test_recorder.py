"""The flight recorder: what was noted is read from outside, also after the death of who noted it."""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pytest_repro.model import Outcome, Phase, Stage
from pytest_repro.stress.loop import FLUSH_NS, FailureFacts, IterationResult, Message, run_slice
from pytest_repro.stress.plan import Slice
from pytest_repro.stress.recorder import Activity, FlightRecorder, Position, PositionReader, read_position
from pytest_repro.stress.tally import durations_of

SIGNATURE = {"key": "k", "exception": "E", "message": "m", "file": None, "function": None}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "position"


def position_at(path: Path) -> Position:
    position = read_position(path)
    assert position is not None
    return position


def unsent_at(path: Path, *, after: int = 0) -> Message | None:
    return position_at(path).unsent_message(test="t", item="i", worker="gw0", after=after)


DIES = """
import os, signal, sys
from pathlib import Path
from pytest_repro.model import Outcome, Phase
from pytest_repro.stress.recorder import FlightRecorder

recorder = FlightRecorder(Path(sys.argv[1]))
recorder.begin_slice(3, first=5, step=2)
recorder.limit(7 * 10**9, of_call=True)
recorder.begin(5, 100)
recorder.finish(Outcome.SKIPPED, 20)
recorder.begin(7, 120)
recorder.stage("call", 130)
recorder.enter_phase(Phase(name="copies", start_ns=0, call_ns=-1), 0)
print(os.getpid(), flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_what_was_noted_survives_sigkill(path: Path) -> None:
    """Nothing is written when the process ends: it has no time to."""
    ended = subprocess.run([sys.executable, "-c", DIES, path], stdout=subprocess.PIPE, text=True, check=False)
    assert ended.returncode == -signal.SIGKILL
    assert position_at(path) == Position(
        pid=int(ended.stdout),
        activity=Activity.CALL,
        test_index=3,
        slice_first=5,
        step=2,
        iteration=7,
        began_ns=120,
        since_ns=130,
        phase="copies",
        limit_ns=7 * 10**9,
        is_limit_of_call=True,
        unsent_first=5,
        unsent=((Outcome.SKIPPED, 20),),
    )


class DyingTest:
    """Looks at the recorder's file in one iteration, then ends the slice as Ctrl-C does."""

    def __init__(self, path: Path, *, looks_at: int, failing: int = 0, takes_ns: int = 10) -> None:
        self.recorder = FlightRecorder(path)
        self.now_ns = 1_000
        self.sent: list[Message] = []
        self._path = path
        self._looks_at = looks_at
        self._failing = failing
        self._takes_ns = takes_ns
        self.unsent: Message | None = None

    def __call__(self, iteration: int, *, is_last: bool) -> IterationResult:
        del is_last
        if iteration == self._looks_at:
            self.unsent = unsent_at(self._path, after=last_of(self.sent))
            raise KeyboardInterrupt
        self.now_ns += self._takes_ns + iteration
        if iteration == self._failing:
            facts = FailureFacts(stage=Stage.CALL, signature=SIGNATURE, message="m")
            return IterationResult(Outcome.FAILED, (0, 0, 0), failure=facts)
        return IterationResult(Outcome.SKIPPED if iteration % 3 == 0 else Outcome.PASSED, (0, 0, 0))

    def run(self, part: Slice) -> None:
        def send(message: Message) -> None:
            self.now_ns += 7
            self.sent.append(message)

        self.recorder.begin_slice(2, first=part.first, step=part.step)
        with pytest.raises(KeyboardInterrupt):
            run_slice(
                part,
                self,
                test="t",
                item="i",
                worker="gw0",
                slice_id=(2, part.first),
                send=send,
                should_stop=lambda: False,
                clock=lambda: self.now_ns,
                notes=self.recorder,
            )


def last_of(sent: list[Message]) -> int:
    return sent[-1]["first"] + (len(durations_of(sent[-1])) - 1) * sent[-1]["step"] if sent else 0


@pytest.mark.parametrize("part", [Slice(first=1, size=50), Slice(first=4, step=3, size=50)])
@pytest.mark.parametrize("number", [2, 9])
def test_a_batch_that_was_not_sent_is_rebuilt_exactly(path: Path, part: Slice, number: int) -> None:
    """As the process itself sends it when it is interrupted there, with a step and without."""
    looks_at = part.first + (number - 1) * part.step
    test = DyingTest(path, looks_at=looks_at)
    test.run(part)
    assert test.sent == [test.unsent]
    assert test.unsent is not None
    assert len(durations_of(test.unsent)) == number - 1


def test_what_was_sent_before_is_not_rebuilt_again(path: Path) -> None:
    """A failure and a slow iteration are sent at once; what came after them alone is missing."""
    failed = DyingTest(path, looks_at=6, failing=3)
    failed.run(Slice(first=1, size=9))
    assert [message["first"] for message in failed.sent] == [1, 4]
    assert failed.unsent == failed.sent[-1]
    slow = DyingTest(path, looks_at=4, takes_ns=FLUSH_NS)
    slow.run(Slice(first=1, size=9))
    assert len(slow.sent) == 3
    assert slow.unsent is None


def test_a_slice_in_which_nothing_has_finished_has_nothing_unsent(path: Path) -> None:
    """Nor does it tell of the slice before."""
    recorder = FlightRecorder(path)
    recorder.begin_slice(0, first=1, step=1)
    recorder.begin(1, 0)
    recorder.finish(Outcome.PASSED, 5)
    recorder.begin_slice(1, first=1, step=1)
    recorder.begin(1, 9)
    assert unsent_at(path) is None
    assert position_at(path).unsent == ()


def test_a_batch_that_was_received_is_not_told_twice(path: Path) -> None:
    """The process may die after the message has left and before it notes so."""
    recorder = FlightRecorder(path)
    recorder.begin_slice(0, first=2, step=2)
    for number, iteration in enumerate((2, 4, 6)):
        recorder.begin(iteration, 100 + 10 * number)
        recorder.finish(Outcome.PASSED, 10 + number)
    recorder.between(140)
    position = position_at(path)
    assert (position.iteration, position.last_ended) == (0, 6)
    assert unsent_at(path, after=6) is None
    rest = unsent_at(path, after=2)
    assert rest is not None
    assert (rest["first"], list(durations_of(rest)), rest["outcomes"]) == (4, [11, 12], [["passed", 2]])
    assert rest["started_ns"] == 140 - 12 - 11


def test_a_failing_iteration_whose_facts_are_lost_is_told_as_one(path: Path) -> None:
    """It was noted as failed, and the process died before it could say how."""
    recorder = FlightRecorder(path)
    recorder.begin_slice(0, first=1, step=1)
    recorder.begin(1, 0)
    recorder.finish(Outcome.PASSED, 5)
    recorder.begin(2, 5)
    recorder.finish(Outcome.ERROR, 6)
    recorder.between(11)
    message = unsent_at(path)
    assert message is not None
    assert message["outcomes"] == [["passed", 1], ["error", 1]]
    (failure,) = message["failures"]
    assert (failure["iteration"], failure["outcome"], failure["ended_ns"]) == (2, "error", 11)
    assert failure["message"] == "it failed, and the process died before it could say how"


@pytest.mark.parametrize("outcome", list(Outcome))
def test_every_outcome_is_noted(path: Path, outcome: Outcome) -> None:
    """As it was."""
    recorder = FlightRecorder(path)
    recorder.begin(1, 0)
    recorder.finish(outcome, 3)
    recorder.begin(2, 3)
    assert position_at(path).unsent == ((outcome, 3),)


def test_an_iteration_has_ended_only_when_the_next_note_is_made(path: Path) -> None:
    """Until then it may still die, of what is done between its end and the note."""
    recorder = FlightRecorder(path)
    recorder.begin(1, 0)
    recorder.finish(Outcome.PASSED, 3)
    position = position_at(path)
    assert position.is_in_iteration
    assert (position.iteration, position.unsent) == (1, ())


PLACES: list[tuple[Callable[[FlightRecorder], object], Activity, Stage, bool, bool]] = [
    (lambda _: None, Activity.SETUP, Stage.SETUP, True, False),
    (lambda recorder: recorder.stage("call", 20), Activity.CALL, Stage.CALL, True, False),
    (lambda recorder: recorder.stage("teardown", 20), Activity.TEARDOWN, Stage.TEARDOWN, True, False),
    (lambda recorder: recorder.closing(4, 20), Activity.CLOSING, Stage.TEARDOWN, False, False),
    (lambda recorder: recorder.between(20), Activity.BETWEEN, Stage.TEARDOWN, False, False),
    (lambda recorder: recorder.idle(20), Activity.IDLE, Stage.TEARDOWN, False, True),
]


@pytest.mark.parametrize(
    ("go", "activity", "stage", "is_in_iteration", "is_idle"), PLACES, ids=[place[1].name for place in PLACES]
)
def test_stages_and_what_lies_between_iterations_are_told_apart(
    path: Path,
    go: Callable[[FlightRecorder], object],
    activity: Activity,
    stage: Stage,
    *,
    is_in_iteration: bool,
    is_idle: bool,
) -> None:
    """With the time since when."""
    recorder = FlightRecorder(path)
    recorder.begin_slice(1, first=4, step=1)
    recorder.begin(4, 10)
    go(recorder)
    position = position_at(path)
    assert (position.activity, position.stage) == (activity, stage)
    assert (position.is_in_iteration, position.is_idle) == (is_in_iteration, is_idle)
    assert position.since_ns == (10 if activity is Activity.SETUP else 20)
    assert position.slice_id == (1, 4)


def test_the_late_teardown_names_the_iteration_that_has_ended(path: Path) -> None:
    """What it left set up dies with it; the batch was sent before."""
    recorder = FlightRecorder(path)
    recorder.begin_slice(0, first=1, step=1)
    recorder.begin(1, 0)
    recorder.finish(Outcome.PASSED, 3)
    recorder.between(3)
    recorder.sent()
    recorder.closing(1, 5)
    position = position_at(path)
    assert (position.iteration, position.unsent) == (1, ())


def test_phases_have_their_names_and_nested_ones_give_way_to_the_outer(path: Path) -> None:
    """Empty is none; an operation stands beside its phase."""
    recorder = FlightRecorder(path)
    recorder.begin(1, 0)
    seen = []
    outer, inner = phase("outer"), phase("op", "matmul", within=("outer",))
    outer_place = recorder.enter_phase(outer, 0)
    seen.append(position_at(path).phase)
    inner_place = recorder.enter_phase(inner, 0)
    seen.append(position_at(path).phase)
    recorder.leave_phase(inner_place, inner, 0)
    seen.append(position_at(path).phase)
    recorder.leave_phase(outer_place, outer, 0)
    seen.append(position_at(path).phase)
    assert seen == ["outer", "op matmul", "outer", ""]


def test_a_phase_that_is_called_like_an_operation_is_no_operation(path: Path) -> None:
    """The name is the user's, the operation a library's."""
    recorder = FlightRecorder(path)
    recorder.enter_phase(phase("op", "add"), 0)
    recorder.enter_phase(phase("add"), 0)
    assert position_at(path).phase == "add"
    recorder.enter_phase(phase("op", "add"), 0)
    assert position_at(path).phase == "op add"


@pytest.mark.parametrize("note", ["begin", "closing", "between", "idle"])
def test_no_phase_outlives_its_iteration(path: Path, note: str) -> None:
    """One that was left open, say."""
    recorder = FlightRecorder(path)
    recorder.begin(1, 0)
    recorder.enter_phase(phase("open"), 0)
    getattr(recorder, note)(*((2, 5) if note in {"begin", "closing"} else (5,)))
    assert position_at(path).phase == ""


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("größe in µm", "größe in µm"),
        ("x" * 200, "x" * 64),
        ("x" + "é" * 60, "x" + "é" * 31),
        ("a\ud800b", "a?b"),
    ],
    ids=["unicode", "long", "cut", "surrogate"],
)
def test_long_and_unicode_names_are_cut_between_characters(path: Path, name: str, shown: str) -> None:
    """64 bytes of UTF-8 are kept."""
    recorder = FlightRecorder(path)
    recorder.enter_phase(phase(name), 0)
    assert position_at(path).phase == shown


def test_more_phases_than_have_a_place_are_named_all_the_same(path: Path) -> None:
    """The last of them share one place, in which the one that lasts now has its name."""
    recorder = FlightRecorder(path)
    names = [f"phase {number}" for number in range(300)]
    for name in [*names, *reversed(names), names[270], names[5], names[290]]:
        recorder.enter_phase(phase(name), 0)
        assert position_at(path).phase == name


def test_a_limit_holds_for_its_slice_alone(path: Path) -> None:
    """The next test may have none."""
    recorder = FlightRecorder(path)
    recorder.begin_slice(0, first=1, step=1)
    recorder.limit(5, of_call=False)
    assert (position_at(path).limit_ns, position_at(path).is_limit_of_call) == (5, False)
    recorder.begin_slice(1, first=1, step=1)
    assert position_at(path).limit_ns is None


def test_a_fork_says_that_it_is_the_one_that_writes(path: Path) -> None:
    """It shares the memory."""
    recorder = FlightRecorder(path)
    assert position_at(path).pid == os.getpid()
    pid = os.fork()
    if pid == 0:
        recorder.note_process()
        os._exit(0)
    os.waitpid(pid, 0)
    assert position_at(path).pid == pid


def test_what_is_no_file_of_a_recorder_says_nothing(path: Path) -> None:
    """Not there yet, or not whole yet."""
    assert read_position(path) is None
    with pytest.raises(FileNotFoundError):
        PositionReader(path)
    path.write_bytes(b"\0" * 100)
    assert read_position(path) is None
    with pytest.raises(ValueError, match="size"):
        PositionReader(path)


def test_memory_of_its_own_needs_no_file() -> None:
    """A controller that runs nothing itself."""
    recorder = FlightRecorder(None)
    recorder.begin(1, 0)
    recorder.enter_phase(phase("x"), 0)
    recorder.finish(Outcome.PASSED, 1)


def phase(
    name: str, operation: str | None = None, *, within: tuple[str, ...] = (), call_ns: int = 1
) -> Phase:
    return Phase(name=name, operation=operation, within=within, start_ns=0, call_ns=call_ns)


def write_until_told(path: str, told: Any) -> None:
    recorder = FlightRecorder(Path(path))
    recorder.begin_slice(0, first=1, step=1)
    told.send(None)
    iteration = 0
    while not told.poll():
        for _ in range(1_000):
            iteration += 1
            recorder.begin(iteration, iteration)
            recorder.enter_phase(phase("before"), 0)
            recorder.stage("call", iteration)
            recorder.enter_phase(phase("within"), 0)
            recorder.finish(Outcome.PASSED, 1)
        recorder.between(iteration)
        recorder.sent()
    told.send(iteration)


def test_a_reader_may_look_while_the_other_writes(path: Path) -> None:
    """None goes back; one may meet the moment of a note, in which a number is 0."""
    ours, theirs = multiprocessing.get_context("spawn").Pipe()
    writer = multiprocessing.get_context("spawn").Process(target=write_until_told, args=(str(path), theirs))
    writer.start()
    ours.recv()
    reader = PositionReader(path)
    looks = [reader.look() for _ in range(20_000)]
    ours.send(None)
    last = ours.recv()
    writer.join()
    began = [position.began_ns for position in looks if position.began_ns]
    assert len(began) > len(looks) / 2
    assert began == sorted(began)
    assert began[-1] <= last
    assert len(set(began)) > 10
    assert {position.phase for position in looks} == {"", "before", "within"}
    assert all(position.unsent == () for position in looks)


def test_what_was_sent_last_stays_readable_after_the_slice(path: Path) -> None:
    """With the iteration that an exception broke off; the next slice begins without either."""
    recorder = FlightRecorder(path)
    recorder.begin_slice(0, first=1, step=1)
    recorder.begin(1, 10)
    recorder.finish(Outcome.PASSED, 5)
    recorder.sent()
    recorder.idle(20, broken_off_in=2)
    position = position_at(path)
    assert (position.is_idle, position.last_unsent, position.last_ended) == (True, 1, 2)
    recorder.begin_slice(0, first=5, step=1)
    assert position_at(path).last_ended == 0
    recorder.idle(30, broken_off_in=2)
    assert position_at(path).last_ended == 0
