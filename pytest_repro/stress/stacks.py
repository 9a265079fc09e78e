"""Where a process is stuck or has died: Python stacks by faulthandler, native ones by a tool that is there.

faulthandler writes from a signal handler in C, so it answers also where native code holds the GIL.
"""

from __future__ import annotations

import contextlib
import faulthandler
import os
import re
import shutil
import signal
import sys
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from pytest_repro.clock import time_of_day_ns
from pytest_repro.model import Frame
from pytest_repro.processes import state_of
from pytest_repro.stress.bounded import run_bounded
from pytest_repro.stress.held import FATAL_SIGNALS

STACK_LIMIT = 50_000
"""Characters kept of the stacks of one process, Python's and native each."""

_ANSWER_S = 2.0
_LOOK_S = 0.02
_TOOL_NS = 30 * 10**9

_HEAD = re.compile(r"(?P<current>Current t|T)hread 0x[0-9a-f]+.*\(most recent call first\):$")
_FRAME = re.compile(r'  File "(?P<file>.*)", line (?P<line>\d+|\?\?\?) in (?P<function>.*)$')
_FATAL_TEXT = "Fatal Python error: "
_FATAL = re.compile(rf"{_FATAL_TEXT}.*")
_NOT_THE_TEST = re.compile(
    r"[/\\](_pytest|pluggy|pytest|pytest_repro|xdist|execnet)[/\\]|^<frozen runpy>$|[/\\]runpy\.py$"
    r"|[/\\](pytest|py\.test)(\.exe)?$|^<string>$"
)


def stack_signal() -> int | None:
    """Returns the signal that asks a process for its stacks, None where there is none to spare."""
    first = getattr(signal, "SIGRTMIN", None)
    return None if first is None else int(first) + 11


class StackWriter:
    """Has this process write its stacks to a file when it dies of a fatal signal, and when it is asked.

    What asks ends this process afterwards, so the thread that the signal meets is held meanwhile: what the
    signal may have awakened does not go on.

    Args:
        path: The file; made anew.
        holds_crashes: Whether a fatal signal holds the process for some seconds, so that its native stacks
            can be read, before it dies of it.

    Raises:
        OSError: The file cannot be made.
    """

    def __init__(self, path: Path, *, holds_crashes: bool = False) -> None:
        path.unlink(missing_ok=True)
        # For appending, so that who has read it can empty it.
        self._file: IO[bytes] = path.open("ab", buffering=0)
        self._holds_crashes = holds_crashes and sys.platform == "linux"
        self._is_holding = False
        number = stack_signal()
        if number is not None and signal.getsignal(number) is not signal.SIG_DFL:
            number = None  # it is the user's
        if number is not None:
            is_held = _hold_on(number)
            faulthandler.register(number, file=self._file, all_threads=True, chain=is_held)
        self._number = number
        # What a fork writes would be taken for this process's own.
        os.register_at_fork(after_in_child=self._let_go)

    def catch_fatal_signals(self) -> None:
        """Takes over from pytest, or from a test, where faulthandler is on; where it is off it stays off."""
        if not faulthandler.is_enabled():
            return
        if self._holds_crashes and not self._is_holding:
            # faulthandler goes on to what was there when it was turned on.
            faulthandler.disable()
            for number in FATAL_SIGNALS:
                _hold_on(number)
            self._is_holding = True
        faulthandler.enable(file=self._file, all_threads=True)

    def close(self) -> None:
        """Writes no more."""
        if self._number is not None:
            faulthandler.unregister(self._number)
            # What was there before is what holds a thread; Python knows the handler that is the user's.
            signal.signal(self._number, signal.getsignal(self._number))
        self._let_go()
        with contextlib.suppress(OSError):  # a test has closed it
            self._file.close()

    def _let_go(self) -> None:
        """Leaves fatal signals to the system again; a fork's are its own affair."""
        if self._file.closed:
            return
        is_enabled = faulthandler.is_enabled()
        if is_enabled:
            faulthandler.disable()
        if self._is_holding:
            self._is_holding = False
            for number in FATAL_SIGNALS:
                # Python does not know of the hold; a handler that it knows is the user's.
                if signal.getsignal(number) in (signal.SIG_DFL, None):
                    signal.signal(number, signal.SIG_DFL)
        if is_enabled:
            with contextlib.suppress(OSError, ValueError):
                faulthandler.enable(file=2)


@dataclass(frozen=True, slots=True, kw_only=True)
class ThreadStack:
    """Where one thread is.

    Attributes:
        head: faulthandler's line about it.
        is_current: Whether it is the one that the signal met.
        frames: The deepest first.
    """

    head: str
    is_current: bool
    frames: tuple[Frame, ...]


def read_stacks(path: Path) -> str:
    """Returns what a process has written, from its last crash on if it tells of one; empty if nothing."""
    try:
        with path.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - 4 * STACK_LIMIT))
            data = file.read(4 * STACK_LIMIT)
    except OSError:
        return ""
    text = data.decode("utf-8", "replace")
    # A fork that native code has made may have died before, and writes to the same file.
    return text[max(0, text.rfind(_FATAL_TEXT)) :][:STACK_LIMIT]


def stacks_taken_ns(path: Path, now_ns: int) -> int:
    """Returns when the stacks in a file were written, as the monotonic clock tells it; now if there are none.

    Args:
        path: The file.
        now_ns: Monotonic clock.
    """
    try:
        status = path.stat()
    except OSError:
        return now_ns
    if not status.st_size:
        return now_ns
    ago_ns = time_of_day_ns() - status.st_mtime_ns
    return now_ns - ago_ns if 0 < ago_ns < now_ns else now_ns


