"""Stacks of real processes: when they die, when they are asked, and what is read out of them."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from pytest_repro.clock import monotonic_ns
from pytest_repro.model import Frame
from pytest_repro.stress.held import FATAL_SIGNALS, held_signal
from pytest_repro.stress.stacks import (
    ask_for_stacks,
    has_native_tool,
    native_stacks,
    parse_stacks,
    place_in,
    read_stacks,
    shown_stacks,
    take_stacks,
)
from pytest_repro.stress.watchdog import examine_crash

LINUX = pytest.mark.skipif(sys.platform != "linux", reason="needs signals and /proc as on Linux")

HEAD = """
import ctypes, faulthandler, os, resource, signal, sys, threading, time
from pathlib import Path
from pytest_repro.stress.stacks import StackWriter

resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
"""

WRITES = """
faulthandler.enable()
writer = StackWriter(Path(sys.argv[1]))
writer.catch_fatal_signals()
print("here", flush=True)
"""

HOLDS = WRITES.replace("argv[1])", "argv[1]), holds_crashes=True")

Start = Callable[[str], "AbstractContextManager[subprocess.Popen[bytes]]"]


def wait_until_asleep(pid: int) -> None:
    """Waits until a process that has said what it does next does it; some seconds at most."""
    pause = threading.Event()
    for _ in range(20):
        pause.wait(0.05)
        state = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(") ")[2][0]
        if state == "S":
            pause.wait(0.1)
            return


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "stacks"


@pytest.fixture
def start(file: Path) -> Start:
    """Starts a program and waits for its first line; it is ended at the end."""

    @contextlib.contextmanager
    def started(program: str) -> Iterator[subprocess.Popen[bytes]]:
        process = subprocess.Popen(
            [sys.executable, "-c", HEAD + program, file],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            bufsize=0,
        )
        with process:
            try:
                assert process.stdout is not None
                assert process.stdout.readline() == b"here\n"
                yield process
            finally:
                process.kill()

    return started


def functions_of(text: str) -> list[list[str | None]]:
    return [[frame.function for frame in stack.frames] for stack in parse_stacks(text)]


def stays_silent(process: subprocess.Popen[bytes], *, for_s: float) -> bool:
    assert process.stdout is not None
    return not select.select([process.stdout], [], [], for_s)[0]


def wait_for_stacks(file: Path, text: str) -> None:
    deadline_ns = monotonic_ns() + 10 * 10**9
    while text not in read_stacks(file):
        assert monotonic_ns() < deadline_ns, read_stacks(file)
        select.select([], [], [], 0.02)


def wait_until_held(pid: int) -> None:
    deadline_ns = monotonic_ns() + 10 * 10**9
    while held_signal(pid, told=None) is None:
        assert monotonic_ns() < deadline_ns
        select.select([], [], [], 0.02)


@pytest.mark.parametrize("name", ["SIGSEGV", "SIGABRT", "SIGBUS", "SIGFPE", "SIGILL"])
def test_a_process_writes_where_it_died(file: Path, start: Start, name: str) -> None:
    """Of every fatal signal."""
    program = f"\ndef falls():\n    signal.raise_signal(signal.{name})\n\nfalls()"
    with start(WRITES + program) as process:
        assert process.wait() == -signal.Signals[name]
    text = read_stacks(file)
    assert "Fatal Python error: " in text
    (stack,) = parse_stacks(text)
    assert stack.is_current
    assert [frame.function for frame in stack.frames] == ["falls", "<module>"]
    frame = place_in(text)
    assert frame is not None
    assert (frame.file, frame.function, frame.statement) == ("<string>", "falls", None)
    assert isinstance(frame.line, int)


def test_the_thread_that_died_is_told_from_the_others(file: Path, start: Start) -> None:
    """Whichever it is; the main thread is listed last."""
    program = """
def waits(event):
    event.wait()

def falls():
    ctypes.string_at(0)

for _ in range(3):
    threading.Thread(target=waits, args=(threading.Event(),), daemon=True).start()
