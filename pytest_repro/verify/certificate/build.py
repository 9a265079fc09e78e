"""The user's command that builds what git ignores, once in each worktree."""

from __future__ import annotations

import shlex
import string
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from pytest_repro.clock import MonotonicNs
from pytest_repro.processes import end_process

FIELDS = ("python", "site", "worktree")
"""What can stand in braces in the command."""

_NOT_STARTED = 127

TAIL_LINES = 20
"""Last lines of a build's output that are shown where it fails."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Build:
    """One build.

    Attributes:
        side: `base` or `fix`.
        command: Shell command that was run.
        exit_status: Of the process; negative for a signal, 127 where it could not be started.
        duration_ns: Time that it took.
        output: File that holds its output.
        tail: Last lines of it.
    """

    side: str
    command: str
    exit_status: int
    duration_ns: int
    output: str
    tail: str


def parse_build_command(text: str) -> tuple[str, ...]:
    """Reads a command as a shell would split it; no shell runs it.

    Raises:
        ValueError: It is empty, its quotes or braces do not close, or it has braces of another name.
    """
    try:
        words = tuple(shlex.split(text))
        fields = {name for word in words for name in _fields_of(word)}
    except ValueError as error:
        raise ValueError(f"a command whose quotes and braces close ({error})") from error
    if not words:
        raise ValueError("a command such as 'make -j4'")
    unknown = sorted(fields - set(FIELDS))
    if unknown:
        known = ", ".join(f"{{{name}}}" for name in FIELDS)
        raise ValueError(f"a command with {known} alone, not {{{unknown[0]}}}; braces are {{{{ and }}}}")
    return words


def run_build(
    words: Sequence[str],
    *,
    side: str,
    fields: Mapping[str, str],
    directory: Path,
    environment: Mapping[str, str],
    output: Path,
    clock: MonotonicNs,
) -> Build:
    """Builds one side and waits for its end.

    Args:
        words: Of the command.
        side: `base` or `fix`.
        fields: What stands for the names in braces.
        directory: Working directory.
        environment: All variables.
        output: File that takes all that it prints.
        clock: Monotonic, in nanoseconds.

    Raises:
        OSError: The file cannot be made.
    """
    command = [word.format(**fields) for word in words]
    began_ns = clock()
    with output.open("wb") as file:
        exit_status = _run(command, directory=directory, environment=environment, file=file)
    lines = output.read_text(encoding="utf-8", errors="replace").splitlines()
    return Build(
        side=side,
        command=shlex.join(command),
        exit_status=exit_status,
        duration_ns=clock() - began_ns,
        output=str(output),
        tail="\n".join(lines[-TAIL_LINES:]),
    )


def _fields_of(word: str) -> list[str]:
    return [
        name + (f"!{conversion}" if conversion else "") + (f":{form}" if form else "")
        for _, name, form, conversion in string.Formatter().parse(word)
        if name is not None
    ]


def _run(command: Sequence[str], *, directory: Path, environment: Mapping[str, str], file: IO[bytes]) -> int:
    try:
        process = subprocess.Popen(
            command,
            cwd=directory,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=subprocess.STDOUT,
        )
    except OSError as error:
        file.write(f"{command[0]}: {error.strerror or error}\n".encode(errors="replace"))
        return _NOT_STARTED
    try:
        return process.wait()
    except BaseException:
        end_process(process.pid)
        process.wait()
        raise
