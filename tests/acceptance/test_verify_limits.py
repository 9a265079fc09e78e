"""The gate measures its runs, holds limits against them, and names what is unsteady."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.acceptance.sessions import run_pytest, session_folder, session_summary

RUN_3_IS_SLOW = """
    import pathlib, time

    def test_a(repro):
        runs = pathlib.Path("runs")
        runs.write_text(runs.read_text() + "." if runs.exists() else ".")
        with repro.phase("decode"):
            time.sleep(0.5 if len(runs.read_text()) == 3 else 0.01)
        repro.metric("rate", 5 if len(runs.read_text()) == 3 else 10)
    """

ITERATION_7_IS_SLOW = """
    import time

    def test_a(repro):
        with repro.phase("decode"):
            time.sleep(0.3 if repro.iteration == 7 else 0)
    """

ALL_KINDS = '''
    import unittest, pytest

    def double(number):
        """
        >>> double(2)
        4
        """
        return 2 * number

    class TestCase(unittest.TestCase):
        def test_double(self):
            assert double(1) == 2

    @pytest.mark.repro_verify(max_duration="1us")
    def test_plain():
        pass
    '''


def _measured(pytester: pytest.Pytester, run: int = 1) -> dict[str, dict[str, Any]]:
    """Returns what a run told of its tests, by the last part of their node ids."""
    path = session_folder(pytester) / f"run_{run}" / "run.json"
    report = json.loads(path.read_text(encoding="utf-8"))
    return {test.rpartition("::")[2]: told["measures"] for test, told in report["tests"].items()}


def test_a_limit_that_is_exceeded_fails_its_run_and_an_unsteady_test_is_named(
    pytester: pytest.Pytester,
) -> None:
    """All tests passed: only what they measured speaks against the third run."""
    pytester.makepyfile(RUN_3_IS_SLOW)
    result = run_pytest(
        pytester, "--verify-runs=3", "--verify-metric=rate>=8", "--verify-max-phase=decode=250ms"
    )
    assert result.ret == 1
    result.stdout.fnmatch_lines(
        [
            "run 3 of 3 failed: *",
            "unstable: 1 run of 3 failed, 2 of 3 runs passed",
            "run 3: *::test_a: decode took * ms, limit 250 ms",
            "run 3: *::test_a: rate was 5, limit >= 8",
            "unsteady: *::test_a: decode took * (median *), run 3 the longest",
        ]
    )
    summary = session_summary(pytester)
    assert [limit["name"] for limit in summary["broken_limits"]] == ["decode", "rate"]
    # On a loaded machine a run as a whole may be unsteady too.
    of_tests = [(one["phase"], one["run"]) for one in summary["unsteady"] if one["test"]]
    assert of_tests == [("decode", 3), (None, 3)]
    assert _measured(pytester)["test_a"]["metrics"] == {
        "rate": {"count": 1, "low": 10.0, "median": 10.0, "high": 10.0}
    }


@pytest.mark.parametrize("workers", [(), ("-n2",)], ids=["alone", "workers"])
def test_one_slow_iteration_of_many_breaks_a_limit(
    pytester: pytest.Pytester, workers: tuple[str, ...]
) -> None:
    """The limit comes from the ini file and holds for each iteration."""
    pytester.makeini("[pytest]\nverify_max_phase = decode=150ms\n")
    pytester.makepyfile(ITERATION_7_IS_SLOW)
    result = run_pytest(pytester, "--verify-runs=2", "--repro-stress=20", *workers)
    assert result.ret == 1
    result.stdout.fnmatch_lines(["run 1: *::test_a: decode took * ms, limit 150 ms"])
    measures = _measured(pytester)["test_a"]
    assert measures["duration_ns"]["count"] == measures["phases_ns"]["decode"]["count"] == 20
    assert measures["duration_ns"]["high"] >= 300_000_000
    assert measures["duration_ns"]["low"] < 150_000_000


def test_tests_of_every_kind_are_measured_and_a_mark_sets_the_limit_of_its_own_test(
    pytester: pytest.Pytester,
) -> None:
    """A unittest and a doctest take their time too."""
    pytester.makepyfile(ALL_KINDS)
    result = run_pytest(pytester, "--verify-runs=2", "--doctest-modules", "--verify-max-duration=60s", "-n2")
    assert result.ret == 1
    result.stdout.fnmatch_lines(["run 1: *::test_plain took *, limit 1.00 us"])
    result.stdout.no_fnmatch_line("run 1: *double*")
    measured = _measured(pytester)
    assert len(measured) == 3
    assert all(told["duration_ns"]["count"] == 1 for told in measured.values())


def test_a_limit_that_names_nothing_recorded_is_an_error_and_no_pass(pytester: pytest.Pytester) -> None:
    """After one run, with what was recorded and what to do; all tests pass."""
    pytester.makepyfile("def test_a(repro):\n    repro.metric('rate', 5)")
    result = run_pytest(pytester, "--verify-runs=3", "--verify-metric=rat>1")
    assert result.ret == 4
    result.stdout.fnmatch_lines(
        [
            "incomplete: *",
            "--verify-metric rat>1: no test recorded a metric 'rat' (recorded: rate). Correct the name, *",
        ]
    )
    assert not (session_folder(pytester) / "run_2").exists()


def test_a_mark_that_cannot_be_read_is_an_error_that_names_the_test(pytester: pytest.Pytester) -> None:
    """Under a stress run too, where the marks of a test come with its batches."""
    pytester.makepyfile(
        "import pytest\n@pytest.mark.repro_verify(max_phase='decode')\ndef test_a():\n    pass"
    )
    result = run_pytest(pytester, "--verify-runs=3", "--repro-stress=5")
    assert result.ret == 4
    result.stdout.fnmatch_lines(
        ["repro_verify(max_phase='decode') cannot be used (*::test_a). Give a phase *"]
    )


def test_a_limit_without_the_gate_is_a_usage_error(pytester: pytest.Pytester) -> None:
    """It would hold nothing."""
    result = run_pytest(pytester, "--verify-metric=rate>1")
    assert result.ret == 4
    result.stderr.fnmatch_lines(["*--verify-metric does nothing without the gate. Add --verify-runs N."])
