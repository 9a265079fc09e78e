"""`--repro-match`: one bug is looked for, others are counted apart, and nothing stops for them."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from tests.acceptance.sessions import json_lines, run_pytest, session_folder, session_summary

TWO_BUGS = """
import time

def helper(number):
    raise KeyError(f"lost {number}")

def test_two_bugs(repro):
    time.sleep(0.002)
    if repro.iteration in (90, 95, 190):
        helper(repro.iteration)
    assert repro.iteration % 3, "too small"

def test_steady():
    pass
"""

ALONE_AND_WITH_WORKERS = pytest.mark.parametrize("workers", [(), ("-n2",)], ids=["alone", "n2"])


@ALONE_AND_WITH_WORKERS
def test_only_the_bug_that_is_looked_for_counts_as_reproduced(
    pytester: pytest.Pytester, workers: tuple[str, ...]
) -> None:
    """It comes first, is marked, and its traceback is shown although another failure was earlier."""
    pytester.makepyfile(TWO_BUGS)
    result = run_pytest(pytester, "--repro-stress=100", "--repro-match=KeyError: .lost", *workers)
    assert result.ret == 1
    result.stdout.fnmatch_lines(
        [
            "*Error: *",
            "200 iterations of 2 tests ran, 34 failures in 1 test, seed *",
            "reproduced: 2 failures match /KeyError: .lost/; 32 failures of other bugs",
            "  first failure: iteration *",
            "  reproduced: 2 failures match, the first in iteration 9[05], after *",
            "bug 1 of 2, reproduced: KeyError: 'lost 9[05]'",
            "bug 2 of 2: AssertionError: too small",
        ]
    )
    assert "E   *KeyError: 'lost 9" in re.sub(r"E +", "E   *", result.stdout.str())
    summary = session_summary(pytester)
    assert [(bug["is_match"], bug["failures"]) for bug in summary["bugs"]] == [(True, 2), (False, 32)]
    assert (summary["reproduced"], summary["match"]) == (2, "/KeyError: .lost/")
    assert [test["reproduced"] for test in summary["tests"]] == [2, 0]
    assert summary["tests"][0]["first_match"]["iteration"] in (90, 95)
    failures = json_lines(session_folder(pytester) / "failures.jsonl")
    assert {one["iteration"] for one in failures if one["is_match"]} == {90, 95}


@ALONE_AND_WITH_WORKERS
@pytest.mark.parametrize("stop", ["-x", "--maxfail=1", "--repro-stop=1"])
def test_the_search_goes_on_past_other_bugs_and_ends_with_the_first_match(
    pytester: pytest.Pytester, workers: tuple[str, ...], stop: str
) -> None:
    """All that ends a test or the session counts matching failures alone."""
    pytester.makepyfile(TWO_BUGS)
    result = run_pytest(pytester, "--repro-stress=400", "--repro-match=lost", stop, *workers)
    assert result.ret == 1
    summary = session_summary(pytester)
    two_bugs, steady = summary["tests"]
    assert 1 <= summary["reproduced"] <= 2  # both workers may be in a match at the same moment
    assert two_bugs["failures"] > 15
    assert two_bugs["missing"] > 150
    assert (steady["executed"] == 400) is (stop == "--repro-stop=1")
    if stop != "--repro-stop=1":
        result.stdout.fnmatch_lines(["*stopping after * matching failures*"])


def test_maxfail_counts_matches(pytester: pytest.Pytester) -> None:
    """The second of them ends the session."""
    pytester.makepyfile(TWO_BUGS)
    run_pytest(pytester, "--repro-stress=200", "--repro-match=lost", "--maxfail=2")
    assert session_summary(pytester)["tests"][0]["executed"] == 95


@ALONE_AND_WITH_WORKERS
def test_a_bug_that_does_not_show_is_not_reproduced(
    pytester: pytest.Pytester, workers: tuple[str, ...]
) -> None:
    """Other failures are failures all the same: the exit status hides none."""
    pytester.makepyfile(TWO_BUGS)
    result = run_pytest(pytester, "--repro-stress=9", "--repro-match=lost", "-x", *workers)
    assert result.ret == 1
    result.stdout.fnmatch_lines(["not reproduced: 3 failures of other bugs; looked for /lost/"])
    summary = session_summary(pytester)
    assert (summary["reproduced"], summary["bugs"][0]["is_match"], summary["is_complete"]) == (0, False, True)


def test_where_all_passed_nothing_is_reproduced_and_that_is_said(pytester: pytest.Pytester) -> None:
    """All iterations ran and passed: exit status 0, with the words."""
    pytester.makepyfile("def test_good(): pass")
    result = run_pytest(pytester, "--repro-stress=30", "--repro-match=0123456789ab")
    assert result.ret == 0
    expected = "not reproduced: no failure in 30 iterations; looked for signature 0123456789ab"
    result.stdout.fnmatch_lines([expected])


def test_without_the_option_nothing_is_said_of_it(pytester: pytest.Pytester) -> None:
    """No bug is looked for, so none is another."""
    pytester.makepyfile(TWO_BUGS)
    result = run_pytest(pytester, "--repro-stress=3")
    assert "reproduced" not in result.stdout.str()
    summary = session_summary(pytester)
    assert (summary["reproduced"], summary["match"], summary["bugs"][0]["is_match"]) == (None, None, None)


def test_a_bug_is_found_again_by_its_key_and_by_any_record_of_it(pytester: pytest.Pytester) -> None:
    """The key, the summary of a session with one bug, a line of its failures."""
    pytester.makepyfile(TWO_BUGS)
    run_pytest(pytester, "--repro-stress=90", "--repro-json=two.json")
    bugs = json.loads((pytester.path / "two.json").read_text("utf-8"))["bugs"]
    lost = next(bug for bug in bugs if bug["signature"]["exception"] == "KeyError")
    (pytester.path / "bug.json").write_text(json.dumps(lost), "utf-8")
    replay = ("--repro-seed=1", "--repro-replay=95")
    for given in (lost["signature"]["key"], "bug.json"):
        result = run_pytest(pytester, "-k", "two_bugs", f"--repro-match={given}", *replay)
        assert result.ret == 1
        result.stdout.fnmatch_lines(["reproduced: 1 failure matches *", "bug 1 of 1, reproduced: *'lost 95'"])
    result = run_pytest(pytester, "--repro-stress=1", "--repro-match=two.json")
    assert result.ret == 4
    result.stderr.fnmatch_lines(
        ["ERROR: The summary holds 2 bugs (*two.json). Give the key of one of them: *"]
    )


def test_a_replay_keeps_the_bug_that_is_looked_for(pytester: pytest.Pytester) -> None:
    """Its own replay reproduces it, that of another bug does not."""
    pytester.makepyfile(TWO_BUGS)
    result = run_pytest(pytester, "--repro-stress=90", "--repro-match", "lost [0-9]+")
    lost, other = re.findall(r"^  replay: python -m pytest (.*)$", result.stdout.str(), re.MULTILINE)
    again = run_pytest(pytester, *shlex.split(lost))
    assert again.ret == 1
    again.stdout.fnmatch_lines(["reproduced: 1 failure matches /lost [[]0-9[]]+/"])
    again = run_pytest(pytester, *shlex.split(other))
    assert again.ret == 1
    again.stdout.fnmatch_lines(["not reproduced: 1 failure of other bugs; looked for *"])


def test_the_bug_of_a_ci_log_is_looked_for_and_a_near_miss_says_how_it_differs(
    pytester: pytest.Pytester,
) -> None:
    """The file that a scaffold makes of plain pytest output, and twenty lines more code in the test."""
    test_file = pytester.makepyfile(
        """
        def test_sum(repro):
            total = sum([repro.iteration % 4, 1])
            if repro.iteration > 2:
                assert total == (
                    7
                )
            assert total == 3
        """
    )
    log = run_pytest(pytester).stdout.str()
    (pytester.path / "ci.log").write_text(log, "utf-8")
    script = [sys.executable, "-m", "pytest_repro.cli.scaffold", "sum", "--log", "ci.log"]
    subprocess.run(script, cwd=pytester.path, check=True, timeout=60, capture_output=True)
    moved = "# moved\n" * 20 + test_file.read_text("utf-8").replace("== 3", "== 3  # three")
    test_file.write_text(moved, "utf-8")
    wanted = "--repro-match=sum/signature.json"
    result = run_pytest(pytester, test_file.name, "--repro-stress=8", wanted, "-n2")
    assert result.ret == 1
    result.stdout.fnmatch_lines(
        [
            "reproduced: 1 failure matches AssertionError: assert <n> == <n> (*.py in test_sum); 6 *",
            "bug 1 of 2, reproduced: AssertionError: assert 2 == 3",
            "  1 failure in 1 test, signature *, *.py in test_sum: assert total == 3",
            "bug 2 of 2: AssertionError: assert * == 7",
            "  6 failures in 1 test, signature *, *.py in test_sum: assert total == (7)",
            "  another bug: differs in statement",
        ]
    )


def test_one_bug_may_match_in_a_part_of_its_failures(pytester: pytest.Pytester) -> None:
    """Its first match is shown and replayed, not its first failure."""
    pytester.makepyfile("def test_bad(repro):\n    assert False, f'lost {repro.iteration}'")
    result = run_pytest(pytester, "--repro-stress=20", "--repro-match=lost 1[5-9]$")
    result.stdout.fnmatch_lines(
        [
            "E   *lost 1",
            "E   *lost 15",
            "reproduced: 5 failures match *; 15 failures of other bugs",
            "bug 1 of 1, reproduced: AssertionError: lost 15*",
            "  20 failures in 1 test, 5 of them looked for, signature *",
            "  replay: * --repro-replay 15",
        ]
    )


CRASH = """
import os, time

