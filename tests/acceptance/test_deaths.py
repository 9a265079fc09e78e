"""Iterations that end with their process: each is named, counted, and costs no other."""

from __future__ import annotations

import os
import re
import shlex
import signal
import subprocess
import sys
from typing import Any

import pytest

from tests.acceptance.sessions import LIMIT_S, json_lines, run_pytest, session_folder, session_summary
from tests.faults.session import MARK, processes_of

WORKERS, ISOLATED = ("-n2",), ("--repro-isolate",)
OUTLIVING = pytest.mark.parametrize(
    "mode", [pytest.param(WORKERS, id="n2"), pytest.param(ISOLATED, id="isolate", marks=pytest.mark.slow)]
)

DEEDS = """
import ctypes, os, resource, signal, threading, time
import pytest

resource.setrlimit(resource.RLIMIT_CORE, (0, 0))

def falls():
    ctypes.string_at(0)

def aborts():
    os.abort()

def leaves(status):
    os._exit(status)

def kills():
    os.kill(os.getpid(), signal.SIGKILL)

def spins():
    while True:
        pass

def holds_the_lock():
    ctypes.PyDLL(None).sleep(60)

def pauses():
    ctypes.CDLL(None).pause()
    open("went on", "w").close()

def locks():
    ours, theirs, is_theirs = threading.Lock(), threading.Lock(), threading.Event()

    def waits_for_ours():
        with theirs:
            is_theirs.set()
            ours.acquire()

    with ours:
        threading.Thread(target=waits_for_ours, daemon=True).start()
        is_theirs.wait()
        theirs.acquire()

def sleeps():
    time.sleep(60)

def stops():
    os.kill(os.getpid(), signal.SIGSTOP)
    time.sleep(60)
"""


def write_tests(pytester: pytest.Pytester, text: str) -> None:
    """Writes tests that find what they may do in a module beside them."""
    pytester.makepyfile(deeds=DEEDS, test_it=f"from deeds import *\n\n{text}")


def failures_of(pytester: pytest.Pytester) -> dict[int, dict[str, Any]]:
    """Failing iterations by their number; each is told once."""
    failures = json_lines(session_folder(pytester) / "failures.jsonl")
    by_number = {failure["iteration"]: failure for failure in failures}
    assert len(by_number) == len(failures)
    return by_number


def is_one_test_that_failed(result: pytest.RunResult) -> bool:
    """Tells whether pytest has counted it once: as an error where the first death was in a fixture."""
    return result.parseoutcomes() in ({"failed": 1}, {"errors": 1})


def recorded(pytester: pytest.Pytester) -> list[int]:
    """Iterations that have ended without their process, in the order of their batches."""
    return [
        batch["first"] + number * batch["step"]
        for batch in json_lines(session_folder(pytester) / "iterations.jsonl")
        for number in range(len(batch["durations_ns"]))
    ]


@OUTLIVING
def test_every_crash_is_named_where_it_happened(pytester: pytest.Pytester, mode: tuple[str, ...]) -> None:
    """By test, iteration, stage, phase and stack; pytest counts one failed test."""
    write_tests(
        pytester,
        """
        @pytest.fixture
        def fixture(repro):
            if repro.iteration == 3:
                aborts()
            yield
            if repro.iteration == 8:
                kills()

        def test_dies(fixture, repro):
            with repro.phase("x"):
                {2: falls, 5: lambda: leaves(0), 7: lambda: leaves(3)}.get(repro.iteration, int)()
        """.replace("\n        ", "\n"),
    )
    result = run_pytest(pytester, "--repro-stress=10", *mode)
    assert result.ret == 1
    assert is_one_test_that_failed(result)
    result.stdout.fnmatch_lines(["  10 of 10 iterations ran, 5 failed (50 %*"])
    (test,) = session_summary(pytester)["tests"]
    assert test["outcomes"] == {"passed": 5, "crash": 5}
    failures = failures_of(pytester)
    assert {number: (failure["stage"], failure["message"]) for number, failure in failures.items()} == {
        2: ("call", "the process died with SIGSEGV"),
        3: ("setup", "the process died with SIGABRT"),
        5: ("call", "the process died with exit status 0"),
        7: ("call", "the process died with exit status 3"),
        8: ("teardown", "the process died with SIGKILL"),
    }
    assert {failure["test"] for failure in failures.values()} == {"test_it.py::test_dies"}
    assert "in iteration 2 (call, phase x)" in failures[2]["text"]
    assert "in falls\n" in failures[2]["text"]
    assert "in iteration 3 (setup)" in failures[3]["text"]
    assert "in aborts\n" in failures[3]["text"]
    assert "_pytest" not in failures[2]["text"].partition("native stacks")[0]


