"""What must be on record before giving up."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pytest_repro.cli.report import main
from pytest_repro.model import Outcome, Phase, Profile, Transfer
from pytest_repro.report.timing import timing_record
from pytest_repro.timing.tally import breakdowns
from tests.unit.report.session_records import failure, write_session

MS = 1_000_000


def _timing() -> list[dict[str, object]]:
    moved = Transfer(size_bytes=9_270_000, shape=(1, 151936), dtype="float32")
    phases = (
        Phase(name="to_device", operation="to", start_ns=0, call_ns=MS, fenced=True, transfer=moved),
        Phase(name="op", operation="add", start_ns=2 * MS, call_ns=MS, on_host=True),
    )
    profile = Profile(test="t", iteration=1, outcome=Outcome.PASSED, worker="main", phases=phases)
    return timing_record(breakdowns([profile]))


def _bugs() -> dict[str, object]:
    record = failure("t.py::a", 1, message="too wide")
    bug = {"signature": record["signature"], "failures": 1, "tests": ["t.py::a"], "first": record}
    return {"tests": [], "bugs": [bug], "failures": 1, "exit_status": 1, "kind": "stress"}


def _write(root: Path, *, attempts: int) -> None:
    base = {"commit": "a", "is_dirty": False}
    write_session(root, facts={"git": base}, summary=_bugs())
    for number in range(1, attempts + 1):
        git = {"commit": "a", "is_dirty": True, "difference": f"d{number}"}
        summary = {"exit_status": 1, "failures": 1, "timing": _timing()}
        write_session(root, minute=5 * number, facts={"git": git}, summary=summary)
    runs = [{"run": number, "exit_status": 1} for number in range(1, 6)]
    summary = {"kind": "verify", "verdict": "unstable", "runs": runs, "runs_asked": 5}
    write_session(root, kind="verify", minute=5 * attempts + 5, facts={"git": git}, summary=summary)


def test_who_has_tried_everything_may_give_up(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Each line names the session that shows it; what only a person can know is told apart."""
    _write(tmp_path, attempts=5)
    assert main(["--root", str(tmp_path), "evidence"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split("  ")[0] for line in lines[:7]] == ["yes"] * 7
    assert "20261101-120000-stress-" in lines[0]
    assert "9.27 MB moved, as logged (20261101-120500-stress-" in lines[2]
    assert lines[-1] == "nothing is missing on record"


def test_what_is_missing_is_told_with_what_to_do(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """And ends with 1."""
    write_session(tmp_path, summary={"exit_status": 0})
    assert main(["--root", str(tmp_path), "evidence", "--json"]) == 1
    record = json.loads(capsys.readouterr().out)
    assert not record["is_complete"]
    assert {check["name"]: check["is_met"] for check in record["checks"]} == dict.fromkeys(
        ("reproduced", "profiled", "sizes logged", "host and device", "attempts", "runs", "time"), False
    )
    assert all(check["next_step"] for check in record["checks"])
    assert main(["--root", str(tmp_path / "empty"), "evidence"]) == 4


@pytest.mark.parametrize("attempts", [4, 1])
def test_too_few_attempts_are_counted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], attempts: int
) -> None:
    """The code without a change is none of them."""
    _write(tmp_path, attempts=attempts)
    assert main(["--root", str(tmp_path), "evidence"]) == 1
    shown = capsys.readouterr().out
    noun = "change" if attempts == 1 else "changes"
    assert f"{attempts} {noun} of the code with a session, 5 are needed" in shown


def test_only_the_failure_of_the_folder_counts(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A session that failed with another signature reproduces nothing."""
    _write(tmp_path, attempts=5)
    folder = tmp_path / "gather"
    folder.mkdir()
    for message, status in (("too wide", 0), ("something else entirely", 1)):
        signature = failure("t.py::a", 1, message=message)["signature"]
        (folder / "signature.json").write_text(json.dumps({"signature": signature}))
        assert main(["--root", str(tmp_path), "evidence", "--failure", "gather"]) == status
    assert "failed, with other code or another failure" in capsys.readouterr().out
    assert main(["--root", str(tmp_path), "evidence", "--failure", "nowhere"]) == 4
    assert "no folder of this name has a signature.json" in capsys.readouterr().err
