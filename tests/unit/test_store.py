"""The store: results are written as they arrive and a broken disk ends nothing."""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from datetime import datetime, timezone
from pathlib import Path

import pytest

from pytest_repro.errors import StoreError
from pytest_repro.plugin.session import temporary_folder
from pytest_repro.processes import processor_times
from pytest_repro.store import (
    FACTS,
    HEIR,
    KEPT_SESSIONS,
    OWNER,
    STATE,
    SUMMARY,
    SessionFolder,
    SessionState,
    Store,
    is_left_behind,
    note_owner,
    read_json,
    read_json_lines,
    session_state,
    tag_of,
    write_json,
)

NOW = datetime(2026, 11, 20, 12, 0, 0, tzinfo=timezone.utc)


def test_a_session_gets_a_folder_that_git_ignores(tmp_path: Path) -> None:
    """The folder is named by time and kind, and ignores itself."""
    session = Store(tmp_path).begin("stress", now=NOW)
    assert session.problem is None
    assert session.id.startswith("20261120-120000-stress-")
    assert (tmp_path / ".pytest_repro" / ".gitignore").read_text(encoding="utf-8").endswith("*\n")


def test_sessions_of_one_second_are_in_the_order_in_which_they_began(tmp_path: Path) -> None:
    """Whatever they do: `latest` is the one that began last. Two of one moment have ids of their own."""
    store = Store(tmp_path)
    began = [
        store.begin(kind, now=NOW.replace(microsecond=microsecond)).path
        for kind, microsecond in (("verify", 10), ("stress", 30), ("stress", 30), ("bisect", 400_000))
    ]
    assert store.sessions() == began
    assert [path.name[-4:] for path in began] == ["0000", "0001", "0002", "6666"]
    last = NOW.replace(microsecond=999_999)
    assert store.begin("stress", now=last).problem is None
    assert "File exists" in str(store.begin("stress", now=last).problem)


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


def test_a_folder_removed_while_running_is_said(tmp_path: Path) -> None:
    """A user who cleans up during a run does not break it."""
    for write in (SessionFolder.write_json, SessionFolder.append):
        session = SessionFolder(tmp_path / "gone")
        write(session, "b.json", {})
        assert session.problem is not None
        assert "No such file" in session.problem


def test_a_file_removed_while_it_is_written_is_said(tmp_path: Path) -> None:
    """The system writes on into what nobody can open any more."""
    session = SessionFolder(tmp_path)
    session.append("a.jsonl", {})
    assert session.removed() is None
    (tmp_path / "a.jsonl").unlink()
    assert session.removed() == f"removed while it was written ({tmp_path / 'a.jsonl'})"
    session.close()


@pytest.mark.parametrize("is_reused", [False, True], ids=["closed", "reused"])
def test_a_file_that_a_test_closes_is_opened_again(tmp_path: Path, *, is_reused: bool) -> None:
    """By its path; a descriptor that is another file's by now is left alone."""
    session = SessionFolder(tmp_path)
    session.append("a.jsonl", {"n": 1})
    (number,) = (
        int(entry.name)
        for entry in Path("/dev/fd").iterdir()
        if entry.exists() and entry.samefile(tmp_path / "a.jsonl")
    )
    foreign = (tmp_path / "foreign").open("w", encoding="utf-8")
    os.close(number)
    if is_reused:
        os.dup2(foreign.fileno(), number)
    for n in (2, 3):
        session.append("a.jsonl", {"n": n})
    assert (session.problem, session.removed()) == (None, None)
    session.close()
    if is_reused:
        os.fstat(number)
    foreign.close()
    assert [record["n"] for record in read_json_lines(tmp_path / "a.jsonl")] == [1, 2, 3]
    assert (tmp_path / "foreign").read_text(encoding="utf-8") == ""


def test_a_session_is_running_then_finished(tmp_path: Path) -> None:
    """As long as the process that began it lives."""
    session = SessionFolder(tmp_path)
    session.note_running()
    assert session_state(tmp_path) is SessionState.RUNNING
    session.note_finished(NOW)
    assert session_state(tmp_path) is SessionState.FINISHED


@pytest.mark.parametrize(
    ("change", "state"),
    [
        ({"pid": 2**22 + 1}, SessionState.UNFINISHED),
        ({"process_start": 1}, SessionState.UNFINISHED),
        ({"pid": 2**22 + 1, "host": "elsewhere"}, SessionState.RUNNING),
    ],
    ids=["no such process", "another process with its id", "another machine"],
)
def test_a_session_whose_process_is_gone_is_unfinished(
    tmp_path: Path, change: dict[str, object], state: SessionState
) -> None:
    """Its process is known by its id and by when it began; what another machine runs is not known."""
    session = SessionFolder(tmp_path)
    session.note_running()
    write_json(tmp_path / STATE, read_json(tmp_path / STATE) | change)
    assert session_state(tmp_path) is state


def test_a_folder_without_a_state_is_unfinished(tmp_path: Path) -> None:
    """Whatever made it did not come far."""
    assert session_state(tmp_path) is SessionState.UNFINISHED


def test_sessions_with_a_tag_are_kept(tmp_path: Path) -> None:
    """They were named because somebody wants to come back to them; asked for, they go too."""
    store = Store(tmp_path)
    store.begin("stress", now=NOW.replace(day=1)).write_json(FACTS, {"tag": "before"})
    for hour in range(1, 4):
        store.begin("stress", now=NOW.replace(day=21, hour=hour), keep=2)
    assert [tag_of(path) for path in store.sessions()] == ["before", None, None]
    assert [path.name[:8] for path in store.prune(keep=2, with_tags=True)] == ["20261101"]
    assert len(store.prune(keep=0)) == 2
    assert store.sessions() == []


