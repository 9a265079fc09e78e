"""`repro-report show`: all that is on record of one session."""

from __future__ import annotations

import json
import shutil

import click

from pytest_repro.cli.report_names import SESSION
from pytest_repro.report.catalogue import NEWEST, Catalogue
from pytest_repro.report.session_text import session_lines, session_record
from pytest_repro.report.session_view import read_session


@click.command()
@click.argument("session", type=SESSION, default=NEWEST)
@click.option("--text", "with_text", is_flag=True, help="Show a traceback of each bug.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")
@click.pass_obj
def show(catalogue: Catalogue, *, session: str, with_text: bool, as_json: bool) -> None:
    """Show one session (default: the newest): what ran, what failed, where the time went."""
    view = read_session(catalogue.find(session))
    if as_json:
        click.echo(json.dumps(session_record(view), indent=2))
        return
    width = min(shutil.get_terminal_size().columns, 120)
    for line in session_lines(view, width=width, with_text=with_text):
        click.echo(line)
