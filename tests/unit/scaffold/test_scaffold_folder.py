from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pytest_repro.errors import ScaffoldError
from pytest_repro.logs.records import CiFailure, Found, LogReport, Origin, Session, Variable
from pytest_repro.logs.secrets import Masker
from pytest_repro.model import Frame, Outcome, Signature
from pytest_repro.scaffold.build import planned_files
from pytest_repro.scaffold.context import Reproduction, plan, signature_of
from pytest_repro.scaffold.write import write_folder
from pytest_repro.signature import CRASH_MESSAGE

FAKE_PYTEST = """\
import json, os, sys
with open(os.environ["REPRO_TEST_SEEN"], "w") as file:
    json.dump({"arguments": sys.argv[1:], "environment": dict(os.environ), "folder": os.getcwd()}, file)
print("fake pytest")
sys.exit(int(os.environ.get("REPRO_TEST_EXIT", "0")))
"""
HOSTILE = st.lists(
    st.sampled_from(
        [
            *(
                "'",
                '"',
                "`touch pwned`",
                "$(touch pwned)",
                "; touch pwned;",
                "\n",
                '"""',
                "'''",
                "\\",
                "{{ 1 }}",
                "{% x %}",
            ),
            *(
                "```",
                "~~~~",
                "\x1b[31m",
                "\u202e",
                "\u2066",
                " - ",
                "]",
                "[",
                "#",
                "<b>",
                "-->",
                "a",
                "é",
                "%s",
                "!",
            ),
        ]
    ),
    max_size=6,
).map("".join)


def report_of(**given: object) -> LogReport:
    failure = CiFailure(
        nodeid=str(given.get("nodeid", "tests/test_a.py::test_a")),
        line=7,
        outcome=Outcome.FAILED,
        exception="ValueError",
        message=str(given.get("message", "no")),
        place=Frame(file="src/a.py", line=3),
        text=str(given.get("text", "E   ValueError: no")),
    )
    variables = tuple(
        Variable(name=name, value=value, line=3)
        for name, value in dict(given.get("variables", {})).items()  # type: ignore[call-overload]
    )
    session = Session(
        line=1,
        failures=(failure,),
        variables=variables,
        job=Found(value=str(given.get("job", "unit")), line=1),
        command=Found(value=str(given.get("command", "pytest -v")), line=2),
    )
    return LogReport(line_count=9, session=session, failures=(failure,))


def made(folder: Path, reproduction: Reproduction) -> Path:
    write_folder(folder, planned_files(reproduction, open_log=None, masker=Masker()), force=True)
    return folder


def run_script(
    folder: Path, *arguments: str, shell: tuple[str, ...] = (), **environment: str
) -> tuple[int, str, dict[str, object]]:
    fake = folder.parent / "fake"
    fake.mkdir(exist_ok=True)
    (fake / "pytest.py").write_text(FAKE_PYTEST)
    seen = folder.parent / "seen.json"
    run = subprocess.run(
        [*shell, str(folder / "run_test.sh"), *arguments],
        env={
            "PATH": "/usr/bin:/bin",
            "PYTHONPATH": str(fake),
            "REPRO_PYTHON": sys.executable,
            "REPRO_TEST_SEEN": str(seen),
            **environment,
        },
        cwd="/",
        capture_output=True,
        check=False,
        timeout=60,
    )
    return run.returncode, run.stdout.decode() + run.stderr.decode(), json.loads(seen.read_text())


def scaffolded(tmp_path: Path, *, is_flaky: bool = False, **given: object) -> Path:
    reproduction = plan(
        "x-1", report=report_of(**given), folder=tmp_path / "x-1", source_root=tmp_path, is_flaky=is_flaky
    )
    return made(tmp_path / "x-1", reproduction)


