"""What should not be in a pull request: files of a reproduction, and what the search has left."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from pytest_repro.errors import ReportError
from pytest_repro.report.change.debug_code import suspects
from pytest_repro.report.change.difference import ChangedFile, Difference, Hunk
from pytest_repro.report.change.globs import matches
from pytest_repro.scaffold.settings import SECTION, Settings
from pytest_repro.scaffold.signatures import SIGNATURE_FILE

FORMAT_VERSION = 1

ALLOW = "pr-check-allow"

_SCRIPT = "run_test.sh"
_LEFT = re.compile(r"run_test\.sh|info\.json|verify_run_\d+\.txt|profiling_results\.log")
_SCRIPTS = ".github/scripts/"
_WAITING = re.compile(r"time_?out|sleep|wait|retr(?:y|ies)|deadline", re.IGNORECASE)
_NUMBER = re.compile(r"\d+(?:\.\d+)?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that should not be there.

    Attributes:
        path: From the top of the checkout.
        line: 1-based, None where it is the file.
        what: What it is.
        is_warning: Whether it may be right, so that it alone does not fail the check.
    """

    path: str
    line: int | None = None
    what: str
    is_warning: bool = False


def findings_in(difference: Difference, *, settings: Settings | None = None) -> list[Finding]:
    """Returns what should not be in a change, by file and line.

    Args:
        difference: The change.
        settings: Of the project: files that match a pattern of `pr-check-allow` are not looked at.

    Raises:
        ReportError: The patterns cannot be read.
    """
    allowed = _allowed(settings)
    files = [file for file in difference.files if not any(matches(glob, file.path) for glob in allowed)]
    found: list[Finding] = []
    for file in files:
        if file.status != "D":
            found += _of_file(difference, file)
    return sorted(found, key=lambda one: (one.path, one.line or 0))


def _allowed(settings: Settings | None) -> list[str]:
    value = [] if settings is None else settings.values.get(ALLOW, [])
    if settings is None or (isinstance(value, list) and all(isinstance(one, str) for one in value)):
        return list(value)
    raise ReportError(
        f"{ALLOW} in {SECTION} is {value!r}, which is no list of patterns",
        place=str(settings.file),
        next_step=f'Write it as {ALLOW} = ["tools/**"].',
    )


def _of_file(difference: Difference, file: ChangedFile) -> Iterator[Finding]:
    folder = PurePosixPath(file.path).parent
    name = PurePosixPath(file.path).name
    root = next((above for above in (folder, *folder.parents) if _is_reproduction(difference, above)), None)
    if root is not None:
        yield Finding(path=file.path, what=f"part of the reproduction {root}")
        return
    if file.path.startswith(_SCRIPTS):
        yield Finding(path=file.path, what=f"a file of {_SCRIPTS}")
        return
    if file.status == "A" and _LEFT.fullmatch(name):
        yield Finding(path=file.path, what="a file of a reproduction")
        return
    added = {line.number for line in file.added}
    text = difference.new_text(file.path) if added else None
    if text is not None:
        before = None if file.status == "A" else difference.old_text(file.path)
        for one in suspects(file.path, text, added=added, before=before):
            yield Finding(path=file.path, line=one.line, what=one.what)
    for hunk in file.hunks:
        yield from _widened(file.path, hunk)


def _is_reproduction(difference: Difference, folder: PurePosixPath) -> bool:
    return all(difference.exists(str(folder / name)) for name in (SIGNATURE_FILE, _SCRIPT))


def _widened(path: str, hunk: Hunk) -> Iterator[Finding]:
    """Yields lines that wait longer than before, and nothing else."""
    if len(hunk.removed) != len(hunk.added):
        return
    for old, new in zip(hunk.removed, hunk.added, strict=True):
        is_same = _NUMBER.sub("N", old.text) == _NUMBER.sub("N", new.text)
        if not is_same or not _WAITING.search(new.text):
            continue
        pairs = zip(_NUMBER.findall(old.text), _NUMBER.findall(new.text), strict=True)
        larger = next(((one, other) for one, other in pairs if float(other) > float(one)), None)
        if larger is not None:
            what = f"waits longer: {larger[0]} became {larger[1]}"
            yield Finding(path=path, line=new.number, what=what, is_warning=True)


def finding_lines(findings: Sequence[Finding], difference: Difference) -> list[str]:
    """Returns a line for each finding, and what was looked at."""
    lines = []
    for one in findings:
        place = one.path if one.line is None else f"{one.path}:{one.line}"
        lines.append(f"{place}: {'warning: ' if one.is_warning else ''}{one.what}")
    errors = sum(not one.is_warning for one in findings)
    looked = f"{len(difference.files):,} changed files against {difference.base}"
    lines.append(f"{errors:,} to remove, {len(findings) - errors:,} to look at, in {looked}")
    if difference.untracked:
        lines.append(f"note: {len(difference.untracked):,} files that git does not know were not looked at")
    return lines


def finding_record(findings: Sequence[Finding], difference: Difference) -> dict[str, Any]:
    """Returns the same as plain builtins."""
    return {
        "format_version": FORMAT_VERSION,
        "base": difference.base,
        "commit": difference.commit,
        "files": len(difference.files),
        "findings": [
            {"path": one.path, "line": one.line, "what": one.what, "is_warning": one.is_warning}
            for one in findings
        ],
    }
