"""Limits held against the runs of base and fix together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from pytest_repro.verify.certificate.trials import Overrun, Trial
from pytest_repro.verify.held import hold_limits
from pytest_repro.verify.limits import Limit


def with_limits(
    trials: Sequence[Trial], limits: Sequence[Limit]
) -> tuple[tuple[Trial, ...], tuple[str, ...]]:
    """Holds the limits of the session and of the tests' own marks against all runs.

    Args:
        trials: In order.
        limits: Of the session.

    Returns:
        The runs with the limits that they broke, and what is wrong with limits as they were given.
    """
    # Base and fix each count from 1: here each run has a number of its own.
    runs = [replace(trial.run, number=place) for place, trial in enumerate(trials)]
    held = hold_limits(limits, runs)
    found = []
    for place, trial in enumerate(trials):
        broken = [one for one in held.broken if one.run == place]
        overruns = tuple(Overrun(test=one.test, limit=one.limit, value=one.value) for one in broken)
        gaps = tuple(gap.what for gap in held.gaps if gap.run == place)
        found.append(replace(trial, overruns=overruns, gaps=gaps))
    return tuple(found), held.mistakes
