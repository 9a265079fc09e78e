"""The phases of the running iteration in mapped memory, so that a process that dies leaves them behind."""

from __future__ import annotations

import struct
from collections.abc import Callable
from itertools import count
from typing import TYPE_CHECKING, Protocol

from pytest_repro.model import Phase, Transfer

if TYPE_CHECKING:
    from mmap import mmap

FIRST = 128
"""Phases of an iteration that keep their places."""

NEWEST = 128
"""Places of those after them; the newest stay."""

_GENERATION = struct.Struct("=Q")
# Generation, code of the names, number of the thread, depth, state, start, then what is known at the end.
_BEGIN = struct.Struct("=QBBBBq")
_ENTRY = struct.Struct("=QBBBBqqqqq")
_ENTRIES_AT = _GENERATION.size
SIZE = _ENTRIES_AT + (FIRST + NEWEST) * _ENTRY.size

_OPEN = 1
_RAISED = 2
_FENCED = 4
_ON_HOST = 8
_MOVED = 16
_DEEPEST = 255

Names = Callable[[int], tuple[str, str | None]]
"""Returns the name and the operation of a code."""


class NotedPhase(Protocol):
    """A phase while it lasts, or at its end; the fields are those of `Phase`."""

    @property
    def name(self) -> str: ...  # noqa: D102 - see `Phase` for all of these
    @property
    def operation(self) -> str | None: ...  # noqa: D102
    @property
    def within(self) -> tuple[str, ...]: ...  # noqa: D102
    @property
    def start_ns(self) -> int: ...  # noqa: D102
    @property
    def call_ns(self) -> int: ...  # noqa: D102
    @property
    def wait_ns(self) -> int: ...  # noqa: D102
    @property
    def hidden_ns(self) -> int: ...  # noqa: D102
    @property
    def fenced(self) -> bool: ...  # noqa: D102
    @property
    def on_host(self) -> bool: ...  # noqa: D102
    @property
    def is_open(self) -> bool: ...  # noqa: D102
    @property
    def transfer(self) -> Transfer | None: ...  # noqa: D102


class PhaseTrail:
    """Notes the phases of an iteration.

    Args:
        memory: Where to.
        offset: First byte of `SIZE` in it.
    """

    def __init__(self, memory: mmap, offset: int) -> None:
        self._memory = memory
        self._offset = offset
        self._generation = 0
        self._places = count()

    def begin(self) -> None:
        """Forgets the phases of the iteration before, also where a fork ran that one."""
        self._generation = _GENERATION.unpack_from(self._memory, self._offset)[0] + 1
        self._places = count()
        _GENERATION.pack_into(self._memory, self._offset, self._generation)

    def enter(self, code: int, phase: NotedPhase, thread: int) -> int:
        """Notes that a phase has begun.

        Args:
            code: Of its name and operation.
            phase: The phase.
            thread: Number of its thread.

        Returns:
            Its place, for `leave`.
        """
        number = next(self._places)
        if number >= FIRST:
            number = FIRST + (number - FIRST) % NEWEST
        place = self._offset + _ENTRIES_AT + number * _ENTRY.size
        depth = len(phase.within)
        if thread > _DEEPEST or depth > _DEEPEST:
            thread, depth = min(thread, _DEEPEST), min(depth, _DEEPEST)
        _BEGIN.pack_into(self._memory, place, self._generation, code, thread, depth, _OPEN, phase.start_ns)
        return place

    def leave(self, place: int, code: int, phase: NotedPhase, thread: int) -> None:
        """Notes that a phase has ended, also where a newer one has taken its place meanwhile.

        Args:
            place: What `enter` returned.
            code: Of its name and operation, which may have changed.
            phase: The phase.
            thread: Number of its thread.
        """
        state = _RAISED * phase.is_open | _FENCED * phase.fenced | _ON_HOST * phase.on_host
        size_bytes = 0
        moved = phase.transfer
        if moved is not None:
            state |= _MOVED
            size_bytes = moved.size_bytes
        depth = len(phase.within)
        if thread > _DEEPEST or depth > _DEEPEST:
            thread, depth = min(thread, _DEEPEST), min(depth, _DEEPEST)
        _ENTRY.pack_into(
            self._memory, place, self._generation, code, thread, depth, state,
            phase.start_ns, phase.call_ns, phase.wait_ns, phase.hidden_ns, size_bytes,
        )  # fmt: skip


def read_trail(data: bytes, names: Names, now_ns: int) -> tuple[Phase, ...]:
    """Returns the phases that were noted last, in the order in which they began.

    Args:
        data: `SIZE` bytes.
        names: Knows the codes.
        now_ns: Monotonic clock when the process was seen dead: open phases last until then.
    """
    (generation,) = _GENERATION.unpack_from(data)
    entries = [entry for entry in _ENTRY.iter_unpack(data[_ENTRIES_AT:SIZE]) if entry[0] == generation > 0]
    entries.sort(key=lambda entry: (entry[5], entry[3]))
    # The clock of the death may be a coarse one.
    now_ns = max(
        [now_ns, *(entry[5] + max(0, entry[6]) + entry[7] for entry in entries if not entry[4] & _OPEN)]
    )
    around: dict[int, list[str]] = {}
    phases = []
    for _, code, thread, depth, state, start_ns, call_ns, wait_ns, hidden_ns, size_bytes in entries:
        name, operation = names(code)
        outer = around.setdefault(thread, [])
        del outer[depth:]
        within = tuple(outer)
        if operation is None:
            outer.append(name)
        is_running = bool(state & _OPEN)
        phases.append(
            Phase(
                name=name,
                operation=operation,
                start_ns=start_ns,
                call_ns=max(0, now_ns - start_ns) if is_running else call_ns,
                wait_ns=0 if is_running else wait_ns,
                hidden_ns=0 if is_running else hidden_ns,
                fenced=bool(state & _FENCED) and not is_running,
                within=within,
                thread=thread,
                transfer=Transfer(size_bytes=size_bytes, shape=(), dtype="") if state & _MOVED else None,
                is_open=is_running or bool(state & _RAISED),
                on_host=bool(state & _ON_HOST),
            )
        )
    return tuple(phases)
