"""What a session with many tests or phases shows on the terminal, and where the rest is."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from pytest_repro.model import Metric, Outcome, Phase, Profile
from pytest_repro.plugin.profiles import ProfileBook
from pytest_repro.plugin.profiling import SampleBook
from pytest_repro.plugin.terminal import show_profiles
from pytest_repro.store import SessionFolder
from pytest_repro.timing.formats import profile_to_payload
from pytest_repro.timing.samples import Samples, frame_text

MS = 1_000_000


@pytest.fixture
def book(tmp_path: Path) -> ProfileBook:
    folder = SessionFolder(tmp_path)
    return ProfileBook(folder, SampleBook(folder, start=tmp_path))


class FakeTerminal:
    """Keeps what is written."""

    def __init__(self, root: Path, *, verbose: int, passed: int = 0) -> None:
        self.stats = {"passed": ["report"] * passed}
        self.lines: list[str] = []
        self.config = SimpleNamespace(
            option=SimpleNamespace(verbose=verbose),
            rootpath=root,
            invocation_params=SimpleNamespace(dir=root),
            get_terminal_writer=lambda: SimpleNamespace(fullwidth=80),
        )

    def write_sep(self, separator: str, title: str) -> None:
        self.lines.append(separator + title)

    def write_line(self, line: str, **_: bool) -> None:
        self.lines.append(line)


def _add(book: ProfileBook, test: str, *took_ms: int, **changes: Any) -> None:
    phases = [
        Phase(name=f"phase {number}", start_ns=sum(took_ms[:number]) * MS, call_ns=took * MS)
        for number, took in enumerate(took_ms)
    ]
    values: dict[str, Any] = {"iteration": 1, "worker": "main", "outcome": Outcome.PASSED}
    book.add(profile_to_payload(Profile(test=test, phases=tuple(phases), **{**values, **changes})))


def _headings(lines: list[str]) -> list[str]:
    return [line.partition(" ")[0] for line in lines if line.startswith("test_")]


def test_of_many_tests_the_ten_that_matter_most_have_tables(book: ProfileBook, tmp_path: Path) -> None:
    """Failing ones first, then the longest; a line says how many more there are, and where."""
    _add(book, "test_failing", 1, outcome=Outcome.FAILED)
    for number in range(1, 31):
        _add(book, f"test_{number}", 100 * number)
    terminal = FakeTerminal(tmp_path, verbose=0)
    show_profiles(terminal, book, is_asked=True)
    assert _headings(terminal.lines) == ["test_failing", *(f"test_{number}" for number in range(22, 31))]
    assert "21 more tests: see profiling_results.log, or -v for their tables" in terminal.lines
    assert len(book.record()) == 31
    terminal = FakeTerminal(tmp_path, verbose=1)
    show_profiles(terminal, book, is_asked=True)
    assert len(_headings(terminal.lines)) == 31
    assert "more test" not in "".join(terminal.lines)


def test_of_many_sampled_tests_the_ten_that_were_sampled_longest_have_lines(
    book: ProfileBook, tmp_path: Path
) -> None:
    """Tests without phases, too, do not push each other off the screen."""
    assert book.samples is not None
    for number in range(30):
        samples = Samples()
        samples.add((), (frame_text("f", "a.py", 1, 1),), (number + 1) * MS)
        book.samples.add(f"test_{number}", samples.to_payload())
    terminal = FakeTerminal(tmp_path, verbose=0)
    show_profiles(terminal, book, is_asked=True)
    assert _headings(terminal.lines) == [f"test_{number}" for number in range(20, 30)]
    assert "20 more tests were sampled: -v for their lines" in terminal.lines


def test_a_quiet_session_tells_where_the_logs_are_if_they_were_asked_for(
    book: ProfileBook, tmp_path: Path
) -> None:
    """Phases made by hand without an option are no reason to say anything; very quiet is very quiet."""
    _add(book, "test_a", 1)
    shown = {}
    for verbose, is_asked in ((-1, True), (-1, False), (-2, True)):
        terminal = FakeTerminal(tmp_path, verbose=verbose)
        show_profiles(terminal, book, is_asked=is_asked)
        shown[verbose, is_asked] = terminal.lines
    assert shown[-1, True] == ["profiling logs: profiling_results.log"]
    assert shown[-1, False] == shown[-2, True] == []


@pytest.mark.parametrize(("is_asked", "passed", "lines"), [(True, 1, 1), (False, 1, 0), (True, 0, 0)])
def test_what_was_asked_for_and_not_found_is_said(
    tmp_path: Path, *, is_asked: bool, passed: int, lines: int
) -> None:
    """If any test ran at all."""
    terminal = FakeTerminal(tmp_path, verbose=0, passed=passed)
    show_profiles(terminal, None, is_asked=is_asked)
    assert len(terminal.lines) == lines
    assert all("no test called a library" in line for line in terminal.lines)


def test_of_many_phases_the_longest_are_listed_and_the_others_added_up(book: ProfileBook) -> None:
    """In their order; the marked one is among them, and the total is of all."""
    _add(book, "test_a", *(1 for _ in range(50)), 900, *(5 for _ in range(19)), 1)
    lines = book.lines(width=80)
    assert len(lines) == 24
    assert lines[2].startswith("  phase 50 ")
    assert lines[2].endswith("<<<")
    assert lines[-2] == "  and 51 more: 51.0 ms, see summary.json"
    assert lines[-1].split() == ["TOTAL", "1.05", "s"]


def test_a_phase_around_a_listed_one_is_listed_too(book: ProfileBook) -> None:
    """However short: an indented row has its heading."""
    inner = Phase(name="inner", start_ns=0, call_ns=90 * MS, within=("outer",))
    outer = Phase(name="outer", start_ns=0, call_ns=MS)
    others = [Phase(name=f"p{number}", start_ns=number, call_ns=2 * MS) for number in range(30)]
    profile = Profile(
        test="test_a", iteration=1, worker="main", outcome=Outcome.PASSED, phases=(outer, inner, *others),
        metrics=(Metric(name="m", value=1.0),),
    )  # fmt: skip
    book.add(profile_to_payload(profile))
    lines = book.lines(width=80)
    assert [line.split()[0] for line in lines[2:4]] == ["outer", "inner"]
