"""The lines of an order file, matched with the tests that were collected here."""

from __future__ import annotations

import difflib
import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from pytest_repro.order.order_file import OrderEntry

MASK = "***"
"""What CI systems and our own copies of logs have in place of a secret."""

_MOST_COMPARED = 2_000
"""So many node ids are looked through for one that is like a missing one."""

_MOST_SUGGESTED = 3

_MOST_HELPED = 20
"""For so many missing lines node ids like theirs are looked for: that takes milliseconds each."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Collected:
    """A test that pytest has collected.

    Attributes:
        nodeid: Its node id.
        path: Its file, absolute, with forward slashes.
    """

    nodeid: str
    path: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Unmatched:
    """A line of an order file that names no test here, or more than one.

    Attributes:
        entry: The line.
        suggestions: Node ids that are like it; where `is_ambiguous`, those that it may mean.
        is_ambiguous: Whether it fits tests of several files, or several tests where a secret is masked.
    """

    entry: OrderEntry
    suggestions: tuple[str, ...] = ()
    is_ambiguous: bool = False

    @property
    def reason(self) -> str:
        """Where the line is, and what is wrong with it."""
        names = ", ".join(self.suggestions)
        if self.is_ambiguous:
            return f"{self.entry.place}: {self.entry.nodeid} may be any of {names}"
        likely = f" (did you mean {names}?)" if names else ""
        return f"{self.entry.place}: no test {self.entry.nodeid}{likely}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Matching:
    """What an order file means here.

    Attributes:
        order: Places of the tests in what was collected, as the file orders them, each as often as it says.
        unmatched: Lines that mean nothing here.
    """

    order: tuple[int, ...]
    unmatched: tuple[Unmatched, ...] = ()


def match_order(entries: Sequence[OrderEntry], collected: Sequence[Collected]) -> Matching:
    """Finds the tests that an order file names.

    A node id that is not found as it stands is looked for by the end of its path: a log of another machine
    may have another root, and so a longer or a shorter path. A line that names a file, a class or a
    parametrised function means all of its tests, in the order in which they were collected. The mask of a
    secret stands for any text, if that is one test's.
    """
    index = _Index(collected)
    order: list[int] = []
    unmatched: list[Unmatched] = []
    for entry in entries:
        found = index.find(entry)
        if isinstance(found, Unmatched):
            unmatched.append(found)
        else:
            order += found
    return Matching(order=tuple(order), unmatched=tuple(unmatched))


class _Index:
    """Collected tests by the name of their file and by each name that means them."""

    def __init__(self, collected: Sequence[Collected]) -> None:
        self._collected = collected
        self._missing = 0
        self._exact: dict[str, list[int]] = defaultdict(list)
        self._named: dict[tuple[str, str], list[int]] = defaultdict(list)
        for place, test in enumerate(collected):
            self._exact[test.nodeid].append(place)
            file = test.path.rpartition("/")[2]
            names = test.nodeid.partition("::")[2]
            for name in _prefixes(names):
                self._named[file, name].append(place)

    def find(self, entry: OrderEntry) -> list[int] | Unmatched:
        exact = self._exact.get(entry.nodeid)
        if exact is not None:
            # A plugin that makes copies gives them one node id: each line means one run.
            return exact[:1]
        file, _, names = entry.nodeid.replace("\\", "/").partition("::")
        names = entry.nodeid.partition("::")[2]
        for name in (names, _without_group(names)):
            found = self._among(entry, PurePosixPath(file), name)
            if found:
                return found
        if MASK in names:
            return self._masked(entry, PurePosixPath(file), names)
        self._missing += 1
        likely = self._like(entry.nodeid, file) if self._missing <= _MOST_HELPED else ()
        return Unmatched(entry=entry, suggestions=likely)

    def _among(self, entry: OrderEntry, file: PurePosixPath, names: str) -> list[int] | Unmatched:
        candidates = self._named.get((file.name, names), [])
        by_path: dict[str, list[int]] = defaultdict(list)
        for place in candidates:
            by_path[self._collected[place].path].append(place)
        agreeing = [path for path, places in by_path.items() if self._agrees(file, path, places[0])]
        same = [path for path in agreeing if self._file(by_path[path][0]) == str(file)]
        fitting = same or agreeing
        if len(fitting) > 1:
            ids = tuple(self._collected[by_path[path][0]].nodeid for path in fitting[:_MOST_SUGGESTED])
            return Unmatched(entry=entry, suggestions=ids, is_ambiguous=True)
        return by_path[fitting[0]] if fitting else []

    def _masked(self, entry: OrderEntry, file: PurePosixPath, names: str) -> list[int] | Unmatched:
        """Finds the test whose id a log, or our copy of it, has with the mask in place of a secret."""
        pattern = re.compile(re.escape(names).replace(re.escape(MASK), ".+"), re.DOTALL)
        found = self._among(entry, file, names.partition("[")[0])
        if isinstance(found, Unmatched):
            return found
        fitting = [
            place for place in found if pattern.fullmatch(self._collected[place].nodeid.partition("::")[2])
        ]
        if len(fitting) == 1:
            return fitting
        ids = tuple(self._collected[place].nodeid for place in fitting[:_MOST_SUGGESTED])
        return Unmatched(entry=entry, suggestions=ids, is_ambiguous=bool(ids))

    def _agrees(self, file: PurePosixPath, path: str, place: int) -> bool:
        own = PurePosixPath(self._file(place) or path)
        return _ends_with(PurePosixPath(path), file) or _ends_with(file, own)

    def _file(self, place: int) -> str:
        return self._collected[place].nodeid.partition("::")[0]

    def _like(self, nodeid: str, file: str) -> tuple[str, ...]:
        near = self._named.get((PurePosixPath(file).name, ""), [])
        places = near or range(len(self._collected))
        ids = [self._collected[place].nodeid for place in places[:_MOST_COMPARED]]
        return tuple(difflib.get_close_matches(nodeid, ids, n=_MOST_SUGGESTED))


def _prefixes(names: str) -> Iterator[str]:
    """Yields all that means a test within its file: nothing, its classes, the function, its parameters."""
    base, bracket, _ = names.partition("[")
    yield ""
    parts = base.split("::")
    for number in range(1, len(parts) + 1):
        yield "::".join(parts[:number])
    if bracket:
        yield names


def _ends_with(path: PurePosixPath, end: PurePosixPath) -> bool:
    length = len(end.parts)
    return length > 0 and path.parts[-length:] == end.parts


def _without_group(names: str) -> str:
    """Takes off the group that xdist's `--dist loadgroup` adds to a node id."""
    is_group = names.rfind("@") > max(names.rfind("]"), names.rfind("::"))
    return names.rpartition("@")[0] if is_group else names
