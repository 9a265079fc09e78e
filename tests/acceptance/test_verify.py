"""The gate as a user starts it: verdict, exit status, kept output and records together."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.acceptance.sessions import run_pytest, session_folder, session_summary
from tests.acceptance.verify_scenarios import FAILS_IN_RUN_2, PASSES, SCENARIOS, Scenario


@pytest.fixture(autouse=True)
def counter(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file that counts the runs of one test."""
    path = pytester.path / "counter"
    monkeypatch.setenv("COUNTER", str(path))
    return path


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
def test_the_verdict_follows_from_what_the_runs_reported(
    pytester: pytest.Pytester, scenario: Scenario
) -> None:
    """Stable only if every run that was asked for executed the same tests and passed."""
    if pytest.version_tuple[:2] < scenario.needs_pytest:
        pytest.skip(f"pytest {scenario.needs_pytest[0]} is needed")
    pytester.makepyfile(scenario.tests)
    if scenario.conftest:
        pytester.makeconftest(scenario.conftest)
    result = run_pytest(pytester, "--verify-runs=2", *scenario.arguments)
    assert result.ret == scenario.status
    result.stdout.fnmatch_lines([scenario.line])
    summary = session_summary(pytester)
    assert (summary["exit_status"], summary["verdict"]) == (scenario.status, scenario.verdict)


def test_each_run_is_a_fresh_process_with_the_same_command_line(pytester: pytest.Pytester) -> None:
    """Nothing that one run leaves in its memory reaches the next; ini options and addopts hold."""
    pytester.makeini("[pytest]\naddopts = -k chosen\n")
    pytester.makepyfile(
        """
        import os, pathlib

        def test_chosen():
            with open(os.environ["COUNTER"], "a") as file:
                file.write(f"{os.getpid()}\\n")

        def test_other():
            assert False
        """
    )
    assert run_pytest(pytester, "--verify-runs=3").ret == 0
    processes = (pytester.path / "counter").read_text(encoding="utf-8").split()
    assert len(set(processes)) == 3


def test_the_output_of_every_run_is_kept_and_a_failing_one_is_shown(pytester: pytest.Pytester) -> None:
    """`verify_run_<i>.txt` holds everything; the terminal shows what failed, as pytest showed it."""
    pytester.makepyfile(FAILS_IN_RUN_2)
    result = run_pytest(pytester, "--verify-runs=3", "--verify-keep-going")
    assert result.ret == 1
    result.stdout.fnmatch_lines(
        [
            "verify: 3 runs of python -m pytest *",
            "run 1 of 3 passed: 1 test in *",
            "*= FAILURES =*",
            "*assert 2 != 2",
            "run 2 of 3 failed: 1 test in *, 1 failure",
            "run 3 of 3 passed: 1 test in *",
            "unstable: 1 run of 3 failed, 2 of 3 runs passed",
            "run 2: *::test_a failed",
            "run 2 again: PYTHONHASHSEED=* python -m pytest *",
        ]
    )
    kept = [
        (session_folder(pytester) / f"verify_run_{number}.txt").read_text(encoding="utf-8")
        for number in (1, 2, 3)
    ]
    assert ["1 passed" in text for text in kept] == [True, False, True]
    records = (session_folder(pytester) / "runs.jsonl").read_text(encoding="utf-8").splitlines()
    assert [json.loads(record)["exit_status"] for record in records] == [0, 1, 0]


def test_the_gate_applies_stress_and_workers_inside_each_run(pytester: pytest.Pytester) -> None:
    """`--verify-runs 2 --repro-stress 30 -n 2` is two fresh processes of thirty iterations each."""
    pytester.makepyfile(PASSES)
    result = run_pytest(pytester, "--verify-runs=2", "--repro-stress=30", "-n2")
    assert result.ret == 0
    result.stdout.fnmatch_lines(
        [
            "run 1 of 2 passed: 30 iterations of 1 test in *",
            "run 2 of 2 passed: 30 iterations of 1 test in *",
            "stable: 2 of 2 runs passed: *; 60 iterations ran without a failure",
        ]
    )
    assert (session_folder(pytester) / "run_2" / "iterations.jsonl").exists()


