"""One test, many iterations: runs a slice and reports in batches."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol

from pytest_repro.clock import MonotonicNs
from pytest_repro.model import Outcome, Stage
from pytest_repro.stress.plan import Slice

FLUSH_NS = 100_000_000
"""A batch is sent at least so often: what a crash can take along is younger than that."""

FLUSH_PROFILES_NS = 5_000_000
"""The same where iterations are timed: phases that were not sent are lost with the process."""

FLUSH_ITERATIONS = 16_384
"""A batch holds at most so many iterations, so that memory does not grow with them."""

Message = dict[str, Any]
"""Plain builtins only: it may cross the channel between an xdist worker and the controller."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FailureFacts:
    """What a process knows of its own failing iteration.

    Attributes:
        stage: Where it failed.
        signature: `signature_to_dict` of it.
        message: First line of the message as it was.
        text: Traceback and captured output; None if this process has shown the same bug of this test before.
        reports: pytest's own reports of the iteration, serialised; None likewise.
        is_match: Whether it is a failure that is looked for; None where none in particular is.
        reset_reason: Why the device is to be reset before the next iteration; None where it is not.
    """

    stage: Stage
    signature: Mapping[str, Any]
    message: str
    text: str | None = None
    reports: list[Mapping[str, Any]] | None = None
    is_match: bool | None = None
    reset_reason: str | None = None


class IterationResult(NamedTuple):
    """How one iteration ended (a tuple: there may be a million of them).

    Attributes:
        outcome: Its outcome.
        stages_ns: Durations of setup, call and teardown.
        seed: Seed that it started from, or None.
        failure: Facts, if the outcome is a failure.
        profile: Payload of its timed phases, if there are any.
        hash_seed: `PYTHONHASHSEED` of the process of its own that it ran in, or None.
    """

    outcome: Outcome
    stages_ns: tuple[int, int, int]
    seed: int | None = None
    failure: FailureFacts | None = None
    profile: Mapping[str, Any] | None = None
    hash_seed: int | None = None


class Execute(Protocol):
    """Runs one iteration; `is_last` means that what the test leaves behind may be torn down too."""

    def __call__(self, iteration: int, *, is_last: bool) -> IterationResult:
        """Runs the iteration with this 1-based number."""


@dataclass(slots=True, kw_only=True)
class Batch:
    """Iterations of one slice that were not sent yet."""

    test: str
    item: str
    worker: str
    slice: tuple[int, int]
    step: int
    first: int = 0
    started_ns: int = 0
    durations_ns: array[int] = field(default_factory=lambda: array("q"))
    outcomes: list[list[Any]] = field(default_factory=list)
    stages_ns: list[int] = field(default_factory=lambda: [0, 0, 0])
    failures: list[Message] = field(default_factory=list)
    profiles: list[Mapping[str, Any]] = field(default_factory=list)
    hash_seeds: list[list[int]] = field(default_factory=list)

    def add(self, iteration: int, result: IterationResult, *, started_ns: int, ended_ns: int) -> None:
        """Adds one finished iteration."""
        if not self.durations_ns:
            self.first, self.started_ns = iteration, started_ns
        self.durations_ns.append(ended_ns - started_ns)
        if result.failure is not None:
            self.failures.append(failure_message(iteration, result, ended_ns=ended_ns))
        if result.hash_seed is not None:
            if self.hash_seeds and self.hash_seeds[-1][0] == result.hash_seed:
                self.hash_seeds[-1][1] += 1
            else:
                self.hash_seeds.append([result.hash_seed, 1])
        for index, duration in enumerate(result.stages_ns):
            self.stages_ns[index] += duration
        if result.profile is not None:
            self.profiles.append(result.profile)
        # Last: an iteration is in the batch when its outcome is; see `without_half_an_iteration`.
        outcome = result.outcome.value
        if self.outcomes and self.outcomes[-1][0] == outcome:
            self.outcomes[-1][1] += 1
        else:
            self.outcomes.append([outcome, 1])

    def without_half_an_iteration(self) -> Batch:
        """Takes out what `add` had begun to add when Ctrl-C broke into it."""
        whole = sum(number for _, number in self.outcomes)
        del self.durations_ns[whole:]
        last = self.first + (whole - 1) * self.step
        self.failures = [failure for failure in self.failures if failure["iteration"] <= last]
        if self.hash_seeds:
            self.hash_seeds[-1][1] -= sum(number for _, number in self.hash_seeds) - whole
        return self

    def message(self) -> Message:
        """Returns the batch as plain builtins; durations as bytes of native 64-bit integers."""
        return {
            "kind": "batch",
            "test": self.test,
            "item": self.item,
            "worker": self.worker,
            "slice": self.slice,
            "first": self.first,
            "step": self.step,
            "started_ns": self.started_ns,
            "durations_ns": self.durations_ns.tobytes(),
            "outcomes": self.outcomes,
            "stages_ns": self.stages_ns,
            "failures": self.failures,
            "profiles": self.profiles,
            "hash_seeds": self.hash_seeds,
        }


