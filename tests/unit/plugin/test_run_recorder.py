"""What a run writes of itself for the gate, beside its tests."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from pytest_repro.plugin.run_measures import RunMeasures
from pytest_repro.plugin.run_recorder import RunRecorder
from pytest_repro.store import SessionFolder


def recorder(folder: Path, stressed: Any = None) -> RunRecorder:
    """Makes the recorder of a run."""
    is_stressed = stressed is not None
    return RunRecorder(
        SessionFolder(folder),
        stressed=lambda: stressed,
        is_stressed=is_stressed,
        measures=RunMeasures(is_stressed=is_stressed),
        seeds=dict,
        clock=lambda: 0,
    )


def written(recorder: RunRecorder, folder: Path) -> dict[str, Any]:
    """Ends the run and reads what it has written."""
    recorder.pytest_sessionfinish(0)
    payload: dict[str, Any] = json.loads((folder / "run.json").read_text(encoding="utf-8"))
    return payload


def lose(recorder: RunRecorder, *workers: str) -> None:
    """Has workers end before their time."""
    for worker in workers:
        node = SimpleNamespace(gateway=SimpleNamespace(id=worker))
        recorder.pytest_testnodedown(node, "Not properly terminated")


def test_a_lost_worker_is_told_unless_an_iteration_has_failed_with_it(tmp_path: Path) -> None:
    """A stress run counts the iterations in which workers died, and no others."""
    for stressed, lost in (
        (None, ["gw0", "gw1"]),
        (SimpleNamespace(tests=(), died=("gw0",)), ["gw1"]),
    ):
        run = recorder(tmp_path, stressed)
        lose(run, "gw0", "gw1")
        assert written(run, tmp_path)["lost_workers"] == lost


def test_the_conditions_of_a_run_are_those_at_its_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A test may change them for itself."""
    monkeypatch.setenv("PYTHONHASHSEED", "7")
    run, before = recorder(tmp_path), str(Path.cwd())
    monkeypatch.setenv("PYTHONHASHSEED", "8")
    monkeypatch.chdir(tmp_path)
    told = written(run, tmp_path)
    assert (told["hash_seed"], told["directory"]) == ("7", before)
