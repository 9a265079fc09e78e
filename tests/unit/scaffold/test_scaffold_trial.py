from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from pytest_repro.cli.scaffold_proof import check_words
from pytest_repro.model import Signature
from pytest_repro.scaffold.check import Check
from pytest_repro.scaffold.signatures import Known
from pytest_repro.scaffold.trial import Result, Trial, try_folder
from pytest_repro.signature import CRASH_MESSAGE

KNOWN = Known(signature=Signature(exception="AssertionError", message="three"))
HEADER = "===== test session starts =====\nplatform linux -- Python 3.11.7, pytest-8.3.3, pluggy-1.5.0\n"
FAILED = f"""\
{HEADER}collected 1 item

tests/test_a.py F                                                        [100%]

=================================== FAILURES ===================================
____________________________________ test_a ____________________________________

    def test_a():
>       assert False, "{{message}}"
E       AssertionError: {{message}}

tests/test_a.py:2: AssertionError
=========================== short test summary info ============================
FAILED tests/test_a.py::test_a - AssertionError: {{message}}
============================== 1 failed in 0.05s ===============================
"""
MISSING = FAILED.replace("AssertionError: {message}", "ModuleNotFoundError: No module named 'x'").replace(
    "FAILED tests", "ERROR tests"
)


def tried(folder: Path, output: str, status: int, *, only_for: str = "", known: Known = KNOWN) -> Trial:
    """Tries a folder whose script prints one text, and another one to all interpreters but one."""
    (folder / "logs").mkdir()
    (folder / "output").write_text(output)
    (folder / "run_test.sh").write_text(
        f'if [ -n "{only_for}" ] && [ "$REPRO_PYTHON" != "{only_for}" ]; then\n'
        "  echo '/usr/bin/python3: No module named pytest' > logs/run_1.log; exit 1\nfi\n"
        f"cp output logs/run_2.log\nexit {status}\n"
    )
    environment = {name: value for name, value in os.environ.items() if name != "REPRO_PYTHON"}
    return try_folder(folder, known, environment=environment, fallback="other/python")


@pytest.mark.parametrize(
    ("output", "status", "result"),
    [
        (FAILED.format(message="three"), 1, Result.SAME),
        (FAILED.format(message="four"), 1, Result.OTHER),
        (f"{HEADER}== 1 passed in 0.1s ==\n", 0, Result.PASSED),
    ],
)
def test_what_a_folder_does_is_compared_with_ci(
    output: str, status: int, result: Result, tmp_path: Path
) -> None:
    """The same failure, another one, or none."""
    trial = tried(tmp_path, output, status)
    assert trial.result is result
    assert trial.interpreter is None
    assert Check(trial=trial, known=KNOWN).exit_status == (0 if result is Result.SAME else 1)


@pytest.mark.parametrize(
    ("output", "status", "reason"),
    [
        (f"{HEADER}collected 0 items\n== no tests ran in 0.1s ==\n", 5, "pytest collected no test"),
        (f"{HEADER}== no tests ran in 0.1s ==\n", 0, "did not run to its end"),
        (f"{HEADER}INTERNALERROR> ValueError: no\n", 3, "an error of its own: INTERNALERROR> ValueError: no"),
        (
            f"{HEADER}ERROR: file not found: tests\n",
            4,
            "refused its command line or a conftest file: ERROR: file",
        ),
        (f"{HEADER}!!! KeyboardInterrupt !!!\n", 2, "it was interrupted"),
        (f"{HEADER}stopped\n", 1, "exit code 1 and names no failing test"),
        (MISSING, 1, "something that it imports is missing"),
        (
            FAILED.format(message="The source of a is not in /b. Set it"),
            1,
            "the source of the test was not found",
        ),
        (
            f"{HEADER}a was not run to its end, so it proves nothing: why\n== 1 failed ==\n",
            1,
            "was skipped: why",
        ),
        ("python: No module named yaml\n", 1, "the interpreter has no yaml"),
    ],
)
def test_what_proves_nothing_says_why(output: str, status: int, reason: str, tmp_path: Path) -> None:
    """A run that did not reach the test is no answer: --check ends with 6."""
    trial = tried(tmp_path, output, status)
    assert trial.result is Result.UNKNOWN
    assert reason in trial.reason
    assert Check(trial=trial, known=KNOWN).exit_status == 6


def test_another_interpreter_helps_out(tmp_path: Path) -> None:
    """Where the folder's own has no pytest the one that runs repro-scaffold is taken, and that is said."""
    trial = tried(tmp_path, FAILED.format(message="three"), 1, only_for="other/python")
    assert trial.result is Result.SAME
    assert trial.interpreter == "other/python"


