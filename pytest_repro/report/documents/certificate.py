"""The certificate, as the report and the pull request tell it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pytest_repro.report.catalogue import SessionEntry
from pytest_repro.report.certificate_facts import certificate_facts, median_rows
from pytest_repro.report.session_view import read_session
from pytest_repro.report.words import seconds
from pytest_repro.scaffold.render import Safe

CERTIFICATE = "certificate"


def newest_certificate(entries: Sequence[SessionEntry]) -> SessionEntry | None:
    """Returns the newest of them, None where there is none."""
    return next((entry for entry in reversed(entries) if entry.kind == CERTIFICATE), None)


def certificate_context(entry: SessionEntry) -> dict[str, Any]:
    """Returns what was said, the facts behind it, and where the whole one lies."""
    view = read_session(entry)
    return {
        "said": list(view.said[:20]),
        "facts": [(Safe(name), text) for name, text in certificate_facts(view.summary)],
        "session": entry.id,
        "path": f".pytest_repro/sessions/{entry.id}/certificate.md",
    }


def certificate_impact(entry: SessionEntry) -> Safe | None:
    """Returns the medians of base and fix as a table; None where they are not on record."""
    from pytest_repro.scaffold.render import markdown_cell, markdown_code

    rows = median_rows(read_session(entry).summary)
    if not rows:
        return None
    lines = [
        f"Medians of the runs of certificate {markdown_code(entry.id)}, which no test holds against chance:",
        "",
        "| Metric | Before | After | Change |",
        "|---|---|---|---|",
    ]
    for name, base, fix in rows:
        change = f"{100 * (fix - base) / base:+.1f} %" if base else "-"
        lines.append(f"| {markdown_cell(name)} | {seconds(base)} | {seconds(fix)} | {change} |")
    return Safe("\n".join(lines))
