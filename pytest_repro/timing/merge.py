"""Many phases of the same kind as one record, so that a million calls stay small."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple, Protocol

from pytest_repro.model import Phase, Stage
from pytest_repro.stress.phase_trail import NotedPhase

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_repro.model import Peaks, Transfer

KINDS = 1000
"""Kinds of phases kept apart in an iteration; all further ones share the name `other`."""

OTHER = "other"


class Kind(NamedTuple):
    """What phases that are merged have in common."""

    name: str
    operation: str | None = None
    within: tuple[str, ...] = ()
    on_host: bool = False
    stage: Stage = Stage.CALL


class Timed(NotedPhase, Protocol):
    """A phase, or what will become one: the fields of `Phase` that are added up or tell kinds apart."""

    @property
    def stage(self) -> Stage: ...  # noqa: D102 - see `Phase` for all of these
    @property
    def thread(self) -> int: ...  # noqa: D102
    @property
    def calls(self) -> int: ...  # noqa: D102
    @property
    def peaks(self) -> Peaks: ...  # noqa: D102


def kind_of(phase: Timed) -> Kind:
    """Returns a phase's kind."""
    return Kind(phase.name, phase.operation, phase.within, phase.on_host, phase.stage)


class Merged:
    """Phases merged by kind."""

    def __init__(self) -> None:
        self._kinds: set[Kind] = set()
        self._sums: dict[Kind, _Sum] = {}

    def is_first(self, kind: Kind) -> bool:
        """Notes a kind; returns whether it is new and there is room to keep its first call apart."""
        if kind in self._kinds or len(self._kinds) >= KINDS:
            return False
        self._kinds.add(kind)
        return True

    def add(self, kind: Kind, phase: Timed) -> None:
        """Merges one more phase of a kind in."""
        if kind not in self._kinds:
            kind = Kind(OTHER, stage=kind.stage)
        known = self._sums.get(kind)
        if known is None:
            known = self._sums[kind] = _Sum(phase)
        known.add(phase)

    def phases(self) -> list[Phase]:
        """Returns one record per kind, in the order in which they first began."""
        return [total.as_phase(kind) for kind, total in self._sums.items()]


def merge(phases: Sequence[Timed]) -> Phase:
    """Returns phases of one kind as one record: times, sizes and calls added up.

    Raises:
        IndexError: If there are none.
    """
    total = _Sum(phases[0])
    for phase in phases:
        total.add(phase)
    return total.as_phase(kind_of(phases[0]))


class _Sum:
    """Phases of one kind, added up, where and when the first one began."""

    def __init__(self, first: Timed) -> None:
        self._start_ns = first.start_ns
        self._thread = first.thread
        self._largest: Transfer | None = None
        self._call_ns = self._wait_ns = self._hidden_ns = self._calls = self._size_bytes = 0
        self._fenced = True
        self._is_open = False
        self._peaks: dict[str, int] = {}

    def add(self, phase: Timed) -> None:
        self._call_ns += phase.call_ns
        self._wait_ns += phase.wait_ns
        self._hidden_ns += phase.hidden_ns
        self._calls += phase.calls
        self._fenced &= phase.fenced
        self._is_open |= phase.is_open
        for place, size_bytes in phase.peaks:
            self._peaks[place] = max(size_bytes, self._peaks.get(place, 0))
        moved = phase.transfer
        if moved is not None:
            self._size_bytes += moved.size_bytes
            if self._largest is None or moved.size_bytes > self._largest.size_bytes:
                self._largest = moved

    def as_phase(self, kind: Kind) -> Phase:
        return Phase(
            name=kind.name,
            operation=kind.operation,
            within=kind.within,
            on_host=kind.on_host,
            stage=kind.stage,
            start_ns=self._start_ns,
            thread=self._thread,
            call_ns=self._call_ns,
            wait_ns=self._wait_ns,
            hidden_ns=self._hidden_ns,
            calls=self._calls,
            fenced=self._fenced,
            is_open=self._is_open,
            peaks=tuple(self._peaks.items()),
            transfer=None if self._largest is None else replace(self._largest, size_bytes=self._size_bytes),
        )
