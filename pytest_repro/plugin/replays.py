"""The commands that make a failure of a stress run happen again."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

from pytest_repro.model import Failure
from pytest_repro.plugin.command import replay_command
from pytest_repro.stress.patterns import Pattern, PatternKind
from pytest_repro.stress.plan import StressPlan
from pytest_repro.stress.seeds import SeedSource, seed_name

MOST_RUN_AGAIN = 100
"""Iterations that a replay runs at most where one alone may be enough."""


class Replays:
    """Knows how each test of the session is started again.

    Args:
        config: Of the controller.
        plan: What was asked for.
        lease_of: Tells which device a worker had, as `--repro-devices` names it.
    """

    def __init__(
        self, config: pytest.Config, plan: StressPlan, *, lease_of: Callable[[str], str | None]
    ) -> None:
        self._lease_of = lease_of
        self._config = config
        self._plan = plan
        self._paths: dict[str, str] = {}

    def note_paths(self, paths: Iterable[tuple[str, str]]) -> None:
        """Takes pairs of node id and file; an empty file says nothing."""
        self._paths.update((test, path) for test, path in paths if path)

    def path(self, test: str) -> str:
        """Returns the file of a test, empty where it is not known."""
        return self._paths.get(test, "")

    def command(self, failure: Failure, pattern: Pattern | None) -> str:
        """Returns the command that fails again: for what an iteration leaves behind, one is not enough."""
        if pattern is None or pattern.kind is not PatternKind.RUNNING_AGAIN:
            return self.of_iteration(failure)
        times = pattern.passes + 1
        if not pattern.is_certain:
            # All up to this one fail again whichever it is: left behind, or chance with this seed.
            times = max(times, failure.iteration)
            return self._command(failure, times=times if times <= MOST_RUN_AGAIN else None)
        return self._command(failure, times=times)

    def of_iteration(self, failure: Failure) -> str:
        """Returns the command that runs this one iteration again."""
        return self._command(failure, times=None)

    def seed(self, test: str, iteration: int) -> int | None:
        """Returns the seed that an iteration starts from, None where nothing is reseeded."""
        if not self._plan.reseed:
            return None
        name = seed_name(Path(self._paths[test]).name, test)
        return SeedSource(self._plan.base_seed, name).seed(iteration)

    def _command(self, failure: Failure, *, times: int | None) -> str:
        return replay_command(
            self._config,
            test=failure.test,
            path=Path(self._paths[failure.test]),
            seed=self._plan.base_seed if self._plan.reseed else None,
            iteration=failure.iteration,
            hash_seed=failure.hash_seed,
            times=times,
            lease=self._lease_of(failure.worker),
        )
