"""What the installed but unused plugin adds to the start of pytest. Prints milliseconds.

Run it as `python tests/benchmarks/startup.py [sessions of each kind]`, on a quiet machine. Sessions with and
without the plugin take turns, so that both meet the same disturbances. The target is below 15 ms.
"""

from __future__ import annotations

import math
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from statistics import median

from pytest_repro.clock import monotonic_ns

SESSIONS = 40
TARGET_MS = 15
# hypothesis comes with the project's development and spends most of a second at the end of each session.
PYTEST = (sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:hypothesispytest")
WITHOUT = ("-p", "no:repro")


def session_ms(folder: Path, *arguments: str) -> float:
    """Returns the milliseconds of one whole pytest process with a single empty test."""
    began_ns = monotonic_ns()
    subprocess.run((*PYTEST, *arguments), cwd=folder, stdout=subprocess.DEVNULL, check=True)
    return (monotonic_ns() - began_ns) / 1e6


def median_interval(values: Sequence[float]) -> tuple[float, float]:
    """Returns the 95 % interval of the median, from order statistics (the sign test's)."""
    ordered = sorted(values)
    count = len(ordered)
    below, rank = 0.0, 0
    while below + math.comb(count, rank) / 2**count <= 0.025:
        below += math.comb(count, rank) / 2**count
        rank += 1
    rank = max(rank, 1)
    return ordered[rank - 1], ordered[count - rank]


def row(name: str, values: Sequence[float]) -> None:
    """Prints one line of the table."""
    low, high = median_interval(values)
    sys.stdout.write(f"{name:<34}{median(values):>9.1f} ms   95 % interval {low:.1f} to {high:.1f} ms\n")


def main(sessions: int) -> None:
    """Measures and prints."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "test_empty.py").write_text("def test_empty():\n    pass\n", encoding="utf-8")
        # Compiles what is not compiled yet.
        session_ms(folder)
        session_ms(folder, *WITHOUT)
        pairs = [(session_ms(folder, *WITHOUT), session_ms(folder)) for _ in range(sessions)]
    added = [with_ms - without_ms for without_ms, with_ms in pairs]
    sys.stdout.write(f"one empty test, {sessions} sessions of each, taking turns\n")
    row("pytest without the plugin", [without_ms for without_ms, _ in pairs])
    row("pytest with the plugin", [with_ms for _, with_ms in pairs])
    row("added by the plugin", added)
    met = "met" if median(added) < TARGET_MS else "missed"
    sys.stdout.write(f"target: below {TARGET_MS} ms, {met}\n")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else SESSIONS)