thread = threading.Thread(target=falls)
thread.start()
thread.join()
"""
    with start(WRITES + program) as process:
        assert process.wait() == -signal.SIGSEGV
    text = read_stacks(file)
    stacks = parse_stacks(text)
    assert len(stacks) == 5
    (died,) = (stack for stack in stacks if stack.is_current)
    assert [frame.function for frame in died.frames][:2] == ["string_at", "falls"]
    assert sum("waits" in functions for functions in functions_of(text)) == 3
    assert stacks[-1].frames[-1].function == "<module>"
    frame = place_in(text)
    assert frame is not None
    assert frame.function == "string_at"


HANGS = {
    "python": "while True: pass",
    "sleep": "time.sleep(60)",
    "lock": "lock = threading.Lock(); lock.acquire(); lock.acquire()",
    "native code that holds the GIL": "ctypes.PyDLL(None).sleep(60)",
    "native code": "ctypes.CDLL(None).sleep(60)",
}


@LINUX
@pytest.mark.parametrize("deed", HANGS.values(), ids=HANGS)
def test_a_process_says_where_it_hangs(file: Path, start: Start, deed: str) -> None:
    """Faulthandler's handler needs no lock of the interpreter."""
    program = f"\ndef hangs():\n    print('hanging', flush=True)\n    {deed}\n\nhangs()"
    with start(WRITES + program) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"hanging\n"
        wait_until_asleep(process.pid)
        text = ask_for_stacks(process.pid, file)
        assert "Fatal" not in text
        frame = place_in(text)
        assert frame is not None
        assert frame.function == "hangs"
        assert process.poll() is None


@LINUX
@pytest.mark.parametrize(
    "deed", ["signal.pause()", "ctypes.CDLL(None).pause()", "ctypes.PyDLL(None).pause()"]
)
def test_what_waits_for_a_signal_does_not_go_on_when_it_is_asked(file: Path, start: Start, deed: str) -> None:
    """It is ended afterwards: the next iteration must not have begun by then."""
    program = (
        f"\ndef waits():\n    print('waiting', flush=True)\n    {deed}\n    print('went on', flush=True)\n"
    )
    with start(f"{WRITES}{program}\nwaits()") as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"waiting\n"
        wait_until_asleep(process.pid)
        text = ask_for_stacks(process.pid, file)
        assert functions_of(text)[-1][0] == "waits"
        assert stays_silent(process, for_s=0.3)


@LINUX
def test_only_what_was_written_since_the_question_is_the_answer(file: Path, start: Start) -> None:
    """A test may have had stacks written before."""
    with start(WRITES + "time.sleep(60)") as process:
        file.write_text("before\n", encoding="utf-8")
        assert ask_for_stacks(process.pid, file).startswith("Current thread")
        assert take_stacks(file).startswith("before\nCurrent thread")
        assert read_stacks(file) == ""


@LINUX
def test_a_process_that_cannot_answer_is_told_why(file: Path, start: Start) -> None:
    """Stopped; not come so far; gone."""
    with start(WRITES + "time.sleep(60)") as process:
        os.kill(process.pid, signal.SIGSTOP)
        os.waitpid(process.pid, os.WUNTRACED)
        text = ask_for_stacks(process.pid, file)
        assert text == "no stacks: the process is stopped by a signal (SIGSTOP)"
        nothing = ask_for_stacks(process.pid, file.with_name("other"))
        assert nothing == "no stacks: the process had not come so far that it could be asked"
        process.kill()
        process.wait()
        assert ask_for_stacks(process.pid, file) == "no stacks: No such process"
    assert place_in(text) is None
    assert shown_stacks(text) == text


@LINUX
def test_a_process_that_blocks_the_signal_does_not_hold_the_question_up(file: Path, start: Start) -> None:
    """Two seconds, and a line that says so."""
    blocks = "signal.pthread_sigmask(signal.SIG_BLOCK, range(1, 65)); "
    with start(WRITES.replace("print", f"{blocks}print") + "time.sleep(60)") as process:
        assert ask_for_stacks(process.pid, file) == "no stacks: the process did not answer"


@LINUX
def test_a_crash_waits_until_somebody_has_looked(file: Path, start: Start) -> None:
    """The process is there, so that its native stacks can be read; who has looked ends it."""
    with start(HOLDS + "\ndef falls():\n    ctypes.string_at(0)\n\nfalls()") as process:
        wait_for_stacks(file, "in <module>")
        assert process.poll() is None
        found = examine_crash(process.pid, stack_file=file)
        assert found is not None
        assert (found.hung_ns, found.code) == (None, -signal.SIGSEGV)
        assert "in falls" in found.stacks
        assert process.poll() is None


NATIVE_FORK = """
def forks():
    pid = ctypes.CDLL(None).fork()
    if pid == 0:
        ctypes.string_at(0)
    return pid

child = forks()
"""


@LINUX
def test_a_crash_of_a_fork_by_native_code_is_not_the_processs_own(file: Path, start: Start) -> None:
    """It shares the file, and Python hears of no such fork; its parent is alive."""
    waits = "print(os.waitpid(child, 0)[1] & 127, flush=True)"
    with start(HOLDS + NATIVE_FORK + waits) as process:
        wait_for_stacks(file, "in <module>")
        while process.poll() is None:
            assert examine_crash(process.pid, stack_file=file) is None
            select.select([], [], [], 0.05)
        # It was not left to sleep for its 11 s.
        assert process.communicate(timeout=8)[0] == b"%d\n" % signal.SIGSEGV
        assert process.returncode == 0


