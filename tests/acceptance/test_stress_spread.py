"""How iterations are spread: over workers, over items, and never over both at once if so asked."""

from __future__ import annotations

import re
import shlex
from itertools import pairwise

import pytest

from tests.acceptance.sessions import json_lines, run_pytest, session_folder, session_summary

WITH_AND_WITHOUT_WORKERS = pytest.mark.parametrize("workers", [(), ("-n2",)], ids=["alone", "n2"])

LOGGED = """
import pytest

@pytest.mark.parametrize("name", ["a", "b-c"])
def test_logged(name, repro):
    with open("log", "a") as file:
        file.write(f"{name} {repro.iteration}\\n")
"""


def logged(pytester: pytest.Pytester) -> list[str]:
    """Returns what the tests of LOGGED have written, sorted."""
    return sorted((pytester.path / "log").read_text(encoding="utf-8").splitlines())


EXPECTED = sorted(f"{name} {number}" for name in ("a", "b-c") for number in range(1, 8))


@pytest.mark.parametrize(
    "workers",
    [
        ("-n4", "--maxprocesses=2"),
        ("-nauto", "--maxprocesses=2"),
        ("-nlogical", "--maxprocesses=1"),
        ("-n0",),
    ],
    ids=" ".join,
)
def test_exactly_the_iterations_asked_for_run_whatever_the_number_of_workers(
    pytester: pytest.Pytester, workers: tuple[str, ...]
) -> None:
    """Xdist may start fewer workers than asked for."""
    pytester.makepyfile(LOGGED)
    assert run_pytest(pytester, "--repro-stress=7", *workers).ret == 0
    assert logged(pytester) == EXPECTED


def test_a_conftest_that_wants_one_worker_gets_one(pytester: pytest.Pytester) -> None:
    """`pytest_xdist_auto_num_workers` of the user's own keeps working."""
    pytester.makepyfile(LOGGED)
    pytester.makeconftest("def pytest_xdist_auto_num_workers(config):\n    return 1")
    result = run_pytest(pytester, "--repro-stress=7", "-n", "auto")
    assert result.ret == 0
    result.stdout.fnmatch_lines(["*1 worker [[]2 items[]]*"])
    assert logged(pytester) == EXPECTED


@pytest.mark.parametrize("mode", ["load", "loadscope", "loadfile", "loadgroup", "worksteal", "each"])
def test_without_overlap_a_test_never_runs_beside_itself(pytester: pytest.Pytester, mode: str) -> None:
    """The tests record their own start and end."""
    pytester.makepyfile(
        """
        import time, pytest

        @pytest.mark.parametrize("name", ["a", "b", "c"])
        def test_spans(name, repro):
            start = time.monotonic_ns()
            time.sleep(0.005)
            with open("spans", "a") as file:
                file.write(f"{name} {repro.iteration} {start} {time.monotonic_ns()}\\n")
        """
    )
    result = run_pytest(pytester, "--repro-stress=10", "-n2", "--repro-overlap=none", f"--dist={mode}")
    assert result.ret == 0
    result.assert_outcomes(passed=3)
    lines = [line.split() for line in (pytester.path / "spans").read_text(encoding="utf-8").splitlines()]
    for name in ("a", "b", "c"):
        spans = sorted(
            (int(start), int(end), int(number)) for test, number, start, end in lines if test == name
        )
        assert [number for _, _, number in spans] == list(range(1, 11))
        for (_, end, _), (start, _, _) in pairwise(spans):
            assert end <= start


def test_with_overlap_a_test_does_run_beside_itself(pytester: pytest.Pytester) -> None:
    """What the test before shows is not so anyway."""
    pytester.makepyfile(
        """
        import time

        def test_spans(repro):
            start = time.monotonic_ns()
            time.sleep(0.02)
            with open("spans", "a") as file:
                file.write(f"{start} {time.monotonic_ns()}\\n")
        """
    )
    assert run_pytest(pytester, "--repro-stress=40", "-n2").ret == 0
    lines = (pytester.path / "spans").read_text(encoding="utf-8").splitlines()
    spans = sorted(tuple(map(int, line.split())) for line in lines)
    assert any(end > start for (_, end), (start, _) in pairwise(spans))


