"""The plan: each iteration is in exactly one slice, each seed is told by test and iteration alone."""

from __future__ import annotations

from itertools import islice

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_repro.stress.plan import (
    SLICES_PER_WORKER,
    SeedSource,
    StressPlan,
    cut_slices,
    seed_name,
    share_of_worker,
)


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
    shares = [share_of_worker(plan, index=index, workers=workers) for index in range(workers)]
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
    assert [share_of_worker(plan, index=index, workers=4) is not None for index in range(4)] == [
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
    plan = StressPlan(iterations=5, budget_ns=7, stop_after=1, max_failures=2, base_seed=3, reseed=False)
    payload = plan.to_payload()
    assert all(value is None or isinstance(value, (int, bool)) for value in payload.values())
    assert StressPlan.from_payload(payload) == plan


def test_slices_of_one_test_have_distinct_labels() -> None:
    """Slices that look alike could not be scheduled by xdist."""
    for plan in (StressPlan(iterations=100), StressPlan(iterations=None, budget_ns=1)):
        labels = [part.label for part in cut_slices(plan, workers=4)]
        assert len(set(labels)) == len(labels)


def test_a_seed_is_the_same_on_every_machine() -> None:
    """A replay finds the seed again: the numbers are part of the promise."""
    seeds = SeedSource(42, "test_a.py::test_x[1]")
    assert [seeds.seed(iteration) for iteration in (1, 2, 1_000_000)] == [2829791408, 1189259873, 118539583]


def test_seeds_of_iterations_and_tests_differ() -> None:
    """No iteration repeats another one's random numbers."""
    first = SeedSource(42, "test_a.py::test_x")
    seeds = {first.seed(iteration) for iteration in range(1, 10_001)}
    assert len(seeds) == 10_000
    assert SeedSource(42, "test_a.py::test_y").seed(1) != first.seed(1)
    assert SeedSource(43, "test_a.py::test_x").seed(1) != first.seed(1)


def test_the_seed_of_a_test_does_not_depend_on_how_it_was_selected() -> None:
    """A node id's path changes with the command line; file name and test do not."""
    assert seed_name("test_a.py", "tests/test_a.py::T::test_x[a/b]") == "test_a.py::T::test_x[a/b]"
    assert seed_name("test_a.py", "::T::test_x[a/b]") == "test_a.py::T::test_x[a/b]"
