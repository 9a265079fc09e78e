"""Reduces a list to the part that an outcome needs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise

Shows = Callable[[tuple[int, ...]], bool]
"""Tells whether what is looked for is still seen with these places of the list, given in order."""


def reduce_places(places: Sequence[int], shows: Shows, *, keep: Callable[[tuple[int, ...]], None]) -> None:
    """Reduces a list with which something is seen, and without which it is not.

    Binary search finds the last place that is needed, then the last before it, and so on: some log2(length)
    questions for each. Where those that are found show it without the rest, delta debugging (ddmin: Zeller
    and Hildebrandt, 2002) goes over them, so that none can be taken away, also where tests undo each other's
    doing.

    Args:
        places: The list.
        shows: Asked for parts of it.
        keep: Told each smaller list that shows it.
    """
    found: tuple[int, ...] = ()
    rest = tuple(places)
    while rest:
        least, most = 0, len(rest)
        while most - least > 1:
            middle = (least + most) // 2
            if shows((*rest[:middle], *found)):
                most = middle
                keep((*rest[:middle], *found))
            else:
                least = middle
        found = (rest[most - 1], *found)
        rest = rest[: most - 1]
        if rest and shows(found):
            keep(found)
            break
    keep(minimised(found, shows, keep=keep))


def minimised(
    places: tuple[int, ...], shows: Shows, *, keep: Callable[[tuple[int, ...]], None]
) -> tuple[int, ...]:
    """Returns a part from which no single place can be taken away: ddmin.

    Args:
        places: Shows what is looked for; nothing does not.
        shows: Asked for parts of it.
        keep: Told each smaller part that shows it.
    """
    parts = 2
    while len(places) > 1:
        pieces = _cut(places, parts)
        smaller = next((piece for piece in pieces if shows(piece)), None)
        left = 2
        if smaller is None and parts > 2:
            others = (tuple(place for place in places if place not in piece) for piece in pieces)
            smaller = next((other for other in others if shows(other)), None)
            left = parts - 1
        if smaller is not None:
            places = smaller
            keep(places)
            parts = min(left, len(places))
        elif parts == len(places):
            break
        else:
            parts = min(2 * parts, len(places))
    return places


def _cut(places: tuple[int, ...], parts: int) -> list[tuple[int, ...]]:
    bounds = [len(places) * number // parts for number in range(parts + 1)]
    return [places[first:last] for first, last in pairwise(bounds)]
