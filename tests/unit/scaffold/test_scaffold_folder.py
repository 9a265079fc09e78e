from __future__ import annotations

import ast
import io
import json
import os
from pathlib import Path

import pytest

from pytest_repro.errors import ScaffoldError
from pytest_repro.logs.reader import read_log
from pytest_repro.logs.records import CiFailure, LogReport, Origin, Session, Variable
from pytest_repro.model import Frame, Outcome, Signature
from pytest_repro.scaffold.context import plan, signature_of
from pytest_repro.signature import CRASH_MESSAGE
from tests.unit.scaffold.folders import made, run_script, scaffolded


@pytest.mark.parametrize("name", ["", "../x", "-x", ".x", "a b", "a/b", "x" * 81, "a\n", "é"])
def test_a_name_that_cannot_name_a_folder_is_refused(tmp_path: Path, name: str) -> None:
    """The error says what a name may be."""
    with pytest.raises(
        ScaffoldError, match=r"cannot name a reproduction.*\(failure-name\)\. Choose a name such as"
    ):
        plan(name, report=None, folder=tmp_path, source_root=tmp_path)


def test_a_deterministic_failure_is_run_once_with_timing(tmp_path: Path) -> None:
    """The options of a single, timed, time-limited run, and the user's own behind them."""
    _, _, seen = run_script(scaffolded(tmp_path), "-k", "a b")
    assert seen["arguments"] == [
        "tests/test_x_1_repro.py",
        "-x",
        "-v",
        "--repro-timing",
        "--timeout=60",
        "-k",
        "a b",
    ]


def test_a_flaky_failure_is_stressed(tmp_path: Path) -> None:
    """Five minutes, until the first failure, on all cores."""
    _, _, seen = run_script(scaffolded(tmp_path, is_flaky=True))
    assert seen["arguments"] == [
        *("tests/test_x_1_repro.py", "--repro-stress-time", "5m", "-n", "auto", "-x")
    ]


@pytest.mark.parametrize("is_flaky", [False, True])
def test_only_a_failure_that_came_in_each_run_is_marked_deterministic(
    tmp_path: Path, *, is_flaky: bool
) -> None:
    """The gate believes the mark: two runs are enough. The ini file knows it without the plugin."""
    folder = scaffolded(tmp_path, is_flaky=is_flaky)
    module = ast.parse((folder / "tests/test_x_1_repro.py").read_text())
    (test,) = (node for node in module.body if isinstance(node, ast.FunctionDef))
    marks = [ast.unparse(mark) for mark in test.decorator_list]
    assert marks == ([] if is_flaky else ["pytest.mark.repro_verify(deterministic=True)"])
    assert "    repro_verify: " in (folder / "pytest.ini").read_text()
    readme = (folder / "README.md").read_text()
    assert "./run_test.sh --verify-runs auto\n" in readme
    assert ("is marked deterministic" in readme) is not is_flaky


def test_variables_of_the_log_are_set_unless_they_are_set_outside(tmp_path: Path) -> None:
    """An empty value from outside counts as set."""
    folder = scaffolded(tmp_path, variables={"MODE": "fast", "LEVEL": "3", "EMPTY": ""})
    _, _, seen = run_script(folder, LEVEL="", MODE="slow")
    environment = seen["environment"]
    assert isinstance(environment, dict)
    assert (environment["MODE"], environment["LEVEL"], environment["EMPTY"]) == ("slow", "", "")


@pytest.mark.parametrize(
    "name", ["PATH", "HOME", "LD_PRELOAD", "BASH_ENV", "PYTEST_ADDOPTS", "PYTHONSTARTUP", "REPRO_PYTHON"]
)
def test_variables_that_choose_what_is_run_are_not_taken_from_a_log(tmp_path: Path, name: str) -> None:
    """A log must not make this machine run anything; the README names them."""
    folder = scaffolded(tmp_path, variables={name: "/evil"})
    assert "/evil" not in (folder / "run_test.sh").read_text()
    assert f"`{name}=/evil`" in (folder / "README.md").read_text()


def test_secrets_are_listed_by_name(tmp_path: Path) -> None:
    """The script says what is to be set, and the README as well."""
    folder = scaffolded(tmp_path, variables={"API_TOKEN": None})
    assert "API_TOKEN is to be set (a secret in CI)" in run_script(folder)[1]
    assert "is to be set" not in run_script(folder, API_TOKEN="x")[1]
    assert "- `API_TOKEN` (line 3)" in (folder / "README.md").read_text()


def test_an_export_extends_what_is_set_outside(tmp_path: Path) -> None:
    """`export X=$X:$(pwd)` becomes the outside value and the source."""
    variable = Variable(name="LIBS", value="$LIBS:$(pwd)/lib", line=4, origin=Origin.EXPORT)
    report = LogReport(line_count=9, session=Session(line=1, variables=(variable,)))
    folder = made(tmp_path / "x", plan("x", report=report, folder=tmp_path / "x", source_root=tmp_path))
    _, _, seen = run_script(folder, LIBS="/mine", REPRO_SOURCE=str(tmp_path))
    environment = seen["environment"]
    assert isinstance(environment, dict)
    assert environment["LIBS"] == f"/mine:{tmp_path}/lib"


