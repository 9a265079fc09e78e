from __future__ import annotations

import random
from collections.abc import Callable, Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_repro.model import Signature
from pytest_repro.order.decision import Rates, Seen
from pytest_repro.order.reduction import minimised
from pytest_repro.order.search import Finding, FindingKind, Search, SearchState
from pytest_repro.order.trials import BudgetSpentError, Counts, Trial, TrialOutcome

BUG = Signature(exception="AssertionError", message="polluted", file="t.py", function="test_b")
OTHER = Signature(exception="KeyError", message="other", file="t.py", function="test_b")

FAILED = Trial(outcome=TrialOutcome.FAILED, signature=BUG)
FAILED_OTHERWISE = Trial(outcome=TrialOutcome.FAILED, signature=OTHER)
PASSED = Trial(outcome=TrialOutcome.PASSED)
NOT_RUN = Trial(outcome=TrialOutcome.NOT_RUN, reason="it was skipped")


class Suite:
    """Runs no test: says what a test would do after others."""

    def __init__(self, outcome: Callable[[frozenset[int]], Trial], *, budget: int = 10**6) -> None:
        self._outcome = outcome
        self._budget = budget

    def run(self, before: Sequence[int]) -> Trial:
        self._budget -= 1
        if self._budget < 0:
            raise BudgetSpentError
        return self._outcome(frozenset(before))


def find(length: int, outcome: Callable[[frozenset[int]], Trial], *, budget: int = 10**6) -> Finding:
    return Search(length, Suite(outcome, budget=budget)).find()


def failing_after(*needed: int) -> Callable[[frozenset[int]], Trial]:
    return lambda before: FAILED if before.issuperset(needed) else PASSED


def test_one_polluter_of_a_thousand_is_found_in_few_trials() -> None:
    """Some log2(length) questions, each answered by one or two trials."""
    finding = find(1000, failing_after(617))
    assert (finding.kind, finding.places) == (FindingKind.POLLUTERS, (617,))
    assert finding.confirmed == Counts(trials=10, failed=10)
    assert finding.alone == Counts(trials=10, passed=10)
    assert finding.signature == BUG
    assert finding.trials <= 8 + 20 + 20


def test_two_polluters_that_are_needed_together_are_found() -> None:
    """Each alone leaves the test passing, and that is told of each."""
    finding = find(1000, failing_after(3, 998))
    assert (finding.kind, finding.places) == (FindingKind.POLLUTERS, (3, 998))
    assert all(counts.trials and not counts.failed for counts in finding.without)
    assert len(finding.without) == 2


def test_a_test_that_passes_only_after_another_has_its_setter_found() -> None:
    """A brittle test: what is looked for is that it passes."""
    finding = find(100, lambda before: PASSED if 42 in before else FAILED)
    assert (finding.kind, finding.places) == (FindingKind.SETTERS, (42,))
    assert finding.confirmed == Counts(trials=10, passed=10)
    assert finding.alone == Counts(trials=10, failed=10)


def test_a_test_that_fails_alone_needs_no_other() -> None:
    """Nothing is searched for."""
    finding = find(100, lambda _: FAILED)
    assert (finding.kind, finding.trials) == (FindingKind.ALONE, 8)


def test_a_test_that_is_the_first_of_its_order_is_tried_alone() -> None:
    """There is nothing that could matter."""
    assert find(0, lambda _: FAILED).kind is FindingKind.ALONE
    finding = find(0, lambda _: PASSED)
    assert (finding.kind, finding.alone) == (FindingKind.NOT_REPRODUCED, Counts(trials=10, passed=10))


def test_an_order_that_never_fails_is_not_reproduced() -> None:
    """Ten trials of the whole order are made, no more."""
    finding = find(100, lambda _: PASSED)
    assert (finding.kind, finding.whole) == (FindingKind.NOT_REPRODUCED, Counts(trials=10, passed=10))


def test_only_the_failure_that_is_looked_for_counts() -> None:
    """Another test makes it fail in another way: it is told apart, and not taken for the polluter."""

    def outcome(before: frozenset[int]) -> Trial:
        if 7 in before:
            return FAILED
        return FAILED_OTHERWISE if 3 in before else PASSED

    finding = find(16, outcome)
    assert (finding.kind, finding.places) == (FindingKind.POLLUTERS, (7,))
    assert finding.others > 0


def test_the_same_assertion_counts_whatever_it_says() -> None:
    """Either of two tests is enough, and what is left behind by both reads differently: one is named."""

    def outcome(before: frozenset[int]) -> Trial:
        left = sorted(before & {3, 7})
        signature = Signature(
            exception="AssertionError",
            message=f"left: {left}",
            file="t.py",
            function="f",
            statement="assert x",
        )
        return Trial(outcome=TrialOutcome.FAILED, signature=signature) if left else PASSED

    finding = find(16, outcome)
    assert (finding.kind, finding.places, finding.others) == (FindingKind.POLLUTERS, (3,), 0)


def test_what_is_looked_for_can_be_said_beforehand() -> None:
    """Then the first failure that is seen is no more than another one."""

    def outcome(before: frozenset[int]) -> Trial:
        if 7 in before and 3 not in before:
            return FAILED
        return FAILED_OTHERWISE if 3 in before else PASSED

    def find_with(wanted: Signature) -> Finding:
        return Search(16, Suite(outcome), wanted=lambda trial: trial.signature == wanted).find()

    finding = find_with(OTHER)
    assert (finding.kind, finding.places, finding.signature) == (FindingKind.POLLUTERS, (3,), OTHER)
    finding = find_with(BUG)
    assert (finding.kind, finding.signature, finding.others) == (FindingKind.NOT_REPRODUCED, None, 10)