HANGS = """
HANGS = {1: spins, 2: sleeps, 3: holds_the_lock, 4: pauses, 5: locks, 7: sleeps, 8: stops}

@pytest.fixture
def fixture(repro):
    if repro.iteration in CHOSEN & {2}:
        sleeps()
    yield
    if repro.iteration in CHOSEN & {7}:
        sleeps()

def test_hangs(fixture, repro):
    with repro.phase("x"):
        if repro.iteration in CHOSEN - {2, 7}:
            HANGS[repro.iteration]()
"""

FUNCTIONS = {
    1: "spins",
    2: "sleeps",
    3: "holds_the_lock",
    4: "pauses",
    5: "locks",
    7: "sleeps",
    8: None,
}
"""Of each hang; a stopped process says nothing."""


@pytest.mark.parametrize(
    ("mode", "chosen", "triage", "told"),
    [
        (WORKERS, {*FUNCTIONS}, "sh -c 'echo looks at {pid}; exit 3'", r"looks at \d+\n\(exit status 3\)"),
        (ISOLATED, {3, 8}, "/no/such/tool {pid}", r"\(No such file or directory\)"),
    ],
    ids=["n2", "isolate"],
)
def test_every_hang_is_ended_and_named_where_it_is(
    pytester: pytest.Pytester, mode: tuple[str, ...], chosen: set[int], triage: str, told: str
) -> None:
    """In Python, in native code with and without the GIL, in fixtures, stopped; with the user's command."""
    write_tests(pytester, f"CHOSEN = {chosen}\n{HANGS}")
    result = run_pytest(
        pytester, "--repro-stress=9", "--repro-hang-time=1s", f"--repro-triage={triage}", *mode
    )
    assert result.ret == 1
    assert is_one_test_that_failed(result)
    (test,) = session_summary(pytester)["tests"]
    assert test["outcomes"] == {"passed": 9 - len(chosen), "hang": len(chosen)}
    failures = failures_of(pytester)
    assert {*failures} == chosen
    phases = {
        profile["iteration"]: profile["phases"][-1]
        for profile in json_lines(session_folder(pytester) / "profiling.jsonl")
    }
    for number, failure in failures.items():
        assert failure["message"].startswith("hung for ")
        hung_s = float(failure["message"].removeprefix("hung for ").removesuffix(" s"))
        assert failure["stage"] == {2: "setup", 7: "teardown"}.get(number, "call")
        assert failure["signature"]["function"] == FUNCTIONS[number]
        assert re.search(f"--repro-triage:\n{told}", failure["text"])
        if number not in (2, 7):
            assert "(call, phase x)" in failure["text"]
            assert phases[number]["is_open"]
            # Without the time that looking into the process took.
            assert phases[number]["duration_ns"] < (hung_s + 0.1) * 1e9
    assert "stopped by a signal (SIGSTOP)" in failures[8]["text"]
    if 5 in chosen:
        assert "in waits_for_ours\n" in failures[5]["text"]
    assert not (pytester.path / "went on").exists()


@OUTLIVING
def test_pytest_timeouts_thread_method_costs_one_iteration(
    pytester: pytest.Pytester, mode: tuple[str, ...]
) -> None:
    """It would end the process by itself: the watchdog does so in its place, and looks into it first."""
    write_tests(pytester, "def test_hangs(repro):\n    if repro.iteration == 3:\n        sleeps()\n")
    result = run_pytest(pytester, "--repro-stress=6", "--timeout=1", "--timeout-method=thread", *mode)
    assert result.ret == 1
    (test,) = session_summary(pytester)["tests"]
    assert test["outcomes"] == {"passed": 5, "hang": 1}
    assert "in sleeps\n" in failures_of(pytester)[3]["text"]


