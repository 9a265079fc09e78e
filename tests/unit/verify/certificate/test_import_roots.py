"""Where the code of a project comes from, so that each worktree can run its own."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pytest_repro.verify.certificate.import_roots import import_roots, installed_from


def _install(library: Path, name: str, source: Path, *packages: str) -> None:
    info = library / f"{name}-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n", encoding="utf-8")
    told = {"url": source.as_uri(), "dir_info": {"editable": True}}
    (info / "direct_url.json").write_text(json.dumps(told), encoding="utf-8")
    (info / "top_level.txt").write_text("\n".join(packages), encoding="utf-8")


def test_folders_of_the_checkout_that_python_imports_from(tmp_path: Path) -> None:
    """Not those of other projects, of an environment inside of the checkout, or where `python -m` starts."""
    checkout = tmp_path / "checkout"
    search = [
        str(checkout),
        "/usr/lib/python3.11",
        f"{checkout}/src",
        f"{tmp_path}/other",
        "",
        f"{checkout}/.venv/lib/python3.11/site-packages",
        f"{checkout}/src",
    ]
    prefixes = (f"{checkout}/.venv", "/usr")

    def roots(*, starts_there: bool) -> tuple[str, ...]:
        return import_roots(
            search, checkout=checkout, start=checkout, prefixes=prefixes, starts_there=starts_there
        )

    assert roots(starts_there=True) == ("src",)
    assert roots(starts_there=False) == (".", "src")


def test_a_package_installed_in_editable_mode_is_found_without_a_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where a finder of its own knows the place, `sys.path` says nothing of it."""
    checkout = tmp_path / "check out"
    (checkout / "lib" / "some_package_of_mine").mkdir(parents=True)
    (checkout / "lib" / "some_package_of_mine" / "__init__.py").write_text("", encoding="utf-8")
    library = tmp_path / "library"
    _install(library, "mine", checkout, "some_package_of_mine", "no_such_package")
    _install(library, "other", tmp_path / "elsewhere", "other")
    monkeypatch.syspath_prepend(library)
    # Stands for the finder: it is found, and not by what is handed on as the search path.
    monkeypatch.syspath_prepend(checkout / "lib")
    found = import_roots([], checkout=checkout, start=checkout, prefixes=(), starts_there=False)
    assert found == ("lib",)
    assert installed_from(checkout) == ("mine",)
    assert installed_from(checkout / "lib") == ()
