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


def test_a_link_out_of_the_root_is_not_followed(root: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    """What lies outside is not the source."""
    outside = tmp_path_factory.mktemp("outside") / "test_z.py"
    outside.write_text("")
    (root / "test_z.py").symlink_to(outside)
    assert find_source(root, "test_z.py") is None
