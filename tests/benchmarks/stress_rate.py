"""Iterations a second: pytest-repeat, pytest-flakefinder, pytest's own protocol in a loop, `--repro-stress`.

Run it as `python tests/benchmarks/stress_rate.py [--tests NAME,...] [--sizes N,...] [--tools NAME,...]`, on a
quiet machine; with `--all` it measures a million iterations too, and what takes up to a quarter of an hour a
session. Each tool runs each test alone and under `-n 2`, the tools taking turns.

The rate is that of a whole session less the time of a session of one iteration of the same tool, so start-up
is left out; the session's own time stands beside it. A rate has a `~` where that difference is not well above
the scatter of start-up, and is a mere `~` where it is below. With fewer than 1,000 iterations start-up is
nearly all: there the rate is that of whole sessions. Times are the best of all rounds: the others measured
other work of the machine. The memory is that of the largest process. The ratio is against pytest-repeat with
the same test, size and mode. A `-` was not measured: its session was expected to take longer than
`--longest`, by the rate of the tool's next smaller size, or it was ended there.

runtestprotocol is what pytest itself takes for an iteration: its three stages and their reports, without
collecting it and sending its reports on. It is no tool, and means nothing under `-n`.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import importlib.util
import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pytest_repro.clock import monotonic_ns

SIZES = (100, 1_000, 20_000)
ALL_SIZES = (*SIZES, 1_000_000)
PILOTS = (1_000, 20_000)  # iterations: tell how long larger sizes will take, where no smaller is asked for
ROUNDS = 2
LONGEST_S = 30
LONGEST_OF_ALL_S = 900
WHOLE_BELOW = 1_000  # iterations: below, start-up is nearly all
# hypothesis comes with the project's development and spends most of a second at the end of each session.
PYTEST = (
    sys.executable,
    "-m",
    "pytest",
    "-q",
    "--color=no",
    "-p",
    "no:cacheprovider",
    "-p",
    "no:hypothesispytest",
)
MODES: dict[str, tuple[str, ...]] = {"alone": (), "-n 2": ("-n2",)}
# Linux counts in KiB, macOS in bytes.
MEMORY_UNIT_BYTES = 1 if sys.platform == "darwin" else 1024

TESTS = {
    "empty": "def test_it():\n    pass\n",
    "fixture": """\
import pytest


@pytest.fixture
def thing():
    yield object()


def test_it(thing):
    pass
""",
    "tmp_path": "def test_it(tmp_path, capsys):\n    pass\n",
    "sleep": "import time\n\n\ndef test_it():\n    time.sleep(0.001)\n",
}

PROTOCOL_LOOP = """\
import copy

import pytest
from _pytest.runner import runtestprotocol


def pytest_addoption(parser):
    parser.addoption("--protocol-loop", type=int)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_protocol(item, nextitem):
    # With the test's twin as the next item, only fixtures of function scope are torn down.
    twin = copy.copy(item)
    for left in reversed(range(item.config.getoption("--protocol-loop"))):
        reports = runtestprotocol(item, log=False, nextitem=twin if left else nextitem)
        assert all(report.passed for report in reports)
        if left:
            item._initrequest()
    for report in reports:
        item.ihook.pytest_runtest_logreport(report=report)
    return True
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tool:
    """One way to run a test many times.

    Attributes:
        arguments: For pytest, apart from the number.
        count: The option that takes the number.
        items: Whether pytest counts each iteration as a test.
        module: That must be installed.
        modes: Where it means something.
    """

    arguments: tuple[str, ...]
    count: str
    items: bool
    module: str
    modes: tuple[str, ...] = tuple(MODES)


