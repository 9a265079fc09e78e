"""The store: results are written as they arrive and a broken disk ends nothing."""

from __future__ import annotations

import json
from datetime import datetime, timezone
from pathlib import Path

import pytest

from pytest_repro.errors import StoreError
from pytest_repro.store import KEPT_SESSIONS, SessionFolder, Store, read_json

NOW = datetime(2026, 11, 20, 12, 0, 0, tzinfo=timezone.utc)


def test_a_session_gets_a_folder_that_git_ignores(tmp_path: Path) -> None:
    """The folder is named by time and kind, and ignores itself."""
    session = Store(tmp_path).begin("stress", now=NOW)
    assert session.problem is None
    assert session.id.startswith("20261120-120000-stress-")
    assert (tmp_path / ".pytest_repro" / ".gitignore").read_text(encoding="utf-8").endswith("*\n")


def test_each_line_is_on_disk_as_soon_as_it_is_added(tmp_path: Path) -> None:
    """A crash right after the call loses nothing."""
    session = SessionFolder(tmp_path)
    session.append("a.jsonl", {"n": 1})
    session.append("a.jsonl", {"n": 2})
    lines = (tmp_path / "a.jsonl").read_text(encoding="utf-8").splitlines()
    session.close()
    assert [json.loads(line) for line in lines] == [
        {"format_version": 1, "n": 1},
        {"format_version": 1, "n": 2},
    ]


def test_a_lone_surrogate_of_a_test_does_not_stop_the_records(tmp_path: Path) -> None:
    """Test ids may hold what UTF-8 cannot."""
    session = SessionFolder(tmp_path)
    session.append_line("log", "id \udc80")
    session.append("a.jsonl", {"test": "\udc80"})
    session.close()
    assert session.problem is None
    assert (tmp_path / "log").read_text(encoding="utf-8") == "id \\udc80\n"


def test_only_the_newest_sessions_are_kept(tmp_path: Path) -> None:
    """The store does not grow without end."""
    store = Store(tmp_path)
    for hour in range(KEPT_SESSIONS + 3):
        store.begin("stress", now=NOW.replace(day=1 + hour // 24, hour=hour % 24))
    kept = store.sessions()
    assert len(kept) == KEPT_SESSIONS
    assert kept[0].name.startswith("20261101-03")


def test_the_first_problem_is_kept_and_nothing_is_raised(tmp_path: Path) -> None:
    """A folder that cannot be made is said once, and the session goes on without records."""
    (tmp_path / ".pytest_repro").write_text("a file is in the way", encoding="utf-8")
    session = Store(tmp_path).begin("stress", now=NOW)
    assert session.problem is not None
    first = session.problem
    session.append("a.jsonl", {"n": 1})
    session.write_json("b.json", {})
    session.close()
    assert session.problem == first


def test_a_folder_removed_while_running_is_made_again_or_said(tmp_path: Path) -> None:
    """A user who cleans up during a run does not break it."""
    session = SessionFolder(tmp_path / "gone")
    session.write_json("b.json", {})
    assert session.problem is not None
    assert "No such file" in session.problem


def test_a_full_disk_is_said_and_not_raised() -> None:
    """Writing to a device without space ends the records, not the session."""
    if not Path("/dev/full").exists():
        pytest.skip("this system has no /dev/full")
    session = SessionFolder(Path("/dev"))
    session.append_line("full", "x" * 100_000)
    session.close()
    assert session.problem is not None
    assert "No space left" in session.problem


def test_a_record_of_a_newer_format_is_refused(tmp_path: Path) -> None:
    """An old reader does not guess at a new format."""
    path = tmp_path / "summary.json"
    path.write_text('{"format_version": 99}', encoding="utf-8")
    with pytest.raises(StoreError, match=r"not of format 1 \(.*summary.json\)\. Upgrade pytest-repro\."):
        read_json(path)


@pytest.mark.parametrize(("content", "message"), [(None, "Cannot read the record"), ("{", "not JSON")])
def test_an_unreadable_record_is_an_error_with_its_place(
    tmp_path: Path, content: str | None, message: str
) -> None:
    """The error names the file and the next step."""
    path = tmp_path / "summary.json"
    if content is not None:
        path.write_text(content, encoding="utf-8")
    with pytest.raises(StoreError, match=message) as caught:
        read_json(path)
    assert caught.value.place == str(path)
    assert caught.value.next_step.endswith(".")