@pytest.mark.parametrize("status", [4, 127])
def test_an_interpreter_that_was_chosen_is_kept(status: int, tmp_path: Path) -> None:
    """REPRO_PYTHON says which one is meant: no other answers for it."""
    (tmp_path / "logs").mkdir()
    (tmp_path / "run_test.sh").write_text(f"exit {status}\n")
    trial = try_folder(tmp_path, KNOWN, environment={"REPRO_PYTHON": "x", "PATH": os.environ["PATH"]})
    assert trial.result is Result.UNKNOWN
    assert trial.reason == "there is no interpreter: activate an environment, or set REPRO_PYTHON"


def test_what_does_not_come_back_is_ended(tmp_path: Path) -> None:
    """A run has a limit, and a folder without a script has none to run."""
    (tmp_path / "run_test.sh").write_text("read never < <(tail -f /dev/null)\n")
    assert try_folder(tmp_path, KNOWN, limit_s=0.1).reason == "it did not end within 0 s"
    assert try_folder(tmp_path / "none", KNOWN).reason == "there is no run_test.sh in it"


CHILD = replace(KNOWN, is_child=True)
OF_CHILD = f"""\
{HEADER}collected 1 item

tests/test_x_repro.py::test_x_repro FAILED                               [100%]

=================================== FAILURES ===================================
_________________________________ test_x_repro _________________________________
tests/test_a.py::test_a ended with exit code {{status}}:
{{inner}}
=========================== short test summary info ============================
FAILED tests/test_x_repro.py::test_x_repro - Failed: tests/test_a.py::test_a ...
============================== 1 failed in 2.88s ===============================
"""
COLLECTED = f"{HEADER}collecting ... collected 1 item\n\ntests/test_a.py::test_a "
CRASHED = f"""\
{COLLECTED}Fatal Python error: Aborted

Current thread 0x1 (most recent call first):
  File "/x/tests/test_a.py", line 2 in test_a
"""


@pytest.mark.parametrize(
    ("inner", "status", "result", "reason"),
    [
        (FAILED.format(message="three"), 1, Result.SAME, ""),
        (FAILED.format(message="four"), 1, Result.OTHER, ""),
        (CRASHED, -6, Result.OTHER, ""),
        (f"{HEADER}INTERNALERROR> ValueError: no", 3, Result.UNKNOWN, "an error of its own"),
        ("ERROR: usage: no such option", 4, Result.UNKNOWN, "refused its command line"),
        (MISSING, 4, Result.UNKNOWN, "something that it imports is missing"),
        (f"{HEADER}collected 0 items\n== no tests ran ==", 5, Result.UNKNOWN, "collected no test"),
    ],
)
def test_of_a_child_its_own_failure_is_compared(
    inner: str, status: int, result: Result, reason: str, tmp_path: Path
) -> None:
    """Not that of the test which ran it, whose message is what the child printed."""
    trial = tried(tmp_path, OF_CHILD.format(inner=inner, status=status), 1, known=CHILD)
    assert trial.result is result
    assert reason in trial.reason
    assert Check(trial=trial, known=CHILD).exit_status == {"SAME": 0, "OTHER": 1, "UNKNOWN": 6}[result.name]


def test_a_crash_of_a_child_is_that_of_ci(tmp_path: Path) -> None:
    """It has no summary; the signal is told by its exit code."""
    known = replace(CHILD, signature=Signature(exception=None, message=CRASH_MESSAGE))
    trial = tried(tmp_path, OF_CHILD.format(inner=CRASHED, status=-6), 1, known=known)
    assert trial.result is Result.SAME


LONG = "the tensor of shape (1, 32) on device zero holds nan in row "


@pytest.mark.parametrize("width", [40, 80, 200])
def test_two_signatures_stand_side_by_side_in_any_width(width: int) -> None:
    """Long values go on below themselves, and of two that begin alike the first difference is named."""
    known = Known(
        signature=Signature(exception="E", message=f"{LONG}{'of the first batch ' * 8}", file="a.py")
    )
    found = Signature(exception="E", message=f"{LONG}of the last batch", file=None)
    trial = Trial(result=Result.OTHER, signature=found, differs=("message",))
    lines = list(check_words(Check(trial=trial, known=known), width=width))
    assert lines[0] == "  exception  both  E"
    assert all(len(line) <= width or line == lines[-1] for line in lines)
    text = " ".join(" ".join(lines).split())
    assert f"! message CI {LONG}of the first" in text
    assert f"here {LONG}of the last batch from character 68 on:" in text
    assert "'last batch' here file CI a.py here - function" in text
    assert lines[-1] == "another failure than in CI: another message"
