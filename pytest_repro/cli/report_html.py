"""`repro-report html`: a session as one file to look at."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from pytest_repro.cli.report_names import SESSION
from pytest_repro.errors import OptionError
from pytest_repro.report.catalogue import NEWEST, Catalogue, SessionEntry
from pytest_repro.report.metrics import metrics_of
from pytest_repro.report.metrics_tables import metrics_record
from pytest_repro.report.page.data import page_data
from pytest_repro.report.page.render import page_text
from pytest_repro.store.json_files import write_whole


@click.command()
@click.argument("session", type=SESSION, default=NEWEST)
@click.option(
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Where to write it (default: SESSION.html here).",
)
@click.pass_obj
def html(catalogue: Catalogue, *, session: str, output: Path | None) -> None:
    """Write a session as one HTML file, to look at without a network."""
    entry = catalogue.find(session)
    path = output or Path(f"{entry.id}.html")
    data = page_data(entry, work=_work(catalogue, entry))
    text = page_text(data)
    try:
        write_whole(path, text)
    except OSError as error:
        raise OptionError(
            f"The page cannot be written: {error.strerror}",
            place=str(path),
            next_step="Give another file with --output.",
        ) from error
    for problem in data["problems"]:
        click.echo(problem, err=True)
    click.echo(str(path))


def _work(catalogue: Catalogue, entry: SessionEntry) -> dict[str, Any] | None:
    """Returns what became of the project's work, None for a session of another one or the only one."""
    if entry.path.parent.resolve() != catalogue.folder.resolve():
        return None
    metrics = metrics_of([catalogue.root])
    return metrics_record(metrics) if metrics["sessions"]["all"] > 1 else None
