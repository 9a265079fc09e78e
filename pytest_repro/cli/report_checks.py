"""`repro-report evidence` and `pr-check`: what is missing, and what is there that should not be."""

from __future__ import annotations

import json
import os
from pathlib import Path

import click

from pytest_repro.cli.report_pages import BASE
from pytest_repro.report.catalogue import NEWEST, Catalogue
from pytest_repro.report.change.cleanliness import finding_lines, finding_record, findings_in
from pytest_repro.report.change.difference import difference_to
from pytest_repro.report.evidence import evidence_lines, evidence_of, evidence_record, find_failure
from pytest_repro.report.words import visible
from pytest_repro.scaffold.settings import find_settings

EXIT_MISSING = 1

_JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")


@click.command()
@click.option(
    "--failure",
    metavar="FOLDER",
    help="Reproduction that repro-scaffold has made: only its failure counts as reproduced.",
)
@_JSON
@click.pass_obj
def evidence(catalogue: Catalogue, *, failure: str | None, as_json: bool) -> int:
    """Check what must be on record before giving up; exit status 1 if something is missing."""
    places = (Path.cwd(), catalogue.root)
    known = None if failure is None else find_failure(failure, places=places)
    entries = catalogue.entries()
    if not entries:
        catalogue.find(NEWEST)
    checks = evidence_of(entries, known=known)
    if as_json:
        click.echo(json.dumps(evidence_record(checks), indent=2))
    else:
        click.echo("\n".join(map(visible, evidence_lines(checks))))
    return 0 if all(check.is_met for check in checks) else EXIT_MISSING


@click.command("pr-check")
@BASE
@_JSON
@click.pass_obj
def check_change(catalogue: Catalogue, *, base: str | None, as_json: bool) -> int:
    """Check that a change holds nothing of a reproduction and no debug code; exit status 1 if it does."""
    difference = difference_to(catalogue.root, base, environment=os.environ)
    findings = findings_in(difference, settings=find_settings(catalogue.root))
    if as_json:
        click.echo(json.dumps(finding_record(findings, difference), indent=2))
    else:
        click.echo("\n".join(map(visible, finding_lines(findings, difference))))
    return EXIT_MISSING if any(not one.is_warning for one in findings) else 0
