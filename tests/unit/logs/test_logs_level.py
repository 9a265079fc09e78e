"""The level that the reading of logs has reached, on real logs with hand-read truth."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
LOGS = ROOT.parent / "shared" / "logs"
LEVELS = {
    "test": 0.98,
    "outcome": 0.98,
    "exception": 0.95,
    "message": 0.95,
    "place": 0.95,
    "command": 0.95,
    "environment": 0.95,
    "python": 0.95,
    "pytest": 0.95,
    "job": 0.95,
    "run outcome": 0.95,
}


@pytest.mark.skipif(not (LOGS / "index.json").is_file(), reason="no real logs lie beside the checkout")
def test_real_logs_are_read_at_the_reached_level() -> None:
    """Precision and recall of each field, by the scoring script; it names what is too low."""
    minimums = [f"--minimum={field}={level}" for field, level in LEVELS.items()]
    script = ROOT / "tests" / "benchmarks" / "log_scoring.py"
    run = subprocess.run(
        [sys.executable, str(script), str(LOGS), *minimums],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        check=False,
    )
    assert run.returncode == 0, run.stdout + run.stderr