@OUTLIVING
def test_pytest_timeouts_signal_method_is_helped_where_it_cannot_help_itself(
    pytester: pytest.Pytester, mode: tuple[str, ...]
) -> None:
    """In Python it raises, a plain failure; Python's handler waits for native code to come back."""
    write_tests(
        pytester,
        """
import collections, itertools

def loops():
    collections.deque(itertools.repeat(0), maxlen=0)

def test_hangs(repro):
    {2: sleeps, 4: loops}.get(repro.iteration, int)()
""",
    )
    result = run_pytest(pytester, "--repro-stress=6", "--timeout=1", "--timeout-method=signal", *mode)
    assert result.ret == 1
    (test,) = session_summary(pytester)["tests"]
    assert test["outcomes"] == {"passed": 4, "failed": 1, "hang": 1}
    failures = failures_of(pytester)
    assert failures[2]["message"] == "Timeout (>1.0s) from pytest-timeout."
    assert failures[4]["message"].startswith("hung for ")
    assert "in loops\n" in failures[4]["text"]


@OUTLIVING
def test_a_conftests_own_timer_is_called_for_each_iteration(
    pytester: pytest.Pytester, mode: tuple[str, ...]
) -> None:
    """Also where the watchdog would take pytest-timeout's place."""
    pytester.makeconftest(
        """
        def pytest_timeout_set_timer(item, settings):
            with open("timers", "a") as file:
                file.write(f"{settings.timeout}\\n")
            return True

        def pytest_timeout_cancel_timer(item):
            return True
        """
    )
    write_tests(pytester, "def test_a():\n    pass\n")
    result = run_pytest(pytester, "--repro-stress=4", "--timeout=9", "--timeout-method=thread", *mode)
    assert result.ret == 0
    assert (pytester.path / "timers").read_text(encoding="utf-8").split() == ["9.0"] * 4


MODULE = """
@pytest.fixture(scope="module")
def module():
    yield
    try:
        open("ended", "x").close()
    except FileExistsError:
        return
    aborts()
"""


def test_a_module_fixture_that_dies_at_its_end_costs_the_last_iteration(pytester: pytest.Pytester) -> None:
    """It is torn down in it."""
    write_tests(pytester, f"{MODULE}\ndef test_a(module):\n    pass\n\ndef test_b(module):\n    pass\n")
    result = run_pytest(pytester, "--repro-stress=8", *WORKERS)
    assert result.ret == 1
    ran, died = session_summary(pytester)["tests"]
    assert ran["outcomes"] == {"passed": 8}
    assert died["outcomes"] == {"passed": 7, "crash": 1}
    (failure,) = failures_of(pytester).values()
    assert failure["stage"] == "teardown"
    assert "in module\n" in failure["text"]


def test_a_module_fixture_that_dies_after_the_last_iteration_changes_no_number(
    pytester: pytest.Pytester,
) -> None:
    """Nobody knew that it was the last: it has failed, and is counted once."""
    write_tests(pytester, f"{MODULE}\ndef test_a(module, repro):\n    assert repro.iteration < 3\n")
    result = run_pytest(pytester, "--repro-stress=8", "--repro-stop=1", "-n1")
    assert result.ret == 1
    result.assert_outcomes(failed=1)
    (test,) = session_summary(pytester)["tests"]
    assert (test["executed"], test["missing"], test["surplus"]) == (3, 5, 0)
    assert test["outcomes"] == {"passed": 2, "failed": 1}
    failed, died = json_lines(session_folder(pytester) / "failures.jsonl")
    assert (failed["iteration"], failed["outcome"], failed["stage"]) == (3, "failed", "call")
    assert (died["iteration"], died["outcome"], died["stage"]) == (3, "crash", "teardown")
    assert "in iteration 3 (the late teardown)" in died["text"]


