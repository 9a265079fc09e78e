"""The loop: a fake test with listed failing iterations and a clock that is told the time."""

from __future__ import annotations

from array import array
from collections.abc import Callable

import pytest

from pytest_repro.model import Outcome, Stage
from pytest_repro.stress.loop import (
    FLUSH_ITERATIONS,
    FLUSH_NS,
    Batch,
    FailureFacts,
    IterationResult,
    Message,
    run_slice,
    without_last_iteration,
)
from pytest_repro.stress.plan import Slice
from pytest_repro.stress.recorder import FlightRecorder
from pytest_repro.stress.tally import durations_of

SIGNATURE = {"key": "k", "exception": "E", "message": "m", "file": None, "function": None}


class FakeTest:
    """Takes the time it is told and fails on listed iterations."""

    def __init__(
        self, *, takes_ns: int = 10, failing: frozenset[int] = frozenset(), raises_at: int = 0
    ) -> None:
        self.now_ns = 0
        self.ran: list[int] = []
        self.told_last: list[int] = []
        self.sent: list[Message] = []
        self._takes_ns = takes_ns
        self._failing = failing
        self._raises_at = raises_at

    def __call__(self, iteration: int, *, is_last: bool) -> IterationResult:
        if iteration == self._raises_at:
            raise KeyboardInterrupt
        self.now_ns += self._takes_ns
        self.ran.append(iteration)
        if is_last:
            self.told_last.append(iteration)
        if iteration not in self._failing:
            return IterationResult(outcome=Outcome.PASSED, stages_ns=(1, 2, 3))
        failure = FailureFacts(stage=Stage.CALL, signature=SIGNATURE, message="m")
        return IterationResult(outcome=Outcome.FAILED, stages_ns=(1, 2, 3), seed=9, failure=failure)

    def run(
        self,
        part: Slice,
        *,
        stop_after: int | None = None,
        deadline_ns: int | None = None,
        recover: Callable[[IterationResult], None] = lambda _: None,
    ) -> bool:
        return run_slice(
            part,
            self,
            test="t",
            item="t",
            worker="gw0",
            slice_id=(0, part.first),
            send=self.sent.append,
            should_stop=lambda: stop_after is not None and len(self.ran) >= stop_after,
            clock=lambda: self.now_ns,
            notes=FlightRecorder(None),
            deadline_ns=deadline_ns,
            recover=recover,
        )


def test_a_slice_runs_its_iterations_and_tells_the_last_one() -> None:
    """Only the last iteration may tear down what the others share."""
    test = FakeTest()
    assert test.run(Slice(first=5, size=3))
    assert test.ran == [5, 6, 7]
    assert test.told_last == [7]


def test_what_finished_is_sent_with_outcomes_durations_and_stages() -> None:
    """One message holds many iterations, as plain builtins."""
    test = FakeTest(takes_ns=10)
    test.run(Slice(first=1, step=2, size=4))
    (message,) = test.sent
    assert (message["kind"], message["test"], message["worker"]) == ("batch", "t", "gw0")
    assert (message["first"], message["step"], message["started_ns"]) == (1, 2, 0)
    assert list(durations_of(message)) == [10, 10, 10, 10]
    assert message["outcomes"] == [["passed", 4]]
    assert message["stages_ns"] == [4, 8, 12]


def test_a_failure_is_sent_at_once() -> None:
    """Whoever must stop for it hears of it before the next iteration."""
    test = FakeTest(failing=frozenset({2}))
    test.run(Slice(first=1, size=3))
    assert [message["outcomes"] for message in test.sent] == [[["passed", 1], ["failed", 1]], [["passed", 1]]]
    (failure,) = test.sent[0]["failures"]
    assert (failure["iteration"], failure["seed"], failure["ended_ns"]) == (2, 9, 20)


def test_a_stop_sign_ends_the_slice_before_the_next_iteration() -> None:
    """Nothing starts after it, and nobody is told that an iteration was the last."""
    test = FakeTest()
    assert not test.run(Slice(first=1, size=100), stop_after=3)
    assert test.ran == [1, 2, 3]
    assert test.told_last == []


def test_no_iteration_starts_after_the_deadline() -> None:
    """A budget ends an endless slice."""
    test = FakeTest(takes_ns=10)
    test.run(Slice(first=1, size=None), deadline_ns=35)
    assert test.ran == [1, 2, 3, 4]


def test_the_first_iteration_of_a_test_runs_even_if_the_time_is_over() -> None:
    """Each test gets at least one iteration, but a later slice gets none."""
    first, later = FakeTest(), FakeTest()
    first.run(Slice(first=1, size=None), deadline_ns=0)
    later.run(Slice(first=2, size=None), deadline_ns=0)
    assert (first.ran, later.ran, later.sent) == ([1], [], [])


