from __future__ import annotations

import base64
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pytest_repro.cli.report import main
from pytest_repro.report.catalogue import read_entry
from pytest_repro.report.page.arrays import packed, packed_codes, sample_places
from pytest_repro.report.page.data import page_data
from pytest_repro.report.page.render import embedded_json, page_text, template_folder
from tests.unit.report.session_records import batch, failure, write_session

HOSTILE = "</script><script>alert(1)</script><!--\u2028<img src=x onerror=alert(1)>"
TEST = "test_a.py::test_a"


def test_a_dead_iteration_stands_among_those_that_finished(tmp_path: Path) -> None:
    """It has no line in iterations.jsonl, and still its place, its worker and its bug."""
    lines = [batch(TEST, [("passed", 2)], [10, 20]), batch(TEST, [("passed", 1)], [30], first=4)]
    died = failure(TEST, 3, outcome="crash", worker="gw1")
    session = write_session(
        tmp_path, summary={}, records={"iterations.jsonl": lines, "failures.jsonl": [died]}
    )
    drawn = page_data(read_entry(session.path))["drawn"]
    assert [drawn["kinds"][code]["outcome"] for code in _codes(drawn["tests"][0]["kind"])] == [
        "passed",
        "passed",
        "crash",
        "passed",
    ]
    assert [drawn["workers"][code] for code in _codes(drawn["tests"][0]["worker"])] == [
        "main",
        "main",
        "gw1",
        "main",
    ]
    durations = np.frombuffer(base64.b64decode(drawn["tests"][0]["duration_ms"]["f32"]), "<f4")
    assert np.isnan(durations[2])
    assert durations[[0, 1, 3]].tolist() == pytest.approx([10e-6, 20e-6, 30e-6])


def test_of_many_durations_all_failing_ones_are_kept(tmp_path: Path) -> None:
    """The strip holds all outcomes, the plot a sample with every failing iteration, and the page says so."""
    lines = [batch(TEST, [("passed", 500), ("failed", 1), ("passed", 499)], list(range(1, 1001)))]
    session = write_session(
        tmp_path,
        summary={},
        records={"iterations.jsonl": lines, "failures.jsonl": [failure(TEST, 501)]},
    )
    drawn = page_data(read_entry(session.path), most_points=50)["drawn"]
    places = np.frombuffer(base64.b64decode(drawn["tests"][0]["places"]["u32"]), "<u4")
    assert (len(places), drawn["points"], drawn["total"]) == (50, 50, 1000)
    assert 500 in places
    assert len(_codes(drawn["tests"][0]["kind"])) == 1000


def test_more_failing_ones_than_points_are_sampled_evenly() -> None:
    """The bound holds whatever fails."""
    assert sample_places(np.ones(100, bool), most=10).tolist() == list(range(0, 100, 10))


def test_codes_are_packed_in_the_shorter_way() -> None:
    """Runs of equal ones, or each of them."""
    assert "runs" in packed_codes(np.zeros(100, int))
    assert packed_codes(np.arange(100)) == {"each": packed(np.arange(100), "u16")}


def test_embedded_text_cannot_end_its_element() -> None:
    """Whatever a test is named, the JSON is read back as it was."""
    text = embedded_json({HOSTILE: HOSTILE})
    assert not set(text) & set("<>&\u2028")
    assert json.loads(text) == {HOSTILE: HOSTILE}


def test_hostile_facts_are_escaped_in_the_page(tmp_path: Path) -> None:
    """Tag and command stand in the page itself; they stay text there too."""
    session = write_session(tmp_path, facts={"tag": HOSTILE, "command": HOSTILE}, summary={})
    text = page_text(page_data(read_entry(session.path)))
    assert "<script>alert" not in text
    assert "<img" not in text
    assert "&lt;/script&gt;&lt;script&gt;alert(1)" in text


def test_the_page_carries_the_licence_of_its_plots(tmp_path: Path) -> None:
    """Who passes the file on passes the licence on."""
    session = write_session(tmp_path, summary={})
    licence = (template_folder() / "vendor/uPlot.LICENSE").read_text(encoding="utf-8")
    assert licence.strip() in page_text(page_data(read_entry(session.path)))


@pytest.mark.parametrize("kind", ["stress", "verify", "timing", "certificate", ""])
def test_a_session_that_was_broken_off_has_a_page(tmp_path: Path, kind: str) -> None:
    """Nothing but its facts is on record, and that is what the page tells."""
    session = write_session(tmp_path, kind=kind)
    assert page_data(read_entry(session.path))["drawn"] is None


def test_the_page_of_a_gate_tells_its_verdict_and_how_to_repeat_a_bug(tmp_path: Path) -> None:
    """In the words of the gate; the command comes from the run that the bug was seen in."""
    said = ["unstable: 1 run of 2 failed", "run 1: it failed in 1 of 2 iterations"]
    summary = {"verdict": "unstable", "said": said, "runs_failed": [1], "runs": [{"run": 1}, {"run": 2}]}
    session = write_session(tmp_path, kind="verify", summary=summary)
    _write_run(session.path / "run_1", failure(TEST, 2), replay="pytest --repro-replay 2")
    data = page_data(read_entry(session.path))
    assert data["verdict"] == {"word": "unstable", "is_good": False, "said": said, "facts": []}
    assert [row[:2] for row in data["runs"]] == [["1", "failed"], ["2", "passed"]]
    bug = data["bugs"][0]
    assert (bug["where"], bug["replay"]) == (
        f"{TEST}, run 1, iteration 2 on main",
        "pytest --repro-replay 2",
    )


