"""The project whose tests die: modules with fixtures of all scopes, a class, parameters."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.faults import dying

_CONFTEST = """
import os

import pytest

from dying import Dice, write_event


def wide(scope, request):
    name = f"{scope} {os.path.basename(request.node.nodeid.partition('::')[0])}"
    write_event("open", fixture=name)
    yield scope
    write_event("close", fixture=name)


@pytest.fixture(scope="session")
def of_session(request):
    yield from wide("session", request)


@pytest.fixture(scope="module")
def of_module(request):
    yield from wide("module", request)


@pytest.fixture(scope="class")
def of_class(request):
    yield from wide("class", request)


@pytest.fixture
def dice(request, repro):
    dice = Dice(request, repro)
    dice.begin()
    dice.go("setup")
    yield dice
    dice.go("teardown")
    dice.end()
"""

_FIRST = """
import pytest


def test_alone(dice):
    dice.go("call")


def test_in_module(of_module, dice):
    dice.go("call")


@pytest.mark.parametrize("letter", ["a", "b"])
def test_letters(letter, of_session, dice):
    dice.go("call")


class TestTogether:
    def test_one(self, of_class, dice):
        dice.go("call")

    def test_two(self, of_class, of_module, dice):
        dice.go("call")
"""

_SECOND = """
def test_alone(of_session, dice):
    dice.go("call")


def test_in_module(of_session, of_module, dice):
    dice.go("call")
"""

TESTS = (
    "test_first.py::test_alone",
    "test_first.py::test_in_module",
    "test_first.py::test_letters[a]",
    "test_first.py::test_letters[b]",
    "test_first.py::TestTogether::test_one",
    "test_first.py::TestTogether::test_two",
    "test_second.py::test_alone",
    "test_second.py::test_in_module",
)
"""All tests of the project."""


def write_project(folder: Path, config: Mapping[str, Any]) -> None:
    """Writes the project into an empty folder; `config` is what `kinds.to_config` made."""
    files = {
        "pytest.ini": "[pytest]\n",
        "conftest.py": _CONFTEST.lstrip(),
        "test_first.py": _FIRST.lstrip(),
        "test_second.py": _SECOND.lstrip(),
        "dying.py": Path(dying.__file__).read_text(encoding="utf-8"),
        dying.CONFIG: json.dumps(config, indent=2),
        dying.JOURNAL: "",
    }
    for name, text in files.items():
        (folder / name).write_text(text, encoding="utf-8")
