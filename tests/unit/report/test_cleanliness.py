"""What should not be in a pull request."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pytest_repro.cli.report import main
from pytest_repro.report.change.debug_code import suspects
from tests.repositories import Checkout


def _told(path: str, text: str, before: str | None = None) -> list[tuple[int, str]]:
    added = range(1, text.count("\n") + 2)
    return [(one.line, one.what) for one in suspects(path, text, added=added, before=before)]


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("print(x)\n", "print()"),
        ("import pdb\n", "import pdb"),
        ("from ipdb import set_trace\n", "import ipdb"),
        ("breakpoint()\n", "breakpoint()"),
        ("pdb.set_trace()\n", "pdb.set_trace()"),
        ("ic(x)\n", "ic()"),
        ("# foo(bar)\n", "commented-out code"),
        ("# import os\n", "commented-out code"),
        ("# x = read(y)\n", "commented-out code"),
        ("# if x:\n#     y = 1\n", "commented-out code"),
        ("# a = 1\n# b = f(a)\n", "commented-out code"),
    ],
)
def test_what_was_left_in_python_is_found(text: str, what: str) -> None:
    """Prints, debuggers, code in comments."""
    assert _told("src/a.py", text) == [(1, what)]


@pytest.mark.parametrize(
    "text",
    [
        "print(x, file=out)\n",
        "x = 'print(1)  # foo(bar)'\n",
        "# noqa: F401\n# type: ignore\n# pylint: disable=no-member\n# fmt: off\n",
        "# rate = k / n\n",
        "# Called as:\n# foo(bar)\n",
        "# one\n# two\n",
        "# see the design\n# return\n",
        "x = 1  # foo(bar)\n",
        "def broken(:\n    print(1)\n",
        "if __name__ == '__main__':\n    print(1)\n",
    ],
)
def test_what_may_stand_in_python_is_let_pass(text: str) -> None:
    """Prose, formulas, marks of tools, examples, programs."""
    assert _told("src/a.py", text) == []


def test_a_file_that_printed_before_may_print() -> None:
    """So may tests and scripts; a debugger may not stay there either."""
    assert _told("src/a.py", "print(1)\nprint(2)\n", before="print(1)\n") == []
    assert _told("tools/a.py", "print(1)\n") == []
    assert _told("tests/test_a.py", "print(1)\nbreakpoint()\n") == [(2, "breakpoint()")]


@pytest.mark.parametrize(
    ("line", "what"),
    [
        ('    std::cout << "HERE " << x;', "debug output"),
        ('printf("debug %d", x);', "debug output"),
        ("std::cerr << __LINE__ << x;", "debug output"),
        ("// foo(bar);", "commented-out code"),
        ("  // auto x = y;", "commented-out code"),
        ("#if 0", "code left out with #if 0"),
        ('std::cout << "usage: x";', None),
        ("// This waits for the device; then it goes on.", None),
        ("// See foo(bar).", None),
        ("#if 01", None),
    ],
)
def test_what_was_left_in_c_is_found(line: str, what: str | None) -> None:
    """By its shape alone, so only where it is sure."""
    assert _told("a.cpp", line) == ([] if what is None else [(1, what)])


def test_debug_output_of_scripts_is_found() -> None:
    """Not that of their tests."""
    assert _told("a.ts", "console.log(x)\ndebugger;\n") == [(1, "debug output"), (2, "debug output")]
    assert _told("a.test.ts", "console.log(x)\n") == []


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A branch that left much behind."""
    git = Checkout(tmp_path).git
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "a.py").write_text("TIMEOUT_S = 5\nx = 1\n")
    (tmp_path / "info.json").write_text("{}")
    git("add", ".")
    git("commit", "-qm", "base")
    git("checkout", "-qb", "fix")
    return tmp_path


def _check(project: Path, capsys: pytest.CaptureFixture[str]) -> tuple[int, list[str]]:
    Checkout(project).git("add", ".")
    status = main(["--root", str(project), "pr-check"])
    return status, capsys.readouterr().out.splitlines()


def test_a_clean_change_passes(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A file of the project's own with such a name may change; waiting longer is a warning alone."""
    (project / "info.json").write_text('{"a": 1}')
    (project / "src" / "a.py").write_text("TIMEOUT_S = 50\nx = 1\n")
    status, lines = _check(project, capsys)
    assert status == 0
    assert lines == [
        "src/a.py:1: warning: waits longer: 5 became 50",
        "0 to remove, 1 to look at, in 2 changed files against main",
    ]


def test_what_was_left_is_told_by_file_and_line(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Reproductions, their files elsewhere, debug code: exit status 1; exceptions by configuration."""
    for name in ("gather/run_test.sh", "gather/signature.json", "gather/tests/t.py", ".github/scripts/x.py"):
        (project / name).parent.mkdir(parents=True, exist_ok=True)
        (project / name).write_text("x")
    (project / "src" / "verify_run_3.txt").write_text("")
    (project / "src" / "profiling_results.log").write_text("")
    (project / "src" / "a.py").write_text("TIMEOUT_S = 5\nx = 1\nprint(x)\n# f(x)\n")
    status, lines = _check(project, capsys)
    assert status == 1
    assert lines == [
        ".github/scripts/x.py: a file of .github/scripts/",
        "gather/run_test.sh: part of the reproduction gather",
        "gather/signature.json: part of the reproduction gather",
        "gather/tests/t.py: part of the reproduction gather",
        "src/a.py:3: print()",
        "src/a.py:4: commented-out code",
        "src/profiling_results.log: a file of a reproduction",
        "src/verify_run_3.txt: a file of a reproduction",
        "8 to remove, 0 to look at, in 7 changed files against main",
    ]
    assert main(["--root", str(project), "pr-check", "--json"]) == 1
    assert json.loads(capsys.readouterr().out)["findings"][4] == {
        "path": "src/a.py",
        "line": 3,
        "what": "print()",
        "is_warning": False,
    }
    allow = '[tool.pytest-repro]\npr-check-allow = ["gather/", "src/*", ".github/scripts/**"]\n'
    (project / "pyproject.toml").write_text(allow)
    assert _check(project, capsys)[0] == 0
    (project / "pyproject.toml").write_text("[tool.pytest-repro]\npr-check-allow = 3\n")
    assert main(["--root", str(project), "pr-check"]) == 4
