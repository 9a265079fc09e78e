"""The console script `repro-scaffold`: from a CI log to a folder that reproduces its failure."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO

import click

from pytest_repro.cli.commands import CONTEXT_SETTINGS, EXIT_DONE, run_command
from pytest_repro.errors import LogError
from pytest_repro.logs.reader import read_log_and_masker
from pytest_repro.logs.records import LogReport
from pytest_repro.logs.secrets import Masker
from pytest_repro.scaffold.build import planned_files
from pytest_repro.scaffold.context import Reproduction, checked_name, plan
from pytest_repro.scaffold.render import one_line
from pytest_repro.scaffold.source import find_root
from pytest_repro.scaffold.write import Written, write_folder

PROGRAM = "repro-scaffold"

OpenLog = Callable[[], BinaryIO]


@dataclass(frozen=True, slots=True, kw_only=True)
class ScaffoldOptions:
    """The command line, as it was given.

    Attributes:
        name: Name of the failure, and of the folder.
        log: Where the log is, `-` for standard input; None without one.
        flaky: Whether the user says that the test does not always fail.
        output: Folder in which the folder is made.
        force: Whether the generated files of an existing folder are renewed.
        source: Root of the tests' source, where it was given.
    """

    name: str
    log: str | None
    flaky: bool
    output: Path
    force: bool
    source: Path | None


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the script.

    Args:
        argv: Arguments without the program's name, those of the process by default.

    Returns:
        0 when the folder was made, 4 for arguments or input that cannot be used.
    """
    return run_command(scaffold, argv, program=PROGRAM)


@click.command(
    help="Make a folder that reproduces a test failure: script, test, README, log and signature.",
    epilog="Exit codes: 0 done, 4 usage error or input that cannot be used.",
    context_settings=CONTEXT_SETTINGS,
)
@click.argument("name", metavar="failure-name")
@click.option("--log", metavar="FILE", help="CI log to read the failure from, - for standard input.")
@click.option("--flaky", is_flag=True, help="The test does not always fail: stress it for 5 minutes.")
@click.option(
    "--output",
    type=click.Path(path_type=Path),
    default=Path(),
    metavar="DIR",
    help="Where to make the folder (default: here).",
)
@click.option("--force", is_flag=True, help="Renew the generated files of an existing folder.")
@click.option(
    "--source",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Root of the tests' source (default: the git checkout around here).",
)
def scaffold(**given: Any) -> int:
    """Makes the folder, and says what is in it."""
    options = ScaffoldOptions(**given)
    with _opened(options.log) as open_log:
        lines = list(_scaffold(options, open_log))
    click.echo("\n".join(lines))
    return EXIT_DONE


def _scaffold(options: ScaffoldOptions, open_log: OpenLog | None) -> Iterator[str]:
    folder = options.output / checked_name(options.name)
    report, masker = _read(open_log) if open_log else (None, Masker())
    reproduction = plan(
        options.name,
        report=report,
        folder=folder,
        source_root=_source_root(options.source),
        is_flaky=options.flaky,
    )
    files = planned_files(reproduction, open_log=open_log, masker=masker)
    written = write_folder(folder, files, force=options.force)
    yield from _words(reproduction, written)


def _read(open_log: OpenLog) -> tuple[LogReport, Masker]:
    with open_log() as source:
        return read_log_and_masker(source)


def _source_root(given: Path | None) -> Path:
    if given is None:
        return find_root(Path.cwd())
    if not given.is_dir():
        raise LogError(
            "The source cannot be read: there is no such folder",
            place=f"--source {given}",
            next_step="Give the folder from which the tests are run, or leave --source out.",
        )
    return given


@contextmanager
def _opened(log: str | None) -> Iterator[OpenLog | None]:
    """Gives what opens the log; standard input is kept in a file meanwhile, as the log is read twice."""
    if log is None:
        yield None
        return
    if log != "-":
        path = Path(log)
        _check_readable(path)
        yield partial(_open_binary, path)
        return
    descriptor, name = tempfile.mkstemp(prefix="repro-scaffold-")
    try:
        with os.fdopen(descriptor, "wb") as kept:
            shutil.copyfileobj(sys.stdin.buffer, kept)
        yield partial(_open_binary, Path(name))
    finally:
        Path(name).unlink(missing_ok=True)


def _open_binary(path: Path) -> BinaryIO:
    return path.open("rb")


def _check_readable(path: Path) -> None:
    try:
        with path.open("rb"):
            return
    except OSError as error:
        raise LogError(
            f"The log cannot be read: {error.strerror or error}",
            place=str(path),
            next_step="Give a log file that exists and that you may read, or - for standard input.",
        ) from error


def _words(reproduction: Reproduction, written: Written) -> Iterator[str]:
    yield f"{written.folder}: {len(written.files)} files"
    for path in written.files:
        yield f"  {path.relative_to(written.folder)}"
    for path in written.kept:
        yield f"  {path.relative_to(written.folder)} (your earlier version)"
    yield from _failure_words(reproduction)
    yield f"next: {written.folder / 'run_test.sh'}"


def _failure_words(reproduction: Reproduction) -> Iterator[str]:
    if not reproduction.has_log:
        yield f"no log was given: describe the failure in {reproduction.test_file}"
    elif reproduction.nodeid is None:
        yield "the log names no failing test: what it does say is in README.md"
    else:
        yield f"failing test: {one_line(reproduction.nodeid)}"
        yield (
            f"error: {one_line(reproduction.error)}"
            if reproduction.error
            else "error: not printed in the log"
        )
        if reproduction.source is None:
            yield "its source was not found: give its root with --source, or REPRO_SOURCE when running"
    if reproduction.others:
        yield f"other failing tests in the log: {len(reproduction.others)}, listed in README.md"
    if reproduction.secrets:
        yield f"to be set by hand: {', '.join(one_line(one.name) for one in reproduction.secrets)}"


if __name__ == "__main__":
    raise SystemExit(main())
