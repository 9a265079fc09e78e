"""`repro-report compare`: whether two sessions differ, and whether that is allowed."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace

import click

from pytest_repro.cli.report_names import SESSION
from pytest_repro.errors import OptionError
from pytest_repro.model import EXIT_INCOMPLETE
from pytest_repro.report.catalogue import Catalogue
from pytest_repro.report.comparison.compared import compare_sessions
from pytest_repro.report.comparison.conditions import Condition
from pytest_repro.report.comparison.demands import check_demands, parse_demand
from pytest_repro.report.comparison.judgement import LEAST_EFFECT
from pytest_repro.report.comparison.text import (
    Comparison,
    broken_demands,
    comparison_lines,
    comparison_markdown,
    comparison_record,
    comparison_tables,
    unchecked_demands,
)
from pytest_repro.report.words import visible

EXIT_BROKEN = 1


@click.command()
@click.argument("before", type=SESSION)
@click.argument("after", type=SESSION)
@click.option(
    "--fail-on",
    "fail_on",
    multiple=True,
    metavar="LIMIT",
    help="Exit with 1 if a certain difference goes beyond it, such as 'to_torch>+10%', and with 6 if that "
    "cannot be told; repeatable.",
)
@click.option(
    "--least-effect",
    type=click.FloatRange(min=0),
    default=100 * LEAST_EFFECT,
    show_default=True,
    metavar="PERCENT",
    help="A smaller difference is none.",
)
@click.option(
    "--even-if",
    metavar="NAMES",
    default="",
    help=f"Compare despite: {', '.join(one.value for one in Condition)} (with commas).",
)
@click.option("--all", "with_all", is_flag=True, help="Show all rows without a difference too.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")
@click.option(
    "--markdown", "as_markdown", is_flag=True, help="Print Markdown, for a report or a pull request."
)
@click.pass_obj
def compare(
    catalogue: Catalogue,
    *,
    before: str,
    after: str,
    fail_on: Sequence[str],
    least_effect: float,
    even_if: str,
    with_all: bool,
    as_json: bool,
    as_markdown: bool,
) -> int:
    """Compare two sessions: failure rates, durations, phases, metrics, memory."""
    if as_json and as_markdown:
        raise OptionError("--json and --markdown are two forms of one answer", next_step="Drop one of them.")
    demands = [parse_demand(text) for text in fail_on]
    comparison = compare_sessions(
        catalogue.find(before),
        catalogue.find(after),
        least_effect=least_effect / 100,
        accepted=_conditions(even_if),
    )
    rows = comparison.judgement.rows
    check_demands(demands, rows)
    broken, unchecked = broken_demands(demands, rows), unchecked_demands(demands, rows)
    comparison = replace(comparison, broken=broken, unchecked=unchecked)
    if as_json:
        click.echo(json.dumps(comparison_record(comparison), indent=2))
    elif as_markdown:
        click.echo(comparison_markdown(comparison), nl=False)
    else:
        _print(comparison, with_all=with_all)
    if broken:
        return EXIT_BROKEN
    return EXIT_INCOMPLETE if unchecked else 0


def _print(comparison: Comparison, *, with_all: bool) -> None:
    from rich.console import Console

    for word, entry in (("before:", comparison.before), ("after: ", comparison.after)):
        click.echo(f"{word} {entry.id}  {visible(entry.command)}")
    console = Console(highlight=False)
    for test, table in comparison_tables(comparison, with_all=with_all, width=console.width):
        click.echo(test)
        console.print(table)
    for line in comparison_lines(comparison, with_all=with_all):
        click.echo(line)


def _conditions(text: str) -> frozenset[Condition]:
    try:
        return frozenset(Condition(name.strip()) for name in text.split(",") if name.strip())
    except ValueError as error:
        known = ", ".join(one.value for one in Condition)
        raise OptionError(f"--even-if {text!r} cannot be used", next_step=f"Give some of {known}.") from error
