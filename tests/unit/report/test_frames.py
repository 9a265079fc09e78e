"""Records as tables."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_repro.errors import StoreError
from pytest_repro.report.frames import failures_frame, iterations_frame
from pytest_repro.report.timed_frames import timed_frames
from tests.unit.report.session_records import batch, failure, write_session


def test_batches_become_one_row_an_iteration(tmp_path: Path) -> None:
    """Number, outcome, duration and start of each, whatever the steps of its slice."""
    lines = [
        batch(
            "t::a", [("passed", 2), ("failed", 1)], [5, 6, 7], first=2, step=3, worker="gw0", started_ns=100
        ),
        batch("t::b", [("passed", 1)], [9], worker="gw1", started_ns=50),
        {"test": "not ours"},
    ]
    session = write_session(tmp_path, records={"iterations.jsonl": lines}, summary={})
    rows = iterations_frame(session.path).astype(dict.fromkeys(("test", "worker", "outcome"), str))
    assert rows.to_numpy().tolist() == [
        [0, "t::a", "gw0", 2, "passed", 100, 5],
        [0, "t::a", "gw0", 5, "passed", 105, 6],
        [0, "t::a", "gw0", 8, "failed", 111, 7],
        [0, "t::b", "gw1", 1, "passed", 50, 9],
    ]


def test_runs_of_a_gate_are_told_apart(tmp_path: Path) -> None:
    """Each has its iterations and failures in a folder of its own, the tenth after the second."""
    session = write_session(tmp_path, kind="verify", summary={})
    for run in (10, 2):
        lines = {"iterations.jsonl": [batch("t::a", [("failed", 1)], [run])]}
        one = write_session(tmp_path / "x", records={**lines, "failures.jsonl": [failure("t::a", 1)]})
        one.path.rename(session.path / f"run_{run}")
    assert iterations_frame(session.path)[["run", "duration_ns"]].to_numpy().tolist() == [[2, 2], [10, 10]]
    assert failures_frame(session.path)["run"].tolist() == [2, 10]


def test_phases_are_added_up_by_name_and_metrics_listed(tmp_path: Path) -> None:
    """Outermost phases alone, those of fixtures apart."""

    def phase(name: str, duration_ns: int, **other: object) -> dict[str, object]:
        told = {"name": name, "duration_ns": duration_ns, "unfenced_ns": 2 * duration_ns, "calls": 1}
        return told | {"cold": False, "within": [], "stage": "call", "transfer": None} | other

    record = {
        "test": "t::a",
        "iteration": 4,
        "worker": "main",
        "outcome": "passed",
        "contended": "",
        "phases": [
            phase("to_device", 5, transfer={"size_bytes": 7}, cold=True, peak_bytes={"process": 9}),
            phase("to_device", 6, transfer={"size_bytes": 8}),
            phase("op", 1, within=["mine"], peak_bytes={"process": 8}),
            phase("op", 3, stage="setup"),
        ],
        "metrics": [{"name": "samples_per_s", "value": 2.5}],
    }
    session = write_session(tmp_path, records={"profiling.jsonl": [record]}, summary={})
    timed = timed_frames(session.path)
    told = timed.phases[["phase", "duration_ns", "unfenced_ns", "size_bytes", "calls", "is_cold"]]
    assert told.astype({"phase": str}).to_numpy().tolist() == [
        ["to_device", 11, 22, 15, 2, True],
        ["setup: op", 3, 6, 0, 1, False],
    ]
    metrics = timed.metrics[["iteration", "metric", "value"]].astype({"metric": str})
    assert metrics.to_numpy().tolist() == [[4, "samples_per_s", 2.5]]
    assert timed.peaks_bytes == {("t::a", "process"): 9}


def test_a_session_without_records_gives_empty_tables(tmp_path: Path) -> None:
    """With their columns."""
    session = write_session(tmp_path)
    timed = timed_frames(session.path)
    for table in (
        iterations_frame(session.path),
        failures_frame(session.path),
        timed.phases,
        timed.metrics,
    ):
        assert table.empty
        assert "test" in table.columns


def test_a_record_that_is_no_file_is_an_error(tmp_path: Path) -> None:
    """A pipe of that name would be waited for."""
    session = write_session(tmp_path)
    (session.path / "iterations.jsonl").mkdir()
    with pytest.raises(StoreError, match=r"The record is no file"):
        iterations_frame(session.path)
