"""Cheap looks at a line, which come before patterns, and must not keep any line from its pattern."""

from __future__ import annotations

import io
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_repro.logs.evidence import Evidence
from pytest_repro.logs.patterns import (
    BOUNDARY,
    FINAL,
    LETTERS,
    PROGRESS,
    WITH_WORKERS,
    final_of,
    is_boundary,
    tells_workers,
)
from pytest_repro.logs.progress_letters import read_letters
from pytest_repro.logs.reader import read_log
from pytest_repro.logs.records import LogLine


def lines_of(pattern: re.Pattern[str]) -> st.SearchStrategy[str]:
    return st.from_regex(pattern, fullmatch=True).filter(lambda line: "\n" not in line)


@settings(max_examples=12)
@given(lines_of(FINAL))
def test_every_last_line_is_found(line: str) -> None:
    assert final_of(line) is not None


@settings(max_examples=40)
@given(lines_of(WITH_WORKERS))
def test_every_line_about_workers_is_found(line: str) -> None:
    assert tells_workers(line)


@settings(max_examples=60)
@given(lines_of(BOUNDARY))
def test_every_boundary_is_found(line: str) -> None:
    assert is_boundary(line)


@settings(max_examples=40)
@given(lines_of(PROGRESS) | lines_of(LETTERS))
def test_every_line_of_letters_is_read(line: str) -> None:
    session = Evidence(line=1)
    assert read_letters(LogLine(number=1, text=line), line.rstrip(), session, lambda _: session)


@pytest.mark.parametrize("line", ["nox > Running session tests", "py311: commands[0]> pytest", "##[group]x"])
def test_lines_of_other_runners_are_boundaries(line: str) -> None:
    assert is_boundary(line)


@pytest.mark.parametrize(
    "line",
    [
        "worker 'gw1' crashed while running 'tests/test_a.py::test_a'",
        "[gw1] node down: Not properly terminated",
        "terminate called after throwing an instance of 'std::runtime_error'",
        "Fatal Python error: Segmentation fault",
        "Windows fatal exception: access violation",
        "/tmp/x.sh: line 3: 17 Segmentation fault      (core dumped) ./run",
        "Killed                  python -m pytest tests",
        "+++++++++++++++++++++++++++++++++++ Timeout +++++++++++++++++++++++++++++++++++",
        "Timeout: aborting tests",
        "~~~~~~~~~~~~~~~~~~~~~~~ Stack of MainThread (140) ~~~~~~~~~~~~~~~~~~~~~~~",
        "Command took >30min, returning 124",
        "##[error]The operation was canceled.",
        "Error: The action has timed out.",
        "::error::The job has exceeded the maximum execution time of 6h0m0s",
        "The runner has received a shutdown signal.",
        "##[error]The hosted runner lost communication with the server.",
        "The self-hosted runner lost communication with the server.",
        "##[error]The action 'Run tests' has timed out after 10 minutes.",
        "ERROR: Job failed: execution took longer than 1h0m0s seconds",
        "ERROR: Job failed (system failure): the daemon is gone",
        "ERROR: Job failed: canceled",
        "Cancelling nested steps due to timeout",
        "Build timed out (after 60 minutes). Marking the build as aborted.",
        "Too long with no output (exceeded 10m0s)",
        "No output has been received in the last 10m0s",
        "The job exceeded the maximum time limit for jobs, and has been terminated.",
        "make: *** [check] exited with code 139",
        "the timeout fired, returning 124",
        "2026 | critical | Always | TT_FATAL: out of memory",
        "TT_THROW @ device.cpp:12: x",
        "Read unexpected run_mailbox value: 0x40",
        "Device 0: potential hang detected on core",
        "Timeout waiting for Ethernet core service",
        "RuntimeError: CUDA error: an illegal memory access was encountered",
        "device timeout, potential hang",
        "Device 3: Timeout of 10 s",
    ],
)
def test_every_word_of_an_accident_is_a_signal(line: str) -> None:
    """What ends a test from outside is told, in each of its forms, in the middle of an ordinary log."""
    report = read_log(io.BytesIO(f"building\n{line}\nbuilding\n".encode()))
    assert {signal.line for signal in report.signals} == {2}
