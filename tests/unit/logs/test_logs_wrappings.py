"""The same session reads the same in whatever a CI system, a container tool or a copy has made of it."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_repro.logs.formats import LONGEST_LINE, log_lines
from pytest_repro.logs.places import opened_log
from pytest_repro.logs.reader import read_whole_log
from pytest_repro.logs.records import LogReport
from tests.unit.logs.wrappings import (
    BUILD_LINES,
    FORMATS,
    SESSION,
    circle_records,
    coloured,
    github,
    github_archive,
)

IDS = (
    "tests/test_pump.py::test_pressure[1-\u00b5bar]",
    "tests/test_pump.py::test_stop",
    "tests/test_valve.py::TestValve::test_close",
)
TRUTH = [
    (IDS[0], "failed", "AssertionError", "assert 5 == 4", ("tests/test_pump.py", 12)),
    (IDS[1], "error", "OSError", "no line", ("tests/test_pump.py", 20)),
    (
        IDS[2],
        "failed",
        "AttributeError",
        "'NoneType' object has no attribute 'close'",
        ("src/valve.py", 3),
    ),
]


def read(path: Path) -> LogReport:
    with opened_log([str(path)]) as log:
        return read_whole_log(log)[0]


def told(report: LogReport) -> list[tuple[object, ...]]:
    return sorted(
        (
            one.nodeid,
            one.outcome.value,
            one.exception,
            one.message,
            (one.place.file, one.place.line) if one.place else None,
        )
        for one in report.failures
    )


def in_colour(text: str) -> bytes:
    """JSON has the colours already, spelled out."""
    return (text if text.startswith(("[{", "{")) else coloured(text)).encode()


def with_invalid_bytes(text: str) -> bytes:
    return text.encode().replace(b"opening the", b"opening \xff\xfe\x80 the \xc3").replace(b"CXX", b"C\xe9X")


def in_colour_from_windows(text: str) -> bytes:
    return in_colour(text).decode().replace("\n", "\r\n").encode("utf-16")


WRITERS: tuple[Callable[[str], bytes], ...] = (
    str.encode,
    in_colour,
    lambda text: text.replace("\n", "\r\n").encode(),
    lambda text: text.encode("utf-8-sig"),
    lambda text: text.encode("utf-16"),
    lambda text: text.encode("utf-16-le"),
    lambda text: b"\xfe\xff" + text.encode("utf-16-be"),
    with_invalid_bytes,
    in_colour_from_windows,
)
WRITER_NAMES = (
    "plain",
    "colours",
    "crlf",
    "bom",
    "utf-16",
    "utf-16-without-bom",
    "utf-16-big-endian",
    "invalid-bytes",
    "all",
)


@pytest.mark.parametrize("write", WRITERS, ids=WRITER_NAMES)
@pytest.mark.parametrize("wrap", FORMATS, ids=lambda wrap: wrap.__name__)
def test_a_session_reads_the_same_in_every_format(
    wrap: Callable[[], str], write: Callable[[str], bytes], tmp_path: Path
) -> None:
    """Failing tests, outcome, exception, message and place do not depend on what is around the lines."""
    (tmp_path / "log").write_bytes(write(wrap()))
    assert told(read(tmp_path / "log")) == TRUTH


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_a_session_reads_the_same_in_an_archive_of_github(encoding: str, tmp_path: Path) -> None:
    (tmp_path / "logs.zip").write_bytes(github_archive(coded=lambda text: text.encode(encoding)))
    report = read(tmp_path / "logs.zip")
    assert told(report) == TRUTH
    assert (report.session.job.value, report.session.step.value) == ("unit", "Test")  # type: ignore[union-attr]


@pytest.mark.parametrize("wrap", FORMATS, ids=lambda wrap: wrap.__name__)
def test_a_truncated_log_names_no_test_that_is_not_there(wrap: Callable[[], str], tmp_path: Path) -> None:
    """Wherever a log ends, even within an id, a character or an escape: no error, and no cut id."""
    data = in_colour(wrap())
    for end in range(len(data) * 2 // 5, len(data), 251):
        (tmp_path / "log").write_bytes(data[:end])
        assert {one.nodeid for one in read(tmp_path / "log").failures} <= {*IDS}


def test_an_id_that_the_end_of_the_log_has_cut_is_shown_whole(tmp_path: Path) -> None:
    """The header above a traceback has the rest of the name; an id that nothing continues stays as it is."""
    quiet = "\n".join(line for line in SESSION.splitlines() if "%]" not in line)
    cut = quiet.index("FAILED tests/test_pump.py::test_press") + len("FAILED tests/test_pump.py::test_press")
    (tmp_path / "log").write_text(quiet[:cut], encoding="utf-8")
    (failure,) = [one for one in read(tmp_path / "log").failures if "test_press" in one.nodeid]
    assert (failure.nodeid, failure.message) == (IDS[0], "assert 5 == 4")
    (tmp_path / "log").write_text("=== short test summary info ===\nFAILED t.py::test_pre", encoding="utf-8")
    assert [one.nodeid for one in read(tmp_path / "log").failures] == ["t.py::test_pre"]


class InPieces:
    """Gives bytes as a slow pipe does: so many at a time."""

    def __init__(self, data: bytes, sizes: list[int]) -> None:
        self._stream = io.BytesIO(data)
        self._sizes = self._endless(sizes)

    def read(self, size: int, /) -> bytes:
        return self._stream.read(min(size, next(self._sizes)))

    @staticmethod
    def _endless(sizes: list[int]) -> Iterator[int]:
        yield len(HEAD)
        while True:
            yield from sizes


HEAD = "".join(f"{line}\n" for line in BUILD_LINES * 200).encode()
PARTS = (
    "\n",
    "\r\n",
    "\r",
    "\r\r",
    "\u00e9",
    "\u2713",
    "\U0001f600",
    "\x1b[31m",
    "\x1b]8;;http://x\x1b\\",
    "\x1b_bk;t=12\x07",
    "section_start:1:x\r\x1b[0K",
    "2026-01-02T03:04:05.1234567Z ",
    "abc",
    "\b",
    "\x00",
    "x" * (LONGEST_LINE - 3),
)


@settings(max_examples=25)
@given(
    tail=st.lists(st.sampled_from(PARTS), max_size=40).map("".join),
    encoding=st.sampled_from(["utf-8", "utf-8-sig", "utf-16"]),
    stray=st.sampled_from([b"", b"\xff", b"\xe2\x9c"]),
    sizes=st.lists(st.integers(1, 9) | st.just(70_000), min_size=1, max_size=4),
    head=st.sampled_from(["", HEAD.decode()]),
)
def test_the_text_does_not_depend_on_how_its_bytes_are_cut(
    tail: str, encoding: str, stray: bytes, sizes: list[int], head: str
) -> None:
    """Characters of several bytes, line ends, escapes and endless lines go over the borders of pieces."""
    data = (head + tail).encode(encoding) + stray
    assert list(log_lines(InPieces(data, sizes))) == list(log_lines(io.BytesIO(data)))


def test_lines_that_only_carriage_returns_end_are_told_from_progress_bars() -> None:
    """A log of old Macs has a line for each return; one that begins with a long progress bar has not."""
    old = "one\rtwo\rthree\rfour\r" * 20_000
    assert sum(1 for _ in log_lines(InPieces(old.encode(), [7_000]))) == 80_000
    bar = "\r".join(f"{share:3}%" for share in range(100)) + "\nbuilt\n"
    assert list(log_lines(io.BytesIO(bar.encode())))[-1].number == 2


def test_half_a_list_of_circleci_gives_its_first_half_and_says_so(tmp_path: Path) -> None:
    data = circle_records()
    (tmp_path / "out.json").write_text(data[: data.index("short test summary")], encoding="utf-8")
    with opened_log([str(tmp_path / "out.json")]) as log:
        report, _ = read_whole_log(log)
    assert told(report) == TRUTH
    assert "ends within a record" in log.notes[0]


def test_a_build_before_the_session_leaves_its_lines_alone(tmp_path: Path) -> None:
    """The line that a failure is said to be in is the line of the file."""
    text = github()
    (tmp_path / "log").write_text(text, encoding="utf-8")
    lines = text.splitlines()
    for failure in read(tmp_path / "log").failures:
        assert failure.nodeid in lines[failure.line - 1]