def test_a_finished_session_tells_in_its_state_what_it_comes_to(tmp_path: Path) -> None:
    """Of lists the length, of tables nothing: a list of sessions is made without whole summaries."""
    session = SessionFolder(tmp_path)
    session.conclude({"kind": "stress", "failures": 3, "tests": [{}, {}], "match": None, "rates": {"a": 1}})
    session.note_finished(NOW)
    state = read_json(tmp_path / STATE)
    assert state["totals"] == {"kind": "stress", "failures": 3, "tests": 2, "match": None}
    assert state["ended"] == NOW.isoformat()
    assert read_json(tmp_path / SUMMARY)["rates"] == {"a": 1}


def test_a_session_that_runs_is_not_removed_for_newer_ones(tmp_path: Path) -> None:
    """However many begin meanwhile."""
    store = Store(tmp_path)
    running = store.begin("stress", now=NOW)
    running.note_running()
    for hour in range(1, KEPT_SESSIONS + 2):
        store.begin("stress", now=NOW.replace(day=21 + hour // 24, hour=hour % 24))
    assert running.path.exists()
    assert len(store.sessions()) == KEPT_SESSIONS + 1


def test_a_torn_last_line_is_left_out(tmp_path: Path) -> None:
    """Who wrote it was killed in the middle."""
    path = tmp_path / "a.jsonl"
    path.write_text('{"n": 1}\n{"n": 2}\n{"n": ', encoding="utf-8")
    assert read_json_lines(path) == [{"n": 1}, {"n": 2}]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"n": 1}\n{"n": \n{"n": 3}\n', r"not JSON: .* \(.*a\.jsonl:2\)"),
        ('{"n": 1}\n{"format_version": 99}\n', r"not of format 1 \(.*a\.jsonl:2\)"),
        ('{"format_version": "1"}\n', r"not of format 1 \(.*a\.jsonl:1\)"),
        ("[" * 100_000 + "\n", r"not JSON: .* \(.*a\.jsonl:1\)"),
    ],
)
def test_another_broken_line_is_an_error_with_its_place(tmp_path: Path, text: str, message: str) -> None:
    """Something else than the end of a process went wrong."""
    path = tmp_path / "a.jsonl"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(StoreError, match=message):
        read_json_lines(path)
    with pytest.raises(StoreError, match="Cannot read"):
        read_json_lines(tmp_path / "none.jsonl")


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


def test_a_folder_whose_owner_is_gone_is_left_behind(tmp_path: Path) -> None:
    """Only where its owner is known, and known to be gone: of this machine, by id and start."""
    assert not is_left_behind(tmp_path)
    note_owner(tmp_path)
    assert not is_left_behind(tmp_path)
    record = read_json(tmp_path / OWNER)
    with subprocess.Popen(["true"]) as process:
        process.wait()
    for change, is_left in (
        ({"pid": process.pid}, True),
        ({"pid": process.pid, "host": "elsewhere"}, False),
        ({"pid": process.pid, "processes": "pid:[1]"}, False),
        ({"process_start": -1}, True),
        ({"pid": "1"}, False),
    ):
        write_json(tmp_path / OWNER, {**record, **change})
        assert is_left_behind(tmp_path) is is_left, change


def test_a_folder_with_an_heir_is_left_behind_by_both(tmp_path: Path) -> None:
    """What watches a process reads its folder after it has died."""
    note_owner(tmp_path)
    record = read_json(tmp_path / OWNER)
    write_json(tmp_path / OWNER, {**record, "process_start": -1})
    assert is_left_behind(tmp_path)
    note_owner(tmp_path, as_heir=True)
    assert not is_left_behind(tmp_path)
    write_json(tmp_path / HEIR, {**record, "process_start": -1})
    assert is_left_behind(tmp_path)


def test_a_new_temporary_folder_removes_those_left_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those that tell of no owner stay, whoever made them."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    foreign = tmp_path / "pytest-repro-foreign"
    dead = tmp_path / "pytest-repro-dead"
    for folder in (foreign, dead):
        folder.mkdir()
    note_owner(dead)
    record = read_json(dead / OWNER)
    write_json(dead / OWNER, {**record, "process_start": -1})
    with temporary_folder(tmp_path) as alive, temporary_folder(tmp_path) as other:
        assert {*tmp_path.iterdir()} == {foreign, Path(alive), Path(other)}


def test_a_finished_session_tells_how_long_it_waited_for_a_processor(tmp_path: Path) -> None:
    """Where Linux tells; a comparison asks for it."""
    session = SessionFolder(tmp_path)
    session.note_finished(NOW)
    told = read_json(tmp_path / STATE)["processor"]
    if Path("/proc/self/schedstat").exists():
        assert told["ran_ns"] > 0
        assert told["waited_ns"] >= 0
    schedstat = tmp_path / "schedstat"
    schedstat.write_text("238736 15879667 2\n", encoding="ascii")
    assert processor_times(schedstat) == (238736, 15879667)
    assert processor_times(tmp_path / "missing") is None
    schedstat.write_text("none\n", encoding="ascii")
    assert processor_times(schedstat) is None
