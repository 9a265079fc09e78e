"""How `repro-report` bears a large store: `python tests/benchmarks/report_scale.py [timed]`.

A store of a thousand sessions is listed, searched and pruned. Two sessions of a million iterations each,
one of a hundred of which fails, are shown, compared and written about; with `timed` also two that have
timed three phases and a metric in each. Two more have executed five thousand tests. Each command is a
process of its own: its time, its processor time (what a machine that others use has no part in) and its
largest resident size are told.
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2]))

from pytest_repro.clock import monotonic_ns
from tests.unit.report.session_records import batch, failure, write_session

SESSIONS = 1000
ITERATIONS = 1_000_000
BATCH = 1000
TESTS = 5000
FAILURES_EACH = 10
"""In a thousand batches: ten thousand failing iterations."""

_CALL = "import sys; from pytest_repro.cli.report import main; sys.exit(main())"


def main() -> None:
    """Prints a line for each command."""
    with tempfile.TemporaryDirectory() as folder:
        many, large, timed = (Path(folder, name) for name in ("many", "large", "timed"))
        write_many(many)
        write_large(large)
        for words in (["list"], ["show"], ["show", "latest~500"], ["metrics"], ["evidence"]):
            tell(many, words)
        for root in (many, large):
            tell(root, ["markdown", "--output-dir", str(Path(folder, "reports"))])
        tell(many, ["prune", "--keep", "20"])
        wide = Path(folder, "wide")
        write_wide(wide)
        large_stores = [large, wide]
        if "timed" in sys.argv[1:]:
            write_large(timed, phases=3)
            large_stores.append(timed)
        for root in large_stores:
            for words in (
                ["list"],
                ["show", "before"],
                ["compare", "before", "after"],
                ["html", "before", "--output", str(Path(folder, "page.html"))],
                ["evidence"],
                ["metrics"],
            ):
                tell(root, words)
        size_bytes = Path(folder, "page.html").stat().st_size
        print(f"the page has {size_bytes / 1e6:.1f} MB")  # noqa: T201


def tell(root: Path, words: Sequence[str]) -> None:
    """Runs a command and prints its line."""
    took_ns, cpu_s, size_bytes, status = measured(["--root", str(root), *words])
    times = f"{took_ns / 1e9:6.2f} s  CPU {cpu_s:6.2f} s"
    told = f"{times}  {size_bytes / 1e6:7.0f} MB  exit status {status}"
    print(f"{root.name:<6} {words[0]:<9} {told}", flush=True)  # noqa: T201


def write_many(root: Path) -> None:
    """Writes many small sessions, half of them with bugs, as stress runs sum them up."""
    for minute in range(SESSIONS):
        git = {"commit": f"{minute // 10:040x}", "is_dirty": False, "branch": f"fix/{minute // 100}"}
        bugs = [
            {
                "signature": failure("t::a", 1, message=f"assert {bug}")["signature"]
                | {"key": f"{bug:012x}"},
                "failures": 3,
                "tests": [f"test_a.py::test_{test}" for test in range(20)],
                "replay": None,
                "first": failure("t::a", 1, text="E   assert\n" * 200),
            }
            for bug in range(5 * (minute % 2))
        ]
        summary = {"exit_status": minute % 2, "failures": len(bugs), "bugs": bugs}
        write_session(root, minute=minute, facts={"git": git}, summary=summary)


def write_large(root: Path, *, phases: int = 0) -> None:
    """Writes two sessions of a million iterations, as a stress run writes them.

    Args:
        root: Of the store.
        phases: That each iteration has timed.
    """
    test = "test_a.py::test_a"
    for minute, tag in enumerate(("before", "after")):
        batches = (
            batch(
                test,
                [("passed", BATCH - FAILURES_EACH), ("failed", FAILURES_EACH)],
                [7000 + (start * 31 + number) % 997 for number in range(BATCH)],
                first=start + 1,
                started_ns=start * 7500,
            )
            for start in range(0, ITERATIONS, BATCH)
        )
        failing = (
            failure(test, start + BATCH - number, text=None)
            for start in range(0, ITERATIONS, BATCH)
            for number in range(FAILURES_EACH)
        )
        records: dict[str, Iterable[dict[str, Any]]] = {
            "iterations.jsonl": batches,
            "failures.jsonl": failing,
        }
        if phases:
            records["profiling.jsonl"] = (
                profile(test, number, phases) for number in range(1, ITERATIONS + 1)
            )
        write_session(root, minute=minute, facts={"tag": tag}, summary=None, records=records)


def write_wide(root: Path) -> None:
    """Writes two sessions of many tests, each executed and timed a few times."""
    tests = [f"test_a.py::test_{number}" for number in range(TESTS)]
    for minute, tag in enumerate(("before", "after")):
        batches = [
            batch(test, [("passed", 20)], [10**8 + (place * 7919 + number) % 10**7 for number in range(20)])
            for place, test in enumerate(tests)
        ]
        records: dict[str, Iterable[dict[str, Any]]] = {
            "iterations.jsonl": batches,
            "profiling.jsonl": (profile(test, number, 3) for test in tests for number in (1, 2)),
        }
        write_session(root, minute=minute, facts={"tag": tag}, summary={}, records=records)


def profile(test: str, iteration: int, phases: int) -> dict[str, Any]:
    """Returns the record of one timed iteration."""
    return {
        "test": test,
        "iteration": iteration,
        "worker": "main",
        "outcome": "passed" if iteration % BATCH < BATCH - FAILURES_EACH else "failed",
        "contended": "",
        "phases": [
            {
                "name": name,
                "duration_ns": 1000 + iteration * 7 % 991,
                "unfenced_ns": 900,
                "calls": 1,
                "cold": iteration == 1,
                "within": [],
                "stage": "call",
                "transfer": {"size_bytes": 4096},
            }
            for name in ("to_device", "op", "to_torch")[:phases]
        ],
        "metrics": [{"name": "samples_per_s", "value": 1e6 / (1 + iteration % 7)}],
    }


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
