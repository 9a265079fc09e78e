from __future__ import annotations

import base64
import json
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
