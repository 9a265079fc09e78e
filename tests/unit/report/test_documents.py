"""The execution report and the pull request description."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from pytest_repro.cli.report import main
from pytest_repro.report.attempts import Standing, Status, attempts_of, status_of, worked_ns
from pytest_repro.report.catalogue import Catalogue
from pytest_repro.report.documents.pages import short_name
from tests.repositories import Checkout
from tests.unit.report.session_records import batch, failure, write_session

HOSTILE = "``` \n# Owned | <b> {{ 7 * 7 }} `x`"


def _failing_summary() -> dict[str, object]:
    first = {**failure("t.py::a", 3, message=HOSTILE), "text": f"E  {HOSTILE}\n```\n# Heading"}
    test = {
        "test": "t.py::a",
        "planned": 10,
        "outcomes": {"passed": 9, "failed": 1},
        "stages_ns": [1, 1, 1],
        "fastest_ns": 1,
        "slowest_ns": 1,
        "first_failure": first,
    }
    bug = {
        "signature": first["signature"],
        "failures": 1,
        "tests": ["t.py::a"],
        "first": first,
        "replay": "r",
    }
    return {
        "kind": "stress",
        "exit_status": 1,
        "failures": 1,
        "iterations_executed": 10,
        "tests": [test],
        "bugs": [bug],
    }


def _gate(verdict: str = "stable", *, needed: int = 2) -> dict[str, object]:
    return {
        "kind": "verify",
        "verdict": verdict,
        "exit_status": 0 if verdict == "stable" else 1,
        "runs_asked": 5,
        "runs_passed": 5,
        "rates_before": [{"test": "t.py::a", "runs_needed": needed}],
        "said": [f"{verdict}: 5 of 5 runs passed"],
    }


def _git(commit: str, difference: str | None = None) -> dict[str, object]:
    return {"commit": commit, "branch": "fix", "is_dirty": difference is not None, "difference": difference}


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A checkout with a fix, a failing session before it and a gate after it."""
    git = Checkout(tmp_path).git
    (tmp_path / "pyproject.toml").write_text(
        '[tool.pytest-repro.workflows]\nalways = ["post-commit"]\n"src/**" = ["src-tests"]\n'
    )
    (tmp_path / "CODEOWNERS").write_text("* @team/core\n*.md docs@example.com\n")
    (tmp_path / ".gitignore").write_text(".pytest_repro\noutputs\n")
    git("add", ".")
    git("commit", "-qm", "base")
    git("checkout", "-qb", "fix")
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "a|`b`.py").write_text("x = 1\ny = 2\n")
    git("add", ".")
    git("commit", "-qm", "fix")
    lines = [batch("t.py::a", [("passed", 8)], [10**9 + number for number in range(8)])]
    write_session(
        tmp_path,
        facts={"tag": "before", "git": _git("a" * 40), "command": "pytest -k 'a|b'"},
        summary=_failing_summary(),
        records={"iterations.jsonl": lines},
    )
    fast = [batch("t.py::a", [("passed", 8)], [10**8 + number for number in range(8)])]
    write_session(
        tmp_path,
        minute=5,
        facts={"tag": "after", "git": _git("b" * 40)},
        summary={"exit_status": 0, "kind": "stress", "failures": 0},
        records={"iterations.jsonl": fast},
    )
    write_session(tmp_path, kind="verify", minute=9, facts={"git": _git("b" * 40)}, summary=_gate())
    return tmp_path


