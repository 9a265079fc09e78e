"""The certificate as a page for people: Markdown, out of which no text of a test can break."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pytest_repro.errors import ScaffoldError
from pytest_repro.report.certificate import (
    bug_title,
    build_line,
    certificate_sentence,
    described,
    iterations_words,
    next_steps,
    rate_words,
    what_remains,
)
from pytest_repro.report.words import percent, seconds
from pytest_repro.scaffold.render import Safe, check_template, render
from pytest_repro.scaffold.templates import find_overrides
from pytest_repro.verify.certificate.base_bugs import Standing
from pytest_repro.verify.certificate.dossier import Dossier
from pytest_repro.verify.certificate.snapshot import Revision
from pytest_repro.verify.certificate.trials import Side, Trial, median_durations, median_measures

TEMPLATE = "certificate.md.j2"
_MOST_LISTED = 100


def certificate_templates(start: Path) -> Path | None:
    """Returns the folder with templates of the user's own, None without one; that of the certificate is read.

    Args:
        start: Where to begin to look upwards for a `pyproject.toml` that names it.

    Raises:
        ScaffoldError: The folder, or its template of the certificate, cannot be used.
    """
    overrides = find_overrides(None, start=start)
    if overrides is None:
        return None
    # Runs may take hours: a mistake that can be seen is said before the first one.
    check_template(TEMPLATE, overrides=overrides.folder)
    return overrides.folder


def certificate_page_at_any_rate(
    dossier: Dossier, *, overrides: Path | None
) -> tuple[str, ScaffoldError | None]:
    """Returns the certificate as Markdown, and what is wrong with the user's template, if anything is.

    What was run is not lost for a mistake in a template: the package's own takes its place.
    """
    if overrides is None:
        return certificate_page(dossier), None
    try:
        return certificate_page(dossier, overrides=overrides), None
    except ScaffoldError as error:
        return certificate_page(dossier), error


def certificate_page(dossier: Dossier, *, overrides: Path | None = None) -> str:
    """Returns the certificate as Markdown.

    Args:
        dossier: What is certified.
        overrides: A folder whose template comes before the package's own.

    Raises:
        ScaffoldError: The template cannot be filled in.
    """
    verdict = dossier.verdict
    remains = what_remains(verdict)
    context: dict[str, Any] = {
        "sentence": Safe(certificate_sentence(verdict)),
        "remains": None if remains is None else Safe(remains),
        "reasons": verdict.reasons,
        "steps": next_steps(dossier) if verdict.exit_status else [],
        "notes": dossier.notes,
        "sides": [_side(dossier, side) for side in Side],
        "difference": dossier.difference,
        "files": dossier.difference.files[:_MOST_LISTED],
        "more_files": max(0, len(dossier.difference.files) - _MOST_LISTED),
        "copied": dossier.transplant.copied,
        "left": dossier.transplant.left,
        "chance": Safe(percent(verdict.chance)),
        "confidence": Safe(percent(verdict.confidence)),
        "bugs": [
            {
                "title": bug_title(bug),
                "key": "" if bug.signature is None else bug.signature.key,
                "counts": bug.standing is Standing.REPRODUCED,
                "standing": Safe(bug.standing.value),
                "runs": Safe(", ".join(str(number) for number in bug.runs)),
                "tests": bug.tests[:_MOST_LISTED],
                "message": bug.message,
            }
            for bug in verdict.bugs
        ],
        "wanted": dossier.wanted,
        "trials": [_row(trial) for trial in dossier.trials],
        "durations": _durations(dossier),
        "command": dossier.command,
        "directory": dossier.directory,
        "roots": dossier.import_roots,
        "variables": dossier.moved_variables,
        "build": dossier.build_command,
        "builds": [build_line(build) for build in dossier.builds],
        "facts": [(name, str(value)) for name, value in _facts(dossier)],
        # Hexadecimal digits, from git.
        "base": Safe(dossier.base.commit),
        "fix": Safe(dossier.fix.commit),
        "fix_tree": dossier.fix.tree,
        "is_dirty": dossier.fix.is_dirty,
    }
    return render(TEMPLATE, context, overrides=overrides)


def _side(dossier: Dossier, side: Side) -> dict[str, Any]:
    revision: Revision = dossier.base if side is Side.BASE else dossier.fix
    count = dossier.verdict.base if side is Side.BASE else dossier.verdict.fix
    return {
        "name": Safe(side.value),
        "described": described(revision),
        "commit": revision.commit,
        "tree": revision.tree,
        "rate": Safe(rate_words(count) + iterations_words(dossier.trials, side)),
    }


def _row(trial: Trial) -> dict[str, Any]:
    run, report = trial.run, trial.run.report
    told = "no report" if report is None else "failed" if trial.is_failing else "passed"
    hash_seed = "" if report is None or report.hash_seed is None else report.hash_seed
    return {
        "name": Safe(trial.side.value),
        "number": run.number,
        "outcome": Safe(told),
        "exit_status": run.exit_status,
        "executed": len(run.executed),
        "iterations": run.iterations,
        "duration": Safe(seconds(run.duration_ns)),
        # Only digits are a hash seed that was set; a cell of a table holds nothing that somebody else wrote.
        "hash_seed": Safe(hash_seed if hash_seed.isdigit() else "not known"),
    }


def _durations(dossier: Dossier) -> list[dict[str, Any]]:
    runs = median_durations(dossier.trials)
    rows: list[dict[str, Any]] = [{"test": None, "phase": "", **_both(runs)}]
    for (test, phase), medians in list(median_measures(dossier.trials).items())[:_MOST_LISTED]:
        rows.append({"test": test, "phase": phase, **_both(medians)})
    return rows


def _both(durations: dict[Side, int | None]) -> dict[str, Safe]:
    return {
        side.value: Safe("not run" if duration_ns is None else seconds(duration_ns))
        for side, duration_ns in durations.items()
    }


def _facts(dossier: Dossier) -> list[tuple[str, object]]:
    facts = dossier.facts
    named = [
        (name, facts[name])
        for name in ("began", "python", "executable", "platform", "host", "cpus")
        if name in facts
    ]
    versions = [(f"version of {name}", version) for name, version in facts.get("versions", {}).items()]
    variables = [(f"variable {name}", value) for name, value in facts.get("environment", {}).items()]
    return [*named, *versions, *variables]
