"""Two sessions read, judged, and held against the limits on record."""

from __future__ import annotations

from collections.abc import Collection

from pytest_repro.errors import ReportError, StoreError
from pytest_repro.report.catalogue import SessionEntry
from pytest_repro.report.comparison.conditions import Condition, objections, refuse
from pytest_repro.report.comparison.judgement import LEAST_EFFECT, OF_TIME, judge
from pytest_repro.report.comparison.measured import measure
from pytest_repro.report.comparison.targets import targets_of
from pytest_repro.report.comparison.text import Comparison
from pytest_repro.report.frames import iteration_folders

_CERTIFICATE = "certificate"
_ONE_PROCESS = (
    "each session is one process: times that differ from process to process, whatever the code, look like a "
    "difference; --verify-runs 5 takes several"
)


def compare_sessions(
    before: SessionEntry,
    after: SessionEntry,
    *,
    least_effect: float = LEAST_EFFECT,
    accepted: Collection[Condition] = (),
) -> Comparison:
    """Compares two sessions.

    Args:
        before: The first.
        after: The second, whose limits are the targets.
        least_effect: Part of the first value below which a difference is none.
        accepted: What may differ between them beside the code.

    Raises:
        ReportError: One of them is a certificate.
        IncomparableError: Something else differs, and was not accepted.
        StoreError: The small files of one of them cannot be read.
    """
    for entry in (before, after):
        if entry.problem:
            raise StoreError(f"{entry.id} cannot be compared", next_step=entry.problem)
        if entry.kind == _CERTIFICATE:
            raise ReportError(
                f"{entry.id} is a certificate, which has compared its base with its fix itself",
                next_step=f"Look at it with repro-report show {entry.id}, or name two other sessions.",
            )
    measured = measure(before.path), measure(after.path)
    found = tuple(objections(before, after, measured=measured))
    refuse(found, accepted=accepted)
    judgement = judge(*measured, least_effect=least_effect, with_contended=Condition.CONTENDED in accepted)
    notes = [problem for one in measured for problem in one.unreadable]
    if any(row.is_different and row.key.quantity in OF_TIME for row in judgement.rows) and all(
        len(iteration_folders(entry.path)) == 1 for entry in (before, after)
    ):
        notes.append(_ONE_PROCESS)
    if not judgement.rows:
        notes.append("the sessions have measured nothing in common")
    return Comparison(
        before=before,
        after=after,
        judgement=judgement,
        objections=found,
        notes=tuple(notes),
        targets=targets_of(after),
    )