def test_dies(repro):
    time.sleep(0.005)
    if repro.iteration == 3:
        os._exit(3)
    assert repro.iteration != 20, "small"
"""


@pytest.mark.parametrize(("wanted", "found"), [("process died", 1), ("small", 1), ("nothing", 0)])
def test_a_crash_is_a_bug_that_can_be_looked_for_or_passed_by(
    pytester: pytest.Pytester, wanted: str, found: int
) -> None:
    """The count of failures that xdist keeps does not end the search either."""
    pytester.makepyfile(CRASH)
    result = run_pytest(pytester, "--repro-stress=64", f"--repro-match={wanted}", "-x", "-n2")
    assert result.ret == 1
    summary = session_summary(pytester)
    assert summary["reproduced"] == found
    assert ("xdist.dsession.Interrupted: stopping after" in result.stdout.str()) is (found == 1)


@ALONE_AND_WITH_WORKERS
def test_processes_of_their_own_look_for_the_same_bug(
    pytester: pytest.Pytester, workers: tuple[str, ...]
) -> None:
    """Each iteration of --repro-isolate says what it found; a death is known by who finds it."""
    pytester.makepyfile(
        """
        import os, signal

        def test_bad(repro):
            if repro.iteration == 3:
                os.kill(os.getpid(), signal.SIGKILL)
            assert repro.iteration not in (2, 4), f"lost {repro.iteration}"
        """
    )
    for wanted, matches in (("lost", 2), ("process died with SIGKILL", 1)):
        arguments = ("--repro-stress=4", "--repro-isolate", f"--repro-match={wanted}", *workers)
        result = run_pytest(pytester, *arguments, f"--repro-json={matches}.json")
        assert result.ret == 1
        result.stdout.fnmatch_lines(
            [f"reproduced: {matches} failure* match* /{wanted}/; {3 - matches} failure*"]
        )
        summary = json.loads((pytester.path / f"{matches}.json").read_text("utf-8"))
        assert [bug["is_match"] for bug in summary["bugs"]] == [True, False]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--repro-match=x",), "--repro-match does nothing without a stress run. Add --repro-stress N."),
        (
            ("--repro-stress=2", "--repro-match="),
            "--repro-match '' cannot be used. Give a signature file, a key of twelve hexadecimal digits, *",
        ),
        (
            ("--repro-stress=2", "--repro-match=a**"),
            "--repro-match 'a[*][*]' cannot be used. Give a regular expression, *: multiple repeat at *",
        ),
        (
            ("--repro-stress=2", "--repro-match=no/signature.json"),
            "The signature file cannot be read: No such file or directory (*no?signature.json). Give *",
        ),
    ],
)
def test_what_cannot_be_looked_for_is_a_usage_error(
    pytester: pytest.Pytester, arguments: tuple[str, ...], message: str
) -> None:
    """Before anything runs."""
    pytester.makepyfile("def test_a(): pass")
    result = run_pytest(pytester, *arguments)
    assert result.ret == 4
    result.stderr.fnmatch_lines([f"ERROR: {message}"])


@ALONE_AND_WITH_WORKERS
def test_the_ini_file_can_name_a_signature_beside_itself_and_the_command_line_has_the_last_word(
    pytester: pytest.Pytester, workers: tuple[str, ...]
) -> None:
    """A path in it is relative to it, wherever pytest is started; without a stress run it says nothing."""
    below = pytester.mkdir("below")
    (below / "test_a.py").write_text("def test_a():\n    raise KeyError('x')", "utf-8")
    (pytester.path / "wanted.json").write_text('{"exception": "KeyError"}', "utf-8")
    pytester.makeini("[pytest]\nrepro_match = wanted.json")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(below)
        assert run_pytest(pytester).ret == 1
        result = run_pytest(pytester, "--repro-stress=2", *workers)
        result.stdout.fnmatch_lines(["reproduced: 2 failures match KeyError"])
        result = run_pytest(pytester, "--repro-stress=2", "--repro-match=ValueError", *workers)
        result.stdout.fnmatch_lines(["not reproduced: 2 failures of other bugs; looked for /ValueError/"])
    assert Path.cwd() != below
