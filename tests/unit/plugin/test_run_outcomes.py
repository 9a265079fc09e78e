"""What the gate makes of the reports of one run, test by test."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from pytest_repro.model import Outcome
from pytest_repro.plugin.call_counter import CALLS, FAILURES, TRIES, CallCounter
from pytest_repro.plugin.run_outcomes import MOST_PARTS, RunOutcomes, ToldTest

PASSED, SKIPPED, XFAILED = Outcome.PASSED, Outcome.SKIPPED, Outcome.XFAILED


def report(outcome: str, when: str = "call", *, worker: str = "", **attributes: Any) -> Any:
    """Makes a report of one stage."""
    if worker:
        attributes["node"] = SimpleNamespace(gateway=SimpleNamespace(id=worker))
    made = pytest.TestReport("t", ("", None, ""), {}, outcome, None, when)  # type: ignore[arg-type]
    for name, value in attributes.items():
        setattr(made, name, value)
    return made


def part(outcome: str, **values: str) -> Any:
    """Makes the report of a subtest."""
    return report(outcome, context=SimpleNamespace(msg=None, kwargs=values))


def executed(
    outcome: str = "passed", *, worker: str = "", tries: int = 1, failures: int = 0, **more: Any
) -> list[Any]:
    """Makes the reports of one whole execution."""
    counts = {CALLS: 1, TRIES: tries, FAILURES: failures}
    stages = (report("passed", "setup", worker=worker), report(outcome, worker=worker, **more))
    return [*stages, report("passed", "teardown", worker=worker, **counts)]


def told(*reports: Any, is_stressed: bool = False) -> ToldTest:
    """Returns what reports tell of their test."""
    outcomes = RunOutcomes(is_stressed=is_stressed)
    for each in reports:
        outcomes.add(each)
    return outcomes.end()["t"]


def test_each_execution_counts() -> None:
    """A test id may run on several workers, or twice in one process: the last one has not the last word."""
    assert told(*executed("passed"), *executed("skipped")).outcomes == {PASSED: 1, SKIPPED: 1}
    assert told(*executed("skipped", wasxfail=""), *executed()).outcome is PASSED
    first, second = executed("skipped", worker="gw0"), executed("passed", worker="gw1")
    mixed = [each for pair in zip(first, second, strict=True) for each in pair]
    assert told(*mixed).outcomes == {PASSED: 1, SKIPPED: 1}
    assert told(*executed(), *executed("failed")).outcome is Outcome.FAILED


def test_an_execution_that_came_to_no_end_counts_as_far_as_it_came() -> None:
    """A worker may die in it, or the session end."""
    assert told(report("passed", "setup"), report("passed")).outcomes == {PASSED: 1}
    assert told(report("failed", "???")).outcomes == {Outcome.CRASH: 1}


def test_subtests_are_counted_and_the_first_are_named() -> None:
    """Those that were skipped were not executed."""
    parts = [part("passed", i=str(number)) for number in range(MOST_PARTS + 2)]
    test = told(*parts, part("skipped", i="x"), *executed())
    assert (test.parts_executed, len(test.parts), next(iter(test.parts))) == (
        MOST_PARTS + 2,
        MOST_PARTS,
        "(i=0)",
    )
    assert list(test.skipped_parts) == ["(i=x)"]
    assert test.outcomes == {PASSED: 1}


def test_a_second_try_is_a_rerun() -> None:
    """Whoever made it, and whatever is reported of the first; a stress run tries on purpose."""
    assert told(*executed(tries=2)).is_rerun
    assert told(report("rerun", "setup"), *executed()).is_rerun
    assert not told(*executed()).is_rerun
    assert not told(*executed(tries=2), is_stressed=True).is_rerun


def test_a_failure_that_is_reported_as_passed_is_hidden() -> None:
    """One that is reported is not, nor one that was expected."""
    assert told(*executed(failures=1)).is_hidden
    assert not told(*executed()).is_hidden
    assert not told(*executed("failed", failures=1)).is_hidden
    assert not told(*executed("skipped", wasxfail="", failures=1)).is_hidden


CASES = """
import unittest

import pytest

@pytest.fixture
def fails_late():
    yield
    raise OSError

def test_passes():
    pass

def test_fails():
    assert False

def test_fails_late(fails_late):
    pass

@pytest.mark.skip
def test_skipped():
    pass

@pytest.mark.xfail
def test_expected(fails_late):
    assert False

@pytest.mark.xfail(raises=OSError, strict=True)
def test_expected_strictly():
    raise OSError

def test_expected_inside():
    pytest.xfail("known")

class TestCase(unittest.TestCase):
    @unittest.expectedFailure
    def test_expected(self):
        self.fail()

    def test_skips(self):
        raise unittest.SkipTest("busy")
"""


class _Seen:
    """Keeps what the counter attaches."""

    def __init__(self) -> None:
        self.counts: dict[str, tuple[int, int, int]] = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Keeps the counts of a test."""
        if report.when == "teardown":
            name = report.nodeid.partition("::")[2]
            self.counts[name] = tuple(getattr(report, each) for each in (CALLS, TRIES, FAILURES))


def test_failures_are_counted_where_they_happen_and_expected_ones_are_none(
    pytester: pytest.Pytester,
) -> None:
    """The counts of a test: calls, tries, failures."""
    pytester.makepyfile(CASES)
    seen = _Seen()
    pytester.inline_run(plugins=[CallCounter(), seen])
    assert seen.counts == {
        "test_passes": (1, 1, 0),
        "test_fails": (1, 1, 1),
        "test_fails_late": (1, 1, 1),
        "test_skipped": (0, 1, 0),
        "test_expected": (1, 1, 0),
        "test_expected_strictly": (1, 1, 0),
        "test_expected_inside": (1, 1, 0),
        "TestCase::test_expected": (1, 1, 0),
        "TestCase::test_skips": (1, 1, 0),
    }


SWALLOWS = """
import pytest

@pytest.hookimpl(wrapper=True{first})
def pytest_runtest_makereport(item, call):
    report = yield
    if report.failed:
        report.outcome, report.longrepr = "passed", None
    return report
"""


@pytest.mark.parametrize("first", ["", ", tryfirst=True"])
def test_a_failure_is_counted_also_where_a_conftest_makes_a_pass_of_it(
    pytester: pytest.Pytester, first: str
) -> None:
    """Whether it looks at the report before the counter or after it."""
    pytester.makeconftest(SWALLOWS.format(first=first))
    pytester.makepyfile("def test_fails():\n    assert False\n")
    seen = _Seen()
    pytester.inline_run(plugins=[CallCounter(), seen]).assertoutcome(passed=1)
    assert seen.counts == {"test_fails": (1, 1, 1)}
