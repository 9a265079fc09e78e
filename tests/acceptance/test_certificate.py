"""`--verify-base`: base and fix by turns, each in a worktree of its own, and the certificate on them."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Mapping
from typing import Any

import pytest

from tests.acceptance.processes import Started
from tests.acceptance.sessions import LIMIT_S, run_pytest
from tests.repositories import Checkout

BROKEN = "def drain(packets):\n    return packets[:-1]\n"
FIXED = "def drain(packets):\n    return list(packets)\n"
TEST = "from queues import drain\n\ndef test_drains():\n    assert drain([1, 2, 3]) == [1, 2, 3]\n"


@pytest.fixture
def checkout(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Checkout:
    """A project at the commit before its fix; temporary folders have a place of their own."""
    place = pytester.path / "temporary"
    place.mkdir()
    monkeypatch.setenv("TMPDIR", str(place))
    for name in [name for name in os.environ if name.startswith("GIT_")]:
        monkeypatch.delenv(name)
    made = Checkout(pytester.path / "project")
    made.commit(
        {"src/queues.py": BROKEN, "pytest.ini": "[pytest]\npythonpath = src\n", ".gitignore": "*.pyc\n"}
    )
    made.git("tag", "base")
    return made


def _compare(
    pytester: pytest.Pytester, checkout: Checkout, *arguments: str, runs: int = 3
) -> pytest.RunResult:
    os.chdir(checkout.path)
    return pytester.runpytest_subprocess(
        f"--verify-runs={runs}", "--verify-base=base", *arguments, timeout=LIMIT_S
    )


def _certificate(checkout: Checkout) -> dict[str, Any]:
    (session,) = (checkout.path / ".pytest_repro" / "sessions").iterdir()
    record: dict[str, Any] = json.loads((session / "certificate.json").read_text(encoding="utf-8"))
    return record


def _page(checkout: Checkout) -> str:
    (session,) = (checkout.path / ".pytest_repro" / "sessions").iterdir()
    return (session / "certificate.md").read_text(encoding="utf-8")


def _nothing_left(pytester: pytest.Pytester, checkout: Checkout, before: Mapping[str, Any]) -> None:
    assert list((pytester.path / "temporary").glob("pytest-repro-*")) == []
    after = checkout.state()
    # Our own records are there now, which git ignores.
    added = "!! .pytest_repro/"
    after["status"] = "\n".join(line for line in after["status"].splitlines() if line != added)
    assert after == before


def test_a_fix_that_is_not_committed_is_certified(pytester: pytest.Pytester, checkout: Checkout) -> None:
    """With its new test, which the base runs too; the checkout stays as it is."""
    checkout.write({"src/queues.py": FIXED, "test_queues.py": TEST})
    before = checkout.state()
    result = _compare(pytester, checkout, "test_queues.py::test_drains")
    assert result.ret == 0
    result.stdout.fnmatch_lines(
        [
            "verify: 3 runs of base and fix each: python -m pytest * test_queues.py::test_drains",
            "base: * (base)",
            "fix: * with changes that are not committed, tree *",
            "2 files differ, 0 commits between them",
            "the base runs the fix's test_queues.py",
            "base run 1 of 3 failed: 1 test in *, 1 failure",
            "fix run 1 of 3 passed: 1 test in *",
            "base run 2 of 3 failed: *",
            "fix run 3 of 3 passed: *",
            "*= verify =*",
            "certified: the base failed in 3 of 3 runs, the fix in 0 of 3; * a chance of 5.0 % (*)",
            "base *: failed in 3 of 3 runs (100 %, interval 29 % to 100 %), median * a run",
            "fix *: failed in 0 of 3 runs (0 %, interval 0 % to 71 %), median * a run",
            "reproduced in 3 runs of the base: AssertionError: assert * (test_queues.py in test_drains), *",
            "certificate: .pytest_repro/sessions/*/certificate.md",
        ]
    )
    _nothing_left(pytester, checkout, before)
    record = _certificate(checkout)
    assert (record["verdict"], record["fix"]["is_dirty"]) == ("certified", True)
    runs = record["runs"]
    assert [(run["side"], run["run"]) for run in runs] == [
        (side, number) for number in (1, 2, 3) for side in ("base", "fix")
    ]
    seeds = [run["report"]["hash_seed"] for run in runs]
    assert seeds[0::2] == seeds[1::2]
    assert len(set(seeds)) == 3
    page = _page(checkout)
    for text in (record["base"]["commit"], record["fix"]["tree"], *seeds, "certified: the base failed"):
        assert text in page
    checkout.commit({})
    assert checkout.git("rev-parse", "HEAD^{tree}") == record["fix"]["tree"]


def test_a_base_that_never_fails_proves_nothing(pytester: pytest.Pytester, checkout: Checkout) -> None:
    """Exit status 6, however green the fix is; and what to do where the fix is in the test itself."""
    checkout.commit({"src/queues.py": FIXED, "test_queues.py": "def test_drains():\n    pass\n"})
    result = _compare(pytester, checkout, "test_queues.py")
    assert result.ret == 6
    result.stdout.fnmatch_lines(
        [
            "not reproduced: nothing is proved: the base failed in 0 of 3 runs, the fix in 0 of 3",
            "make the failure more frequent *",
            "if the fix is in the test itself, leave the base its own: --verify-test none",
        ]
    )
    assert _certificate(checkout)["verdict"] == "not reproduced"


def test_a_fix_that_fails_is_none(pytester: pytest.Pytester, checkout: Checkout) -> None:
    """Its failure is shown as pytest showed it, and ends the comparison."""
    checkout.commit({"src/queues.py": BROKEN + "\n\n# fixed\n", "test_queues.py": TEST})
    result = _compare(pytester, checkout, "test_queues.py")
    assert result.ret == 1
    result.stdout.fnmatch_lines(
        [
            "base run 1 of 3 failed: *",
            "*= FAILURES =*",
            "fix run 1 of 3 failed: *",
            "not certified: the fix fails: the base failed in 1 of 1 run, the fix in 1 of 1",
        ]
    )
    assert len(_certificate(checkout)["runs"]) == 2


def test_a_test_that_uses_what_only_the_fix_has_reproduces_nothing(
    pytester: pytest.Pytester, checkout: Checkout
) -> None:
    """Without the fix it cannot pass, whatever the bug."""
    test = "import queues\n\ndef test_drains():\n    assert queues.drain_all([1]) == [1]\n"
    checkout.commit({"src/queues.py": FIXED + "\n\ndrain_all = drain\n", "test_queues.py": test})
    result = _compare(pytester, checkout, "test_queues.py")
    assert result.ret == 6
    result.stdout.fnmatch_lines(
        [
            "not reproduced: *",
            "does not count (the test uses what the base lacks) in 3 runs of the base: AttributeError: *",
            "write the test so that it runs without the fix; *: --repro-match *",
        ]
    )


def test_code_of_the_checkout_in_the_runs_is_no_proof(
    pytester: pytest.Pytester, checkout: Checkout, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A path that a conftest puts there leads both sides to the same code, that of the checkout."""
    conftest = f"import sys\nsys.path.insert(0, {str(checkout.path / 'src')!r})\n"
    checkout.commit(
        {"src/queues.py": FIXED, "test_queues.py": TEST, "pytest.ini": "", "conftest.py": conftest}
    )
    result = _compare(
        pytester,
        checkout,
        "test_queues.py",
        "--verify-test=test_queues.py",
        "--verify-test=conftest.py",
        "-n1",
    )
    assert result.ret == 6
    file = checkout.path / "src" / "queues.py"
    result.stdout.fnmatch_lines(
        [
            f"base run 1 imported queues from {file} instead of that of its own worktree",
            "have each side run its own code: --verify-build *",
        ]
    )


