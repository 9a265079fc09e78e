"""When an iteration hangs, and which processes end with the one that does."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from pytest_repro.processes import descendants_of, end_process
from pytest_repro.stress import watchdog
from pytest_repro.stress.recorder import Activity, Position
from pytest_repro.stress.watchdog import (
    GRACE_NS,
    examine,
    examine_crash,
    is_same_iteration,
    overdue_ns,
    parse_triage,
)

SECOND_NS = 10**9

POSITION = Position(
    pid=1,
    activity=Activity.CALL,
    test_index=0,
    slice_first=1,
    step=1,
    iteration=4,
    began_ns=100 * SECOND_NS,
    since_ns=101 * SECOND_NS,
    phase="",
    limit_ns=None,
    is_limit_of_call=False,
    unsent_first=1,
    unsent=(),
)


def overdue(position: Position, at_s: float, *, hang_s: int | None = None) -> float | None:
    """Seconds that the iteration has taken at this time, None if it does not hang."""
    hang_ns = None if hang_s is None else hang_s * SECOND_NS
    taken_ns = overdue_ns(position, now_ns=round(at_s * SECOND_NS), hang_ns=hang_ns)
    return None if taken_ns is None else taken_ns / SECOND_NS


@pytest.mark.parametrize("activity", [Activity.SETUP, Activity.CALL, Activity.TEARDOWN])
def test_an_iteration_hangs_beyond_the_hang_time_in_whichever_stage(activity: Activity) -> None:
    """All of it counts, from its beginning on."""
    position = replace(POSITION, activity=activity)
    assert overdue(position, 105, hang_s=5) is None
    assert overdue(position, 105.5, hang_s=5) == 5.5


@pytest.mark.parametrize("activity", [Activity.IDLE, Activity.BETWEEN])
def test_what_is_no_iteration_does_not_hang(activity: Activity) -> None:
    """However long it takes: xdist may have nothing to do for a worker."""
    position = replace(POSITION, activity=activity, limit_ns=SECOND_NS)
    assert overdue(position, 9_999, hang_s=1) is None
    assert overdue(position, 9_999) is None


def test_without_any_limit_nothing_hangs() -> None:
    """A test may take an hour."""
    assert overdue(POSITION, 9_999) is None


def test_the_late_teardown_has_time_of_its_own() -> None:
    """Its iteration has ended long ago."""
    position = replace(POSITION, activity=Activity.CLOSING, began_ns=0, since_ns=200 * SECOND_NS)
    assert overdue(position, 205, hang_s=5) is None
    assert overdue(position, 206, hang_s=5) == 6
    limited = replace(position, limit_ns=3 * SECOND_NS)
    assert overdue(limited, 204) is None
    assert overdue(limited, 204.5) == 4.5


def test_pytest_timeout_gets_time_to_end_it_by_itself() -> None:
    """A second beyond its limit."""
    assert GRACE_NS == SECOND_NS
    position = replace(POSITION, limit_ns=3 * SECOND_NS)
    assert overdue(position, 104) is None
    assert overdue(position, 104.1) == pytest.approx(4.1)


@pytest.mark.parametrize("at_s", [105, 150])
def test_the_hang_time_holds_in_the_place_of_pytest_timeouts_limit(at_s: float) -> None:
    """Whichever is longer."""
    position = replace(POSITION, limit_ns=3 * SECOND_NS)
    assert overdue(position, at_s, hang_s=60) is None
    assert overdue(replace(POSITION, limit_ns=999 * SECOND_NS), at_s, hang_s=4) == at_s - 100


def test_a_limit_of_the_call_alone_leaves_fixtures_their_time() -> None:
    """`timeout_func_only`: from the beginning of the call on."""
    position = replace(
        POSITION, limit_ns=3 * SECOND_NS, is_limit_of_call=True, began_ns=0, since_ns=50 * SECOND_NS
    )
    assert overdue(position, 54) is None
    assert overdue(position, 54.5) == 54.5
    for activity in (Activity.SETUP, Activity.TEARDOWN, Activity.CLOSING):
        assert overdue(replace(position, activity=activity), 999) is None


def test_a_teardown_that_began_after_the_limit_has_time_of_its_own() -> None:
    """pytest-timeout has ended the call: fixtures are then torn down."""
    position = replace(POSITION, activity=Activity.TEARDOWN, limit_ns=3 * SECOND_NS)
    late = replace(position, since_ns=103 * SECOND_NS + 1)
    assert overdue(late, 106.9) is None
    assert overdue(late, 107.1) == pytest.approx(7.1)
    in_time = replace(position, since_ns=103 * SECOND_NS)
    assert overdue(in_time, 104.1) == pytest.approx(4.1)


def test_an_iteration_is_the_same_until_it_is_left() -> None:
    """Whichever stage it is in; another iteration may have the same number."""
    assert is_same_iteration(POSITION, replace(POSITION, activity=Activity.TEARDOWN, since_ns=7))
    assert not is_same_iteration(POSITION, replace(POSITION, iteration=5))
    assert not is_same_iteration(POSITION, replace(POSITION, test_index=1))
    assert not is_same_iteration(POSITION, replace(POSITION, began_ns=7))
    closing = replace(POSITION, activity=Activity.CLOSING)
    assert is_same_iteration(closing, closing)
    assert not is_same_iteration(closing, replace(closing, activity=Activity.IDLE))


def test_the_command_for_triage_is_read_as_a_shell_reads_words() -> None:
    """No shell runs it."""
    assert parse_triage("gdb -p {pid} -ex 'thread apply all bt'") == (
        "gdb",
        "-p",
        "{pid}",
        "-ex",
        "thread apply all bt",
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "a command such as 'gdb -batch -p {pid}'"),
        ("  ", "a command such as 'gdb -batch -p {pid}'"),
        ("gdb 'x", r"a command with matching quotes \(No closing quotation\)"),
    ],
)
def test_a_command_for_triage_that_is_none_is_refused(text: str, message: str) -> None:
    """The words come after `must be`."""
    with pytest.raises(ValueError, match=message):
        parse_triage(text)


TREE = """
import os, sys, time

