"""What stands in the records when a session is broken off, and when they cannot be written."""

from __future__ import annotations

import os
import pty
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from pytest_repro.store import SessionState, read_json_lines, session_state
from tests.acceptance.processes import LIMIT_S, Started
from tests.acceptance.sessions import run_pytest, session_folder, session_summary

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks for processes in /proc")

DONE = """
    import os, time

    def test_a(repro):
        time.sleep(0.004)
        descriptor = os.open("done", os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        os.write(descriptor, f"{time.monotonic_ns()} {repro.iteration}\\n".encode())
        os.close(descriptor)
"""


@pytest.mark.parametrize("way", [(), ("-n2",), ("--repro-isolate",), ("-n2", "--repro-isolate")])
def test_a_killed_controller_leaves_readable_records_and_no_process(
    pytester: pytest.Pytester, way: tuple[str, ...]
) -> None:
    """All that finished up to a second before is there, marked as unfinished."""
    pytester.makepyfile(test_it=DONE)
    started = Started(pytester.path, "--repro-stress=1000000", *way)
    enough = 3 if "--repro-isolate" in way else 200
    started.wait_for(lambda: len(started.recorded()) > enough, what="iterations")
    assert session_state(started.session()) is SessionState.RUNNING
    killed_ns = time.monotonic_ns()
    os.kill(started.pid, signal.SIGKILL)
    assert started.wait() == -signal.SIGKILL
    assert started.left_behind() == []
    assert session_state(started.session()) is SessionState.UNFINISHED
    assert not (started.session() / "summary.json").exists()
    done = [line.split() for line in (pytester.path / "done").read_text(encoding="utf-8").splitlines()]
    before = {int(number) for ended_ns, number in done if int(ended_ns) < killed_ns - 1_000_000_000}
    recorded = {iteration for _, iteration in started.recorded()}
    assert before <= recorded
    assert recorded <= {int(number) for _, number in done}


def test_an_isolated_process_that_still_starts_goes_with_the_controller(pytester: pytest.Pytester) -> None:
    """It has not come to a test, not even to the end of its conftest."""
    pytester.makeconftest(
        """
        import os, time

        if os.environ.get("PYTEST_REPRO_ISOLATED"):
            open("starts", "w").close()
            time.sleep(600)
        """
    )
    pytester.makepyfile("def test_a():\n    pass")
    started = Started(pytester.path, "--repro-stress=3", "--repro-isolate")
    started.wait_for((pytester.path / "starts").exists, what="process of its own")
    os.kill(started.pid, signal.SIGKILL)
    started.wait()
    assert started.left_behind() == []


def test_a_finished_session_says_so(pytester: pytest.Pytester) -> None:
    """Of a stress run, of a timing session, and of the gate."""
    pytester.makepyfile("def test_a(repro):\n    with repro.phase('a'):\n        pass")
    for arguments in (("--repro-stress=2",), ("--repro-timing",), ("--verify-runs=1",)):
        assert run_pytest(pytester, *arguments).ret == 0
    states = [session_state(path) for path in (pytester.path / ".pytest_repro" / "sessions").iterdir()]
    assert states == [SessionState.FINISHED] * 3


REMOVED = """
    import os, shutil

    def test_a(repro):
        if repro.iteration == 20:
            # At once: the controller may write into the folder while it is emptied.
            os.rename(".pytest_repro", "away")
            shutil.rmtree("away", ignore_errors=True)
        assert repro.iteration not in (10, 30)
"""

IN_THE_WAY = """
    import os, shutil

    def test_a(repro):
        if repro.iteration == 20:
            # At once: the controller may write into the folder while it is emptied.
            os.rename(".pytest_repro", "away")
            shutil.rmtree("away", ignore_errors=True)
            open(".pytest_repro", "w").close()
        assert repro.iteration not in (10, 30)
"""

NO_ROOM = """
    def test_a(repro):
        assert repro.iteration not in (10, 30)
"""

LIMIT_OF_ALL_FILES = """
    import resource, signal

    import pytest

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(session):
        if not hasattr(session.config, "workerinput"):
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            resource.setrlimit(resource.RLIMIT_FSIZE, (3000, resource.RLIM_INFINITY))
"""


@pytest.mark.parametrize("workers", [(), ("-n2",)], ids=["alone", "n2"])
@pytest.mark.parametrize(
    ("test", "conftest", "said"),
    [
        (REMOVED, "", "No such file or directory"),
        (IN_THE_WAY, "", "No* directory"),
        (NO_ROOM, LIMIT_OF_ALL_FILES, "File too large"),
    ],
    ids=["removed", "in the way", "no room"],
)
def test_records_that_cannot_be_written_change_no_result(
    pytester: pytest.Pytester, workers: tuple[str, ...], test: str, conftest: str, said: str
) -> None:
    """The run goes on, counts as ever, and says what is missing and why."""
    pytester.makepyfile(test_it=test, conftest=conftest)
    result = run_pytest(pytester, "--repro-stress=2000", "--repro-stop=3", *workers)
    assert result.ret == 1, result.stdout.str()
    result.stdout.fnmatch_lines(
        ["2,000 iterations of 1 test ran, 2 failures in 1 test, seed *", f"records are incomplete: {said} (*"]
    )
    assert "INTERNALERROR" not in result.stdout.str()
    for path in (pytester.path / ".pytest_repro").glob("sessions/*/*.jsonl"):
        assert read_json_lines(path)


