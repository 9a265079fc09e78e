"""`repro-report markdown` and `pr`: pages for people, from the records."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import click

from pytest_repro.cli.report_names import SESSION
from pytest_repro.clock import now_utc
from pytest_repro.errors import ReportError
from pytest_repro.report.catalogue import Catalogue
from pytest_repro.report.change.difference import difference_to
from pytest_repro.report.change.workflows import workflows_for
from pytest_repro.report.documents.material import Material
from pytest_repro.report.documents.pages import execution_report, pull_request, write_report
from pytest_repro.scaffold.settings import find_settings
from pytest_repro.scaffold.templates import find_overrides
from pytest_repro.store import by_time

BASE = click.option(
    "--base", metavar="REF", help="What the branch is held against (default: the project's main branch)."
)
_TEMPLATES = click.option(
    "--templates",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Templates of your own, each in the place of one of the package's.",
)
_SESSIONS = click.argument("sessions", type=SESSION, nargs=-1, metavar="[SESSION]...")


def _shared(function: Callable[..., Any]) -> Callable[..., Any]:
    return click.pass_obj(_SESSIONS(BASE(_TEMPLATES(function))))


@click.command()
@click.option(
    "--output-dir",
    type=click.Path(path_type=Path),
    default=Path("outputs"),
    show_default=True,
    metavar="DIR",
    help="Where to write it, as <date>_<time>_<desc>.md; never over another file.",
)
@click.option("--desc", default="", metavar="SHORT", help="What it is about (default: the first test).")
@_shared
def markdown(
    catalogue: Catalogue,
    *,
    sessions: Sequence[str],
    base: str | None,
    templates: Path | None,
    output_dir: Path,
    desc: str,
) -> None:
    """Write the execution report, of all sessions or of those named."""
    material = _material(catalogue, sessions, base)
    overrides = find_overrides(templates, start=catalogue.root)
    now = now_utc()
    text = execution_report(material, now=now, title=desc, overrides=overrides.folder if overrides else None)
    name = desc or text.partition("\n")[0].partition(":")[2]
    click.echo(write_report(text, output_dir, now=now, name=name))


@click.command("pr")
@_shared
def describe_change(
    catalogue: Catalogue, *, sessions: Sequence[str], base: str | None, templates: Path | None
) -> None:
    """Print the description of the pull request, of all sessions or of those named (two are compared)."""
    material = _material(catalogue, sessions, base)
    overrides = find_overrides(templates, start=catalogue.root)
    click.echo(pull_request(material, overrides=overrides.folder if overrides else None), nl=False)


def _material(catalogue: Catalogue, names: Sequence[str], base: str | None) -> Material:
    named = tuple(catalogue.find(name) for name in names)
    entries = tuple(sorted(named, key=lambda entry: by_time(entry.path))) or tuple(catalogue.entries())
    if not entries:
        catalogue.find("latest")
    settings = find_settings(catalogue.root)
    problem = ""
    difference = None
    try:
        difference = difference_to(catalogue.root, base, environment=os.environ)
    except ReportError as error:
        if base is not None:
            raise
        problem = str(error)
    paths = [file.path for file in difference.files] if difference else []
    return Material(
        entries=entries,
        named=named,
        difference=difference,
        difference_problem=problem,
        workflows=tuple(workflows_for(settings, paths)),
        has_rules=settings is not None and "workflows" in settings.values,
    )
