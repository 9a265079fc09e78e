"""What people see while the gate goes on, on a terminal and elsewhere."""

from __future__ import annotations

import re
import sys

import pytest

from tests.acceptance.sessions import run_pytest
from tests.acceptance.terminals import rows_after, run_on_terminal

if sys.platform == "win32":
    pytest.skip("pseudo-terminals", allow_module_level=True)

SLOW = """
import pytest, time

@pytest.mark.parametrize("i", range(8))
def test_a(i):
    time.sleep(0.15)
"""

TESTS = re.compile(r"verify: run \d of 2(, \d of 8 tests)?(, \d+ s)?(, about \d+ s left)?")
ITERATIONS = re.compile(r"verify: run \d of 2(, \d+ of 400 iterations)?(, \d+ s)?(, about \d+ s left)?")


@pytest.mark.parametrize(
    ("arguments", "pattern", "told"),
    [((), TESTS, " of 8 tests, "), (("--repro-stress=50",), ITERATIONS, " of 400 iterations, ")],
    ids=["tests", "iterations"],
)
def test_a_terminal_shows_run_progress_and_time(
    pytester: pytest.Pytester, arguments: tuple[str, ...], pattern: re.Pattern[str], told: str
) -> None:
    """In one live line of which nothing is kept."""
    pytester.makepyfile(SLOW.replace("0.15", "0.003") if arguments else SLOW)
    session = run_on_terminal(pytester, "--verify-runs=2", *arguments, columns=72)
    assert session.ret == 0
    shown = {row for screen in session.screens() for row in screen if row.startswith("verify: run ")}
    assert all(pattern.fullmatch(row) for row in shown), shown
    assert {row.partition(",")[0] for row in shown} == {"verify: run 1 of 2", "verify: run 2 of 2"}
    assert any(told in row and "left" in row for row in shown), shown
    rows = session.final_rows()
    assert rows == rows_after(session.raw_without_live_line, columns=72)
    assert not any(row.startswith("verify: run ") for row in rows)


def test_a_terminal_breaks_the_verdict_between_words(pytester: pytest.Pytester) -> None:
    """And leaves commands whole: they are to be copied."""
    pytester.makepyfile("def test_a():\n    pass\n\ndef test_b():\n    assert False\n")
    passed = run_on_terminal(pytester, "--verify-runs=1", "-k", "not test_b", columns=50).final_rows()
    assert "stable: 1 of 1 runs passed: a failure rate above" in passed
    assert "  95 % is ruled out at 95 % confidence" in passed
    failed = run_on_terminal(pytester, "--verify-runs=1", columns=50)
    assert re.search(rb"run 1 again: PYTHONHASHSEED=\d+ python -m pytest\r?\n", failed.raw)


def test_elsewhere_a_line_stays_now_and_then(pytester: pytest.Pytester) -> None:
    """In a CI's log somebody waits too."""
    pytester.makepyfile(SLOW)
    pytester.makepyfile(
        fastclock="import pytest_repro.plugin.gate as gate\n"
        "real = gate.monotonic_ns\ngate.monotonic_ns = lambda: real() * 20\n"
    )
    result = run_pytest(pytester, "-p", "fastclock", "--verify-runs=2")
    result.stdout.re_match_lines([r"verify: run 1 of 2, \d of 8 tests, \d+ s, about .* left$"])


def test_a_quiet_gate_says_its_verdict_alone(pytester: pytest.Pytester) -> None:
    """`-qq` shows no progress; what the runs came to is what was asked for."""
    pytester.makepyfile(SLOW)
    session = run_on_terminal(pytester, "--verify-runs=1", "-qq", columns=72)
    assert session.live_texts == []
    assert any(row.startswith("stable: ") for row in session.final_rows())
