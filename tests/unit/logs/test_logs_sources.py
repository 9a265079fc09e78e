from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
import os
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from pytest_repro.errors import LogError
from pytest_repro.logs import archives
from pytest_repro.logs.places import opened_log
from pytest_repro.logs.reader import read_whole_log
from pytest_repro.logs.records import LogReport

PLAIN = """\
============================= test session starts ==============================
collected 1 item

t.py F                                                                   [100%]

=================================== FAILURES ===================================
____________________________________ test_a ____________________________________

    def test_a():
>       assert 1 == 2
E       assert 1 == 2

t.py:2: AssertionError
=========================== short test summary info ============================
FAILED t.py::test_a - assert 1 == 2
============================== 1 failed in 0.01s ===============================
"""
TIME = "2026-01-02T03:04:05.000000{}Z "
SETUP = TIME.format(1) + "Prepare workflow directory\n"
TEST = "".join(
    TIME.format(2 if number else 3) + line + "\n"
    for number, line in enumerate(["##[group]Run pytest", "##[endgroup]", *PLAIN.splitlines()])
)


def read(*places: Path | str, stdin: io.BytesIO | None = None) -> tuple[LogReport, str, tuple[str, ...]]:
    """Gives the report, the copy of the log, and the notes."""
    with opened_log([str(place) for place in places], stdin=stdin) as log:
        report, masker = read_whole_log(log)
        copy = io.StringIO()
        log.copy(copy, masker)
        return report, copy.getvalue(), log.notes


def made_zip(path: Path, **files: str) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    return path


def as_tar_gz(data: bytes) -> bytes:
    held = io.BytesIO()
    with tarfile.open(fileobj=held, mode="w:gz") as archive:
        info = tarfile.TarInfo("../a.log")
        info.size = len(data)
        archive.addfile(info, io.BytesIO(data))
    return held.getvalue()


def as_zip(data: bytes) -> bytes:
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w") as archive:
        archive.writestr("../../a.log", data)
    return held.getvalue()


def as_step_records(data: bytes) -> bytes:
    return json.dumps(
        [{"message": line, "type": "out"} for line in data.decode().splitlines(keepends=True)]
    ).encode()


PACKERS = (bytes, gzip.compress, bz2.compress, lzma.compress, as_tar_gz, as_zip, as_step_records)


@pytest.mark.parametrize("pack", PACKERS, ids=lambda pack: pack.__name__)
def test_a_log_is_read_however_it_is_packed(pack: Callable[[bytes], bytes], tmp_path: Path) -> None:
    """What a file is says its beginning, not its name; the numbers of lines are those of the copy."""
    path = tmp_path / "log"
    path.write_bytes(pack(PLAIN.encode()))
    report, copy, notes = read(path)
    (failure,) = report.failures
    assert (failure.nodeid, copy, notes, report.parts) == ("t.py::test_a", PLAIN, (), ())
    assert copy.splitlines()[failure.line - 1].startswith(("____", "FAILED"))


def test_standard_input_is_read_twice(tmp_path: Path) -> None:
    """A pipe is kept, so that it can be read and copied; it may hold an archive."""
    for data in (PLAIN.encode(), as_zip(PLAIN.encode())):
        report, copy, _ = read("-", stdin=io.BytesIO(data))
        assert (report.failures[0].nodeid, copy) == ("t.py::test_a", PLAIN)


@pytest.mark.skipif(not hasattr(os, "openpty"), reason="needs a terminal")
def test_a_terminal_is_no_log() -> None:
    """Nobody waits for a log that is never typed."""
    controller, terminal = os.openpty()
    try:
        with (
            open(terminal, "rb", buffering=0, closefd=False) as stdin,
            pytest.raises(LogError, match="standard input is a terminal"),
        ):
            read("-", stdin=stdin)  # type: ignore[arg-type]
    finally:
        os.close(controller)
        os.close(terminal)


@pytest.mark.parametrize(
    ("stdin", "fact"), [(None, "standard input is closed"), (io.BytesIO(), "The log is empty: 0 bytes")]
)
def test_an_absent_standard_input_is_told(stdin: io.BytesIO | None, fact: str) -> None:
    """Closed and empty standard input are errors that say so."""
    with pytest.raises(LogError, match=fact):
        read("-", stdin=stdin)