def take_stacks(path: Path) -> str:
    """Returns what `read_stacks` does, and empties the file for the next process that writes to it."""
    text = read_stacks(path)
    if text:
        os.truncate(path, 0)
    return text


def ask_for_stacks(pid: int, path: Path) -> str:
    """Asks a process for the stacks of all its threads and waits a little for the answer.

    Args:
        pid: The process; it has made a `StackWriter`.
        path: The file that it writes to.

    Returns:
        What it wrote, or a line that says why there is nothing.
    """
    number = stack_signal()
    if number is None:
        return "no stacks: this system has no signal to ask for them"
    if not path.exists():
        return "no stacks: the process had not come so far that it could be asked"
    if state_of(pid) in ("T", "t"):
        return "no stacks: the process is stopped by a signal (SIGSTOP)"
    before = _size(path)
    try:
        os.kill(pid, number)
    except OSError as error:
        return f"no stacks: {error.strerror}"
    pause = threading.Event()
    size = before
    for _ in range(round(_ANSWER_S / _LOOK_S)):
        pause.wait(_LOOK_S)
        last, size = size, _size(path)
        if size > before and size == last:
            break
    if size == before:
        return "no stacks: the process did not answer"
    with path.open("rb") as file:
        file.seek(before)
        return file.read(4 * STACK_LIMIT).decode("utf-8", "replace")[:STACK_LIMIT]


def parse_stacks(text: str) -> list[ThreadStack]:
    """Reads faulthandler's format; what is no stack is left out."""
    stacks: list[ThreadStack] = []
    head = ""
    frames: list[Frame] = []

    def end() -> None:
        if head:
            stacks.append(ThreadStack(head=head, is_current=head.startswith("Current"), frames=tuple(frames)))

    for line in text.splitlines():
        found = _FRAME.match(line)
        if found and head:
            number = int(found["line"]) if found["line"].isdigit() else None
            frames.append(Frame(file=found["file"], line=number, function=found["function"]))
        elif _HEAD.match(line):
            end()
            head, frames = line, []
        elif not line.startswith("  "):
            end()
            head, frames = "", []
    end()
    return stacks


def shown_stacks(text: str) -> str:
    """Returns the stacks without the frames below the test, which are pytest's and ours."""
    lines = [found[0] for found in [_FATAL.search(text)] if found]
    stacks = parse_stacks(text)
    if not stacks:
        return text.strip()
    for stack in stacks:
        frames = list(stack.frames)
        while frames and _NOT_THE_TEST.search(frames[-1].file):
            frames.pop()
        if not frames and not stack.is_current:
            # A thread of xdist or execnet waits for messages.
            continue
        lines += [stack.head, *(_shown_frame(frame) for frame in frames)]
        lines += [] if frames else ["  (in pytest itself)"]
    return "\n".join(lines)


def place_in(text: str, *, root: str | None = None) -> Frame | None:
    """Returns the deepest frame of the thread that died or was asked.

    Args:
        text: What faulthandler wrote.
        root: Of a hang, the project: the deepest frame in its files is the place, as what is below it may
            differ from one look to the next.
    """
    stacks = parse_stacks(text)
    if not stacks:
        return None
    # The main thread is listed last.
    stack = next((stack for stack in stacks if stack.is_current), stacks[-1])
    for frame in stack.frames:
        if root is None or (frame.file.startswith(root) and not _NOT_THE_TEST.search(frame.file)):
            return frame
    return stack.frames[0] if stack.frames else None


def has_native_tool() -> bool:
    """Tells whether native stacks can be read."""
    return any(shutil.which(tool, path=_search_path()) for tool, *_ in _TOOLS)


def native_stacks(pid: int) -> str | None:
    """Returns the native stacks of a running process, by py-spy, pystack or gdb; None without one of them."""
    for tool, arguments, sign in _TOOLS:
        path = shutil.which(tool, path=_search_path())
        if path is None:
            continue
        command = (path, *(argument.format(pid=pid) for argument in arguments))
        output = run_bounded(command, limit_ns=_TOOL_NS, limit_bytes=4 * STACK_LIMIT)
        if output.problem is None and sign in output.text:
            return f"{tool}:\n{output.text.strip()[-STACK_LIMIT:]}"
    return None


# What an answer holds stands last: gdb ends with 0 also where it could not attach.
_TOOLS = (
    ("py-spy", ("dump", "--native", "--pid", "{pid}"), "hread"),
    ("pystack", ("remote", "--native", "{pid}"), "hread"),
    ("gdb", ("-batch", "-nx", "-p", "{pid}", "-ex", "thread apply all bt"), "#0 "),
)


def _hold_on(number: int) -> bool:
    """Has a signal hold the thread that it meets for so many seconds as its number, once; on Linux."""
    if sys.platform != "linux":
        return False
    import ctypes

    library = ctypes.CDLL(None)
    library.sysv_signal.restype = ctypes.c_void_p
    library.sysv_signal.argtypes = (ctypes.c_int, ctypes.c_void_p)
    library.sysv_signal(number, ctypes.cast(library.sleep, ctypes.c_void_p))
    return True


def _search_path() -> str:
    """Tools in the interpreter's own environment are found also where that is not activated."""
    return os.pathsep.join((str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)))


def _shown_frame(frame: Frame) -> str:
    line = "?" if frame.line is None else frame.line
    return f'  File "{frame.file}", line {line} in {frame.function}'


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0
