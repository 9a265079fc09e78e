"""What is counted over many reports and sessions."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pytest_repro.cli.report import main
from pytest_repro.report.metrics import metrics_of
from pytest_repro.report.metrics_tables import metrics_lines
from tests.unit.report.session_records import write_session

MINUTE_NS = 60 * 10**9
SIGNATURE = {
    "exception": "builtins.ValueError",
    "message": "<n> of <n>",
    "file": "a.py",
    "function": "f",
    "statement": "f()",
}


def _git(branch: str) -> dict[str, Any]:
    return {"git": {"branch": branch, "commit": "a" * 40, "is_dirty": False}}


def _fixed(root: Path, branch: str = "fix-it") -> None:
    failing = {"exit_status": 1, "failures": 3, "bugs": [{"signature": SIGNATURE, "failures": 3}]}
    gate = {"verdict": "stable", "exit_status": 0, "runs_asked": 5, "runs_passed": 5}
    facts = _git(branch)
    write_session(root, facts=facts, summary={"exit_status": 0})
    write_session(root, minute=2, facts=facts, summary=failing)
    write_session(root, minute=4, facts=facts, summary=failing)
    write_session(root, minute=9, kind="verify", facts=facts, summary=gate)
    write_session(root, minute=20, kind="verify", facts=facts, summary=gate | {"runs_passed": 7})


def test_the_times_are_those_of_the_first_failure_and_of_the_first_proof_after_it(tmp_path: Path) -> None:
    """Until the session in question has ended; later ones change nothing."""
    _fixed(tmp_path)
    metrics = metrics_of([tmp_path])
    (work,) = metrics["each"]
    assert (work["name"], work["sessions"], work["status"]) == ("fix-it", 5, "success")
    assert work["to_reproduce_ns"] == 2 * MINUTE_NS + 10 * 10**9
    assert work["to_fix_ns"] == 7 * MINUTE_NS
    assert work["runs"] == 5
    assert metrics["sessions"] == {"all": 5, "failing": 2, "broken_off": 0}


def test_what_never_failed_was_neither_reproduced_nor_fixed(tmp_path: Path) -> None:
    """A stable gate before the failure is no fix of it either; sessions without a checkout go by tag."""
    gate = {"verdict": "stable", "exit_status": 0, "runs_asked": 5, "runs_passed": 5}
    write_session(tmp_path, kind="verify", facts={"tag": "a"}, summary=gate)
    write_session(tmp_path, minute=1, kind="verify", facts={"tag": "b"}, summary=gate)
    write_session(tmp_path, minute=2, facts={"tag": "b"}, summary={"exit_status": 1, "failures": 1})
    write_session(tmp_path, minute=3, facts={"tag": "b"})
    metrics = metrics_of([tmp_path])
    never, failed = metrics["each"]
    assert (never["to_reproduce_ns"], never["to_fix_ns"], never["runs"]) == (None, None, None)
    assert failed["to_reproduce_ns"] == MINUTE_NS + 10 * 10**9
    assert (failed["to_fix_ns"], failed["status"]) == (None, "failed")
    assert metrics["works"] == {"success": 1, "partial": 0, "failed": 1, "unknown": 0}
    assert metrics["sessions"]["broken_off"] == 1


def test_what_ran_on_main_belongs_to_the_branch_that_follows(tmp_path: Path) -> None:
    """A failure is reproduced before a branch is made for it; what comes after all branches stays alone."""
    failing = {"exit_status": 1, "failures": 3}
    gate = {"verdict": "stable", "exit_status": 0, "runs_asked": 5, "runs_passed": 5}
    write_session(tmp_path, facts=_git("main"), summary=failing)
    write_session(tmp_path, minute=1, facts=_git("fix/a"), summary=failing)
    write_session(tmp_path, minute=2, facts=_git("main"), summary=failing)
    write_session(tmp_path, minute=3, kind="verify", facts=_git("fix/a"), summary=gate)
    write_session(tmp_path, minute=4, kind="verify", facts=_git("main"), summary=gate)
    fixed, after = metrics_of([tmp_path])["each"]
    assert (fixed["name"], fixed["sessions"], fixed["status"]) == ("fix/a", 4, "success")
    assert fixed["to_reproduce_ns"] == 10 * 10**9
    assert fixed["to_fix_ns"] == 3 * MINUTE_NS
    assert (after["name"], after["sessions"]) == ("main", 1)


def test_a_certificate_is_a_proof_with_the_runs_of_both_sides(tmp_path: Path) -> None:
    """Its base counts for the signatures, once for each run that showed the failure."""
    summary = {
        "verdict": "certified",
        "exit_status": 0,
        "runs": [{}] * 40,
        "bugs_of_base": [{"signature": SIGNATURE, "runs": [1, 5]}, {"signature": None, "runs": [2]}],
    }
    write_session(tmp_path, facts=_git("x"), summary={"exit_status": 1, "failures": 1, "bugs": "lost"})
    write_session(tmp_path, minute=1, kind="certificate", facts=_git("x"), summary=summary)
    metrics = metrics_of([tmp_path])
    assert metrics["each"][0]["runs"] == 40
    (signature,) = metrics["signatures"]
    assert (signature["sessions"], signature["failures"]) == (1, 2)


def test_reports_count_by_their_status_line(tmp_path: Path) -> None:
    """A template that nobody filled in is unknown; a page without the line is no report."""
    folder = tmp_path / "outputs"
    folder.mkdir()
    for name, text in {
        "a": "# R\n\n**Status**: ✅ Success\n",
        "b": "**Status**: ⚠️ Partial\r\n**Duration**: failed\r\n",
        "c": "**Status**: FAILED",
        "d": "**Status**: [✅ Success / ⚠️ Partial / ❌ Failed]\n",
        "e": "# Notes\n",
    }.items():
        (folder / f"{name}.md").write_bytes(text.encode())
    (folder / "f.md").write_bytes(b"\xff\n**Status**: Success\n")
    (folder / "g.md").mkdir()
    assert metrics_of([tmp_path])["reports"] == {"success": 2, "partial": 1, "failed": 1, "unknown": 1}


def test_the_table_and_json_tell_of_several_projects(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each once, whatever its path is written like; a hostile name stays text."""
    for name in ("one", "two"):
        _fixed(tmp_path / name, branch=f"b\x1b{name}")
    roots = [str(tmp_path / "one"), str(tmp_path / "two"), str(tmp_path / "two" / ".." / "one")]
    assert main(["metrics", *roots, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told == metrics_of([tmp_path / "one", tmp_path / "two"])
    assert main(["metrics", *roots]) == 0
    shown = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    key = told["signatures"][0]["key"]
    assert shown == [
        "success partial failed unknown",
        "reports 0 0 0 0",
        "branches or tags 2 0 0 0",
        "",
        "10 sessions, 4 with the failure",
        "",
        "sessions status reproduced in fixed in runs branch or tag",
        "5 success 2 min 10 s 7 min 0 s 5 b\\x1bone",
        "5 success 2 min 10 s 7 min 0 s 5 b\\x1btwo",
        "10 median 2 min 10 s 7 min 0 s 5",
        "",
        "sessions failures key most frequent signatures",
        f"4 12 {key} ValueError: <n> of <n> (a.py in f)",
    ]
    assert max(map(len, metrics_lines(told, width=60))) <= 60


def test_nothing_on_record_is_nothing_counted(tmp_path: Path) -> None:
    """And no table without a row."""
    lines = metrics_lines(metrics_of([tmp_path]))
    assert lines[-1] == "0 sessions, 0 with the failure"


def test_the_page_tells_of_the_work_that_its_session_belongs_to(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same tables as on the terminal; none where the session is the only one, or of another project."""
    monkeypatch.chdir(tmp_path)
    project, other = tmp_path / "project", tmp_path / "other"
    _fixed(project, branch="fix/a")
    alone = write_session(other, summary={"exit_status": 0})
    for root, session, is_told in ((project, "latest", True), (other, "latest", False)):
        assert main(["--root", str(root), "html", session, "--output", "page.html"]) == 0
        data = _page_data(Path("page.html"))
        assert (data["work"] is not None) is is_told
        if is_told:
            assert data["work"]["said"] == "5 sessions, 2 with the failure"
            assert data["work"]["tables"][1]["rows"] == [
                ["5", "success", "2 min 10 s", "7 min 0 s", "5", "fix/a"]
            ]
    assert main(["--root", str(project), "html", str(alone.path), "--output", "page.html"]) == 0
    assert _page_data(Path("page.html"))["work"] is None
    capsys.readouterr()


def _page_data(page: Path) -> dict[str, Any]:
    text = page.read_text(encoding="utf-8").partition('<script type="application/json" id="data">')[2]
    data: dict[str, Any] = json.loads(text.partition("</script>")[0])
    return data
