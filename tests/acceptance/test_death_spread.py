"""Workers that die again and again, in each of xdist's ways to spread tests."""

from __future__ import annotations

import pytest

from tests.acceptance.sessions import run_pytest, session_summary

DYING = """
import os

runs = []

def test_dies():
    runs.append(1)
    if len(runs) == 2:
        os._exit(3)

def test_lives():
    pass
"""


@pytest.mark.parametrize(
    "options",
    [
        ("-n2", "--dist=loadgroup"),
        pytest.param(("-n2", "--dist=loadscope"), marks=pytest.mark.slow),
        pytest.param(("-n3", "--dist=worksteal"), marks=pytest.mark.slow),
        ("-n3", "--dist=each"),
        pytest.param(("-n2", "--dist=loadfile", "--repro-stress-items"), marks=pytest.mark.slow),
    ],
    ids=lambda options: "-".join(option.lstrip("-").removeprefix("dist=") for option in options),
)
def test_all_iterations_run_once_however_many_workers_die(
    pytester: pytest.Pytester, options: tuple[str, ...]
) -> None:
    """Two may die at the same time, one before it has work, and one that replaces another."""
    pytester.makepyfile(DYING)
    result = run_pytest(pytester, "--repro-stress=12", *options)
    assert result.ret == 1
    summary = session_summary(pytester)
    dies, lives = summary["tests"]
    assert dies["outcomes"].keys() == {"passed", "crash"}
    assert sum(dies["outcomes"].values()) == 12
    assert lives["outcomes"] == {"passed": 12}
    assert summary["workers_replaced"] == dies["outcomes"]["crash"] > 2


def test_a_conftest_that_puts_a_crashed_test_back_does_no_harm(pytester: pytest.Pytester) -> None:
    """As xdist's documentation has it; the rest runs anyway. What fails in such a hook is told."""
    pytester.makeconftest(
        """
        calls = []

        def pytest_handlecrashitem(crashitem, report, sched):
            sched.mark_test_pending(crashitem)
            calls.append(crashitem)
            if len(calls) == 2:
                raise ValueError("not like this")
        """
    )
    pytester.makepyfile(DYING)
    result = run_pytest(pytester, "--repro-stress=8", "-n2")
    assert result.ret == 1
    result.assert_outcomes(failed=1, passed=1, warnings=1)
    result.stdout.fnmatch_lines(["*pytest_handlecrashitem failed: ValueError('not like this')*"])
    dies, _ = session_summary(pytester)["tests"]
    assert sum(dies["outcomes"].values()) == 8
