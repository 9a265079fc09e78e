"""A list of tests in the order in which they are to run, as a text file with one node id a line."""

from __future__ import annotations

import codecs
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from pytest_repro.errors import OptionError


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderEntry:
    """One line of an order file.

    Attributes:
        nodeid: As written; it may name a file, a class or a parametrised function as a whole.
        place: `file:line`.
    """

    nodeid: str
    place: str


def parse_order(data: bytes, *, name: str) -> tuple[OrderEntry, ...]:
    """Reads an order file: blank lines and lines that begin with `#` are left out.

    Args:
        data: What the file holds: UTF-8 with or without a byte order mark, or UTF-16 with one, as PowerShell
            writes.
        name: Of the file, for errors.

    Raises:
        OptionError: It names no test.
    """
    # Bytes that are no UTF-8 stay what they are: file names may hold them.
    is_utf_16 = data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    text = data.decode(
        "utf-16" if is_utf_16 else "utf-8-sig", errors="replace" if is_utf_16 else "surrogateescape"
    )
    entries = [
        OrderEntry(nodeid=line.strip(), place=f"{name}:{number}")
        # No other line ends: a node id may hold what `splitlines` takes for one.
        for number, line in enumerate(text.split("\n"), start=1)
        if line.strip() and not line.lstrip().startswith("#")
    ]
    if not entries:
        raise OptionError(
            "The order file names no test", place=name, next_step="Write one node id a line into it."
        )
    return tuple(entries)


def order_text(nodeids: Iterable[str], *, comments: Sequence[str] = ()) -> str:
    """Returns what `parse_order` reads.

    Args:
        nodeids: In order; what is left of line ends in them is written as blanks.
        comments: Lines that stand first.
    """
    lines = [*(f"# {one_line(comment)}" for comment in comments), *map(one_line, nodeids)]
    return "".join(f"{line}\n" for line in lines)


def one_line(text: str) -> str:
    """Returns a text without line ends."""
    return " ".join(part for part in text.replace("\r", "\n").split("\n") if part)