@LINUX
def test_the_last_crash_in_the_file_is_the_processs_own(file: Path, start: Start) -> None:
    """A fork by native code may have died before."""
    dies = "os.kill(child, signal.SIGKILL)\ndef aborts():\n    os.abort()\naborts()"
    wait = "while os.path.getsize(sys.argv[1]) < 200: pass\ntime.sleep(0.1)\n"
    with start(HOLDS + NATIVE_FORK + wait + dies) as process:
        wait_for_stacks(file, "in aborts")
        wait_until_held(process.pid)
        found = examine_crash(process.pid, stack_file=file)
    assert found is not None
    assert found.code == -signal.SIGABRT
    assert "in aborts" in found.stacks
    assert "in forks" not in found.stacks


@LINUX
@pytest.mark.parametrize("number", FATAL_SIGNALS, ids=lambda number: number.name)
def test_a_crash_is_seen_where_faulthandler_was_turned_off(
    file: Path, start: Start, number: signal.Signals
) -> None:
    """By a test, or by a fatal error of Python: the hold is below it, and nobody writes."""
    program = "faulthandler.disable()\nthreading.Thread(target=time.sleep, args=(9,)).start()\n"
    with start(f"{HOLDS}{program}signal.raise_signal({int(number)})") as process:
        wait_until_held(process.pid)
        found = examine_crash(process.pid, stack_file=file)
    assert found is not None
    assert (found.code, found.stacks) == (-number, "")


@LINUX
def test_a_test_that_gives_a_signals_default_back_has_not_crashed(file: Path, start: Start) -> None:
    """It sleeps, but not in the hold."""
    program = "signal.signal(signal.SIGFPE, signal.SIG_DFL)\nprint('sleeps', flush=True)\n"
    for sleep in ("time.sleep(8)", "ctypes.CDLL(None).sleep(9)"):
        with start(HOLDS + program + sleep) as process:
            assert process.stdout is not None
            assert process.stdout.readline() == b"sleeps\n"
            assert stays_silent(process, for_s=0.1)
            assert examine_crash(process.pid, stack_file=file) is None


@LINUX
@pytest.mark.parametrize("begins", [WRITES, HOLDS], ids=["writes", "holds"])
def test_a_fork_of_a_test_dies_at_once(file: Path, start: Start, begins: str) -> None:
    """The signal would hold it for its own number of seconds, 11: a test that expects it fails by then."""
    program = """
pid = os.fork()
if pid == 0:
    ctypes.string_at(0)
print(os.waitpid(pid, 0)[1] & 127, flush=True)
print(faulthandler.is_enabled(), flush=True)
"""
    with start(begins + program) as process:
        printed, errors = process.communicate(timeout=8)
    assert printed == b"%d\nTrue\n" % signal.SIGSEGV
    assert b"Fatal Python error: Segmentation fault" in errors
    assert read_stacks(file) == ""


@LINUX
def test_a_fork_of_a_test_without_faulthandler_dies_at_once(start: Start) -> None:
    """The hold is not in it either."""
    program = """
faulthandler.disable()
pid = os.fork()
if pid == 0:
    ctypes.string_at(0)
print(os.waitpid(pid, 0)[1] & 127, flush=True)
"""
    with start(HOLDS + program) as process:
        assert process.communicate(timeout=8)[0] == b"%d\n" % signal.SIGSEGV


def test_where_faulthandler_is_off_it_stays_off(file: Path, start: Start) -> None:
    """`-p no:faulthandler` is the user's word: a crash is one at once and writes nothing."""
    program = HOLDS.replace("faulthandler.enable()", "") + "print(faulthandler.is_enabled(), flush=True)\n"
    with start(program + "ctypes.string_at(0)") as process:
        printed, errors = process.communicate(timeout=8)
    assert process.returncode == -signal.SIGSEGV
    assert (printed, errors, read_stacks(file)) == (b"False\n", b"", "")


@LINUX
@pytest.mark.parametrize("begins", [WRITES, HOLDS], ids=["writes", "holds"])
def test_what_was_taken_is_given_back(file: Path, start: Start, begins: str) -> None:
    """Fatal signals go to the error output again and wait for nobody; the other one is the system's."""
    crash = "writer.close()\nctypes.string_at(0)"
    with start(begins + crash) as process:
        _, errors = process.communicate(timeout=8)
        assert process.returncode == -signal.SIGSEGV
    assert b"Fatal Python error: Segmentation fault" in errors
    assert read_stacks(file) == ""
    asked = "writer.close()\nsignal.raise_signal(signal.SIGRTMIN + 11)"
    with start(begins + asked) as process:
        assert process.wait(timeout=8) == -(signal.SIGRTMIN + 11)