def test_the_page_of_a_certificate_keeps_base_and_fix_apart(tmp_path: Path) -> None:
    """Each has its strip; the worktree of the base is gone, and so is the command that ran in it."""
    side = {"name": "main", "commit": "c" * 40, "failure_rate": 1.0, "interval": [0.2, 1.0]}
    side |= {"runs": 1, "failed": 1, "median_duration_ns": 2_000_000_000}
    runs = [{"side": "base", "run": 1, "exit_status": 1}, {"side": "fix", "run": 1, "exit_status": 0}]
    fix = {"name": "HEAD", "commit": "f" * 40, "median_duration_ns": 1_000_000_000}
    summary: dict[str, Any] = {"verdict": "certified", "statement": "it holds", "base": side, "fix": fix}
    summary |= {"runs": runs}
    session = write_session(tmp_path, kind="certificate", summary=summary)
    _write_run(session.path / "base_run_1", failure(TEST, 2), replay="pytest --rootdir=/gone")
    _write_run(session.path / "fix_run_1", None, replay="")
    data = page_data(read_entry(session.path))
    assert [(test["test"], test["failures"], test["count"]) for test in data["drawn"]["tests"]] == [
        (f"base: {TEST}", 1, 2),
        (f"fix: {TEST}", 0, 2),
    ]
    assert data["drawn"]["tests"][0]["told"] == "1 of 2 failed, 50 %, 95 % interval 1.3 % to 99 %"
    assert (data["verdict"]["is_good"], data["has_sides"]) == (True, True)
    assert data["verdict"]["facts"][1:] == [
        ["failures of the base", "1 of 1 run (100 %, interval 20 % to 100 %)"],
        ["fix", f"HEAD: commit {'f' * 12}"],
        ["median of a whole run", "base 2.0 s, fix 1.0 s"],
    ]
    assert [row[:2] for row in data["runs"]] == [["base 1", "failed"], ["fix 1", "passed"]]
    assert data["bugs"][0]["replay"] is None


def _write_run(folder: Path, failing: dict[str, Any] | None, *, replay: str) -> None:
    folder.mkdir()
    ends = [("passed", 1), ("failed", 1)] if failing else [("passed", 2)]
    (folder / "iterations.jsonl").write_text(json.dumps(batch(TEST, ends, [10, 20])) + "\n")
    bugs = [{"signature": failing["signature"], "replay": replay}] if failing else []
    (folder / "failures.jsonl").write_text(json.dumps(failing) + "\n" if failing else "")
    (folder / "summary.json").write_text(json.dumps({"format_version": 1, "bugs": bugs}))


def test_the_bottleneck_is_marked(tmp_path: Path) -> None:
    """Of phases with one name that of the test, not of a fixture; in a gate those of its newest timed run."""
    phase = {
        "within": [],
        "name": "op",
        "calls": 1,
        "total_ns": 5_000,
        "unfenced_ns": 1_000,
        "size_bytes": None,
    }
    phases = [phase | {"stage": "setup"}, phase | {"stage": "call"}]
    timing = [{"test": TEST, "bottleneck": ["call", "op"], "phases": phases}]
    session = write_session(tmp_path, kind="timing", summary={"timing": timing})
    (told,) = page_data(read_entry(session.path))["timing"]
    assert [(row[0], row[-1]) for row in told["rows"]] == [("setup: op", ""), ("op", "bottleneck")]
    gate = write_session(tmp_path, kind="verify", summary={"verdict": "stable"})
    for number, text in ((1, "{}"), (2, json.dumps({"timing": timing})), (3, "{]")):
        (gate.path / f"run_{number}").mkdir()
        (gate.path / f"run_{number}" / "summary.json").write_text(text)
    assert page_data(read_entry(gate.path))["timing"] == [told | {"run": "run 2"}]


def test_only_what_counts_against_a_test_is_a_failure(tmp_path: Path) -> None:
    """As pytest has it: no skip, nothing marked as xfail; in iterations, phases, metrics and runs."""
    ends = [(name, 1) for name in ("passed", "skipped", "xfailed", "xpassed", "failed")]
    profiles = [
        {
            "test": TEST,
            "worker": "main",
            "iteration": number,
            "outcome": outcome,
            "phases": [{"name": "op", "duration_ns": 5, "unfenced_ns": 5}],
            "metrics": [{"name": "m", "value": 1.0}],
        }
        for number, (outcome, _) in enumerate(ends, 1)
    ]
    records = {"iterations.jsonl": [batch(TEST, ends, [1, 2, 3, 4, 5])], "profiling.jsonl": profiles}
    outcomes = {outcome: {"outcome": outcome} for outcome, _ in ends}
    summary = {"runs": [{"run": 1, "exit_status": 1, "report": {"tests": outcomes}}]}
    data = page_data(read_entry(write_session(tmp_path, summary=summary, records=records).path))
    assert {kind["outcome"]: kind["fails"] for kind in data["drawn"]["kinds"]} == {
        outcome: outcome == "failed" for outcome, _ in ends
    }
    told = data["drawn"]["tests"][0]["told"]
    assert told == "1 of 4 failed, 25 %, 95 % interval 0.63 % to 81 %, 1 skipped"
    assert _codes({"each": data["phases"][0]["failing"]}) == [0, 0, 0, 0, 1]
    assert (data["metrics"][0][-1], data["runs"][0][5]) == ("1", "failed")


