"""The console script `repro-report`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pytest_repro.cli.report import SESSION, main, report
from tests.unit.report.session_records import write_session


def test_sessions_are_listed_newest_first(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What stands in a name of a tag or a command stays text."""
    write_session(tmp_path, facts={"tag": "before"}, summary={"exit_status": 0})
    write_session(tmp_path, minute=1, facts={"command": "pytest \x1b[31m[bold]x"})
    assert main(["--root", str(tmp_path), "list"]) == 0
    header, newest, oldest = capsys.readouterr().out.splitlines()
    assert header.split() == ["session", "tag", "result", "what"]
    assert newest.startswith("20261101-120100-stress-")
    assert "broken off" in newest
    assert "pytest \\x1b" in newest
    assert oldest.split()[1:] == ["before", "passed", "10.0", "s", "pytest"]
    assert main(["--root", str(tmp_path), "list", "--json"]) == 0
    assert [row["tag"] for row in json.loads(capsys.readouterr().out)] == [None, "before"]


def test_old_sessions_are_removed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Those with a tag only when asked for."""
    for minute in range(4):
        write_session(tmp_path, minute=minute, facts={"tag": "a" if minute == 0 else None}, summary={})
    assert main(["--root", str(tmp_path), "prune", "--keep", "2"]) == 0
    shown = capsys.readouterr().out
    assert "removed 20261101-120100-stress-" in shown
    assert "1 session removed, 3 left in " in shown
    assert main(["--root", str(tmp_path), "prune", "--keep", "2", "--with-tags"]) == 0
    assert "removed 20261101-120000-stress-" in capsys.readouterr().out


def test_a_shell_is_offered_tags_and_ids(tmp_path: Path) -> None:
    """The newest first."""
    session = write_session(tmp_path, facts={"tag": "before"}, summary={})
    context = report.make_context("repro-report", ["--root", str(tmp_path), "list"])
    offered = SESSION.shell_complete(context, report.params[0], "")
    assert [item.value for item in offered] == ["latest", "before", session.id]
    assert [item.value for item in SESSION.shell_complete(context, report.params[0], "bef")] == ["before"]


def test_a_misspelt_command_ends_with_4(capsys: pytest.CaptureFixture[str]) -> None:
    """And says what there is."""
    assert main(["lst"]) == 4
    assert "No such command 'lst'" in capsys.readouterr().err
