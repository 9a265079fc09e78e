"""Whether some tests make the difference: a sequential test between two failure rates."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import Enum

from pytest_repro.stats import chance_of_more_failures

ERROR = 0.02
"""Share of wrong answers that one decision may have, of either kind, if the rates are as estimated."""

MOST_TRIALS = 60
"""Trials after which a decision stays open."""

# Nearly all order dependence is all or nothing: rates that are not known yet lean to 0 and 1, by as much as a
# tenth of a trial leans against it (priors Beta(1, 0.1) and Beta(0.1, 1)).
_FOR, _AGAINST = 1.0, 0.1

_CAUTION = 0.75
"""So much of the difference that was seen is counted on where the rate is not steady."""


CHANCE = 0.02
"""What is less likely by chance alone is taken for a difference."""


class Answer(Enum):
    """What trials of some tests say."""

    YES = "yes"
    NO = "no"
    OPEN = "open"


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """How often what is looked for was seen: a failure, or a pass where the test fails alone."""

    times: int
    trials: int

    def is_more_than(self, other: Seen) -> bool:
        """Tells whether it is seen more often than elsewhere, by Fisher's exact test."""
        return chance_of_more_failures([(self.times, self.trials, other.times, other.trials)]) <= CHANCE


@dataclass(frozen=True, slots=True, kw_only=True)
class Rates:
    """How often what is looked for is seen, from 0 to 1.

    Attributes:
        present: Where the tests that matter run.
        absent: Where they do not.
    """

    present: float
    absent: float

    @classmethod
    def estimated(cls, *, present: Seen, absent: Seen) -> Rates:
        """Estimates them from trials of the whole order and of the test alone."""
        is_steady = present.times == present.trials
        return cls._estimated(present, absent, caution=1.0 if is_steady else _CAUTION)

    @classmethod
    def cautious(cls, *, present: Seen, absent: Seen) -> Rates:
        """Estimates them likewise, and takes nothing for steady: a few trials do not show that it is."""
        return cls._estimated(present, absent, caution=_CAUTION)

    @classmethod
    def _estimated(cls, present: Seen, absent: Seen, *, caution: float) -> Rates:
        whole = _FOR + _AGAINST
        high = (present.times + _FOR) / (present.trials + whole)
        low = (absent.times + _AGAINST) / (absent.trials + whole)
        # What a rate is overestimated by, trials that pass by chance would be taken for an answer.
        return cls(present=low + (high - low) * caution, absent=low)


def decide(seen: Seen, rates: Rates, *, error: float = ERROR) -> Answer:
    """Tells which of the two rates trials come from: Wald's sequential probability ratio test (1945).

    Args:
        seen: Trials so far.
        rates: The two rates.
        error: See `ERROR`.

    Returns:
        `OPEN` where another trial is needed.
    """
    unseen = seen.trials - seen.times
    likelihood = seen.times * math.log(rates.present / rates.absent) + unseen * math.log(
        (1.0 - rates.present) / (1.0 - rates.absent)
    )
    bound = math.log((1.0 - error) / error)
    if likelihood >= bound:
        return Answer.YES
    return Answer.NO if likelihood <= -bound else Answer.OPEN
