"""Reads a generated CI log of many megabytes, and prints how fast that is and how much memory it takes.

Run it as `python tests/benchmarks/log_reading.py [MEGABYTES] [file|stdin|zip]`: 100 and `file` by default,
500 is what the reader is promised for. In GitHub's raw format: build output, in the middle a session on four
workers, more build output, and a session at the end; in both, tests fail. Reading and copying (with secrets
masked) are told apart, and processor time from time on the clock.
"""

from __future__ import annotations

import resource
import sys
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from io import StringIO
from pathlib import Path

from pytest_repro.clock import monotonic_ns
from pytest_repro.logs.places import opened_log
from pytest_repro.logs.reader import read_whole_log

STAMP = "2026-11-01T10:{minute:02}:{second:02}.1234567Z "
BUILD = (
    "[{n}/99999] Building CXX object tt_metal/impl/CMakeFiles/impl.dir/dispatch/command_queue_{n}.cpp.o",
    "/home/runner/work/a/a/src/file_{n}.cpp:{n}:12: warning: unused variable 'x_{n}' [-Wunused-variable]",
    "  Downloading some_package-1.{n}-cp311-cp311-manylinux_2_17_x86_64.whl (1.8 MB)",
    "2026-11-01 10:00:00.123 | info     | Metal | Opening device {n} (device.cpp:77)",
)
TEST = "[gw{w}] [ {p}%] {status} tests/unit/test_module_{m}.py::TestClass::test_case[shape{n}-bfloat16-tile] "
BLOCK = """\
____________________ TestClass.test_case[shape{n}-bfloat16-tile] ____________________
    def test_case(self, shape):
>       assert run(shape) == 3
E       assert {n} == 3
tests/unit/test_module_{m}.py:12: AssertionError"""
FAILING_SHARE = 10_000
SESSION_TESTS = 50_000
HELD_LINES = 10_000


def log_text(size_bytes: int) -> Iterator[str]:
    """Yields the lines of a log of about this size, without their times."""
    yield "##[group]Run make && pytest -v -n 4 tests"
    yield "##[endgroup]"
    yield from build(size_bytes // 2)
    yield from session(min(SESSION_TESTS, size_bytes // 500))
    yield "##[error]Process completed with exit code 1."
    yield "##[group]Run make && pytest -v -n 4 tests"
    yield "##[endgroup]"
    yield from build(size_bytes // 2)
    yield from session(FAILING_SHARE)
    yield "##[error]Process completed with exit code 1."


def build(size_bytes: int) -> Iterator[str]:
    """Yields what compilers and installers print."""
    written = number = 0
    while written < size_bytes:
        line = BUILD[number % len(BUILD)].format(n=number)
        yield line
        written += len(line) + len(STAMP.format(minute=0, second=0)) + 1
        number += 1


def session(tests: int) -> Iterator[str]:
    """Yields a session in which one test of `FAILING_SHARE` fails."""
    yield "============================= test session starts =============================="
    failed = [number for number in range(1, tests + 1) if number % FAILING_SHARE == 0]
    for number in range(1, tests + 1):
        status = "PASSED" if number % FAILING_SHARE else "FAILED"
        yield TEST.format(w=number % 4, p=number * 99 // tests, status=status, m=number % 300, n=number)
    yield "=================================== FAILURES ==================================="
    for number in failed:
        yield from BLOCK.format(n=number, m=number % 300).splitlines()
    yield f"======================== {len(failed)} failed, 9 passed in 100.00s ========================"


def write_log(path: Path, size_bytes: int) -> None:
    """Writes it with a time before each line."""
    with path.open("w", encoding="utf-8") as file:
        for number, line in enumerate(log_text(size_bytes)):
            stamp = STAMP.format(minute=number // 60_000 % 60, second=number // 1000 % 60)
            file.write(f"{stamp}{line}\n")


def place_of(path: Path, kind: str) -> Path:
    """Packs the log where it is to be read from an archive."""
    if kind != "zip":
        return path
    archive = path.with_suffix(".zip")
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as target:
        target.write(path, "0_build.txt")
    path.unlink()
    return archive


class Dropped(StringIO):
    """Takes a copy, and keeps nothing of it."""

    def write(self, text: str, /) -> int:
        """Returns its length."""
        return len(text)


def timed(work: Callable[[], object], megabytes: int) -> str:
    """Does the work, and says how long it took."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_utime
    began_ns = monotonic_ns()
    work()
    took_s = (monotonic_ns() - began_ns) / 1e9
    busy_s = resource.getrusage(resource.RUSAGE_SELF).ru_utime - before
    return f"{took_s:.1f} s, {busy_s:.1f} s of processor time, {megabytes / max(busy_s, 1e-9):.1f} MB/s"


def main() -> None:
    """Writes, reads, copies, and prints a line for each."""
    megabytes = int(sys.argv[1]) if len(sys.argv) > 1 else 100
    kind = sys.argv[2] if len(sys.argv) > 2 else "file"
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "ci.log")
        write_log(path, megabytes * 10**6)
        path = place_of(path, kind)
        resident = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        with (
            path.open("rb") as stdin,
            opened_log(["-" if kind == "stdin" else str(path)], stdin=stdin) as log,
        ):
            read = []
            reading = timed(lambda: read.append(read_whole_log(log)), megabytes)
            report, masker = read[0]
            copying = timed(lambda: log.copy(Dropped(), masker), megabytes)
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    sys.stdout.write(
        f"{megabytes} MB from {kind}, {report.line_count:,} lines, {len(report.failures)} failing tests\n"
        f"reading: {reading}\ncopying: {copying}\n"
        f"{resident:.0f} MB resident before, {most:.0f} MB at most\n"
    )


if __name__ == "__main__":
    main()