def test_without_a_log_the_test_fails_and_says_what_to_do(tmp_path: Path) -> None:
    """A reproduction that proves nothing does not pass."""
    folder = made(tmp_path / "x", plan("x", report=None, folder=tmp_path / "x", source_root=tmp_path))
    assert "No failure is described yet" in (folder / "tests/test_x_repro.py").read_text()
    assert json.loads((folder / "signature.json").read_text())["signature"] is None


def test_the_signature_is_that_of_the_failure(tmp_path: Path) -> None:
    """The file can be compared with a later run."""
    record = json.loads((scaffolded(tmp_path) / "signature.json").read_text())
    assert record["test"] == "tests/test_a.py::test_a"
    assert record["signature"]["exception"] == "ValueError"


@pytest.mark.parametrize(
    ("failure", "expected"),
    [
        (
            CiFailure(
                nodeid="t.py::t",
                line=1,
                outcome=Outcome.CRASH,
                exception="Fatal Python error",
                message="Segmentation fault",
            ),
            Signature(exception=None, message=CRASH_MESSAGE),
        ),
        (
            CiFailure(
                nodeid="t.py::t",
                line=1,
                outcome=Outcome.FAILED,
                exception="AssertionError",
                message="1 != 2",
                place=Frame(file="/usr/lib/python3.11/unittest/case.py", line=9, function="fail"),
                test_place=Frame(file="t.py", line=3, function="t", statement="self.assertEqual(1, 2)"),
            ),
            Signature(
                exception="AssertionError",
                message="<n> != <n>",
                file="t.py",
                function="t",
                statement="self.assertEqual(1, 2)",
            ),
        ),
        (
            CiFailure(nodeid="t.py::t", line=1, outcome=Outcome.FAILED),
            Signature(exception=None, message=""),
        ),
    ],
    ids=["crash", "unittest", "nothing known"],
)
def test_a_signature_says_what_a_stress_run_would_know_too(failure: CiFailure, expected: Signature) -> None:
    """How a process died, frames that pytest hides, and words of our own cannot be compared."""
    session = Session(line=1, failures=(failure,))
    report = LogReport(line_count=1, session=session, failures=(failure,))
    assert signature_of(failure, report) == expected


def test_every_file_of_the_layout_is_there(tmp_path: Path) -> None:
    """The layout that the design promises."""
    folder = scaffolded(tmp_path)
    assert os.access(folder / "run_test.sh", os.X_OK)
    assert {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()} == {
        *("run_test.sh", "README.md", "signature.json", "pytest.ini", ".gitignore"),
        *("tests/test_x_1_repro.py", "logs/.gitkeep"),
    }


DETAILED_LOG = """\
2026-03-01T10:00:00.1000000Z ##[group]Run cd plant
2026-03-01T10:00:00.2000000Z cd plant
2026-03-01T10:00:00.3000000Z pytest -x
2026-03-01T10:00:00.4000000Z shell: bash
2026-03-01T10:00:00.5000000Z ##[endgroup]
2026-03-01T10:00:01.0000000Z platform linux -- Python 3.12.1, pytest-8.3.5, pluggy-1.5.0
2026-03-01T10:00:01.1000000Z plugins: xdist-3.6.1, hypothesis-6.100.0
2026-03-01T10:00:02.0000000Z =================================== FAILURES ===================================
2026-03-01T10:00:02.1000000Z _______________________________ test_pump [warm] _______________________________
2026-03-01T10:00:02.2000000Z E   OSError: no pump
2026-03-01T10:00:02.3000000Z E   Falsifying example: test_pump(
2026-03-01T10:00:02.4000000Z E       bars=2,
2026-03-01T10:00:02.5000000Z E   )
2026-03-01T10:00:02.6000000Z tests/test_pump.py:7: OSError
2026-03-01T10:00:02.7000000Z =========================== short test summary info ============================
2026-03-01T10:00:02.8000000Z SUBFAILED[warm] tests/test_pump.py::test_pump - OSError: no pump
"""


def test_examples_subtests_versions_folders_and_times_reach_the_folder(tmp_path: Path) -> None:
    """The README tells each with its line, the signature's file holds what programs may want."""
    reproduction = plan(
        "x", report=read_log(io.BytesIO(DETAILED_LOG.encode())), folder=tmp_path / "x", source_root=tmp_path
    )
    folder = made(tmp_path / "x", reproduction)
    readme = (folder / "README.md").read_text()
    for told in (
        "**Working directory**: `plant` (line 2",
        "**Step began**: `2026-03-01T10:00:00.1000000Z` (line 1",
        "**Step ended**: `2026-03-01T10:00:02.8000000Z` (line 16",
        "**Subtest**: `[warm]`",
        "**Falsifying example**: `bars=2` (line 12",
    ):
        assert told in readme
    record = json.loads((folder / "signature.json").read_text())
    assert record["subtest"] == "[warm]"
    assert record["example"] == {"bars": "2"}
    assert record["versions"] == {
        "Python": "3.12.1",
        "pytest": "8.3.5",
        "xdist": "3.6.1",
        "hypothesis": "6.100.0",
    }
