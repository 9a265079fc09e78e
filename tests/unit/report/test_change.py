"""What a branch changes, whom that concerns and which workflows it asks for."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from pytest_repro.errors import ReportError
from pytest_repro.report.change.codeowners import owners_of, parse_rules, read_rules, reviewers_of
from pytest_repro.report.change.difference import difference_to
from pytest_repro.report.change.globs import matches
from pytest_repro.report.change.workflows import Workflow, workflows_for
from pytest_repro.scaffold.settings import Settings
from tests.repositories import Checkout


@pytest.mark.parametrize(
    ("pattern", "path", "is_named"),
    [
        ("*", "a/b.py", True),
        ("*.js", "a/b.js", True),
        ("*.js", "a/b.jsx", False),
        ("/build/logs/", "build/logs/a/b", True),
        ("/build/logs/", "x/build/logs/a", False),
        ("docs/*", "docs/a.md", True),
        ("docs/*", "docs/a/b.md", False),
        ("docs/*", "x/docs/a.md", False),
        ("apps/", "x/apps/y/z", True),
        ("apps/", "x/apps", False),
        ("/docs/", "docs/a/b", True),
        ("**/logs", "a/b/logs/c", True),
        ("**/logs", "logs", True),
        ("/apps/github", "apps/github/x", True),
        ("/apps/github", "apps/githubx", False),
        ("a/**/b", "a/b", True),
        ("a/**/b", "a/x/y/b", True),
        ("a/**", "a/x/y", True),
        ("a/**", "ab/x", False),
        ("file.py", "deep/file.py", True),
        ("f?le.py", "file.py", True),
        ("a.b", "axb", False),
        ("/", "a", False),
        ("odd\nname", "odd\nname", True),
    ],
)
def test_a_pattern_names_files_as_on_github(pattern: str, path: str, is_named: bool) -> None:  # noqa: FBT001
    """The examples of GitHub's documentation of CODEOWNERS, and some that are not there."""
    assert matches(pattern, path) is is_named


def test_the_last_rule_that_names_a_file_says_who_owns_it() -> None:
    """Also that nobody does; a line that GitHub cannot read counts for nothing."""
    rules = parse_rules(
        "# who\n*  @all @org/team-a\n*.py py@example.com # why\n/src/free.py\n"
        "!x.py @no\n[ab].py @no\nsrc/bad.py @good not-an-owner\nwith\\ space/ @spaced\n".removeprefix(
            "\ufeff"
        )
    )
    assert owners_of(rules, "README") == ("@all", "@org/team-a")
    assert owners_of(rules, "a/b.py") == ("py@example.com",)
    assert owners_of(rules, "src/free.py") == ()
    assert owners_of(rules, "src/bad.py") == ("py@example.com",)
    assert owners_of(rules, "with space/x") == ("@spaced",)
    assert list(reviewers_of(rules, ["a.py", "b", "c", "src/free.py"]).items()) == [
        ("@all", ["b", "c"]),
        ("@org/team-a", ["b", "c"]),
        ("py@example.com", ["a.py"]),
    ]


def test_each_section_of_gitlab_names_owners_of_its_own() -> None:
    """The last rule of each counts, and a line without owners has those of its heading."""
    rules = parse_rules(
        "* @all\n^[Docs][2] @docs # why\n*.md\nREADME.md @writer\n"
        "[Code]\n*.py @py\nfree.py\n[DOCS]\nlast.md @end\n"
    )
    assert owners_of(rules, "a.md") == ("@all", "@docs")
    assert owners_of(rules, "README.md") == ("@all", "@writer")
    assert owners_of(rules, "last.md") == ("@all", "@end")
    assert owners_of(rules, "a.py") == ("@all", "@py")
    assert owners_of(rules, "free.py") == ("@all",)


def test_the_first_place_of_codeowners_counts(tmp_path: Path) -> None:
    """`.github` before the root before `docs`, as GitHub looks, and then GitLab's own."""
    assert read_rules(tmp_path) == []
    for folder, owner in ((".gitlab", "@lab"), ("docs", "@docs"), (".", "@root"), (".github", "@github")):
        (tmp_path / folder).mkdir(exist_ok=True)
        (tmp_path / folder / "CODEOWNERS").write_text(f"* {owner}\r\n")
        assert owners_of(read_rules(tmp_path), "x") == (owner,)


