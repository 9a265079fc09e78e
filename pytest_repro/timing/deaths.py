"""What was timed in an iteration that could not tell of itself: its process died, or did not end."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_repro.model import Outcome, Phase, Profile

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_repro.stress.recorder import Position


def profile_left_behind(
    position: Position,
    phases: Sequence[Phase],
    *,
    outcome: Outcome,
    test: str,
    worker: str,
    beside: str = "",
) -> Profile | None:
    """Returns what was timed in the iteration of a process, None if nothing was or it was in none.

    Args:
        position: Where the process was last.
        phases: What its flight recorder holds, the open ones up to its end.
        outcome: How the iteration ended.
        test: Node id.
        worker: xdist's worker id, or `main`.
        beside: What ran beside it, empty for nothing.
    """
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
