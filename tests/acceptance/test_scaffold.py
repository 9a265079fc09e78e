from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from pytest_repro.cli.scaffold import main

TEST = """\
import os
import pytest


@pytest.mark.parametrize("mode", ["fast", "slow - not [so] fast"])
def test_mode(mode):
    assert os.environ["MODE"] == "fast", f"no {mode} mode"


def test_fixed():
    assert os.environ["MODE"] == "right"


def test_skipped():
    pytest.skip("not here")
"""
HEADER = """\
2026-01-02T03:04:05.0000000Z Complete job name: unit
2026-01-02T03:04:05.0000000Z ##[group]Run pytest -v
2026-01-02T03:04:05.0000000Z \x1b[36;1mpytest -v\x1b[0m
2026-01-02T03:04:05.0000000Z shell: /usr/bin/bash -e {0}
2026-01-02T03:04:05.0000000Z env:
2026-01-02T03:04:05.0000000Z   MODE: slow
2026-01-02T03:04:05.0000000Z   API_TOKEN: ***
2026-01-02T03:04:05.0000000Z   SESSION_SECRET: not-to-be-seen-1
2026-01-02T03:04:05.0000000Z ##[endgroup]
"""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A checkout with a test that needs a variable, and the log of its failing CI run."""
    root = tmp_path / "project"
    (root / ".git").mkdir(parents=True)
    (root / "tests").mkdir()
    (root / "tests" / "test_mode.py").write_text(TEST)
    monkeypatch.chdir(root)
    monkeypatch.setenv("REPRO_PYTHON", sys.executable)
    return root


def ci_log(root: Path, *tests: str) -> Path:
    run = subprocess.run(
        [sys.executable, "-m", "pytest", "-v", "-p", "no:cacheprovider", *tests],
        cwd=root,
        env={**os.environ, "MODE": "slow"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 1, run.stdout
    prefixed = "".join(f"2026-01-02T03:04:06.0000000Z {line}\n" for line in run.stdout.splitlines())
    (root / "ci.log").write_text(HEADER + prefixed + "2026-01-02T03:04:07Z leaked not-to-be-seen-1\n")
    return root / "ci.log"


def run_test(folder: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(folder / "run_test.sh"), *arguments],
        env={**os.environ, "REPRO_PYTHON": sys.executable, **environment},
        cwd=folder.parents[1],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def test_a_log_becomes_a_reproduction_that_fails_and_passes_as_the_test_does(
    project: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """From the console entry to pytest's exit code, with the output kept."""
    assert main(["mode-fails", "--log", str(ci_log(project, "tests/test_mode.py::test_mode"))]) == 0
    folder = project / "mode-fails"
    said = capsys.readouterr().out
    assert "failing test: tests/test_mode.py::test_mode[fast]" in said
    assert "test: standalone\nproof: fails with the same signature" in said
    readme = (folder / "README.md").read_text()
    assert "- [ ] It fails here as in CI, so neither machine nor order is to blame" in readme
    assert "changed last (`git log -p` on both): `AssertionError: no fast mode`" in readme
    assert (
        "- Where: it shows in `tests/test_mode.py` in `test_mode`; the fix belongs where it arises" in readme
    )

    failing = run_test(folder)
    assert failing.returncode == 1, failing.stdout
    assert "::test_mode[fast] FAILED" in failing.stdout
    assert "AssertionError: no fast mode" in failing.stdout
    assert "no fast mode" in (folder / "logs" / "run_1.log").read_text()

    passing = run_test(folder, "-q", MODE="fast")
    assert passing.returncode == 0, passing.stdout
    assert "1 passed" in (folder / "logs" / "run_2.log").read_text()

    assert main(["--check", str(folder)]) == 0
    assert "the same failure as in CI" in capsys.readouterr().out
    monkeypatch.setenv("MODE", "fast")
    assert main(["--check", str(folder)]) == 1
    assert "not the failure of CI: the test passes here" in capsys.readouterr().out


def test_no_secret_of_the_log_is_in_the_folder(project: Path) -> None:
    """The copy of the log, the README and the script name it only."""
    main(["secrets", "--log", str(ci_log(project, "tests/test_mode.py::test_fixed")), "--no-run"])
    for path in (project / "secrets").rglob("*"):
        assert path.is_dir() or "not-to-be-seen-1" not in path.read_text()
    readme = (project / "secrets" / "README.md").read_text()
    assert "- `SESSION_SECRET` (line 8)" in readme
    assert "- `API_TOKEN` (line 7)" in readme


