"""Which slices a stress run has, and how far each of them is."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from pytest_repro.stress.loop import Message
from pytest_repro.stress.recorder import Position

SliceId = tuple[int, int]
"""0-based number of a test, and first iteration of a slice of it."""


class SliceBook:
    """Kept by the controller.

    Attributes:
        tests: Node ids, in order of collection; an item's place in them is the number of its test.
    """

    def __init__(self) -> None:
        self.tests: Sequence[str] = ()
        self._numbers: dict[str, int] = {}
        self._slices: dict[str, SliceId] = {}
        self._received: dict[SliceId, int] = {}
        self._last_of_workers: dict[str, tuple[SliceId, int]] = {}
        self._ended: dict[int, set[SliceId]] = {}

    def note_tests(self, message: Message) -> None:
        """Takes what a process has collected."""
        self.tests = message["tests"]
        self._numbers = {test: number for number, test in enumerate(self.tests)}
        self._slices.update((name, (test, first)) for name, (test, first) in message["slices"].items())

    @property
    def items(self) -> Collection[str]:
        """Names that xdist knows the slices by."""
        return self._slices.keys()

    def number_of(self, test: str) -> int:
        """Returns the number of a test."""
        return self._numbers[test]

    def slice_of(self, item: str) -> SliceId | None:
        """Returns the slice that xdist knows by this name, None for what is no slice of ours."""
        return self._slices.get(item)

    def item_of(self, slice_id: SliceId) -> str | None:
        """Returns the name that xdist knows a slice by, None where it knows none."""
        return next((name for name, known in self._slices.items() if known == slice_id), None)

    def last_received(self, slice_id: SliceId) -> int:
        """Returns the last iteration of a slice that was received, 0 for none."""
        return self._received.get(slice_id, 0)

    def is_received(self, message: Message) -> bool:
        """Tells whether a batch was received before."""
        return bool(message["first"] <= self.last_received(message["slice"]))

    def note_received(self, message: Message, *, iterations: int) -> None:
        """Notes that a batch of so many iterations was received."""
        last = message["first"] + (iterations - 1) * message["step"]
        self._received[message["slice"]] = last
        self._last_of_workers[message["worker"]] = (tuple(message["slice"]), last)

    def last_ended_in(self, position: Position, *, worker: str) -> tuple[int, bool]:
        """Returns the last iteration that a worker has run of the slice where it is, and whether it finished.

        0 for none, also once the slice has ended as a whole: what comes then belongs to no iteration.
        """
        slice_id = position.slice_id
        if slice_id in self._ended.get(slice_id[0], ()):
            return 0, False
        of_slice, received = self._last_of_workers.get(worker, (slice_id, 0))
        finished = max(position.last_unsent, received if of_slice == slice_id else 0)
        last = max(position.iteration, finished)
        return last, last == finished

    def note_ended(self, slice_id: SliceId) -> int:
        """Notes that a slice has ended; returns how many of its test have.

        One in which a worker died may end twice.
        """
        ended = self._ended.setdefault(slice_id[0], set())
        ended.add((slice_id[0], slice_id[1]))
        return len(ended)