if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        os.write(1, f"{os.getpid()} {os.getppid()}\\n".encode())
        time.sleep(60)
    time.sleep(60)
time.sleep(60)
"""


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="the tree is read from /proc")
def test_a_process_is_ended_with_all_that_it_started_but_the_one_that_is_spared() -> None:
    """Also what is in a session of its own; what others started is not touched."""
    command = [sys.executable, "-c", TREE]
    other = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        grandchild, child = map(int, process.stdout.readline().split())
        try:
            assert descendants_of(process.pid) == [child, grandchild]
            assert {process.pid, child, grandchild, other.pid} <= set(descendants_of(os.getpid()))
            end_process(process.pid, spared=child)
            assert process.wait() == -signal.SIGKILL
            os.kill(child, 0)
        finally:
            os.kill(child, signal.SIGKILL)
        # The pipe is at its end when the last of them has let go of it.
        assert process.stdout.read() == ""
    other.communicate(b"\n")
    assert other.returncode == 0


def test_a_process_that_is_gone_has_no_descendants_and_is_ended() -> None:
    """It may end by itself meanwhile."""
    process = subprocess.Popen(["true"])
    process.wait()
    assert descendants_of(process.pid) == []
    end_process(process.pid)


SLEEPS = """
import sys, time
from pathlib import Path
from pytest_repro.stress.stacks import StackWriter

def is_here():
    print("here", flush=True)
    time.sleep(60)

writer = StackWriter(Path(sys.argv[1]))
is_here()
"""


def test_what_goes_on_while_it_is_looked_into_is_left_alone(tmp_path: Path) -> None:
    """Its stacks would hold it; else they are taken, with what the user's command says of it."""
    file = tmp_path / "stacks"
    with subprocess.Popen([sys.executable, "-c", SLEEPS, file], stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout is not None
            process.stdout.readline()
            pid = process.pid
            went_on = examine(pid, stack_file=file, hung_ns=7, triage=None, is_hanging=lambda: False)
            assert went_on is None
            assert file.read_bytes() == b""
            triage = ("sh", "-c", "echo looks at {pid}; exit 3")
            found = examine(pid, stack_file=file, hung_ns=7, triage=triage, is_hanging=lambda: True)
            assert found is not None
            assert (found.hung_ns, found.triage) == (7, f"looks at {pid}\n(exit status 3)")
            assert "in is_here" in found.stacks
        finally:
            process.kill()


def test_a_command_for_triage_that_hangs_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What it printed by then is kept, and the stacks are taken all the same."""
    monkeypatch.setattr(watchdog, "TRIAGE_NS", 500_000_000)
    file = tmp_path / "stacks"
    with subprocess.Popen([sys.executable, "-c", SLEEPS, file], stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout is not None
            process.stdout.readline()
            triage = ("sh", "-c", "echo began; sleep 60")
            found = examine(process.pid, stack_file=file, hung_ns=7, triage=triage, is_hanging=lambda: True)
            assert found is not None
            assert found.triage is not None
            assert found.triage.split("\n", 1)[0] == "began"
            assert "(no end within 0.5 s)" in found.triage
            assert "in is_here" in found.stacks
        finally:
            process.kill()


def test_a_process_that_has_not_crashed_is_not_looked_into(tmp_path: Path) -> None:
    """It writes its stacks for other reasons too."""
    path = tmp_path / "stacks"
    assert examine_crash(os.getpid(), stack_file=path) is None
    path.write_text("Current thread 0x01 (most recent call first):\n", encoding="utf-8")
    assert examine_crash(os.getpid(), stack_file=path) is None
