"""All that the page tells of a session, as plain builtins."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from pytest_repro.errors import StoreError
from pytest_repro.model import Stage
from pytest_repro.report.catalogue import SessionEntry
from pytest_repro.report.frames import failures_frame, iterations_frame
from pytest_repro.report.page.arrays import packed, sample_places
from pytest_repro.report.page.gate import replays_of_runs, run_rows, timed_summary, verdict_record
from pytest_repro.report.page.iterations import FAILING, MOST_POINTS, drawn_iterations
from pytest_repro.report.page.sides import has_sides, of_all_sides, timed_of_all_sides
from pytest_repro.report.words import percent, seconds
from pytest_repro.verify.record_checks import signature_of

if TYPE_CHECKING:
    import pandas as pd

_MOST_STACKED = 5_000
_MOST_BUGS = 200
_MOST_PHASES = 11
_MOST_METRICS = 200
_MOST_TABLES = 100
_MOST_TEXT = 20_000
_OTHERS = "other phases"
_CALL = Stage.CALL.value


def page_data(
    entry: SessionEntry, *, most_points: int = MOST_POINTS, work: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """Returns what the page tells; a record that cannot be read is told among its `problems`.

    Args:
        entry: The session.
        most_points: Durations that are drawn, at most.
        work: What became of the work that it belongs to, as `metrics_record` returns it.
    """
    problems: list[str] = []
    summary = _read(entry.summary, problems) or {}
    iterations, failures = (
        _read(lambda: of_all_sides(entry.path, iterations_frame), problems),
        _read(lambda: of_all_sides(entry.path, failures_frame), problems),
    )
    timed = _read(lambda: timed_of_all_sides(entry.path), problems)
    drawn = None
    if iterations is not None and failures is not None and len(iterations) + len(failures):
        drawn = drawn_iterations(iterations, failures, most_points=most_points).record
    return {
        "session": _session(entry, summary),
        "drawn": drawn,
        "missing": _missing(summary),
        "bugs_found": 0 if failures is None else int(failures["signature"].nunique(dropna=False)),
        "bugs": [] if failures is None else _bugs(failures, _replays(summary) | replays_of_runs(entry.path)),
        "phases": [] if timed is None or timed.phases.empty else _phases(timed.phases),
        "metrics": [] if timed is None or timed.metrics.empty else _metrics(timed.metrics),
        "devices": _devices(summary),
        "device_of": _device_of(summary),
        "runs": run_rows(summary),
        "timing": _timing(*timed_summary(entry.path, summary)),
        "verdict": verdict_record(summary),
        "has_sides": has_sides(entry.path),
        "work": work,
        "problems": problems,
    }


def _read(read: Any, problems: list[str]) -> Any:
    try:
        return read()
    except StoreError as error:
        problems.append(str(error))
        return None


def _session(entry: SessionEntry, summary: Mapping[str, Any]) -> dict[str, Any]:
    facts = entry.facts
    named = ("host", "platform", "python", "cpus", "hash_seed", "working_directory", "rootdir")
    rows = [(name.replace("_", " "), facts[name]) for name in named if facts.get(name) is not None]
    if summary.get("base_seed") is not None:
        rows.append(("seed", summary["base_seed"]))
    rows += [(f"version of {name}", version) for name, version in _mapping(facts.get("versions")).items()]
    rows += [(name, value) for name, value in _mapping(facts.get("environment")).items()]
    words = {True: "yes", False: "no"}
    git = [
        (_GIT.get(name, f"git {name}"), words.get(value, value))
        for name, value in entry.git.items()
        if value is not None
    ]
    devices = facts.get("devices")
    if isinstance(devices, list) and devices:
        rows.append(("devices", ", ".join(map(str, devices))))
    return {
        "id": entry.id,
        "kind": entry.kind,
        "tag": entry.tag,
        "state": entry.state.value,
        "command": entry.command,
        "began": None if entry.began is None else entry.began.strftime("%Y-%m-%d %H:%M:%S %Z"),
        "duration": None if entry.duration_ns is None else seconds(entry.duration_ns),
        "exit_status": entry.exit_status,
        "facts": [[name, str(value)] for name, value in [*git, *rows]],
        "commit": None if entry.git.get("commit") is None else str(entry.git["commit"]),
    }


_GIT = {"is_dirty": "git local changes", "difference": "git hash of local changes"}


def _missing(summary: Mapping[str, Any]) -> int:
    """Iterations that were planned and did not run."""
    counts = (test.get("missing") for test in _sequence(summary.get("tests")) if isinstance(test, dict))
    return sum(count for count in counts if isinstance(count, int))


def _replays(summary: Mapping[str, Any]) -> dict[str, str]:
    return {
        signature_of(bug)[0]: bug["replay"]
        for bug in _sequence(summary.get("bugs"))
        if isinstance(bug, dict) and isinstance(bug.get("replay"), str)
    }


def _bugs(failures: pd.DataFrame, replays: Mapping[str, str]) -> list[dict[str, Any]]:
    bugs = []
    for key, rows in failures.groupby("signature", sort=False, dropna=False):
        first = rows.iloc[0]
        texts = rows["text"].dropna()
        run = f"run {first['run']}, " if first["run"] else ""
        bugs.append(
            {
                "key": str(key),
                "title": str(first["title"] or first["message"] or key),
                "count": len(rows),
                "tests": [str(name) for name in rows["test"].unique()[:20]],
                "workers": sorted({str(name) for name in rows["worker"]})[:20],
                "where": f"{first['test']}, {run}iteration {first['iteration']:,} on {first['worker']}",
                "message": str(first["message"] or "")[:_MOST_TEXT],
                "text": str(texts.iloc[0])[:_MOST_TEXT] if len(texts) else None,
                "replay": replays.get(str(key)) or None,
                "seed": None if first["seed"] is None else str(first["seed"]),
            }
        )
    return sorted(bugs, key=lambda bug: -int(str(bug["count"])))[:_MOST_BUGS]


def _phases(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """Of each test the phases of its iterations; of many iterations a sample with the failing ones."""
    found = []
    most = frame["test"].value_counts().index[:_MOST_TABLES]
    for test, rows in frame[frame["test"].isin(most)].groupby("test", observed=True):
        longest = rows.groupby("phase", observed=True)["duration_ns"].sum().sort_values(ascending=False)
        named = list(longest.index[:_MOST_PHASES])
        names = [str(name) for name in named] + ([_OTHERS] if len(longest) > len(named) else [])
        by = ["run", "iteration"]
        iterations = rows.drop_duplicates(by).sort_values(by)[[*by, "outcome"]]
        failing = iterations["outcome"].isin(FAILING).to_numpy()
        kept = sample_places(failing, most=_MOST_STACKED)
        shown = iterations.iloc[kept][by]
        of_shown = rows.merge(shown, on=by)
        told_rows = of_shown.assign(
            phase=of_shown["phase"].astype(str).where(of_shown["phase"].isin(named), _OTHERS)
        )
        told = {
            "test": str(test),
            "names": names,
            "count": len(iterations),
            "iteration": packed(shown["iteration"].to_numpy(), "u32"),
            "failing": packed(failing[kept], "u16"),
            "contended": next((str(why) for why in rows["contended"].unique() if why), None),
        }
        if iterations["run"].any():
            told["run"] = packed(shown["run"].to_numpy(), "u32")
        for column in ("duration_ns", "unfenced_ns"):
            table = told_rows.pivot_table(
                index=by, columns="phase", values=column, aggfunc="sum", fill_value=0, observed=True
            ).reindex(columns=names, fill_value=0)
            told[column] = [packed(table[name].to_numpy() / 1e6, "f32") for name in names]
        found.append(told)
    return sorted(found, key=lambda one: -int(str(one["count"])))


def _metrics(frame: pd.DataFrame) -> list[list[Any]]:
    rows = []
    for (test, metric), group in frame.groupby(["test", "metric"], observed=True):
        values, failing = group["value"], int(group["outcome"].isin(FAILING).sum())
        numbers = [f"{number:,.6g}" for number in (values.min(), values.median(), values.max())]
        rows.append([str(test), str(metric), f"{len(values):,}", *numbers, f"{failing:,}"])
    return rows[:_MOST_METRICS]


def _devices(summary: Mapping[str, Any]) -> list[list[str]]:
    devices = _sequence(_mapping(summary.get("devices")).get("devices"))
    return [
        [
            str(one.get("device")),
            ", ".join(map(str, _sequence(one.get("workers")))),
            f"{one.get('executed', 0):,}",
            f"{one.get('failures', 0):,}",
            percent(one["failures"] / one["executed"]) if one.get("executed") and "failures" in one else "",
            "fails more often than the others" if one.get("fails_more_often") else "",
        ]
        for one in devices
        if isinstance(one, dict)
    ]


def _device_of(summary: Mapping[str, Any]) -> dict[str, str]:
    """The device of each worker, where it had only one."""
    found: dict[str, set[str]] = {}
    for one in _sequence(_mapping(summary.get("devices")).get("devices")):
        for worker in _sequence(_mapping(one).get("workers")):
            found.setdefault(str(worker), set()).add(str(one.get("device")))
    return {worker: devices.pop() for worker, devices in found.items() if len(devices) == 1}


def _timing(summary: Mapping[str, Any], run: str) -> list[dict[str, Any]]:
    tables = []
    for one in _sequence(summary.get("timing"))[:_MOST_TABLES]:
        place = one.get("bottleneck")
        rows = [
            [
                ("" if row.get("stage", _CALL) == _CALL else f"{row['stage']}: ")
                + " / ".join([*row["within"], row["name"]]),
                f"{row['calls']:,}",
                seconds(row["total_ns"]),
                f"{100 * row['share']:.1f} %" if row.get("share") is not None else "",
                seconds(row["unfenced_ns"]),
                f"{row['size_bytes']:,}" if row["size_bytes"] else "",
                "bottleneck" if place == [row.get("stage", _CALL), *row["within"], row["name"]] else "",
            ]
            for row in _sequence(one.get("phases"))[:50]
        ]
        tables.append(
            {
                "test": str(one.get("test")),
                "run": run,
                "meaning": one.get("meaning"),
                "contended": one.get("contended") or None,
                "rows": rows,
            }
        )
    return tables


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _sequence(value: object) -> Sequence[Any]:
    return value if isinstance(value, list) else []
