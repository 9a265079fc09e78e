"""What the gate costs beside a shell loop of as many runs. Prints ratios.

Run it as `python tests/benchmarks/gate_overhead.py [rounds]`, on a quiet machine. Loop and gate take turns
and meet the same disturbances; the ratio is that of the fastest round of each, the middle ratio of the rounds
stands beside it. The target is 1.05 for a gate over 5 runs. A gate costs the start of one more pytest: the
shorter the runs, the more it is. So each line also says from which length on the target holds.
"""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from statistics import median

from pytest_repro.clock import monotonic_ns

ROUNDS = 5
RUNS = 5
TARGET = 1.05
PYTEST = (sys.executable, "-m", "pytest", "-q", "-p", "no:hypothesispytest")

EMPTY = "def test_a():\n    pass\n"
SLEEPS = "import time\n\n\ndef test_a():\n    time.sleep({seconds})\n"
CASES: Mapping[str, Mapping[str, str]] = {
    "an empty test": {"test_a.py": EMPTY},
    "a test of 2 s": {"test_a.py": SLEEPS.format(seconds=2)},
    "a conftest that takes 2 s to load": {"test_a.py": EMPTY, "conftest.py": "import time\ntime.sleep(2)\n"},
}


def loop_ns(folder: Path) -> int:
    """Returns how long a shell loop takes that ends at the first failing run and keeps each run's output."""
    command = shlex.join(PYTEST)
    numbers = " ".join(map(str, range(1, RUNS + 1)))
    script = f"for i in {numbers}; do {command} > loop_$i.txt 2>&1 || exit 1; done"
    return _timed_ns(("bash", "-c", script), folder)


def gate_ns(folder: Path) -> int:
    """Returns how long the gate takes."""
    return _timed_ns((*PYTEST, f"--verify-runs={RUNS}"), folder)


def _timed_ns(command: tuple[str, ...], folder: Path) -> int:
    environment = {**os.environ, "PYTHONPYCACHEPREFIX": str(folder / "compiled")}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    began_ns = monotonic_ns()
    subprocess.run(command, cwd=folder, env=environment, stdout=subprocess.DEVNULL, check=True)
    return monotonic_ns() - began_ns


def main(rounds: int) -> None:
    """Measures and prints."""
    print(f"gate over {RUNS} runs against a shell loop of {RUNS}, {rounds} rounds, target {TARGET}")  # noqa: T201
    for name, files in CASES.items():
        with tempfile.TemporaryDirectory() as made:
            folder = Path(made)
            for file, text in files.items():
                (folder / file).write_text(text, encoding="utf-8")
            loop_ns(folder), gate_ns(folder)  # compiles
            pairs = [(loop_ns(folder), gate_ns(folder)) for _ in range(rounds)]
        loops, gates = zip(*pairs, strict=True)
        best = min(gates) / min(loops)
        middle = median(gate / loop for loop, gate in pairs)
        added_ms = (min(gates) - min(loops)) / 1e6
        line = f"{name:36} {best:.3f} (middle {middle:.3f}), {added_ms:+.0f} ms in {min(loops) / 1e9:.1f} s"
        print(f"{line}; {TARGET} from {added_ms / (TARGET - 1) / RUNS / 1e3:.1f} s a run on")  # noqa: T201


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else ROUNDS)