WITHOUT_US = ("-p", "no:repro")
BASE = "pytest-repeat"
TOOLS = {
    BASE: Tool(arguments=WITHOUT_US, count="--count", items=True, module="pytest_repeat"),
    "pytest-flakefinder": Tool(
        arguments=(*WITHOUT_US, "--flake-finder"),
        count="--flake-runs",
        items=True,
        module="pytest_flakefinder",
    ),
    "runtestprotocol": Tool(
        arguments=(*WITHOUT_US, "-p", "protocol_loop"),
        count="--protocol-loop",
        items=False,
        module="pytest",
        modes=("alone",),
    ),
    "--repro-stress": Tool(arguments=(), count="--repro-stress", items=False, module="pytest_repro"),
}
DISTRIBUTIONS = ("pytest", "pytest-xdist", "pytest-repeat", "pytest-flakefinder", "pytest-repro")


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """One pytest process.

    Attributes:
        duration_ns: Of the whole process.
        memory_bytes: Peak of its largest process, workers included.
    """

    duration_ns: int
    memory_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """What is known of one tool, mode and number of iterations.

    Attributes:
        rate: Iterations a second; None where it drowns in the scatter.
        is_sure: Whether the rate stands well above the scatter.
        duration_ns: Of the shortest whole session.
        memory_bytes: The smallest peak.
    """

    rate: float | None
    is_sure: bool
    duration_ns: int
    memory_bytes: int


Key = tuple[str, str]  # tool and mode


