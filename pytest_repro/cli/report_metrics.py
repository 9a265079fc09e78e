"""`repro-report metrics`: how the work went, over many reports and sessions."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

import click

from pytest_repro.report.catalogue import Catalogue
from pytest_repro.report.metrics import metrics_of
from pytest_repro.report.metrics_tables import metrics_lines


@click.command()
@click.argument(
    "paths",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    nargs=-1,
    metavar="[PATH]...",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")
@click.pass_obj
def metrics(catalogue: Catalogue, *, paths: Sequence[Path], as_json: bool) -> None:
    """Count what became of the work, how long it took and what failed most.

    Each PATH is the root of a project (default: this one): its sessions count, and its execution reports in
    outputs/*.md.
    """
    found = metrics_of(paths or [catalogue.root])
    if as_json:
        click.echo(json.dumps(found, indent=2))
        return
    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
    click.echo("\n".join(metrics_lines(found, width=width)))
