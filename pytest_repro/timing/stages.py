"""When the stages of a test began: what began later belongs to them and need not note it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pytest_repro.model import Stage


class Stages:
    """The stages of one execution of a test.

    Args:
        first: In which it begins.
    """

    __slots__ = ("_first", "_later")

    def __init__(self, first: Stage) -> None:
        self._first = first
        self._later: list[tuple[int, Stage]] = []

    def enter(self, stage: Stage, start_ns: int) -> None:
        """Notes the next one."""
        self._later.append((start_ns, stage))

    def at(self, time_ns: int) -> Stage:
        """Returns the one that lasted at a time of the clock."""
        for start_ns, stage in reversed(self._later):
            if start_ns <= time_ns:
                return stage
        return self._first
