"""Tests of the fix in the base: no more than what was named."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from pytest_repro.errors import CertificateError
from pytest_repro.verify.certificate.transplant import Transplant, named_tests, selected_tests, transplant


def _write(folder: Path, files: Mapping[str, str]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


def _transplanted(
    tmp_path: Path, *paths: str, fix: Mapping[str, str], base: Mapping[str, str], ignored: Mapping[str, str]
) -> Transplant:
    _write(tmp_path / "checkout", {**fix, **ignored})
    _write(tmp_path / "fix", fix)
    _write(tmp_path / "base", base)
    return transplant(
        [Path(path) for path in paths],
        checkout=tmp_path / "checkout",
        fix=tmp_path / "fix",
        base=tmp_path / "base",
    )


def _held(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): path.read_text(encoding="utf-8")
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def test_a_named_test_is_copied_and_nothing_else(tmp_path: Path) -> None:
    """Neither the product nor a conftest, which may be the very fix; that it differs is told."""
    fix = {"a.py": "fixed", "tests/conftest.py": "fixed", "tests/test_a.py": "new", "tests/test_b.py": "new"}
    base = {"a.py": "broken", "tests/conftest.py": "broken", "tests/test_b.py": "old"}
    done = _transplanted(tmp_path, "tests/test_a.py", fix=fix, base=base, ignored={})
    assert _held(tmp_path / "base") == base | {"tests/test_a.py": "new"}
    assert done == Transplant(
        copied=("tests/test_a.py",), changed=("tests/test_a.py",), left=("tests/conftest.py",)
    )


def test_a_test_in_a_folder_that_the_base_lacks_comes_with_what_makes_it_a_package(tmp_path: Path) -> None:
    """Without them it would have another name, or no fixtures."""
    fix = {"t/__init__.py": "", "t/new/__init__.py": "", "t/new/conftest.py": "c", "t/new/test_a.py": "new"}
    done = _transplanted(tmp_path, "t/new/test_a.py", fix=fix, base={"t/__init__.py": ""}, ignored={})
    assert done.copied == ("t/new/test_a.py", "t/new/conftest.py", "t/new/__init__.py")
    assert done.left == ()
    assert _held(tmp_path / "base") == fix


def test_a_test_that_git_ignores_comes_into_both(tmp_path: Path) -> None:
    """A reproduction may lie beside the project, in a folder that nobody commits; a whole folder too."""
    ignored = {"repro/test_a.py": "new", "repro/data/x.txt": "x", "repro/__pycache__/x.pyc": ""}
    done = _transplanted(tmp_path, "repro", fix={"a.py": ""}, base={"a.py": ""}, ignored=ignored)
    assert done.copied == ("repro/data/x.txt", "repro/test_a.py")
    for side in ("base", "fix"):
        assert _held(tmp_path / side) == {"a.py": "", "repro/data/x.txt": "x", "repro/test_a.py": "new"}


def test_a_test_that_both_have_alike_is_no_change(tmp_path: Path) -> None:
    """Nothing differs by it between what is run and what was committed."""
    done = _transplanted(tmp_path, "test_a.py", fix={"test_a.py": "t"}, base={"test_a.py": "t"}, ignored={})
    assert (done.copied, done.changed) == (("test_a.py",), ())


def test_a_link_is_copied_as_a_link(tmp_path: Path) -> None:
    """And what a link in the base leads to is not written."""
    _write(tmp_path / "base", {"outside.py": "mine"})
    (tmp_path / "base" / "test_a.py").symlink_to("outside.py")
    done = _transplanted(tmp_path, "test_a.py", fix={"test_a.py": "new"}, base={}, ignored={})
    assert done.changed == ("test_a.py",)
    assert _held(tmp_path / "base") == {"outside.py": "mine", "test_a.py": "new"}


def test_what_cannot_be_copied_is_said(tmp_path: Path) -> None:
    """The base has a folder where the fix has a file."""
    with pytest.raises(CertificateError, match=r"test_a.py cannot be copied into the base: .*--verify-test"):
        _transplanted(tmp_path, "test_a.py", fix={"test_a.py": "new"}, base={"test_a.py/x": ""}, ignored={})


def test_tests_are_selected_by_file_and_node_id(tmp_path: Path) -> None:
    """Folders are not: they may hold the product. Nor what lies outside, or is no file at all."""
    _write(tmp_path / "checkout", {"t/test_a.py": "", "t/test_b.py": "", "src/a.py": ""})
    _write(tmp_path, {"test_outside.py": ""})
    words = [
        "t/test_a.py::test_a[x::y]",
        "t/test_a.py",
        f"{tmp_path}/checkout/t/test_b.py",
        "src",
        "no.py",
        "3",
    ]
    found = selected_tests(
        [*words, "../test_outside.py"], start=tmp_path / "checkout", checkout=tmp_path / "checkout"
    )
    assert found == (Path("t/test_a.py"), Path("t/test_b.py"))


def test_named_files_must_be_in_the_checkout(tmp_path: Path) -> None:
    """They are relative to where pytest was started."""
    _write(tmp_path / "checkout", {"t/test_a.py": ""})
    _write(tmp_path, {"test_outside.py": ""})
    start, checkout = tmp_path / "checkout" / "t", tmp_path / "checkout"
    assert named_tests(["test_a.py", "../t"], start=start, checkout=checkout) == (
        Path("t/test_a.py"),
        Path("t"),
    )
    assert named_tests(["none"], start=start, checkout=checkout) == ()
    for word, message in (
        ("../../test_outside.py", "does not name a file or folder inside of the checkout"),
        ("..", "does not name a file or folder inside of the checkout"),
        ("test_b.py", "there is no such file"),
    ):
        with pytest.raises(CertificateError, match=message):
            named_tests([word], start=start, checkout=checkout)
