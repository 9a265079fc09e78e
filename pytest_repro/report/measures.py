"""Limits and steadiness in people's words, and as records for programs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from pytest_repro.report.words import counted, seconds
from pytest_repro.timing.units import humanise_ns
from pytest_repro.verify.held import BrokenLimit, HeldLimit
from pytest_repro.verify.limits import Limit, LimitKind
from pytest_repro.verify.steadiness import Unsteady

SHOWN = 5
"""Unsteady things that are named one by one; the record holds all."""


def broken_line(broken: BrokenLimit) -> str:
    """Returns `run 3: test_x: to_torch took 710 ms, limit 500 ms`."""
    limit = broken.limit
    where = f"run {broken.run}: {broken.test}"
    if limit.kind is LimitKind.METRIC:
        value, bound = _apart(broken.value, limit.bound, lambda number: f"{number:.10g}", repr)
        return f"{where}: {limit.name} was {value}, limit {limit.relation.value} {bound}"
    value, bound = _apart(
        broken.value, limit.bound, lambda time: humanise_ns(round(time)), lambda time: f"{time / 1e9:.9f} s"
    )
    what = f": {limit.name}" if limit.name else ""
    return f"{where}{what} took {value}, limit {bound}"


def unsteady_lines(unsteady: Sequence[Unsteady]) -> list[str]:
    """Returns a line for each of the most unsteady, and how many more there are."""
    lines = [unsteady_line(one) for one in unsteady[:SHOWN]]
    if len(unsteady) > SHOWN:
        lines.append(f"unsteady: {counted(len(unsteady) - SHOWN, 'more time')}, see summary.json")
    return lines


def unsteady_line(one: Unsteady) -> str:
    """Returns `unsteady: test_x took 0.9 s to 3.1 s (median 0.9 s), run 4 the longest`."""
    what = f"{one.test}: {one.phase}" if one.phase is not None else one.test or "the runs"
    extreme = "longest" if one.is_longest else "shortest"
    return (
        f"unsteady: {what} took {seconds(one.low_ns)} to {seconds(one.high_ns)}"
        f" (median {seconds(one.median_ns)}), run {one.run} the {extreme}"
    )


def broken_record(broken: BrokenLimit) -> dict[str, Any]:
    """Returns a broken limit as plain builtins; times in nanoseconds."""
    return {
        "run": broken.run,
        "test": broken.test,
        **limit_record(broken.limit),
        "value": broken.value,
    }


def held_record(held: HeldLimit) -> dict[str, Any]:
    """Returns a limit that was held against a test as plain builtins; times in nanoseconds."""
    return {
        "test": held.test,
        **limit_record(held.limit),
        "checked": held.checked,
        "missed": held.missed,
        "worst": held.worst,
    }


def limit_record(limit: Limit) -> dict[str, Any]:
    """Returns a limit as plain builtins; times in nanoseconds."""
    return {
        "kind": limit.kind.value,
        "name": limit.name,
        "relation": limit.relation.value,
        "bound": limit.bound,
        "text": limit.text,
    }


def unsteady_record(one: Unsteady) -> dict[str, Any]:
    """Returns something unsteady as plain builtins."""
    return {
        "test": one.test,
        "phase": one.phase,
        "low_ns": one.low_ns,
        "median_ns": one.median_ns,
        "high_ns": one.high_ns,
        "run": one.run,
        "is_longest": one.is_longest,
    }


def _apart(
    value: float, bound: float, short: Callable[[float], str], exact: Callable[[float], str]
) -> tuple[str, str]:
    """Returns two numbers as texts that differ."""
    texts = short(value), short(bound)
    return texts if texts[0] != texts[1] else (exact(value), exact(bound))
