"""What a test leaves behind is found, or taken away, in the same way in both lanes."""

from __future__ import annotations

import pytest

from tests.acceptance.lanes.comparison import Comparison, Project, compare, listed, made_once, needs_fast_lane
from tests.acceptance.lanes.samples_leftovers import SOURCES

pytestmark = needs_fast_lane
PROJECT = Project(sources=SOURCES, iterations=6)


@pytest.fixture(scope="module")
def comparison(tmp_path_factory: pytest.TempPathFactory) -> Comparison:
    def run() -> Comparison:
        return compare(tmp_path_factory.mktemp("leftovers"), PROJECT)

    return made_once(tmp_path_factory, "leftovers", run)


@pytest.mark.parametrize("file", sorted(SOURCES))
def test_both_lanes_give_the_same_results(comparison: Comparison, file: str) -> None:
    """Streams, handlers, levels, filters, hooks, directories."""
    assert any(test.startswith(f"{file}::") for test in comparison.expected.iterations)
    assert not comparison.differences_of(file), listed(comparison.differences_of(file))


def test_both_lanes_give_the_same_session(comparison: Comparison) -> None:
    """Exit status, the terminal's lines, warnings, bugs."""
    assert comparison.expected.status == 1
    assert comparison.expected.junit
    assert not comparison.differences_of(""), listed(comparison.differences_of(""))
