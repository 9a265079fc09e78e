"""One sentence under a table: what its numbers mean, and nothing that they do not carry."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_repro.timing.backend import TO_DEVICE, TO_TORCH
from pytest_repro.timing.merge import OTHER
from pytest_repro.timing.names import printable, staged
from pytest_repro.timing.summary import HOST
from pytest_repro.timing.units import humanise_bytes, humanise_ns, humanise_rate, humanise_share

if TYPE_CHECKING:
    from pytest_repro.timing.summary import Breakdown, Row

MOST = 0.5
"""Part of a phase from which on one thing in it is what the phase means."""

NEARLY_ALL = 0.8
"""Part of what a timer would have charged to another phase from which on it is called by one name."""

COLD_RATIO = 3
"""Times that a first call takes of a later one before it is told."""

MANY_TRANSFERS = 50
"""Transfers of one phase from which on their size is asked about."""

SMALL_BYTES = 65_536
"""Mean size below which transfers are small: what each costs by itself outweighs what it moves."""

LEAST_HIDDEN = 0.02
"""Part of what a timer would have shown of a transfer from which on it waits for other work."""

RATE_RATIO = 4
"""Times that the largest transfer was faster than all together before that is told."""


def verdict(breakdown: Breakdown) -> str | None:
    """Returns what the table means: the first of these that its numbers show.

    A phase that timers without fences would have blamed for another's work; a first call that is most of the
    bottleneck; many small transfers; work of the host; one operation that is most of the bottleneck; a
    transfer that takes its time by itself. None where nothing of this holds.
    """
    row = breakdown.bottleneck
    if row is None:
        return None
    return (
        _misjudged(breakdown, row)
        or _cold(breakdown, row)
        or _small_transfers(row)
        or _host(breakdown, row)
        or _operation(breakdown, row)
        or _transfer(row)
    )


def label_of(row: Row) -> str:
    """Returns the name of a phase as a terminal can show it."""
    return printable(staged(row.name, row.stage))


def _misjudged(breakdown: Breakdown, real: Row) -> str | None:
    suspect = breakdown.suspect
    if suspect is None or real.place == suspect.place or suspect.unfenced_ns <= suspect.total_ns:
        return None
    if OTHER in {suspect.name, real.name}:
        return None  # names that there was no room for: nobody knows whose work that was
    waited = max(0, suspect.unfenced_ns - suspect.total_ns) / max(1, suspect.unfenced_ns)
    if waited < MOST:
        return None
    hidden_ns = suspect.unfenced_ns - suspect.total_ns
    name = _named(breakdown, real, most=NEARLY_ALL)
    if real.total_ns - real.unfenced_ns < NEARLY_ALL * hidden_ns:
        name = f"earlier work of the device, above all {name}"
    sentence = (
        f"{label_of(suspect)} looks slow ({humanise_ns(suspect.unfenced_ns)} to a timer without fences), but "
        f"{humanise_share(waited)} of that is waiting for {name}"
    )
    if suspect.name not in {TO_DEVICE, TO_TORCH}:
        return f"{sentence}."
    itself = f"the transfer itself takes {humanise_ns(suspect.total_ns)}"
    if suspect.size_bytes:
        rate = humanise_rate(suspect.size_bytes, suspect.total_ns)
        itself += f" for {humanise_bytes(suspect.size_bytes)} ({rate} GB/s)"
    return f"{sentence}; {itself}."


def _cold(breakdown: Breakdown, row: Row) -> str | None:
    coldest = max(breakdown.operations_of(row), key=lambda operation: operation.cold_ns, default=row)
    warm_ns = coldest.warm_ns
    if warm_ns is None or not coldest.cold_calls or coldest.cold_ns < MOST * row.total_ns:
        return None
    first_ns = coldest.cold_ns // coldest.cold_calls
    if first_ns < COLD_RATIO * max(1, warm_ns):
        return None
    name = label_of(row) if coldest.operation is None else printable(coldest.operation)
    calls = (
        "the first call"
        if coldest.cold_calls == 1
        else f"the first calls, one in each of {coldest.cold_calls:,} processes,"
    )
    return (
        f"{humanise_share(coldest.cold_ns / row.total_ns)} of {label_of(row)} is {calls} of {name} "
        f"({humanise_ns(first_ns)}; a later one takes {humanise_ns(warm_ns)}): compilation, allocation and "
        "the like happen once."
    )


def _small_transfers(row: Row) -> str | None:
    if row.name not in {TO_DEVICE, TO_TORCH} or not row.size_bytes or row.calls < MANY_TRANSFERS:
        return None
    mean_bytes = row.size_bytes // row.calls
    if mean_bytes > SMALL_BYTES:
        return None
    rate = humanise_rate(row.size_bytes, row.total_ns)
    sentence = (
        f"{label_of(row)} is {row.calls:,} transfers of {humanise_bytes(mean_bytes)} on average, "
        f"{humanise_ns(row.total_ns // row.calls)} and {rate} GB/s each"
    )
    largest = row.largest
    if largest is None or not row.largest_ns or largest.size_bytes < RATE_RATIO * mean_bytes:
        return f"{sentence}."
    if largest.size_bytes / row.largest_ns < RATE_RATIO * row.size_bytes / row.total_ns:
        return f"{sentence}."
    faster = humanise_rate(largest.size_bytes, row.largest_ns)
    return f"{sentence}; the largest of them ({humanise_bytes(largest.size_bytes)}) ran at {faster} GB/s."


def _host(breakdown: Breakdown, row: Row) -> str | None:
    if row.name != HOST:
        return None
    part = humanise_share(row.own_ns / max(1, breakdown.total_ns))
    sentence = f"{part} of the time is work of the host, not of the device"
    name = _named(breakdown, row, most=MOST)
    return f"{sentence}, most of it {name}." if name != label_of(row) else f"{sentence}."


def _operation(breakdown: Breakdown, row: Row) -> str | None:
    operations = breakdown.operations_of(row)
    if len(operations) < 2 or operations[0].total_ns < MOST * row.total_ns:
        return None
    longest = operations[0]
    return (
        f"{humanise_share(longest.total_ns / row.total_ns)} of {label_of(row)} is "
        f"{printable(str(longest.operation))}: {_calls(longest)}."
    )


def _transfer(row: Row) -> str | None:
    if row.name not in {TO_DEVICE, TO_TORCH} or not row.size_bytes or not row.is_fenced:
        return None
    rate = humanise_rate(row.size_bytes, row.total_ns)
    itself = f"by itself it moves {humanise_bytes(row.size_bytes)} at {rate} GB/s."
    hidden_ns = row.unfenced_ns - row.total_ns
    if hidden_ns <= LEAST_HIDDEN * row.unfenced_ns:
        return f"{label_of(row)} waits for no other work of the device: {itself}"
    return (
        f"{humanise_share(hidden_ns / row.unfenced_ns)} of what a timer without fences shows for "
        f"{label_of(row)} ({humanise_ns(row.unfenced_ns)}) is waiting for earlier work of the device; "
        f"{itself}"
    )


def _calls(row: Row) -> str:
    if row.calls == 1:
        return f"one call of {humanise_ns(row.total_ns)}"
    return f"{row.calls:,} calls of {humanise_ns(row.total_ns // row.calls)} on average"


def _named(breakdown: Breakdown, row: Row, *, most: float) -> str:
    """Returns the name of the operation that is this part of a phase, or the phase's where none is."""
    for operation in breakdown.operations_of(row):
        if operation.total_ns >= most * row.total_ns:
            return printable(str(operation.operation))
    return label_of(row)
