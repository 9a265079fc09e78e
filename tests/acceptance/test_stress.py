"""Stress runs as a user starts them: real sessions, outcome, text, records and exit status together."""

from __future__ import annotations

import json
import re
import shlex

import pytest

from tests.acceptance.sessions import json_lines, run_pytest, session_folder, session_summary

UNSTEADY = """
import pytest

@pytest.fixture(scope="module")
def server():
    yield "up"

def test_unsteady(server, repro):
    assert repro.iteration not in (7, 11), f"lost packet {repro.iteration}"

@pytest.mark.parametrize("size", [1, 2])
def test_steady(server, size):
    pass
"""

WITH_AND_WITHOUT_WORKERS = pytest.mark.parametrize(
    "workers",
    [(), ("-n0",), ("-n1",), ("-n2",)],
    ids=["no-xdist", "n0", "n1", "n2"],
)


@WITH_AND_WITHOUT_WORKERS
def test_a_stress_run_says_what_ran_what_failed_and_how_to_repeat_it(
    pytester: pytest.Pytester, workers: tuple[str, ...]
) -> None:
    """Iterations, failures, rate with interval, bug, replay command; pytest itself counts tests."""
    pytester.makepyfile(UNSTEADY)
    result = run_pytest(pytester, "--repro-stress=20", "--repro-seed=5", *workers)
    assert result.ret == 1
    result.assert_outcomes(failed=1, passed=2)
    result.stdout.fnmatch_lines(
        [
            "*= FAILURES =*",
            "E   *AssertionError: lost packet *",
            "60 iterations of 3 tests ran, 2 failures in 1 test, seed 5",
            "*::test_unsteady",
            "  20 of 20 iterations ran, 2 failed (10 %, 95 % interval 1.2 % to 32 %)",
            "  first failure: iteration * on *, after *, its seed *",
            "2 other tests ran as asked without a failure",
            "bug 1 of 1: AssertionError: lost packet *",
            "  2 failures in 1 test, signature *, *.py in test_unsteady",
            "  replay: python -m pytest *.py::test_unsteady --repro-seed 5 --repro-replay *",
        ]
    )


@WITH_AND_WITHOUT_WORKERS
@pytest.mark.parametrize("mode", ["load", "loadscope", "loadfile", "loadgroup", "worksteal", "each"])
def test_exactly_the_iterations_asked_for_run_in_every_distribution_mode(
    pytester: pytest.Pytester, workers: tuple[str, ...], mode: str
) -> None:
    """Each iteration of each test runs once: the tests keep their own log."""
    if not workers or workers == ("-n0",):
        if mode != "load":
            pytest.skip("without workers there is one mode")
        modes: tuple[str, ...] = ()
    else:
        modes = (f"--dist={mode}",)
    pytester.makepyfile(
        """
        import os, pytest

        @pytest.mark.xdist_group("one")
        @pytest.mark.parametrize("name", ["a", "b@c", "d::e"])
        def test_logged(name, repro, request):
            line = f"{request.node.name} {repro.iteration} {request.node.nodeid.count('(')}\\n"
            with open(os.environ["LOG"], "a") as file:
                file.write(line)
        """
    )
    log = pytester.path / "log"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LOG", str(log))
        result = run_pytest(pytester, "--repro-stress=13", *workers, *modes)
    assert result.ret == 0
    expected = [f"test_logged[{name}] {number} 0" for name in ("a", "b@c", "d::e") for number in range(1, 14)]
    assert sorted(log.read_text(encoding="utf-8").splitlines()) == sorted(expected)
    if modes:
        result.stdout.fnmatch_lines(["*[[]3 items[]]*"])
    result.assert_outcomes(passed=3)


@pytest.mark.parametrize("workers", [(), ("-n2",)], ids=["alone", "n2"])
def test_the_replay_command_fails_again(pytester: pytest.Pytester, workers: tuple[str, ...]) -> None:
    """What depended on random numbers is repeated by the printed command, also after `-n 2`."""
    pytester.makepyfile(
        """
        import random

        def test_random():
            assert random.random() > 0.02
        """
    )
    result = run_pytest(pytester, "--repro-stress=300", "--repro-seed=1", *workers)
    assert result.ret == 1
    command = re.search(r"^  replay: python -m pytest (.*)$", result.stdout.str(), re.MULTILINE)
    assert command is not None
    again = run_pytest(pytester, *shlex.split(command[1]))
    assert again.ret == 1
    again.stdout.fnmatch_lines(["1 iteration of 1 test ran, 1 failure in 1 test, seed 1"])


