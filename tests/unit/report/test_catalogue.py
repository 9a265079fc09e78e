"""Which session a name means, and what a list tells of each."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_repro.errors import StoreError
from pytest_repro.report.catalogue import Catalogue, find_root
from pytest_repro.report.comparison.compared import compare_sessions
from pytest_repro.report.session_list import result_of, session_row, work_of
from pytest_repro.report.session_view import read_session
from pytest_repro.store import FACTS, STATE, write_json
from tests.unit.report.session_records import write_session


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A project with four sessions."""
    stress = {"exit_status": 1, "iterations_executed": 50, "failures": 3, "tests": [1, 2], "bugs": [1]}
    write_session(tmp_path, minute=0, facts={"tag": "before"}, summary=stress)
    write_session(tmp_path, minute=1, facts={"tag": "before"}, summary={**stress, "failures": 1})
    gate = {"exit_status": 0, "verdict": "stable", "runs_asked": 5, "runs_passed": 5}
    write_session(tmp_path, minute=2, kind="verify", summary=gate)
    write_session(tmp_path, minute=3)
    return tmp_path


@pytest.mark.parametrize(
    ("name", "minute"),
    [
        ("latest", 3),
        ("latest~0", 3),
        ("latest~3", 0),
        ("before", 1),
        ("20261101-1202", 2),
        ("20261101-120000", 0),
    ],
)
def test_a_session_is_found_by_what_people_call_it(root: Path, name: str, minute: int) -> None:
    """Counted back, by the newest of a tag, by the beginning of its id."""
    found = Catalogue(root).find(name)
    assert found.id.startswith(f"20261101-12{minute:02}")
    assert Catalogue(root).find(found.id).path == found.path
    assert Catalogue(root / "elsewhere").find(str(found.path)).id == found.id


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("befor", "There is no session 'befor', did you mean 'before'? There are 4: 20261101-1203"),
        ("latest~4", "There is no session 'latest~4'. There are 4: "),
        ("2026", "'2026' is the beginning of 4 sessions: 20261101-1200"),
        ("", "There is no session ''. There are 4: "),
    ],
)
def test_an_error_names_the_sessions_that_there_are(root: Path, name: str, words: str) -> None:
    """And the one that was probably meant, and how sessions are named."""
    with pytest.raises(StoreError) as raised:
        Catalogue(root).find(name)
    assert words in str(raised.value)
    assert "Give an id or its beginning, latest, latest~1, a tag" in str(raised.value)


def test_without_sessions_the_error_says_how_to_make_one(tmp_path: Path) -> None:
    """It cannot name any."""
    with pytest.raises(StoreError, match=r"There are no sessions on record.*--repro-stress N"):
        Catalogue(tmp_path).find("latest")


def test_the_records_are_found_from_a_folder_within_the_project(root: Path) -> None:
    """As git finds its own; where there are none, they would be here."""
    below = root / "a" / "b"
    below.mkdir(parents=True)
    assert find_root(below) == root
    assert find_root(Path("/")) == Path("/")


def test_a_list_tells_how_each_session_ended(root: Path) -> None:
    """From its small files alone."""
    told = [(result_of(entry), work_of(entry)) for entry in Catalogue(root).entries()]
    assert told == [
        ("3 failures", "50 iterations, 10.0 s"),
        ("1 failure", "50 iterations, 10.0 s"),
        ("stable", "5 of 5 runs, 10.0 s"),
        ("broken off", ""),
    ]


def test_a_list_tells_the_runs_of_a_certificate(tmp_path: Path) -> None:
    """So many of each side, of which those of the base are not to pass."""
    write_session(tmp_path, kind="certificate", summary={"verdict": "certified", "runs_asked": 3})
    (entry,) = Catalogue(tmp_path).entries()
    assert (result_of(entry), work_of(entry)) == ("certified", "3 runs each, 10.0 s")


def test_a_program_is_told_the_same(root: Path) -> None:
    """With the units in the names."""
    row = session_row(Catalogue(root).find("before"))
    assert (row["tag"], row["duration_ns"], row["totals"]["failures"]) == ("before", 10_000_000_000, 1)


@pytest.mark.parametrize("name", [FACTS, STATE])
def test_a_session_of_a_newer_version_is_unreadable_and_not_broken_off(tmp_path: Path, name: str) -> None:
    """What to do is told by what needs it: upgrade."""
    session = write_session(tmp_path, summary={"exit_status": 0})
    write_json(session.path / name, {"format_version": 2})
    (entry,) = Catalogue(tmp_path).entries()
    assert result_of(entry) == "unreadable"
    assert entry.problem.endswith("Upgrade pytest-repro.")
    assert read_session(entry).problems == (entry.problem,)
    with pytest.raises(StoreError, match=r"cannot be compared\. The record is not of format 1"):
        compare_sessions(entry, entry)
