"""Where a process stands in its session: among workers, in a run of the gate, in folders."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from pytest_repro.store import is_left_behind, note_owner

RUN_OPTION = "--repro-run"
"""Given by the gate: the folder of this run, inside the gate's session."""

IN_RUN_VARIABLE = "PYTEST_REPRO_IN_RUN"
"""Set by the gate for its runs and all that they start: there a gate must be asked for by hand."""

CODE_PLACES_VARIABLE = "PYTEST_REPRO_CODE_PLACES"
"""Set for each run of base and fix: where its code should come from, as JSON. Read once, then removed."""

_PREFIX = "pytest-repro-"
"""Of the names of temporary folders."""

WORKER_INPUT = "repro"
"""Key of what the controller tells its workers, in xdist's `workerinput`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerPlace:
    """Which process of a session this is.

    Attributes:
        id: xdist's worker id, or `main` without workers and in the controller.
        index: 0-based number of the worker; 0 for `main`.
        workers: Number of workers of the session; 1 without xdist.
        mode: xdist's `--dist` mode, `no` without workers.
    """

    id: str
    index: int
    workers: int
    mode: str

    @property
    def beside(self) -> str:
        """Why times of this process are not to be compared: others beside it; empty if it is alone."""
        return beside(self.workers)


def beside(workers: int) -> str:
    """Returns why times of one of so many workers are not to be compared; empty if it is the only one."""
    return f"{workers} workers" if workers > 1 else ""


def place_of(config: pytest.Config) -> WorkerPlace:
    """Tells which process of the session this is."""
    workerinput: Mapping[str, Any] | None = getattr(config, "workerinput", None)
    if workerinput is None:
        return WorkerPlace(id="main", index=0, workers=1, mode="no")
    worker = str(workerinput["workerid"])
    number = "".join(letter for letter in worker if letter.isdigit())
    workers = int(workerinput["workercount"])
    # xdist sets a worker's own --dist to "no": the controller says what it really is.
    mode = str(worker_input(config).get("mode", "load"))
    index = int(worker_input(config).get("index", number or 0)) % workers
    return WorkerPlace(id=worker, index=index, workers=workers, mode=mode)


def worker_output(config: pytest.Config) -> dict[str, Any] | None:
    """Returns what a worker tells the controller at its end, to be added to; None in other processes."""
    output: dict[str, Any] | None = getattr(config, "workeroutput", None)
    return output


def is_worker(config: pytest.Config) -> bool:
    """Tells whether this process is an xdist worker."""
    return hasattr(config, "workerinput")


def worker_input(config: pytest.Config) -> Mapping[str, Any]:
    """Returns what the controller told this worker; empty in the controller."""
    told: Mapping[str, Any] = getattr(config, "workerinput", {}).get(WORKER_INPUT, {})
    return told


def run_folder_of(config: pytest.Config) -> Path | None:
    """Returns the folder that the gate gave to this run, or None outside a run, and in its workers."""
    folder = getattr(config.option, "repro_run", None)
    if folder is None:
        # Before any conftest is loaded.
        folder = getattr(getattr(config, "known_args_namespace", None), "repro_run", None)
    return None if folder is None or is_worker(config) else Path(folder)


def take_code_places() -> dict[str, Any] | None:
    """Returns where the code of this run should come from, None unless it is one of base or fix."""
    told = os.environ.pop(CODE_PLACES_VARIABLE, None)
    return None if told is None else dict(json.loads(told))


def temporary_folder(otherwise: Path) -> tempfile.TemporaryDirectory[str]:
    """Makes a folder that is gone with the process, in the system's place for such, or in another one.

    Args:
        otherwise: Where to make it if the system has no room.

    Raises:
        pytest.UsageError: Neither can be written.
    """
    try:
        return _owned_folder(_PREFIX, None)
    except OSError as error:
        problem = error
    try:
        return _owned_folder(f".{_PREFIX}", otherwise)
    except OSError:
        raise pytest.UsageError(
            f"--repro-stress needs a folder for temporary files: {problem}. "
            "Set TMPDIR to a folder that can be written."
        ) from problem


def _owned_folder(prefix: str, place: Path | None) -> tempfile.TemporaryDirectory[str]:
    folder = tempfile.TemporaryDirectory(prefix=prefix, dir=place, ignore_cleanup_errors=True)
    with contextlib.suppress(OSError):  # no room: then nobody else removes it
        note_owner(Path(folder.name))
    _remove_left_behind(Path(folder.name).parent, prefix)
    return folder


def _remove_left_behind(place: Path, prefix: str) -> None:
    """Removes the folders of processes that were killed before they could."""
    for folder in place.glob(f"{prefix}*"):
        if not folder.is_symlink() and is_left_behind(folder):
            shutil.rmtree(folder, ignore_errors=True)


def shown_path(config: pytest.Config, path: Path) -> str:
    """Returns a path as it is shown: relative to where pytest was started, if it is below."""
    start = config.invocation_params.dir
    return str(path.relative_to(start)) if path.is_relative_to(start) else str(path)


def hash_seed_of_this_process() -> int | None:
    """Returns `PYTHONHASHSEED`, or None where Python chose a seed that nobody can tell."""
    text = os.environ.get("PYTHONHASHSEED", "")
    return int(text) if text.isdigit() else None
