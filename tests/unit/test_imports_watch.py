"""Watching imports: several watches see one module, and loaders are given back as they were."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from pathlib import Path

import pytest

from pytest_repro.imports import ImportWatch


@pytest.fixture
def library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A module that can be imported and is not yet."""
    (tmp_path / "watched_library.py").write_text("value = 1", encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setitem(sys.modules, "watched_library", sys)
    monkeypatch.delitem(sys.modules, "watched_library")
    return "watched_library"


def test_each_of_several_watches_acts_once_after_the_import(library: str) -> None:
    """Timing and seeds may wait for the same library."""
    seen: list[str] = []
    watches = [
        ImportWatch({library}, lambda name, mark=mark: seen.append(f"{mark} {name}"))  # type: ignore[misc]
        for mark in "ab"
    ]
    for watch in watches:
        watch.start()
    try:
        module = importlib.import_module(library)
    finally:
        for watch in watches:
            watch.stop()
    assert module.value == 1
    assert sorted(seen) == ["a watched_library", "b watched_library"]
    assert module.__spec__ is not None
    assert "exec_module" not in vars(module.__spec__.loader)


def test_a_module_found_but_not_executed_is_forgotten_on_stop(library: str) -> None:
    """`find_spec` alone, as importlib.util uses it, leaves nothing behind."""
    seen: list[str] = []
    watch = ImportWatch({library}, seen.append)
    watch.start()
    spec = importlib.util.find_spec(library)
    watch.stop()
    assert spec is not None
    assert "exec_module" not in vars(spec.loader)
    assert watch not in sys.meta_path
    assert seen == []


def test_other_imports_pass_untouched() -> None:
    """Only what is waited for is looked at."""
    seen: list[str] = []
    watch = ImportWatch({"no_such_module"}, seen.append)
    assert watch.find_spec("json", None) is None
    assert watch.find_spec("no_such_module", None) is None
