"""What was timed in an iteration that could not tell of itself: its process died, or did not end."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_repro.model import Outcome, Phase, Profile

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_repro.stress.deaths import Death
    from pytest_repro.stress.recorder import Position


def profile_of_death(
    death: Death, phases: Sequence[Phase], *, test: str, worker: str, beside: str = ""
) -> Profile | None:
    """Returns what was timed until a process died, None if nothing was or no iteration ended with it.

    Args:
        death: How and where it died.
        phases: What its flight recorder holds, the open ones up to its death.
        test: Node id.
        worker: xdist's worker id, or `main`.
        beside: What ran beside it, empty for nothing.
    """
    return _profile(death.position, phases, outcome=death.outcome, test=test, worker=worker, beside=beside)


def profile_of_interruption(
    position: Position, phases: Sequence[Phase], *, test: str, worker: str, beside: str
) -> Profile | None:
    """Returns the same of a process that did not end when the session was interrupted."""
    return _profile(position, phases, outcome=Outcome.INTERRUPTED, test=test, worker=worker, beside=beside)


def _profile(
    position: Position, phases: Sequence[Phase], *, outcome: Outcome, test: str, worker: str, beside: str
) -> Profile | None:
    if not phases or not position.is_in_iteration:
        return None
    return Profile(
        test=test,
        iteration=position.iteration,
        worker=worker,
        outcome=outcome,
        contended=beside,
        phases=tuple(phases),
    )
