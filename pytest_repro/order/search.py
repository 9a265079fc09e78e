"""Finds the tests that must run before a test for it to fail, or for it to pass."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from functools import partial

from pytest_repro.model import Signature
from pytest_repro.order.decision import ERROR, MOST_TRIALS, Answer, Rates, Seen, decide
from pytest_repro.order.reduction import minimised, reduce_places
from pytest_repro.order.trials import NO_TRIALS, BudgetSpentError, Counts, Trial, TrialOutcome, TrialRunner
from pytest_repro.signature import differences

FIRST_WHOLE, FIRST_ALONE = 3, 5
"""Trials of the whole order, and of the test alone, before anything is made of them."""

MOST_WITHOUT_FAILURE = 10
"""Trials of the whole order that all pass, after which it is not looked for any longer."""

MOST_UNSTEADY = 40
"""Trials of the whole order, and of the test alone, after which they are taken for alike."""

ENOUGH_SEEN = 12
"""So often an unsteady outcome is seen before its rate is used."""

CONFIRMATIONS = 10
"""Trials of what was found, and of the test alone, made anew at the end; more where they do not tell."""

_STRICTER = 20
"""By so much fewer errors are allowed in a second search, where the first one has not stood the test."""

FINAL_ERROR = 0.002
"""Share of wrong answers that the last question about each test of the result may have."""


class FindingKind(Enum):
    """What a search came to."""

    POLLUTERS = "polluters"
    """The test fails after some tests."""
    SETTERS = "setters"
    """The test fails alone, and passes after some tests."""
    ALONE = "alone"
    """It fails alone as it does in the order."""
    NOT_REPRODUCED = "not-reproduced"
    """It fails neither way."""
    UNCLEAR = "unclear"
    """What was found did not stand the test, or failures are too rare to tell."""
    UNFINISHED = "unfinished"
    """The search was broken off."""

    @property
    def is_answer(self) -> bool:
        """Whether it says what was asked for."""
        return self in (FindingKind.POLLUTERS, FindingKind.SETTERS, FindingKind.ALONE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What a search came to.

    Attributes:
        kind: In a word.
        places: Of the tests that must run before, in order; without an answer the smallest list so far.
        whole: Failures of the test at the end of the whole order.
        alone: Failures of the test alone; made anew at the end where something was found.
        confirmed: Failures of the test after `places`, made anew at the end.
        without: Failures of the test after all of `places` but one, for each of them, made anew at the end;
            empty for a single one, and where it did not come to that.
        signature: Of the failure, None where there was none.
        others: Trials that ended with another failure; they are no failures here.
        not_run: Trials in which the test did not run.
        not_run_reason: Why the last of them did not.
        trials: All trials.
        is_setter_looked_for: Whether passing was looked for, because the test fails alone.
    """

    kind: FindingKind
    places: tuple[int, ...]
    whole: Counts
    alone: Counts
    confirmed: Counts = NO_TRIALS
    without: tuple[Counts, ...] = ()
    signature: Signature | None = None
    others: int = 0
    not_run: int = 0
    not_run_reason: str = ""
    trials: int = 0
    is_setter_looked_for: bool = False


class Stage(Enum):
    """What a search is at."""

    ESTABLISHING = "establishing"
    SEARCHING = "searching"
    CONFIRMING = "confirming"


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchState:
    """How far a search is.

    Attributes:
        stage: What it is at.
        trials: Trials made.
        failed: Of these, those that failed as looked for.
        candidates: Tests that may still matter.
        running: Tests that the trial now going on runs before the one in question.
    """

    stage: Stage
    trials: int
    failed: int
    candidates: int
    running: int