def test_what_is_left_out_of_the_page_is_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Failures and workers of all tests, bugs of all failures, though the page shows fewer."""
    monkeypatch.setattr("pytest_repro.report.page.iterations.MOST_TESTS", 1)
    monkeypatch.setattr("pytest_repro.report.page.data._MOST_BUGS", 1)
    lines = [
        batch("a", [("failed", 2)], [1, 2]),
        batch("b", [("failed", 1), ("passed", 2)], [1, 2, 3], worker="gw1"),
    ]
    failures = [failure("a", 1), failure("a", 2), failure("b", 1, message="other", worker="gw1")]
    records = {"iterations.jsonl": lines, "failures.jsonl": failures}
    data = page_data(read_entry(write_session(tmp_path, summary={}, records=records).path))
    drawn = data["drawn"]
    assert (len(drawn["tests"]), drawn["tests_left_out"], drawn["failing"]) == (1, 1, 3)
    assert dict(zip(drawn["workers"], drawn["of_workers"], strict=True)) == {"main": [2, 2], "gw1": [3, 1]}
    assert (len(data["bugs"]), data["bugs_found"]) == (1, 2)


def test_what_did_not_run_is_told(tmp_path: Path) -> None:
    """An interrupted session shows more than what it finished."""
    tests = [{"test": TEST, "planned": 10, "missing": 7}, {"test": "b", "planned": 10, "missing": 0}]
    session = write_session(tmp_path, summary={"tests": tests})
    assert page_data(read_entry(session.path))["missing"] == 7


@pytest.mark.parametrize("theme", [":root", ":root.dark"])
def test_colours_are_told_apart(theme: str) -> None:
    """As WCAG 2.2 asks for: text 4.5 to 1 on each ground, what is drawn and edges of controls 3 to 1."""
    style = (template_folder() / "page.css").read_text(encoding="utf-8")
    colours = dict(re.findall(r"--([\w-]+): (#\w+)", style.partition(f"{theme} {{")[2].partition("}")[0]))
    for ground in ("card", "mark"):
        for name in ("ink", "quiet", "accent", "pass-ink", "fail-ink"):
            assert _contrast(colours[name], colours[ground]) >= 4.5, (name, ground)
        for name in ("pass", "skip", "edge", *(f"k{number}" for number in range(8))):
            assert _contrast(colours[name], colours[ground]) >= 3, (name, ground)
    # The number of a bug stands on its colour.
    assert all(_contrast(colours[f"k{number}"], colours["card"]) >= 4.5 for number in range(8))


def _contrast(one: str, other: str) -> float:
    low, high = sorted(map(_luminance, (one, other)))
    return (high + 0.05) / (low + 0.05)


def _luminance(colour: str) -> float:
    digits = colour[1:] if len(colour) == 7 else "".join(2 * digit for digit in colour[1:])
    parts = [int(digits[at : at + 2], 16) / 255 for at in (0, 2, 4)]
    red, green, blue = (
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def test_a_record_that_cannot_be_read_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The rest is written."""
    monkeypatch.chdir(tmp_path)
    session = write_session(tmp_path, summary={"verdict": "unstable", "reasons": ["run 1 hung"]})
    (session.path / "failures.jsonl").write_text("{]\n", encoding="utf-8")
    assert main(["html"]) == 0
    told = capsys.readouterr()
    assert "The record is not JSON" in told.err
    assert told.out == f"{session.path.name}.html\n"
    assert "run 1 hung" in (tmp_path / f"{session.path.name}.html").read_text(encoding="utf-8")


def test_a_page_that_cannot_be_written_is_an_error(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """With the place and what to do."""
    write_session(tmp_path, summary={})
    target = tmp_path / "none" / "page.html"
    assert main(["--root", str(tmp_path), "html", "--output", str(target)]) == 4
    assert capsys.readouterr().err == (
        f"repro-report: The page cannot be written: No such file or directory ({target})."
        " Give another file with --output.\n"
    )


def _codes(column: dict[str, Any]) -> list[int]:
    if "each" in column:
        return list(np.frombuffer(base64.b64decode(column["each"]["u16"]), "<u2"))
    codes, lengths = column["runs"]
    read = np.frombuffer(base64.b64decode(codes["u16"]), "<u2")
    return list(np.repeat(read, np.frombuffer(base64.b64decode(lengths["u32"]), "<u4")))
