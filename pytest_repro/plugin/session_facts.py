"""What a session records of itself: enough for a stranger to repeat it."""

from __future__ import annotations

import os
import platform
import re
import shlex
import subprocess
import sys
from collections.abc import Mapping
from hashlib import sha256
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest

from pytest_repro.clock import now_utc
from pytest_repro.logs.secrets import is_secret
from pytest_repro.plugin.record_options import check_record_options, kept_sessions, session_tag
from pytest_repro.store import FACTS, SessionFolder, Store
from pytest_repro.stress.machine import devices_of_machine
from pytest_repro.verify.certificate.git import without_repository

_RECORDED_VARIABLE = re.compile(
    r"(TT_|TTNN_|CUDA_|NVIDIA_|TORCH_|PYTORCH_|PYTEST_|PYTHON|OMP_|MKL_|ARCH_NAME$|LOGURU_LEVEL$|CI$|LANG$|LC_|TZ$)"
)
_LARGEST_READ_BYTES = 1 << 20

_CODE = ("--", ":/", *(f":(exclude,top,glob)**/{name}/**" for name in ("__pycache__", ".pytest_cache")))
"""All but what Python and pytest leave behind, which a project need not ignore and which is no change."""


def begin_session(config: pytest.Config, kind: str, *, run_folder: Path | None) -> SessionFolder:
    """Makes the folder of this session and writes what it is about to run.

    Args:
        config: Of the controller.
        kind: What the session does: `stress`, `timing`.
        run_folder: Inside a run of the gate, the folder that the gate made for it.
    """
    folder = SessionFolder(run_folder) if run_folder else open_session(config, kind)
    folder.note_running()
    folder.write_json(FACTS, session_facts(config, kind))
    return folder


def open_session(config: pytest.Config, kind: str) -> SessionFolder:
    """Makes the folder of a session, and removes the sessions that are not to be kept any more.

    Args:
        config: Of the controller.
        kind: What the session does.
    """
    check_record_options(config)
    return Store(config.rootpath).begin(kind, now=now_utc(), keep=kept_sessions(config))


def session_facts(config: pytest.Config, kind: str) -> dict[str, Any]:
    """Returns what a stranger needs to repeat this session, as plain builtins."""
    return {
        "kind": kind,
        "tag": session_tag(config),
        "began": now_utc().isoformat(),
        "command": shlex.join(("pytest", *config.invocation_params.args)),
        "working_directory": str(config.invocation_params.dir),
        "rootdir": str(config.rootpath),
        "python": platform.python_version(),
        "executable": sys.executable,
        "platform": platform.platform(),
        "host": platform.node(),
        "cpus": os.cpu_count(),
        "devices": devices_of_machine(),
        "hash_seed": os.environ.get("PYTHONHASHSEED"),
        "versions": _versions(),
        "git": git_facts(config.rootpath),
        "environment": recorded_variables(os.environ),
    }


def recorded_variables(environment: Mapping[str, str]) -> dict[str, str]:
    """Returns the variables that can decide how a test runs, without any that are, or look, secret."""
    return {
        name: value
        for name, value in sorted(environment.items())
        if _RECORDED_VARIABLE.match(name) and not is_secret(name, value)
    }


def git_facts(root: Path) -> dict[str, Any] | None:
    """Returns commit and dirtiness of the checkout, or None where there is none."""
    commit = _git(root, "rev-parse", "HEAD")
    if commit is None:
        return None
    is_dirty = bool(_git(root, "status", "--porcelain", *_CODE))
    return {
        "commit": commit,
        "branch": _git(root, "symbolic-ref", "--quiet", "--short", "HEAD"),
        "is_dirty": is_dirty,
        "difference": _difference(root) if is_dirty else None,
    }


def _difference(root: Path) -> str | None:
    """Returns what tells one set of local changes from another: a digest of them, new files included."""
    changed = _git(root, "diff", "HEAD", "--no-ext-diff", "--no-textconv", "--binary")
    new = _git(root, "ls-files", "--others", "--exclude-standard", "-z", "--full-name", *_CODE)
    top = _git(root, "rev-parse", "--show-toplevel")
    if changed is None or new is None or top is None:
        return None
    digest = sha256(changed.encode("utf-8", "surrogateescape"))
    for name in filter(None, new.split("\0")):
        digest.update(b"\0" + os.fsencode(name))
        digest.update(_content_digest(Path(top, name)))
    return digest.hexdigest()[:16]


def _content_digest(path: Path) -> bytes:
    """Returns a digest of a file; of a large one, of what changes with it."""
    try:
        status = path.stat()
        if not path.is_file() or status.st_size > _LARGEST_READ_BYTES:
            return f"{status.st_size} {status.st_mtime_ns}".encode()
        return sha256(path.read_bytes()).digest()
    except OSError:
        return b""


def _git(root: Path, *arguments: str) -> str | None:
    try:
        result = subprocess.run(
            # The user's index is read and never written; variables of a hook lead to another repository.
            ("git", "--no-optional-locks", "-C", str(root), *arguments),
            env=without_repository(os.environ),
            capture_output=True,
            encoding="utf-8",
            errors="surrogateescape",
            timeout=10,
            check=True,
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