CONFTEST = """
def pytest_handlecrashitem(crashitem, report, sched):
    with open("crashes", "a") as file:
        file.write(f"{crashitem} {report.outcome}\\n")
"""


@pytest.mark.parametrize("dist", ["load", "each", "loadscope"])
def test_a_conftests_own_handler_hears_of_every_death(pytester: pytest.Pytester, dist: str) -> None:
    """Also where a replacing worker dies; pytest counts one failed test."""
    pytester.makeconftest(CONFTEST)
    write_tests(pytester, "def test_a(repro):\n    if repro.iteration in (3, 5, 7):\n        leaves(3)\n")
    result = run_pytest(pytester, "--repro-stress=10", "-n2", f"--dist={dist}")
    assert result.ret == 1
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["  10 of 10 iterations ran, 3 failed*"])
    crashes = (pytester.path / "crashes").read_text(encoding="utf-8").splitlines()
    assert crashes == ["test_it.py::test_a failed"] * 3


def test_a_number_of_restarts_that_is_the_users_holds(pytester: pytest.Pytester) -> None:
    """What then did not run is stated."""
    write_tests(pytester, "def test_a(repro):\n    if repro.iteration > 2:\n        leaves(3)\n")
    result = run_pytest(pytester, "--repro-stress=100", "-n2", "--max-worker-restart=0")
    assert result.ret == 1
    result.stdout.fnmatch_lines(["*worker gw? crashed and worker restarting disabled*"])
    (test,) = session_summary(pytester)["tests"]
    assert test["outcomes"]["crash"] in {1, 2}
    assert test["executed"] + test["missing"] == 100
    result.stdout.fnmatch_lines(
        [f"  {test['executed']} of 100 iterations ran, {test['missing']} did not run*"]
    )


@pytest.mark.parametrize(
    ("options", "deaths", "line"),
    [
        (("-x",), 1, "*stopping after 1 failures*"),
        (("--repro-stop=2",), 2, "  * of 100 iterations ran, * did not run*, 2 failed*"),
        (("--repro-match=SIGKILL", "-x"), 3, "*stopping after 1 matching failures*"),
    ],
    ids=["x", "stop", "match"],
)
@OUTLIVING
def test_deaths_stop_a_test_as_failures_do(
    pytester: pytest.Pytester, mode: tuple[str, ...], options: tuple[str, ...], deaths: int, line: str
) -> None:
    """Where one bug is looked for, only it does."""
    write_tests(
        pytester,
        """
def test_a(repro):
    # One after the other, and each in the first slice of a worker.
    if repro.iteration in (2, 4, 6):
        kills() if repro.iteration == 6 else leaves(3)
    if repro.iteration > 6:
        time.sleep(0.5)
""",
    )
    result = run_pytest(pytester, "--repro-stress=100", *options, *mode)
    assert result.ret == 1
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines([line])
    (test,) = session_summary(pytester)["tests"]
    assert test["outcomes"]["crash"] == deaths
    assert test["executed"] < 60


def test_the_command_that_replays_a_crash_crashes(pytester: pytest.Pytester) -> None:
    """In pytest's own process, where the crash ends the session, and under -n."""
    write_tests(pytester, "def test_a(repro):\n    if repro.iteration == 3:\n        kills()\n")
    result = run_pytest(pytester, "--repro-stress=5", *WORKERS)
    command = re.search(r"^  replay: python -m pytest (.*)$", result.stdout.str(), re.MULTILINE)
    assert command is not None
    alone = run_alone(pytester, *shlex.split(command[1]))
    assert alone.returncode == -signal.SIGKILL
    assert "test_it.py::test_a: the process died in iteration 3 (call)" in alone.stderr
    again = run_pytest(pytester, *shlex.split(command[1]), *WORKERS)
    again.stdout.fnmatch_lines(["*the process died with SIGKILL in iteration 3 (call)"])


