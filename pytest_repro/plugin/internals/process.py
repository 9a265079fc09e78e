"""The terminal and the interpreter of this process."""

from __future__ import annotations

import contextlib
import io
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TextIO, cast

import pytest
from _pytest._io import TerminalWriter
from _pytest.config import create_terminal_writer
from _pytest.terminal import TerminalReporter

from pytest_repro.plugin.internals.output_lost import LastingOutput
from pytest_repro.processes import is_running


def terminal_writer(config: pytest.Config) -> Any:
    """Returns a writer that obeys --color, for what is said before a session exists."""
    if sys.stdout is None:
        return TerminalWriter(io.StringIO())
    if not hasattr(config.option, "color"):
        return TerminalWriter(cast("TextIO", LastingOutput(sys.stdout)))
    return create_terminal_writer(config, cast("TextIO", LastingOutput(sys.stdout)))


def terminal_file(config: pytest.Config) -> TextIO | None:
    """Returns what pytest's terminal writes to, None without one and where a plugin replaced it."""
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    return reporter._tw._file if type(reporter) is TerminalReporter else None


def file_of(writer: Any) -> TextIO:
    """Returns what a terminal writer of pytest writes to."""
    file: TextIO = writer._file
    return file


def die_with_parent(parent_pid: int) -> None:
    """Has the system kill this process when its parent dies, however that dies; on Linux.

    To the system the parent is the thread that started this process.

    Args:
        parent_pid: Whose death it is about; it may have died already.
    """
    if sys.platform == "linux":
        import ctypes

        set_parent_death_signal = 1
        ctypes.CDLL(None).prctl(set_parent_death_signal, signal.SIGKILL)
    if os.getppid() != parent_pid and (os.getppid() == 1 or not is_running(parent_pid)):
        os.kill(os.getpid(), signal.SIGKILL)


def allow_tracing_by(pid: int) -> None:
    """Lets another process, and what it starts, look into this one with a debugger; on Linux."""
    if sys.platform == "linux":
        import ctypes

        set_tracer = 0x59616D61
        ctypes.CDLL(None).prctl(set_tracer, pid, 0, 0, 0)


def make_base_folder(config: pytest.Config) -> None:
    """Makes the temporary folder of the session now, so that processes forked later share it."""
    factory = getattr(config, "_tmp_path_factory", None)
    if factory is not None:
        factory.getbasetemp()


def is_started_as_pytest(config: pytest.Config) -> bool:
    """Tells whether this process is `python -m pytest` or the script, and this its own command line.

    Whoever calls `pytest.main()`, and a worker of xdist, goes on when pytest has ended.
    """
    main = sys.modules.get("__main__")
    name = getattr(getattr(main, "__spec__", None), "name", "")
    is_script = Path(getattr(main, "__file__", None) or "").stem in ("pytest", "py.test")
    is_own = list(config.invocation_params.args) == sys.argv[1:] and not config.invocation_params.plugins
    return is_own and (name == "pytest.__main__" or is_script)


@contextlib.contextmanager
def use_options_known_early(config: pytest.Config) -> Iterator[None]:
    """Has the options at hand that are known before any conftest could declare its own."""
    before = dict(vars(config.option))
    vars(config.option).update(vars(config.known_args_namespace))
    try:
        yield
    finally:
        vars(config.option).clear()
        vars(config.option).update(before)