@pytest.mark.slow
def test_standard_output_that_nobody_reads_ends_nothing(pytester: pytest.Pytester) -> None:
    """As in `| head -1`: the run goes on, is recorded whole, and keeps its exit status."""
    pytester.makepyfile("def test_a(repro):\n    assert repro.iteration != 15")
    for workers in ((), ("-n2",)):
        reading, writing = os.pipe()
        session = subprocess.Popen(
            [sys.executable, "-m", "pytest", "--repro-stress=20", "-v", *workers],
            cwd=pytester.path,
            stdout=writing,
            stderr=subprocess.PIPE,
            text=True,
        )
        os.close(writing)
        assert os.read(reading, 10) == b"=========="
        os.close(reading)
        _, told = session.communicate(timeout=LIMIT_S)
        assert session.returncode == 1
        assert told == "pytest: standard output is lost (Broken pipe); the session goes on\n"
        summary = session_summary(pytester)
        assert (summary["iterations_executed"], summary["failures"], summary["exit_status"]) == (20, 1, 1)
        shutil.rmtree(pytester.path / ".pytest_repro")


def test_a_terminal_that_disappears_loses_nothing(pytester: pytest.Pytester) -> None:
    """The system sends SIGHUP: the run ends in order, though nobody sees it."""
    pytester.makepyfile("import time\ndef test_a():\n    time.sleep(0.01)")
    pid, terminal = pty.fork()
    if pid == 0:
        os.chdir(pytester.path)
        os.execv(sys.executable, [sys.executable, "-m", "pytest", "--repro-stress=100000", "-n2"])
    seen = b""
    while not re.search(rb"[1-9][0-9,]* of 100,000 iterations", seen):
        seen += os.read(terminal, 1000)
    os.close(terminal)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 2
    summary = session_summary(pytester)
    assert summary["exit_status"] == 2
    assert summary["iterations_executed"] > 0


def test_a_full_disk_under_standard_output_changes_no_exit_status(pytester: pytest.Pytester) -> None:
    """Nothing is lost but the words."""
    pytester.makepyfile("def test_a():\n    pass")
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            [sys.executable, "-m", "pytest", "--repro-stress=3"],
            cwd=pytester.path,
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
            timeout=LIMIT_S,
        )
    assert done.returncode == 0
    assert done.stderr == "pytest: standard output is lost (No space left on device); the session goes on\n"
    assert session_summary(pytester)["iterations_executed"] == 3


NO_TEMPORARY = """
    import pytest, tempfile

    @pytest.hookimpl(tryfirst=True)
    def pytest_configure():
        tempfile.tempdir = "/dev/null/no"
"""


@pytest.mark.parametrize("way", [("-n2",), ("--repro-isolate",), ("-n2", "--repro-isolate")])
def test_without_a_temporary_folder_that_of_the_records_does(
    pytester: pytest.Pytester, way: tuple[str, ...]
) -> None:
    """Pytest itself is told where else its temporary files may go."""
    pytester.makepyfile("def test_a(repro):\n    assert repro.iteration != 2")
    pytester.makeconftest(NO_TEMPORARY)
    result = run_pytest(pytester, "--repro-stress=4", *way)
    assert result.ret == 1, result.stdout.str()
    assert session_summary(pytester)["failures"] == 1
    assert (
        sorted(path.suffix for path in session_folder(pytester).iterdir()) == [".json"] * 3 + [".jsonl"] * 2
    )


def test_with_no_place_for_shared_files_nothing_starts(pytester: pytest.Pytester) -> None:
    """Neither a temporary folder nor one for records: the next step is said."""
    (pytester.path / ".pytest_repro").write_text("", encoding="utf-8")
    pytester.makepyfile("def test_a():\n    pass")
    pytester.makeconftest(NO_TEMPORARY)
    result = run_pytest(pytester, "--repro-stress=3", "-n2")
    assert result.ret == 4
    fact = "ERROR: --repro-stress needs a folder for temporary files: *"
    result.stderr.fnmatch_lines([f"{fact} Set TMPDIR to a folder that can be written."])


def test_a_folder_that_cannot_be_made_is_said(pytester: pytest.Pytester) -> None:
    """A file stands in its place."""
    (pytester.path / ".pytest_repro").write_text("", encoding="utf-8")
    pytester.makepyfile("def test_a():\n    pass")
    result = run_pytest(pytester, "--repro-stress=3")
    assert result.ret == 0
    result.stdout.fnmatch_lines(
        ["3 iterations of 1 test ran, no failure, *", "records are incomplete: Not a *"]
    )
