"""What can be read of a zip archive that is cut or damaged is read, and it is said that it is not whole."""

from __future__ import annotations

import io
import random
import tarfile
import zipfile
from contextlib import suppress
from pathlib import Path

import pytest

from pytest_repro.errors import LogError
from pytest_repro.logs.places import opened_log
from pytest_repro.logs.reader import read_whole_log
from tests.unit.logs.wrappings import SESSION, github_archive

IDS = {
    "tests/test_pump.py::test_pressure[1-\u00b5bar]",
    "tests/test_pump.py::test_stop",
    "tests/test_valve.py::TestValve::test_close",
}
NOISE = "".join(f"{number} {number * 7919 % 100_003}\n" for number in range(20_000))


class Unseekable(io.RawIOBase):
    """Where an archive is sent as it is made, as by GitHub: sizes can stand only behind each file."""

    def __init__(self) -> None:
        self.data = b""

    def writable(self) -> bool:
        return True

    def write(self, data: object, /) -> int:
        self.data += bytes(data)  # type: ignore[call-overload]
        return len(data)  # type: ignore[arg-type]


def archived(method: int, *, is_sent: bool, **files: str) -> bytes:
    target = Unseekable() if is_sent else io.BytesIO()
    with zipfile.ZipFile(target, "w", method) as archive:
        for name, text in files.items():
            archive.writestr(name, text.encode())
    return target.data if isinstance(target, Unseekable) else target.getvalue()


def read(path: Path, data: bytes) -> tuple[set[str], str]:
    """Gives the failing tests, and the notes."""
    path.write_bytes(data)
    with opened_log([str(path)]) as log:
        report, _ = read_whole_log(log)
        return {one.nodeid for one in report.failures}, "\n".join(log.notes)


def damaged(data: bytes, place: int) -> bytes:
    return data[:place] + bytes([data[place] ^ 0xFF]) + data[place + 1 :]


@pytest.mark.parametrize("sizes", ["before", "behind"])
@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_a_download_that_broke_off_is_read_as_far_as_it_goes(method: int, sizes: str, tmp_path: Path) -> None:
    """Without the directory at its end, with the last file cut in its middle, however the sizes are told."""
    data = archived(method, is_sent=sizes == "behind", **{"0_unit.txt": SESSION, "1_other.txt": NOISE})
    for end in (data.rindex(b"PK\x01\x02"), data.index(b"1_other.txt") + 5_000):
        names, notes = read(tmp_path / "logs.zip", data[:end])
        assert names == IDS
        assert "logs.zip is incomplete: its list of files is damaged or missing" in notes
    assert "2 files, 1 of them not whole" in notes
    assert "1_other.txt is damaged and was read up to there: the archive ends within it" in notes


def test_the_file_that_is_cut_is_read_down_to_its_last_line(tmp_path: Path) -> None:
    data = archived(zipfile.ZIP_DEFLATED, is_sent=True, **{"0_unit.txt": SESSION + NOISE})
    names, _ = read(tmp_path / "logs.zip", data[: len(data) // 3])
    assert names == IDS


def test_wherever_an_archive_ends_nothing_else_than_its_logs_is_read(tmp_path: Path) -> None:
    """No cut makes an error of Python, nor a test that is not there; an archive of nothing is refused."""
    data = github_archive()
    for end in range(100, len(data), 61):
        names, notes = read(tmp_path / "logs.zip", data[:end])
        assert names <= IDS
        assert "is incomplete" in notes
    with pytest.raises(LogError, match="damaged or was not downloaded whole"):
        read(tmp_path / "logs.zip", data[:20])


def test_damage_in_one_file_leaves_the_others(tmp_path: Path) -> None:
    """With and without the directory; what stands before the damage in its own file is read too."""
    whole = archived(
        zipfile.ZIP_DEFLATED,
        is_sent=False,
        **{"0_a.txt": NOISE, "1_b.txt": SESSION, "2_c.txt": SESSION + NOISE},
    )
    place = whole.index(b"0_a.txt") + 20_000
    for data in (damaged(whole, place), damaged(whole, place)[: whole.rindex(b"PK\x01\x02")]):
        names, notes = read(tmp_path / "logs.zip", data)
        assert names == IDS
        assert "0_a.txt is damaged and was read up to there" in notes


def test_a_wrong_checksum_costs_no_line(tmp_path: Path) -> None:
    """Python's own reader gives nothing of a file whose checksum is wrong: it may hold the failure."""
    for method in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        data = archived(method, is_sent=False, **{"0_unit.txt": SESSION})
        entry = data.rindex(b"PK\x01\x02")
        names, notes = read(tmp_path / "logs.zip", damaged(data, entry + 16))
        assert names == IDS
        assert "0_unit.txt is damaged and was read up to there" in notes


def test_archives_with_bytes_turned_over_end_in_words_for_people(tmp_path: Path) -> None:
    """Damage of any kind, headers and names too, is told as damage."""
    data = github_archive()
    chance = random.Random(5)
    for _ in range(60):
        spoiled = bytearray(data)
        for _ in range(chance.randrange(1, 6)):
            spoiled[chance.randrange(4, len(data))] ^= chance.randrange(1, 256)
        with suppress(LogError):
            read(tmp_path / "logs.zip", bytes(spoiled))


@pytest.mark.parametrize("mode", ["w", "w:gz", "w:xz"])
def test_a_tar_archive_that_is_cut_is_read_as_far_as_it_goes(mode: str, tmp_path: Path) -> None:
    held = io.BytesIO()
    with tarfile.open(fileobj=held, mode=mode) as archive:  # type: ignore[call-overload]
        for name, text in (("a.log", SESSION), ("b.log", NOISE)):
            info = tarfile.TarInfo(name)
            info.size = len(text.encode())
            archive.addfile(info, io.BytesIO(text.encode()))
    data = held.getvalue()
    names, notes = read(tmp_path / "logs.tar", data[: len(data) * 2 // 3])
    assert names == IDS
    assert "logs.tar is incomplete: of its files 2 were found" in notes
