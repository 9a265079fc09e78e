"""Tests that meddle with their own process: what they do costs no result and invents none."""

from __future__ import annotations

from collections import Counter

import pytest

from pytest_repro.plugin.stress_iteration import TEXT_LIMIT
from pytest_repro.store import read_json_lines
from pytest_repro.stress.texts import BUGS_WITH_A_TEXT
from tests.acceptance.sessions import run_pytest, session_folder, session_summary

MEDDLING = {
    "closes descriptor 1": "os.close(1)",
    "closes descriptors 1 and 2": "os.closerange(1, 3)",
    "replaces standard output": "sys.stdout = None",
    "changes the working directory": "os.chdir('/')",
    "removes its working directory": "path = tempfile.mkdtemp(); os.chdir(path); os.rmdir(path)",
    "empties the environment": "[os.environ.pop(name) for name in {*os.environ} - {'PYTEST_CURRENT_TEST'}]",
    "forks a child that lives on": "os.fork() or (time.sleep(3), os._exit(0))",
    "forks a child that ends": "os.fork() or os._exit(0)",
    "starts a daemon thread": "threading.Thread(target=time.sleep, args=(60,), daemon=True).start()",
    "starts a process that lives on": "subprocess.Popen(['sleep', '3'])",
    "ignores interrupts": "signal.signal(signal.SIGINT, signal.SIG_IGN)",
    "seeds random": "random.seed(1)",
    "limits its memory": "resource.setrlimit(resource.RLIMIT_AS, (1 << 40, resource.RLIM_INFINITY))",
    "sets an alarm that nobody hears": "signal.signal(signal.SIGALRM, signal.SIG_IGN); signal.alarm(1)",
    "changes the umask": "os.umask(0o777)",
    "collects no more": "gc.disable()",
    "sets a trace": "sys.settrace(lambda *_: None)",
    "raises the recursion limit": "sys.setrecursionlimit(5000)",
}

WORST = (
    "closes descriptors 1 and 2",
    "changes the working directory",
    "empties the environment",
    "forks a child that lives on",
    "starts a daemon thread",
)
"""What comes nearest to what a stress run itself needs."""


@pytest.mark.parametrize(
    "way",
    [
        pytest.param((), id="alone", marks=pytest.mark.slow),
        pytest.param(("-n2",), id="n2"),
        pytest.param(("--repro-isolate",), id="isolate", marks=pytest.mark.slow),
    ],
)
@pytest.mark.parametrize(
    "what", [pytest.param(what, marks=() if what in WORST else pytest.mark.slow) for what in MEDDLING]
)
@pytest.mark.filterwarnings("ignore")
def test_meddling_changes_no_count(pytester: pytest.Pytester, way: tuple[str, ...], what: str) -> None:
    """Each iteration is counted as what it was: iteration 2 fails, all others pass."""
    # Processes of their own meddle with nobody else, and take their time to start.
    iterations = 3 if "--repro-isolate" in way else 8
    pytester.makepyfile(
        test_it=f"""
        import gc, os, random, resource, signal, subprocess, sys, tempfile, threading, time

        def test_meddles(repro):
            {MEDDLING[what]}
            assert repro.iteration != 2

        def test_after():
            pass
        """
    )
    chosen = "test_meddles" if iterations == 3 else ""
    result = run_pytest(pytester, f"--repro-stress={iterations}", "-k", chosen, "-W", "ignore", *way)
    assert result.ret == 1, result.stdout.str()
    meddling, *after = session_summary(pytester)["tests"]
    assert meddling["outcomes"] == {"passed": iterations - 1, "failed": 1}
    assert [test["outcomes"] for test in after] == [{"passed": 8}] * (iterations == 8)


