"""The console script `repro-scaffold`: from a CI log to a folder that reproduces its failure."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import click

from pytest_repro.cli.commands import CONTEXT_SETTINGS, EXIT_DONE, run_command
from pytest_repro.cli.scaffold_input import given_log, source_root
from pytest_repro.cli.scaffold_progress import shown_progress
from pytest_repro.cli.scaffold_proof import checked, proof_of, proof_words
from pytest_repro.cli.scaffold_words import exported_words, failing_test_words, folder_words, note_words
from pytest_repro.cli.scaffold_workflow import root_of, workflow_facts
from pytest_repro.logs.history import WorkerHistory, read_history
from pytest_repro.logs.reader import read_whole_log
from pytest_repro.logs.records import CiFailure
from pytest_repro.logs.secrets import Masker
from pytest_repro.logs.sources import Log
from pytest_repro.scaffold.build import PROOF_LOG, outdated_files, planned_files
from pytest_repro.scaffold.command_options import conftest_texts, declared_options
from pytest_repro.scaffold.context import Reproduction, checked_name, plan
from pytest_repro.scaffold.findings import Findings, findings_of
from pytest_repro.scaffold.forms import Form
from pytest_repro.scaffold.merge_workflow import with_workflow
from pytest_repro.scaffold.templates import export_templates, find_overrides
from pytest_repro.scaffold.write import PlannedFile, check_free, kept_output, write_folder

PROGRAM = "repro-scaffold"


@dataclass(frozen=True, slots=True, kw_only=True)
class ScaffoldOptions:
    """The command line, as it was given.

    Attributes:
        name: Name of the failure, and of the folder; None where none is made.
        log: Where the logs are, `-` for standard input.
        run_url: Address of the run of GitHub Actions that has the log.
        quiet: Whether to show no progress.
        test: Which failing test of the log; None for the first that did not pass later.
        flaky: Whether the user says that the test fails only now and then, None to go by the log.
        workflow: GitHub workflow file of the job, None without one.
        job: Which job of the workflow, None to go by the log.
        output: Folder in which the folder is made.
        force: Whether the generated files of an existing folder are renewed.
        source: Root of the tests' source, where it was given.
        templates: Folder of the user's own templates, where it was given.
        list_tests: Whether to print the failing tests of the log, and make nothing.
        export_templates: Where to copy the package's own templates to, and make nothing else.
        no_run: Whether the test is written without being run.
        check: A folder to check in the place of making one.
    """

    name: str | None
    log: tuple[str, ...]
    run_url: str | None
    quiet: bool
    test: str | None
    flaky: bool | None
    workflow: Path | None
    job: str | None
    output: Path
    force: bool
    source: Path | None
    templates: Path | None
    list_tests: bool
    export_templates: Path | None
    no_run: bool
    check: Path | None


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the script.

    Args:
        argv: Arguments without the program's name, those of the process by default.

    Returns:
        0 when everything was done, 4 for arguments or input that cannot be used; with `--check` 0 for the
        same failure, 1 for another one or none, 6 where it could not be told.
    """
    return run_command(scaffold, argv, program=PROGRAM)


