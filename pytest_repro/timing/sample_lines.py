"""Samples as text: the lines in which a phase spends its time."""

from __future__ import annotations

import linecache
import os
from typing import TYPE_CHECKING, NamedTuple

from pytest_repro.timing.names import printable
from pytest_repro.timing.own_code import is_own_code
from pytest_repro.timing.sample_files import phase_name
from pytest_repro.timing.sampler import NO_CALLS
from pytest_repro.timing.samples import Seen, place_of
from pytest_repro.timing.units import humanise_ns, humanise_share

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pytest_repro.timing.samples import Path, Place, Samples, Stack

LINES_SHOWN = 5
"""Lines listed of a phase; the others are counted."""

_PLACE_WIDTH = 44
"""Columns of file, line and function, at most; as many of the rest as there are go to the source."""

_LEAST_SOURCE = 16

_NEVER = Seen(0, 0)


class Line(NamedTuple):
    """Where time was spent.

    Attributes:
        place: The innermost frame of the user's own code, else the innermost that has a line.
        is_end: Whether it is only where a stretch without calls has ended.
    """

    place: Place
    is_end: bool


def phase_of(samples: Samples, bottleneck: Path | None) -> Path | None:
    """Returns the phase whose lines are shown: the bottleneck, else the one that was seen longest."""
    if bottleneck is not None and samples.stacks(bottleneck):
        return bottleneck
    return next(iter(samples.paths), None)


def lines_of(stacks: Mapping[Stack, Seen]) -> list[tuple[Line, Seen]]:
    """Returns the lines of a phase, longest first."""
    totals: dict[Line, Seen] = {}
    for stack, seen in stacks.items():
        line = _line_of(stack)
        # Where calls are seen mostly, the machine was busy with something else during the stretch.
        if line.is_end and stacks.get(stack[:-1], _NEVER).number > seen.number:
            line = line._replace(is_end=False)
        known, known_ns = totals.get(line, (0, 0))
        totals[line] = Seen(known + seen.number, known_ns + seen.duration_ns)
    return sorted(totals.items(), key=lambda entry: (-entry[1].duration_ns, entry[0]))


def sample_lines(samples: Samples, *, bottleneck: Path | None, start: str, width: int) -> list[str]:
    """Returns the lines under the table of a test.

    Args:
        samples: Of the test.
        bottleneck: The phase that its table marks, None without a table.
        start: Folder that files are shown relative to, where they are below.
        width: Columns of the terminal.
    """
    path = phase_of(samples, bottleneck)
    text = []
    if path is not None:
        stacks, total = samples.stacks(path), samples.total(path)
        count = "1 sample" if total.number == 1 else f"{total.number:,} samples"
        note = "" if path else "no phase was recorded; "
        where = printable(phase_name(path))
        text.append(f"  lines in {where} ({note}{humanise_ns(total.duration_ns)} in {count})")
        text += _rows(lines_of(stacks), total, start=start, width=width)
    if samples.further:
        text.append(f"  {samples.further:,} samples more have stacks that are not kept apart")
    if samples.gave_way:
        count = "1 iteration" if samples.gave_way == 1 else f"{samples.gave_way:,} iterations"
        text.append(f"  not sampled throughout in {count}: another profiler was at work there")
    return text


def _rows(lines: Sequence[tuple[Line, Seen]], total: Seen, *, start: str, width: int) -> list[str]:
    shown = [(_place_text(line.place, start), line, seen) for line, seen in lines[:LINES_SHOWN]]
    longest = max(len(place) for place, _, _ in shown)
    room = min(longest, max(_PLACE_WIDTH, width // 2), max(_LEAST_SOURCE, width - 11))
    rows = []
    for place, line, seen in shown:
        share = humanise_share(_part(seen, total))
        source = " ".join(linecache.getline(line.place.file, line.place.line).split())
        if line.is_end:
            source = f"up to: {source}"
        rows.append(_fitted(f"  {share:>7}  {_shortened(place, room):<{room}}  ", source, width))
    more = lines[LINES_SHOWN:]
    if more:
        rest = Seen(0, sum(seen.duration_ns for _, seen in more))
        rows.append(f"           and {len(more)} more, {humanise_share(_part(rest, total))} together")
    return rows


def _line_of(stack: Stack) -> Line:
    places = [place_of(frame) for frame in reversed(stack)]
    with_lines = [place for place in places if place.line]
    own = (place for place in with_lines if is_own_code(place.file))
    place = next(own, None) or next(iter(with_lines), places[0])
    is_end = stack[-1] == NO_CALLS and place in places[1:2]
    return Line(place._replace(function=_function_of(place, places), first_line=0), is_end)


def _function_of(place: Place, places: Sequence[Place]) -> str:
    """Returns the function around comprehensions and lambdas, which have no names of their own."""
    around = places[places.index(place) :]
    # Python 3.10 does not name what is around them.
    names = (outer.function.partition(".<")[0] for outer in around if outer.file == place.file)
    return next((name for name in names if not name.startswith("<")), place.function)


def _part(seen: Seen, total: Seen) -> float:
    return seen.duration_ns / total.duration_ns if total.duration_ns else 0.0


def _place_text(place: Place, start: str) -> str:
    if not place.line:
        return place.function
    file = place.file
    if file.startswith(start + os.sep):
        file = os.path.relpath(file, start)
    return f"{file}:{place.line} {place.function}"


def _shortened(text: str, room: int) -> str:
    """The end of a place tells more than its beginning."""
    return text if len(text) <= room else f"...{text[len(text) - room + 3 :]}"


def _fitted(left: str, source: str, width: int) -> str:
    shown = "".join(letter if letter.isprintable() else "?" for letter in left + source)
    if len(shown) > width:
        shown = left.rstrip() if width - len(left) < _LEAST_SOURCE else f"{shown[: width - 3]}..."
    return shown.rstrip()