def test_numbers_of_a_library_that_the_test_imports_itself_are_repeated_too(
    pytester: pytest.Pytester,
) -> None:
    """A replay starts without numpy loaded, and still draws what the failing iteration drew."""
    pytester.makepyfile(
        """
        def test_random():
            import numpy
            assert numpy.random.random() > 0.05
        """
    )
    result = run_pytest(pytester, "--repro-stress=200", "--repro-seed=1")
    assert result.ret == 1
    command = re.search(r"^  replay: python -m pytest (.*)$", result.stdout.str(), re.MULTILINE)
    assert command is not None
    assert run_pytest(pytester, *shlex.split(command[1])).ret == 1


def test_a_wider_fixture_that_a_test_asks_for_midway_does_not_change_its_numbers(
    pytester: pytest.Pytester,
) -> None:
    """A replay sets it up in the iteration that failed, the session had it from the first on."""
    pytester.makepyfile(
        """
        import random, pytest

        @pytest.fixture(scope="module")
        def server():
            return random.random()

        def test_random(request):
            first = random.random()
            server = request.getfixturevalue("server")
            second = random.random()
            assert second > 0.1, f"{first} {server} {second}"
        """
    )
    result = run_pytest(pytester, "--repro-stress=100", "--repro-seed=2")
    assert result.ret == 1
    text = result.stdout.str()
    command = re.search(r"^  replay: python -m pytest (.*)$", text, re.MULTILINE)
    numbers = re.search(r"AssertionError: (0[.]\d+ 0[.]\d+ 0[.]\d+)", text)
    assert command is not None
    assert numbers is not None
    assert not command[1].endswith(" 1")
    again = run_pytest(pytester, *shlex.split(command[1]))
    assert f"AssertionError: {numbers[1]}" in again.stdout.str()


def test_the_same_seed_fails_in_the_same_iterations(pytester: pytest.Pytester) -> None:
    """A session can be repeated as a whole; without reseeding it cannot."""
    pytester.makepyfile(
        """
        import random

        def test_random():
            assert random.random() > 0.1
        """
    )
    failing = []
    for number in range(2):
        arguments = ("--repro-stress=100", "--repro-seed=3", f"--repro-json=s{number}.json")
        run_pytest(pytester, *arguments)
        summary = json.loads((pytester.path / f"s{number}.json").read_text(encoding="utf-8"))
        failing.append(summary["bugs"][0]["failures"])
    assert failing[0] == failing[1] > 0


@pytest.mark.parametrize("workers", [(), ("-n2",)], ids=["alone", "n2"])
def test_exitfirst_stops_all_and_says_what_did_not_run(
    pytester: pytest.Pytester, workers: tuple[str, ...]
) -> None:
    """No test is called passed that did not run as often as asked."""
    pytester.makepyfile(
        """
        import time

        def test_one(repro):
            time.sleep(0.002)
            assert repro.iteration != 3

        def test_two():
            time.sleep(0.002)
        """
    )
    result = run_pytest(pytester, "--repro-stress=500", "-x", *workers)
    assert result.ret == 1
    result.assert_outcomes(failed=1)
    summary = session_summary(pytester)
    first, second = summary["tests"]
    assert first["failures"] == 1
    assert first["missing"] == 500 - first["executed"] > 300
    assert (second["executed"], second["missing"]) == (0, 500)
    result.stdout.fnmatch_lines(
        ["*1 failure in 1 test, * iterations did not run*", "*stopping after 1 fail*"]
    )


def test_maxfail_counts_failing_iterations(pytester: pytest.Pytester) -> None:
    """Three failing iterations, then nothing."""
    pytester.makepyfile("def test_bad():\n    assert False")
    result = run_pytest(pytester, "--repro-stress=50", "--maxfail=3")
    assert result.ret == 1
    assert session_summary(pytester)["tests"][0]["executed"] == 3


@pytest.mark.parametrize("workers", [(), ("-n2",)], ids=["alone", "n2"])
def test_a_test_stops_after_its_kth_failure_and_the_others_go_on(
    pytester: pytest.Pytester, workers: tuple[str, ...]
) -> None:
    """`--repro-stop 1` ends one test only."""
    pytester.makepyfile(
        """
        import time

        def test_bad(repro):
            time.sleep(0.002)
            assert repro.iteration < 3

        def test_good():
            pass
        """
    )
    result = run_pytest(pytester, "--repro-stress=200", "--repro-stop=1", *workers)
    bad, good = session_summary(pytester)["tests"]
    assert result.ret == 1
    assert bad["missing"] > 100
    assert (good["executed"], good["failures"]) == (200, 0)
    result.assert_outcomes(failed=1, passed=1)


