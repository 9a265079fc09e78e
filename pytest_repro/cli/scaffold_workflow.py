"""The workflow file that `repro-scaffold` is given: which repository it is of, and what the log adds."""

from __future__ import annotations

import os
from pathlib import Path

from pytest_repro.logs.records import Found, LogReport
from pytest_repro.logs.workflow.reader import LogHints, read_workflow
from pytest_repro.logs.workflow.records import WorkflowFacts
from pytest_repro.scaffold.source import find_root


def workflow_facts(path: Path, *, job: str | None, report: LogReport | None) -> WorkflowFacts:
    """Reads what a workflow file says of the job of a log.

    Raises:
        LogError: It is no workflow of GitHub, or it is not clear which job is meant.
    """
    root = root_of(path)
    return read_workflow(path, shown=_shown(path, root), root=root, job=job, hints=_hints(report))


def root_of(path: Path) -> Path:
    """The folder around `.github/workflows`, else the checkout around the file."""
    folder = path.absolute().parent
    if folder.name == "workflows" and folder.parent.name == ".github":
        return folder.parent.parent
    return find_root(folder)


def _shown(path: Path, root: Path) -> str:
    try:
        return path.absolute().relative_to(root).as_posix()
    except ValueError:
        return os.fspath(path)


def _hints(report: LogReport | None) -> LogHints:
    if report is None:
        return LogHints()
    session = report.session
    return LogHints(
        job=_value(session.job),
        step=_value(session.step),
        command=_value(session.command),
        commit=_value(report.commit),
    )


def _value(found: Found | None) -> str | None:
    return found.value if found else None