def test_workflows_come_from_the_rules_of_the_project() -> None:
    """Those for every change first, each once, with what asked for it."""
    table = {"always": "post-commit", "ttnn/**": ["ttnn", "post-commit"], "*.md": ["docs"]}
    settings = Settings(file=Path("pyproject.toml"), values={"workflows": table})
    assert workflows_for(settings, ["ttnn/a/b.py", "c.py"]) == [
        Workflow(name="post-commit"),
        Workflow(name="ttnn", reason="ttnn/**: ttnn/a/b.py"),
    ]
    assert workflows_for(None, ["a"]) == []
    for wrong in (3, {"a": 1}, {"always": [""]}):
        broken = Settings(file=Path("pyproject.toml"), values={"workflows": wrong})
        with pytest.raises(ReportError, match=r"\[tool.pytest-repro.workflows\] cannot be used"):
            workflows_for(broken, ["a"])


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A branch `fix` from `main`, with a change in a commit and one that is not."""
    git = Checkout(tmp_path).git
    (tmp_path / "a.py").write_text("one\ntwo\nthree\n")
    (tmp_path / "gone.py").write_text("x\n")
    git("add", ".")
    git("commit", "-qm", "base")
    git("checkout", "-qb", "fix")
    (tmp_path / "a.py").write_text("one\nTWO\nextra\nthree\n")
    (tmp_path / 'odd "ü\n.py').write_text("diff --git a/x b/x\r\n")
    (tmp_path / "gone.py").unlink()
    (tmp_path / "empty").write_text("")
    (tmp_path / "bin").write_bytes(b"\0\1")
    git("add", "-A")
    git("commit", "-qm", "fix")
    (tmp_path / "a.py").write_text("one\nTWO\nextra\nthree\nfour\n")
    (tmp_path / "new.txt").write_text("")
    return tmp_path


def test_a_branch_is_held_against_where_it_began(checkout: Path) -> None:
    """With its local changes, odd names and line numbers; what git does not know is told apart."""
    git = Checkout(checkout).git
    git("stash", "-q")
    git("checkout", "-q", "main")
    (checkout / "later.py").write_text("")
    git("add", "later.py")
    git("commit", "-qm", "later")
    git("checkout", "-q", "fix")
    git("stash", "pop", "-q")
    told = difference_to(checkout, None, environment=os.environ)
    files = {file.path: file for file in told.files}
    assert {path: file.status for path, file in files.items()} == {
        "a.py": "M",
        "bin": "A",
        "empty": "A",
        "gone.py": "D",
        'odd "ü\n.py': "A",
    }
    assert [(line.number, line.text) for line in files["a.py"].added] == [
        (2, "TWO"),
        (3, "extra"),
        (5, "four"),
    ]
    assert [line.text for line in files["a.py"].removed] == ["two"]
    assert [line.text for line in files['odd "ü\n.py'].added] == ["diff --git a/x b/x"]
    assert (told.base, told.branch, told.is_dirty, told.untracked) == ("main", "fix", True, ("new.txt",))
    assert told.new_text("a.py") == "one\nTWO\nextra\nthree\nfour\n"
    assert told.old_text("a.py") == "one\ntwo\nthree"
    assert told.exists("empty")
    of_commit = difference_to(checkout, "main", environment=os.environ, head="fix")
    assert of_commit.new_text("a.py") == "one\nTWO\nextra\nthree"
    assert not of_commit.exists("new.txt")


def test_a_base_that_is_not_there_is_an_error(
    checkout: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """With what to do; outside of a checkout too."""
    with pytest.raises(ReportError, match="--base nowhere: there is no such commit"):
        difference_to(checkout, "nowhere", environment=os.environ)
    with pytest.raises(ReportError, match="--base --output=x: there is no such commit"):
        difference_to(checkout, "--output=x", environment=os.environ)
    Checkout(checkout).git("branch", "-qm", "main", "other")
    with pytest.raises(ReportError, match="git knows none of origin/HEAD"):
        difference_to(checkout, None, environment=os.environ)
    with pytest.raises(ReportError, match="git cannot tell what has changed"):
        difference_to(tmp_path_factory.mktemp("bare"), None, environment=os.environ)