@pytest.mark.parametrize(
    "options",
    [(), ("-n2",), ("-n2", "--dist=each")],
    ids=["alone", "n2", "each"],
)
def test_each_iteration_can_be_an_item_of_its_own(
    pytester: pytest.Pytester, options: tuple[str, ...]
) -> None:
    """Pytest sees N items a test, the summary sees one test with N iterations."""
    pytester.makepyfile(
        """
        import pytest

        @pytest.mark.parametrize("name", ["a", "b-c"])
        def test_logged(name, repro):
            with open("log", "a") as file:
                file.write(f"{name} {repro.iteration}\\n")
            assert (name, repro.iteration) != ("a", 3), "third"

        def test_plain():
            pass
        """
    )
    arguments = ("--repro-stress=7", "--repro-stress-items", "-v", "--junitxml=junit.xml")
    result = run_pytest(pytester, *arguments, *options)
    assert result.ret == 1
    result.assert_outcomes(passed=20, failed=1)
    assert logged(pytester) == EXPECTED
    result.stdout.fnmatch_lines(
        [
            "*::test_logged[[]a-3-7[]]*",
            "21 iterations of 3 tests ran, 1 failure in 1 test, seed *",
            "  replay: *python -m pytest *.py::test_logged[[]a[]]' --repro-seed * --repro-replay 3",
        ]
    )
    text = (pytester.path / "junit.xml").read_text(encoding="utf-8")
    assert 'name="test_logged[a-3-7]"' in text
    assert text.count("<testcase ") == 21
    tests = session_summary(pytester)["tests"]
    assert [(test["test"].partition("::")[2], test["executed"]) for test in tests] == [
        ("test_logged[a]", 7),
        ("test_logged[b-c]", 7),
        ("test_plain", 7),
    ]


def test_an_item_can_have_a_process_of_its_own(pytester: pytest.Pytester) -> None:
    """Each with the number of its iteration."""
    pytester.makepyfile("def test_a(repro):\n    assert repro.iteration != 2")
    result = run_pytest(pytester, "--repro-stress=2", "--repro-stress-items", "--repro-isolate")
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(["FAILED *::test_a[[]2-2[]]*"])


def test_items_have_the_seeds_of_iterations(pytester: pytest.Pytester) -> None:
    """So an item that failed is replayed without items."""
    pytester.makepyfile("import random\ndef test_random():\n    assert random.random() > 0.05")
    result = run_pytest(pytester, "--repro-stress=100", "--repro-seed=1", "--repro-stress-items")
    command = re.search(r"^  replay: python -m pytest (.*)$", result.stdout.str(), re.MULTILINE)
    assert command is not None
    assert "--repro-stress-items" not in command[1]
    assert run_pytest(pytester, *shlex.split(command[1])).ret == 1


def test_methods_of_unittest_are_no_items_of_pytest_repeat(pytester: pytest.Pytester) -> None:
    """They run once, and the rest is said to be missing."""
    pytester.makepyfile(
        "import unittest\nclass TestCase(unittest.TestCase):\n    def test_a(self):\n        pass"
    )
    result = run_pytest(pytester, "--repro-stress=3", "--repro-stress-items")
    assert result.ret == 6
    result.stdout.fnmatch_lines(["  1 of 3 iterations ran, 2 did not run*"])