@pytest.mark.parametrize("workers", [(), ("-n2",)], ids=["alone", "n2"])
def test_what_breaks_pytest_itself_ends_the_run_with_no_good_status(
    pytester: pytest.Pytester, workers: tuple[str, ...]
) -> None:
    """A test that closes pytest's capture ends any session; what was not finished is not said to have run."""
    pytester.makepyfile(
        """
        import sys

        def test_first():
            pass

        def test_closes():
            sys.stdout.close()
        """
    )
    result = run_pytest(pytester, "--repro-stress=4", *workers)
    assert result.ret not in (0, 6)
    first, closes = session_summary(pytester)["tests"]
    assert closes["outcomes"] == {}
    assert closes["missing"] == 4
    assert first["outcomes"].keys() <= {"passed"}


@pytest.mark.parametrize("way", [("-n2",), ("--repro-isolate",)], ids=["n2", "isolate"])
def test_an_exit_status_of_0_in_the_middle_of_a_test_is_a_crash(
    pytester: pytest.Pytester, way: tuple[str, ...]
) -> None:
    """`os._exit(0)` says that all is well, and nothing was."""
    pytester.makepyfile(
        """
        import os

        def test_ends(repro):
            if repro.iteration == 3:
                os._exit(0)
        """
    )
    assert run_pytest(pytester, "--repro-stress=6", *way).ret == 1
    outcomes = session_summary(pytester)["tests"][0]["outcomes"]
    assert outcomes["crash"] == 1
    assert "failed" not in outcomes


def test_a_worker_whose_child_lives_on_is_known_to_be_dead(pytester: pytest.Pytester) -> None:
    """The child has inherited what the controller listens to."""
    pytester.makepyfile(
        """
        import os, time

        def test_dies(repro):
            if repro.iteration == 3:
                if os.fork() == 0:
                    time.sleep(60)
                    os._exit(0)
                os._exit(3)
        """
    )
    result = pytester.runpytest_subprocess("--repro-stress=6", "-n2", timeout=45)
    assert result.ret == 1
    assert session_summary(pytester)["tests"][0]["outcomes"]["crash"] == 1


def test_without_a_worker_to_go_on_what_did_not_run_is_said(pytester: pytest.Pytester) -> None:
    """`--max-worker-restart 0` ends the run with the first worker that dies."""
    pytester.makepyfile(
        """
        import os, time

        def test_dies(repro):
            time.sleep(0.05)
            if repro.iteration == 3:
                os._exit(3)

        def test_after(repro):
            time.sleep(0.05)
        """
    )
    result = run_pytest(pytester, "--repro-stress=60", "-n2", "--max-worker-restart=0")
    assert result.ret not in (0, 5), result.stdout.str()
    summary = session_summary(pytester)
    assert summary["is_complete"] is False
    dies, after = summary["tests"]
    assert dies["outcomes"]["crash"] == 1
    assert dies["missing"] + after["missing"] == 120 - sum(
        sum(test["outcomes"].values()) for test in summary["tests"]
    )
    assert dies["missing"] > 0
    result.stdout.fnmatch_lines(["*did not run*"])


@pytest.mark.slow
def test_thousands_of_different_failures_stay_bounded(pytester: pytest.Pytester) -> None:
    """The records keep the tracebacks of the first bugs, say which are left out, and miss no failure."""
    pytester.makepyfile(
        """
        def test_words(repro):
            letters = [chr(97 + repro.iteration // 26**power % 26) * 3 for power in range(3)]
            local = "x" * 100_000
            assert local == "y", "".join(letters)
        """
    )
    result = run_pytest(pytester, "--repro-stress=500", "-n2", "--tb=long", "--showlocals", "-vv")
    assert result.ret == 1
    failures = read_json_lines(session_folder(pytester) / "failures.jsonl")
    assert len(failures) == len({failure["iteration"] for failure in failures}) == 500
    assert len(session_summary(pytester)["bugs"]) == 500
    kept = [failure for failure in failures if failure["text"] is not None]
    assert len(kept) == BUGS_WITH_A_TEXT
    assert max(len(failure["text"]) for failure in kept) <= TEXT_LIMIT
    left_out = Counter(failure["text_left_out"] for failure in failures)
    assert left_out == {None: BUGS_WITH_A_TEXT, "too many bugs": 500 - BUGS_WITH_A_TEXT}
