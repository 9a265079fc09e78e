"""A standard output that goes away while a session runs: closed pipe, terminal that is gone, full disk."""

from __future__ import annotations

import contextlib
import os
import sys
from pathlib import Path
from typing import Any

import pytest
from _pytest.terminal import TerminalReporter

from pytest_repro.store import file_identity


class LastingOutput:
    """What pytest's terminal writes to; the first write that fails is the last that is tried.

    Args:
        file: The real one.
    """

    def __init__(self, file: Any) -> None:
        self._file = file
        self._identity: tuple[int, int] | None = None
        with contextlib.suppress(OSError, ValueError, AttributeError):
            self._identity = file_identity(file.fileno())

    def is_gone(self) -> bool:
        """Tells whether its descriptor is closed or another file's, such as that of an endless capture."""
        return self._identity is not None and file_identity(self._file.fileno()) != self._identity

    def write(self, text: str) -> int:
        """Writes, if anybody still reads."""
        try:
            self._file.write(text)
        except OSError as error:
            self._give_up(error)
        return len(text)

    def flush(self) -> None:
        """Hands on what was written, if anybody still reads."""
        try:
            self._file.flush()
        except OSError as error:
            self._give_up(error)

    def __getattr__(self, name: str) -> Any:
        """All else is the file's own."""
        return getattr(self._file, name)

    def _give_up(self, error: OSError) -> None:
        """Lets the output go nowhere, for all that is still to be written by whomever."""
        lost = file_identity(self._file.fileno())
        nowhere = os.open(os.devnull, os.O_WRONLY)
        # pytest's capturing holds copies of standard output and puts them back.
        for descriptor in _open_descriptors():
            if descriptor != nowhere and file_identity(descriptor) == lost:
                os.dup2(nowhere, descriptor)
        os.close(nowhere)
        # Maybe nobody is left to tell.
        with contextlib.suppress(OSError, ValueError, AttributeError):
            sys.stderr.write(f"pytest: standard output is lost ({error.strerror}); the session goes on\n")


def outlast_output(config: pytest.Config) -> None:
    """Has a session go on, unseen, when nobody takes what its terminal writes any more."""
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    if type(reporter) is TerminalReporter and not isinstance(reporter._tw._file, LastingOutput):
        reporter._tw._file = LastingOutput(reporter._tw._file)


def is_output_gone(config: pytest.Config) -> bool:
    """Tells whether a test has closed the file that the session's terminal writes to."""
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    file = getattr(getattr(reporter, "_tw", None), "_file", None)
    return isinstance(file, LastingOutput) and file.is_gone()


def _open_descriptors() -> list[int]:
    try:
        return [int(entry.name) for entry in Path("/dev/fd").iterdir()]
    except OSError:
        return list(range(256))
