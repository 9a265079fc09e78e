"""Seeds: told by session, test and iteration alone, and set wherever a generator is."""

from __future__ import annotations

import random
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from pytest_repro.stress.seeds import Reseeder, SeedSource, seed_name

FAKE_NUMPY = """
class random:
    drawn = []
    seed = drawn.append
"""


@pytest.fixture
def reseeder() -> Iterator[Reseeder]:
    """One that watches imports during the test."""
    reseeder = Reseeder()
    reseeder.start()
    yield reseeder
    reseeder.stop()


def test_a_seed_is_the_same_on_every_machine() -> None:
    """A replay finds the seed again: the numbers are part of the promise."""
    seeds = SeedSource(42, "test_a.py::test_x[1]")
    assert [seeds.seed(iteration) for iteration in (1, 2, 1_000_000)] == [2829791408, 1189259873, 118539583]


def test_seeds_of_iterations_and_tests_differ() -> None:
    """No iteration repeats another one's random numbers."""
    first = SeedSource(42, "test_a.py::test_x")
    seeds = {first.seed(iteration) for iteration in range(1, 10_001)}
    assert len(seeds) == 10_000
    assert SeedSource(42, "test_a.py::test_y").seed(1) != first.seed(1)
    assert SeedSource(43, "test_a.py::test_x").seed(1) != first.seed(1)


def test_the_seed_of_a_test_does_not_depend_on_how_it_was_selected() -> None:
    """A node id's path changes with the command line; file name and test do not."""
    assert seed_name("test_a.py", "tests/test_a.py::T::test_x[a/b]") == "test_a.py::T::test_x[a/b]"
    assert seed_name("test_a.py", "::T::test_x[a/b]") == "test_a.py::T::test_x[a/b]"


def test_random_is_set_to_the_seed(reseeder: Reseeder) -> None:
    """The same seed, the same numbers."""
    reseeder.set(7)
    first = random.random()
    reseeder.set(7)
    assert random.random() == first


def test_libraries_that_are_loaded_are_seeded(reseeder: Reseeder, monkeypatch: pytest.MonkeyPatch) -> None:
    """Numpy's legacy generator and torch's."""
    seeded: list[Any] = []
    numpy = SimpleNamespace(random=SimpleNamespace(seed=lambda seed: seeded.append(("numpy", seed))))
    torch = SimpleNamespace(manual_seed=lambda seed: seeded.append(("torch", seed)))
    monkeypatch.setitem(sys.modules, "numpy", numpy)
    monkeypatch.setitem(sys.modules, "torch", torch)
    reseeder.set(7)
    assert seeded == [("numpy", 7), ("torch", 7)]


def test_a_library_that_the_test_imports_is_seeded_right_after_its_import(
    reseeder: Reseeder, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A replay, which starts without numpy, draws what the iteration drew that had it loaded."""
    (tmp_path / "numpy.py").write_text(FAKE_NUMPY, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "numpy", raising=False)
    reseeder.set(7)
    import numpy as fake

    assert fake.random.drawn == [7]  # type: ignore[attr-defined]
    sys.modules.pop("numpy")


def test_nothing_is_left_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    """After `stop`, imports are as they were."""
    before = list(sys.meta_path)
    reseeder = Reseeder()
    reseeder.start()
    reseeder.stop()
    reseeder.stop()
    assert sys.meta_path == before


def test_numbers_drawn_apart_leave_the_others_as_they_were() -> None:
    """A fixture of wider scope draws its own; what the iteration draws afterwards does not depend on it."""
    numpy = pytest.importorskip("numpy")
    reseeder = Reseeder()
    reseeder.set(1)
    first = (random.random(), numpy.random.random())
    expected = (random.random(), numpy.random.random())
    reseeder.set(1)
    assert (random.random(), numpy.random.random()) == first
    with reseeder.apart(2):
        apart = (random.random(), numpy.random.random())
    assert (random.random(), numpy.random.random()) == expected
    with reseeder.apart(2):
        assert (random.random(), numpy.random.random()) == apart
    assert apart not in (first, expected)
