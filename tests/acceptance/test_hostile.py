"""Configurations and tests that trip tools up: found by an adversarial reader, kept from coming back."""

from __future__ import annotations

import os
import re
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.acceptance.sessions import run_pytest, session_summary

BOTH = pytest.mark.parametrize("workers", [(), ("-n2",)], ids=["alone", "n2"])


@BOTH
def test_a_mark_added_in_one_iteration_does_not_reach_another(
    pytester: pytest.Pytester, workers: tuple[str, ...]
) -> None:
    """An xfail of iteration 2 does not excuse iterations 3 and 4, in whatever slice they are."""
    pytester.makepyfile(
        """
        import pytest

        def test_mark(request, repro):
            if repro.iteration == 2:
                request.node.add_marker(pytest.mark.xfail(reason="known"))
                assert 0
            assert repro.iteration not in (3, 4)
        """
    )
    assert run_pytest(pytester, "--repro-stress=16", *workers).ret == 1
    assert session_summary(pytester)["tests"][0]["outcomes"] == {"passed": 13, "xfailed": 1, "failed": 2}


@BOTH
def test_a_failing_subtest_fails_its_iteration(pytester: pytest.Pytester, workers: tuple[str, ...]) -> None:
    """Unittest's subTest and pytest's subtests: counted, grouped, and no flood of reports."""
    pytester.makepyfile(
        """
        import unittest

        ran = 0

        class TestCase(unittest.TestCase):
            def test_parts(self):
                global ran
                ran += 1
                for part in range(3):
                    with self.subTest(part=part):
                        self.assertFalse(ran == 3 and part == 1, "part is lost")
        """
    )
    result = run_pytest(pytester, "--repro-stress=6", *workers)
    assert result.ret == 1
    # Each process counts for itself.
    assert session_summary(pytester)["failures"] in ((1, 2) if workers else (1,))
    assert result.stdout.str().count("part is lost") < 10
    result.stdout.fnmatch_lines(["bug 1 of 1: AssertionError: *part is lost"])


def test_a_plugin_that_sets_the_same_seed_before_every_stage_does_not_blind_the_run(
    pytester: pytest.Pytester,
) -> None:
    """As pytest-randomly does, with its own option to leave it."""
    pytester.makeconftest(
        """
        import random

        def pytest_addoption(parser):
            parser.addoption("--randomly-dont-reset-seed", action="store_false", dest="randomly_reset_seed",
                             default=True)

        def pytest_runtest_call(item):
            if item.config.getoption("randomly_reset_seed"):
                random.seed(1)
        """
    )
    pytester.makepyfile(
        """
        import random

        seen = set()

        def test_random(repro):
            seen.add(random.random())
            assert len(seen) == repro.iteration
        """
    )
    assert run_pytest(pytester, "--repro-stress=20").ret == 0


def test_a_doctest_can_run_again(pytester: pytest.Pytester) -> None:
    """It empties its names after it ran."""
    pytester.makepyfile(mymod='def f(x):\n    """\n    >>> f(2)\n    4\n    """\n    return 2 * x\n')
    result = run_pytest(pytester, "--doctest-modules", "mymod.py", "--repro-stress=3")
    assert result.ret == 0


@pytest.mark.parametrize("lane", ["auto", "full"])
def test_a_failing_method_of_unittest_fails_in_its_call(pytester: pytest.Pytester, lane: str) -> None:
    """Its setup, which has passed, is no error."""
    pytester.makepyfile(
        """
        import unittest

        class TestCase(unittest.TestCase):
            def test_method(self):
                self.assertEqual(1, 2)
        """
    )
    result = run_pytest(pytester, "--repro-stress=3", f"--repro-lane={lane}")
    result.assert_outcomes(failed=1)
    assert session_summary(pytester)["tests"][0]["outcomes"] == {"failed": 3}