@click.command(
    help="Make a folder that reproduces a test failure: script, test, README, log and signature.",
    epilog="Exit codes: 0 done, 4 usage error or input that cannot be used. With --check: 0 the same "
    "failure, 1 another one or none, 6 could not tell.",
    context_settings=CONTEXT_SETTINGS,
)
@click.argument("name", metavar="failure-name", required=False)
@click.option(
    "--log",
    multiple=True,
    metavar="FILE",
    help="CI log to read the failure from: a file, a folder or an archive of logs, - for standard input; "
    "repeatable.",
)
@click.option(
    "--run-url",
    metavar="URL",
    help="Fetch the log of a run or job of GitHub Actions; a token is taken from GH_TOKEN or GITHUB_TOKEN.",
)
@click.option("-q", "--quiet", is_flag=True, help="Show no progress.")
@click.option(
    "--test",
    metavar="NODEID",
    help="Which failing test of the log: node id, or a part of one (default: the first lasting one).",
)
@click.option(
    "--flaky/--deterministic",
    default=None,
    help="Fails now and then: stress it. Always fails: run it once. (Default: as the log says.)",
)
@click.option(
    "--workflow",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="GitHub workflow file of the job: adds its variables, steps and machine.",
)
@click.option(
    "--job",
    metavar="NAME",
    help="Which job of the workflow: key or name, with its matrix values (default: the log's).",
)
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
@click.option(
    "--templates",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Templates of your own, each in the place of one of the package's.",
)
@click.option("--list", "list_tests", is_flag=True, help="Print the log's failing tests, and make nothing.")
@click.option(
    "--export-templates",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Copy the package's templates to DIR, to begin your own with, and make nothing else.",
)
@click.option(
    "--no-run", is_flag=True, help="Write the test without running it to prove that it fails as in CI."
)
@click.option(
    "--check",
    type=click.Path(path_type=Path),
    metavar="FOLDER",
    help="Run a folder that was made, and tell whether it is the same failure as in CI.",
)
def scaffold(**given: Any) -> int:
    """Makes the folder, and says what is in it."""
    options = ScaffoldOptions(**given)
    if options.check is not None:
        if options.name is not None or options.log:
            raise click.UsageError("--check FOLDER takes no failure-name and no --log: the folder says both.")
        return checked(options.check)
    if options.run_url is not None and options.log:
        raise click.UsageError("--run-url fetches the log that --log would name: give one of them.")
    if options.export_templates is not None:
        lines = list(exported_words(export_templates(options.export_templates)))
    else:
        with (
            shown_progress(quiet=options.quiet) as progress,
            given_log(options.log, options.run_url, progress=progress) as log,
        ):
            lines = list(_listed(log) if options.list_tests else _scaffold(options, log))
    click.echo("\n".join(lines))
    return EXIT_DONE


def _listed(log: Log | None) -> Iterator[str]:
    if log is None:
        raise click.UsageError("--list prints the failing tests of a log: give one with --log.")
    return failing_test_words(read_whole_log(log)[0])


def _scaffold(options: ScaffoldOptions, log: Log | None) -> Iterator[str]:
    if options.name is None:
        raise click.UsageError("Missing argument 'failure-name'.")
    if options.test is not None and log is None:
        raise click.UsageError("--test chooses one of the failing tests of a log: give one with --log.")
    if options.job is not None and options.workflow is None:
        raise click.UsageError("--job chooses a job of a workflow: give one with --workflow.")
    folder = options.output / checked_name(options.name)
    check_free(folder, force=options.force)
    overrides = find_overrides(options.templates, start=Path.cwd())
    report, masker = read_whole_log(log) if log else (None, Masker())
    reproduction = plan(
        options.name,
        report=report,
        folder=folder,
        source_root=source_root(options.source),
        is_flaky=options.flaky,
        test=options.test,
        history_of=partial(_history, log, masker),
    )
    if options.workflow is not None:
        facts = workflow_facts(options.workflow, job=options.job, report=report)
        root = source_root(options.source) if options.source else root_of(options.workflow)
        reproduction = with_workflow(
            reproduction,
            facts,
            report,
            source=os.path.relpath(root.resolve(), folder.resolve()),
            declared=_declared(reproduction, folder),
        )

    def files(
        form: Form | None, log: Log | None = None, findings: Findings | None = None
    ) -> list[PlannedFile]:
        folder_of_templates = overrides.folder if overrides else None
        return planned_files(
            reproduction,
            log=log,
            masker=masker,
            overrides=folder_of_templates,
            form=form,
            findings=findings,
        )

    proof, reasons = proof_of(reproduction, folder, files=files, is_run=not options.no_run)
    findings = findings_of(proof, reasons) if proof is not None else None
    planned = files(proof.chosen if proof is not None else None, log, findings)
    if proof is not None and proof.trial is not None and proof.trial.output:
        planned.append(kept_output(PROOF_LOG, masker(proof.trial.output)))
    written = write_folder(folder, planned, force=options.force, outdated=outdated_files(folder, planned))
    yield from folder_words(reproduction, written, overrides)
    if findings is not None:
        yield from proof_words(findings)
    if log is not None:
        yield from note_words(log.parts, log.notes)


def _declared(reproduction: Reproduction, folder: Path) -> dict[str, bool]:
    """Returns the options that conftest files around the failing test declare."""
    if reproduction.source is None or reproduction.file is None:
        return {}
    root = (folder.resolve() / reproduction.source).resolve()
    return declared_options(conftest_texts(root, reproduction.file))


def _history(log: Log | None, masker: Masker, failure: CiFailure) -> WorkerHistory | None:
    return None if log is None else read_history(log.lines(), failure, masker=masker)


if __name__ == "__main__":
    raise SystemExit(main())
