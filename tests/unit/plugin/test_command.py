"""The replay command keeps what changes how a test runs and drops what chooses, spreads or reports tests."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_repro.plugin.command import command_line_id, interpreter_options, kept_arguments, without_gate


@pytest.mark.parametrize(
    ("arguments", "kept"),
    [
        ("tests -n auto --repro-stress 50 -x", ""),
        ("-n2 -k fast --maxfail=3 -vv -q --durations 5 -rA", ""),
        ("-p no:randomly -o addopts= --device-id 3 tests", "-p no:randomly -o addopts= --device-id 3"),
        ("--timeout=5 --import-mode importlib --repro-seed=4", "--timeout=5 --import-mode importlib"),
        ("--no-repro-reseed -s --runxfail", "--no-repro-reseed -s --runxfail"),
        ("--pyargs tests -kname -m slow --lf", ""),
        ("--repro-tag before tests -s --repro-keep=5", "-s"),
        ("--repro-match lost tests -s --repro-match=signature.json", "-s"),
    ],
)
def test_only_what_changes_how_a_test_runs_is_kept(arguments: str, kept: str) -> None:
    """Options of the user's own conftest stay, with their values."""
    assert kept_arguments(arguments.split(), positional=["tests"]) == kept.split()


@pytest.mark.parametrize(
    ("arguments", "positional", "kept"),
    [
        (["--rootdir", ".", "."], ["."], ["--rootdir", "."]),
        (["pkg", "--cov", "pkg"], ["pkg"], ["--cov", "pkg"]),
        (["-s", "--", "tests"], ["tests"], ["-s"]),
        (["-s", "tests"], ["tests"], ["-s"]),
        (["--repro-run=/records/run_1", "-s"], [], ["-s"]),
    ],
)
def test_a_value_that_looks_like_a_path_stays_with_its_option(
    arguments: list[str], positional: list[str], kept: list[str]
) -> None:
    """Each path is dropped once, where it stands free."""
    assert kept_arguments(arguments, positional=positional) == kept


def _without_gate(pytester: pytest.Pytester, *arguments: str) -> list[str]:
    """Returns what is left of the arguments, without those of pytester itself."""
    left = without_gate(pytester.parseconfig(*arguments))
    return [argument for argument in left if not argument.startswith("--basetemp")]


def test_a_choice_is_kept_where_the_ini_file_may_make_another() -> None:
    """`-k` and `-m`, apart and joined; workers are left out all the same."""
    arguments = ["-m", "slow", "-knot x", "-n2", "tests"]
    assert kept_arguments(arguments, positional=["tests"], keeps_choice=True) == ["-m", "slow", "-knot x"]
    assert kept_arguments(arguments, positional=["tests"]) == []


def test_a_run_of_the_gate_is_repeated_without_the_gate(pytester: pytest.Pytester) -> None:
    """All else stays."""
    arguments = [
        "tests",
        "--verify-runs",
        "5",
        "-n",
        "2",
        "--verify-confidence",
        "99%",
        "--verify-keep-going",
        "--verify-runs=3",
        "-x",
    ]
    assert _without_gate(pytester, *arguments) == ["tests", "-n", "2", "-x"]


def test_plugins_that_were_given_by_name_reach_the_runs(pytester: pytest.Pytester) -> None:
    """As `pytest.main(plugins=[...])` takes them; objects are refused elsewhere."""
    pytester.plugins = ["pytest_repro.plugin.terminal", object()]
    left = _without_gate(pytester, "--verify-runs=2", "-x")
    assert left == ["-p", "pytest_repro.plugin.terminal", "-x"]


@pytest.mark.parametrize("ini", ["verify_runs = 5", "addopts = -x --verify-runs 5"])
def test_a_gate_that_the_ini_file_asks_for_is_taken_back(pytester: pytest.Pytester, ini: str) -> None:
    """The command repeats one run, and no gate."""
    pytester.makeini(f"[pytest]\n{ini}\n")
    assert _without_gate(pytester, "-v") == ["--verify-runs=no", "-v"]


def test_a_gate_that_a_file_of_arguments_asks_for_is_taken_back(pytester: pytest.Pytester) -> None:
    """As pytest reads it."""
    pytester.makefile(".txt", args="--verify-runs=5\n-v\n")
    assert _without_gate(pytester, "@args.txt") == ["--verify-runs=no", "@args.txt"]


@pytest.mark.parametrize(
    ("started_as", "options"),
    [
        ("python -m pytest", ""),
        ("python", ""),
        ("python -O -X dev -Werror -m pytest -x", "-O -X dev -Werror"),
        ("python -IOm pytest", "-IO"),
        ("python -mpytest -x", ""),
        ("python -Bc program -O", "-B"),
        ("python --check-hash-based-pycs always /bin/pytest -v", "--check-hash-based-pycs always"),
        ("python -Xfrozen_modules=off -", "-Xfrozen_modules=off"),
        ("python /bin/pytest -O", ""),
    ],
)
def test_the_interpreters_own_options_are_told_from_pytests(started_as: str, options: str) -> None:
    """They end where a module, a program or a file begins."""
    assert interpreter_options(started_as.split()) == options.split()


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/w/p/tests/test_a.py", "tests/test_a.py::T::test_x[a::b]"),
        ("/w/lib/test_a.py", "../lib/test_a.py::T::test_x[a::b]"),
        ("/usr/lib/test_a.py", "/usr/lib/test_a.py::T::test_x[a::b]"),
    ],
)
def test_a_node_id_is_given_relative_to_where_pytest_is_started(path: str, expected: str) -> None:
    """Also where its own path is cut or empty."""
    assert command_line_id("x.py::T::test_x[a::b]", path=Path(path), start=Path("/w/p")) == expected