def test_a_test_that_starts_pytest_is_not_taken_for_a_run(pytester: pytest.Pytester) -> None:
    """Inside a run the gate is off, and a pytest below it does not report in its place."""
    path = pytester.makepyfile(
        """
        import subprocess, sys

        def test_starts_pytest(tmp_path):
            (tmp_path / "test_inner.py").write_text("def test_inner():\\n    assert False")
            inner = subprocess.run([sys.executable, "-m", "pytest", "--rootdir", tmp_path, tmp_path])
            assert inner.returncode == 1
        """
    )
    assert run_pytest(pytester, "--verify-runs=2", path.name).ret == 0


def test_a_rerun_that_rescues_a_test_does_not_count(pytester: pytest.Pytester) -> None:
    """A plugin that reports reruns as pytest-rerunfailures does: the run is not valid."""
    pytester.makeconftest(
        """
        import copy, pytest

        @pytest.hookimpl(tryfirst=True)
        def pytest_runtest_protocol(item, nextitem):
            from _pytest.runner import runtestprotocol
            for report in runtestprotocol(item, nextitem=nextitem, log=False):
                if report.when == "call":
                    rerun = copy.copy(report)
                    rerun.outcome = "rerun"
                    item.ihook.pytest_runtest_logreport(report=rerun)
                item.ihook.pytest_runtest_logreport(report=report)
            return True

        def pytest_report_teststatus(report):
            if report.outcome == "rerun":
                return "rerun", "R", "RERUN"
        """
    )
    pytester.makepyfile(PASSES)
    result = run_pytest(pytester, "--verify-runs=2")
    assert result.ret == 6
    result.stdout.fnmatch_lines(["run 1 passed only because of a rerun of *::test_a"])


def test_paths_with_spaces_and_argument_files_survive(pytester: pytest.Pytester) -> None:
    """Each run is given the very same arguments."""
    folder = pytester.mkdir("with space")
    (folder / "test_a.py").write_text(PASSES, encoding="utf-8")
    (pytester.path / "args.txt").write_text("with space/test_a.py\n-v\n", encoding="utf-8")
    result = run_pytest(pytester, "--verify-runs=2", "@args.txt")
    assert result.ret == 0
    result.stdout.fnmatch_lines(["stable: 2 of 2 runs passed*"])


def test_the_verdict_can_be_read_by_a_program(pytester: pytest.Pytester) -> None:
    """`--repro-json` holds the verdict, its proof, and every run."""
    pytester.makepyfile(PASSES)
    run_pytest(pytester, "--verify-runs=2", "--repro-json=out.json")
    record = json.loads((pytester.path / "out.json").read_text(encoding="utf-8"))
    assert (record["verdict"], record["runs_passed"], record["runs_asked"]) == ("stable", 2, 2)
    assert record["ruled_out_rate"] == pytest.approx(0.776, abs=1e-3)
    assert [run["exit_status"] for run in record["runs"]] == [0, 0]


@pytest.mark.parametrize("information", ["--help", "--version", "--markers", "--fixtures"])
def test_a_question_to_pytest_is_answered_and_no_gate_starts(
    pytester: pytest.Pytester, information: str
) -> None:
    """Whoever asks for help gets help."""
    result = run_pytest(pytester, "--verify-runs=2", information)
    assert result.ret == 0
    assert not (pytester.path / ".pytest_repro").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--verify-runs=0",), "*--verify-runs '0' cannot be used. Give a whole number from 1 on, or auto."),
        (
            ("--verify-runs=2", "--pdb"),
            "*--verify-runs cannot be combined with --pdb: its runs have no terminal. Drop one of them.",
        ),
    ],
)
def test_refused_options_end_with_a_usage_error(
    pytester: pytest.Pytester, arguments: tuple[str, ...], message: str
) -> None:
    """Exit status 4 and a sentence that says what to do."""
    result = run_pytest(pytester, *arguments)
    assert result.ret == 4
    result.stderr.fnmatch_lines([message])


def test_a_folder_that_cannot_be_made_is_a_clear_error(pytester: pytest.Pytester) -> None:
    """Without its kept output the gate proves nothing."""
    (pytester.path / ".pytest_repro").write_text("in the way", encoding="utf-8")
    result = run_pytest(pytester, "--verify-runs=2")
    assert result.ret == 4
    result.stderr.fnmatch_lines(["*--verify-runs needs a folder for the output of its runs: *--rootdir*"])
