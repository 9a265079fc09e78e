"""What the installed but unused plugin adds to the start of pytest. Prints milliseconds.

Run it as `python tests/benchmarks/startup.py [sessions of each kind]`, on a quiet machine. Sessions with and
without the plugin take turns, so that both meet the same disturbances; the processor's time stands beside the
clock's, as it suffers less from them. The target is below 15 ms.
"""

from __future__ import annotations

import math
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import NamedTuple

from pytest_repro.clock import monotonic_ns

SESSIONS = 40
TARGET_MS = 15
# hypothesis comes with the project's development and spends most of a second at the end of each session.
PYTEST = (sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:hypothesispytest")
WITHOUT = ("-p", "no:repro")


class Session(NamedTuple):
    """What one whole pytest process took.

    Attributes:
        clock_ms: From its start to its end.
        processor_ms: That it and the system for it have worked.
    """

    clock_ms: float
    processor_ms: float


def session(folder: Path, *arguments: str) -> Session:
    """Runs a pytest process with a single empty test.

    Raises:
        RuntimeError: It did not pass.
    """
    began_ns = monotonic_ns()
    # An installed wheel lies there compiled, so the package in the working tree shall too.
    environment = {**os.environ, "PYTHONPYCACHEPREFIX": str(folder / "compiled")}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    command = (*PYTEST, *arguments)
    process = subprocess.Popen(command, cwd=folder, env=environment, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    clock_ms = (monotonic_ns() - began_ns) / 1e6
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        raise RuntimeError(f"exit status {process.returncode} of pytest {' '.join(arguments)}")
    return Session(clock_ms, (usage.ru_utime + usage.ru_stime) * 1e3)


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
    sys.stdout.write(f"{name:<36}{median(values):>9.1f} ms   95 % interval {low:.1f} to {high:.1f} ms\n")


def main(sessions: int) -> None:
    """Measures and prints."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "test_empty.py").write_text("def test_empty():\n    pass\n", encoding="utf-8")
        # Compiles what is not compiled yet.
        session(folder)
        session(folder, *WITHOUT)
        pairs = [(session(folder, *WITHOUT), session(folder)) for _ in range(sessions)]
    sys.stdout.write(f"one empty test, {sessions} sessions of each, taking turns\n")
    for index, name in enumerate(("clock", "processor")):
        added = [with_it[index] - without[index] for without, with_it in pairs]
        row(f"{name}: pytest without the plugin", [without[index] for without, _ in pairs])
        row(f"{name}: pytest with the plugin", [with_it[index] for _, with_it in pairs])
        row(f"{name}: added by the plugin", added)
        met = "met" if median(added) < TARGET_MS else "missed"
        sys.stdout.write(f"{name}: target, below {TARGET_MS} ms, {met}\n")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else SESSIONS)
