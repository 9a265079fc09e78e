"""The iterations of a session as the page draws them: all outcomes, and a sample of durations."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pytest_repro.model import Outcome
from pytest_repro.report.page.arrays import packed, packed_codes, sample_places
from pytest_repro.report.words import percent, percent_range
from pytest_repro.stats import failure_rate_interval

if TYPE_CHECKING:
    import pandas as pd

MOST_POINTS = 200_000
"""Durations that are drawn, of all tests together; failing ones come first."""

MOST_TESTS = 500
"""Tests whose iterations are drawn, those with most failures first."""

FAILING = frozenset(outcome.value for outcome in Outcome if outcome.is_failure)
"""How an iteration ends that counts against its test: a skip or an expected failure does not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawn:
    """What is drawn.

    Attributes:
        record: For the page: tests with their columns, kinds, workers, and what was left out.
        total: Iterations, with those that died.
    """

    record: dict[str, Any]
    total: int


def drawn_iterations(
    iterations: pd.DataFrame, failures: pd.DataFrame, *, most_points: int = MOST_POINTS
) -> Drawn:
    """Returns the iterations of each test in their order, with those that ended with their process.

    Args:
        iterations: As `iterations_frame` returns them.
        failures: As `failures_frame` returns them.
        most_points: Durations at most.
    """
    import numpy as np

    table = _all_iterations(iterations, failures)
    kinds = sorted({tuple(pair) for pair in table[["outcome", "bug"]].drop_duplicates().values.tolist()})
    codes = {kind: code for code, kind in enumerate(kinds)}
    pairs = table["outcome"].cat.codes.to_numpy(np.int64) * (len(table["bug"].cat.categories) + 1)
    pairs += table["bug"].cat.codes.to_numpy(np.int64)
    unique, inverse = np.unique(pairs, return_inverse=True)
    first = [int(np.argmax(pairs == one)) for one in unique]
    told = [codes[(table["outcome"].iat[row], table["bug"].iat[row])] for row in first]
    kind = np.asarray(told, dtype=np.int64)[inverse] if told else np.zeros(0, np.int64)
    failing_kinds = np.asarray([outcome in FAILING for outcome, _ in kinds], dtype=bool)
    failing = failing_kinds[kind] if kinds else np.zeros(0, bool)
    keep = np.zeros(len(table), dtype=bool)
    keep[sample_places(failing, most=most_points)] = True
    test_codes = table["test"].cat.codes.to_numpy()
    begins = np.searchsorted(test_codes, np.arange(len(table["test"].cat.categories)))
    ends = np.searchsorted(test_codes, np.arange(len(table["test"].cat.categories)), side="right")
    spans = [
        (str(name), slice(int(begin), int(end)))
        for name, begin, end in zip(table["test"].cat.categories, begins, ends, strict=True)
        if end > begin
    ]
    spans.sort(key=lambda one: -int(failing[one[1]].sum()))
    columns = {
        "kind": kind,
        "keep": keep,
        "worker": table["worker"].cat.codes.to_numpy(np.int64),
        "duration_ns": table["duration_ns"].to_numpy(float),
        "started_ns": table["started_ns"].to_numpy(float),
        "iteration": table["iteration"].to_numpy(np.int64),
        "run": table["run"].to_numpy(np.int64),
        "failing": failing,
        "skipped": (table["outcome"] == Outcome.SKIPPED.value).to_numpy(),
    }
    return Drawn(
        total=len(table),
        record={
            "kinds": [
                {"outcome": outcome, "bug": bug or None, "fails": outcome in FAILING}
                for outcome, bug in kinds
            ],
            "workers": [str(name) for name in table["worker"].cat.categories],
            "tests": [
                _test_record(name, {key: column[span] for key, column in columns.items()})
                for name, span in spans[:MOST_TESTS]
            ],
            "tests_left_out": max(0, len(spans) - MOST_TESTS),
            "of_workers": _of_workers(columns["worker"], failing, len(table["worker"].cat.categories)),
            "failing": int(failing.sum()),
            "points": int(keep.sum()),
            "total": len(table),
        },
    )


def _all_iterations(iterations: pd.DataFrame, failures: pd.DataFrame) -> pd.DataFrame:
    """One row an iteration, sorted by test, run and number; times begin with the first iteration of a run."""
    import pandas as pd

    keys = ["run", "test", "iteration"]
    table = iterations.copy(deep=False)
    table["test"], table["outcome"] = table["test"].astype(str), table["outcome"].astype(str)
    table["worker"] = table["worker"].astype(str)
    table["started_ns"] -= table.groupby("run")["started_ns"].transform("min")
    told = failures.drop_duplicates(keys)
    table = table.merge(told[[*keys, "signature", "elapsed_ns"]], on=keys, how="left")
    ended = table["started_ns"] + table["duration_ns"]
    startup = (pd.to_numeric(table["elapsed_ns"]) - ended).dropna().median()
    dead = told.merge(table[keys], on=keys, how="left", indicator=True)
    dead = dead[dead["_merge"] == "left_only"]
    if len(dead):
        elapsed = pd.to_numeric(dead["elapsed_ns"])
        lost = dead[[*keys, "worker", "outcome", "signature"]].assign(
            duration_ns=float("nan"), started_ns=elapsed - (0 if pd.isna(startup) else startup)
        )
        table = pd.concat([table.drop(columns="elapsed_ns"), lost], ignore_index=True)
    table["bug"] = table["signature"].astype(object).where(table["signature"].notna(), "")
    for name in ("test", "worker", "outcome", "bug"):
        table[name] = table[name].astype(str).astype("category")
    return table.sort_values(["test", "run", "iteration"], kind="stable", ignore_index=True)


def _test_record(name: str, columns: dict[str, Any]) -> dict[str, Any]:
    import numpy as np

    places = np.flatnonzero(columns["keep"])
    count = len(columns["keep"])
    runs, iteration = columns["run"], columns["iteration"]
    failures, skipped = int(columns["failing"].sum()), int(columns["skipped"].sum())
    is_plain = bool(np.array_equal(iteration, np.arange(1, count + 1))) and not runs.any()
    record = {
        "test": name,
        "count": count,
        "failures": failures,
        "told": _told(failures, count - skipped, skipped),
        "kind": packed_codes(columns["kind"]),
        "worker": packed_codes(columns["worker"]),
        "duration_ms": packed(columns["duration_ns"][places] / 1e6, "f32"),
        "started_s": packed(columns["started_ns"][places] / 1e9, "f32"),
    }
    if len(places) < count:
        record["places"] = packed(places, "u32")
    if not is_plain:
        record["iteration"] = packed(iteration, "u32")
        record["run"] = packed_codes(runs)
    return record


def _of_workers(worker: Any, failing: Any, workers: int) -> list[list[int]]:
    """Returns for each worker its iterations and the failing ones of all tests, also of those left out."""
    import numpy as np

    ran, failed = (np.bincount(codes, minlength=workers) for codes in (worker, worker[failing]))
    return [[int(one), int(other)] for one, other in zip(ran, failed, strict=True)]


def _told(failures: int, executed: int, skipped: int) -> str:
    """Returns how often a test failed, with the interval that holds at 95 %, and how often it was skipped."""
    words = [f"{failures:,} of {executed:,} failed"]
    if executed:
        between = percent_range(failure_rate_interval(failures, executed))
        words.append(f"{percent(failures / executed)}, 95 % interval {between}")
    return ", ".join([*words, f"{skipped:,} skipped"] if skipped else words)