@LINUX
def test_a_signal_that_the_users_project_handles_is_not_taken(file: Path, start: Start) -> None:
    """It was there before."""
    handles = "\nsignal.signal(signal.SIGRTMIN + 11, lambda *_: print('theirs', flush=True))\n"
    asks = (
        "signal.raise_signal(signal.SIGRTMIN + 11)\nwriter.close()\nsignal.raise_signal(signal.SIGRTMIN + 11)"
    )
    with start(handles + WRITES + asks) as process:
        assert process.communicate(timeout=8)[0] == b"theirs\ntheirs\n"
    assert read_stacks(file) == ""


TEXT = """Fatal Python error: Aborted

Thread 0x00007f01 (most recent call first):
  File "/venv/lib/python3.11/site-packages/execnet/gateway_base.py", line 411 in read
  File "/venv/lib/python3.11/site-packages/execnet/gateway_base.py", line 300 in run

Thread 0x00007f02 [worker] (most recent call first):
  File "/p/größe and more.py", line 4 in helps
  File "/usr/lib/python3.11/threading.py", line 982 in run

Current thread 0x00007f03 (most recent call first):
  File "/p/test_a.py", line ??? in <lambda>
  File "/p/test_a.py", line 12 in test_a
  File "/venv/lib/python3.11/site-packages/_pytest/python.py", line 166 in pytest_pyfunc_call
  File "/venv/lib/python3.11/site-packages/pluggy/_callers.py", line 121 in _multicall
  File "/venv/lib/python3.11/site-packages/pytest_repro/stress/loop.py", line 10 in run_slice
  File "<frozen runpy>", line 198 in _run_module_as_main

Extension modules: numpy.core, yaml._yaml (total: 2)
"""


def test_faulthandlers_text_is_read() -> None:
    """Names of threads, paths with spaces, lines that are not known; what is no stack is left out."""
    helper, thread, current = parse_stacks(TEXT)
    assert [helper.is_current, thread.is_current, current.is_current] == [False, False, True]
    assert thread.frames[0] == Frame(file="/p/größe and more.py", line=4, function="helps")
    assert current.frames[0] == Frame(file="/p/test_a.py", line=None, function="<lambda>")
    assert len(current.frames) == 6
    assert parse_stacks('nothing\n  File "/a.py", line 1 in b\n') == []
    assert parse_stacks("") == []


def test_frames_of_pytest_below_the_test_are_not_shown() -> None:
    """Nor are threads that have no other."""
    assert shown_stacks(TEXT) == (
        "Fatal Python error: Aborted\n"
        "Thread 0x00007f02 [worker] (most recent call first):\n"
        '  File "/p/größe and more.py", line 4 in helps\n'
        '  File "/usr/lib/python3.11/threading.py", line 982 in run\n'
        "Current thread 0x00007f03 (most recent call first):\n"
        '  File "/p/test_a.py", line ? in <lambda>\n'
        '  File "/p/test_a.py", line 12 in test_a'
    )
    inside = 'Current thread 0x01 (most recent call first):\n  File "/v/_pytest/runner.py", line 1 in f\n'
    assert shown_stacks(inside).splitlines()[1:] == ["  (in pytest itself)"]


def test_the_place_of_a_hang_is_the_projects_own() -> None:
    """What is below it may differ from one look to the next."""
    text = TEXT.replace('"/p/test_a.py", line ???', '"/usr/lib/python3.11/selectors.py", line ???')
    crash, hang = place_in(text), place_in(text, root="/p")
    assert crash is not None
    assert hang is not None
    assert (crash.function, hang.function) == ("<lambda>", "test_a")
    elsewhere = place_in(text, root="/q")
    assert elsewhere == crash


def test_native_stacks_name_the_function_of_the_library(start: Start) -> None:
    """By whichever tool is there."""
    if not has_native_tool():
        pytest.skip("neither py-spy, pystack nor gdb is installed")
    with start(WRITES + "\ndef hangs():\n    ctypes.CDLL(None).pause()\n\nhangs()") as process:
        text = native_stacks(process.pid)
        if text is None:
            pytest.skip("the tool may not look into other processes here")
        assert text.partition(":")[0] in {"py-spy", "pystack", "gdb"}
        assert "pause" in text
        assert process.poll() is None
    assert native_stacks(process.pid) is None