def test_two_bugs_of_one_test_are_told_apart_with_a_traceback_each(pytester: pytest.Pytester) -> None:
    """Pytest shows the first; the other follows in the stress section."""
    pytester.makepyfile(
        """
        def helper(n):
            raise KeyError("lost")

        def test_two_bugs(repro):
            if repro.iteration % 2:
                helper(repro.iteration)
            assert repro.iteration > 100, "too small"
        """
    )
    result = run_pytest(pytester, "--repro-stress=6")
    result.stdout.fnmatch_lines(
        [
            "E   *KeyError: 'lost'",
            "_* bug *::test_two_bugs, iteration 2 _*",
            "E   *AssertionError: too small",
            "bug 1 of 2: KeyError: 'lost'",
            "  3 failures in 1 test, signature *.py in helper",
            "bug 2 of 2: AssertionError: too small",
            "  3 failures in 1 test, signature *.py in test_two_bugs",
        ]
    )


def test_records_hold_every_iteration_and_every_failure(pytester: pytest.Pytester) -> None:
    """JSON Lines with a format version, durations in nanoseconds."""
    pytester.makepyfile(UNSTEADY)
    run_pytest(pytester, "--repro-stress=20", "-n2", "-k", "unsteady")
    session = session_folder(pytester)
    iterations: list[int] = []
    for record in json_lines(session / "iterations.jsonl"):
        assert record["format_version"] == 1
        assert sum(number for _, number in record["outcomes"]) == len(record["durations_ns"])
        iterations += range(record["first"], record["first"] + len(record["durations_ns"]))
    assert sorted(iterations) == list(range(1, 21))
    failures = json_lines(session / "failures.jsonl")
    assert sorted(failure["iteration"] for failure in failures) == [7, 11]
    assert {failure["signature"]["exception"] for failure in failures} == {"AssertionError"}
    facts = json.loads((session / "session.json").read_text(encoding="utf-8"))
    assert facts["command"].startswith("pytest ")
    assert facts["versions"]["pytest"] == pytest.__version__
    assert (pytester.path / ".pytest_repro" / ".gitignore").exists()


def test_fixtures_of_function_scope_are_fresh_and_wider_ones_stay(pytester: pytest.Pytester) -> None:
    """Set up and torn down as pytest would for one test after the other."""
    pytester.makepyfile(
        """
        import pytest

        @pytest.fixture(scope="session", autouse=True)
        def session():
            print("session up"); yield; print("session down")

        @pytest.fixture(scope="module")
        def module():
            print("module up"); yield; print("module down")

        @pytest.fixture(scope="class")
        def cls():
            print("class up"); yield; print("class down")

        @pytest.fixture
        def function():
            print("function up"); yield []; print("function down")

        class TestOne:
            def setup_method(self):
                self.calls = 0

            def test_a(self, module, cls, function):
                self.calls += 1
                assert self.calls == 1
                assert function == []
                function.append(1)
                print("a")

        def test_b(module, function):
            print("b")
        """
    )
    result = run_pytest(pytester, "--repro-stress=2", "-s", "-q")
    assert result.ret == 0
    words = ("session", "module", "class", "function")
    shown = re.findall(rf"(?:{'|'.join(words)}) (?:up|down)|(?<=\n)[ab](?=\n)", result.stdout.str())
    once = ["function up", "function down"]
    a, b = [[once[0], name, once[1]] for name in "ab"]
    assert shown == [
        "session up",
        "module up",
        "class up",
        *a,
        *a,
        "class down",
        *b,
        *b,
        "module down",
        "session down",
    ]


def test_an_early_stop_still_tears_down_wider_fixtures_before_the_next_test(
    pytester: pytest.Pytester,
) -> None:
    """The last iteration did not know that it was the last."""
    pytester.makepyfile(
        test_a="""
        import pytest

        @pytest.fixture(scope="module")
        def module():
            print("module up"); yield; print("module down")

        def test_a(module):
            assert False
        """,
        test_b="def test_b():\n    print('b runs')",
    )
    result = run_pytest(pytester, "--repro-stress=3", "--repro-stop=1", "-s")
    result.stdout.fnmatch_lines(["*module up*", "*module down*", "*b runs*"])


