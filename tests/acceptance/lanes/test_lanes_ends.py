"""Tests that end the session: what was finished, torn down, told and recorded is the same in both lanes."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.acceptance.lanes.comparison import Project, compare, listed, needs_fast_lane

pytestmark = needs_fast_lane

FIXTURES = """
    import pytest
    from events import iteration, note, word

    @pytest.fixture(scope="session", autouse=True)
    def of_session():
        note("session up")
        yield
        note("session down")

    @pytest.fixture(scope="module")
    def of_module():
        note("module up")
        yield
        note("module down")

    @pytest.fixture
    def of_function(of_module):
        print("printed in setup")
        note("function up")
        yield
        note("function down")

    def test_before(of_function):
        print("printed in call")
        note("body")

"""

ENDING = """
    @pytest.fixture
    def teardown_is_interrupted(of_function):
        yield
        raise KeyboardInterrupt(word())

    @pytest.fixture
    def nothing():
        pass

    def test_ends(of_function, {fixture}, request):
        note("body")
        {body}

    def test_after(of_function):
        note("body")
"""


def ending(body: str = "pass", *arguments: str, fixture: str = "nothing") -> Project:
    source = FIXTURES + ENDING.format(body=body, fixture=fixture)
    return Project(sources={"test_ends.py": source}, arguments=arguments)


WRONG_FILTER = FIXTURES.replace(
    "def test_before", '@pytest.mark.filterwarnings("nonsense:")\n    def test_before'
)
PROJECTS = {
    "exit-in-call": ending('iteration() == 2 and pytest.exit("enough", returncode=7)'),
    "interrupted-in-call": ending("if iteration() == 2: raise KeyboardInterrupt"),
    "interrupted-in-teardown": ending(fixture="teardown_is_interrupted"),
    "should-fail": ending('request.session.shouldfail = "failed by the test"; assert not word()'),
    "first-failure": ending('assert word() == "one"', "-x"),
    "one-test-stopped": ending('assert word() == "one"', "--repro-stop=1"),
    "wrong-filter": Project(sources={"test_ends.py": WRONG_FILTER}),
}


@pytest.mark.parametrize("name", PROJECTS)
def test_both_lanes_end_the_same(tmp_path: Path, name: str) -> None:
    """Exit status, what ran, what was torn down, and what is told."""
    comparison = compare(tmp_path, PROJECTS[name])
    assert comparison.expected.tests
    assert not comparison.differences(), listed(comparison.differences())
