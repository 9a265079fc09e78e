"""Samples of a session: the files that are written of them, when, and for how many tests."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_repro.plugin import profiling
from pytest_repro.plugin.profiling import SampleBook
from pytest_repro.store import SessionFolder
from pytest_repro.timing.sample_files import file_stem
from pytest_repro.timing.samples import Samples, frame_text

MS = 1_000_000


@pytest.fixture
def book(tmp_path: Path) -> SampleBook:
    return SampleBook(SessionFolder(tmp_path), start=tmp_path)


def _add(book: SampleBook, test: str, duration_ns: int = MS, *, gave_way: int = 0) -> None:
    samples = Samples()
    samples.gave_way = gave_way
    if duration_ns:
        samples.add(("op",), (frame_text(test, "a.py", 1, 1),), duration_ns)
    book.add(test, samples.to_payload())


def _pages(folder: Path) -> set[str]:
    return {path.name for path in folder.glob("profile_*.html")}


def _page(test: str) -> str:
    return f"{file_stem(test)}.html"


def test_the_first_samples_of_a_test_are_written_at_once(book: SampleBook, tmp_path: Path) -> None:
    """A crash in the next test does not take them along."""
    _add(book, "a")
    assert {path.name for path in tmp_path.iterdir()} == {_page("a"), f"{file_stem('a')}.speedscope.json"}
    assert book.page == tmp_path / _page("a")


def test_files_are_written_anew_when_there_is_twice_as_much(book: SampleBook, tmp_path: Path) -> None:
    """Not at every iteration; the end writes the rest."""
    written = []
    for _ in range(9):
        _add(book, "a")
        written.append((tmp_path / f"{file_stem('a')}.speedscope.json").read_text(encoding="utf-8"))
    assert len(set(written)) == 4  # at 1, 2, 4 and 8
    book.close()
    assert (tmp_path / f"{file_stem('a')}.speedscope.json").read_text(encoding="utf-8") not in written


def test_only_the_tests_that_take_longest_have_files(
    book: SampleBook, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In an iteration, whichever came first; that some have none is said."""
    monkeypatch.setattr(profiling, "MOST_TESTS", 2)
    for _ in range(9):
        _add(book, "short", MS)
    _add(book, "long", 5 * MS)
    _add(book, "longer", 7 * MS)
    _add(book, "short", MS)
    book.close()
    assert _pages(tmp_path) == {_page("long"), _page("longer")}
    assert book.page == tmp_path / _page("longer")
    assert "Of 3 tests, the 2 that" in " ".join(book.notes(width=200))


def test_a_session_without_samples_says_so(book: SampleBook, tmp_path: Path) -> None:
    """There is no file to point at."""
    _add(book, "a", 0)
    book.close()
    assert book.page is None
    assert not _pages(tmp_path)
    assert (
        book.notes(width=200)[-1] == "Nothing in a phase or in a call stage took long enough to be sampled."
    )


def test_another_profiler_is_the_reason_where_it_is(book: SampleBook) -> None:
    """And not that nothing took long enough."""
    _add(book, "a", 0, gave_way=1)
    assert len(book.notes(width=200)) == 1
    assert book.lines_without_phases(besides=set(), width=80) == [
        "a",
        "  not sampled throughout in 1 iteration: another profiler was at work there",
    ]
