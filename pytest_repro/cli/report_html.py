"""`repro-report html`: a session as one file to look at."""

from __future__ import annotations

from pathlib import Path

import click

from pytest_repro.cli.report_names import SESSION
from pytest_repro.errors import OptionError
from pytest_repro.report.catalogue import NEWEST, Catalogue
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
    data = page_data(entry)
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
