"""One session, told."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pytest_repro.cli.report import main
from pytest_repro.model import Failure, Metric, Outcome, Phase, Profile, Signature, Stage, Transfer
from pytest_repro.report.catalogue import read_entry
from pytest_repro.report.rebuilt import breakdowns_of, stress_of
from pytest_repro.report.session_text import session_lines
from pytest_repro.report.session_view import read_session
from pytest_repro.report.stress import StressReport, report_record, stress_lines
from pytest_repro.report.timing import timing_record
from pytest_repro.stress.patterns import Pattern, PatternKind
from pytest_repro.stress.plan import StressPlan
from pytest_repro.stress.summary import Bug, TestSummary
from pytest_repro.timing.lines import breakdown_lines
from pytest_repro.timing.tally import breakdowns
from tests.unit.report.session_records import batch, failure, write_session

MS = 1_000_000
FIRST = Failure(
    test="t.py::a",
    iteration=3,
    outcome=Outcome.FAILED,
    stage=Stage.CALL,
    signature=Signature(exception="ValueError", message="no", file="t.py", function="a"),
    message="no \x1b[31m",
    seed=7,
    worker="gw0",
    elapsed_ns=5 * MS,
    text="E   ValueError: no\n\tat <b>",
)


def _stress() -> StressReport:
    test = TestSummary(
        test="t.py::a",
        planned=10,
        has_budget=False,
        outcomes={Outcome.PASSED: 2, Outcome.FAILED: 7},
        stages_ns=(1, 2, 3),
        fastest_ns=1,
        slowest_ns=2,
        first_failure=FIRST,
        lane="fast",
        pattern=Pattern(kind=PatternKind.RUNNING_AGAIN, passes=2, failures=7, processes=1),
    )
    bug = Bug(signature=FIRST.signature, failures=7, tests=("t.py::a",), first=FIRST)
    return StressReport(
        plan=StressPlan(iterations=10, base_seed=5),
        tests=(test,),
        bugs=(bug,),
        replays={FIRST.signature.key: "pytest --repro-replay 3"},
        folder="F",
        problem=None,
    )


def test_a_summary_says_what_the_session_said() -> None:
    """What is read back is told word for word as it was when the session ended."""
    report = _stress()
    record = json.loads(json.dumps(report_record(report, exit_status=1)))
    read = stress_of(record, folder="F")
    assert read is not None
    assert stress_lines(read, verbose=1) == stress_lines(report, verbose=1)


def test_a_table_of_phases_is_shown_as_it_was() -> None:
    """With its bottleneck, its sentence, its operations, its metrics and how failing iterations differ."""
    moved = Transfer(size_bytes=4096, shape=(32, 32), dtype="float32", layout="tile")
    profiles = [
        Profile(
            test="t.py::a",
            iteration=number,
            outcome=Outcome.FAILED if number % 3 == 0 else Outcome.PASSED,
            worker="main",
            phases=(
                Phase(
                    name="op", operation="matmul", start_ns=0, call_ns=8 * MS, fenced=True, cold=number == 1
                ),
                Phase(
                    name="to_torch",
                    operation="to_torch",
                    start_ns=8 * MS,
                    call_ns=MS * number,
                    hidden_ns=8 * MS,
                    fenced=True,
                    transfer=moved,
                ),
            ),
            metrics=(Metric(name="rate", value=float(number)),),
        )
        for number in range(1, 13)
    ]
    found = breakdowns(profiles)
    read = breakdowns_of(json.loads(json.dumps({"timing": timing_record(found)})))
    assert [breakdown_lines(one, 80) for one in read] == [breakdown_lines(one, 80) for one in found]
    assert [breakdown_lines(one, 50) for one in read] == [breakdown_lines(one, 50) for one in found]


@pytest.mark.parametrize(
    "summary",
    [
        {"tests": [{"test": "a"}, 3], "bugs": [None, {"signature": 3}], "timing": [{"test": 1}]},
        {"tests": [], "bugs": 7, "timing": "x", "runs": [1, {}], "said": [1], "statement": 3},
        {"tests": [{"outcomes": {"x": 1}, "stages_ns": [1], "planned": -1}], "bugs": []},
    ],
)
def test_records_of_others_are_left_out(tmp_path: Path, summary: dict[str, object]) -> None:
    """Whatever a summary holds, the rest is told."""
    session = write_session(tmp_path, summary=summary)
    lines = list(session_lines(read_session(read_entry(session.path))))
    assert lines[0].startswith("session:")
    assert any(line.endswith("summary.json") for line in lines)


def test_a_session_that_was_broken_off_tells_how_far_it_came(tmp_path: Path) -> None:
    """Its lines are there, its summary is not; an iteration that died is in no batch and is counted."""
    session = write_session(
        tmp_path,
        records={
            "iterations.jsonl": [batch("t::a", [("passed", 7), ("failed", 1)], [1] * 8)],
            "failures.jsonl": [failure("t::a", 8), failure("t::a", 9, outcome="crash")],
        },
    )
    told = "\n".join(session_lines(read_session(read_entry(session.path))))
    assert "broken off" in told
    assert "9 iterations of 1 test ran, 2 failures in 1 test" in told
    assert "records are incomplete: the session did not come to its end" in told


def test_one_session_is_shown(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The newest unless one is named, tracebacks when asked for, what would move a cursor spelled out."""
    record = report_record(_stress(), exit_status=1)
    git = {"commit": "c" * 40, "branch": "fix/\x1b[2J", "is_dirty": True, "difference": "d1"}
    facts = {"tag": "before", "command": "pytest\n-q", "git": git, "devices": ["gpu: H200"], "cpus": 2}
    write_session(tmp_path, facts=facts, summary=record)
    assert main(["--root", str(tmp_path), "show"]) == 0
    shown = capsys.readouterr().out
    assert "command:   pytest\\n-q" in shown
    assert "commit:    cccccccccccc on fix/\\x1b[2J, with local changes d1" in shown
    assert "began:     2026-11-01 12:00:00 UTC, took 10.0 s" in shown
    assert "  replay: pytest --repro-replay 3" in shown
    assert "E   ValueError" not in shown
    assert main(["--root", str(tmp_path), "show", "before", "--text"]) == 0
    assert "  E   ValueError: no\n      at <b>" in capsys.readouterr().out
    assert main(["--root", str(tmp_path), "show", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["tag"], told["summary"]["failures"], told["facts"]["cpus"]) == ("before", 7, 2)
    assert main(["--root", str(tmp_path), "show", "nowhere"]) == 4


def test_a_gate_tells_its_verdict_and_its_runs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """As it was said then."""
    runs = [{"run": 1, "exit_status": 0, "duration_ns": 2 * 10**9}, {"run": 2, "exit_status": 1}]
    summary = {
        "kind": "verify",
        "verdict": "unstable",
        "said": ["unstable: 1 of 2 runs failed"],
        "runs": runs,
    }
    write_session(tmp_path, kind="verify", summary=summary)
    assert main(["--root", str(tmp_path), "show"]) == 0
    shown = capsys.readouterr().out
    assert "unstable: 1 of 2 runs failed\n  run 1: exit status 0 in 2.0 s\n  run 2: exit status 1\n" in shown
