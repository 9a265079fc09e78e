"""Many phases of the same kind as one record, so that a million calls stay small."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_repro.model import Phase, Transfer

KINDS = 1000
"""Kinds of phases kept apart in an iteration; all further ones share the name `other`."""

OTHER = "other"


class Kind(NamedTuple):
    """What phases that are merged have in common."""

    name: str
    operation: str | None = None
    within: tuple[str, ...] = ()
    on_host: bool = False


class HasKind(Protocol):
    """A phase, or what will become one."""

    name: str
    operation: str | None
    within: tuple[str, ...]
    on_host: bool


def kind_of(phase: Phase | HasKind) -> Kind:
    """Returns a phase's kind."""
    return Kind(phase.name, phase.operation, phase.within, phase.on_host)


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

    def add(self, phase: Phase) -> None:
        """Merges one more phase in."""
        kind = kind_of(phase)
        if kind not in self._kinds:
            kind = Kind(OTHER)
        known = self._sums.get(kind)
        if known is None:
            self._sums[kind] = _Sum(phase)
        else:
            known.add(phase)

    def phases(self) -> list[Phase]:
        """Returns one record per kind, in the order in which they first began."""
        return [total.as_phase(kind) for kind, total in self._sums.items()]


def merge(phases: Sequence[Phase]) -> Phase:
    """Returns phases of one kind as one record: times, sizes and calls added up.

    Raises:
        IndexError: If there are none.
    """
    total = _Sum(phases[0])
    for phase in phases[1:]:
        total.add(phase)
    return total.as_phase(kind_of(phases[0]))


class _Sum:
    """Phases of one kind, added up."""

    def __init__(self, first: Phase) -> None:
        self._first = first
        self._largest: Transfer | None = None
        self._call_ns = self._wait_ns = self._hidden_ns = self._calls = self._size_bytes = 0
        self._fenced = True
        self._is_open = False
        self.add(first)

    def add(self, phase: Phase) -> None:
        self._call_ns += phase.call_ns
        self._wait_ns += phase.wait_ns
        self._hidden_ns += phase.hidden_ns
        self._calls += phase.calls
        self._fenced &= phase.fenced
        self._is_open |= phase.is_open
        if phase.transfer is not None:
            self._size_bytes += phase.transfer.size_bytes
            if self._largest is None or phase.transfer.size_bytes > self._largest.size_bytes:
                self._largest = phase.transfer

    def as_phase(self, kind: Kind) -> Phase:
        transfer = None if self._largest is None else replace(self._largest, size_bytes=self._size_bytes)
        return replace(
            self._first,
            name=kind.name,
            operation=kind.operation,
            within=kind.within,
            on_host=kind.on_host,
            call_ns=self._call_ns,
            wait_ns=self._wait_ns,
            hidden_ns=self._hidden_ns,
            calls=self._calls,
            fenced=self._fenced,
            is_open=self._is_open,
            cold=False,
            transfer=transfer,
        )
