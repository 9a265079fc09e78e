"""Samples of one test: how often and how long each stack was seen in each phase, in bounded memory."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

Stack = tuple[str, ...]
"""Frames, outermost first, each as pyinstrument writes it: see `frame_text`."""

Path = tuple[str, ...]
"""Name of a phase after those of the phases around it; empty for the call stage of a test without phases."""

MOST_STACKS = 1000
"""Different stacks that one process keeps of one iteration."""

FURTHER: Stack = ("further stacks\x00<merged>\x000",)
"""Stands for all stacks beyond those that are kept."""


class Seen(NamedTuple):
    """How often a stack was seen, and the time that this stands for."""

    number: int
    duration_ns: int


class Place(NamedTuple):
    """One frame of a stack.

    Attributes:
        function: Its name.
        file: As Python knows it; `<built-in>` and the like where there is none.
        first_line: Where the function begins.
        line: Where it was; 0 where that is not known.
    """

    function: str
    file: str
    first_line: int
    line: int


def frame_text(function: str, file: str, first_line: int, line: int = 0) -> str:
    """Returns a frame as pyinstrument writes it: name, file and first line, then the line it was at."""
    # A file's name may hold what no text between processes may.
    text = f"{function}\x00{file}\x00{first_line}".encode("utf-8", "backslashreplace").decode("utf-8")
    return f"{text}\x01l{line}" if line else text


def place_of(frame: str) -> Place:
    """Reads a frame that `frame_text` has written."""
    identity, _, line = frame.partition("\x01l")
    function, _, rest = identity.partition("\x00")
    file, _, first_line = rest.partition("\x00")
    return Place(function, file, int(first_line or 0), int(line or 0))


class Samples:
    """Samples of one test, by phase and stack.

    Args:
        most_stacks: Different stacks that are kept; what is seen beyond them is kept as one.

    Attributes:
        gave_way: Iterations in which another profiler was at work in the test's process.
    """

    def __init__(self, most_stacks: int = MOST_STACKS) -> None:
        self.gave_way = 0
        self._room = most_stacks
        self._phases: dict[Path, dict[Stack, Seen]] = {}
        self._total = Seen(0, 0)
        self._stacks = 0

    def add(self, path: Path, stack: Stack, duration_ns: int, *, count: int = 1) -> None:
        """Adds a sample, or several of the same stack."""
        stacks = self._phases.setdefault(path, {})
        seen = stacks.get(stack)
        if seen is None:
            if self._room <= 0:
                stack = FURTHER
                seen = stacks.get(stack)
            self._room -= seen is None
            self._stacks += seen is None
        known, known_ns = seen or (0, 0)
        stacks[stack] = Seen(known + count, known_ns + duration_ns)
        self._total = Seen(self._total.number + count, self._total.duration_ns + duration_ns)

    def merge(self, other: Samples, *, path: Path | None = None) -> None:
        """Adds all samples of another; as samples of one phase, if a path is given."""
        self.gave_way += other.gave_way
        for own_path, stack, seen in other:
            self.add(own_path if path is None else path, stack, seen.duration_ns, count=seen.number)

    def __iter__(self) -> Iterator[tuple[Path, Stack, Seen]]:
        """Yields phase, stack and what was seen of it."""
        for path, stacks in self._phases.items():
            for stack, seen in stacks.items():
                yield path, stack, seen

    def __len__(self) -> int:
        """Number of different stacks."""
        return self._stacks

    def __bool__(self) -> bool:
        """Whether there is anything to tell."""
        return bool(self._phases or self.gave_way)

    def stacks(self, path: Path) -> Mapping[Stack, Seen]:
        """Returns what was seen in one phase, without the phases inside."""
        return self._phases.get(path, {})

    def total(self, path: Path | None = None) -> Seen:
        """Returns all of one phase, without the phases inside, or of all together."""
        if path is None:
            return self._total
        seen = self.stacks(path).values()
        return Seen(sum(one.number for one in seen), sum(one.duration_ns for one in seen))

    @property
    def paths(self) -> list[Path]:
        """The phases in which anything was seen, longest first."""
        return sorted(self._phases, key=lambda path: -self.total(path).duration_ns)

    @property
    def further(self) -> int:
        """Number of samples whose stacks were not kept."""
        return sum(stacks[FURTHER].number for stacks in self._phases.values() if FURTHER in stacks)

    def to_payload(self) -> dict[str, Any]:
        """Returns them as builtins, each frame once."""
        numbers: dict[str, int] = {}
        phases = [
            [
                list(path),
                [
                    [[numbers.setdefault(frame, len(numbers)) for frame in stack], *seen]
                    for stack, seen in stacks.items()
                ],
            ]
            for path, stacks in self._phases.items()
        ]
        return {"gave_way": self.gave_way, "frames": list(numbers), "phases": phases}

    @classmethod
    def from_payload(cls, payload: Mapping[str, Any], *, most_stacks: int = MOST_STACKS) -> Samples:
        """Returns what `to_payload` made a payload of."""
        samples = cls(most_stacks)
        samples.gave_way = payload["gave_way"]
        frames = payload["frames"]
        for path, stacks in payload["phases"]:
            for numbers, count, duration_ns in stacks:
                stack = tuple(frames[number] for number in numbers)
                samples.add(tuple(path), stack, duration_ns, count=count)
        return samples
