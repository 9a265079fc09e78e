"""What all statistics promise for whatever counts, and the numbers that scipy has for them."""

from __future__ import annotations

import itertools
import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_repro import stats
from pytest_repro.stats import (
    chance_if_unchanged,
    chance_of_clean_runs,
    chance_of_clusters,
    chance_of_more_failures,
    clean_iterations_needed,
    failure_rate_interval,
    ruled_out_rate,
    runs_needed,
)

COUNTS = st.integers(1, 400).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))
FAILED = st.integers(1, 400).flatmap(lambda n: st.tuples(st.integers(1, n), st.just(n)))
CONFIDENCES = st.sampled_from([0.5, 0.8, 0.9, 0.95, 0.99, 0.999])
PROCESSES = st.lists(
    st.integers(0, 6).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))), min_size=1, max_size=5
)


@given(COUNTS, CONFIDENCES, CONFIDENCES)
def test_an_interval_holds_the_share_and_grows_with_the_confidence(
    counts: tuple[int, int], one: float, other: float
) -> None:
    """Never below 0 or above 1, and the mirror image where failures and passes change places."""
    failures, iterations = counts
    narrow = failure_rate_interval(failures, iterations, confidence=min(one, other))
    wide = failure_rate_interval(failures, iterations, confidence=max(one, other))
    assert 0.0 <= wide.low <= narrow.low <= failures / iterations <= narrow.high <= wide.high <= 1.0
    mirrored = failure_rate_interval(iterations - failures, iterations, confidence=max(one, other))
    assert mirrored.low == pytest.approx(1.0 - wide.high, abs=1e-9)


@given(st.integers(1, 100_000), CONFIDENCES)
def test_the_rate_ruled_out_is_scipys_bound_of_no_failure(runs: int, confidence: float) -> None:
    """The one-sided interval of Clopper and Pearson for 0 of n."""
    from scipy.stats import binomtest

    expected = binomtest(0, runs, alternative="less").proportion_ci(confidence_level=confidence).high
    assert ruled_out_rate(runs, confidence=confidence) == pytest.approx(expected, rel=1e-9)


@given(st.just(0.0) | st.floats(1e-300, 1.0), st.integers(0, 10_000))
def test_the_chance_of_clean_runs_is_scipys_chance_of_no_failure(rate: float, runs: int) -> None:
    """Binomial, with rates of 0 and 1 and no run at all among them."""
    from scipy.stats import binom

    assert chance_of_clean_runs(rate, runs) == pytest.approx(binom.pmf(0, runs, rate), rel=1e-6, abs=1e-300)


@given(st.floats(1e-6, 0.999), CONFIDENCES)
def test_the_runs_needed_are_scipys_wait_for_the_first_failure(rate: float, confidence: float) -> None:
    """The quantile of the geometric distribution, give or take one where rounding decides."""
    from scipy.stats import geom

    runs = runs_needed(rate, confidence=confidence)
    assert runs is not None
    assert abs(runs - geom.ppf(confidence, rate)) <= 1


