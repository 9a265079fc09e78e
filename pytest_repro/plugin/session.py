"""What belongs to one session in one process: its place among workers, its folder, its facts."""

from __future__ import annotations

import os
import platform
import re
import shlex
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest

from pytest_repro.clock import now_utc
from pytest_repro.store import SessionFolder, Store

RUN_FOLDER_VARIABLE = "PYTEST_REPRO_RUN_FOLDER"
"""Set by the gate: the folder of this run, inside the gate's session. Read once, then removed."""

WORKER_INPUT = "repro"
"""Key of what the controller tells its workers, in xdist's `workerinput`."""

_RECORDED_VARIABLE = re.compile(
    r"(TT_|TTNN_|CUDA_|NVIDIA_|TORCH_|PYTORCH_|PYTEST_|PYTHON|OMP_|MKL_|ARCH_NAME$|LOGURU_LEVEL$|CI$|LANG$|LC_|TZ$)"
)
_SECRET_NAME = re.compile(r"TOKEN|SECRET|PASS|KEY|CREDENTIAL|AUTH", re.IGNORECASE)


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


def place_of(config: pytest.Config) -> WorkerPlace:
    """Tells which process of the session this is."""
    workerinput: Mapping[str, Any] | None = getattr(config, "workerinput", None)
    if workerinput is None:
        return WorkerPlace(id="main", index=0, workers=1, mode="no")
    worker = str(workerinput["workerid"])
    number = re.sub(r"\D", "", worker)
    workers = int(workerinput["workercount"])
    # xdist sets a worker's own --dist to "no": the controller says what it really is.
    mode = str(worker_input(config).get("mode", "load"))
    return WorkerPlace(id=worker, index=int(number or 0) % workers, workers=workers, mode=mode)


def is_worker(config: pytest.Config) -> bool:
    """Tells whether this process is an xdist worker."""
    return hasattr(config, "workerinput")


def worker_input(config: pytest.Config) -> Mapping[str, Any]:
    """Returns what the controller told this worker; empty in the controller."""
    told: Mapping[str, Any] = getattr(config, "workerinput", {}).get(WORKER_INPUT, {})
    return told


def take_run_folder() -> Path | None:
    """Returns the folder that the gate gave to this run, or None outside a run.

    The variable is removed: a pytest that a test starts is no run of the gate.
    """
    folder = os.environ.pop(RUN_FOLDER_VARIABLE, None)
    return Path(folder) if folder else None


def begin_session(config: pytest.Config, kind: str, *, run_folder: Path | None) -> SessionFolder:
    """Makes the folder of this session and writes what it is about to run.

    Args:
        config: Of the controller.
        kind: What the session does: `stress`, `timing`.
        run_folder: Inside a run of the gate, the folder that the gate made for it.
    """
    folder = SessionFolder(run_folder) if run_folder else Store(config.rootpath).begin(kind, now=now_utc())
    folder.write_json("session.json", session_facts(config, kind))
    return folder


def shown_path(config: pytest.Config, path: Path) -> str:
    """Returns a path as it is shown: relative to where pytest was started, if it is below."""
    start = config.invocation_params.dir
    return str(path.relative_to(start)) if path.is_relative_to(start) else str(path)


def session_facts(config: pytest.Config, kind: str) -> dict[str, Any]:
    """Returns what a stranger needs to repeat this session, as plain builtins."""
    return {
        "kind": kind,
        "began": now_utc().isoformat(),
        "command": shlex.join(("pytest", *config.invocation_params.args)),
        "working_directory": str(config.invocation_params.dir),
        "rootdir": str(config.rootpath),
        "python": platform.python_version(),
        "executable": sys.executable,
        "platform": platform.platform(),
        "host": platform.node(),
        "cpus": os.cpu_count(),
        "hash_seed": os.environ.get("PYTHONHASHSEED"),
        "versions": _versions(),
        "git": git_facts(config.rootpath),
        "environment": {
            name: value
            for name, value in sorted(os.environ.items())
            if _RECORDED_VARIABLE.match(name) and not _SECRET_NAME.search(name)
        },
    }


def git_facts(root: Path) -> dict[str, Any] | None:
    """Returns commit and dirtiness of the checkout, or None where there is none."""
    commit = _git(root, "rev-parse", "HEAD")
    if commit is None:
        return None
    return {"commit": commit, "is_dirty": bool(_git(root, "status", "--porcelain"))}


def _git(root: Path, *arguments: str) -> str | None:
    try:
        result = subprocess.run(
            ("git", "-C", str(root), *arguments), capture_output=True, text=True, timeout=10, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return result.stdout.strip()


def _versions() -> dict[str, str]:
    versions = {}
    for name in ("pytest-repro", "pytest", "pytest-xdist", "numpy", "torch", "ttnn"):
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return versions