class Search:
    """One search over one order.

    Args:
        length: Number of tests before the one in question.
        runner: Makes trials.
        tell: Told before each trial how far it is.
        error: Share of wrong answers that one decision may have.
        wanted: Tells the failures that are looked for; None for those like the first ones that are seen.
    """

    def __init__(
        self,
        length: int,
        runner: TrialRunner,
        *,
        tell: Callable[[SearchState], None] = lambda _: None,
        error: float = ERROR,
        wanted: Callable[[Trial], bool] | None = None,
    ) -> None:
        self._runner = runner
        self._wanted = wanted
        self._tell = tell
        self._error = error
        self._all = tuple(range(length))
        self._smallest = self._all
        self._stage = Stage.ESTABLISHING
        self._counts: dict[tuple[int, ...], Counts] = defaultdict(Counts)
        self._reference: Signature | None = None
        self._rates = Rates(present=0.5, absent=0.5)
        self._seeks_pass = False
        self._others = self._not_run = self._trials = 0
        self._not_run_reason = ""

    def find(self) -> Finding:
        """Makes all trials that are needed for an answer."""
        try:
            return self._find()
        except BudgetSpentError:
            return self.so_far()

    def so_far(self) -> Finding:
        """Returns what is known of a search that was broken off."""
        return self._finding(FindingKind.UNFINISHED)

    def _find(self) -> Finding:
        kind = self._establish()
        if kind not in (FindingKind.POLLUTERS, FindingKind.SETTERS):
            return self._finding(kind)
        self._seeks_pass = kind is FindingKind.SETTERS
        self._measure_unsteady()
        whole, alone = self._counts[self._all], self._counts[()]
        self._rates = Rates.estimated(present=self._seen(whole), absent=self._seen(alone))
        for error in (self._error, self._error / _STRICTER):
            self._stage = Stage.SEARCHING
            self._smallest = self._all
            shows = partial(self._shows, error=error)
            reduce_places(self._all, shows, keep=self._keep)
            while True:
                confirmed, alone = self._confirm(self._smallest)
                if not self._stands(confirmed, alone):
                    break
                rates = Rates.cautious(present=self._seen(confirmed), absent=self._seen(alone))
                without, smaller = self._leave_each_out(rates)
                if smaller is None:
                    return self._finding(kind, confirmed=confirmed, alone=alone, without=without)
                self._keep(smaller)
                self._stage = Stage.SEARCHING
                self._keep(minimised(smaller, shows, keep=self._keep))
        return self._finding(FindingKind.UNCLEAR, confirmed=confirmed, alone=alone)

    def _establish(self) -> FindingKind:
        """Tells whether order and test alone differ, from as few trials as show it."""
        if not self._all:
            self._begin((), FIRST_ALONE)
            return FindingKind.ALONE if self._counts[()].failed else self._more_alone()
        self._begin(self._all, FIRST_WHOLE)
        self._begin((), FIRST_ALONE)
        while True:
            whole, alone = self._counts[self._all], self._counts[()]
            if whole.failed == whole.trials and alone.failed == alone.trials:
                return FindingKind.ALONE
            if _failures(whole).is_more_than(_failures(alone)):
                return FindingKind.POLLUTERS
            if _passes(whole).is_more_than(_passes(alone)):
                return FindingKind.SETTERS
            has_failed = whole.failed or alone.failed
            if whole.trials >= (MOST_UNSTEADY if has_failed else MOST_WITHOUT_FAILURE):
                return _alike(whole, alone)
            self._trial(self._all)
            self._trial(())

    def _measure_unsteady(self) -> None:
        """Goes on where the order does not always show it: a few trials that led here overstate its rate."""
        while True:
            seen = self._seen(self._counts[self._all])
            if seen.times in (0, seen.trials) or seen.times >= ENOUGH_SEEN or seen.trials >= MOST_UNSTEADY:
                return
            self._trial(self._all)

    def _begin(self, places: tuple[int, ...], number: int) -> None:
        """Makes the first trials; the most frequent failure of the first that fail is the one looked for."""
        trials = [self._made(places) for _ in range(number)]
        failures = [
            trial.signature
            for trial in trials
            if trial.outcome is TrialOutcome.FAILED and (self._wanted is None or self._wanted(trial))
        ]
        if self._reference is None and failures:
            self._reference = Counter(failures).most_common(1)[0][0]
        for trial in trials:
            self._count(places, trial)

    def _more_alone(self) -> FindingKind:
        for _ in range(MOST_WITHOUT_FAILURE - FIRST_ALONE):
            self._trial(())
        return FindingKind.ALONE if self._counts[()].failed else FindingKind.NOT_REPRODUCED

    def _trial(self, places: tuple[int, ...]) -> Counts:
        return self._count(places, self._made(places))

    def _made(self, places: tuple[int, ...]) -> Trial:
        self._tell(
            SearchState(
                stage=self._stage,
                trials=self._trials,
                failed=sum(counts.failed for counts in self._counts.values()),
                candidates=len(self._smallest),
                running=len(places),
            )
        )
        trial = self._runner.run(places)
        self._trials += 1
        return trial

    def _count(self, places: tuple[int, ...], trial: Trial) -> Counts:
        failed = passed = 0
        match trial.outcome:
            case TrialOutcome.PASSED:
                passed = 1
            case TrialOutcome.NOT_RUN:
                self._not_run += 1
                self._not_run_reason = trial.reason
            case TrialOutcome.FAILED:
                failed = int(self._is_looked_for(trial))
                if self._reference is None and failed:
                    self._reference = trial.signature
                self._others += not failed
        one = Counts(trials=1, failed=failed, passed=passed)
        self._counts[places] += one
        return one

    def _is_looked_for(self, trial: Trial) -> bool:
        if self._wanted is not None:
            return self._wanted(trial)
        return _is_same(self._reference, trial.signature)

    def _shows(self, places: tuple[int, ...], *, error: float, rates: Rates | None = None) -> bool:
        """Tells whether what is looked for is seen after these tests; trials of them from before count."""
        while True:
            seen = self._seen(self._counts[places])
            answer = decide(seen, rates or self._rates, error=error)
            if answer is not Answer.OPEN:
                return answer is Answer.YES
            if seen.trials >= MOST_TRIALS:
                return False
            self._trial(places)

    def _seen(self, counts: Counts) -> Seen:
        return _passes(counts) if self._seeks_pass else _failures(counts)

    def _keep(self, places: tuple[int, ...]) -> None:
        self._smallest = places

    def _confirm(self, places: tuple[int, ...]) -> tuple[Counts, Counts]:
        """Tries what was found anew: the trials of the search are those that led to it."""
        self._stage = Stage.CONFIRMING
        confirmed = alone = NO_TRIALS
        while confirmed.trials < CONFIRMATIONS or (
            confirmed.trials < MOST_UNSTEADY
            and self._seen(confirmed).times
            and not self._stands(confirmed, alone)
        ):
            confirmed += self._trial(places)
            alone += self._trial(())
        return confirmed, alone

    def _leave_each_out(self, rates: Rates) -> tuple[tuple[Counts, ...], tuple[int, ...] | None]:
        """Asks of each test of the result anew whether it is needed: an error of the search adds another.

        Args:
            rates: What is seen with the result, and without it.

        Returns:
            Trials without each, and the first smaller list that shows it too.
        """
        without: list[Counts] = []
        for other in self._others_of(self._smallest):
            # What was asked of it before has led here.
            before, self._counts[other] = self._counts[other], NO_TRIALS
            if self._shows(other, rates=rates, error=FINAL_ERROR):
                return (), other
            without.append(self._counts[other])
            self._counts[other] += before
        return tuple(without), None

    def _others_of(self, places: tuple[int, ...]) -> list[tuple[int, ...]]:
        """Returns the list without each of its tests; without one that is alone there is nothing to ask."""
        if len(places) < 2:
            return []
        return [tuple(other for other in places if other != place) for place in places]

    def _stands(self, confirmed: Counts, alone: Counts) -> bool:
        return self._seen(confirmed).is_more_than(self._seen(alone))

    def _finding(
        self,
        kind: FindingKind,
        *,
        confirmed: Counts = NO_TRIALS,
        alone: Counts | None = None,
        without: tuple[Counts, ...] = (),
    ) -> Finding:
        return Finding(
            kind=kind,
            places=self._smallest,
            whole=self._counts[self._all],
            alone=self._counts[()] if alone is None else alone,
            confirmed=confirmed,
            without=without,
            signature=self._reference,
            others=self._others,
            not_run=self._not_run,
            not_run_reason=self._not_run_reason,
            trials=self._trials,
            is_setter_looked_for=self._seeks_pass,
        )


def _is_same(reference: Signature | None, other: Signature | None) -> bool:
    """Tells whether a failure is the one that is looked for: the same exception at the same statement.

    What one test has left behind there is told in other words than what two have.
    """
    if reference is None or other is None:
        return True
    is_same_place = reference.statement is not None and other.statement is not None
    return set(differences(reference, other)) <= ({"message"} if is_same_place else set())


def _failures(counts: Counts) -> Seen:
    return Seen(times=counts.failed, trials=counts.trials)


def _passes(counts: Counts) -> Seen:
    return Seen(times=counts.passed, trials=counts.trials)


def _alike(whole: Counts, alone: Counts) -> FindingKind:
    if alone.failed:
        return FindingKind.ALONE
    return FindingKind.UNCLEAR if whole.failed else FindingKind.NOT_REPRODUCED