GRID = sorted(
    {(k, n) for n in (1, 2, 5, 20, 100, 5_000) for k in (0, 1, 2, n // 10, n // 2, n - 1, n) if k <= n}
)


@pytest.mark.parametrize(("failures", "iterations"), GRID)
@pytest.mark.parametrize("clean", [0, 1, 2, 5, 34, 1_900])
def test_the_chance_if_unchanged_is_scipys_fisher_test(failures: int, iterations: int, clean: int) -> None:
    """One-sided, 0 of m against k of n; 0 of n, n of n and n = 1 among them."""
    from scipy.stats import fisher_exact, hypergeom

    chance = chance_if_unchanged(failures, iterations, clean=clean)
    assert chance == pytest.approx(
        hypergeom.pmf(0, iterations + clean, failures, clean), rel=1e-7, abs=1e-250
    )
    table = [[0, clean], [failures, iterations - failures]]
    assert chance == pytest.approx(fisher_exact(table, alternative="less")[1], rel=1e-6, abs=1e-250)


@given(COUNTS, st.integers(0, 500), st.integers(0, 500))
def test_the_chance_if_unchanged_is_a_share_of_orders(
    counts: tuple[int, int], clean: int, further: int
) -> None:
    """The quotient of two binomial coefficients, and never more for more clean iterations."""
    failures, iterations = counts
    chance = chance_if_unchanged(failures, iterations, clean=clean)
    orders = math.comb(iterations, failures) / math.comb(iterations + clean, failures)
    assert chance == pytest.approx(orders, rel=1e-9)
    assert 0.0 <= chance_if_unchanged(failures, iterations, clean=clean + further) <= chance <= 1.0


@pytest.mark.parametrize(
    ("failures", "iterations", "needed"),
    [
        (0, 1, None),
        (0, 1_000_000, None),
        (1, 1, 19),
        (2, 2, 5),
        (3, 3, 3),
        (5, 5, 2),
        (100, 100, 1),
        (1, 100, 1_900),
        (10, 100, 34),
        (1, 1_000_000, 19_000_000),
        (1_000, 1_000_000, 2_999),
        (100_000, 1_000_000, 29),
        (1_000_000, 1_000_000, 1),
    ],
)
def test_a_rate_before_asks_for_so_many_clean_iterations(
    failures: int, iterations: int, needed: int | None
) -> None:
    """At 95 %; where the chance is just what may be left (1 of 1, 1 of 100), no further one is asked for."""
    assert clean_iterations_needed(failures, iterations) == needed


@given(FAILED, CONFIDENCES)
def test_the_clean_iterations_needed_are_enough_and_none_is_too_many(
    counts: tuple[int, int], confidence: float
) -> None:
    """The number is the smallest that keeps the promise."""
    failures, iterations = counts
    needed = clean_iterations_needed(failures, iterations, confidence=confidence)
    assert needed is not None
    assert chance_if_unchanged(failures, iterations, clean=needed) <= (1 - confidence) * (1 + 1e-9)
    assert chance_if_unchanged(failures, iterations, clean=needed - 1) > (1 - confidence) * (1 - 1e-9)


@given(st.integers(2, 200), CONFIDENCES)
def test_more_failures_before_never_ask_for_more_clean_iterations(iterations: int, confidence: float) -> None:
    """Nor does a lower confidence: what is seen more often is missed sooner."""
    asked = [
        clean_iterations_needed(failures, iterations, confidence=confidence) or 0
        for failures in range(1, iterations + 1)
    ]
    assert asked == sorted(asked, reverse=True)
    assert asked[0] >= (clean_iterations_needed(1, iterations, confidence=0.5) or 0)


@pytest.mark.parametrize("iterations", [1, 10, 100])
@pytest.mark.parametrize("rate", [0.001, 0.01, 0.05, 0.1, 0.2, 0.5, 0.8, 0.99])
@pytest.mark.parametrize("confidence", [0.8, 0.95, 0.99])
def test_a_test_that_was_not_repaired_rarely_passes_as_often_as_asked(
    iterations: int, rate: float, confidence: float
) -> None:
    """No more often than the confidence leaves open, though what is asked depends on the luck before."""
    from scipy.stats import binom

    chance = 0.0
    for failures in range(1, iterations + 1):
        needed = clean_iterations_needed(failures, iterations, confidence=confidence)
        assert needed is not None
        chance += float(binom.pmf(failures, iterations, rate)) * (1 - rate) ** needed
    assert chance <= 1 - confidence


@pytest.mark.parametrize(("failures", "iterations"), [(-1, 5), (6, 5), (0, -1)])
def test_counts_that_cannot_be_are_refused(failures: int, iterations: int) -> None:
    """A count that cannot be is a bug of the caller, whichever number it asks for."""
    with pytest.raises(ValueError, match=f"{failures} failures of {iterations} iterations cannot be"):
        chance_if_unchanged(failures, iterations, clean=1)
    with pytest.raises(ValueError, match=f"{failures} failures of {iterations} iterations cannot be"):
        clean_iterations_needed(failures, iterations)
    with pytest.raises(ValueError, match=f"{failures} failures of {iterations} iterations cannot be"):
        chance_of_clusters([(failures, iterations), (1, 2)])
    with pytest.raises(ValueError, match="-1 clean iterations cannot be"):
        chance_if_unchanged(1, 2, clean=-1)


@pytest.mark.parametrize("confidence", [0.0, 1.0, -0.5, 95.0])
def test_a_confidence_that_is_none_is_refused(confidence: float) -> None:
    """No number of runs is certain, and 95 is not 95 %."""
    with pytest.raises(ValueError, match=f"a confidence of {confidence} is not between 0 and 1"):
        clean_iterations_needed(1, 2, confidence=confidence)


@settings(max_examples=60)
@given(PROCESSES)
def test_the_chance_of_clusters_counts_every_deal(processes: list[tuple[int, int]]) -> None:
    """By hand: each way to deal the failures to the iterations, weighted by scipy."""
    from scipy.stats import multivariate_hypergeom

    sizes = [size for _, size in processes]
    failures, total = sum(failed for failed, _ in processes), sum(sizes)

    def spread(dealt: tuple[int, ...]) -> int:
        return sum((number * total - size * failures) ** 2 for number, size in zip(dealt, sizes, strict=True))

    observed = spread(tuple(failed for failed, _ in processes))
    deals = itertools.product(*(range(size + 1) for size in sizes))
    expected = math.fsum(
        float(multivariate_hypergeom.pmf(deal, sizes, failures))
        for deal in deals
        if sum(deal) == failures and spread(deal) >= observed
    )
    is_gathered = max(failed for failed, _ in processes) >= 2 and len([size for size in sizes if size]) > 1
    assert chance_of_clusters(processes) == pytest.approx(expected if is_gathered else 1.0, rel=1e-6)


@given(st.integers(2, 60).flatmap(lambda n: st.tuples(st.integers(0, n), st.integers(0, n), st.just(n))))
def test_the_chance_of_clusters_in_two_equal_processes_is_scipys_fisher_test(
    counts: tuple[int, int, int],
) -> None:
    """Two-sided: both ends are as far from the middle."""
    from scipy.stats import fisher_exact

    one, other, size = counts
    expected = fisher_exact([[one, size - one], [other, size - other]])[1] if max(one, other) > 1 else 1.0
    assert chance_of_clusters([(one, size), (other, size)]) == pytest.approx(expected, rel=1e-6)


@given(PROCESSES, st.randoms(use_true_random=False))
def test_the_order_of_the_processes_does_not_matter(processes: list[tuple[int, int]], random: object) -> None:
    """Nor does one that ran nothing."""
    shuffled = [*processes, (0, 0)]
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert chance_of_clusters(shuffled) == chance_of_clusters(processes)


@pytest.mark.parametrize(
    ("processes", "is_clustered"),
    [
        ([(0, 5), (5, 5)], True),
        ([(5, 5)] * 20 + [(0, 5)] * 20, True),
        ([(50, 50)] + [(0, 50)] * 9, True),
        ([(2, 1_000_000)] * 9 + [(30, 1_000_000)], True),
        ([(3, 100)] * 9 + [(40, 100)], True),
        ([(1, 1)] * 5 + [(0, 1)] * 5, False),
        ([(3, 100)] * 10, False),
        ([(0, 100), (2, 100)], False),
        ([(7, 100), (2, 100), (4, 100), (1, 100)], False),
        ([(100, 100)], False),
        ([(5, 5), (5, 5)], False),
        ([(0, 9), (0, 9)], False),
        ([], False),
        ([(2, 7), (0, 5), (0, 5)] * 20_000, True),
        ([(5, 5)] * 3 + [(0, 5)] * 60_000, True),
        ([(2, 700), (3, 700), (1, 700)] * 20_000, False),
    ],
)
def test_failures_that_gather_in_processes_are_told_from_chance(
    processes: list[tuple[int, int]], *, is_clustered: bool
) -> None:
    """All or nothing, and more here than there; a process of one iteration says nothing."""
    assert (chance_of_clusters(processes) < 0.01) is is_clustered


@pytest.mark.parametrize(
    "processes",
    [[(2, 9), (1, 9), (6, 9)], [(0, 5), (1, 12), (5, 20)], [(4, 30), (0, 30), (9, 30), (5, 10)]],
)
def test_an_estimated_chance_is_near_the_counted_one(
    processes: list[tuple[int, int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Within what 9,999 deals leave open, and the same each time."""
    counted = chance_of_clusters(processes)
    monkeypatch.setattr(stats, "_MOST_STEPS", 0)
    estimated = chance_of_clusters(processes)
    assert estimated == pytest.approx(counted, abs=5 * math.sqrt(counted * (1 - counted) / 9_999) + 2e-4)
    assert estimated != counted
    assert chance_of_clusters(processes) == estimated


@given(st.lists(st.tuples(COUNTS, COUNTS), min_size=1, max_size=3))
def test_the_chance_of_more_failures_is_a_chance_and_falls_with_each_further_one(
    strata: list[tuple[tuple[int, int], tuple[int, int]]],
) -> None:
    """One failure more in the group, in place of one of the others, is never likelier."""
    given_counts = [(*group, *others) for group, others in strata]
    chance = chance_of_more_failures(given_counts)
    assert 0.0 <= chance <= 1.0
    failed, executed, other_failed, other_executed = given_counts[0]
    if failed < executed and other_failed:
        moved = [(failed + 1, executed, other_failed - 1, other_executed), *given_counts[1:]]
        assert chance_of_more_failures(moved) <= chance + 1e-12
