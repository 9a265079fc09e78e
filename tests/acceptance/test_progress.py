"""What people see while a stress run goes on: on terminals of several widths, and where there is none."""

from __future__ import annotations

import re
import sys

import pytest

from tests.acceptance.sessions import run_pytest, session_folder
from tests.acceptance.terminals import rows_after, run_on_terminal

if sys.platform == "win32":
    pytest.skip("pseudo-terminals", allow_module_level=True)

UNSTEADY = """
import time, pytest

def test_first():
    time.sleep(0.002)

def test_unsteady(repro):
    time.sleep(0.002)
    assert repro.iteration not in (50, 90)

@pytest.mark.parametrize("size", [1, 2])
def test_more(size):
    time.sleep(0.002)
"""

FAST_CLOCK = """
import time
import pytest_repro.plugin

pytest_repro.plugin.monotonic_ns = lambda: time.perf_counter_ns() * 100
"""
"""For the plugin, a session of a second takes a hundred."""

LIVE = re.compile(r"stress: [\d,]+( of [\d,]+)?( iterations)?(, (no failure|[\d,]+ failures?).*)?")
PLAIN = re.compile(
    r"stress: [\d,]+ of 400 iterations, (no failure|\d failures? \(1 bug\)), "
    # By such a clock an iteration may take long, too.
    r"([\d,.]+/(s|min), .* left|\d+ s in test_\w+)"
)

ALONE_AND_WITH_WORKERS = pytest.mark.parametrize("workers", [(), ("-n2",)], ids=["alone", "n2"])


@ALONE_AND_WITH_WORKERS
@pytest.mark.parametrize("columns", [40, 80, 200])
def test_a_terminal_shows_one_live_line_and_keeps_nothing_of_it(
    pytester: pytest.Pytester, workers: tuple[str, ...], columns: int
) -> None:
    """Below what pytest writes, never wrapped, gone before the next thing that stays."""
    pytester.makepyfile(UNSTEADY)
    session = run_on_terminal(pytester, "--repro-stress=100", "--repro-seed=1", *workers, columns=columns)
    assert session.ret == 1
    shown = set()
    for screen in session.screens():
        while screen and not screen[-1]:
            screen.pop()
        live = [row for row in screen if row.startswith("stress: ")]
        assert live in ([], screen[-1:])
        assert all(LIVE.fullmatch(row) and len(row) < columns for row in live)
        shown.update(live)
    assert len(shown) > 2
    rows = session.final_rows()
    assert rows == rows_after(session.raw_without_live_line, columns=columns)
    assert not any(row.startswith("stress: ") for row in rows)
    assert any("= stress =" in row for row in rows)


@pytest.mark.parametrize(
    "arguments",
    [
        ("-v", "-n2"),
        ("-x", "-n2"),
        ("-x", "-o", "console_output_style=classic"),
        ("-v", "-o", "console_output_style=count"),
        ("-p", "no:xdist", "-p", "no:logging", "--repro-stop=1"),
    ],
    ids=" ".join,
)
def test_the_live_line_gets_along_with_all_that_pytest_writes(
    pytester: pytest.Pytester, arguments: tuple[str, ...]
) -> None:
    """Lines of `-v`, dots in all styles, sessions that end early."""
    pytester.makepyfile(UNSTEADY)
    session = run_on_terminal(pytester, "--repro-stress=100", "--repro-seed=1", *arguments)
    assert session.ret == 1
    assert len(session.live_texts) > 2
    assert session.final_rows() == rows_after(session.raw_without_live_line, columns=80)


@ALONE_AND_WITH_WORKERS
def test_an_interrupt_leaves_nothing_of_the_live_line(
    pytester: pytest.Pytester, workers: tuple[str, ...]
) -> None:
    """Ctrl-C while it is shown."""
    pytester.makepyfile(UNSTEADY)
    session = run_on_terminal(pytester, "--repro-stress=100000", *workers, interrupt_after=rb"stress: [1-9]")
    assert session.ret == pytest.ExitCode.INTERRUPTED
    rows = session.final_rows()
    assert rows == rows_after(session.raw_without_live_line, columns=80)
    assert any("KeyboardInterrupt" in row for row in rows)


def test_the_lines_about_a_crashed_worker_stand_for_themselves(pytester: pytest.Pytester) -> None:
    """They come in the place of the live line, which comes back below them."""
    pytester.makepyfile(
        """
        import os, time

        def test_crash(repro):
            time.sleep(0.005)
            if repro.iteration == 50:
                os._exit(1)

        def test_more():
            time.sleep(0.005)
        """
    )
    session = run_on_terminal(pytester, "--repro-stress=200", "-n2")
    assert session.ret == 1
    rows = session.final_rows()
    assert rows == rows_after(session.raw_without_live_line, columns=80)
    assert any(
        row.startswith(("[gw0] the process died with exit status 1 in", "[gw1] the process died"))
        for row in rows
    )
    assert not any("node down" in row or "replacing crashed" in row for row in rows)
    assert any(", 1 failure (1 bug)" in text for text in session.live_texts)


