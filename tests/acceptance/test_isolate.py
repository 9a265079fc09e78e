"""Iterations in processes of their own, and failures that are no chance."""

from __future__ import annotations

import os
import re
import shlex
from pathlib import Path

import pytest

from tests.acceptance.sessions import json_lines, run_pytest, session_folder, session_summary

WITH_AND_WITHOUT_WORKERS = pytest.mark.parametrize("workers", [(), ("-n2",)], ids=["alone", "n2"])

AGAIN = """
runs = []

def test_again():
    runs.append(1)
    assert len(runs) == 1
"""

HASHED = """
def test_hashed():
    assert hash("abc") % 2
"""


@WITH_AND_WITHOUT_WORKERS
def test_failures_of_running_again_are_named_and_vanish_in_processes_of_their_own(
    pytester: pytest.Pytester, workers: tuple[str, ...]
) -> None:
    """Passed the first time in each process, never again."""
    pytester.makepyfile(AGAIN)
    result = run_pytest(pytester, "--repro-stress=8", *workers)
    assert result.ret == 1
    where = " in each of * processes" if workers else ""
    result.stdout.fnmatch_lines(
        [
            f"  *no chance: passed the first time{where}, then failed always (*)",
            "*an iteration * something behind; --repro-isolate gives each one a process of its own",
        ]
    )
    (test,) = session_summary(pytester)["tests"]
    assert test["pattern"]["kind"] == "running_again"
    command = re.search(r"^  replay: python -m pytest (.*)$", result.stdout.str(), re.MULTILINE)
    assert command is not None
    assert re.search(r" --repro-stress [2-8]$", command[1])
    assert run_pytest(pytester, *shlex.split(command[1]), "-q").ret == 1
    alone = run_pytest(pytester, "--repro-stress=8", "--repro-isolate", *workers, "-v")
    assert alone.ret == 0
    alone.stdout.fnmatch_lines(["  8 of 8 iterations ran, 0 failed (*)"])


def test_a_matter_of_the_hash_seed_is_named_and_replayed(pytester: pytest.Pytester) -> None:
    """Fresh processes have hash seeds of their own: in each the test fails always or never."""
    pytester.makepyfile(HASHED)
    result = run_pytest(pytester, "--repro-stress=60", "--repro-isolate", "--repro-seed=1")
    assert result.ret == 1
    result.stdout.fnmatch_lines(
        [
            "*no chance: failed always in * of * processes, never in the others",
            "*a matter of the process: PYTHONHASHSEED *",
        ]
    )
    (test,) = session_summary(pytester)["tests"]
    assert test["pattern"]["kind"] == "process"
    failures = json_lines(session_folder(pytester) / "failures.jsonl")
    assert {str(failure["hash_seed"]) for failure in failures} >= set(test["pattern"]["failing"])
    command = re.search(
        r"^  replay: PYTHONHASHSEED=(\d+) python -m pytest (.*)$", result.stdout.str(), re.MULTILINE
    )
    assert command is not None
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONHASHSEED", command[1])
        assert run_pytest(pytester, *shlex.split(command[2])).ret == 1


@WITH_AND_WITHOUT_WORKERS
def test_a_process_that_dies_costs_its_iteration_and_nothing_else(
    pytester: pytest.Pytester, workers: tuple[str, ...]
) -> None:
    """Named with its signal and its last words; pytest counts the test as failed."""
    pytester.makepyfile(
        """
        import os, signal

        def test_dies(repro):
            print("last words", flush=True)
            if repro.iteration in (2, 5):
                os.kill(os.getpid(), signal.SIGSEGV)
        """
    )
    result = run_pytest(pytester, "--repro-stress=10", "--repro-isolate", *workers)
    assert result.ret == 1
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            "the process died with SIGSEGV in iteration ? (call)",
            "*in test_dies",
            "last words",
            "  10 of 10 iterations ran, 2 failed (20 %*",
            "bug 1 of 1: the process died with SIGSEGV",
        ]
    )
    (test,) = session_summary(pytester)["tests"]
    assert test["outcomes"] == {"passed": 8, "crash": 2}


