from __future__ import annotations

import io
import re
import sys

import pytest

from pytest_repro.cli.scaffold_progress import ProgressLines, shown_progress

MEGABYTE = 10**6


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def written(monkeypatch: pytest.MonkeyPatch, stream: io.StringIO, *, quiet: bool = False) -> str:
    """What is written to standard error while 500 MB are read."""
    monkeypatch.setattr(sys, "stderr", stream)
    with shown_progress(quiet=quiet) as progress:
        progress.begin("reading", 500 * MEGABYTE)
        for _ in range(500):
            progress.advance(MEGABYTE)
    return stream.getvalue()


@pytest.mark.parametrize("columns", [80, 200])
@pytest.mark.parametrize("colour", [True, False], ids=["colour", "no colour"])
def test_a_bar_fits_the_window_with_sizes_and_speed(
    columns: int, colour: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In one line, in one kind of unit, and gone at the end."""
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLUMNS", str(columns))
    monkeypatch.delenv("FORCE_COLOR", raising=False)
    monkeypatch.delenv("NO_COLOR", raising=False)
    if not colour:
        monkeypatch.setenv("NO_COLOR", "1")
    text = written(monkeypatch, Terminal())
    plain = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", text)
    shown = [line.rstrip() for line in re.split(r"[\r\n]", plain) if "500.0/500.0 MB" in line]
    assert shown
    assert re.fullmatch(r"reading the log \u2501+ 500\.0/500\.0 MB (?:[\d.,]+ [kMGT]?B/s|\?)", shown[-1])
    assert max(map(len, shown)) <= 80
    assert ("\x1b[3" in text) == bool(colour)
    assert text.endswith("\x1b[2K")


def test_a_terminal_that_draws_no_bar_gets_a_line_now_and_then(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "dumb")
    assert written(monkeypatch, Terminal()).splitlines() == [
        f"reading the log: {percent} % of 500 MB" for percent in (20, 40, 60, 80, 100)
    ]


@pytest.mark.parametrize("quiet", [True, False], ids=["quiet", "redirected"])
def test_nothing_is_written_where_nobody_wants_to_see_it(
    quiet: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With --quiet, and where standard error is a file."""
    assert written(monkeypatch, Terminal() if quiet else io.StringIO(), quiet=bool(quiet)) == ""


def test_what_is_soon_done_is_not_told_in_lines() -> None:
    """Neither a small log, nor one whose size nobody knows."""
    lines: list[str] = []
    progress = ProgressLines(lines.append)
    for total in (MEGABYTE, None):
        progress.begin("reading", total)
        progress.advance(MEGABYTE)
    assert lines == []
