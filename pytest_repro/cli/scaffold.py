"""The console script `repro-scaffold`: from a CI log to a folder that reproduces its failure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from pytest_repro.cli.commands import CONTEXT_SETTINGS, EXIT_DONE, run_command
from pytest_repro.cli.scaffold_input import OpenLog, opened_log, source_root
from pytest_repro.cli.scaffold_words import folder_words
from pytest_repro.logs.reader import read_log_and_masker
from pytest_repro.logs.records import LogReport
from pytest_repro.logs.secrets import Masker
from pytest_repro.scaffold.build import planned_files
from pytest_repro.scaffold.context import checked_name, plan
from pytest_repro.scaffold.write import write_folder

PROGRAM = "repro-scaffold"


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
    with opened_log(options.log) as open_log:
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
        source_root=source_root(options.source),
        is_flaky=options.flaky,
    )
    files = planned_files(reproduction, open_log=open_log, masker=masker)
    written = write_folder(folder, files, force=options.force)
    yield from folder_words(reproduction, written)


def _read(open_log: OpenLog) -> tuple[LogReport, Masker]:
    with open_log() as source:
        return read_log_and_masker(source)


if __name__ == "__main__":
    raise SystemExit(main())