@pytest.mark.parametrize("limit", ["-x", "--maxfail=2", "--maxfail=3", "--repro-stop=2"])
def test_failures_never_exceed_what_was_asked_for(pytester: pytest.Pytester, limit: str) -> None:
    """What was under way in other workers and failed too is said, and counts for nothing else."""
    pytester.makepyfile(
        """
        import pytest

        @pytest.mark.parametrize("n", range(3))
        def test_fails(n, repro):
            assert repro.iteration % 3
        """
    )
    result = run_pytest(pytester, "--repro-stress=60", "-n3", limit)
    assert result.ret == 1
    summary = session_summary(pytester)
    most = 2 * 3 if "stop" in limit else int(limit[-1]) if limit[-1].isdigit() else 1
    assert summary["failures"] == most
    assert all(
        test["executed"] + test["missing"] + test["surplus"] == 60 and test["missing"] > 0
        for test in summary["tests"]
    )
    records = json_lines(session_folder(pytester) / "failures.jsonl")
    surplus = [record for record in records if record.get("is_surplus")]
    assert len(records) - len(surplus) == most
    assert len(surplus) == sum(test["surplus"] for test in summary["tests"])
    assert ("under way when it stopped" in result.stdout.str()) == bool(surplus)
    assert result.parseoutcomes()["failed"] <= most


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--repro-stress=0",), "*--repro-stress '0' cannot be used. Give a whole number from 1 on."),
        (("--repro-stress=-3",), "*--repro-stress '-3' cannot be used. Give a whole number from 1 on."),
        (("--repro-stress=many",), "*--repro-stress 'many' cannot be used. Give a whole number from 1 on."),
        (("--repro-stress-time=5x",), "*--repro-stress-time '5x' cannot be used. Give a time above zero*"),
        (("--repro-stress-time=0s",), "*--repro-stress-time '0s' cannot be used. Give a time above zero*"),
        (
            ("--repro-stress=2", "--count=2"),
            "*--count: both repeat tests. Drop --count.",
        ),
        (("--repro-stress=2", "-n2", "--pdb"), "*--pdb *n0*"),
        (("--repro-stress=2", "--repro-isolate", "--pdb"), "*--pdb cannot be combined with --repro-isolate*"),
        (
            ("--repro-stress=2", "--repro-lane=slow"),
            "*--repro-lane 'slow' cannot be used. Give auto or *",
        ),
        (
            ("--repro-stress=2", "--repro-overlap=some"),
            "*--repro-overlap 'some' cannot be used. Give any or *",
        ),
        (("--repro-stop=2",), "*--repro-stop does nothing without a stress run. Add --repro-stress N."),
        (("--repro-isolate",), "*--repro-isolate does nothing without a stress run. Add --repro-stress N."),
        (
            ("--repro-stress-items", "--repro-stress-time=1s"),
            "*--repro-stress-items needs a number *",
        ),
        (
            ("--repro-stress=2", "--repro-stress-items", "-p", "no:repeat"),
            "*pytest-repeat, which is not loaded. Install pytest-repeat, or drop -p no:repeat.",
        ),
        (
            ("--repro-stress=2", "--repro-stress-items", "--repro-overlap=none"),
            "*--repro-overlap none cannot be combined with --repro-stress-items*",
        ),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_refused_options_end_with_a_usage_error(
    pytester: pytest.Pytester, arguments: tuple[str, ...], message: str
) -> None:
    """Exit status 4 and a sentence that says what to do."""
    pytester.makepyfile("def test_a():\n    pass")
    result = run_pytest(pytester, *arguments)
    assert result.ret == 4
    result.stderr.fnmatch_lines([message])


def test_a_slice_that_runs_nothing_ends_what_the_one_before_has_left(pytester: pytest.Pytester) -> None:
    """The next test's module finds nothing set up that is not its own."""
    source = """
import pytest

@pytest.fixture(scope="module")
def server():
    yield

def test_{name}(server):
    assert {passes}
"""
    pytester.makepyfile(
        test_m1=source.format(name="a", passes=False), test_m2=source.format(name="b", passes=True)
    )
    result = run_pytest(pytester, "--repro-stress=40", "--repro-stop=1", "-n2", "--dist=loadfile")
    result.assert_outcomes(failed=1, passed=1)
    assert session_summary(pytester)["tests"][1]["outcomes"] == {"passed": 40}


def test_a_collection_alone_is_no_stress_run(pytester: pytest.Pytester) -> None:
    """Also where the ini file asks for one: tools that look for tests find them."""
    pytester.makeini("[pytest]\nrepro_stress = 3")
    pytester.makepyfile("def test_a():\n    pass")
    result = run_pytest(pytester, "--collect-only", "-q")
    assert result.ret == 0
    result.stdout.fnmatch_lines(["*::test_a"])
    assert not (pytester.path / ".pytest_repro").exists()
