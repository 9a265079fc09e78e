"""A log of several files: what is of one file is never taken for the other's."""

from __future__ import annotations

from pathlib import Path

from pytest_repro.cli.scaffold import main
from pytest_repro.logs.history import read_history
from pytest_repro.logs.places import opened_log
from pytest_repro.logs.reader import read_whole_log

FIRST = """\
============================= test session starts ==============================
test_a.py::test_one FAILED                                               [100%]
============================= test session starts ==============================
test_a.py::test_two FAILED                                               [100%]
"""
SECOND = """\
test_b.py::test_three PASSED                                             [ 50%]
test_b.py::test_four FAILED                                              [100%]
"""


def _write(folder: Path) -> list[str]:
    for name, text in (("1.log", FIRST), ("2.log", SECOND)):
        (folder / name).write_text(text, encoding="utf-8")
    return [str(folder / "1.log"), str(folder / "2.log")]


def test_no_failure_of_one_file_is_lost_to_the_other(tmp_path: Path) -> None:
    """Sessions without an end stay where they are, and histories end with their file."""
    with opened_log(_write(tmp_path)) as log:
        report, _ = read_whole_log(log)
        assert {failure.nodeid.rpartition("::")[2] for failure in report.failures} == {
            "test_one",
            "test_two",
            "test_four",
        }
        last = next(failure for failure in report.failures if failure.nodeid.endswith("test_four"))
        history = read_history(log.lines(), last)
    assert history is not None
    assert history.tests == ("test_b.py::test_three", "test_b.py::test_four")


def test_damage_is_told_once_however_often_the_log_is_read(tmp_path: Path) -> None:
    """A compressed log that ends too early is read up to there."""
    import gzip

    packed = gzip.compress((FIRST * 1000).encode())
    (tmp_path / "cut.log.gz").write_bytes(packed[: len(packed) // 2])
    with opened_log([str(tmp_path / "cut.log.gz")]) as log:
        for _ in range(2):
            assert list(log.lines())
        assert len(log.notes) == 1


def test_the_user_is_told_that_the_copy_holds_several_files(tmp_path: Path, capsys: object) -> None:
    """Each under its name, so that numbers of lines hold."""
    places = [word for place in _write(tmp_path) for word in ("--log", place)]
    assert main(["two", *places, "--output", str(tmp_path), "--source", str(tmp_path), "--no-run"]) == 0
    copy = (tmp_path / "two" / "logs" / "ci.log").read_text("utf-8").splitlines()
    assert copy[0].startswith("==> ")
    assert copy[5].startswith("==> ")
    assert copy[6].startswith("test_b.py::test_three")