def test_isolated_iterations_are_ordinary_ones(pytester: pytest.Pytester) -> None:
    """Fixtures of all scopes are set up in each; outcomes, sections and seeds are as ever."""
    pytester.makepyfile(
        """
        import os, random, unittest, pytest

        @pytest.fixture(scope="session")
        def session():
            yield os.getpid()

        pids = set()

        def test_passes(session, tmp_path, capsys, repro):
            assert session == os.getpid()
            assert repro.seed is not None
            print("x")
            assert capsys.readouterr().out == "x\\n"

        def test_skips():
            pytest.skip("no")

        @pytest.mark.xfail(strict=True)
        def test_expected():
            assert False

        @pytest.mark.parametrize("name", ["größe", "a b"])
        def test_fails(name, repro):
            print("printed", name)
            assert repro.iteration != 2, f"{random.random()}"

        class TestCase(unittest.TestCase):
            def test_method(self):
                self.assertTrue(True)
        """
    )
    result = run_pytest(pytester, "--repro-stress=3", "--repro-isolate", "--repro-seed=1")
    result.assert_outcomes(passed=2, skipped=1, xfailed=1, failed=2)
    result.stdout.fnmatch_lines(["*Captured stdout call*", "printed größe"])
    summary = session_summary(pytester)
    assert [test["outcomes"] for test in summary["tests"]] == [
        {"passed": 3},
        {"skipped": 3},
        {"xfailed": 3},
        {"passed": 2, "failed": 1},
        {"passed": 2, "failed": 1},
        {"passed": 3},
    ]
    numbers = [
        float(failure["message"]) for failure in json_lines(session_folder(pytester) / "failures.jsonl")
    ]
    again = run_pytest(pytester, "--repro-replay=2", "--repro-seed=1", "-k", "fails")
    assert all(str(number) in again.stdout.str() for number in numbers)


def test_where_a_fork_is_not_safe_each_iteration_has_a_fresh_process(pytester: pytest.Pytester) -> None:
    """A thread that was started at import would not survive."""
    pytester.makepyfile(
        """
        import threading, time

        threading.Thread(target=time.sleep, args=(60,), daemon=True).start()
        runs = []

        def test_again():
            runs.append(1)
            assert len(runs) == 1
            assert threading.active_count() == 2
        """
    )
    assert run_pytest(pytester, "--repro-stress=3", "--repro-isolate").ret == 0
    iterations = json_lines(session_folder(pytester) / "iterations.jsonl")
    assert sum(len(batch["hash_seeds"]) for batch in iterations) == 3


def test_a_test_that_only_this_process_finds_is_an_error_that_says_so(pytester: pytest.Pytester) -> None:
    """Ids that depend on the hash seed, say."""
    pytester.makepyfile(
        """
        import pytest, random

        @pytest.mark.parametrize("number", [random.random()])
        def test_a(number):
            pass
        """
    )
    result = run_pytest(pytester, "--repro-stress=2", "--repro-isolate")
    assert result.ret == 1
    result.stdout.fnmatch_lines(
        ["*the test was not found by a process of its own (PYTHONHASHSEED=*); it printed:"]
    )


def test_the_end_of_the_session_inside_a_process_of_its_own_ends_it_all(pytester: pytest.Pytester) -> None:
    """`pytest.exit` and Ctrl-C mean the session, not the process."""
    pytester.makepyfile("import pytest\ndef test_a():\n    pytest.exit('enough', returncode=7)")
    result = run_pytest(pytester, "--repro-stress=5", "--repro-isolate")
    assert result.ret == 7
    result.stdout.fnmatch_lines(["*Exit: enough*"])


@WITH_AND_WITHOUT_WORKERS
def test_no_file_is_left_open(pytester: pytest.Pytester, workers: tuple[str, ...]) -> None:
    """Where warnings are errors, a file that is forgotten ends a session of passing tests with status 1."""
    pytester.makeini("[pytest]\nfilterwarnings = error")
    pytester.makepyfile("def test_a():\n    pass")
    result = run_pytest(pytester, "--repro-stress=4", "--repro-isolate", *workers)
    assert "ResourceWarning" not in result.stderr.str() + result.stdout.str()
    assert result.ret == 0


