from __future__ import annotations

import pytest

from pytest_repro.logs.commands import Branches, pytest_command


@pytest.mark.parametrize(
    ("line", "command"),
    [
        ("pytest", "pytest"),
        ("  pytest -v tests", "pytest -v tests"),
        ("$ pytest -q", "pytest -q"),
        ("+ python -m pytest tests -n auto", "python -m pytest tests -n auto"),
        ("Run pytest -x", "pytest -x"),
        ("uv run pytest --cov", "uv run pytest --cov"),
        ("poetry run python -m pytest a.py", "poetry run python -m pytest a.py"),
        ("xvfb-run pytest", "xvfb-run pytest"),
        ("CI=1 PYTHONPATH=src pytest -v", "CI=1 PYTHONPATH=src pytest -v"),
        ("cd build && pytest -v | tee out.log", "pytest -v"),
        ("pytest -v 2>&1 | tee out.log", "pytest -v"),
        ('pytest -k "a and not b; c" -v; echo done', 'pytest -k "a and not b; c" -v'),
        ("py311: commands[0]> pytest -rA tests", "pytest -rA tests"),
        ("nox > pytest tests", "pytest tests"),
        ("me@host:/repo$ pytest t.py", "pytest t.py"),
        ("conda run -n env pytest a.py", "pytest a.py"),
        ("/opt/venv/bin/pytest tests", "/opt/venv/bin/pytest tests"),
    ],
)
def test_a_call_of_pytest_is_found(line: str, command: str) -> None:
    """Prompts, traces, step titles and what the shell does beside it are no part of the command."""
    assert pytest_command(line) == command


@pytest.mark.parametrize(
    "line",
    [
        "pip install pytest pytest-cov",
        "Collecting pytest>=7",
        "pytest-9.0.0",
        "pytest 8.3.5",
        "echo pytest",
        "import pytest",
        "the pytest run failed",
        "platform linux -- Python 3.11.0, pytest-8.0.0",
        "pytest: error: unrecognized arguments: --x",
        "rootdir: /a, configfile: pytest.ini",
    ],
)
def test_talk_of_pytest_is_no_call(line: str) -> None:
    """Installing pytest, naming its version or speaking of it is not running it."""
    assert pytest_command(line) is None


def test_the_branch_that_is_not_taken_is_left_out() -> None:
    """CI systems write their expressions into scripts, so that the outcome of an `if` can be read."""
    branches = Branches()
    taken = []
    for line in ['if [ "3.12" = "3.13t" ]; then', "first", "else", "second", "fi", "third"]:
        branches.feed(line)
        taken.append(branches.is_taken)
    assert taken == [False, False, True, True, True, True]


def test_a_branch_of_unknown_condition_may_be_taken() -> None:
    """A condition on a variable says nothing."""
    branches = Branches()
    for line in ['if [ "$CI" = "true" ]; then', "first"]:
        branches.feed(line)
    assert branches.is_taken
