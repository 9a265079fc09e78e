from __future__ import annotations

import os
from pathlib import Path

import pytest

from pytest_repro.errors import ScaffoldError
from pytest_repro.scaffold.write import PlannedFile, text_file, write_folder


def test_a_new_folder_holds_the_planned_files(tmp_path: Path) -> None:
    """Folders in between are made, and a script can be run."""
    written = write_folder(
        tmp_path / "out" / "x", [text_file("a/b.txt", "text"), text_file("run.sh", "", is_executable=True)]
    )
    assert (tmp_path / "out/x/a/b.txt").read_text() == "text"
    assert os.access(tmp_path / "out/x/run.sh", os.X_OK)
    assert written.kept == ()
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["x"]


def test_an_existing_folder_is_left_alone(tmp_path: Path) -> None:
    """Without `force` nothing is touched, and the error says what to do."""
    (tmp_path / "x").mkdir()
    (tmp_path / "x/mine.txt").write_text("mine")
    with pytest.raises(ScaffoldError) as caught:
        write_folder(tmp_path / "x", [text_file("a.txt", "new")])
    assert str(caught.value) == (
        f"The reproduction exists already, with 1 entries ({tmp_path / 'x'}). "
        "Choose another name, or renew its generated files with --force: your own files stay."
    )
    assert not (tmp_path / "x/a.txt").exists()


def test_force_renews_generated_files_and_keeps_all_else(tmp_path: Path) -> None:
    """The user's own files stay, and an edited file is kept beside the new one."""
    folder = tmp_path / "x"
    write_folder(folder, [text_file("a.txt", "one"), text_file("same.txt", "same")])
    (folder / "mine.txt").write_text("mine")
    (folder / "a.txt").write_text("edited")
    written = write_folder(folder, [text_file("a.txt", "two"), text_file("same.txt", "same")], force=True)
    assert (folder / "a.txt").read_text() == "two"
    assert (folder / "a.txt.bak").read_text() == "edited"
    assert (folder / "mine.txt").read_text() == "mine"
    assert [path.name for path in written.kept] == ["a.txt.bak"]
    (folder / "a.txt").write_text("edited again")
    write_folder(folder, [text_file("a.txt", "three")], force=True)
    assert (folder / "a.txt.bak2").read_text() == "edited again"


def test_a_failure_in_between_leaves_nothing_behind(tmp_path: Path) -> None:
    """The folder appears whole or not at all."""

    def fail(_: object) -> None:
        raise OSError(28, "No space left on device")

    with pytest.raises(ScaffoldError, match=r"cannot be written: No space left on device .*--output"):
        write_folder(tmp_path / "x", [text_file("a.txt", "one"), PlannedFile(path="b.txt", write=fail)])
    assert list(tmp_path.iterdir()) == []


def test_a_file_in_the_way_is_named(tmp_path: Path) -> None:
    """A file of the folder's name is never replaced."""
    (tmp_path / "x").write_text("mine")
    with pytest.raises(ScaffoldError, match="a file of this name is in the way"):
        write_folder(tmp_path / "x", [], force=True)


def test_a_link_to_elsewhere_is_replaced_not_followed(tmp_path: Path) -> None:
    """A planned file never overwrites what a link points to."""
    (tmp_path / "x").mkdir()
    (tmp_path / "precious").write_text("precious")
    (tmp_path / "x/a.txt").symlink_to(tmp_path / "precious")
    write_folder(tmp_path / "x", [text_file("a.txt", "new")], force=True)
    assert (tmp_path / "precious").read_text() == "precious"
    assert (tmp_path / "x/a.txt").read_text() == "new"


def test_links_and_folders_in_the_way_are_put_aside(tmp_path: Path) -> None:
    """Whatever stands in the place of a generated file is the user's: it is kept as it is."""
    folder = tmp_path / "x"
    folder.mkdir()
    (folder / "a.txt").symlink_to("nowhere")
    (folder / "b.txt").mkdir()
    (folder / "b.txt" / "mine.txt").write_text("mine")
    copy = PlannedFile(path="b.txt", write=lambda file: file.write("new"), is_edited=False)
    written = write_folder(folder, [text_file("a.txt", "new"), copy], force=True)
    assert [path.name for path in written.kept] == ["a.txt.bak", "b.txt.bak"]
    assert (folder / "a.txt.bak").readlink() == Path("nowhere")
    assert (folder / "b.txt.bak" / "mine.txt").read_text() == "mine"
    assert (folder / "a.txt").read_text() == (folder / "b.txt").read_text() == "new"
    assert sorted(path.name for path in folder.iterdir()) == ["a.txt", "a.txt.bak", "b.txt", "b.txt.bak"]


def test_files_have_the_modes_that_the_umask_leaves(tmp_path: Path) -> None:
    """A script may be run by those who may read it."""
    before = os.umask(0o027)
    try:
        write_folder(tmp_path / "x", [text_file("run.sh", "", is_executable=True), text_file("a.txt", "")])
    finally:
        os.umask(before)
    assert (tmp_path / "x" / "run.sh").stat().st_mode & 0o777 == 0o750
    assert (tmp_path / "x" / "a.txt").stat().st_mode & 0o777 == 0o640


def test_a_folder_that_is_a_link_is_renewed_where_it_lies(tmp_path: Path) -> None:
    """It may be on another file system."""
    (tmp_path / "real").mkdir()
    (tmp_path / "x").symlink_to("real")
    write_folder(tmp_path / "x", [text_file("a.txt", "one")])
    assert (tmp_path / "real" / "a.txt").read_text() == "one"
    assert [path.name for path in (tmp_path / "real").iterdir()] == ["a.txt"]
