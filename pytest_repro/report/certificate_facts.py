"""What a certificate on record says, in names and texts: for the page, the report and the pull request.

A record may come from anybody's folder: what cannot be read is left out, never guessed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pytest_repro.report.words import counted, percent, percent_range
from pytest_repro.stats import Interval
from pytest_repro.verify.record_checks import signature_of

SIDES = ("base", "fix")

_MOST_LISTED = 20


def certificate_facts(summary: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Returns what was compared, how often each side failed, with what, and what that proves.

    Args:
        summary: Of the certificate's session; of any other one nothing is returned.
    """
    sides = [fact for side in SIDES for fact in _side(side, summary)]
    return [*sides, *_proof(summary), *_tests(summary)] if sides else []


def median_rows(summary: Mapping[str, Any]) -> list[tuple[str, int, int]]:
    """Returns name and median time (ns) in base and fix of a whole run, and of each test and phase."""
    base, fix = (_mapping(summary.get(side)).get("median_duration_ns") for side in SIDES)
    rows = [("a whole run", base, fix)]
    for one in _list(summary.get("test_durations_ns"))[:_MOST_LISTED]:
        told = _mapping(one)
        phase = f": {told['phase']}" if told.get("phase") else ""
        rows.append((f"{told.get('test')}{phase}", told.get("base"), told.get("fix")))
    return [(name, base, fix) for name, base, fix in rows if isinstance(base, int) and isinstance(fix, int)]


def runs_words(summary: Mapping[str, Any]) -> str:
    """Returns `the base failed in 3 of 3 runs, the fix failed in 0 of 3 runs`, empty where not on record."""
    words = []
    for name in SIDES:
        side = _mapping(summary.get(name))
        failed, runs = side.get("failed"), side.get("runs")
        if not isinstance(failed, int) or not isinstance(runs, int):
            return ""
        words.append(f"the {name} failed in {failed} of {counted(runs, 'run')}")
    return ", ".join(words)


def _side(name: str, summary: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    side = _mapping(summary.get(name))
    if not isinstance(side.get("commit"), str):
        return
    tree = f", with local changes, tree {str(side.get('tree'))[:12]}" if side.get("is_dirty") else ""
    yield name, f"{side.get('name')}: commit {side['commit'][:12]}{tree}"
    rate, interval, runs = side.get("failure_rate"), side.get("interval"), side.get("runs")
    if isinstance(rate, int | float) and isinstance(interval, list) and isinstance(runs, int):
        low, high = interval
        between = percent_range(Interval(low=low, high=high))
        told = f"{side.get('failed')} of {counted(runs, 'run')} ({percent(rate)}, interval {between})"
        failed, iterations = _iterations(name, summary)
        more = f", {failed:,} of {counted(iterations, 'iteration')}" if iterations else ""
        yield f"failures of the {name}", told + more


def _iterations(side: str, summary: Mapping[str, Any]) -> tuple[int, int]:
    runs = (run for run in map(_mapping, _list(summary.get("runs"))) if run.get("side") == side)
    tests = [
        _mapping(one) for run in runs for one in _mapping(_mapping(run.get("report")).get("tests")).values()
    ]
    failed, iterations = (
        sum(count for one in tests if isinstance(count := one.get(name), int))
        for name in ("failures", "iterations")
    )
    return failed, iterations


def _proof(summary: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for bug in map(_mapping, _list(summary.get("bugs_of_base"))[:_MOST_LISTED]):
        key, title = signature_of(bug)
        runs = ", ".join(map(str, _list(bug.get("runs"))))
        word = "reproduced" if bug.get("counts") else "does not count"
        yield (
            f"{word} in runs {runs}",
            f"{title or bug.get('message')}" + (f", signature {key}" if key else ""),
        )
    chance, confidence = summary.get("chance"), summary.get("confidence")
    if isinstance(chance, float) and isinstance(confidence, float):
        asked = f"{percent(confidence)} confidence was asked for"
        yield "chance, if both failed alike", f"{percent(chance)} (Fisher's exact test, one-sided; {asked})"
    ruled_out = summary.get("ruled_out_rate_of_fix")
    if isinstance(ruled_out, float):
        yield "failure rate of the fix", f"above {percent(ruled_out)} is ruled out by its clean runs alone"


def _tests(summary: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    copied = _list(summary.get("tests_copied_into_base"))
    if copied:
        yield "tests copied into the base", ", ".join(map(str, copied[:_MOST_LISTED]))
    if isinstance(summary.get("command"), str):
        yield "command of each run", summary["command"]


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _list(value: object) -> Sequence[Any]:
    return value if isinstance(value, list) else []
