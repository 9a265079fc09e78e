"""Which iterations a stress run asks for, and how they are cut into slices."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from itertools import count, islice
from typing import Any

from pytest_repro.model import Signature
from pytest_repro.stress.match import Match, match_from_payload
from pytest_repro.stress.resets import ResetPlan

EXAMINATION_NS = 120 * 10**9
"""Time that looking into a hanging process takes at most."""

SLICES_PER_WORKER = 4
"""Slices of one test for each worker: enough for xdist to even out, few enough to cost nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StressPlan:
    """What was asked for, the same for every test.

    Attributes:
        iterations: Iterations of each test, or None for as many as fit into the budget.
        budget_ns: Time for all tests together, or None for no limit.
        stop_after: End a test after so many failing iterations of it that count, or None for never.
        max_failures: End everything after so many failing iterations that count, or None for never.
        base_seed: The seed that all seeds derive from.
        reseed: Whether each iteration seeds the random number generators.
        only_iteration: Run this iteration alone (a replay), or None.
        lane: `auto`, `fast` or `full`: how much of pytest's protocol each iteration goes through.
        overlap: Whether two workers may run the same test at the same time.
        isolate: Whether each iteration runs in a process of its own.
        as_items: Whether each iteration is an item of pytest's, made by pytest-repeat.
        match: Which failures are looked for, and alone count; None where all do.
        hang_ns: Longest time of an iteration, None where only pytest-timeout has a limit.
        triage: Command that looks into a hanging process before it is ended, None without one.
        resets: How devices are reset, and after which errors.
    """

    iterations: int | None
    budget_ns: int | None = None
    stop_after: int | None = None
    max_failures: int | None = None
    base_seed: int = 0
    reseed: bool = True
    only_iteration: int | None = None
    lane: str = "auto"
    overlap: bool = True
    isolate: bool = False
    as_items: bool = False
    match: Match | None = None
    hang_ns: int | None = None
    triage: tuple[str, ...] | None = None
    resets: ResetPlan = field(default_factory=ResetPlan)

    def __post_init__(self) -> None:
        if self.iterations is None and self.budget_ns is None and self.only_iteration is None:
            raise ValueError("a stress plan without an end")

    def is_match(self, signature: Signature, message: str) -> bool | None:
        """Tells whether a failure is one that is looked for; None where none in particular is."""
        return None if self.match is None else self.match.accepts(signature, message)

    @property
    def watched_hang_ns(self) -> int | None:
        """Longest time of an iteration for who watches the process that asks for it.

        Isolated iterations are watched by the process that started theirs; looking into one takes time too.
        """
        if self.hang_ns is None or not self.isolate:
            return self.hang_ns
        return self.hang_ns + EXAMINATION_NS

    def to_payload(self) -> dict[str, Any]:
        """Returns the plan as builtins, for an xdist worker."""
        match = None if self.match is None else self.match.to_payload()
        return asdict(replace(self, match=None)) | {"match": match}

    @classmethod
    def from_payload(cls, payload: Mapping[str, Any]) -> StressPlan:
        """Reads what `to_payload` made."""
        match, triage = payload["match"], payload["triage"]
        read = {
            "match": None if match is None else match_from_payload(match),
            # JSON knows no tuples.
            "triage": None if triage is None else tuple(triage),
            "resets": ResetPlan.from_payload(payload["resets"]),
        }
        return cls(**{**payload, **read})


@dataclass(frozen=True, slots=True, kw_only=True)
class Slice:
    """Iterations of one test that run one after the other in one process.

    Attributes:
        first: 1-based number of the first iteration.
        step: Distance from one iteration to the next.
        size: Number of iterations, or None for as many as fit into the budget.
    """

    first: int
    step: int = 1
    size: int | None

    def iterations(self) -> Iterator[int]:
        """Yields the 1-based iteration numbers."""
        numbers = count(self.first, self.step)
        return numbers if self.size is None else islice(numbers, self.size)

    def after(self, ended: int) -> Slice:
        """Returns what comes after an iteration of this slice; 0 stands for none, and gives the whole."""
        if ended < self.first:
            return self
        done = (ended - self.first) // self.step + 1
        size = None if self.size is None else max(0, self.size - done)
        return Slice(first=self.first + done * self.step, step=self.step, size=size)

    @property
    def label(self) -> str:
        """A short name, unique among the slices of one test."""
        if self.size is None:
            return f"{self.first}, {self.first + self.step}, ..."
        return f"{self.first}-{self.first + (self.size - 1) * self.step}"


def cut_slices(plan: StressPlan, *, workers: int) -> tuple[Slice, ...]:
    """Cuts the iterations of one test into slices that no two workers share.

    Args:
        plan: What was asked for.
        workers: Number of processes that run slices side by side; 1 gives a single slice, and so does a
            plan without overlap.

    Returns:
        At least one slice; together they hold each iteration exactly once.
    """
    workers = workers if plan.overlap else 1
    if plan.only_iteration is not None:
        return (Slice(first=plan.only_iteration, size=1),)
    if plan.iterations is None:
        return tuple(Slice(first=1 + start, step=workers, size=None) for start in range(workers))
    pieces = 1 if workers == 1 else min(plan.iterations, workers * SLICES_PER_WORKER)
    return _contiguous(plan.iterations, pieces)


def share_of_worker(plan: StressPlan, *, test: int, index: int, workers: int) -> Slice | None:
    """Returns one worker's own part of a test that every worker holds (xdist's `--dist each`).

    Args:
        plan: What was asked for.
        test: 0-based number of the test; without overlap it tells the one worker that runs it.
        index: 0-based number of the worker.
        workers: Number of workers.

    Returns:
        The slice, or None where this worker has no part in the test.
    """
    if not plan.overlap:
        return cut_slices(plan, workers=1)[0] if test % workers == index else None
    if plan.only_iteration is not None or plan.iterations is None:
        slices = cut_slices(plan, workers=workers)
    else:
        slices = _contiguous(plan.iterations, min(plan.iterations, workers))
    return slices[index] if index < len(slices) else None


def _contiguous(iterations: int, pieces: int) -> tuple[Slice, ...]:
    size, larger = divmod(iterations, pieces)
    slices = []
    first = 1
    for piece in range(pieces):
        length = size + (piece < larger)
        slices.append(Slice(first=first, size=length))
        first += length
    return tuple(slices)


def slices_in_all(plan: StressPlan, *, test: int, workers: int, is_each: bool) -> int:
    """Returns the number of slices of one test that all processes together run.

    Args:
        plan: What was asked for.
        test: 0-based number of the test.
        workers: Number of processes that run iterations.
        is_each: Whether each worker collects all tests for itself.
    """
    if is_each:
        shares = (share_of_worker(plan, test=test, index=index, workers=workers) for index in range(workers))
        return sum(share is not None for share in shares)
    return 1 if plan.as_items else len(cut_slices(plan, workers=workers))