def test_what_unittest_left_of_one_iteration_does_not_fail_the_next(pytester: pytest.Pytester) -> None:
    """Two errors in one iteration are one failing iteration."""
    pytester.makepyfile(
        """
        import unittest

        ran = 0

        class TestCase(unittest.TestCase):
            def boom(self):
                raise KeyError("cleanup")

            def tearDown(self):
                if ran == 1:
                    raise ValueError("down")

            def test_a(self):
                global ran
                ran += 1
                if ran == 1:
                    self.addCleanup(self.boom)
                    raise RuntimeError("first")
        """
    )
    run_pytest(pytester, "--repro-stress=5")
    assert session_summary(pytester)["failures"] == 1


@BOTH
def test_hypothesis_tests_in_a_class_run_again(pytester: pytest.Pytester, workers: tuple[str, ...]) -> None:
    """Hypothesis refuses one function on two instances."""
    pytest.importorskip("hypothesis")
    pytester.makepyfile(
        """
        from hypothesis import given, settings
        from hypothesis import strategies as st

        class TestH:
            @settings(max_examples=3, database=None)
            @given(st.integers())
            def test_h(self, x):
                pass
        """
    )
    result = run_pytest(pytester, "--repro-stress=10", *workers)
    assert session_summary(pytester)["failures"] == 0, result.stdout.str()


@pytest.mark.parametrize("mode", ["load", "loadfile", "loadscope"])
def test_a_slice_that_is_handed_out_again_after_a_crash_does_not_begin_anew(
    pytester: pytest.Pytester, mode: str
) -> None:
    """No iteration is counted twice."""
    pytester.makepyfile(
        """
        import os

        def test_dies(repro):
            if repro.iteration == 20:
                os._exit(3)
        """
    )
    result = run_pytest(pytester, "--repro-stress=100", "-n2", f"--dist={mode}")
    assert result.ret == 1
    (test,) = session_summary(pytester)["tests"]
    assert test["executed"] <= 100
    assert test["outcomes"]["crash"] == 1


@BOTH
def test_a_wrapper_around_the_protocol_is_called_once_for_each_iteration(
    pytester: pytest.Pytester, workers: tuple[str, ...]
) -> None:
    """A lock that holds one test at a time does not wait for itself."""
    pytester.makeconftest(
        """
        import pytest, threading

        device = threading.Lock()

        @pytest.hookimpl(wrapper=True)
        def pytest_runtest_protocol(item):
            with device, open("calls", "a") as file:
                file.write(item.nodeid + "\\n")
                return (yield)
        """
    )
    pytester.makepyfile("def test_a():\n    pass")
    assert run_pytest(pytester, "--repro-stress=6", *workers).ret == 0
    calls = (pytester.path / "calls").read_text(encoding="utf-8").splitlines()
    assert len(calls) == 6
    assert len(set(calls)) == 1


def test_exitfirst_with_a_failing_module_teardown_keeps_its_report(pytester: pytest.Pytester) -> None:
    """Both are shown, the failure and the error."""
    pytester.makepyfile(
        """
        import pytest

        @pytest.fixture(scope="module")
        def module():
            yield
            raise RuntimeError("port still open")

        def test_a(module):
            assert 0

        def test_b(module):
            pass
        """
    )
    result = run_pytest(pytester, "-x", "--repro-stress=3")
    assert result.ret == 1
    result.stdout.fnmatch_lines(
        [
            "*= FAILURES =*",
            "bug 1 of 2: AssertionError: assert 0",
            "bug 2 of 2: RuntimeError: port still open",
        ]
    )


def test_an_item_that_a_plugin_adds_after_us_runs_once(pytester: pytest.Pytester) -> None:
    """No internal error."""
    pytester.makeconftest(
        """
        import copy

        def pytest_collection_finish(session):
            session.items.append(copy.copy(session.items[0]))
        """
    )
    pytester.makepyfile("def test_a():\n    pass")
    result = run_pytest(pytester, "--repro-stress=3")
    assert result.ret == 0
    result.stdout.no_fnmatch_line("*INTERNALERROR*")