def test_the_live_line_has_the_colours_of_pytest_and_only_where_pytest_has_any(
    pytester: pytest.Pytester,
) -> None:
    """Green, and red from the first failure on; not with --color=no or NO_COLOR."""
    pytester.makepyfile(UNSTEADY)
    coloured = run_on_terminal(pytester, "--repro-stress=100").live_texts
    assert coloured[0].startswith("\x1b[32mstress: ")
    assert coloured[-1].startswith("\x1b[31mstress: ")
    plain = run_on_terminal(pytester, "--repro-stress=20", "--color=no").live_texts
    plain += run_on_terminal(pytester, "--repro-stress=20", environ={"NO_COLOR": "1"}).live_texts
    assert all(LIVE.fullmatch(text) for text in plain)


def test_a_quiet_session_has_a_short_live_line(pytester: pytest.Pytester) -> None:
    """No rate and no time left, however wide the terminal is."""
    pytester.makepyfile(UNSTEADY)
    texts = run_on_terminal(pytester, "--repro-stress=100", "-q", "--color=no", columns=200).live_texts
    assert len(texts) > 2
    assert all(re.fullmatch(r"stress: \d+ of 400, (no failure|[12] failures?)", text) for text in texts)


@pytest.mark.parametrize(
    ("arguments", "environ"),
    [
        ((), {"TERM": "dumb"}),
        ((), {"CI": "true"}),
        (("-s",), {}),
        (("--capture=tee-sys",), {}),
        (("--setup-show",), {}),
        (("--log-cli-level=info",), {}),
        (("-qq",), {}),
        (("-p", "no:terminal"), {}),
    ],
    ids=["dumb", "ci", "s", "tee-sys", "setup-show", "log-cli", "qq", "no-terminal"],
)
def test_no_live_line_is_shown_where_it_would_be_in_the_way(
    pytester: pytest.Pytester, arguments: tuple[str, ...], environ: dict[str, str]
) -> None:
    """Terminals that cannot rewrite, output of tests that nobody captures, sessions that say nothing."""
    pytester.makepyfile("def test_packet():\n    print('a packet')")
    session = run_on_terminal(pytester, "--repro-stress=20", *arguments, environ=environ)
    assert session.ret == 0
    assert session.live_texts == []
    assert b"\x1b7" not in session.raw


@pytest.mark.parametrize("arguments", [("-n2",), ("-v",), ("-v", "-n2"), ("-s", "--color=yes")], ids=" ".join)
def test_without_a_terminal_a_plain_line_comes_every_ten_seconds(
    pytester: pytest.Pytester, arguments: tuple[str, ...]
) -> None:
    """By a clock that is a hundred times as fast; each stands in a row of its own."""
    pytester.makepyfile(UNSTEADY)
    pytester.makeconftest(FAST_CLOCK)
    result = run_pytest(pytester, "--repro-stress=100", "--repro-seed=1", *arguments)
    assert result.ret == 1
    lines = [line for line in result.outlines if "stress: " in line]
    assert len(lines) > 3
    assert all(PLAIN.fullmatch(line) for line in lines)
    assert not re.search(r"[\x00-\x08\x0b-\x1f]", "".join(lines))
    if "--color=yes" not in arguments:
        assert not re.search(r"[\x00-\x08\x0b-\x1f]", "".join(result.outlines))


@pytest.mark.slow
def test_a_quiet_session_without_a_terminal_has_no_plain_lines(pytester: pytest.Pytester) -> None:
    """As pytest itself then writes dots and the end."""
    pytester.makepyfile(UNSTEADY)
    pytester.makeconftest(FAST_CLOCK)
    result = run_pytest(pytester, "--repro-stress=100", "-q")
    assert result.ret == 1
    result.stdout.no_fnmatch_line("*stress: *")


@pytest.mark.slow
def test_a_session_of_less_than_ten_seconds_has_no_plain_lines(pytester: pytest.Pytester) -> None:
    """By the true clock."""
    pytester.makepyfile(UNSTEADY)
    result = run_pytest(pytester, "--repro-stress=100")
    assert result.ret == 1
    result.stdout.no_fnmatch_line("*stress: *")


def test_the_output_of_a_run_of_the_gate_has_plain_lines(pytester: pytest.Pytester) -> None:
    """It is a file."""
    pytester.makepyfile(UNSTEADY)
    pytester.makeconftest(FAST_CLOCK)
    result = run_pytest(pytester, "--verify-runs=1", "--repro-stress=100", "--repro-seed=1")
    assert result.ret == 1
    output = (session_folder(pytester) / "verify_run_1.txt").read_text(encoding="utf-8")
    lines = [line for line in output.splitlines() if "stress: " in line]
    assert len(lines) > 3
    assert all(PLAIN.fullmatch(line) for line in lines)