def test_what_does_not_run_neither_fails_nor_passes() -> None:
    """A test that is skipped after others, and fails alone, has no setter among them."""
    finding = find(16, lambda before: NOT_RUN if before else FAILED)
    assert finding.kind is FindingKind.ALONE
    assert finding.whole.passed == finding.whole.failed == 0
    assert finding.not_run_reason == "it was skipped"


def test_a_search_that_runs_out_of_time_tells_the_smallest_list_so_far() -> None:
    """What was reduced is not lost."""
    finding = find(1024, failing_after(5), budget=12)
    assert finding.kind is FindingKind.UNFINISHED
    assert 5 in finding.places
    assert 1 < len(finding.places) < 1024


def test_it_is_told_how_far_the_search_is() -> None:
    """Before each trial: what it is at, and how many tests are left."""
    states: list[SearchState] = []
    finding = Search(64, Suite(failing_after(5)), tell=states.append).find()
    assert [state.trials for state in states] == list(range(finding.trials))
    assert [states[0].candidates, states[-1].candidates] == [64, 1]
    assert list(dict.fromkeys(state.stage.value for state in states)) == [
        "establishing",
        "searching",
        "confirming",
    ]


@settings(max_examples=30)
@given(st.integers(1, 60), st.data())
def test_the_tests_that_are_needed_are_found_whichever_they_are(length: int, data: st.DataObject) -> None:
    """Any set, in its order, and no other test with it."""
    needed = data.draw(st.sets(st.integers(0, length - 1), min_size=1, max_size=6))
    finding = find(length, failing_after(*needed))
    assert finding.kind is FindingKind.POLLUTERS
    assert finding.places == tuple(sorted(needed))


@settings(max_examples=30)
@given(st.integers(2, 30), st.data())
def test_no_test_can_be_taken_away_also_where_tests_undo_what_others_did(
    length: int, data: st.DataObject
) -> None:
    """Polluters and cleaners by chance: whatever is found fails, and fails no more without any one of it."""
    places = st.sets(st.integers(0, length - 1), min_size=1, max_size=3)
    rules = data.draw(
        st.lists(st.tuples(places, st.sets(st.integers(0, length - 1), max_size=3)), max_size=4)
    )

    def is_polluted(before: frozenset[int]) -> bool:
        return any(before >= needed and not before & (cleaners - needed) for needed, cleaners in rules)

    finding = find(length, lambda before: FAILED if is_polluted(before) else PASSED)
    if not is_polluted(frozenset(range(length))):
        assert finding.kind is FindingKind.NOT_REPRODUCED
        return
    assert finding.kind is FindingKind.POLLUTERS
    assert is_polluted(frozenset(finding.places))
    for place in finding.places:
        assert not is_polluted(frozenset(finding.places) - {place})


@settings(max_examples=30)
@given(st.integers(1, 40), st.data())
def test_delta_debugging_alone_finds_what_is_needed(length: int, data: st.DataObject) -> None:
    """It goes over what binary search has left, and must do so for any list."""
    needed = data.draw(st.sets(st.integers(0, length - 1), min_size=1, max_size=5))
    kept: list[tuple[int, ...]] = []
    found = minimised(tuple(range(length)), lambda places: needed <= set(places), keep=kept.append)
    assert found == tuple(sorted(needed))
    assert all(needed <= set(places) for places in kept)


@pytest.mark.parametrize(("rate", "most_wrong"), [(0.5, 3), (0.9, 2)])
def test_an_unsteady_polluter_is_found_and_hardly_ever_a_test_with_it(rate: float, most_wrong: int) -> None:
    """Trials are repeated until they tell: below 1 % of 300 searches name a wrong list; from a fixed seed."""
    chance = random.Random(1)
    wrong = missed = 0
    for _ in range(300):
        finding = find(64, lambda before: FAILED if 11 in before and chance.random() < rate else PASSED)
        missed += finding.kind is not FindingKind.POLLUTERS
        wrong += finding.kind is FindingKind.POLLUTERS and finding.places != (11,)
    assert wrong <= most_wrong
    assert missed <= 3


def test_a_test_that_bad_luck_has_added_is_left_out_at_the_end() -> None:
    """The polluter alone passes by chance when the search asks: asked anew, it is seen to be enough."""
    asked: list[frozenset[int]] = []

    def outcome(before: frozenset[int]) -> Trial:
        asked.append(before)
        is_unlucky = 63 not in before and asked.count(frozenset({11, 63})) < 10
        return FAILED if 11 in before and not is_unlucky else PASSED

    finding = find(64, outcome)
    assert asked.count(frozenset({11, 63})) >= 10
    assert (finding.kind, finding.places) == (FindingKind.POLLUTERS, (11,))
    assert finding.confirmed == Counts(trials=10, failed=10)


def test_what_is_told_of_the_result_without_one_of_its_tests_was_tried_at_the_end() -> None:
    """A few trials for each, none of them from the search: four where all that was found is needed."""
    finding = find(64, failing_after(11, 40, 50))
    assert finding.places == (11, 40, 50)
    assert all(4 <= counts.trials <= 8 and not counts.failed for counts in finding.without)
    assert len(finding.without) == 3


@pytest.mark.parametrize(("present", "absent"), [((38, 40), (30, 40)), ((40, 40), (32, 40))])
def test_rates_that_are_near_each_other_are_never_turned_round(
    present: tuple[int, int], absent: tuple[int, int]
) -> None:
    """The lower one is that of the test alone, however cautious the estimate."""
    seen = [Seen(times=times, trials=trials) for times, trials in (present, absent)]
    for rates in (
        Rates.estimated(present=seen[0], absent=seen[1]),
        Rates.cautious(present=seen[0], absent=seen[1]),
    ):
        assert 0 < rates.absent < rates.present < 1
