"""What the gate says of fixes that are none, and of one that is. Prints a table.

Run it as `python tests/benchmarks/gate_on_fixes.py [repeats [word of a name]]`. Each fix is a commit on a
base whose failures are on record (a stress run of 100 iterations); the gate is then asked in several ways,
each time with records of its own. How often it says stable, and after how many runs, is what counts: a
fix that halves the rate passes five runs more often than not.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

REPEATS = 10
PYTEST = (sys.executable, "-m", "pytest", "-q", "-p", "no:hypothesispytest", "-p", "no:cacheprovider")

# The tolerance is of a standard normal number: beyond 1.2816 in 20 % of all cases, beyond 1.6449 in 10 %.
TOLERANCE = "import random\n\ndef test_a():\n    assert abs(random.gauss(0, 1)) < {limit}\n"
RACE = """
import threading, time

def test_a():
    results = []
    worker = threading.Thread(target=lambda: (time.sleep(0.0005), results.append(1)))
    worker.start()
    {wait}
    assert results == [1]
    worker.join()
"""
NEXT = """
import random

def test_a():
    received = {first}
    assert received == 4, "packets lost"
    order = sorted(range(4), key=lambda _: random.random()) if random.random() < 0.2 else list(range(4))
    assert order == [0, 1, 2, 3], "packets out of order"
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fix:
    """A base and what somebody made of it.

    Attributes:
        name: What was done.
        base: The test before.
        fixed: The test after.
    """

    name: str
    base: str
    fixed: str


FIXES = (
    Fix(
        name="a real fix: the cause is gone",
        base=TOLERANCE.format(limit=1.2816),
        fixed=TOLERANCE.format(limit=50),
    ),
    Fix(
        name="a tolerance widened: the rate halves",
        base=TOLERANCE.format(limit=1.2816),
        fixed=TOLERANCE.format(limit=1.6449),
    ),
    Fix(
        name="a sleep that hides a race when idle",
        base=RACE.format(wait="time.sleep(0.0004)"),
        fixed=RACE.format(wait="time.sleep(0.004)"),
    ),
    Fix(
        name="the failure moves to the next assertion",
        base=NEXT.format(first="4 if random.random() < 0.7 else 3"),
        fixed=NEXT.format(first="4"),
    ),
)

WAYS: Mapping[str, Sequence[str]] = {
    "5": ("--verify-runs=5",),
    "auto": ("--verify-runs=auto",),
    "auto, 50 iterations": ("--verify-runs=auto", "--repro-stress=50"),
    "auto, 50 iterations, load": ("--verify-runs=auto", "--repro-stress=50"),
    "certificate, 10 of each": (
        "--verify-runs=10",
        "--repro-stress=20",
        "--verify-base=HEAD~1",
        "--verify-test=none",
    ),
}
LOADED = "auto, 50 iterations, load"


def said(folder: Path, arguments: Iterable[str], *, is_loaded: bool) -> tuple[str, int]:
    """Returns the verdict of one gate, and after how many runs it came."""
    load = [_busy() for _ in range(3 * (os.cpu_count() or 1))] if is_loaded else []
    try:
        _run([*PYTEST, *arguments, "--repro-json=verdict.json"], folder, may_fail=True)
    finally:
        for process in load:
            process.kill()
            process.wait()
    record = json.loads((folder / "verdict.json").read_text(encoding="utf-8"))
    return record["verdict"], len(record["runs"])


def on_record(fix: Fix, folder: Path) -> str:
    """Makes the project, records how its base fails, puts the fix on top; returns the rate of the base."""
    (folder / "pytest.ini").write_text("[pytest]\n", encoding="utf-8")
    (folder / "test_a.py").write_text(fix.base, encoding="utf-8")
    (folder / ".gitignore").write_text("*.json\n__pycache__\n", encoding="utf-8")
    _git(folder, "init", "-q")
    _git(folder, "add", ".")
    _git(folder, "commit", "-qm", "base")
    _run([*PYTEST, "--repro-stress=100", "--repro-json=base.json"], folder, may_fail=True)
    (test,) = json.loads((folder / "base.json").read_text(encoding="utf-8"))["tests"]
    (folder / "test_a.py").write_text(fix.fixed, encoding="utf-8")
    _git(folder, "commit", "-qam", "fix")
    return f"{test['failures']} of {test['executed']}"


def _busy() -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-c", "while True: pass"])


def _git(folder: Path, *arguments: str) -> None:
    who = ("-c", "user.name=a", "-c", "user.email=a@example.com", "-c", "commit.gpgsign=false")
    _run(["git", *who, *arguments], folder)


def _run(command: Sequence[str], folder: Path, *, may_fail: bool = False) -> None:
    subprocess.run(command, cwd=folder, stdout=subprocess.DEVNULL, check=not may_fail)


def main(repeats: int, word: str) -> None:
    """Tries each fix in each way and prints what was said."""
    for fix in (fix for fix in FIXES if word in fix.name):
        for way, arguments in WAYS.items():
            verdicts: Counter[str] = Counter()
            runs, rates = [], set()
            for _ in range(repeats):
                with tempfile.TemporaryDirectory() as made:
                    folder = Path(made)
                    rates.add(on_record(fix, folder))
                    verdict, count = said(folder, arguments, is_loaded=way == LOADED)
                verdicts[verdict] += 1
                runs.append(count)
            counts = ", ".join(f"{number} {verdict}" for verdict, number in verdicts.most_common())
            line = f"{fix.name:42} {way:26} {counts:26} median of runs {median(runs):g}"
            print(line, f"(base e.g. {min(rates)})", flush=True)  # noqa: T201


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else REPEATS, sys.argv[2] if len(sys.argv) > 2 else "")
