"""Ctrl-C and SIGTERM: a stress run ends in order, and nothing that finished is lost."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from pytest_repro.store import SessionState, session_state
from tests.acceptance.processes import Started
from tests.acceptance.sessions import run_pytest, session_summary

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks for processes in /proc")

CASES = (
    *(((), number, send) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP) for send in (os.kill,)),
    *(
        (("-n2",), number, send)
        for number in (signal.SIGINT, signal.SIGTERM)
        for send in (os.kill, os.killpg)
    ),
    (("--repro-isolate",), signal.SIGINT, os.killpg),
    (("--repro-isolate",), signal.SIGTERM, os.kill),
    (("-n2", "--repro-isolate"), signal.SIGINT, os.killpg),
    (("-n2", "--repro-isolate"), signal.SIGTERM, os.kill),
)
"""How tests are run, what is sent, and whether to the whole group (as a terminal does) or the controller."""

NOTED = """
    import os, time

    import pytest

    def note(name, line):
        descriptor = os.open(name, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        os.write(descriptor, f"{line}\\n".encode())
        os.close(descriptor)

    @pytest.fixture(scope="module", autouse=True)
    def device():
        yield
        note("closed", os.getpid())

    def test_a(repro):
        time.sleep(0.004)
        note("done", repro.iteration)
"""


def noted(folder: Path, name: str = "done") -> list[int]:
    """Returns the numbers that a test has written."""
    path = folder / name
    return [int(line) for line in path.read_text(encoding="utf-8").splitlines()] if path.exists() else []


def case_name(case: object) -> str:
    """Names a part of a case in the test's id."""
    if isinstance(case, tuple):
        return " ".join(case) or "alone"
    return case.name if isinstance(case, signal.Signals) else getattr(case, "__name__", "")


@pytest.mark.parametrize(("way", "number", "send"), CASES, ids=case_name)
def test_one_signal_ends_the_run_and_loses_nothing(
    pytester: pytest.Pytester, way: tuple[str, ...], number: signal.Signals, send: Callable[[int, int], None]
) -> None:
    """Exit status 2; summary and records hold all that finished and nothing else; no process stays."""
    pytester.makepyfile(test_it=NOTED)
    started = Started(pytester.path, "--repro-stress=1000000", "-v", *way)
    enough = 3 if "--repro-isolate" in way else 100
    started.wait_for(lambda: len(started.recorded()) > enough, what="iterations")
    send(started.pid, number)
    assert started.wait() == 2, started.text()
    done = set(noted(pytester.path))
    recorded = {iteration for _, iteration in started.recorded()}
    processes = 2 if "-n2" in way else 1
    # What a signal met after its last line, but before its end, did not finish.
    assert recorded <= done
    assert len(done - recorded) <= processes
    summary = session_summary(pytester)
    assert summary["exit_status"] == 2
    assert summary["iterations_executed"] == len(recorded)
    assert summary["tests"][0]["missing"] == 1_000_000 - len(recorded)
    assert summary["failures"] == 0
    text = started.text()
    assert f"{len(recorded):,} iterations of 1 test ran, no failure, " in text
    assert "Traceback" not in text
    assert session_state(started.session()) is SessionState.FINISHED
    assert started.left_behind() == []
    if "--repro-isolate" not in way:
        assert len(set(noted(pytester.path, "closed"))) == processes


@pytest.mark.parametrize("way", [(), ("-n2",)], ids=case_name)
def test_a_second_signal_ends_the_run_at_once(pytester: pytest.Pytester, way: tuple[str, ...]) -> None:
    """A teardown that hangs is not waited for; summary and exit status are there all the same."""
    pytester.makepyfile(
        test_it=NOTED,
        conftest="""
        import time

        import pytest

        @pytest.fixture(scope="session", autouse=True)
        def hangs():
            yield
            open("hangs", "w").close()
            time.sleep(600)
        """,
    )
    started = Started(pytester.path, "--repro-stress=1000000", *way)
    started.wait_for(lambda: len(started.recorded()) > 3, what="iterations")
    started.process.send_signal(signal.SIGINT)
    started.wait_for((pytester.path / "hangs").exists, what="teardown")
    began = time.monotonic()
    started.process.send_signal(signal.SIGINT)
    assert started.wait() == 2, started.text()
    # Less than the time that the workers would have.
    assert time.monotonic() - began < 5
    assert f"records: .pytest_repro/sessions/{started.session().name}" in started.text()
    summary = session_summary(pytester)
    assert summary["exit_status"] == 2
    assert summary["iterations_executed"] == len(started.recorded())
    assert session_state(started.session()) is SessionState.FINISHED
    assert started.left_behind() == []


def test_an_isolated_process_that_hangs_is_ended(pytester: pytest.Pytester) -> None:
    """It is out of reach of the terminal's Ctrl-C, and goes with the run."""
    pytester.makepyfile(
        """
        import time

        def test_hangs(repro):
            if repro.iteration == 3:
                open("hangs", "w").close()
                time.sleep(600)
        """
    )
    started = Started(pytester.path, "--repro-stress=6", "--repro-isolate")
    started.wait_for((pytester.path / "hangs").exists, what="iteration")
    os.killpg(started.pid, signal.SIGINT)
    assert started.wait() == 2, started.text()
    assert started.recorded() == {
        ("test_an_isolated_process_that_hangs_is_ended.py::test_hangs", 1),
        ("test_an_isolated_process_that_hangs_is_ended.py::test_hangs", 2),
    }
    assert started.left_behind() == []


@pytest.mark.slow
def test_workers_that_do_not_hear_are_not_waited_for_forever(pytester: pytest.Pytester) -> None:
    """A test that swallows everything costs its worker, after a time."""
    pytester.makepyfile(
        """
        import time

        def test_deaf(repro):
            while repro.iteration in (3, 1003):
                try:
                    time.sleep(600)
                except BaseException:
                    pass
        """
    )
    started = Started(pytester.path, "--repro-stress=2000", "-n2", "--dist=load")
    started.wait_for(lambda: len(started.recorded()) >= 2, what="iterations")
    started.process.send_signal(signal.SIGTERM)
    assert started.wait() == 2, started.text()
    assert session_summary(pytester)["iterations_executed"] == len(started.recorded())
    assert "crash" not in session_summary(pytester)["tests"][0]["outcomes"]
    assert started.left_behind() == []


@pytest.mark.parametrize("way", [(), ("-n2",)], ids=case_name)
def test_signals_of_a_test_are_its_own(pytester: pytest.Pytester, way: tuple[str, ...]) -> None:
    """It sees Python's handler of SIGINT and can catch its own; what it forks dies of SIGTERM as ever."""
    pytester.makepyfile(
        """
        import multiprocessing, os, signal, time

        import pytest

        def test_interrupts_itself():
            assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
            with pytest.raises(KeyboardInterrupt):
                os.kill(os.getpid(), signal.SIGINT)
                time.sleep(5)

        def test_terminates_its_child():
            child = multiprocessing.get_context("fork").Process(target=time.sleep, args=(60,))
            child.start()
            child.terminate()
            child.join()
            assert child.exitcode == -signal.SIGTERM

        def test_handles_termination():
            before = signal.signal(signal.SIGTERM, lambda *_: seen.append(1))
            seen = []
            os.kill(os.getpid(), signal.SIGTERM)
            signal.signal(signal.SIGTERM, before)
            assert seen == [1]
        """
    )
    result = run_pytest(pytester, "--repro-stress=6", *way)
    assert result.ret == 0, result.stdout.str()
    assert session_summary(pytester)["iterations_executed"] == 18


def test_a_worker_that_terminates_itself_has_crashed(pytester: pytest.Pytester) -> None:
    """SIGTERM for one worker alone is no end of the session."""
    pytester.makepyfile(
        """
        import os, signal

        def test_dies(repro):
            if repro.iteration == 3:
                os.kill(os.getpid(), signal.SIGTERM)
        """
    )
    assert run_pytest(pytester, "--repro-stress=6", "-n2").ret == 1
    assert session_summary(pytester)["tests"][0]["outcomes"]["crash"] == 1


def test_who_handles_termination_already_goes_on_to(pytester: pytest.Pytester) -> None:
    """A handler of the user's own conftest is not replaced, and ours is taken off at the end."""
    pytester.makeconftest(
        """
        import signal

        def ours(*_):
            pass

        def pytest_configure():
            signal.signal(signal.SIGTERM, ours)

        def pytest_unconfigure():
            print("SIGHUP", signal.getsignal(signal.SIGHUP).name)
        """
    )
    pytester.makepyfile(
        """
        import signal

        def test_handler():
            assert signal.getsignal(signal.SIGTERM).__name__ == "ours"
            assert signal.getsignal(signal.SIGHUP) is not signal.SIG_DFL
        """
    )
    result = run_pytest(pytester, "--repro-stress=3")
    assert result.ret == 0, result.stdout.str()
    result.stdout.fnmatch_lines(["*SIGHUP SIG_DFL*"])


def test_a_run_that_is_ended_while_its_workers_start_says_that_nothing_ran(pytester: pytest.Pytester) -> None:
    """Exit status 2, a summary with nothing in it, and no worker that goes on starting."""
    pytester.makeconftest(
        """
        import time

        def pytest_configure(config):
            if hasattr(config, "workerinput"):
                open("starts", "w").close()
                time.sleep(3)
        """
    )
    pytester.makepyfile("def test_a():\n    pass")
    started = Started(pytester.path, "--repro-stress=3", "-n2")
    started.wait_for((pytester.path / "starts").exists, what="worker")
    started.process.send_signal(signal.SIGTERM)
    assert started.wait() == 2, started.text()
    assert session_summary(pytester)["exit_status"] == 2
    assert session_summary(pytester)["iterations_executed"] == 0
    assert started.left_behind() == []
