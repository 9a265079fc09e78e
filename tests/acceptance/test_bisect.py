"""Real bisections: each trial is a pytest process, so all but one are left to the long run."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys

import pytest

from tests.acceptance.sessions import run_pytest, session_folder
from tests.acceptance.terminals import run_on_terminal

if sys.platform == "win32":
    pytest.skip("pseudo-terminals and signals", allow_module_level=True)

REFUSALS = [
    (("-n2",), "", "*cannot be combined with -n: an order needs one process. Drop -n, or add -n 0."),
    (("--junitxml=r.xml",), "", "*cannot be combined with --junitxml: *. Give --repro-json=PATH *"),
    (("--pdb",), "", "*cannot be combined with --pdb: its runs have no terminal. *"),
    (("--lf",), "", "*cannot be combined with --lf: *. Name the tests instead."),
    (("--verify-runs=2",), "", "*cannot be combined with --verify-runs: it repeats tests as often *"),
    (("--repro-stress=2",), "", "*cannot be combined with --repro-stress: it repeats tests as often *"),
    (("--repro-replay=2",), "", "*cannot be combined with --repro-replay: it repeats tests as often *"),
    (
        (),
        "repro_stress = 2",
        "*cannot be combined with repro_stress in the ini file: *Add -o repro_stress= *",
    ),
    (("--repro-bisect-time=soon",), "", "*--repro-bisect-time 'soon' cannot be used. *"),
    (("--repro-match=(",), "", "*--repro-match '(' cannot be used. *"),
]


@pytest.mark.parametrize(("arguments", "ini", "text"), REFUSALS)
def test_what_a_bisection_cannot_do_is_said_before_any_trial(
    pytester: pytest.Pytester, arguments: tuple[str, ...], ini: str, text: str
) -> None:
    """A usage error with the next step, and no trial."""
    pytester.makepyfile("def test_one(): pass")
    pytester.makeini(f"[pytest]\n{ini}\n")
    result = pytester.runpytest_inprocess("--repro-bisect", *arguments)
    assert result.ret == 4
    result.stderr.fnmatch_lines([text])
    assert not (pytester.path / ".pytest_repro").exists()


def test_what_is_asked_for_beside_a_bisection_is_said_in_its_place(pytester: pytest.Pytester) -> None:
    """The tests of the order, collected only."""
    pytester.makepyfile(test_one="def test_a(): pass\ndef test_b(): pass")
    (pytester.path / "order.txt").write_text("test_one.py::test_b\n")
    result = pytester.runpytest_inprocess("--repro-order=order.txt", "--repro-bisect", "--collect-only", "-q")
    assert result.outlines[0] == "test_one.py::test_b"
    assert not (pytester.path / ".pytest_repro").exists()


LEAK = """
import os, pytest

@pytest.mark.slow
def test_leak(): os.environ["LEAKED"] = "1"

@pytest.mark.slow
def test_other(): pass

def test_that_is_not_chosen(): raise KeyError

@pytest.mark.slow
def test_victim():
    assert "LEAKED" not in os.environ, "leaked"
