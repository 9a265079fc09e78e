from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pytest_repro.cli.scaffold import main

LOG = """\
2026-01-02T03:04:05.0000000Z Complete job name: unit (3.11)
2026-01-02T03:04:05.0000000Z ##[group]Run pytest -v --timeout=60
2026-01-02T03:04:05.0000000Z pytest -v --timeout=60
2026-01-02T03:04:05.0000000Z shell: /usr/bin/bash -e {0}
2026-01-02T03:04:05.0000000Z env:
2026-01-02T03:04:05.0000000Z   MODE: slow
2026-01-02T03:04:05.0000000Z   HERE: /home/runner/work/p/p/src
2026-01-02T03:04:05.0000000Z ##[endgroup]
2026-01-02T03:04:06.0000000Z ============================= test session starts ==============================
2026-01-02T03:04:06.0000000Z platform linux -- Python 3.12.1, pytest-8.3.3, pluggy-1.5.0
2026-01-02T03:04:06.0000000Z collected 1 item
2026-01-02T03:04:06.0000000Z =================================== FAILURES ===================================
2026-01-02T03:04:06.0000000Z __________________________________ test_mode ___________________________________
2026-01-02T03:04:06.0000000Z
2026-01-02T03:04:06.0000000Z     def test_mode():
2026-01-02T03:04:06.0000000Z >       assert 0
2026-01-02T03:04:06.0000000Z E       assert 0
2026-01-02T03:04:06.0000000Z
2026-01-02T03:04:06.0000000Z tests/test_mode.py:2: AssertionError
2026-01-02T03:04:06.0000000Z =========================== short test summary info ============================
2026-01-02T03:04:06.0000000Z FAILED tests/test_mode.py::test_mode - assert 0
2026-01-02T03:04:06.0000000Z ============================== 1 failed in 0.01s ===============================
"""
WORKFLOW = """\
env:
  MODE: fast
  HERE: ${{ github.workspace }}/src
  ONLY: here
  REF: ${{ github.ref }}
  KEY_OF_IT: ${{ secrets.API_KEY }}
jobs:
  unit:
    runs-on: ubuntu-22.04
    container: {image: "python:3.11", volumes: ["/mnt:/mnt"]}
    strategy: {matrix: {python: ["3.11", "3.13"]}}
    steps:
      - uses: actions/setup-python@v5
        with: {python-version: "${{ matrix.python }}"}
      - run: pytest -v --timeout=90
"""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / ".github" / "workflows").mkdir(parents=True)
    (tmp_path / ".github" / "workflows" / "ci.yml").write_text(WORKFLOW)
    (tmp_path / "ci.log").write_text(LOG)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_log_wins_and_what_differs_is_said(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Side by side in README.md, in one line each on the terminal."""
    assert main(["both", "--log", "ci.log", "--workflow", ".github/workflows/ci.yml"]) == 0
    out = capsys.readouterr().out
    assert "workflow job: unit (3.11)" in out
    file = ".github/workflows/ci.yml"
    assert f"variable differs: MODE=slow in the log, which is used, MODE=fast in {file}:2" in out
    assert f"Python differs: 3.12.1 in the log, which is used, 3.11 in {file}:14" in out
    assert (
        f"command differs: pytest -v --timeout=60 in the log, which is used, pytest -v --timeout=90 in {file}"
        in out
    )
    assert "HERE differs" not in out  # one folder, named in two ways
    script = (project / "both" / "run_test.sh").read_text()
    assert "MODE='slow'" in script
    assert "ONLY='here'" in script
    readme = (project / "both" / "README.md").read_text()
    assert "- `variable`: `MODE=slow` in the log (line 6), `MODE=fast` in the workflow (line 2 of" in readme
    assert f"- `ONLY=here` (line 4 of `{file}`)" in readme
    assert f"- `KEY_OF_IT` (line 6 of `{file}`)" in readme
    assert (
        f"- `REF=${{{{ github.ref }}}}` (line 5 of `{file}`): has a part that the workflow does not say"
        in readme
    )
    assert "Container. Used instead: this machine, with the environment that the script finds: " in readme
    assert "`container volumes: /mnt:/mnt`" in readme


def test_without_a_log_the_workflow_makes_the_environment(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """`--job` names the combination."""
    arguments = ["alone", "--workflow", ".github/workflows/ci.yml", "--job", "unit (3.13)"]
    assert main(arguments) == 0
    assert "workflow job: unit (3.13)" in capsys.readouterr().out
    readme = (project / "alone" / "README.md").read_text()
    assert "- **Command**: `pytest -v --timeout=90` (line 15 of `.github/workflows/ci.yml`)" in readme
    assert "- **Python**: `3.13`" in readme
    script = (project / "alone" / "run_test.sh").read_text()
    assert "MODE='fast'" in script
    assert "HERE=\"$REPRO_SOURCE\"'/src'" in script


SUITE = """\
env:
  POSTGRES_PASSWORD: postgres
  PYTEST_ADDOPTS: -ra -p evil
jobs:
  unit:
    defaults: {run: {working-directory: pkg}}
    steps:
      - run: uv run pytest -v tests -k "not slow" --junitxml=a.xml ${{ vars.EXTRA }}
        timeout-minutes: 5
"""


@pytest.fixture
def suite(project: Path) -> Path:
    Path(".github/workflows/ci.yml").write_text(SUITE)
    (project / "pkg" / "tests").mkdir(parents=True)
    tests = "def test_a(): assert 0, 'boom'\ndef test_b(): pass\ndef test_slow(): pass\n"
    (project / "pkg" / "tests" / "test_a.py").write_text(tests)
    return project


def test_without_a_log_the_test_runs_what_the_workflow_runs(
    suite: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """In its folder and for its time; what the file does not say is to be set."""
    assert main(["alone", "--workflow", ".github/workflows/ci.yml"]) == 0
    out = capsys.readouterr().out
    assert "no log was given: the test runs what the workflow runs in pkg\n" in out
    assert "command: pytest -ra -v tests -k 'not slow'\n" in out
    assert "to be set in REPRO_ARGUMENTS: ${{ vars.EXTRA }}\n" in out
    assert "left out: --junitxml=a.xml (writes, deletes or sends files)\n" in out
    assert " --timeout=300" in (suite / "alone" / "run_test.sh").read_text()
    readme = (suite / "alone" / "README.md").read_text()
    assert "No log was given, so which test failed is not known" in readme
    assert "`PYTEST_ADDOPTS=-p evil` (line 3 of" in readme
    assert "its value stands there in plain text, and is not copied as it looks secret" in readme
    assert "FOLDER = 'pkg'" in (suite / "alone" / "tests" / "test_alone_repro.py").read_text()


@pytest.mark.slow
def test_nothing_runs_before_the_command_is_whole(suite: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Then the tests of the workflow run, and their end is that of the reproduction."""
    assert main(["alone", "--workflow", str(suite / ".github/workflows/ci.yml")]) == 0
    monkeypatch.delenv("PYTEST_ADDOPTS", raising=False)
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-p", "no:repro", "alone"]
    unset = subprocess.run(command, capture_output=True, text=True, check=False)
    assert "The workflow does not say all of its command. Set REPRO_ARGUMENTS" in unset.stdout
    monkeypatch.setenv("REPRO_ARGUMENTS", "--tb=no")
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    assert "1 failed, 1 passed, 1 deselected" in run.stdout
    assert "pytest ended with exit code 1" in run.stdout


def test_harmless_options_of_a_log_reach_the_test(project: Path) -> None:
    """Those that choose tests, or load code, are said to be left."""
    log = LOG.replace("MODE: slow", "PYTEST_ADDOPTS: -W error -m slow -p evil")
    Path("ci.log").write_text(log)
    assert main(["added", "--log", "ci.log"]) == 0
    readme = (project / "added" / "README.md").read_text()
    assert "Of CI's command and of `PYTEST_ADDOPTS`, given to pytest as arguments: `-W error`" in readme
    assert "`PYTEST_ADDOPTS=-m slow` (line 6): chooses or spreads tests" in readme
    assert "`PYTEST_ADDOPTS=-p evil` (line 6): could load code" in readme
    assert "['-W', 'error']" in (project / "added" / "tests" / "test_added_repro.py").read_text()


def test_a_job_without_a_workflow_is_a_usage_error(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The option does nothing by itself, and says so."""
    assert main(["x", "--job", "unit"]) == 4
    assert "--job chooses a job of a workflow: give one with --workflow." in capsys.readouterr().err


def test_a_job_of_another_workflow_is_an_error(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing is made from a workflow that has not the log's job."""
    Path("ci.log").write_text(LOG.replace("unit (3.11)", "elsewhere"))
    assert main(["x", "--log", "ci.log", "--workflow", ".github/workflows/ci.yml"]) == 4
    error = capsys.readouterr().err
    assert "The workflow has no job 'elsewhere', which the log names" in error
    assert "Jobs: 'unit (3.11)', 'unit (3.13)'" in error
    assert not (project / "x").exists()


CHARACTERS = [*"'\"`$\\(){}[]#|&;<>*!\n\t a=é", "\x1b", "\u202e", "{{", "{%", "${{"]
HOSTILE = st.lists(st.sampled_from(CHARACTERS), max_size=12).map("".join)


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(value=HOSTILE, command=HOSTILE, name=HOSTILE)
def test_nothing_of_a_workflow_is_run(project: Path, value: str, command: str, name: str) -> None:
    """Whatever stands in it, the script stays a script, and the value arrives as it is."""
    import yaml

    document = {
        "env": {"VALUE": "x" + value},
        "jobs": {"j": {"name": name or "n", "steps": [{"run": f"pytest {command}", "name": name}]}},
    }
    Path("hostile.yml").write_text(yaml.safe_dump(document), encoding="utf-8")
    assert main(["hostile", "--workflow", "hostile.yml", "--job", "j", "--force"]) == 0
    script = (project / "hostile" / "run_test.sh").read_text()
    if "VALUE+set" in script:
        settings_of_it = script[script.index("repro_environment=()") : script.index("export VALUE\n")]
        probe = subprocess.run(
            ["bash", "-c", f'{settings_of_it}\nprintf %s "$VALUE"'],
            capture_output=True,
            check=True,
            cwd=project,
            env={"PATH": "/usr/bin:/bin", "REPRO_SOURCE": "/s"},
        )
        assert probe.stdout.decode() == "x" + value


CALLS = """\
on: push
jobs:
  unit:
    runs-on: ubuntu-latest
    steps:
      - run: {run}
"""


def call(project: Path, run: str) -> tuple[int, str]:
    """Makes a folder from a workflow with one step, and runs it."""
    (project / "pkg/tests").mkdir(parents=True, exist_ok=True)
    (project / "ci.yml").write_text(CALLS.format(run=run))
    assert main(["called", "--workflow", "ci.yml", "--force"]) == 0
    ended = subprocess.run(
        [str(project / "called/run_test.sh")],
        env={**os.environ, "REPRO_PYTHON": sys.executable},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    return ended.returncode, ended.stdout


@pytest.mark.parametrize(
    ("test", "status"),
    [
        ("def test_x(self): self.assertEqual(1, 2)", 1),
        pytest.param("def test_x(self): self.assertEqual(1, 1)", 0, marks=pytest.mark.slow),
        pytest.param("@unittest.skip('no')\n    def test_x(self): ...", 1, marks=pytest.mark.slow),
    ],
)
def test_a_workflow_that_calls_unittest_is_run(project: Path, test: str, status: int) -> None:
    """In the folder that its script goes to; a run in which no test ran proves nothing."""
    (project / "pkg/tests").mkdir(parents=True)
    (project / "pkg/tests/check_a.py").write_text(
        f"import unittest\nclass T(unittest.TestCase):\n    {test}\n"
    )
    ended, output = call(project, "cd pkg && python -m unittest discover -s tests -p 'check_*.py'")
    assert ended == status, output
    assert ("AssertionError: 1 != 2" in output) == ("1, 2" in test)


def test_a_workflow_that_calls_no_test_says_so(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The folder runs, and fails until its test is written; what was looked into is told."""
    status, output = call(project, "make check")
    assert status == 1
    assert "The workflow calls no pytest or unittest that could be read" in output
    assert "looked into make check: there is no Makefile in . of this checkout" in capsys.readouterr().out
    readme = (project / "called/README.md").read_text()
    assert "- **Looked into** `make check: there is no Makefile" in readme


def test_options_of_the_workflows_command_reach_the_test_where_the_log_has_none(project: Path) -> None:
    """A log shows only that make was called; its recipe says with which of the project's own options."""
    (project / "ci.log").write_text(LOG.replace("pytest -v --timeout=60", "make test"))
    (project / "ci.yml").write_text(CALLS.format(run="make test"))
    (project / "Makefile").write_text("test:\n\tpytest --runslow -W error tests\n")
    (project / "tests").mkdir()
    (project / "conftest.py").write_text(
        "def pytest_addoption(parser):\n    parser.addoption('--runslow', action='store_true')\n"
    )
    (project / "tests/test_mode.py").write_text("def test_mode():\n    assert 0\n")
    called = ["called", "--log", "ci.log", "--workflow", "ci.yml", "--job", "unit", "--no-run"]
    assert main(called) == 0
    assert " --runslow -W error)" in (project / "called/run_test.sh").read_text()
    (project / "ci.log").write_text(LOG)
    assert main([*called, "--force"]) == 0
    assert "--runslow" not in (project / "called/run_test.sh").read_text(), "the log's word counts"