def test_a_fork_that_holds_the_pipe_of_a_dead_worker_holds_nothing_up(pytester: pytest.Pytester) -> None:
    """Xdist sees no end of the pipe before the fork has ended; what is left to do is done by then."""
    write_tests(
        pytester,
        """
def test_a(repro):
    if repro.iteration == 3:
        if os.fork() == 0:
            os.setsid()
            time.sleep(8)
            open("ended", "w").close()
            leaves(0)
        leaves(3)
    assert not os.path.exists("ended")
""",
    )
    result = run_pytest(pytester, "--repro-stress=8", "-n2")
    assert result.ret == 1
    (test,) = session_summary(pytester)["tests"]
    assert test["outcomes"] == {"passed": 7, "crash": 1}


def run_alone(pytester: pytest.Pytester, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Runs pytest without workers; who tells of its death ends a moment after it, and lets go of the pipe."""
    temporary = pytester.path / "temporary"
    temporary.mkdir(exist_ok=True)
    return subprocess.run(
        [sys.executable, "-m", "pytest", *arguments],
        cwd=pytester.path,
        env=os.environ | {"TMPDIR": str(temporary), MARK: str(pytester.path)},
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=False,
    )


def left_behind(pytester: pytest.Pytester) -> list[object]:
    """Processes, and folders that only the run itself needs."""
    return [*processes_of(str(pytester.path)), *(pytester.path / "temporary").glob("pytest-repro-*")]


@pytest.mark.parametrize(
    ("deed", "options", "status", "seen"),
    [
        ("falls()", (), -signal.SIGSEGV, "in falls\n"),
        ("falls()", ("-s",), -signal.SIGSEGV, "in falls\n"),
        ("falls()", ("-p", "no:faulthandler"), -signal.SIGSEGV, ""),
        ("kills()", (), -signal.SIGKILL, ""),
        ("leaves(0)", (), 6, ""),
        ("leaves(3)", (), 3, ""),
        ("os.closerange(3, 1_000); kills()", ("-s",), -signal.SIGKILL, ""),
    ],
    ids=["segv", "not captured", "no faulthandler", "kill", "exit 0", "exit 3", "all files closed"],
)
def test_the_end_of_pytests_own_process_is_told_by_another(
    pytester: pytest.Pytester, deed: str, options: tuple[str, ...], status: int, seen: str
) -> None:
    """The records hold all that had finished, nothing is left behind, and 0 is no status of it."""
    write_tests(
        pytester,
        f"def test_a(repro):\n    with repro.phase('x'):\n"
        f"        if repro.iteration == 5:\n            {deed}\n",
    )
    result = run_alone(pytester, "--repro-stress=10", *options)
    assert result.returncode == status
    assert "pytest-repro: test_it.py::test_a: the process died" in result.stderr
    assert "in iteration 5 (call, phase x)" in result.stderr
    assert seen in result.stderr
    assert "This ended the session: without -n or --repro-isolate" in result.stderr
    assert re.search(r"^to go on past it: python -m pytest .* --repro-isolate$", result.stderr, re.MULTILINE)
    assert recorded(pytester) == [1, 2, 3, 4]
    assert failures_of(pytester)[5]["outcome"] == "crash"
    assert left_behind(pytester) == []


def test_a_test_that_closes_the_files_of_pytests_output_is_told_of(pytester: pytest.Pytester) -> None:
    """By the only process that can still speak; what had finished is in the records."""
    write_tests(pytester, "def test_a(repro):\n    if repro.iteration == 3:\n        os.closerange(3, 100)\n")
    result = run_alone(pytester, "--repro-stress=10")
    assert result.returncode == 1
    assert "pytest-repro: a test has closed files of pytest's own, which ended the session" in result.stderr
    assert recorded(pytester) == [1, 2]
    assert left_behind(pytester) == []


def test_a_hang_of_pytests_own_process_ends_the_session(pytester: pytest.Pytester) -> None:
    """From outside, with its stacks and the user's command."""
    write_tests(pytester, "def test_a(repro):\n    if repro.iteration == 3:\n        holds_the_lock()\n")
    triage = "--repro-triage=echo looks at {pid}"
    result = run_alone(pytester, "--repro-stress=10", "--repro-hang-time=1s", triage)
    assert result.returncode == -signal.SIGKILL
    assert re.search(r"test_it.py::test_a: hung for \d\.\d s in iteration 3 \(call\)", result.stderr)
    assert "in holds_the_lock\n" in result.stderr
    assert re.search(r"--repro-triage:\nlooks at \d+\n", result.stderr)
    assert "This ended the session" in result.stderr
    assert recorded(pytester) == [1, 2]
    assert failures_of(pytester)[3]["outcome"] == "hang"
    assert left_behind(pytester) == []


def test_a_fork_that_outlives_pytest_does_not_keep_its_death_from_being_told(
    pytester: pytest.Pytester,
) -> None:
    """It has all pipes of its parent open, but for those that whoever waits for pytest reads."""
    write_tests(
        pytester,
        """
def test_a(repro):
    if repro.iteration == 3:
        if os.fork() == 0:
            os.setsid()
            for descriptor in (1, 2):
                os.dup2(os.open(os.devnull, os.O_WRONLY), descriptor)
            time.sleep(20)
            leaves(0)
        kills()
""",
    )
    # pytest's faulthandler would have one more copy of the error output.
    result = run_alone(pytester, "--repro-stress=10", "-s", "-p", "no:faulthandler")
    ((pid, _),) = processes_of(str(pytester.path))
    os.kill(pid, signal.SIGKILL)
    assert result.returncode == -signal.SIGKILL
    assert "test_it.py::test_a: the process died in iteration 3 (call)" in result.stderr
    assert recorded(pytester) == [1, 2]


def test_a_session_that_ends_well_leaves_nothing_behind(pytester: pytest.Pytester) -> None:
    """Whoever would have told of its death is gone with it."""
    write_tests(pytester, "def test_a():\n    pass\n")
    result = run_alone(pytester, "--repro-stress=10")
    assert (result.returncode, result.stderr) == (0, "")
    assert left_behind(pytester) == []


def test_a_test_that_closes_its_workers_channel_fails_and_is_told_once(pytester: pytest.Pytester) -> None:
    """Each iteration that did is a crash, counted, recorded and no second outcome."""
    write_tests(
        pytester, "def test_a(repro):\n    if repro.iteration in (3, 6):\n        os.closerange(3, 100)\n"
    )
    result = run_pytest(pytester, "--repro-stress=8", "-n2", "--junit-xml=junit.xml")
    assert result.ret == 1
    assert is_one_test_that_failed(result)
    (test,) = session_summary(pytester)["tests"]
    assert test["outcomes"] == {"passed": 6, "crash": 2}
    assert session_summary(pytester)["workers_replaced"] == 2
    assert {*failures_of(pytester)} == {3, 6}
    assert (pytester.path / "junit.xml").read_text().count("<testcase") == 1
    result.stdout.no_fnmatch_line("*outside of any iteration*")


def test_a_worker_that_is_not_replaced_is_not_said_to_be(pytester: pytest.Pytester) -> None:
    """The limit is named, and workers_replaced counts only those in whose place another was started."""
    write_tests(pytester, "def test_a(repro):\n    if repro.iteration > 2:\n        leaves(3)\n")
    result = run_pytest(pytester, "--repro-stress=100", "-n2", "--max-worker-restart=1")
    assert session_summary(pytester)["workers_replaced"] == 1
    result.stdout.fnmatch_lines(["*; the worker is replaced*", "*; not replaced (--max-worker-restart 1)*"])


def test_the_time_of_a_stress_run_ends_however_many_workers_die(pytester: pytest.Pytester) -> None:
    """Each replacement has what is left, and every test gets an iteration."""
    tests = "N = []\ndef test_dies():\n    N.append(0)\n    if len(N) == 2:\n        leaves(3)\n"
    write_tests(pytester, f"{tests}\ndef test_ok():\n    pass\n")
    result = run_pytest(pytester, "--repro-stress-time=4s", "-n2")
    assert result.ret == 1
    iterations = json_lines(session_folder(pytester) / "iterations.jsonl")
    starts = [batch["started_ns"] for batch in iterations]
    assert max(starts) - min(starts) < 8 * 10**9
    dies, ok = session_summary(pytester)["tests"]
    assert dies["outcomes"]["crash"] > 1
    assert ok["outcomes"]["passed"] > 0