def test_a_module_fixture_draws_the_same_numbers_in_a_replay(pytester: pytest.Pytester) -> None:
    """It was set up in iteration 1, and in the replay it takes nothing from the iteration's numbers."""
    pytester.makepyfile(
        """
        import random, pytest

        @pytest.fixture(scope="module", autouse=True)
        def data():
            return [random.random() for _ in range(10)]

        def test_r(data, repro):
            value = random.random()
            assert value < 0.9, f"{data[0]} {value}"
        """
    )
    result = run_pytest(pytester, "--repro-stress=50", "--repro-seed=1")
    command = re.search(r"^  replay: python -m pytest (.*)$", result.stdout.str(), re.MULTILINE)
    assert command is not None
    again = run_pytest(pytester, *shlex.split(command[1]))
    assert again.ret == 1
    message = re.compile(r"^bug 1 of 1: (.*)$", re.MULTILINE)
    assert message.findall(again.stdout.str()) == message.findall(result.stdout.str())


@pytest.mark.parametrize("option", ["--setup-only", "--setup-plan"])
def test_what_was_only_set_up_was_not_run(pytester: pytest.Pytester, option: str) -> None:
    """Nothing was called, so nothing passed."""
    pytester.makepyfile("def test_a(tmp_path):\n    pass")
    assert run_pytest(pytester, "--repro-stress=5", option).ret == 6
    assert session_summary(pytester)["iterations_executed"] == 0


def test_many_different_bugs_stay_bounded_on_the_terminal(pytester: pytest.Pytester) -> None:
    """Twenty are shown, the records hold all."""
    pytester.makepyfile(
        """
        import string

        def test_words(repro):
            letters = string.ascii_lowercase
            word = letters[repro.iteration % 26] * 3 + letters[repro.iteration // 26] * 3
            raise ValueError(word)
        """
    )
    result = run_pytest(pytester, "--repro-stress=100")
    result.stdout.fnmatch_lines(["bug 20 of 100: *", "and 80 more bugs: see failures.jsonl"])
    assert len(session_summary(pytester)["bugs"]) == 100


def test_a_rerun_inside_one_report_rescues_nothing(pytester: pytest.Pytester) -> None:
    """Plugins that call a test again without a word of it (flaky, pytest-retry) are noticed by the calls."""
    pytester.makeconftest(
        """
        import pytest

        @pytest.hookimpl(wrapper=True, tryfirst=True)
        def pytest_runtest_makereport(item, call):
            report = yield
            if call.when == "call" and report.failed:
                item.ihook.pytest_runtest_call(item=item)
                report.outcome, report.longrepr = "passed", None
            return report
        """
    )
    pytester.makepyfile("calls = []\ndef test_a():\n    calls.append(1)\n    assert len(calls) == 2")
    for workers in ((), ("-n1",)):
        result = run_pytest(pytester, "--verify-runs=2", *workers)
        assert result.ret == 6
        result.stdout.fnmatch_lines(["run 1 passed only because of a rerun of *::test_a"])


def test_the_gate_survives_a_json_path_that_cannot_be_written(pytester: pytest.Pytester) -> None:
    """The verdict stands, and the problem is said."""
    pytester.makepyfile("def test_a():\n    pass")
    result = run_pytest(pytester, "--verify-runs=2", "--repro-json=no/such/folder.json")
    assert result.ret == 0
    result.stdout.fnmatch_lines(["stable: *", "records are incomplete: No such file or directory *"])


