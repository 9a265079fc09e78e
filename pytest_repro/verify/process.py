"""Starts one fresh pytest process, watches it, and reads what it reported."""

from __future__ import annotations

import contextlib
import os
import secrets
import shlex
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

from pytest_repro.clock import MonotonicNs
from pytest_repro.errors import StoreError
from pytest_repro.processes import end_process
from pytest_repro.store import read_json
from pytest_repro.verify.runs import REPORT, Run, RunReport

GRACE_S = 10.0
"""Time that a run is given to end after Ctrl-C."""

_LOOK_S = 0.2
"""Time from one look at the run to the next."""

_HASH_SEED = "PYTHONHASHSEED"


@dataclass(frozen=True, slots=True, kw_only=True)
class RunCommand:
    """How each run is started.

    Attributes:
        launcher: Interpreter and pytest.
        arguments: Of pytest, gate and all.
        directory: Working directory.
        environment: All variables.
        folder_option: Option that tells the run its folder, and that it is one.
        as_typed: The same command without the gate, as a person would type it.
    """

    launcher: Sequence[str]
    arguments: Sequence[str]
    directory: Path
    environment: Mapping[str, str]
    folder_option: str
    as_typed: Sequence[str]

    def line(self, *, hash_seed: str | None = None, seeds: Mapping[str, str] | None = None) -> str:
        """Returns the shell command that repeats a run, to be given in its directory.

        Args:
            hash_seed: `PYTHONHASHSEED` of the run, None where it is not known.
            seeds: Options that make its random choices again; those that were given by hand are left out.
        """
        variable = "" if hash_seed is None else f"{_HASH_SEED}={shlex.quote(hash_seed)} "
        words = list(self.as_typed)
        new = [
            f"{option}={value}"
            for option, value in (seeds or {}).items()
            if not any(word == option or word.startswith(f"{option}=") for word in words)
        ]
        # After a double dash all words are files.
        end = words.index("--") if "--" in words else len(words)
        return variable + shlex.join([*words[:end], *new, *words[end:]])


def with_hash_seed(environment: Mapping[str, str], hash_seed: int | None = None) -> dict[str, str]:
    """Returns the variables with a hash seed that can be told, unless they have one by number.

    Args:
        environment: Of the run to be.
        hash_seed: To be used, None for one by chance.
    """
    given = environment.get(_HASH_SEED, "")
    if given.isdigit() or sys.flags.ignore_environment:
        # Isolated from its environment (-I, -E), Python would not look at it.
        return dict(environment)
    seed = 1 + secrets.randbelow(2**32 - 1) if hash_seed is None else hash_seed
    return {**environment, _HASH_SEED: str(seed)}


def execute(
    command: RunCommand,
    *,
    number: int,
    folder: Path,
    output: Path,
    clock: MonotonicNs,
    meanwhile: Callable[[], None] = lambda: None,
) -> Run:
    """Runs pytest once in a process of its own and waits for its end.

    Args:
        command: How to start it.
        number: 1-based.
        folder: For the run's own report and records; made here.
        output: File that takes all that the process prints, also when it is killed.
        clock: Monotonic, in nanoseconds.
        meanwhile: Called when the process has started, and again and again until it ends.

    Raises:
        OSError: Folder or file cannot be made, or the process cannot be started.
        KeyboardInterrupt: The gate was interrupted; the process has ended.
    """
    folder.mkdir(parents=True)
    environment = with_hash_seed(command.environment)
    began_ns = clock()
    with output.open("wb") as file:
        process = subprocess.Popen(
            # On the command line: a conftest that empties the environment must not make a gate of a run, and
            # no pytest that the tests start must take itself for one.
            (*command.launcher, f"{command.folder_option}={folder}", *command.arguments),
            cwd=command.directory,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=subprocess.STDOUT,
            # Ctrl-C in a terminal is for the gate, which hands it on: so it comes once, however it was sent.
            start_new_session=True,
        )
        _wait(process, meanwhile)
    duration_ns = clock() - began_ns
    report = _read_report(folder, pid=process.pid)
    hash_seed = environment.get(_HASH_SEED)
    return Run(
        number=number,
        exit_status=process.returncode,
        duration_ns=duration_ns,
        report=report,
        output=str(output),
        command=command.line(hash_seed=hash_seed, seeds=None if report is None else report.seeds),
    )


@contextlib.contextmanager
def termination_as_interrupt() -> Iterator[None]:
    """Has SIGTERM and SIGHUP (a cancelled CI job) end the block as Ctrl-C does."""

    def terminate(number: int, frame: FrameType | None) -> None:
        del number, frame
        raise KeyboardInterrupt

    numbers = [signal.SIGTERM, *([signal.SIGHUP] if hasattr(signal, "SIGHUP") else [])]
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    # What is ignored (nohup) stays so.
    before = {number: signal.getsignal(number) for number in numbers}
    heard = [number for number in numbers if before[number] is not signal.SIG_IGN]
    for number in heard:
        signal.signal(number, terminate)
    try:
        yield
    finally:
        for number in heard:
            signal.signal(number, before[number])


def _wait(process: subprocess.Popen[bytes], meanwhile: Callable[[], None]) -> None:
    """Waits for the process; where the gate is interrupted, lets it end in order and then goes on."""
    ended = threading.Event()

    def watch() -> None:
        process.wait()
        ended.set()

    watcher = threading.Thread(target=watch, name="pytest-repro run", daemon=True)
    watcher.start()
    try:
        meanwhile()
        while not ended.wait(_LOOK_S):
            meanwhile()
    except BaseException:
        _end(process, ended)
        raise
    watcher.join()


def _end(process: subprocess.Popen[bytes], ended: threading.Event) -> None:
    """Ends a run as Ctrl-C in a terminal would, for a while; a second interrupt ends it at once."""
    try:
        if not ended.is_set():
            os.killpg(process.pid, signal.SIGINT)
        if ended.wait(GRACE_S):
            return
    except KeyboardInterrupt:
        pass
    if not ended.is_set():
        end_process(process.pid)
        ended.wait()


def _read_report(folder: Path, *, pid: int) -> RunReport | None:
    """Returns what the run itself told; what a fork of it left there is no report."""
    try:
        record = read_json(folder / REPORT)
        return RunReport.from_payload(record) if record.get("pid") == pid else None
    except StoreError:
        return None
