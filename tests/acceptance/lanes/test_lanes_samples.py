"""Tests of every kind, in both lanes: one session of each lane holds them all."""

from __future__ import annotations

import pytest

from tests.acceptance.lanes import samples_fixtures, samples_items, samples_outcomes, samples_output
from tests.acceptance.lanes.comparison import (
    Comparison,
    Plain,
    Project,
    compare,
    differences_from_plain,
    listed,
    made_once,
    needs_fast_lane,
    run_plain,
)

pytestmark = needs_fast_lane
PARTS = (samples_fixtures, samples_outcomes, samples_output, samples_items)
PROJECT = Project(
    sources={name: text for part in PARTS for name, text in part.SOURCES.items()},
    arguments=("--doctest-modules", "--doctest-glob=*.txt", "-p", "pytester"),
    ini="""
    log_level = INFO
    filterwarnings =
        error:fatal by ini
        ignore:ignored by ini
    """,
)
FILES = sorted(name for name in PROJECT.sources if not name.endswith("conftest.py"))
UNLIKE_PLAIN = {name for part in PARTS for name in part.UNLIKE_PLAIN}


@pytest.fixture(scope="module")
def comparison(tmp_path_factory: pytest.TempPathFactory) -> Comparison:
    def run() -> Comparison:
        return compare(tmp_path_factory.mktemp("samples"), PROJECT)

    return made_once(tmp_path_factory, "samples", run)


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Plain:
    def run() -> Plain:
        return run_plain(tmp_path_factory.mktemp("plain"), PROJECT)

    return made_once(tmp_path_factory, "plain", run)


@pytest.mark.parametrize("file", FILES)
def test_both_lanes_give_the_same_results(comparison: Comparison, file: str) -> None:
    """Outcomes, reports, captured sections, properties, and what tests and fixtures note."""
    assert any(test.startswith(f"{file}::") for test in comparison.expected.iterations)
    assert not comparison.differences_of(file), listed(comparison.differences_of(file))


def test_both_lanes_give_the_same_session(comparison: Comparison) -> None:
    """Exit status, the terminal's lines, warnings, bugs."""
    assert comparison.expected.status == 1
    assert comparison.expected.junit
    assert not comparison.differences_of(""), listed(comparison.differences_of(""))


@pytest.mark.parametrize("file", [name for name in FILES if name not in UNLIKE_PLAIN])
def test_each_iteration_ends_as_the_test_does_by_itself(
    comparison: Comparison, plain: Plain, file: str
) -> None:
    """So both lanes are not wrong together."""
    found = differences_from_plain(plain, comparison.expected, file)
    assert not found, "\n".join(found)