def test_the_copy_of_the_log_keeps_its_line_numbers(project: Path) -> None:
    """What the README says of a line is found on that line."""
    log = ci_log(project, "tests/test_mode.py::test_fixed")
    main(["lines", "--log", str(log), "--no-run"])
    copy = (project / "lines" / "logs" / "ci.log").read_text()
    assert copy.count("\n") == log.read_text().count("\n")
    assert copy.split("\n")[2] == "2026-01-02T03:04:05.0000000Z pytest -v"


def test_a_missing_source_is_a_failure_that_says_so(project: Path, tmp_path: Path) -> None:
    """Nothing passes that was not run."""
    log = ci_log(project, "tests/test_mode.py::test_fixed")
    (tmp_path / "empty").mkdir()
    main(["no-source", "--log", str(log), "--source", str(tmp_path / "empty"), "--no-run"])
    run = run_test(project / "no-source", REPRO_SOURCE=str(tmp_path / "empty"))
    assert run.returncode == 1
    assert "The source of tests/test_mode.py::test_fixed is not in" in run.stdout


def test_a_skipped_original_does_not_pass(project: Path) -> None:
    """A test that did not run to its end proves nothing."""
    log = ci_log(project, "tests/test_mode.py::test_fixed")
    log.write_text(log.read_text().replace("test_fixed", "test_skipped"))
    main(["skips", "--log", str(log), "--no-run"])
    run = run_test(project / "skips")
    assert run.returncode == 1
    assert "was not run to its end, so it proves nothing" in run.stdout


def test_the_log_can_come_from_standard_input(project: Path) -> None:
    """`--log -` reads what is piped in."""
    log = ci_log(project, "tests/test_mode.py::test_fixed")
    with log.open("rb") as source:
        run = subprocess.run(
            [sys.executable, "-m", "pytest_repro.cli.scaffold", "piped", "--log", "-", "--no-run"],
            stdin=source,
            cwd=project,
            env={**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[2])},
            check=False,
        )
    assert run.returncode == 0
    assert "test_fixed" in (project / "piped" / "README.md").read_text()


def test_without_a_log_there_is_a_folder_to_fill_in(project: Path) -> None:
    """The script runs, and the test fails until it is written."""
    assert main(["bare", "--no-run"]) == 0
    run = run_test(project / "bare")
    assert run.returncode == 1
    assert "No failure is described yet" in run.stdout


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["../x"], "cannot name a reproduction"),
        (["x", "--log", "none.log"], "The log cannot be read: No such file or directory (none.log)"),
        (
            ["x", "--source", "nowhere"],
            "The source cannot be read: there is no such folder (--source nowhere)",
        ),
        (["x", "--unknown"], "No such option '--unknown'"),
        ([], "Missing argument 'failure-name'"),
    ],
)
def test_what_cannot_be_used_ends_with_4_and_a_next_step(
    project: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], words: str
) -> None:
    """No traceback, and nothing is made."""
    assert main(arguments) == 4
    shown = capsys.readouterr()
    assert words in shown.err
    assert "Traceback" not in shown.err
    assert not (project / "x").exists()


def test_an_existing_folder_needs_force(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The second time says what to do, and `--force` does it."""
    assert main(["twice", "--no-run"]) == 0
    assert main(["twice", "--no-run"]) == 4
    assert "renew its generated files with --force" in capsys.readouterr().err
    assert main(["twice", "--force", "--no-run"]) == 0


@pytest.mark.slow
def test_a_case_that_cannot_stand_alone_is_run_from_its_own_file(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What a test finds beside its own file is not beside a copy: then the original is collected."""
    (project / "tests" / "test_mode.py").write_text(
        "from pathlib import Path\n\n\ndef test_data():\n"
        "    assert not Path(test_data.__code__.co_filename).with_name('data.txt').exists(), 'data'\n"
    )
    (project / "tests" / "data.txt").touch()
    assert main(["data", "--log", str(ci_log(project, "tests/test_mode.py"))]) == 0
    said = capsys.readouterr().out
    assert "test: the original test, read from its own file\n  not standalone: it passes here\n" in said
    assert "proof: fails with the same signature" in said