def run_session(folder: Path, tool: Tool, mode: str, iterations: int, *, limit_s: float) -> Session | None:
    """Runs one pytest process; returns None if it was ended at the limit.

    Raises:
        RuntimeError: The session did not run and pass what it should.
    """
    temporary = folder / "temporary"
    temporary.mkdir()
    dropped = {"PYTEST_ADDOPTS", "PYTEST_PLUGINS", "PYTHONDONTWRITEBYTECODE"}
    environment = {name: value for name, value in os.environ.items() if name not in dropped}
    environment |= {
        # An installed wheel lies there compiled, so the package in the working tree shall too.
        "PYTHONPYCACHEPREFIX": str(folder / "compiled"),
        "PYTEST_DEBUG_TEMPROOT": str(temporary),
    }
    arguments = (*tool.arguments, f"{tool.count}={iterations}", *MODES[mode])
    output = folder / "output.txt"
    began_ns = monotonic_ns()
    with output.open("wb") as stream:
        process = subprocess.Popen(
            (*PYTEST, *arguments, "test_it.py"),
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=stream,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        limit = threading.Timer(limit_s, os.killpg, (process.pid, signal.SIGKILL))
        limit.daemon = True
        limit.start()
        try:
            # Not Popen.wait: wait4 tells the memory of this process and of the workers that it waited for.
            _, status, usage = os.wait4(process.pid, 0)
        except KeyboardInterrupt:
            os.killpg(process.pid, signal.SIGKILL)
            raise
        finally:
            limit.cancel()
    duration_ns = monotonic_ns() - began_ns
    process.returncode = os.waitstatus_to_exitcode(status)
    # Not in this process: a child's peak of memory starts from what this one has.
    subprocess.run(("rm", "-rf", temporary), check=True)
    if process.returncode == -signal.SIGKILL and duration_ns >= limit_s * 1e9:
        return None
    text = output.read_text(encoding="utf-8", errors="replace")
    passed = iterations if tool.items else 1
    if process.returncode != 0 or f"{passed} passed" not in text:
        raise RuntimeError(
            f"exit status {process.returncode} of pytest {' '.join(arguments)}:\n{text[-3000:]}"
        )
    return Session(duration_ns=duration_ns, memory_bytes=usage.ru_maxrss * MEMORY_UNIT_BYTES)


def work_and_scatter_ns(sessions: Sequence[Session], starts: Sequence[Session]) -> tuple[int, int]:
    """Returns what sessions took longer than those of one iteration, and how far off start-up may be."""
    start_durations = sorted(one.duration_ns for one in starts)
    # The best two of a few sessions lie as far apart as the best lies off, about.
    scatter_ns = start_durations[1] - start_durations[0] if start_durations[1:] else 0
    return min(one.duration_ns for one in sessions) - start_durations[0], scatter_ns


def cell_of(iterations: int, sessions: Sequence[Session], starts: Sequence[Session]) -> Cell:
    """Returns what these sessions, and those of one iteration, say."""
    whole_ns = min(one.duration_ns for one in sessions)
    work_ns, scatter_ns = work_and_scatter_ns(sessions, starts)
    a_second: float | None = None
    if iterations < WHOLE_BELOW:
        a_second, is_sure = iterations / (whole_ns / 1e9), True
    else:
        if work_ns > scatter_ns:
            a_second = (iterations - 1) / (work_ns / 1e9)
        is_sure = work_ns > max(2 * scatter_ns, whole_ns // 20)
    return Cell(
        rate=a_second,
        is_sure=is_sure,
        duration_ns=whole_ns,
        memory_bytes=min(one.memory_bytes for one in sessions),
    )


def expected_ns(iterations: int, smaller: int, sessions: Sequence[Session], starts: Sequence[Session]) -> int:
    """Returns what a session will take at the least, as those of a smaller number of iterations tell it."""
    work_ns, scatter_ns = work_and_scatter_ns(sessions, starts)
    start_ns = min(one.duration_ns for one in starts)
    return start_ns + max(work_ns - scatter_ns, 0) * iterations // smaller


class Measurement:
    """All sessions of one test.

    Attributes:
        ended: Cells whose session was ended because it took longer than was expected.
    """

    def __init__(self, folder: Path, keys: Sequence[Key], *, rounds: int, longest_s: float) -> None:
        self._folder = folder
        self._keys = keys
        self._rounds = rounds
        self._longest_s = longest_s
        self._sessions: dict[tuple[Key, int], list[Session]] = {}
        self.ended: set[tuple[Key, int]] = set()

    def measure(self, iterations: int, rounds: int | None = None) -> None:
        """Runs the sessions of this size, the tools taking turns."""
        for _ in range(self._rounds if rounds is None else rounds):
            for key in self._keys:
                if self._is_worth_it(key, iterations):
                    self._add(key, iterations)

    def cells(self, iterations: int) -> dict[Key, Cell]:
        """Returns what is known of this size."""
        return {
            key: cell_of(iterations, self._sessions[key, iterations], self._sessions[key, 1])
            for key in self._keys
            if (key, iterations) in self._sessions
        }

    def _add(self, key: Key, iterations: int) -> None:
        tool, mode = key
        session = run_session(self._folder, TOOLS[tool], mode, iterations, limit_s=self._longest_s)
        if session is None:
            self.ended.add((key, iterations))
        else:
            self._sessions.setdefault((key, iterations), []).append(session)

    def _is_worth_it(self, key: Key, iterations: int) -> bool:
        if any(one == key and size <= iterations for one, size in self.ended):
            return False
        own = [one.duration_ns for one in self._sessions.get((key, iterations), ())]
        if own:  # further rounds of a long session are left out
            return (sum(own) + own[-1]) / 1e9 <= self._longest_s / 2
        return self._expected_ns(key, iterations) / 1e9 <= self._longest_s

    def _expected_ns(self, key: Key, iterations: int) -> int:
        sizes = [size for one, size in self._sessions if one == key and 1 < size < iterations]
        if not sizes:
            return 0
        smaller = max(sizes)
        return expected_ns(iterations, smaller, self._sessions[key, smaller], self._sessions[key, 1])


def table(
    iterations: int, cells: Mapping[Key, Cell], tools: Sequence[str], ended: Mapping[Key, float]
) -> Iterator[str]:
    """Yields the lines for one test and size, below 100 columns.

    Args:
        iterations: The size.
        cells: What was measured.
        tools: The rows.
        ended: Seconds after which a session was ended.
    """
    for tool in tools:
        line = f"  {tool:<19}"
        for mode in MODES:
            cell, base = cells.get((tool, mode)), cells.get((BASE, mode))
            if not importlib.util.find_spec(TOOLS[tool].module):
                line += f"{'not installed' if mode == 'alone' else '':>37}"
            elif cell is None:
                after_s = ended.get((tool, mode))
                line += f"{'-':>11}{f'>{after_s:.0f} s' if after_s else '-':>10}{'-':>9}{'-':>8}"
            else:
                line += (
                    f"{rate(cell):>11}{cell.duration_ns / 1e9:>8.2f} s"
                    f"{cell.memory_bytes / 1e6:>6.0f} MB{ratio(cell, base):>8}"
                )
        yield line.rstrip()


def rate(cell: Cell) -> str:
    """Returns the words for a rate."""
    number = "" if cell.rate is None else f"{cell.rate:,.0f}"
    return number if cell.is_sure else f"~{number}"


def ratio(cell: Cell, base: Cell | None) -> str:
    """Returns the words for a rate against that of pytest-repeat."""
    if base is None or base.rate is None or cell.rate is None:
        return "-"
    return f"{'' if cell.is_sure and base.is_sure else '~'}{cell.rate / base.rate:.1f}x"


def heading() -> Iterator[str]:
    """Yields the lines above all tables."""
    versions = ", ".join(
        f"{name.removeprefix('pytest-')} {importlib.metadata.version(name)}"
        for name in DISTRIBUTIONS
        if importlib.util.find_spec(name.replace("-", "_").replace("pytest_xdist", "xdist"))
    )
    python = sys.version.split()[0]
    load = os.getloadavg()[0]
    yield f"Python {python}, {versions}"
    yield f"{os.cpu_count()} cores, load {load:.1f}"
    yield f"{'':<21}{'alone':^38}{'-n 2':^38}".rstrip()
    yield f"{'':<21}" + f"{'rate/s':>11}{'session':>10}{'memory':>9}{'ratio':>8}" * 2


def say(*lines: str) -> None:
    """Prints lines at once: the next may take minutes."""
    sys.stdout.write("".join(f"{line}\n" for line in lines))
    sys.stdout.flush()


def measure_test(folder: Path, test: str, options: argparse.Namespace) -> None:
    """Measures and prints all sizes of one test."""
    (folder / "test_it.py").write_text(TESTS[test], encoding="utf-8")
    keys = [
        (name, mode)
        for name in options.tools
        for mode in TOOLS[name].modes
        if importlib.util.find_spec(TOOLS[name].module)
    ]
    measurement = Measurement(folder, keys, rounds=options.rounds, longest_s=options.longest)
    for name, mode in keys:
        run_session(folder, TOOLS[name], mode, 1, limit_s=options.longest)  # compiles what is not yet
    measurement.measure(1, rounds=options.rounds + 1)
    for size in PILOTS:
        if size < min(options.sizes):
            measurement.measure(size, rounds=1)
    for size in sorted(options.sizes):
        measurement.measure(size)
        ended = {key: options.longest for key, at in measurement.ended if at == size}
        whole = ", whole sessions" if size < WHOLE_BELOW else ""
        say(
            f"{test}, {size:,} iterations{whole}",
            *table(size, measurement.cells(size), options.tools, ended),
        )


def names(known: Iterable[str]) -> Callable[[str], list[str]]:
    """Returns a reader of names with commas between them."""
    choices = list(known)

    def read(text: str) -> list[str]:
        chosen = [name.strip() for name in text.split(",")]
        for name in chosen:
            if name not in choices:
                raise argparse.ArgumentTypeError(f"{name!r} is none of {', '.join(choices)}")
        return chosen

    return read


def numbers(text: str) -> list[int]:
    """Reads numbers with commas between them."""
    return [int(number) for number in text.split(",")]


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--tests", type=names(TESTS), default=list(TESTS), help=", ".join(TESTS))
    parser.add_argument("--tools", type=names(TOOLS), default=list(TOOLS), help=", ".join(TOOLS))
    parser.add_argument("--sizes", type=numbers, metavar="N,...", help="iterations")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="most sessions of each kind (%(default)s)")
    parser.add_argument(
        "--longest",
        type=float,
        metavar="SECONDS",
        help=f"of a session; expected longer, it is left out ({LONGEST_S}; {LONGEST_OF_ALL_S} with --all)",
    )
    parser.add_argument("--all", action="store_true", help="measure what takes long too")
    options = parser.parse_args()
    if options.longest is None:
        options.longest = LONGEST_OF_ALL_S if options.all else LONGEST_S
    options.sizes = options.sizes or (ALL_SIZES if options.all else SIZES)
    if options.rounds < 1 or min(options.sizes) < 2:
        parser.error("--rounds starts from 1, --sizes from 2")
    say(*heading())
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "protocol_loop.py").write_text(PROTOCOL_LOOP, encoding="utf-8")
        for test in options.tests:
            measure_test(folder, test, options)


if __name__ == "__main__":
    main()
