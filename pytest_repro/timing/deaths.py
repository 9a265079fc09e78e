"""What a process that has died had timed in its last iteration."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_repro.model import Phase, Profile

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_repro.stress.deaths import Death


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
    if not phases or not death.position.is_in_iteration:
        return None
    return Profile(
        test=test,
        iteration=death.position.iteration,
        worker=worker,
        outcome=death.outcome,
        contended=beside,
        phases=tuple(phases),
    )
