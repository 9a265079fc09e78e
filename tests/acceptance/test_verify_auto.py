"""The number of runs left to the record: a stress run before the fix, the gate after it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.sessions import run_pytest

FAILS_UNTIL_FIXED = """
import os
def test_a(repro):
    assert repro.iteration % {every} or os.environ.get("FIXED")
"""


def gate_summary(pytester: pytest.Pytester) -> dict[str, Any]:
    """Returns the summary of the newest gate."""
    newest: Path = max((pytester.path / ".pytest_repro" / "sessions").glob("*-verify-*"))
    data: dict[str, Any] = json.loads((newest / "summary.json").read_text(encoding="utf-8"))
    return data


def test_the_recorded_rate_decides_how_many_runs_there_are(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    """2 of 20 iterations ask for 68 clean ones: seven runs of ten."""
    pytester.makepyfile(FAILS_UNTIL_FIXED.format(every=10))
    assert run_pytest(pytester, "--repro-stress=20").ret == 1
    monkeypatch.setenv("FIXED", "1")
    result = run_pytest(pytester, "--verify-runs=auto", "--repro-stress=10")
    assert result.ret == 0
    result.stdout.fnmatch_lines(
        [
            "verify: as many runs as prove something of *",
            "run 1 of 7 passed: 10 iterations of 1 test in *",
            (
                "verify: 7 runs: *::test_a failed 2 of 20 iterations in session *-stress-*; "
                "68 clean ones, 10 in each run, rule out that nothing changed, at 95 % confidence"
            ),
            "run 7 of 7 passed: *",
            (
                "stable: 7 of 7 runs passed: a failure rate above 35 % is ruled out at 95 % confidence, "
                "above 4.2 % of the iterations if each fails by itself; 70 iterations ran without a failure"
            ),
            (
                "*::test_a failed 2 of 20 iterations in session *: 7 clean runs had a chance of 4.7 % "
                "without a fix, ruled out at 95 % confidence"
            ),
        ]
    )
    summary = gate_summary(pytester)
    assert summary["auto"] == {"reason": "rate", "runs_asked": 7, "runs_planned": 7}
    (rate,) = summary["rates_before"]
    assert (rate["failures"], rate["total"], rate["runs_needed"]) == (2, 20, 7)


@pytest.mark.slow
def test_a_number_out_of_reach_ends_incomplete(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What can be run is run, the rest is said; a given number is held against the record too."""
    pytester.makepyfile(FAILS_UNTIL_FIXED.format(every=2_000))
    assert run_pytest(pytester, "--repro-stress=2000").ret == 1
    monkeypatch.setenv("FIXED", "1")
    result = run_pytest(pytester, "--verify-runs=auto")
    assert result.ret == 6
    result.stdout.fnmatch_lines(
        [
            "verify: 5 runs, where 38,000 would take * h *: * failed 1 of 2,000 iterations in session *",
            "amplify first, so that it fails more often: many iterations in each run (--repro-stress N), *",
            "verify under the conditions in which it failed: pytest *--repro-stress=2000",
            "incomplete: 5 of 38,000 runs passed; this says nothing about stability",
            "37,995 of 38,000 runs did not take place",
            "not proved: *: 5 clean runs had a chance of >99 % without a fix; 38,000 are needed at *",
        ]
    )
    given = run_pytest(pytester, "--verify-runs=1", "--verify-confidence=80%")
    assert given.ret == 0
    given.stdout.fnmatch_lines(
        [
            "stable: 1 of 1 runs passed: a failure rate above 80 % is ruled out at 80 % confidence",
            "not proved: *: 1 clean run had a chance of >99 % without a fix; 8,000 are needed at *",
        ]
    )


def test_a_failure_that_is_marked_deterministic_takes_two_runs(pytester: pytest.Pytester) -> None:
    """As scaffolds mark those that came in each run of CI."""
    pytester.makepyfile(
        "import pytest\n@pytest.mark.repro_verify(deterministic=True)\ndef test_a():\n    pass\n"
    )
    result = run_pytest(pytester, "--verify-runs=auto")
    assert result.ret == 0
    result.stdout.fnmatch_lines(
        [
            "run 1 of 2 passed: *",
            "verify: 2 runs: the failure is marked deterministic",
            "run 2 of 2 passed: *",
            "stable: 2 of 2 runs passed: *",
        ]
    )
