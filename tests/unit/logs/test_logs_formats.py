from __future__ import annotations

import io

import pytest

from pytest_repro.logs.formats import LONGEST_LINE, log_lines
from pytest_repro.logs.records import LogLine


def lines_of(data: bytes) -> list[LogLine]:
    return list(log_lines(io.BytesIO(data)))


def texts_of(data: bytes) -> list[str]:
    return [line.text for line in lines_of(data)]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
def test_every_encoding_gives_the_same_lines(encoding: str) -> None:
    """UTF-8 and UTF-16, with and without a byte order mark, are told apart."""
    assert texts_of("first line\nzweite Zeile: ä".encode(encoding)) == ["first line", "zweite Zeile: ä"]


def test_invalid_bytes_do_not_stop_the_reading() -> None:
    """A byte that is no UTF-8 is read as Windows means it; one that is no text there either is replaced."""
    assert texts_of("naïve ✓ ".encode() + b"na\xefve \x9d\nc\xe2\x9c") == ["naïve ✓ naïve \ufffd", "c\ufffd"]


def test_windows_line_ends_are_taken_off() -> None:
    """CRLF ends a line as LF does."""
    assert texts_of(b"one\r\ntwo\r\n") == ["one", "two"]


def test_an_overwritten_line_is_given_in_parts_of_one_number() -> None:
    """A carriage return in the middle splits a line, and does not count one more."""
    assert [(line.number, line.text) for line in lines_of(b"collecting ...\rcollected 2\nnext")] == [
        (1, "collecting ..."),
        (1, "collected 2"),
        (2, "next"),
    ]


@pytest.mark.parametrize(
    "prefix",
    [
        "2026-01-02T03:04:05.1234567Z ",
        "\ufeff2026-01-02T03:04:05.1234567Z ",
        "[2026-01-02T03:04:05Z] ",
        "[2026-01-02T03:04:05.123Z] ",
        "2026-01-02T03:04:05.123456Z 00O ",
        "2026-01-02T03:04:05.123456Z 01E ",
        "03:04:05 ",
        "[03:04:05] ",
        "\x1b_bk;t=1700000000000\x07",
        "[build/unit]   | ",
        "2026-01-02T03:04:05.1234567Z 2026-01-02T03:04:05.1234567Z ",
    ],
)
def test_prefixes_of_ci_systems_are_taken_off(prefix: str) -> None:
    """GitHub, Buildkite, GitLab, Jenkins, Azure, docker and act each put something before a line."""
    assert texts_of((prefix + "FAILED t.py::test_a").encode()) == ["FAILED t.py::test_a"]


def test_columns_of_the_github_client_become_job_and_step() -> None:
    """`gh run view --log` prints job, step and line with tabs between."""
    data = b"unit\tRun tests\t2026-01-02T03:04:05Z hello\tworld\nunit\tRun tests\t2026-01-02T03:04:05Z \n"
    first, second = lines_of(data)
    assert (first.job, first.step, first.text) == ("unit", "Run tests", "hello\tworld")
    assert second.text == ""


def test_tabs_of_an_ordinary_line_are_no_columns() -> None:
    """Only a timestamp in the third column shows that there are columns."""
    assert lines_of(b"a\tb\tc") == [LogLine(number=1, text="a\tb\tc")]


@pytest.mark.parametrize(
    "escape",
    [
        "\x1b[1;31m",
        "\x1b[0K",
        "\x1b]0;title\x07",
        "\x1b]8;;http://x\x1b\\",
        "\x1b(B",
        "\x07",
        "\x00",
        "^[[31m",
    ],
)
def test_terminal_escapes_are_taken_out(escape: str) -> None:
    """Colours, cursor movements, titles, links and control characters are no text."""
    assert texts_of(f"FAI{escape}LED".encode()) == ["FAILED"]


def test_section_marks_of_gitlab_are_taken_off() -> None:
    """GitLab's section marks stand before the text of a line."""
    assert texts_of(b"section_start:1700000000:step_script\r\x1b[0Kpytest -v") == ["pytest -v"]


def test_an_endless_line_is_cut() -> None:
    """A line of a megabyte and more is kept up to a limit, and the next one is read."""
    first, second = texts_of(b"x" * 3_000_000 + b"\nnext")
    assert len(first) == LONGEST_LINE
    assert second == "next"