def test_an_archive_of_github_is_read_once_with_job_and_step(tmp_path: Path) -> None:
    """Whole jobs and steps hold the same lines; the place in the archive names job and step."""
    path = made_zip(
        tmp_path / "logs.zip",
        **{
            "0_ci  build.txt": "\ufeff" + SETUP + TEST,
            "1_lint.txt": SETUP,
            "ci  build/1_Set up job.txt": "\ufeff" + SETUP,
            "ci  build/10_Run the tests.txt": "\ufeff" + TEST,
            "ci  build/system.txt": TIME.format(0) + "Requested labels: ubuntu-latest\n",
        },
    )
    report, copy, _ = read(path)
    session = report.session
    assert copy.count("FAILED t.py::test_a") == len(report.failures) == 1
    assert session.job is not None
    assert session.step is not None
    assert (session.job.value, session.step.value) == ("ci / build", "Run the tests")
    line = report.failures[0].line
    part = max((part for part in report.parts if part.line < line), key=lambda part: part.line)
    assert part.name == f"{path}/0_ci  build.txt"
    own = (SETUP + TEST).splitlines()[line - part.line - 1]
    assert own.lstrip("\ufeff") == copy.splitlines()[line - 1]


def test_steps_are_read_where_the_whole_log_is_shorter_or_missing(tmp_path: Path) -> None:
    """Nothing of a job is lost, whichever of its two logs is there."""
    steps = {"build/1_Set up job.txt": SETUP, "build/2_Run the tests.txt": TEST}
    for whole in ({}, {"0_build.txt": SETUP}):
        report, copy, _ = read(made_zip(tmp_path / "logs.zip", **whole, **steps))
        assert report.session.step is not None
        assert (report.session.step.value, copy.count("FAILED t.py")) == ("Run the tests", 1)


def test_a_folder_is_read_in_natural_order_without_other_files(tmp_path: Path) -> None:
    """Unpacked and packed logs are read, pictures and reports are not, and the user is told."""
    folder = tmp_path / "logs"
    (folder / "more").mkdir(parents=True)
    (folder / "more" / "2.log").write_text("two\n")
    (folder / "more" / "10.log.gz").write_bytes(gzip.compress(PLAIN.encode()))
    (folder / "junit.xml").write_text("<testsuites/>")
    (folder / "core").write_bytes(bytes(5000))
    report, copy, notes = read(folder)
    assert [Path(part.name).name for part in report.parts] == ["2.log", "10.log.gz"]
    assert copy.startswith(f"==> {folder}/more/2.log <==\ntwo\n==> {folder}/more/10.log.gz <==\n=====")
    assert report.failures[0].nodeid == "t.py::test_a"
    assert notes == (f"{folder}: 2 files are no logs and were left out: core, junit.xml",)


def test_a_session_ends_with_its_file(tmp_path: Path) -> None:
    """A log that breaks off does not go on in the next one."""
    first, second = tmp_path / "a.log", tmp_path / "b.log"
    first.write_text(PLAIN[: PLAIN.index("E   ")])
    second.write_text("E       ValueError: of the other file\n" + PLAIN)
    report, _, _ = read(first, second)
    assert all("other file" not in failure.text for failure in report.failures)


def test_a_damaged_file_is_read_up_to_its_damage(tmp_path: Path) -> None:
    """What can be read is read, and the user is told that it ends too early."""
    noise = "".join(f"line {number * 7919 % 100_003}\n" for number in range(20_000))
    path = tmp_path / "cut.log.gz"
    path.write_bytes(gzip.compress((PLAIN + noise).encode())[:-2000])
    report, _, notes = read(path)
    assert report.failures[0].nodeid == "t.py::test_a"
    (note,) = notes
    assert note.startswith(f"{path} is damaged and was read up to there: ")


def test_archives_that_cannot_be_read_say_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Cut, encrypted, without logs, and too large: each has its own words."""
    cut = tmp_path / "cut.zip"
    cut.write_bytes(as_zip(PLAIN.encode())[:30])
    with pytest.raises(LogError, match="damaged or was not downloaded whole"):
        read(cut)
    locked = bytearray(as_zip(PLAIN.encode()))
    locked[6] |= 1
    locked[locked.index(b"PK\x01\x02") + 8] |= 1
    (tmp_path / "locked.zip").write_bytes(locked)
    with pytest.raises(LogError, match="encrypted: 1 of its 1 files need a password"):
        read(tmp_path / "locked.zip")
    with pytest.raises(LogError, match="There is no log in it: 1 files"):
        read(made_zip(tmp_path / "none.zip", **{"a.xml": "<a/>"}))
    monkeypatch.setattr(archives, "MOST_UNPACKED_BYTES", 1000)
    for name, pack in (("bomb.zip", as_zip), ("bomb.gz", gzip.compress), ("bomb.tgz", as_tar_gz)):
        (tmp_path / name).write_bytes(pack(b"\n" * 5000))
        with pytest.raises(LogError, match="unpacks to more than"):
            read(tmp_path / name)