"""


def test_the_polluter_is_found_and_the_printed_command_fails_again(pytester: pytest.Pytester) -> None:
    """With all that it was told: files, `-m` against that of the ini file, `-c`, `-k`, `-o`, `-p`."""
    (pytester.path / "sub").mkdir()
    (pytester.path / "sub" / "test_a.py").write_text(LEAK)
    # Another root would be found without the file that is named, and another choice made.
    (pytester.path / "sub" / "pytest.ini").write_text("[pytest]\naddopts = -m 'not slow'\n")
    (pytester.path / "given.ini").write_text(
        "[pytest]\naddopts = -m 'not slow' -n 2 --junitxml=report.xml\nmarkers = slow\n"
    )
    (pytester.path / "extra.py").write_text("def pytest_configure(): print('extra was loaded')\n")
    given = "-c given.ini -m slow -k 'not never' -p extra -o console_output_style=count -W error::UserWarning"
    summary = pytester.path / "summary.json"
    arguments = [*shlex.split(given), "sub/test_a.py", f"--repro-json={summary}"]
    result = run_pytest(pytester, "--repro-bisect", *arguments)
    assert result.ret == 0
    found = "sub/test_a.py::test_victim fails 10 of 10 times after sub/test_a.py::test_leak and 0 of 10"
    result.stdout.fnmatch_lines(
        [f"found: {found} without it", "failure: AssertionError: leaked (signature *)", "run it again: *"]
    )
    assert json.loads(summary.read_text())["before"] == ["sub/test_a.py::test_leak"]
    assert not (pytester.path / "report.xml").exists()
    command = next(line for line in result.outlines if line.startswith("run it again: "))
    assert given.replace("'", '"').replace('"not never"', "'not never'") in command
    again = subprocess.run(
        command.partition(": ")[2].replace("python -m", f"{shlex.quote(sys.executable)} -m"),
        shell=True,
        cwd=pytester.path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert again.returncode == 1
    assert "extra was loaded" in again.stdout
    assert "1 failed, 1 passed" in again.stdout


def test_ctrl_c_ends_a_bisection_with_what_it_knows(pytester: pytest.Pytester) -> None:
    """Status 2; until then one live line tells how far it is, and nothing is left of it."""
    pytester.makepyfile(test_a="def test_a(): pass\ndef test_b(): assert False")
    session = run_on_terminal(pytester, "--repro-bisect", columns=100, interrupt_after=rb"bisect: trial 2")
    assert session.ret == 2
    pattern = re.compile(r"bisect: trial \d+, 1 test left, \d+ failures?, \d+ s")
    shown = {row for screen in session.screens() for row in screen if row.startswith("bisect: trial")}
    assert shown
    assert all(pattern.fullmatch(row) for row in shown), shown
    rows = session.final_rows()
    assert "not finished: the smallest list so far has 1 other test" in rows
    assert not any(row.startswith("bisect: trial") for row in rows)
    assert json.loads((session_folder(pytester) / "state.json").read_text())["state"] == "finished"


def test_the_time_ends_a_bisection_also_within_a_hanging_trial(pytester: pytest.Pytester) -> None:
    """Status 6, with what is known."""
    pytester.makepyfile(test_a="import time\ndef test_a(): time.sleep(600)\ndef test_b(): pass")
    result = run_pytest(pytester, "--repro-bisect", "--repro-bisect-time=2s")
    assert result.ret == 6
    result.stdout.fnmatch_lines(
        ["not finished: the smallest list so far has 1 other test", "run it again: *"]
    )


@pytest.mark.slow
def test_a_brittle_test_has_its_setter_found_and_a_crash_is_a_failure(pytester: pytest.Pytester) -> None:
    """It dies alone, and passes after the test that it needs; the victim is named."""
    pytester.makepyfile(
        """
        import os

        READY = []

        def test_other(): pass

        def test_setter(): READY.append(1)

        def test_brittle():
            READY or os._exit(3)

        def test_later(): pass
        """
    )
    name = "*brittle*.py::test_brittle"
    file = next(pytester.path.glob("test_*.py")).name
    result = run_pytest(pytester, f"--repro-bisect={file}::test_brittle")
    assert result.ret == 0
    result.stdout.fnmatch_lines([f"found: {name} passes 10 of 10 times after *::test_setter and 0 of 10 *"])


@pytest.mark.slow
def test_an_order_that_passes_is_not_reproduced(pytester: pytest.Pytester) -> None:
    """Status 6, and which failure rates are ruled out."""
    pytester.makepyfile(test_one="def test_one(): pass")
    result = run_pytest(pytester, "--repro-bisect")
    assert result.ret == 6
    result.stdout.fnmatch_lines(["not reproduced: test_one.py::test_one failed 0 of 10 times alone*"])


@pytest.mark.slow
def test_only_what_is_looked_for_counts_and_a_hang_can_be_that(pytester: pytest.Pytester) -> None:
    """`--repro-match` chooses between two polluters; a test before that hangs makes a trial void."""
    pytester.makepyfile(
        test_a="""
        import time

        STATE = []

        def test_breaks(): STATE.append("broken")

        def test_hangs(): STATE.append("hanging")

        def test_victim():
            if "hanging" in STATE:
                time.sleep(600)
            assert not STATE, "broken"
        """
    )
    hangs = run_pytest(pytester, "--repro-bisect", "--repro-hang-time=1s", "--repro-match=hung")
    hangs.stdout.fnmatch_lines(
        ["found: *::test_victim fails 10 of 10 times after *::test_hangs and 0 of 10 *"]
    )


POLLUTERS = {
    "a module that is replaced": (
        "def test_polluter(): import sys, types; sys.modules['colorsys'] = types.ModuleType('colorsys')",
        "def test_victim():\n    import colorsys\n    assert colorsys.rgb_to_hsv(0, 0, 0)",
    ),
    "a module global": (
        "import shared\ndef test_polluter(): shared.LIMIT = 0",
        "import shared\ndef test_victim(): assert shared.LIMIT",
    ),
    "a class attribute": (
        "from shared import Counter\ndef test_polluter(): Counter.total += 1",
        "from shared import Counter\ndef test_victim(): assert Counter().total == 0",
    ),
    "logging's configuration": (
        "import logging\ndef test_polluter(): logging.disable(logging.CRITICAL)",
        "import logging\ndef test_victim(caplog): logging.warning('x'); assert 'x' in caplog.text",
    ),
    "the working directory": (
        "import os\ndef test_polluter(tmp_path): os.chdir(tmp_path)",
        "from pathlib import Path\ndef test_victim(): assert Path('shared.py').exists()",
    ),
    "seven of ten processes": (
        "import os, shared\ndef test_polluter(): shared.LIMIT = os.urandom(1)[0] < 77",
        "import shared\ndef test_victim(): assert shared.LIMIT",
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", POLLUTERS)
def test_what_tests_leave_behind_is_traced_to_the_one_that_left_it(
    pytester: pytest.Pytester, name: str
) -> None:
    """Whatever it is, also where it is left in seven of ten processes only."""
    polluter, victim = POLLUTERS[name]
    pytester.makepyfile(
        shared="LIMIT = 1\nclass Counter: total = 0",
        test_a="def test_a(): pass\ndef test_b(): pass",
        test_b=polluter,
        test_c="def test_c(): pass",
        test_d=victim,
    )
    result = run_pytest(pytester, "--repro-bisect")
    assert result.ret == 0
    times = r"(10 of 10|\d+ of \d+)" if "seven" in name else "10 of 10"
    found = (
        rf"found: test_d.py::test_victim fails {times} times after test_b.py::test_polluter and 0 of \d+ .*"
    )
    assert any(re.fullmatch(found, line) for line in result.outlines), result.outlines


TOGETHER = """
STATE = set()

def test_a(): STATE.add("a")

def test_b(): pass

def test_c(): STATE.add("c")

def test_victim(): assert not {condition}
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("condition", "found"),
    [
        (
            "STATE >= {'a', 'c'}",
            [
                "found: *::test_victim fails 10 of 10 times after 2 tests together and 0 of 10 without them",
                "  test_t.py::test_a (without it: fails 0 of *)",
                "  test_t.py::test_c (without it: fails 0 of *)",
            ],
        ),
        ("STATE", ["found: *::test_victim fails 10 of 10 times after test_t.py::test_? and 0 of 10 *"]),
    ],
    ids=["both", "either"],
)
def test_two_polluters_are_told_if_both_are_needed_and_one_if_either_is_enough(
    pytester: pytest.Pytester, condition: str, found: list[str]
) -> None:
    """With what each of two comes to without the other."""
    pytester.makepyfile(test_t=TOGETHER.replace("{condition}", condition))
    result = run_pytest(pytester, "--repro-bisect")
    assert result.ret == 0
    result.stdout.fnmatch_lines(found, consecutive=True)
