"""Starts one fresh pytest process and reads what it reported."""

from __future__ import annotations

import contextlib
import signal
import subprocess
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

from pytest_repro.clock import MonotonicNs
from pytest_repro.errors import StoreError
from pytest_repro.model import Outcome
from pytest_repro.store import read_json
from pytest_repro.verify.gate import Run

REPORT = "run.json"
"""File in which a run reports itself; written when its session ends, so its absence says it did not."""

GRACE_S = 10.0
"""Time that a run is given to end after Ctrl-C."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunCommand:
    """How each run is started.

    Attributes:
        arguments: Interpreter, pytest, and its arguments.
        directory: Working directory.
        environment: All variables.
        folder_variable: Variable that tells the run its folder.
        line: The same command without the gate, as a person would type it.
    """

    arguments: Sequence[str]
    directory: Path
    environment: Mapping[str, str]
    folder_variable: str
    line: str


def execute(command: RunCommand, *, number: int, folder: Path, output: Path, clock: MonotonicNs) -> Run:
    """Runs pytest once in a process of its own and waits for its end.

    Args:
        command: How to start it.
        number: 1-based.
        folder: For the run's own report and records; made here.
        output: File that takes all that the process prints, also when it is killed.
        clock: Monotonic, in nanoseconds.

    Raises:
        OSError: Folder or file cannot be made, or the process cannot be started.
    """
    folder.mkdir(parents=True)
    environment = {**command.environment, command.folder_variable: str(folder)}
    began_ns = clock()
    with output.open("wb") as file:
        process = subprocess.Popen(
            command.arguments,
            cwd=command.directory,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=subprocess.STDOUT,
        )
        _wait(process)
    return _read_run(
        folder,
        number=number,
        exit_status=process.returncode,
        duration_ns=clock() - began_ns,
        output=output,
        command=command,
    )


class Terminated(KeyboardInterrupt):
    """SIGTERM: unlike Ctrl-C, only this process has heard of it."""


@contextlib.contextmanager
def termination_as_interrupt() -> Iterator[None]:
    """Has SIGTERM (a cancelled CI job) end the block as Ctrl-C does, so that no run outlives the gate."""

    def terminate(number: int, frame: FrameType | None) -> None:
        del number, frame
        raise Terminated

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, terminate)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _wait(process: subprocess.Popen[bytes]) -> None:
    """Waits for the process; on Ctrl-C, which it heard too, lets it end and then goes on."""
    try:
        process.wait()
    except KeyboardInterrupt as interrupt:
        if isinstance(interrupt, Terminated):
            process.send_signal(signal.SIGINT)
        try:
            process.wait(GRACE_S)
        except (subprocess.TimeoutExpired, KeyboardInterrupt):
            process.kill()
            process.wait()
        raise


def _read_run(
    folder: Path, *, number: int, exit_status: int, duration_ns: int, output: Path, command: RunCommand
) -> Run:
    try:
        report = read_json(folder / REPORT)
    except StoreError:
        report = None
    return Run(
        number=number,
        exit_status=exit_status,
        duration_ns=duration_ns,
        outcomes=None
        if report is None
        else {test: Outcome(outcome) for test, outcome in report["outcomes"].items()},
        rescued=tuple(report["rescued"]) if report else (),
        collection_errors=tuple(report["collection_errors"]) if report else (),
        iterations=report["iterations"] if report else 0,
        output=str(output),
        command=command.line,
    )
