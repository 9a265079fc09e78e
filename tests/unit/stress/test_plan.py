"""The plan: each iteration is in exactly one slice."""

from __future__ import annotations

import json
from itertools import islice

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_repro.stress.plan import (
    SLICES_PER_WORKER,
    Slice,
    StressPlan,
    cut_slices,
    share_of_worker,
)
from pytest_repro.stress.resets import ResetPlan


@given(st.integers(1, 5000), st.integers(1, 40))
def test_the_slices_hold_each_iteration_exactly_once(iterations: int, workers: int) -> None:
    """Exactly N iterations run, however many workers there are."""
    slices = cut_slices(StressPlan(iterations=iterations), workers=workers)
    numbers = [number for part in slices for number in part.iterations()]
    assert numbers == list(range(1, iterations + 1))


@given(st.integers(1, 10**9), st.integers(2, 64))
def test_the_number_of_slices_does_not_grow_with_the_iterations(iterations: int, workers: int) -> None:
    """Collection costs the same for ten iterations and for a billion."""
    assert len(cut_slices(StressPlan(iterations=iterations), workers=workers)) <= workers * SLICES_PER_WORKER


@given(st.integers(1, 500), st.integers(1, 40))
def test_with_each_the_shares_of_all_workers_make_the_whole(iterations: int, workers: int) -> None:
    """`--dist each` runs N iterations too, not N on each worker."""
    plan = StressPlan(iterations=iterations)
    shares = [share_of_worker(plan, test=0, index=index, workers=workers) for index in range(workers)]
    numbers = [number for share in shares if share for number in share.iterations()]
    assert numbers == list(range(1, iterations + 1))


@given(st.integers(1, 16))
def test_without_a_number_the_workers_interleave_without_end(workers: int) -> None:
    """A time budget alone gives every worker iterations of its own."""
    slices = cut_slices(StressPlan(iterations=None, budget_ns=1), workers=workers)
    numbers = sorted(number for part in slices for number in islice(part.iterations(), 10))
    assert numbers == list(range(1, 10 * workers + 1))


def test_a_replay_is_one_iteration_on_one_worker() -> None:
    """`--repro-replay 7` runs iteration 7 and no other, also under `-n`."""
    plan = StressPlan(iterations=100, only_iteration=7)
    assert [list(part.iterations()) for part in cut_slices(plan, workers=4)] == [[7]]
    assert [share_of_worker(plan, test=0, index=index, workers=4) is not None for index in range(4)] == [
        True,
        False,
        False,
        False,
    ]


def test_a_plan_without_an_end_cannot_be_made() -> None:
    """Neither a number nor a time is no plan."""
    with pytest.raises(ValueError, match="without an end"):
        StressPlan(iterations=None)


def test_a_plan_crosses_to_a_worker_unchanged() -> None:
    """The payload is builtins, and the worker reads the same plan."""
    resets = ResetPlan(command=("reset", "{device}"), pattern="a|b", limit_ns=5)
    plan = StressPlan(iterations=5, budget_ns=7, stop_after=1, max_failures=2, reseed=False, resets=resets)
    assert StressPlan.from_payload(json.loads(json.dumps(plan.to_payload()))) == plan


def test_slices_of_one_test_have_distinct_labels() -> None:
    """Slices that look alike could not be scheduled by xdist."""
    for plan in (StressPlan(iterations=100), StressPlan(iterations=None, budget_ns=1)):
        labels = [part.label for part in cut_slices(plan, workers=4)]
        assert len(set(labels)) == len(labels)


@pytest.mark.parametrize(
    ("part", "crashed", "left"),
    [
        (Slice(first=5, size=4), 0, [5, 6, 7, 8]),
        (Slice(first=5, size=4), 6, [7, 8]),
        (Slice(first=5, size=4), 8, []),
        (Slice(first=1, step=2, size=4), 3, [5, 7]),
    ],
)
def test_what_is_left_of_a_slice_begins_after_the_crash(part: Slice, crashed: int, left: list[int]) -> None:
    """Neither the iteration that died nor those before it run again."""
    assert list(part.after(crashed).iterations()) == left
