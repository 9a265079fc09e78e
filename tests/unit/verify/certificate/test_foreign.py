"""A run counts only if its code came from its own worktree."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_repro.verify.certificate.foreign import (
    Places,
    foreign_modules,
    loaded_modules,
    prefixes_of_this_process,
)


@pytest.fixture
def places(tmp_path: Path) -> Places:
    """A checkout, and the worktree of the base beside that of the fix."""
    for name in ("checkout", "made/base", "made/fix"):
        package = tmp_path / name / "src" / "pkg"
        package.mkdir(parents=True)
        (package / "__init__.py").write_text("", encoding="utf-8")
    return Places(
        checkout=str(tmp_path / "checkout"),
        worktree=str(tmp_path / "made" / "base"),
        above=str(tmp_path / "made"),
        roots=(str(tmp_path / "made" / "base"),),
    )


@pytest.mark.parametrize(
    ("file", "is_foreign"),
    [
        ("{made}/base/src/pkg/queue.py", False),
        ("{made}/base-site/pkg/queue.so", False),
        ("{made}/fix/src/pkg/queue.py", True),
        ("{made}/fix-site/pkg/queue.so", True),
        ("{checkout}/src/pkg/queue.py", True),
        ("{checkout}/build/lib/pkg/queue.so", True),
        ("{checkout}/.venv/lib/python3.11/site-packages/numpy/__init__.py", False),
        ("{checkout}-2/other.py", False),
        ("/usr/lib/python3.11/json/__init__.py", False),
        ("/usr/lib/python3.11/site-packages/numpy/__init__.py", False),
    ],
)
def test_modules_of_the_checkout_and_of_the_other_side_are_foreign(
    places: Places, tmp_path: Path, file: str, *, is_foreign: bool
) -> None:
    """Not so those of an interpreter that lives in the checkout."""
    path = file.format(made=tmp_path / "made", checkout=places.checkout)
    prefixes = (f"{places.checkout}/.venv", "/usr")
    found = foreign_modules({"other.part": path}, places, prefixes=prefixes)
    assert found == ((f"other from {path}",) if is_foreign else ())


def test_an_installed_package_that_the_worktree_holds_is_foreign(places: Places) -> None:
    """Base and fix would both run what is installed; in the interpreter of the checkout too."""
    for prefix in ("/usr", f"{places.checkout}/.venv"):
        file = f"{prefix}/lib/python3.11/site-packages/pkg/__init__.py"
        found = foreign_modules({"pkg": file, "pkg.queue": file}, places, prefixes=(prefix,))
        assert found == (f"pkg from {file}",)


def test_a_link_to_the_checkout_is_followed(places: Places, tmp_path: Path) -> None:
    """As old ways of installing a checkout make one."""
    (tmp_path / "installed").symlink_to(Path(places.checkout) / "src")
    found = foreign_modules({"pkg": str(tmp_path / "installed/pkg/__init__.py")}, places, prefixes=())
    assert found == (f"pkg from {places.checkout}/src/pkg/__init__.py",)


def test_a_whole_system_below_the_checkout_hides_nothing(places: Places) -> None:
    """A checkout below the prefix of the interpreter, such as one in /usr, is no part of it."""
    file = f"{places.checkout}/src/pkg/__init__.py"
    assert foreign_modules({"pkg": file}, places, prefixes=("/", str(Path(places.checkout).parent))) != ()


def test_this_process_tells_its_modules() -> None:
    """Each with its file; built-in ones have none."""
    modules = loaded_modules()
    assert modules["tests.repositories" if "tests.repositories" in modules else __name__].endswith(".py")
    assert "sys" not in modules
    assert prefixes_of_this_process()