def test_an_interrupt_loses_no_finished_iteration() -> None:
    """Ctrl-C in iteration 4 leaves three."""
    test = FakeTest(raises_at=4)
    with pytest.raises(KeyboardInterrupt):
        test.run(Slice(first=1, size=10))
    assert [message["outcomes"] for message in test.sent] == [[["passed", 3]]]


def test_long_iterations_are_sent_by_time_and_short_ones_by_number() -> None:
    """What a crash could take along is bounded, and so is the memory."""
    slow = FakeTest(takes_ns=FLUSH_NS)
    slow.run(Slice(first=1, size=3))
    assert len(slow.sent) == 3
    fast = FakeTest(takes_ns=1)
    fast.run(Slice(first=1, size=FLUSH_ITERATIONS + 1))
    assert [len(durations_of(message)) for message in fast.sent] == [FLUSH_ITERATIONS, 1]


@pytest.mark.parametrize(
    ("outcomes", "left"),
    [
        ([["passed", 3], ["failed", 1]], [["passed", 3]]),
        ([["failed", 2]], [["failed", 1]]),
        ([["failed", 1]], None),
    ],
)
def test_a_batch_can_be_had_without_the_failure_at_its_end(
    outcomes: list[list[object]], left: list[list[object]] | None
) -> None:
    """Outcomes, durations, hash seeds and failures stay as many as each other."""
    number = sum(int(str(pair[1])) for pair in outcomes)
    message: Message = {
        "outcomes": outcomes,
        "durations_ns": array("q", range(number)).tobytes(),
        "hash_seeds": [[4, number - 1], [5, 1]] if number > 1 else [[5, 1]],
        "failures": [{"iteration": 1}],
    }
    rest = without_last_iteration(message)
    if left is None:
        assert rest is None
        return
    assert rest is not None
    assert rest["outcomes"] == left
    assert durations_of(rest).tolist() == list(range(number - 1))
    assert rest["hash_seeds"] == [[4, number - 1]]
    assert rest["failures"] == []


def test_time_to_recover_belongs_to_no_iteration_and_comes_after_the_failure_was_sent() -> None:
    """A reset may take a minute, and never come back."""
    test = FakeTest(takes_ns=10, failing=frozenset({2}))
    sent_before: list[int] = []

    def recover(result: IterationResult) -> None:
        assert result.failure is not None
        sent_before.append(len(test.sent))
        test.now_ns += 1000

    test.run(Slice(first=1, size=3), recover=recover)
    assert sent_before == [1]
    assert [list(durations_of(message)) for message in test.sent] == [[10, 10], [10]]
    assert test.sent[1]["started_ns"] == 1020


def test_a_batch_that_ctrl_c_met_in_the_middle_of_an_iteration_holds_whole_ones() -> None:
    """What `add` had begun to add is taken out again: duration, failure and hash seed of iteration 5."""
    batch = Batch(test="test_a", item="test_a", worker="main", slice=(0, 1), step=2)
    passed = IterationResult(outcome=Outcome.PASSED, stages_ns=(1, 2, 3), hash_seed=7)
    failure = FailureFacts(stage=Stage.CALL, signature=SIGNATURE, message="m")
    failed = IterationResult(outcome=Outcome.FAILED, stages_ns=(1, 2, 3), failure=failure, hash_seed=8)
    batch.add(1, passed, started_ns=0, ended_ns=10)
    batch.add(3, passed, started_ns=10, ended_ns=30)
    batch.add(5, failed, started_ns=30, ended_ns=60)
    del batch.outcomes[-1]
    message = batch.without_half_an_iteration().message()
    assert durations_of(message).tolist() == [10, 20]
    assert (message["outcomes"], message["failures"]) == ([["passed", 2]], [])
    assert sum(number for _, number in message["hash_seeds"]) == 2
    empty = Batch(test="test_a", item="test_a", worker="main", slice=(0, 1), step=1)
    assert not empty.without_half_an_iteration().durations_ns


def test_what_ctrl_c_broke_into_is_sent_again() -> None:
    """The receiver knows the batch by its first iteration."""
    fake = FakeTest(failing=frozenset({2}))
    sent: list[int] = []

    def send(message: Message) -> None:
        sent.append(message["first"])
        if len(sent) == 1:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_slice(
            Slice(first=1, size=3),
            fake,
            test="test_a",
            item="test_a",
            worker="main",
            slice_id=(0, 1),
            send=send,
            should_stop=lambda: False,
            clock=lambda: fake.now_ns,
            notes=FlightRecorder(None),
        )
    assert sent == [1, 1]
