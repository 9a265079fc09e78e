"""Starts the sentinel of a stress run without workers; see `pytest_repro.cli.sentinel`."""

from __future__ import annotations

import contextlib
import json
import os
import shlex
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import pytest

import pytest_repro
from pytest_repro.cli.sentinel import Watched
from pytest_repro.cli.sentinel_start import DONE, START
from pytest_repro.model import EXIT_INCOMPLETE
from pytest_repro.plugin.command import pytest_as_typed
from pytest_repro.plugin.internals.output import real_output
from pytest_repro.plugin.internals.output_lost import is_output_gone
from pytest_repro.plugin.internals.process import allow_tracing_by
from pytest_repro.plugin.session import hash_seed_of_this_process, shown_path
from pytest_repro.plugin.stress_control import position_path, stacks_path
from pytest_repro.store import SessionFolder, file_identity
from pytest_repro.stress.plan import StressPlan

_END_S = 5.0


class SentinelProcess:
    """The sentinel, from pytest's own process.

    Args:
        config: Of this process.
        plan: What was asked for.
        folder: Shared with it: where this process notes where it is.
        records: Of the session.
        began_ns: Monotonic clock at the start of the stress run.
    """

    def __init__(
        self, config: pytest.Config, plan: StressPlan, *, folder: Path, records: SessionFolder, began_ns: int
    ) -> None:
        self._config = config
        self._watched = Watched(
            pid=os.getpid(),
            position_file=str(position_path(folder, "main")),
            stack_file=str(stacks_path(folder, "main")),
            records=str(records.path),
            shown_records=shown_path(config, records.path),
            root=str(config.rootpath),
            go_on=_command_past_a_crash(config),
            base_seed=plan.base_seed if plan.reseed else None,
            hash_seed=hash_seed_of_this_process(),
            began_ns=began_ns,
            hang_ns=plan.hang_ns,
            triage=None if plan.triage is None else list(plan.triage),
        )
        self._process: subprocess.Popen[bytes] | None = None
        self._pipe: tuple[int, int] | None = None

    def start(self, tests: list[list[str]]) -> None:
        """Starts it, once; without it a stress run goes on as well.

        Args:
            tests: Pairs of node id and file, in order of collection.
        """
        if self._process is not None:
            return
        package = Path(pytest_repro.__file__).parents[1]
        with real_output(self._config), contextlib.suppress(OSError):
            self._process = subprocess.Popen(
                (sys.executable, "-S", "-c", START, str(package)),
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                # Ctrl-C is for pytest.
                start_new_session=True,
            )
        if self._process is not None and self._process.stdin is not None:
            self._pipe = file_identity(self._process.stdin.fileno())
            allow_tracing_by(self._process.pid)
            self._write(json.dumps(asdict(self._watched)).encode("ascii") + b"\n")
            self._write(json.dumps(tests).encode("ascii") + b"\n")

    def stop(self) -> None:
        """Ends it: this process can tell everything itself."""
        if self._process is None:
            return
        if not self._write(DONE):
            # A test has closed the pipe. If it has closed the output too, only the other one can speak.
            if not is_output_gone(self._config):
                self._process.kill()
                self._process.wait()
            return
        with contextlib.suppress(OSError):
            if self._process.stdin is not None:
                self._process.stdin.close()
        try:
            self._process.wait(timeout=_END_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _write(self, data: bytes) -> bool:
        """Tells it something; returns whether the pipe is still there."""
        if self._process is None or self._process.stdin is None:
            return False
        if file_identity(self._process.stdin.fileno()) != self._pipe:
            return False
        with contextlib.suppress(OSError):  # it has ended
            self._process.stdin.write(data)
            self._process.stdin.flush()
        return True


@contextlib.contextmanager
def no_exit_with_success() -> Iterator[None]:
    """Has a test that ends this process by `os._exit(0)` end it as incomplete: not all has run."""
    original = os._exit
    process = os.getpid()

    def leave(status: int) -> None:
        original(EXIT_INCOMPLETE if status == 0 and os.getpid() == process else status)

    os._exit = leave  # type: ignore[assignment]
    try:
        yield
    finally:
        os._exit = original


def _command_past_a_crash(config: pytest.Config) -> str:
    return shlex.join((*pytest_as_typed(), *config.invocation_params.args, "--repro-isolate"))