class Notes(Protocol):
    """Takes notes for whoever finds this process dead; the flight recorder does."""

    def begin(self, iteration: int, now_ns: int) -> None:
        """Notes the iteration that begins now."""

    def finish(self, outcome: Outcome, duration_ns: int) -> None:
        """Notes how it ended."""

    def between(self, now_ns: int) -> None:
        """Notes that no iteration runs while what has finished is sent."""

    def sent(self) -> None:
        """Notes that what has finished was sent."""


def run_slice(
    part: Slice,
    execute: Execute,
    *,
    test: str,
    item: str,
    worker: str,
    slice_id: tuple[int, int],
    send: Callable[[Message], None],
    should_stop: Callable[[], bool],
    clock: MonotonicNs,
    notes: Notes,
    deadline_ns: int | None = None,
    recover: Callable[[IterationResult], None] = lambda _: None,
) -> bool:
    """Runs the iterations of one slice until they are done, the time is over or something says stop.

    What finished is sent even when an iteration ends the process's work (Ctrl-C, `pytest.exit`); where Ctrl-C
    breaks into `send`, the same batch is sent again.

    Args:
        part: The iterations.
        execute: Runs one of them.
        test: Node id.
        item: Node id under which pytest hears of it; differs where each iteration is an item.
        worker: xdist's worker id, or `main`.
        slice_id: 0-based number of the test, and first iteration of the slice before anything of it ran.
        send: Takes a batch.
        should_stop: Asked before each iteration.
        clock: Monotonic, in nanoseconds.
        notes: Told where this process is.
        deadline_ns: No iteration starts after it, except iteration 1: each test gets at least one.
        recover: Called after a failing iteration was sent; the time that it takes belongs to no iteration.

    Returns:
        Whether the last iteration of the slice was told that it is the last.
    """
    last = None if part.size is None else part.first + (part.size - 1) * part.step

    def flush(batch: Batch) -> None:
        notes.between(clock())
        send(batch.message())
        notes.sent()

    batch = Batch(test=test, item=item, worker=worker, slice=slice_id, step=part.step)
    flushed_ns = started_ns = clock()
    told_last = False
    try:
        for iteration in part.iterations():
            if should_stop() or (deadline_ns is not None and started_ns >= deadline_ns and iteration != 1):
                break
            told_last = iteration == last
            notes.begin(iteration, started_ns)
            result = execute(iteration, is_last=told_last)
            ended_ns = clock()
            batch.add(iteration, result, started_ns=started_ns, ended_ns=ended_ns)
            notes.finish(result.outcome, ended_ns - started_ns)
            is_full = len(batch.durations_ns) >= FLUSH_ITERATIONS
            unsent_ns = FLUSH_NS if result.profile is None else FLUSH_PROFILES_NS
            if is_full or result.failure is not None or ended_ns - flushed_ns >= unsent_ns:
                flush(batch)
                batch = Batch(test=test, item=item, worker=worker, slice=slice_id, step=part.step)
                if result.failure is not None:
                    recover(result)
                flushed_ns = ended_ns = clock()
            started_ns = ended_ns
    finally:
        if batch.without_half_an_iteration().durations_ns:
            flush(batch)
    return told_last


def without_last_iteration(message: Message) -> Message | None:
    """Returns a batch without its last iteration, which has failed; None if nothing is left."""
    *kept, last = message["outcomes"]
    if last[1] > 1:
        kept.append([last[0], last[1] - 1])
    if not kept:
        return None
    hash_seeds = [list(pair) for pair in message["hash_seeds"]]
    if hash_seeds:
        hash_seeds[-1][1] -= 1
    durations = message["durations_ns"]
    return {
        **message,
        "durations_ns": durations[: len(durations) - array("q").itemsize],
        "outcomes": kept,
        "hash_seeds": [pair for pair in hash_seeds if pair[1]],
        "failures": message["failures"][:-1],
    }


def failure_message(iteration: int, result: IterationResult, *, ended_ns: int) -> Message:
    """Returns a failing iteration as plain builtins."""
    facts = result.failure
    if facts is None:
        raise ValueError(f"iteration {iteration} is {result.outcome.value} and no failure")
    return {
        "iteration": iteration,
        "outcome": result.outcome.value,
        "stage": facts.stage.value,
        "signature": dict(facts.signature),
        "message": facts.message,
        "seed": result.seed,
        "hash_seed": result.hash_seed,
        "ended_ns": ended_ns,
        "text": facts.text,
        "reports": facts.reports,
        "is_match": facts.is_match,
    }