def test_stress_inside_the_comparison_and_a_bug_that_is_looked_for(
    pytester: pytest.Pytester, checkout: Checkout
) -> None:
    """Pairs share the seed of their stress runs too; a failure of another kind in the base does not count."""
    body = "import queues\n\ndef test_drains(repro):\n    assert repro.iteration != 3 or not queues.LOSES\n"
    checkout.commit({"src/queues.py": "LOSES = True\n"})
    checkout.git("tag", "--force", "base")
    checkout.commit({"src/queues.py": "LOSES = False\n", "test_queues.py": body})
    options = ("--repro-stress=4", "--repro-match=AssertionError")
    result = _compare(pytester, checkout, "test_queues.py", *options)
    assert result.ret == 0
    result.stdout.fnmatch_lines(
        [
            "base run 1 of 3 failed: 4 iterations of 1 test in *, 1 failing iteration",
            "fix run 1 of 3 passed: 4 iterations of 1 test in *",
            "certified: *",
            "base *: failed in 3 of 3 runs (*), 3 of 12 iterations failed, median *",
        ]
    )
    seeds = [run["report"]["seeds"]["--repro-seed"] for run in _certificate(checkout)["runs"]]
    assert seeds[0::2] == seeds[1::2]


def test_each_side_is_built_and_runs_what_was_built_for_it(
    pytester: pytest.Pytester, checkout: Checkout
) -> None:
    """What git ignores is in no worktree: the user's command makes it, beside the worktree or in it."""
    files = {
        "pytest.ini": "",
        "src/queues.py": None,
        "queues.in": BROKEN,
        ".gitignore": "*.pyc\nqueues.py\n",
        "build.sh": 'set -e\npwd\ncp queues.in "$1/queues.py"\n',
    }
    checkout.git("rm", "--quiet", "src/queues.py")
    checkout.commit({name: text for name, text in files.items() if text is not None})
    checkout.git("tag", "--force", "base")
    checkout.commit({"queues.in": FIXED, "test_queues.py": TEST})
    result = _compare(pytester, checkout, "test_queues.py", "--verify-build", "sh build.sh {site}")
    assert result.ret == 0
    result.stdout.fnmatch_lines(["build of the base done in *: sh build.sh *", "build of the fix done in *"])
    failing = _compare(pytester, checkout, "test_queues.py", "--verify-build", "sh build.sh /nowhere/at/all")
    assert failing.ret == 6
    failing.stdout.fnmatch_lines(
        [
            "*/nowhere/at/all*",
            "build of the base failed with exit status 1 in *",
            "incomplete: *",
            "the build of the base failed",
        ]
    )


