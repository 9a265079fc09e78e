"""Commands that may fail, hang, print without end or leave children behind: they end."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from pytest_repro.clock import monotonic_ns
from pytest_repro.stress.bounded import Output, run_bounded

LIMIT_BYTES = 1000
LONG_NS = 60 * 10**9


def _run(script: str, *, limit_ns: int = LONG_NS) -> Output:
    return run_bounded(("sh", "-c", script), limit_ns=limit_ns, limit_bytes=LIMIT_BYTES)


def _has_ended(pid: int) -> bool:
    """Waits for the end of a killed process; nobody may have asked for its status yet."""
    deadline_ns = monotonic_ns() + LONG_NS
    while monotonic_ns() < deadline_ns:
        try:
            state = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0]
        except OSError:
            return True
        if state in "ZX":
            return True
    return False


def test_a_command_that_works_has_no_problem() -> None:
    """Both of its streams are kept."""
    assert _run("echo out; echo err >&2") == Output(problem=None, text="out\nerr\n")


@pytest.mark.parametrize(
    ("script", "problem"), [("exit 3", "exit status 3"), ("kill -9 $$", "killed by signal 9")]
)
def test_a_command_that_fails_says_how(script: str, problem: str) -> None:
    """Its status is the answer."""
    assert _run(script).problem == problem


@pytest.mark.parametrize("name", ["no-such-command-of-ours", "/", "a\0b"])
def test_a_command_that_cannot_be_started_is_a_problem_and_no_exception(name: str) -> None:
    """Not found, a folder, or no name at all."""
    end = run_bounded((name,), limit_ns=LONG_NS, limit_bytes=LIMIT_BYTES)
    assert end.problem
    assert end.text == ""


def test_a_command_that_hangs_is_killed_with_its_children(tmp_path: Path) -> None:
    """Also one that does not listen; what it had said is kept."""
    pids = tmp_path / "pids"
    script = f"trap '' TERM; echo begun; sh -c 'echo $$ > {pids}; exec sleep 600' & wait; sleep 600"
    end = _run(script, limit_ns=500_000_000)
    assert end == Output(problem="no end within 0.5 s", text="begun\n")
    assert _has_ended(int(pids.read_text(encoding="utf-8")))


def test_a_child_that_keeps_the_pipe_open_holds_nothing_up() -> None:
    """The command has ended, and that is what counts."""
    began_ns = monotonic_ns()
    assert _run("sleep 600 & echo done") == Output(problem=None, text="done\n")
    assert monotonic_ns() - began_ns < LONG_NS


def test_a_command_that_closes_its_output_is_waited_for() -> None:
    """The end of the pipe is not the end of the command."""
    assert _run("exec >&- 2>&-; sleep 0.2; exit 4").problem == "exit status 4"


def test_of_megabytes_the_end_is_kept() -> None:
    """A pipe that nobody reads would stop the command."""
    end = _run("head -c 5000000 /dev/zero | tr '\\0' x; echo; echo last")
    assert end.problem is None
    assert len(end.text) == LIMIT_BYTES
    assert end.text.endswith("x\nlast\n")


def test_a_command_that_prints_for_ever_is_ended() -> None:
    """There is always something to read."""
    assert _run("yes", limit_ns=300_000_000).problem == "no end within 0.3 s"


def test_ctrl_c_ends_the_command_too(tmp_path: Path) -> None:
    """It is in a group of its own, which no terminal reaches."""
    pids = tmp_path / "pid"
    script = f"echo $$ > {pids}; sleep 0.3; kill -2 {os.getpid()}; sleep 600"
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt):
            _run(script)
    finally:
        signal.signal(signal.SIGINT, before)
    assert _has_ended(int(pids.read_text(encoding="utf-8")))
