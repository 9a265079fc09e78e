"""The runs of the gate as processes: what they are given, how they end, and that they can be repeated."""

from __future__ import annotations

import json
import os
import shlex
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.processes import Started
from tests.acceptance.sessions import json_lines, run_pytest, session_folder
from tests.acceptance.verify_scenarios import PASSES

NOTES = """
import os

def note(word):
    with open(os.environ["NOTES"], "a", encoding="utf-8") as file:
        file.write(f"{word}\\n")
"""


@pytest.fixture(autouse=True)
def notes(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where tests and conftests write what they do."""
    path = pytester.path / "notes.txt"
    monkeypatch.setenv("NOTES", str(path))
    monkeypatch.delenv("PYTHONHASHSEED", raising=False)
    return path


def reports(pytester: pytest.Pytester) -> list[dict[str, Any]]:
    """Returns what each run of the only session told of itself."""
    return [record["report"] for record in json_lines(session_folder(pytester) / "runs.jsonl")]


def test_conftests_are_for_the_runs_alone(pytester: pytest.Pytester, notes: Path) -> None:
    """The gate would pay for them once more, and they might open a device."""
    pytester.makeconftest(
        NOTES + "note('loaded')\ndef pytest_addoption(parser):\n    parser.addoption('--board')\n"
    )
    pytester.makepyfile("def test_a(pytestconfig):\n    assert pytestconfig.getoption('--board') == 'n150'\n")
    assert run_pytest(pytester, "--verify-runs=2", "--board", "n150").ret == 0
    assert notes.read_text(encoding="utf-8").split() == ["loaded", "loaded"]


def test_whoever_calls_pytest_goes_on_with_its_exit_status(pytester: pytest.Pytester) -> None:
    """`pytest.main()` returns, as always."""
    pytester.makepyfile(PASSES)
    script = pytester.makepyfile(
        script="import pytest\nprint('status', int(pytest.main(['--verify-runs=2', '-q'])))"
    )
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, check=True)
    assert "stable: 2 of 2 runs passed" in done.stdout
    assert done.stdout.splitlines()[-1] == "status 0"


def test_every_source_of_options_reaches_the_runs(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An ini file by name, a rootdir, an early plugin, addopts of both kinds, a path with spaces."""
    pytester.makefile(".ini", own="[pytest]\naddopts = --early\npython_files = case_*.py\n")
    pytester.makepyfile(
        early="def pytest_addoption(parser):\n    parser.addoption('--early', action='count')\n"
    )
    folder = pytester.mkdir("with space")
    (folder / "case_a.py").write_text(
        "def test_a(pytestconfig):\n    assert pytestconfig.getoption('early') == 2\n"
        "    assert pytestconfig.getoption('maxfail') == 7\n"
        "    assert pytestconfig.rootpath == pytestconfig.invocation_params.dir / 'with space'\n",
        encoding="utf-8",
    )
    monkeypatch.setenv("PYTEST_ADDOPTS", "--early --maxfail=7")
    arguments = ("-c", "own.ini", "--rootdir=with space", "-p", "early", "with space/case_a.py")
    result = run_pytest(pytester, "--verify-runs=2", *arguments)
    assert result.ret == 0, result.stdout.str()


def test_a_failing_run_is_repeated_exactly_by_its_command(pytester: pytest.Pytester) -> None:
    """Hash seed and the seed of a stress run inside: what failed fails again, and other runs differ."""
    pytester.makeini("[pytest]\nverify_runs = 2\n")
    pytester.makepyfile(
        """
        import random

        def test_a():
            print("drawn", hash("a") % 1000, random.random())
            assert False
        """
    )
    result = run_pytest(pytester, "--verify-keep-going", "--repro-stress=1")
    assert result.ret == 1
    drawn = [line for line in result.outlines if line.startswith("drawn")]
    assert len(set(drawn)) == 2
    commands = [record["command"] for record in json_lines(session_folder(pytester) / "runs.jsonl")]
    for line, command in zip(drawn, commands, strict=True):
        assert f"again: {command}" in result.stdout.str()
        again = subprocess.run(
            ["bash", "-c", command.replace(" python ", f" {shlex.quote(sys.executable)} ")],
            cwd=pytester.path,
            capture_output=True,
            text=True,
            check=False,
        )
        assert again.returncode == 1
        assert line in again.stdout


def test_a_run_tells_where_and_how_it_ran(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    """Hash seed, time zone, locale and working directory; a given hash seed stays."""
    monkeypatch.setenv("PYTHONHASHSEED", "5")
    monkeypatch.setenv("TZ", "UTC-3")
    monkeypatch.setenv("LC_ALL", "C.UTF-8")
    pytester.makepyfile(PASSES)
    run_pytest(pytester, "--verify-runs=1")
    (report,) = reports(pytester)
    assert (report["hash_seed"], report["time_zone"]) == ("5", "UTC +0300")
    assert report["directory"] == str(pytester.path)
    assert "UTF-8" in report["locale"]


def test_the_seed_of_a_shuffled_session_is_in_its_command(pytester: pytest.Pytester) -> None:
    """pytest-randomly puts the seed that it chose into its option; this plugin does the same."""
    pytester.makeconftest(
        """
        def pytest_addoption(parser):
            parser.addoption("--randomly-seed", type=int)

        def pytest_configure(config):
            if config.option.randomly_seed is None:
                config.option.randomly_seed = 77
        """
    )
    pytester.makepyfile("def test_a(pytestconfig):\n    assert pytestconfig.option.randomly_seed != 77\n")
    result = run_pytest(pytester, "--verify-runs=2", "-p", "no:randomly")
    result.stdout.fnmatch_lines(["run 1 again: PYTHONHASHSEED=* --randomly-seed=77"])


def test_a_run_stays_one_where_its_environment_is_emptied(pytester: pytest.Pytester) -> None:
    """As hermetic conftests do; a run that took itself for a gate would start runs without end."""
    pytester.makeconftest("import os\nos.environ.clear()\n")
    pytester.makepyfile(PASSES)
    assert run_pytest(pytester, "--verify-runs=2").ret == 0


def test_another_pytest_does_not_report_in_the_place_of_a_run(pytester: pytest.Pytester) -> None:
    """One that a conftest starts passes, the run itself ends without a word."""
    pytester.makeini("[pytest]\nverify_runs = 2\n")
    pytester.makeconftest(
        """
        import subprocess, sys
        subprocess.run([sys.executable, "-m", "pytest", "--noconftest", "other.py"], check=True)
        """
    )
    pytester.makepyfile(other=PASSES, test_a="import os\ndef test_a():\n    os._exit(0)\n")
    result = run_pytest(pytester)
    assert result.ret == 6
    result.stdout.fnmatch_lines(["run 1 ended with exit status 0 and left no report"])


def test_a_child_that_a_test_forks_does_not_report_in_the_place_of_a_run(pytester: pytest.Pytester) -> None:
    """It comes to the end of the session, the run does not."""
    pytester.makepyfile(
        """
        import os

        def test_a():
            child = os.fork()
            if child:
                os.waitpid(child, 0)
                os._exit(0)
        """
    )
    assert run_pytest(pytester, "--verify-runs=1").ret == 6


@pytest.mark.parametrize("output", ["| head -1", ">&-", pytest.param("> /dev/full", marks=pytest.mark.slow)])
def test_an_output_that_nobody_takes_changes_no_verdict(pytester: pytest.Pytester, output: str) -> None:
    """The records tell it."""
    pytester.makepyfile(PASSES)
    command = f"set -o pipefail; {shlex.quote(sys.executable)} -m pytest --verify-runs=2 {output}"
    done = subprocess.run(["bash", "-c", command], cwd=pytester.path, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    summary = json.loads((session_folder(pytester) / "summary.json").read_text(encoding="utf-8"))
    assert summary["verdict"] == "stable"


def test_a_test_that_removes_the_records_ends_no_gate(pytester: pytest.Pytester) -> None:
    """It is told what is missing, and nothing is proved."""
    pytester.makepyfile("import shutil\ndef test_a():\n    shutil.rmtree('.pytest_repro')\n")
    result = run_pytest(pytester, "--verify-runs=2")
    assert result.ret == 6
    result.stdout.fnmatch_lines(
        ["the output of the run cannot be shown: *", "run 1 ended with exit status 0 and left no report"]
    )


def test_passing_output_is_shown_only_if_asked_for(pytester: pytest.Pytester) -> None:
    """And kept in any case."""
    pytester.makepyfile("def test_a():\n    pass\n")
    assert "test session starts" in run_pytest(pytester, "--verify-runs=1", "-v").stdout.str()
    assert "test session starts" not in run_pytest(pytester, "--verify-runs=1").stdout.str()


HANGS = NOTES + (
    "import pytest, time\n@pytest.fixture\ndef device():\n    yield\n    note('closed')\n"
    "def test_a(device):\n    print('begun', flush=True)\n    note('begun')\n    time.sleep(600)\n"
)


@pytest.mark.skipif(sys.platform != "linux", reason="looks for processes in /proc")
@pytest.mark.parametrize(
    ("number", "send"),
    [(signal.SIGINT, os.kill), (signal.SIGINT, os.killpg), (signal.SIGTERM, os.kill)],
    ids=lambda case: getattr(case, "name", getattr(case, "__name__", "")),
)
def test_an_interrupt_ends_the_run_in_order_and_keeps_its_output(
    pytester: pytest.Pytester, notes: Path, number: signal.Signals, send: Callable[[int, int], None]
) -> None:
    """Fixtures are torn down once, it is said what did not take place, and nothing outlives the gate."""
    pytester.makepyfile(HANGS)
    gate = Started(pytester.path, "--verify-runs=3", "-s")
    gate.wait_for(notes.exists, what="test that began")
    send(gate.pid, number)
    assert gate.wait() == 2
    assert notes.read_text(encoding="utf-8").split() == ["begun", "closed"]
    assert "run 1 was broken off by an interrupt\n2 of 3 runs did not take place" in gate.text()
    assert "begun" in (gate.session() / "verify_run_1.txt").read_text(encoding="utf-8")
    assert (
        json.loads((gate.session() / "summary.json").read_text(encoding="utf-8"))["verdict"] == "incomplete"
    )
    assert not gate.left_behind()


@pytest.mark.skipif(sys.platform != "linux", reason="other systems do not end a process with its parent")
def test_a_killed_gate_leaves_no_run_behind(pytester: pytest.Pytester, notes: Path) -> None:
    """And its run's output is there as far as it came."""
    pytester.makepyfile(HANGS)
    gate = Started(pytester.path, "--verify-runs=3", "-s")
    gate.wait_for(notes.exists, what="test that began")
    gate.process.kill()
    gate.wait()
    assert not gate.left_behind()
    assert "begun" in (gate.session() / "verify_run_1.txt").read_text(encoding="utf-8")