def test_the_execution_report_is_filled_from_the_records(
    project: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """All sections of its template, with what is known, and a mark where only a person can know."""
    monkeypatch.chdir(project)
    assert main(["markdown", "--desc", "Wide Gäther, 2"]) == 0
    path = Path(capsys.readouterr().out.strip())
    assert path.parent == Path("outputs")
    assert path.name.endswith("_wide-gather-2.md")
    text = path.read_text()
    for part in (
        "# Fix Implementation Report: wide-gather-2\n",
        "**Status**: ✅ Success\n**Duration**: 9 min 10 s\n",
        "- **Reproduction test**: `t.py::a`\n",
        "- **Failure type**: Correctness, fails now and then\n",
        "- **Attempt 1**: `aaaaaaaaaaaa` → Result: ❌ failed\n",
        "- **Attempt 2**: `bbbbbbbbbbbb` → Result: ✅ proved\n",
        "1. ``src/a|`b`.py``: added, 2 lines added, 0 removed\n",
        "- **Before**: 1.00 s\n- **After**: 100 ms\n- **Improvement**: -90.0 %, faster\n",
        "`5 of 5 runs passed`; consistent behaviour: yes",
        "  - `post-commit`\n  - `src-tests`, for ``src/**: src/a|`b`.py``\n",
        "- @team/core: owns 1 changed file\n",
        "### Why It Failed\n\n_To be written._\n",
    ):
        assert part in text
    assert main(["markdown", "--desc", "Wide Gäther, 2"]) == 0
    assert len(list(Path("outputs").iterdir())) == 2


def test_no_text_of_a_test_breaks_out_of_a_page(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Not out of its code span, its fence or its cell; a template in it is text."""
    assert main(["--root", str(project), "pr"]) == 0
    page = capsys.readouterr().out
    assert main(["--root", str(project), "markdown", "--output-dir", str(project / "o")]) == 0
    page += Path(capsys.readouterr().out.strip()).read_text()
    fence = ""
    for line in page.splitlines():
        if line.startswith("```"):
            fence = "" if line == fence else fence or line.removesuffix("text")
        assert fence or not line.startswith(("# Owned", "# Heading"))
    assert "{{ 7 * 7 }}" in page
    assert "<b> 49" not in page


def test_a_pull_request_compares_two_sessions_and_names_whom_to_ask(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Changes by git, the block and the table of the difference, what was proved, workflows, reviewers."""
    assert main(["--root", str(project), "pr", "before", "after", "--base", "main"]) == 0
    page = capsys.readouterr().out
    assert "- **``src/a|`b`.py``**: added, 2 lines added, 0 removed: _to be written_\n" in page
    assert "| Metric | Before | After | Change | Meets target |\n|---|" in page
    assert "- not proved yet: `pytest --verify-runs auto`\n" in page
    assert "- [ ] `post-commit` (required)\n- [ ] `src-tests`, for ``src/**: src/a|`b`.py``\n" in page
    assert "- @team/core (1 changed file)\n" in page
    assert main(["--root", str(project), "pr", "--base", "nowhere"]) == 4


def test_a_pull_request_holds_the_certificate(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What was compared, how often each side failed, with what, and the medians where no pair was named."""
    write_session(project, kind="certificate", minute=20, summary=_certificate())
    assert main(["--root", str(project), "pr", "latest"]) == 0
    page = capsys.readouterr().out
    for part in (
        "`: `certified: it holds`\n\n## Root Cause",
        "| `a whole run` | 3.0 s | 2.0 s | -33.3 % |\n| ``t.py::a\\|`: op`` | 200 ms | 300 ms | +50.0 % |\n",
        "`: `the base failed in 3 of 3 runs, the fix failed in 0 of 3 runs`\n",
        "- base: `main: commit aaaaaaaaaaaa`\n",
        "- failures of the base: `3 of 3 runs (100 %, interval 29 % to 100 %), 7 of 90 iterations`\n",
        "- fix: `HEAD: commit bbbbbbbbbbbb, with local changes, tree tttttttttttt`\n",
        "- reproduced in runs 1, 3: ```` ``` # Owned | <b> {{ 7 * 7 }} `x` ````\n",
        "- chance, if both failed alike: `5.0 % (Fisher's exact test, one-sided; 95 % confidence",
        "certificate.md`\n",
    ):
        assert part in page, page


def _certificate() -> dict[str, object]:
    base = {"name": "main", "commit": "a" * 40, "runs": 3, "failed": 3, "failure_rate": 1.0}
    base |= {"interval": [0.29, 1.0], "median_duration_ns": 3_000_000_000}
    fix = {"name": "HEAD", "commit": "b" * 40, "runs": 3, "failed": 0, "failure_rate": 0.0}
    fix |= {"interval": [0.0, 0.71], "median_duration_ns": 2_000_000_000, "is_dirty": True, "tree": "t" * 40}
    tests = {"t.py::a": {"failures": 7, "iterations": 90}}
    bug = {"message": HOSTILE, "runs": [1, 3], "counts": True}
    return {
        "kind": "certificate",
        "verdict": "certified",
        "statement": "certified: it holds",
        "exit_status": 0,
        "base": base,
        "fix": fix,
        "chance": 0.05,
        "confidence": 0.95,
        "bugs_of_base": [bug],
        "runs": [{"side": "base", "run": 1, "report": {"tests": tests}}, {"side": "fix", "run": 1}],
        "test_durations_ns": [{"test": "t.py::a|`", "phase": "op", "base": 200_000_000, "fix": 300_000_000}],
    }


def test_a_checkout_without_a_branch_is_told_by_its_commit(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """As CI checks it out."""
    Checkout(project).git("checkout", "-q", "--detach")
    assert main(["--root", str(project), "markdown", "--output-dir", str(project / "outputs")]) == 0
    page = Path(capsys.readouterr().out.strip()).read_text()
    assert re.search(
        r"\*\*Branch\*\*: none, the checkout is at commit `[0-9a-f]{12}`\n\*\*Base\*\*: `main`\n", page
    )


def test_a_template_of_the_user_comes_first(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """By an option or by the project's file; one that writes without a filter is refused."""
    mine = project / "mine"
    mine.mkdir()
    (mine / "pull_request.md.j2").write_text("mine: {{ status }}, {{ newest.id | code }}\n")
    assert main(["--root", str(project), "pr", "--templates", str(mine)]) == 0
    assert capsys.readouterr().out.startswith("mine: ✅ Success, `20261101-120900-verify-")
    with (project / "pyproject.toml").open("a") as file:
        file.write('[tool.pytest-repro]\ntemplates = "mine"\n')
    (mine / "pull_request.md.j2").write_text("{{ newest.id }}\n")
    assert main(["--root", str(project), "pr"]) == 4
    assert "was to be written without a filter" in capsys.readouterr().err


def test_a_store_without_sessions_is_an_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """And so is a folder that cannot be written; a project without git is told as far as it is known."""
    assert main(["--root", str(tmp_path), "pr"]) == 4
    assert "There are no sessions on record" in capsys.readouterr().err
    write_session(tmp_path, summary={"exit_status": 0})
    assert main(["--root", str(tmp_path), "pr"]) == 0
    assert "Not known: `git cannot tell what has changed" in capsys.readouterr().out
    (tmp_path / "file").write_text("")
    assert main(["--root", str(tmp_path), "markdown", "--output-dir", str(tmp_path / "file")]) == 4
    assert "The report cannot be written" in capsys.readouterr().err


def test_a_failure_of_a_session_that_was_broken_off_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What was killed has no summary, and its records are there all the same."""
    lines = [batch("t.py::a", [("passed", 3), ("failed", 1)], [1, 2, 3, 4])]
    records = {"iterations.jsonl": lines, "failures.jsonl": [failure("t.py::a", 4)]}
    write_session(tmp_path, records=records)
    assert main(["--root", str(tmp_path), "pr"]) == 0
    page = capsys.readouterr().out
    assert "`: `1 of 4 iterations failed (25 %, 95 % interval 0.63 % to 81 %) of t.py::a`\n" in page
    assert "- seen as `AssertionError: assert <n> (test_a.py in test_a)`: 1 failure in session" in page
    assert main(["--root", str(tmp_path), "markdown", "--output-dir", str(tmp_path / "o")]) == 0
    report = Path(capsys.readouterr().out.strip()).read_text()
    assert "**Duration**: not known\n" in report
    assert "- **Failure type**: Correctness, fails now and then\n" in report


def test_attempts_are_told_apart_by_commit_and_local_changes(tmp_path: Path) -> None:
    """The newest session of each says how it turned out."""
    for minute, (commit, difference, status) in enumerate(
        (("a", None, 1), ("a", "d1", 1), ("a", "d2", 0), ("a", "d1", 0), ("b", None, 2))
    ):
        git = _git(commit, difference)
        write_session(tmp_path, minute=minute, facts={"git": git}, summary={"exit_status": status})
    attempts = attempts_of(Catalogue(tmp_path).entries())
    assert [(one.commit, one.difference, len(one.entries), one.standing) for one in attempts] == [
        ("a", None, 1, Standing.FAILED),
        ("a", "d1", 2, Standing.PASSED),
        ("a", "d2", 1, Standing.PASSED),
        ("b", None, 1, Standing.UNKNOWN),
    ]


@pytest.mark.parametrize(
    ("summary", "status"),
    [
        (_gate(), Status.SUCCESS),
        (_gate(needed=9), Status.PARTIAL),
        (_gate("unstable"), Status.FAILED),
        (_gate("incomplete"), Status.PARTIAL),
    ],
)
def test_success_needs_a_proof(tmp_path: Path, summary: dict[str, object], status: Status) -> None:
    """A stable gate with fewer runs than the rate on record asks for is partial."""
    write_session(tmp_path, kind="verify", summary=summary)
    assert status_of(Catalogue(tmp_path).entries()) is status


def test_long_pauses_are_no_work(tmp_path: Path) -> None:
    """Half an hour without a session is not counted, less is."""
    for minute in (0, 10, 55):
        write_session(tmp_path, minute=minute, summary={})
    # Three sessions of ten seconds, and the pause between the first two.
    assert worked_ns(Catalogue(tmp_path).entries()) == (10 * 60 + 10 + 10) * 10**9


def test_a_name_of_a_file_is_plain() -> None:
    """Whatever it is made from."""
    assert short_name("../Ünïcode\n[a] b") == "unicode-a-b"
    assert short_name("測試") == ""
    assert len(short_name("a" * 500)) == 60