def test_a_summary_written_over_an_older_one_does_not_move_the_rootdir(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    """To pytest a word that is a file is a test file: another rootdir, no ini file, other node ids."""
    project = pytester.mkdir("project")
    (project / "pytest.ini").write_text("[pytest]\n", encoding="utf-8")
    (project / "test_a.py").write_text("def test_a():\n    pass", encoding="utf-8")
    monkeypatch.chdir(project)
    for path, second in (("inside.json", 0), ("../outside.json", 4)):
        stress = ("--repro-stress=2", "--repro-json")
        assert run_pytest(pytester, *stress, path).ret == 0
        result = run_pytest(pytester, *stress, path)
        assert result.ret == second
        assert run_pytest(pytester, "--repro-stress=2", f"--repro-json={path}").ret == 0
    fact = f"made pytest take {pytester.path} for its rootdir in the place of {project}"
    result.stderr.fnmatch_lines(
        [f"ERROR: --repro-json ../outside.json {fact}. Write --repro-json=../outside.json."]
    )


def test_the_gate_works_without_the_terminal_plugin(pytester: pytest.Pytester) -> None:
    """`-p no:terminal` takes pytest's own output away, not the verdict."""
    pytester.makepyfile("def test_a():\n    pass")
    result = run_pytest(pytester, "-p", "no:terminal", "--verify-runs=2")
    assert result.ret == 0
    result.stdout.fnmatch_lines(["stable: *"])


def test_a_gate_that_is_terminated_leaves_no_run_behind(pytester: pytest.Pytester) -> None:
    """SIGTERM ends the run too, keeps what finished, and gives exit status 2."""
    pytester.makepyfile(
        """
        import os, time

        def test_slow():
            with open("run.pid", "w") as file:
                file.write(str(os.getpid()))
            time.sleep(60)
        """
    )
    gate = subprocess.Popen(
        [sys.executable, "-m", "pytest", "--verify-runs=2"], cwd=pytester.path, stdout=subprocess.DEVNULL
    )
    run = _wait_for_pid(pytester.path / "run.pid")
    gate.send_signal(signal.SIGTERM)
    assert gate.wait(timeout=30) == 2
    with pytest.raises(ProcessLookupError):
        os.kill(run, 0)
    assert session_summary(pytester)["verdict"] == "incomplete"


def _wait_for_pid(path: Path) -> int:
    for _ in range(300):
        if path.exists() and path.read_text(encoding="utf-8"):
            return int(path.read_text(encoding="utf-8"))
        time.sleep(0.1)
    pytest.fail("the run did not start within 30 s")


@pytest.mark.parametrize("option", ["--lf", "--stepwise"])
def test_the_gate_refuses_options_by_which_a_run_changes_the_next(
    pytester: pytest.Pytester, option: str
) -> None:
    """The first run that passes would empty the list of failed tests."""
    result = run_pytest(pytester, "--verify-runs=2", option)
    assert result.ret == 4
    result.stderr.fnmatch_lines(
        [f"*--verify-runs cannot be combined with {option}: *. Name the tests instead."]
    )


def test_a_replay_is_no_gate_even_if_the_ini_file_asks_for_one(pytester: pytest.Pytester) -> None:
    """The command line has the last word."""
    pytester.makeini("[pytest]\nverify_runs = 2\n")
    pytester.makepyfile("def test_a():\n    assert False")
    result = run_pytest(pytester, "--repro-seed=4", "--repro-replay=3")
    result.stdout.fnmatch_lines(["1 iteration of 1 test ran, 1 failure in 1 test, seed 4"])
    gate = run_pytest(pytester)
    gate.stdout.fnmatch_lines(["run 1 again: PYTHONHASHSEED=* python -m pytest --verify-runs=no *"])


def test_a_run_keeps_the_options_of_the_interpreter(pytester: pytest.Pytester) -> None:
    """`python -X dev -m pytest` gates what `python -X dev -m pytest` runs."""
    pytester.makepyfile("import sys\ndef test_a():\n    assert sys.flags.dev_mode")
    command = [sys.executable, "-X", "dev", "-m", "pytest", "--verify-runs=2"]
    done = subprocess.run(
        command, cwd=pytester.path, capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 0, done.stdout
