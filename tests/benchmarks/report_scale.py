"""How `repro-report` bears a large store: `python tests/benchmarks/report_scale.py`.

A store of a thousand sessions is listed; two sessions of a million iterations each are shown, compared and
written about. Each command is a process of its own: its time, its processor time (what a machine that others
use has no part in) and its largest resident size are told.
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from pytest_repro.clock import monotonic_ns
from tests.unit.report.session_records import batch, failure, write_session

SESSIONS = 1000
ITERATIONS = 1_000_000
BATCH = 1000
FAILURES_EACH = 10
"""In a thousand batches: ten thousand failing iterations."""

_CALL = "import sys; from pytest_repro.cli.report import main; sys.exit(main())"


def main() -> None:
    """Prints a line for each command."""
    with tempfile.TemporaryDirectory() as folder:
        many, large = Path(folder, "many"), Path(folder, "large")
        write_many(many)
        write_large(large)
        for root, words in (
            (many, ["list"]),
            (many, ["show"]),
            (many, ["markdown", "--output-dir", str(Path(folder, "o"))]),
            (many, ["evidence"]),
            (large, ["show", "before"]),
            (large, ["compare", "before", "after"]),
            (large, ["markdown", "--output-dir", str(Path(folder, "o"))]),
        ):
            took_ns, cpu_s, size_bytes, status = measured(["--root", str(root), *words])
            times = f"{took_ns / 1e9:6.2f} s  CPU {cpu_s:6.2f} s"
            told = f"{times}  {size_bytes / 1e6:7.0f} MB  exit status {status}"
            print(f"{root.name:<6} {words[0]:<9} {told}", flush=True)  # noqa: T201


def write_many(root: Path) -> None:
    """Writes many small sessions."""
    for minute in range(SESSIONS):
        git = {"commit": f"{minute // 10:040x}", "is_dirty": False}
        write_session(root, minute=minute, facts={"git": git}, summary={"exit_status": minute % 2})


def write_large(root: Path) -> None:
    """Writes two sessions of a million iterations, as a stress run writes them."""
    test = "test_a.py::test_a"
    for minute, tag in enumerate(("before", "after")):
        batches = [
            batch(
                test,
                [("passed", BATCH - FAILURES_EACH), ("failed", FAILURES_EACH)],
                [7000 + (start * 31 + number) % 997 for number in range(BATCH)],
                first=start + 1,
                started_ns=start * 7500,
            )
            for start in range(0, ITERATIONS, BATCH)
        ]
        failing = [
            failure(test, start + BATCH - number, text=None)
            for start in range(0, ITERATIONS, BATCH)
            for number in range(FAILURES_EACH)
        ]
        write_session(
            root,
            minute=minute,
            facts={"tag": tag},
            summary=None,
            records={"iterations.jsonl": batches, "failures.jsonl": failing},
        )


def measured(arguments: Sequence[str]) -> tuple[int, float, int, int]:
    """Returns time (ns), processor time (s), largest resident size (bytes) and exit status of one command."""
    begun = monotonic_ns()
    pid = os.fork()
    if pid == 0:
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, 1)
        os.execv(sys.executable, [sys.executable, "-c", _CALL, *arguments])
    _, status, usage = os.wait4(pid, 0)
    cpu_s = usage.ru_utime + usage.ru_stime
    return monotonic_ns() - begun, cpu_s, usage.ru_maxrss * _RSS_UNIT, os.waitstatus_to_exitcode(status)


_RSS_UNIT = 1 if sys.platform == "darwin" else 1024


if __name__ == "__main__":
    main()