@pytest.mark.parametrize("name", ["", "../x", "-x", ".x", "a b", "a/b", "x" * 81, "a\n", "é"])
def test_a_name_that_cannot_name_a_folder_is_refused(tmp_path: Path, name: str) -> None:
    """The error says what a name may be."""
    with pytest.raises(
        ScaffoldError, match=r"cannot name a reproduction.*\(failure-name\)\. Choose a name such as"
    ):
        plan(name, report=None, folder=tmp_path, source_root=tmp_path)


@pytest.mark.parametrize("code", [0, 1, 2, 3, 4, 5, 6])
def test_the_script_ends_with_the_exit_code_of_pytest(tmp_path: Path, code: int) -> None:
    """Not with that of the program that keeps the output."""
    folder = scaffolded(tmp_path)
    assert run_script(folder, REPRO_TEST_EXIT=str(code))[0] == code


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
        *("tests/test_x_1_repro.py", "--repro-stress-time", "5m", "--repro-stop", "1", "-n", "auto")
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


def test_each_run_keeps_its_output(tmp_path: Path) -> None:
    """`logs/run_1.log`, `logs/run_2.log` and so on hold what was printed."""
    folder = scaffolded(tmp_path)
    for number in (1, 2):
        run_script(folder)
        kept = (folder / f"logs/run_{number}.log").read_text()
        assert "fake pytest" in kept
        assert "=== reproduction of x-1 ===" in kept


@pytest.mark.parametrize(
    "shell",
    [
        (),
        ("sh",),
        ("bash", "-eu"),
        ("bash", "-f"),
        ("bash", "-C"),
        ("bash", "-o", "posix"),
        ("bash", "-o", "pipefail"),
    ],
    ids=" ".join,
)
def test_options_of_the_calling_shell_change_nothing(tmp_path: Path, shell: tuple[str, ...]) -> None:
    """The script runs from anywhere, by any shell, with any options."""
    folder = scaffolded(tmp_path, variables={"MODE": "fast"})
    code, _, seen = run_script(folder, shell=shell, REPRO_TEST_EXIT="1")
    assert code == 1
    assert seen["folder"] == str(folder)


def test_exported_shell_options_change_nothing(tmp_path: Path) -> None:
    """An exported SHELLOPTS brings `set -eu` into every script."""
    folder = scaffolded(tmp_path)
    code, _, _ = run_script(folder, SHELLOPTS="braceexpand:errexit:nounset:noglob", REPRO_TEST_EXIT="5")
    assert code == 5


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
    assert "to set:  API_TOKEN (a secret in CI)" in run_script(folder)[1]
    assert "to set:" not in run_script(folder, API_TOKEN="x")[1]
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


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    nodeid=HOSTILE, message=HOSTILE, text=HOSTILE, job=HOSTILE, command=HOSTILE, value=HOSTILE, name=HOSTILE
)
def test_no_text_of_a_log_breaks_out(
    tmp_path: Path, nodeid: str, message: str, text: str, job: str, command: str, value: str, name: str
) -> None:
    """Hostile text anywhere: the script runs and sets exactly the value, the test compiles, no more."""
    folder = scaffolded(
        tmp_path,
        nodeid="tests/test_a.py::test_a[" + nodeid,
        message=message,
        text=text,
        job=job,
        command=command,
        variables={"MODE": value, name: "1"},
    )
    code, output, seen = run_script(folder, REPRO_TEST_EXIT="1")
    assert code == 1, output
    environment = seen["environment"]
    assert isinstance(environment, dict)
    assert environment["MODE"] == value
    module = ast.parse((folder / "tests/test_x_1_repro.py").read_text())
    assert [type(one).__name__ for one in module.body][-1] == "FunctionDef"
    assert not list(tmp_path.rglob("pwned")) + [path for path in (Path("/pwned"),) if path.exists()]
    readme = (folder / "README.md").read_text()
    assert readme.count("\n## Verification\n") == 1
    assert not any(ord(character) in {0x1B, 0x202E, 0x2066} for character in readme)


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
