"""The README shows what really happens."""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
from pathlib import Path

import click
import pytest

from pytest_repro.cli.report import report
from pytest_repro.stats import clean_iterations_needed
from tests.acceptance.readme_examples import (
    EXAMPLES,
    README,
    masked,
    run_example,
    shown_commands,
    shown_outputs,
)
from tests.acceptance.readme_store import write_store
from tests.acceptance.verify_scenarios import SCENARIOS

TEXT = README.read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The records that the examples of `repro-report` read."""
    folder = tmp_path_factory.mktemp("store")
    write_store(folder)
    return folder


@pytest.mark.parametrize("name", list(EXAMPLES))
def test_every_output_in_the_readme_is_what_its_command_prints(
    name: str, tmp_path: Path, store: Path
) -> None:
    """Word for word, but for times, folders and which worker was first."""
    example = EXAMPLES[name]
    assert shown_commands(TEXT)[name] == example.command
    if example.needs is not None and importlib.util.find_spec(example.needs) is None:
        pytest.skip(f"{example.needs} is not installed here")
    if pytest.version_tuple < (9, 0):
        pytest.skip("the README shows outputs of pytest 9")
    shown, printed = shown_outputs(TEXT)[name], run_example(example, tmp_path, store)
    is_in_store = example.is_in_store
    assert masked(shown, is_in_store=is_in_store) == masked(printed, is_in_store=is_in_store)


def test_the_first_command_needs_no_package_of_the_developers() -> None:
    """It runs pytest in the checkout, whose conftest is loaded, in an environment of its own."""
    script = "import sys; sys.modules['hypothesis'] = None; import conftest"
    ran = subprocess.run(
        [sys.executable, "-c", script], cwd=README.parent, capture_output=True, text=True, check=False
    )
    assert (ran.returncode, ran.stderr) == (0, "")


def test_the_readme_names_every_option_and_no_other(pytester: pytest.Pytester) -> None:
    """Options come and go together with their line in the README."""
    table = TEXT.partition("## Options")[2].partition("\n## ")[0]
    named = set(re.findall(r"^\| `--([\w-]+)", table, re.MULTILINE))
    help_text = pytester.runpytest_subprocess("--help").stdout.str()
    group = help_text.partition("(pytest-repro):")[2].partition("\n\n")[0]
    assert named == set(re.findall(r"^  --([\w-]+)", group, re.MULTILINE))


def test_the_readme_names_every_command_of_the_reports() -> None:
    """Commands come and go together with their line in the README."""
    table = TEXT.partition("## Reports")[2].partition("\n## ")[0]
    named = set(re.findall(r"^\| `repro-report ([\w-]+)`", table, re.MULTILINE))
    assert named == set(report.list_commands(click.Context(report)))


def test_the_readme_shows_the_scenarios_of_the_gate() -> None:
    """The table of the gate's verdicts is the parametrized test."""
    table = TEXT.partition("| what happens in two runs |")[2].partition("\n\n")[0]
    rows = [[cell.strip() for cell in row.strip("|").split("|")] for row in table.splitlines()[2:]]
    assert [(row[0], row[1], row[2]) for row in rows] == [
        (scenario.name, scenario.verdict, str(scenario.status)) for scenario in SCENARIOS
    ]


def test_the_readme_shows_how_many_clean_iterations_a_rate_asks_for() -> None:
    """The table is what the gate counts with."""
    table = TEXT.partition("| failed before the fix |")[2].partition("\n\n")[0]
    rows = [[cell.strip() for cell in row.strip("|").split("|")] for row in table.splitlines()[2:]]
    assert {"1 of 1", "1 of 100", "10 of 100"} <= {row[0] for row in rows}
    for before, *shown in rows:
        failures, iterations = (int(number.replace(",", "")) for number in before.split(" of "))
        needed = [
            clean_iterations_needed(failures, iterations, confidence=confidence)
            for confidence in (0.95, 0.99)
        ]
        assert shown == [f"{number:,}" for number in needed]
