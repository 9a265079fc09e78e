"""Where the time of tests went, as records for programs; `pytest_repro.timing.lines` has the same as text."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pytest_repro.model import Transfer
from pytest_repro.timing.medians import Median
from pytest_repro.timing.series import Quantity, Series
from pytest_repro.timing.summary import Breakdown, Row
from pytest_repro.timing.verdict import verdict


def timing_record(found: Sequence[Breakdown]) -> list[dict[str, Any]]:
    """Returns breakdowns as plain builtins: times in nanoseconds, sizes in bytes, shares from 0 to 1."""
    return [breakdown_record(breakdown) for breakdown in found]


def breakdown_record(breakdown: Breakdown) -> dict[str, Any]:
    """Returns one test's breakdown as plain builtins."""
    bottleneck = breakdown.bottleneck
    return {
        "test": breakdown.test,
        "iterations": breakdown.iterations,
        "failing": breakdown.failing,
        "interrupted": breakdown.interrupted,
        "contended": breakdown.contended,
        "total_ns": breakdown.total_ns,
        "elapsed_ns": breakdown.elapsed_ns,
        "threads": breakdown.threads,
        "bottleneck": None if bottleneck is None else list(bottleneck.place),
        "meaning": verdict(breakdown),
        "phases": [_row_record(row) for row in breakdown.rows],
        "operations": [_row_record(row) for row in breakdown.operations],
        "series": [series_record(series) for series in breakdown.series],
        "peaks": [peak._asdict() for peak in breakdown.peaks],
        "problems": list(breakdown.problems),
    }


def _row_record(row: Row) -> dict[str, Any]:
    return {
        "name": row.name,
        "operation": row.operation,
        "within": list(row.within),
        "stage": row.stage.value,
        "calls": row.calls,
        "total_ns": row.total_ns,
        "share": row.share,
        "own_ns": row.own_ns,
        "cold_calls": row.cold_calls,
        "cold_ns": row.cold_ns,
        "warm_mean_ns": row.warm_ns,
        "unfenced_ns": row.unfenced_ns,
        "size_bytes": row.size_bytes,
        "largest": _tensor_record(row.largest),
        "largest_ns": row.largest_ns,
        "is_open": row.is_open,
        "is_fenced": row.is_fenced,
        "lacks_fence": row.lacks_fence,
    }


def _tensor_record(tensor: Transfer | None) -> dict[str, Any] | None:
    if tensor is None:
        return None
    return {
        "size_bytes": tensor.size_bytes,
        "shape": list(tensor.shape),
        "dtype": tensor.dtype,
        "layout": tensor.layout,
    }


def series_record(series: Series) -> dict[str, Any]:
    """Returns one phase or metric as plain builtins; times in nanoseconds, chances from 0 to 1."""
    unit = "_ns" if series.quantity is Quantity.PHASE else ""
    comparison = series.comparison
    return {
        "name": series.name,
        "quantity": series.quantity.value,
        "is_all_cold": series.is_all_cold,
        "cold": _median_record(series.cold, unit),
        "passing": _median_record(series.passing, unit),
        "failing": _median_record(series.failing, unit),
        "unfinished": series.unfinished,
        "ratio": series.ratio,
        "comparison": None
        if comparison is None
        else {
            "p": comparison.chance,
            "is_told": comparison.is_told,
            "is_cut_short": comparison.is_cut_short,
        },
        "limits": [
            {
                "relation": one.limit.relation.value,
                f"bound{unit}": one.limit.bound,
                "checked": one.checked,
                "missed": one.missed,
                f"worst{unit}": one.worst,
                "distance": one.distance,
            }
            for one in series.limits
        ],
    }


def _median_record(median: Median | None, unit: str) -> dict[str, Any] | None:
    if median is None:
        return None
    return {
        "count": median.count,
        f"median{unit}": median.value,
        f"low{unit}": median.low,
        f"high{unit}": median.high,
        "confidence": median.confidence,
    }