@pytest.mark.parametrize("options", [("--repro-stress=3",), ("--repro-stress-time=200ms",)])
def test_a_failing_teardown_of_a_wider_fixture_is_an_error_of_its_test(
    pytester: pytest.Pytester, options: tuple[str, ...]
) -> None:
    """Also where it comes after the last iteration, which had passed."""
    pytester.makepyfile(
        """
        import pytest

        @pytest.fixture(scope="module")
        def module():
            yield
            raise RuntimeError("port still open")

        def test_a(module):
            pass
        """
    )
    result = run_pytest(pytester, *options)
    assert result.ret == 1
    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines(["bug 1 of 1: RuntimeError: port still open"])
    assert session_summary(pytester)["tests"][0]["outcomes"]["error"] == 1


def test_what_one_iteration_leaves_on_its_item_does_not_reach_the_next(pytester: pytest.Pytester) -> None:
    """Output, properties, marks and attributes start afresh."""
    pytester.makepyfile(
        """
        import pytest

        def test_leaves_things(request, record_property, repro):
            assert request.node.user_properties == []
            assert [mark.name for mark in request.node.own_markers] == []
            record_property("n", repro.iteration)
            request.node.add_marker(pytest.mark.slow)
            print(f"printed in {repro.iteration}")
            assert repro.iteration < 4
        """
    )
    result = run_pytest(pytester, "--repro-stress=4", "-W", "ignore")
    text = result.stdout.str()
    assert "1 failure in 1 test" in text
    assert "printed in 4" in text
    assert "printed in 3" not in text


def test_skips_and_expected_failures_are_counted_apart(pytester: pytest.Pytester) -> None:
    """A skip is no execution, an expected failure is no failure."""
    pytester.makepyfile(
        """
        import pytest

        @pytest.mark.skip
        def test_skipped():
            pass

        @pytest.mark.xfail
        def test_expected():
            assert False

        def test_passes():
            pass
        """
    )
    result = run_pytest(pytester, "--repro-stress=4", "-v")
    assert result.ret == 0
    result.assert_outcomes(skipped=1, xfailed=1, passed=1)
    skipped, expected, _ = session_summary(pytester)["tests"]
    assert (skipped["executed"], skipped["skipped"]) == (0, 4)
    assert expected["outcomes"] == {"xfailed": 4}


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ("def test_a():\n    pass", 0),
        ("def test_a():\n    assert False", 1),
        ("import pytest\n@pytest.mark.skip\ndef test_a():\n    pass", 6),
        ("import pytest\ndef test_a(repro):\n    if repro.iteration == 2:\n        pytest.skip('now')", 6),
        ("import pytest\ndef test_a():\n    pytest.exit('enough')", 2),
        ("", 5),
    ],
    ids=["passed", "failed", "all-skipped", "sometimes-skipped", "interrupted", "nothing-collected"],
)
@pytest.mark.parametrize("workers", [(), ("-n2",)], ids=["alone", "n2"])
def test_the_exit_status_says_whether_all_that_was_asked_for_ran_and_passed(
    pytester: pytest.Pytester, workers: tuple[str, ...], body: str, status: int
) -> None:
    """0 only if everything ran and passed; 6 where iterations are missing."""
    pytester.makepyfile(body)
    assert run_pytest(pytester, "--repro-stress=3", *workers).ret == status


def test_a_time_budget_ends_the_run_and_gives_every_test_its_share(pytester: pytest.Pytester) -> None:
    """As many iterations as fit, at least one of each test."""
    pytester.makepyfile(
        """
        import time

        def test_short():
            time.sleep(0.01)

        def test_longer_than_the_budget():
            time.sleep(0.5)
        """
    )
    result = run_pytest(pytester, "--repro-stress-time=400ms")
    assert result.ret == 0
    short, long = session_summary(pytester)["tests"]
    assert 2 <= short["executed"] <= 30
    assert long["executed"] == 1