def test_a_comparison_from_a_folder_of_the_repository(pytester: pytest.Pytester, checkout: Checkout) -> None:
    """Working directory, arguments in a file and absolute paths lead into the worktree."""
    part = "part of it"
    checkout.commit({f"{part}/queues.py": BROKEN, f"{part}/pytest.ini": "[pytest]\n"})
    checkout.git("tag", "--force", "base")
    files = {
        "queues.py": FIXED,
        "test_queues.py": TEST,
        "args.txt": f"{checkout.path}/{part}/test_queues.py\n",
    }
    checkout.commit({f"{part}/{name}": text for name, text in files.items()})
    os.chdir(checkout.path / part)
    result = pytester.runpytest_subprocess(
        "--verify-runs=3", "--verify-base=base", "@args.txt", timeout=LIMIT_S
    )
    assert result.ret == 0
    result.stdout.fnmatch_lines([f"the base runs the fix's {part}/test_queues.py", "certified: *"])


@pytest.mark.parametrize("number", [signal.SIGINT, pytest.param(signal.SIGTERM, marks=pytest.mark.slow)])
def test_a_comparison_that_is_broken_off_leaves_nothing_behind(
    pytester: pytest.Pytester, checkout: Checkout, number: signal.Signals
) -> None:
    """Neither worktrees nor processes; what ran is recorded, and proves nothing."""
    sleeper = "import time\n\ndef test_sleeps():\n    time.sleep(60)\n"
    checkout.commit({"src/queues.py": FIXED, "test_sleeps.py": sleeper})
    before = checkout.state()
    started = Started(checkout.path, "--verify-runs=3", "--verify-base=base", "test_sleeps.py")
    worktrees = pytester.path / "temporary"
    started.wait_for(lambda: bool(list(worktrees.glob("*/fix/test_sleeps.py"))), what="worktree")
    started.wait_for(lambda: "base run" in started.text() or _is_running(checkout), what="run")
    os.killpg(started.pid, number) if number is signal.SIGINT else started.process.send_signal(number)
    assert started.wait() == 2
    assert started.left_behind() == []
    started.output.unlink()
    _nothing_left(pytester, checkout, before)
    assert _certificate(checkout)["verdict"] == "incomplete"


