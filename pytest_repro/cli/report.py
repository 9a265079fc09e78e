"""The console script `repro-report`: what is on record, told to people and to programs."""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from pytest_repro.cli.commands import CONTEXT_SETTINGS, run_command
from pytest_repro.cli.lazy import LazyGroup
from pytest_repro.errors import StoreError
from pytest_repro.report.catalogue import Catalogue, find_root
from pytest_repro.report.session_list import Look, session_lines, session_row
from pytest_repro.report.words import counted
from pytest_repro.store import KEPT_SESSIONS, SessionState

PROGRAM = "repro-report"

_PLACES = {
    "compare": "pytest_repro.cli.report_compare:compare",
    "evidence": "pytest_repro.cli.report_checks:evidence",
    "html": "pytest_repro.cli.report_html:html",
    "markdown": "pytest_repro.cli.report_pages:markdown",
    "metrics": "pytest_repro.cli.report_metrics:metrics",
    "pr": "pytest_repro.cli.report_pages:describe_change",
    "pr-check": "pytest_repro.cli.report_checks:check_change",
    "show": "pytest_repro.cli.report_show:show",
}


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the script.

    Args:
        argv: Arguments without the program's name, those of the process by default.

    Returns:
        0 when it was told, 1 when a check that was asked for fails, 4 for what cannot be used.
    """
    return run_command(report, argv, program=PROGRAM)


@click.group(
    cls=LazyGroup,
    places=_PLACES,
    help="Tell what is on record of stress runs, gates and timings.",
    epilog="A SESSION is an id or its beginning, latest, latest~1, a tag (--repro-tag), or a folder's path.",
    context_settings=CONTEXT_SETTINGS,
)
@click.option(
    "--root",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    metavar="DIR",
    help="Root of the project (default: the nearest folder upwards with .pytest_repro).",
)
@click.pass_context
def report(context: click.Context, root: Path | None) -> None:
    """Opens the records."""
    context.obj = Catalogue(root or find_root(Path.cwd()))


@report.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")
@click.pass_obj
def list_sessions(catalogue: Catalogue, *, as_json: bool) -> None:
    """List the sessions on record, the newest first."""
    entries = catalogue.entries()
    if as_json:
        click.echo(json.dumps([session_row(entry) for entry in reversed(entries)], indent=2))
    elif not entries:
        click.echo(f"no sessions on record in {catalogue.folder}")
    else:
        width = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
        lines = [click.style(line, **_LOOKS[look]) for line, look in session_lines(entries, width=width)]
        click.echo("\n".join(lines), color=False if os.environ.get("NO_COLOR") else None)


_LOOKS: Mapping[Look, dict[str, Any]] = {
    Look.HEADING: {"bold": True},
    Look.PLAIN: {"reset": False},
    Look.BAD: {"fg": "red"},
}


@report.command()
@click.option(
    "--keep", type=click.IntRange(min=0), default=KEPT_SESSIONS, show_default=True, help="Newest to keep."
)
@click.option("--with-tags", is_flag=True, help="Remove older sessions that have a tag too.")
@click.pass_obj
def prune(catalogue: Catalogue, *, keep: int, with_tags: bool) -> None:
    """Remove all but the newest sessions; running ones stay, and those with a tag."""
    removed = catalogue.prune(keep=keep, with_tags=with_tags)
    for path in removed:
        click.echo(f"removed {path.name}")
    left = catalogue.entries()
    click.echo(f"{counted(len(removed), 'session')} removed, {len(left)} left in {catalogue.folder}")
    stuck = [
        entry.id
        for entry in left[: -keep or None]
        if entry.state is not SessionState.RUNNING and (with_tags or entry.tag is None)
    ]
    if stuck:
        raise StoreError(
            f"{counted(len(stuck), 'session')} could not be removed: {', '.join(stuck[:5])}",
            place=str(catalogue.folder),
            next_step="Check who may write there.",
        )


if __name__ == "__main__":
    raise SystemExit(main())
