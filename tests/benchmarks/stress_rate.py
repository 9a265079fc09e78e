"""Iterations a second of a test that does nothing: pytest-repeat beside `--repro-stress`, alone and `-n 2`.

Run it as `python tests/benchmarks/stress_rate.py [ITERATIONS] [--rounds R] [--only-ours]`, on a quiet
machine; a million iterations are for `--only-ours`. The rate is that of a whole session less the time of a
session of one iteration, so start-up is left out; the session's own time stands beside it. Each number is the
best of all rounds: the others measured other work of the machine. The memory is that of the largest process.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from pytest_repro.clock import monotonic_ns

ITERATIONS = 5000
ROUNDS = 3
# hypothesis comes with the project's development and spends most of a second at the end of each session.
PYTEST = (sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:hypothesispytest")
REPEAT = ("-p", "no:repro", "--count")
OURS = ("--repro-stress",)
MODES: dict[str, tuple[str, ...]] = {"alone": (), "-n 2": ("-n2",)}
# Linux counts in KiB, macOS in bytes.
MEMORY_UNIT_BYTES = 1 if sys.platform == "darwin" else 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """One session, or the best of several.

    Attributes:
        duration_ns: Of the whole process.
        memory_bytes: Peak of its largest process, workers included.
    """

    duration_ns: int
    memory_bytes: int


def session(folder: Path, *arguments: str) -> Measured:
    """Runs one pytest process.

    Raises:
        RuntimeError: The session did not pass.
    """
    began_ns = monotonic_ns()
    with (folder / "output.txt").open("wb") as output:
        process = subprocess.Popen(
            (*PYTEST, *arguments),
            cwd=folder,
            stdout=output,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
        )
        # Not Popen.wait: wait4 tells the memory of this process and of the workers that it waited for.
        _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    duration_ns = monotonic_ns() - began_ns
    if process.returncode != 0:
        text = (folder / "output.txt").read_text(encoding="utf-8", errors="replace")
        raise RuntimeError(
            f"exit status {process.returncode} of pytest {' '.join(arguments)}:\n{text[-3000:]}"
        )
    return Measured(duration_ns=duration_ns, memory_bytes=usage.ru_maxrss * MEMORY_UNIT_BYTES)


def best(folder: Path, rounds: int, *arguments: str) -> Measured:
    """Returns the shortest duration and the smallest peak of several sessions."""
    measured = [session(folder, *arguments) for _ in range(rounds)]
    return Measured(
        duration_ns=min(one.duration_ns for one in measured),
        memory_bytes=min(one.memory_bytes for one in measured),
    )


def rate(
    folder: Path, iterations: int, rounds: int, tool: tuple[str, ...], mode: tuple[str, ...]
) -> tuple[float, Measured]:
    """Returns iterations a second without start-up, and the whole session."""
    one = best(folder, rounds, *tool, "1", *mode)
    all_of_them = best(folder, rounds, *tool, str(iterations), *mode)
    return (iterations - 1) / (max(all_of_them.duration_ns - one.duration_ns, 1) / 1e9), all_of_them


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("iterations", nargs="?", type=int, default=ITERATIONS)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--only-ours", action="store_true", help="leave pytest-repeat out")
    options = parser.parse_args()
    tools = (
        {"--repro-stress": OURS} if options.only_ours else {"pytest-repeat": REPEAT, "--repro-stress": OURS}
    )
    sys.stdout.write(f"an empty test, {options.iterations:,} iterations, best of {options.rounds}\n")
    sys.stdout.write(f"{'':<22}{'iterations/s':>14}{'each':>12}{'session':>12}{'memory':>12}{'ratio':>8}\n")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "test_empty.py").write_text("def test_empty():\n    pass\n", encoding="utf-8")
        for mode, workers in MODES.items():
            base = None
            for tool, arguments in tools.items():
                a_second, whole = rate(folder, options.iterations, options.rounds, arguments, workers)
                base = base or a_second
                sys.stdout.write(
                    f"{tool + ', ' + mode:<22}{a_second:>14,.0f}{1e6 / a_second:>9,.1f} us"
                    f"{whole.duration_ns / 1e9:>10.2f} s{whole.memory_bytes / 1e6:>9.0f} MB"
                    f"{a_second / base:>7.1f}x\n"
                )
                sys.stdout.flush()


if __name__ == "__main__":
    main()
