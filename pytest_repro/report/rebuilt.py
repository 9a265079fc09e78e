"""Summaries on record, made into what they were written from: what is said of them is said in one place.

A record may come from anybody's folder: what cannot be read is left out, never guessed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any, TypeVar

from pytest_repro.model import Failure, Outcome, Stage, Transfer
from pytest_repro.report.stress import StressReport
from pytest_repro.signature import signature_from_dict
from pytest_repro.stress.patterns import Pattern, PatternKind
from pytest_repro.stress.plan import StressPlan
from pytest_repro.stress.summary import Bug, TestSummary
from pytest_repro.timing.medians import Median
from pytest_repro.timing.series import Comparison, LimitDistance, Quantity, Series
from pytest_repro.timing.summary import Breakdown, Peak, Row
from pytest_repro.verify.limits import Limit, LimitKind, Relation

_UNREADABLE = (AttributeError, KeyError, TypeError, ValueError, OverflowError)

_Made = TypeVar("_Made")


def breakdowns_of(summary: Mapping[str, Any]) -> tuple[Breakdown, ...]:
    """Returns where the time of each test went, as a summary tells it."""
    return tuple(_each(summary.get("timing"), _breakdown))


def stress_of(summary: Mapping[str, Any], *, folder: str, is_isolated: bool = False) -> StressReport | None:
    """Returns what a stress run learned, as its summary tells it; None where it is none.

    Args:
        summary: Of a session.
        folder: Where its records are now.
        is_isolated: Whether each iteration had a process of its own.
    """
    if not isinstance(summary.get("tests"), list) or not isinstance(summary.get("bugs"), list):
        return None
    budget_ns = _count(summary.get("budget_ns"))
    tests = tuple(_each(summary["tests"], lambda test: _test(test, has_budget=budget_ns is not None)))
    bugs = tuple(_each(summary["bugs"], _bug))
    replays = {
        bug.signature.key: str(told.get("replay", ""))
        for told in summary["bugs"]
        if isinstance(told, dict)
        for bug in _each([told], _bug)
    }
    seed = _count(summary.get("base_seed"))
    problem = summary.get("problem")
    return StressReport(
        plan=StressPlan(
            iterations=_count(summary.get("iterations_planned")),
            budget_ns=budget_ns,
            only_iteration=1,
            base_seed=seed or 0,
            reseed=seed is not None,
            isolate=is_isolated,
        ),
        tests=tests,
        bugs=bugs,
        replays=replays,
        replaced=_count(summary.get("workers_replaced")) or 0,
        folder=folder,
        problem=problem if isinstance(problem, str) else None,
    )


def _each(records: object, make: Callable[[Mapping[str, Any]], _Made]) -> Iterator[_Made]:
    """Yields what can be made of a list of records."""
    for record in records if isinstance(records, list) else ():
        if isinstance(record, dict):
            try:
                made = make(record)
            except _UNREADABLE:
                continue
            yield made


def _count(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None


def _test(record: Mapping[str, Any], *, has_budget: bool) -> TestSummary:
    first, first_match = record.get("first_failure"), record.get("first_match")
    pattern = record.get("pattern")
    setup_ns, call_ns, teardown_ns = map(int, record["stages_ns"])
    return TestSummary(
        test=str(record["test"]),
        planned=_count(record["planned"]),
        has_budget=has_budget,
        outcomes={Outcome(name): int(number) for name, number in record["outcomes"].items()},
        stages_ns=(setup_ns, call_ns, teardown_ns),
        fastest_ns=_count(record["fastest_ns"]),
        slowest_ns=_count(record["slowest_ns"]),
        first_failure=None if first is None else failure_of(first),
        lane=str(record.get("lane") or ""),
        lane_reason=record.get("lane_reason"),
        pattern=None if pattern is None else _pattern(pattern),
        matches=_count(record.get("reproduced")) or 0,
        first_match=None if first_match is None else failure_of(first_match),
        surplus=_count(record.get("surplus")) or 0,
    )


def _pattern(record: Mapping[str, Any]) -> Pattern:
    return Pattern(
        kind=PatternKind(record["kind"]),
        is_certain=bool(record["is_certain"]),
        passes=int(record["passes"]),
        failures=int(record["failures"]),
        failing=tuple(map(str, record["failing"])),
        failing_processes=int(record["failing_processes"]),
        processes=int(record["processes"]),
    )


def _bug(record: Mapping[str, Any]) -> Bug:
    return Bug(
        signature=signature_from_dict(record["signature"]),
        failures=int(record["failures"]),
        tests=tuple(map(str, record["tests"])),
        first=failure_of(record["first"]),
        matches=int(record["failures"]) if record.get("is_match") else 0,
    )


def failure_of(record: Mapping[str, Any]) -> Failure:
    """Returns one failing iteration.

    Raises:
        KeyError: A field is missing.
        ValueError: A field holds what it cannot.
    """
    text = record.get("text")
    return Failure(
        test=str(record["test"]),
        iteration=int(record["iteration"]),
        outcome=Outcome(record["outcome"]),
        stage=Stage(record["stage"]),
        signature=signature_from_dict(record["signature"]),
        message=str(record["message"]),
        seed=_count(record.get("seed")),
        worker=str(record["worker"]),
        elapsed_ns=int(record["elapsed_ns"]),
        text=text if isinstance(text, str) else None,
        hash_seed=_count(record.get("hash_seed")),
        is_match=record.get("is_match"),
    )


def _breakdown(record: Mapping[str, Any]) -> Breakdown:
    marked = record["bottleneck"]
    place = None if marked is None else tuple(map(str, marked))
    return Breakdown(
        test=str(record["test"]),
        iterations=int(record["iterations"]),
        failing=int(record["failing"]),
        interrupted=int(record["interrupted"]),
        contended=str(record["contended"]),
        rows=tuple(_row(row, place) for row in record["phases"]),
        operations=tuple(_row(row, None) for row in record["operations"]),
        total_ns=int(record["total_ns"]),
        threads=int(record["threads"]),
        elapsed_ns=_count(record["elapsed_ns"]),
        series=tuple(_each(record["series"], _series)),
        problems=tuple(map(str, record["problems"])),
        peaks=tuple(
            Peak(place=str(one["place"]), size_bytes=int(one["size_bytes"]), phase=str(one["phase"]))
            for one in record["peaks"]
        ),
    )


def _row(record: Mapping[str, Any], bottleneck: tuple[str, ...] | None) -> Row:
    operation = record["operation"]
    largest = record["largest"]
    row = Row(
        name=str(record["name"]),
        operation=None if operation is None else str(operation),
        within=tuple(map(str, record["within"])),
        stage=Stage(record["stage"]),
        calls=int(record["calls"]),
        total_ns=int(record["total_ns"]),
        cold_calls=int(record["cold_calls"]),
        cold_ns=int(record["cold_ns"]),
        own_ns=int(record["own_ns"]),
        unfenced_ns=int(record["unfenced_ns"]),
        size_bytes=_count(record["size_bytes"]),
        largest=None if largest is None else _tensor(largest),
        largest_ns=_count(record["largest_ns"]),
        share=float(record["share"]),
        is_open=bool(record["is_open"]),
        is_fenced=bool(record["is_fenced"]),
        # Older records do not have it.
        lacks_fence=bool(record.get("lacks_fence", False)),
    )
    if operation is not None or row.place != bottleneck:
        return row
    return replace(row, is_bottleneck=True)


def _tensor(record: Mapping[str, Any]) -> Transfer:
    layout = record["layout"]
    return Transfer(
        size_bytes=int(record["size_bytes"]),
        shape=tuple(map(int, record["shape"])),
        dtype=str(record["dtype"]),
        layout=None if layout is None else str(layout),
    )


def _series(record: Mapping[str, Any]) -> Series:
    quantity = Quantity(record["quantity"])
    unit = "_ns" if quantity is Quantity.PHASE else ""
    comparison = record["comparison"]
    cold, passing, failing = (_median(record[name], unit) for name in ("cold", "passing", "failing"))
    return Series(
        name=str(record["name"]),
        quantity=quantity,
        cold=cold,
        is_all_cold=bool(record.get("is_all_cold")),
        passing=passing,
        failing=failing,
        unfinished=int(record["unfinished"]),
        comparison=None
        if comparison is None
        else Comparison(
            chance=float(comparison["p"]),
            is_told=bool(comparison["is_told"]),
            is_cut_short=bool(comparison["is_cut_short"]),
        ),
        limits=tuple(
            LimitDistance(
                limit=Limit(
                    kind=LimitKind.PHASE if quantity is Quantity.PHASE else LimitKind.METRIC,
                    name=str(record["name"]),
                    relation=Relation(one["relation"]),
                    bound=float(one[f"bound{unit}"]),
                    text="",
                ),
                checked=int(one["checked"]),
                missed=int(one["missed"]),
                worst=float(one[f"worst{unit}"]),
            )
            for one in record["limits"]
        ),
    )


def _median(record: Mapping[str, Any] | None, unit: str) -> Median | None:
    if record is None:
        return None
    low, high, confidence = record[f"low{unit}"], record[f"high{unit}"], record["confidence"]
    return Median(
        count=int(record["count"]),
        value=float(record[f"median{unit}"]),
        low=None if low is None else float(low),
        high=None if high is None else float(high),
        confidence=None if confidence is None else float(confidence),
    )
