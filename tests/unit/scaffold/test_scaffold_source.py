from __future__ import annotations

from pathlib import Path

import pytest

from pytest_repro.scaffold.source import find_root, find_source


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / ".git").mkdir()
    for name in ("pkg/tests/test_a.py", "pkg/tests/test_b.py", "other/test_b.py", ".venv/tests/test_c.py"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("")
    return tmp_path


def test_the_root_is_that_of_the_checkout(root: Path) -> None:
    """The nearest folder with `.git` counts."""
    assert find_root(root / "pkg/tests") == root.resolve()


@pytest.mark.parametrize(
    ("named", "found"),
    [
        ("pkg/tests/test_a.py", (".", "pkg/tests/test_a.py")),
        ("pkg\\tests\\test_a.py", (".", "pkg/tests/test_a.py")),
        ("tests/test_a.py", ("pkg", "tests/test_a.py")),
        ("test_a.py", ("pkg/tests", "test_a.py")),
        ("test_b.py", None),
        ("tests/test_c.py", None),
        ("../test_a.py", None),
        ("/etc/passwd", None),
        ("", None),
    ],
)
def test_a_test_file_is_found_where_the_name_leaves_no_doubt(
    root: Path, named: str, found: tuple[str, str] | None
) -> None:
    """As named, or by the only path with this end; never outside of the root, never in an environment."""
    source = find_source(root, named)
    relative = (source.root.relative_to(root.resolve()).as_posix(), source.file) if source else None
    assert relative == found


@pytest.mark.parametrize(
    ("options", "named", "found"),
    [
        ("pkg/pytest.ini", "test_a.py", ("pkg", "tests/test_a.py")),
        ("pytest.ini", "tests/test_a.py", (".", "pkg/tests/test_a.py")),
        ("other/pytest.ini", "tests/test_a.py", ("pkg", "tests/test_a.py")),
    ],
)
def test_the_folder_with_the_options_is_pytests_root(
    root: Path, options: str, named: str, found: tuple[str, str]
) -> None:
    """A path that was printed from further in is told from there; options beside it do not count."""
    (root / options).write_text("[pytest]\n")
    source = find_source(root, named)
    assert source is not None
    assert (source.root.relative_to(root.resolve()).as_posix(), source.file) == found


def test_a_link_out_of_the_root_is_not_followed(root: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    """What lies outside is not the source."""
    outside = tmp_path_factory.mktemp("outside") / "test_z.py"
    outside.write_text("")
    (root / "test_z.py").symlink_to(outside)
    assert find_source(root, "test_z.py") is None


@pytest.mark.parametrize(
    ("rootdir", "found"),
    [
        (None, "."),
        ("/home/runner/work/p/p", "."),
        ("/home/runner/work/p/p/svc", "svc"),
        ("/__w/p/p/svc", "svc"),
        ("/home/me/checkout/svc", "svc"),
        ("C:\\x\\checkout\\svc", "svc"),
        ("/home/runner/work/p/p/gone", "."),
        ("/home/runner/work/p/p/../svc", "."),
        ("/elsewhere/svc", "."),
    ],
)
def test_the_root_folder_of_ci_tells_one_of_several_files(
    tmp_path: Path, rootdir: str | None, found: str
) -> None:
    """Node ids of a project within the repository begin there; its root may have a file of this name."""
    root = tmp_path / "checkout"
    for folder in (root / "tests", root / "svc/tests"):
        folder.mkdir(parents=True)
        (folder / "test_a.py").touch()
    source = find_source(root, "tests/test_a.py", rootdir=rootdir)
    assert source is not None
    assert source.root == (root / found).resolve()
