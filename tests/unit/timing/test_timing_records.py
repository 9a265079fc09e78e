"""The records are what the README says, and programs read them."""

from __future__ import annotations

import re
from pathlib import Path

import pandas as pd
import pytest

from pytest_repro.model import Metric, Outcome, Phase, Profile, Transfer
from pytest_repro.store import SessionFolder
from pytest_repro.timing.formats import LOG, RECORDS, jsonl_record, write_profile

README = Path(__file__).parents[3] / "README.md"
MS = 1_000_000

PROFILE = Profile(
    test="test_a.py::test_x",
    iteration=3,
    worker="gw0",
    outcome=Outcome.FAILED,
    contended="2 workers",
    phases=(
        Phase(
            name="to_device",
            operation="torch.to",
            start_ns=5,
            call_ns=50 * MS,
            transfer=Transfer(size_bytes=9_270_000, shape=(3, 5), dtype="float32"),
        ),
        Phase(name="op", operation="torch.matmul", start_ns=60 * MS, call_ns=MS, wait_ns=19 * MS),
        Phase(name="to_torch", start_ns=90 * MS, call_ns=8620 * MS, is_open=True),
    ),
    metrics=(Metric(name="samples_per_s", value=19646.28),),
)


def fields_in_readme(what: str) -> set[str]:
    table = README.read_text("utf-8").partition(f"<!-- fields of: {what} -->")[2].partition("\n\n")[0]
    cells = [row.split("|")[1] for row in table.strip().splitlines()[2:]]
    return {name for cell in cells for name in re.findall(r"`(\w+)`", cell)}


def test_the_readme_names_each_field_and_no_other() -> None:
    """Of an iteration and of a phase."""
    record = jsonl_record(PROFILE)
    assert fields_in_readme("iteration") == set(record)
    assert fields_in_readme("phase") == set(record["phases"][0])
    outcomes = re.search(r"\| `outcome` \| (.*) \|", README.read_text("utf-8"))
    assert outcomes is not None
    assert re.findall(r"`(\w+)`", outcomes[1]) == [outcome.value for outcome in Outcome]


def test_the_line_of_the_log_is_the_one_in_the_readme(tmp_path: Path) -> None:
    """And grep finds all of them by their first word."""
    folder = SessionFolder(tmp_path)
    write_profile(folder, PROFILE)
    folder.close()
    line = (tmp_path / LOG).read_text("utf-8")
    shown = re.search(r"^to_device=.*# iteration=3 worker=gw0 .*$", README.read_text("utf-8"), re.MULTILINE)
    assert shown is not None
    assert line.strip() == shown[0].replace("tests/test_a.py", "test_a.py")


def test_pandas_reads_the_records(tmp_path: Path) -> None:
    """One row an iteration, with integers of nanoseconds and lists of phases."""
    folder = SessionFolder(tmp_path)
    for _ in range(3):
        write_profile(folder, PROFILE)
    folder.close()
    frame = pd.read_json(tmp_path / RECORDS, lines=True)
    assert list(frame["iteration"]) == [3, 3, 3]
    assert frame["total_ns"].dtype == "int64"
    phases = pd.json_normalize(frame["phases"].explode().tolist())
    durations = phases.groupby("name")["duration_ns"].sum()
    assert durations.to_dict() == {"to_device": 150 * MS, "op": 60 * MS, "to_torch": 3 * 8620 * MS}
    assert phases["transfer.size_bytes"].sum() == pytest.approx(3 * 9_270_000)
