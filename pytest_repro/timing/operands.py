"""What operations worked on, looked at for few of their calls: it costs more than many a call itself."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from pytest_repro.timing.interrupts import is_interrupt

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pytest_repro.model import Phase, Transfer


class Operands:
    """The largest operand of the longest call of each operation, in one iteration.

    A call is only looked at if none of its operation took as long before it; nothing of it is kept alive.
    """

    __slots__ = ("_longest",)

    def __init__(self) -> None:
        self._longest: dict[tuple[str, str | None], _Longest] = {}

    def note(
        self,
        name: str,
        operation: str | None,
        start_ns: int,
        took_ns: int,
        describe: Callable[[], Transfer | None],
    ) -> None:
        """Takes a call that has ended.

        Args:
            name: Name of its phase.
            operation: Name of the library call.
            start_ns: The clock when it began.
            took_ns: How long it took.
            describe: Describes its largest operand.
        """
        known = self._longest.get((name, operation))
        if known is not None and known.took_ns >= took_ns:
            return
        if known is None and len(self._longest) >= _MOST:
            return
        try:
            operand = describe()
        except Exception as error:
            # A tensor that cannot be described must not fail the test that uses it.
            if is_interrupt(error):
                raise
            operand = None
        self._longest[name, operation] = _Longest(took_ns, start_ns, operand)

    def added_to(self, phases: Sequence[Phase]) -> Sequence[Phase]:
        """Returns phases, in the order in which they began, with what is known of their operands.

        Where the longest call was merged with others, the record of all of them is told what it worked on.
        """
        if not self._longest:
            return phases
        starts = {(phase.name, phase.operation, phase.start_ns): i for i, phase in enumerate(phases)}
        merged = {(phase.name, phase.operation): i for i, phase in enumerate(phases) if phase.calls > 1}
        told = list(phases)
        for key, longest in self._longest.items():
            index = starts.get((*key, longest.start_ns), merged.get(key))
            if index is not None and longest.operand is not None:
                told[index] = replace(told[index], operand=longest.operand)
        return told


class _Longest(NamedTuple):
    took_ns: int
    start_ns: int
    operand: Transfer | None


_MOST = 1000
"""Operations that are looked at in an iteration."""