def _is_running(checkout: Checkout) -> bool:
    return bool(list(checkout.path.glob(".pytest_repro/sessions/*/verify_base_run_1.txt")))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--verify-base=nowhere",), "*--verify-base nowhere: there is no such commit (*). Give a branch*"),
        (("--verify-base=HEAD",), "*base and fix are the same, file by file (*). Give the commit before*"),
        (
            ("--verify-runs=2",),
            "*--verify-runs 2 is too few for --verify-base: *. Give --verify-runs 3 or more.",
        ),
        (
            ("--verify-build=make {x}",),
            "*--verify-build 'make {x}' cannot be used. Give a command with {python}*",
        ),
        (("--verify-test=no.py",), "*--verify-test no.py: there is no such file (*). Name the file*"),
        (
            ("--verify-test=src/queues.py",),
            "*base and fix differ in nothing but the tests that both are to run: src/queues.py*",
        ),
    ],
)
def test_what_cannot_be_compared_is_refused(
    pytester: pytest.Pytester, checkout: Checkout, arguments: tuple[str, ...], message: str
) -> None:
    """Exit status 4 and a sentence that says what to do, before any test runs."""
    checkout.commit({"src/queues.py": FIXED})
    result = _compare(pytester, checkout, *arguments)
    assert result.ret == 4
    result.stderr.fnmatch_lines([message])
    assert not (checkout.path / ".pytest_repro").exists()
    assert list((pytester.path / "temporary").iterdir()) == []


@pytest.mark.parametrize("option", ["--verify-base=main", "--verify-build=make", "--verify-test=test_a.py"])
def test_options_of_the_comparison_do_nothing_without_the_gate(
    pytester: pytest.Pytester, option: str
) -> None:
    """They are refused rather than ignored."""
    result = pytester.runpytest_subprocess(option, timeout=LIMIT_S)
    assert result.ret == 4
    result.stderr.fnmatch_lines(["*does nothing without the gate. Add --verify-runs N."])


def test_a_place_without_a_repository_is_refused(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With what to do."""
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(pytester.path.parent))
    result = pytester.runpytest_subprocess("--verify-runs=3", "--verify-base=main", timeout=LIMIT_S)
    assert result.ret == 4
    result.stderr.fnmatch_lines(["*--verify-base needs a git repository: *Start pytest in the checkout*"])


def test_a_broken_template_of_the_certificate_is_a_usage_error(pytester: pytest.Pytester) -> None:
    """Before anything is looked up or run: file, line and next step."""
    pytester.makepyfile("def test_a(): pass")
    pytester.makepyprojecttoml('[tool.pytest-repro]\ntemplates = "mine"\n')
    pytester.mkdir("mine").joinpath("certificate.md.j2").write_text("# {{ sentence\n")
    result = run_pytest(pytester, "--verify-runs=3", "--verify-base=HEAD")
    assert result.ret == 4
    result.stderr.fnmatch_lines(
        ["*certificate.md.j2 cannot be filled in: *certificate.md.j2:1). Correct the *"]
    )