def test_a_crash_costs_its_iteration_and_nothing_else(pytester: pytest.Pytester) -> None:
    """The worker is replaced, the iteration in which it died is counted, and all others run."""
    pytester.makepyfile(
        """
        import os

        def test_dies(repro):
            if repro.iteration == 5:
                os._exit(3)

        def test_lives():
            pass
        """
    )
    result = run_pytest(pytester, "--repro-stress=20", "-n2")
    assert result.ret == 1
    result.stdout.fnmatch_lines(
        [
            "worker gw?: the process died with exit status 3 in iteration 5 (call)",
            "  20 of 20 iterations ran, 1 failed*",
        ]
    )
    dies, lives = session_summary(pytester)["tests"]
    assert dies["outcomes"] == {"passed": 19, "crash": 1}
    assert lives["executed"] == 20


@pytest.mark.parametrize("workers", [(), ("-n2",)], ids=["alone", "n2"])
def test_pytests_own_reports_see_one_test(pytester: pytest.Pytester, workers: tuple[str, ...]) -> None:
    """JUnit XML, last-failed and -rA hold tests, not iterations."""
    pytester.makepyfile(UNSTEADY)
    result = run_pytest(pytester, "--repro-stress=20", "--junitxml=junit.xml", "-rA", *workers)
    text = (pytester.path / "junit.xml").read_text(encoding="utf-8")
    assert 'tests="3"' in text
    assert 'failures="1"' in text
    assert text.count("<testcase ") == 3
    result.stdout.fnmatch_lines(["FAILED *::test_unsteady*"])
    again = run_pytest(pytester, "--repro-stress=20", "--lf")
    again.assert_outcomes(failed=1)


def test_each_iteration_has_its_own_timeout(pytester: pytest.Pytester) -> None:
    """pytest-timeout times an iteration, not all of them together."""
    pytester.makepyfile("import time\ndef test_a():\n    time.sleep(0.05)")
    result = run_pytest(pytester, "--repro-stress=30", "--timeout=0.8")
    assert result.ret == 0


def test_a_warning_of_every_iteration_is_shown_once(pytester: pytest.Pytester) -> None:
    """The memory does not grow with the iterations, and -W error still makes failures."""
    pytester.makepyfile("import warnings\ndef test_a():\n    warnings.warn('old')")
    result = run_pytest(pytester, "--repro-stress=50")
    result.assert_outcomes(passed=1, warnings=1)
    strict = run_pytest(pytester, "--repro-stress=50", "-W", "error")
    strict.stdout.fnmatch_lines(["*50 of 50 iterations ran, 50 failed*"])


@pytest.mark.parametrize("plugin", ["terminal", "xdist", "timeout", "warnings", "cacheprovider", "repeat"])
def test_any_other_plugin_can_be_missing(pytester: pytest.Pytester, plugin: str) -> None:
    """`-p no:...` takes nothing away from a stress run but its own part."""
    pytester.makepyfile(UNSTEADY)
    assert run_pytest(pytester, "--repro-stress=20", "-p", f"no:{plugin}").ret == 1
    assert session_summary(pytester)["failures"] == 2


def test_unicode_ids_and_unittest_classes_are_stressed_too(pytester: pytest.Pytester) -> None:
    """Whatever pytest collects can be repeated."""
    pytester.makepyfile(
        """
        import unittest, pytest

        class TestCase(unittest.TestCase):
            @classmethod
            def setUpClass(cls):
                cls.ups = getattr(cls, "ups", 0) + 1

            def setUp(self):
                self.fresh = []

            def test_method(self):
                self.assertEqual(self.ups, 1)
                self.assertEqual(self.fresh, [])
                self.fresh.append(1)

        @pytest.mark.parametrize("name", ["größe", "日本", "a b", ""])
        def test_names(name):
            pass
        """
    )
    for workers in ((), ("-n2",)):
        result = run_pytest(pytester, "--repro-stress=6", *workers)
        result.assert_outcomes(passed=5)
        assert result.ret == 0


def test_doctests_are_stressed_too(pytester: pytest.Pytester) -> None:
    """Also from text files."""
    pytester.maketxtfile(test_doc=">>> 1 + 1\n2\n")
    result = run_pytest(pytester, "--repro-stress=5")
    result.assert_outcomes(passed=1)


def test_a_read_only_root_costs_the_records_and_nothing_else(pytester: pytest.Pytester) -> None:
    """The summary says that records are missing and why."""
    pytester.makepyfile(UNSTEADY)
    (pytester.path / ".pytest_repro").write_text("in the way", encoding="utf-8")
    result = run_pytest(pytester, "--repro-stress=20")
    assert result.ret == 1
    result.stdout.fnmatch_lines(["*2 failures in 1 test*", "records are incomplete: *"])
