"""Reads a generated CI log of many megabytes, and prints how fast that is and how much memory it takes.

Run it as `python tests/benchmarks/log_reading.py [MEGABYTES]`, 500 by default: in GitHub's raw format, first
long build output, then a verbose session on four workers in which one test in ten thousand fails.
"""

from __future__ import annotations

import resource
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from pytest_repro.clock import monotonic_ns
from pytest_repro.logs.places import opened_log
from pytest_repro.logs.reader import read_whole_log

STAMP = "2026-11-01T10:00:00.1234567Z "
BUILD = "[{n}/99999] Building CXX object tt_metal/impl/CMakeFiles/impl.dir/dispatch/command_queue_{n}.cpp.o"
TEST = "[gw{w}] [ {p}%] {status} tests/unit/test_module_{m}.py::TestClass::test_case[shape{n}-bfloat16-tile] "
BLOCK = """\
____________________ TestClass.test_case[shape{n}-bfloat16-tile] ____________________
    def test_case(self, shape):
>       assert run(shape) == 3
E       assert {n} == 3
tests/unit/test_module_{m}.py:12: AssertionError"""


def log_text(size_bytes: int) -> Iterator[str]:
    """Yields the lines of a log of about this size."""
    yield "##[group]Run pytest -v -n 4 tests"
    written, number = 0, 0
    while written < size_bytes // 2:
        line = BUILD.format(n=number)
        yield line
        written += len(line) + len(STAMP)
        number += 1
    yield "============================= test session starts =============================="
    failed = []
    while written < size_bytes:
        number += 1
        status = "PASSED"
        if number % 10_000 == 0:
            failed.append(number)
            status = "FAILED"
        line = TEST.format(
            w=number % 4, p=written * 99 // size_bytes, status=status, m=number % 300, n=number
        )
        yield line
        written += len(line) + len(STAMP)
    yield "=================================== FAILURES ==================================="
    for number in failed:
        yield from BLOCK.format(n=number, m=number % 300).splitlines()
    yield f"======================== {len(failed)} failed, 9 passed in 100.00s ========================"


def main() -> None:
    """Writes, reads, and prints one line."""
    megabytes = int(sys.argv[1]) if len(sys.argv) > 1 else 500
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "ci.log")
        with path.open("w", encoding="utf-8") as file:
            file.writelines(f"{STAMP}{line}\n" for line in log_text(megabytes * 10**6))
        before = resource.getrusage(resource.RUSAGE_SELF)
        began_ns = monotonic_ns()
        with opened_log([str(path)]) as log:
            report, _ = read_whole_log(log)
        took_s = (monotonic_ns() - began_ns) / 1e9
        after = resource.getrusage(resource.RUSAGE_SELF)
    busy_s = after.ru_utime - before.ru_utime
    sys.stdout.write(
        f"{megabytes} MB, {report.line_count:,} lines, {len(report.failures)} failing tests: {took_s:.1f} s, "
        f"{busy_s:.1f} s of processor time, {megabytes / busy_s:.1f} MB/s, "
        f"{before.ru_maxrss / 1024:.0f} MB resident before, {after.ru_maxrss / 1024:.0f} MB at most\n"
    )


if __name__ == "__main__":
    main()