def test_no_process_is_left_behind(pytester: pytest.Pytester) -> None:
    """Also after -x."""
    pytester.makepyfile(
        """
        import os

        def test_a(repro):
            with open("pids", "a") as file:
                file.write(f"{os.getpid()} {os.getppid()}\\n")
            assert repro.iteration != 3
        """
    )
    assert run_pytest(pytester, "--repro-stress=50", "--repro-isolate", "-x").ret == 1
    lines = (pytester.path / "pids").read_text(encoding="utf-8").splitlines()
    assert len(lines) == 3
    for line in lines:
        for pid in line.split():
            with pytest.raises(ProcessLookupError):
                os.kill(int(pid), 0)


def test_a_process_that_a_test_leaves_running_holds_nothing_up(pytester: pytest.Pytester) -> None:
    """A forked grandchild has the pipes open when its parent dies."""
    pytester.makepyfile(
        """
        import os, time

        def test_dies(repro):
            if repro.iteration == 2:
                if os.fork() == 0:
                    time.sleep(40)
                    os._exit(0)
                os._exit(5)
        """
    )
    result = run_pytest(pytester, "--repro-stress=3", "--repro-isolate")
    assert result.duration < 40
    (test,) = session_summary(pytester)["tests"]
    assert test["outcomes"] == {"passed": 2, "crash": 1}
    result.stdout.fnmatch_lines(["bug 1 of 1: the process died with exit status 5"])


def test_large_reports_pass_through_the_pipes(pytester: pytest.Pytester) -> None:
    """More than a pipe holds."""
    pytester.makepyfile("def test_a():\n    print('x' * 1_000_000)\n    assert False")
    result = run_pytest(pytester, "--repro-stress=3", "--repro-isolate", "--show-capture=no")
    assert result.ret == 1
    (test,) = session_summary(pytester)["tests"]
    assert test["outcomes"] == {"failed": 3}


def test_the_very_test_is_run_and_no_namesake(pytester: pytest.Pytester) -> None:
    """Also where the ini file or an @file names more files, and another ini file lies between."""
    for name, body in (("a", "pass"), ("b", "assert 0")):
        folder = pytester.mkdir(f"tests_{name}")
        (folder / f"test_{name}.py").write_text(f"def test_same():\n    {body}\n", encoding="utf-8")
    (pytester.path / "files.txt").write_text("tests_a\ntests_b\n", encoding="utf-8")
    result = run_pytest(pytester, "@files.txt", "--repro-stress=2", "--repro-isolate")
    result.assert_outcomes(passed=1, failed=1)
    pytester.makeini("[pytest]\naddopts = tests_a tests_b\nfilterwarnings = error")
    (pytester.path / "tests_a" / "pytest.ini").write_text("[pytest]\n", encoding="utf-8")
    (pytester.path / "tests_a" / "test_a.py").write_text(
        "import warnings\ndef test_same():\n    warnings.warn('old')\n", encoding="utf-8"
    )
    result = run_pytest(pytester, "--repro-stress=2", "--repro-isolate")
    result.assert_outcomes(failed=2)


def test_each_process_has_a_temporary_folder_of_its_own_and_leaves_none(pytester: pytest.Pytester) -> None:
    """Even where the ini file names one, which pytest would empty."""
    pytester.makeini("[pytest]\naddopts = --basetemp=bt")
    pytester.makepyfile(
        """
        import time

        def test_a(tmp_path):
            (tmp_path / "file").touch()
            with open("folders", "a") as file:
                file.write(f"{tmp_path}\\n")
            time.sleep(0.3)
            assert (tmp_path / "file").exists()
        """
    )
    assert run_pytest(pytester, "--repro-stress=6", "--repro-isolate", "-n2").ret == 0
    folders = (pytester.path / "folders").read_text(encoding="utf-8").splitlines()
    assert len(folders) == 6
    assert not [folder for folder in folders if Path(folder).exists()]


def test_a_replay_takes_its_hash_seed_from_outside(pytester: pytest.Pytester) -> None:
    """Also where the ini file isolates every stress run."""
    pytester.makeini("[pytest]\nrepro_isolate = true\nrepro_stress_items = true\nrepro_stress = 3")
    pytester.makepyfile("import os\ndef test_a():\n    assert 0, os.environ.get('PYTHONHASHSEED')")
    result = run_pytest(pytester)
    result.assert_outcomes(failed=3)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONHASHSEED", "77")
        again = run_pytest(pytester, "--repro-replay=2", "--repro-seed=1")
    again.stdout.fnmatch_lines(["E   *AssertionError: 77"])
