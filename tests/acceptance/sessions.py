"""Starts real pytest sessions and reads what they leave behind."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

LIMIT_S = 120
"""A session that takes longer hangs."""


def run_pytest(pytester: pytest.Pytester, *arguments: str) -> pytest.RunResult:
    """Runs pytest in a process of its own, in the folder of the test."""
    return pytester.runpytest_subprocess(*arguments, timeout=LIMIT_S)


def session_folder(pytester: pytest.Pytester) -> Path:
    """Returns the folder of the only session so far."""
    (session,) = (pytester.path / ".pytest_repro" / "sessions").iterdir()
    return session


def session_summary(pytester: pytest.Pytester) -> dict[str, Any]:
    """Returns the summary of the only session so far."""
    data: dict[str, Any] = json.loads((session_folder(pytester) / "summary.json").read_text(encoding="utf-8"))
    return data


def json_lines(path: Path) -> list[dict[str, Any]]:
    """Reads a JSON Lines file."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
