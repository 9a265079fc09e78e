"""The pages themselves: Markdown from templates, which a project may have its own of."""

from __future__ import annotations

import re
import unicodedata
from datetime import datetime
from pathlib import Path

from pytest_repro.errors import ReportError
from pytest_repro.report.documents.material import Material, page_context
from pytest_repro.scaffold.render import Safe, render

EXECUTION_REPORT = "execution_report.md.j2"
PULL_REQUEST = "pull_request.md.j2"

_LONGEST_NAME = 60
_HINT = Safe(
    "take a session before and one after the change (`--repro-tag before`, `--repro-tag after`), "
    "or name two sessions"
)


def execution_report(
    material: Material, *, now: datetime, title: str = "", overrides: Path | None = None
) -> str:
    """Returns the execution report.

    Args:
        material: What is on record.
        now: When it is made.
        title: What it is about, empty for the first test.
        overrides: Templates of the user's own.

    Raises:
        ScaffoldError: The template cannot be filled in.
    """
    context = page_context(material, base_hint=_HINT)
    tests = context["tests"]
    heading = short_name(title or (tests[0].rpartition("::")[2] if tests else "")) or "report"
    context |= {"title": Safe(heading), "generated": Safe(f"{now:%Y-%m-%d %H:%M:%S} UTC")}
    return _tidied(render(EXECUTION_REPORT, context, overrides=overrides))


def pull_request(material: Material, *, overrides: Path | None = None) -> str:
    """Returns the description of the pull request.

    Raises:
        ScaffoldError: The template cannot be filled in.
    """
    context = page_context(material, base_hint=_HINT)
    return _tidied(render(PULL_REQUEST, context, overrides=overrides))


def short_name(text: str) -> str:
    """Returns a text as a part of a file's name: small letters, digits and dashes."""
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode("ascii").lower()
    return re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:_LONGEST_NAME].strip("-")


def write_report(text: str, folder: Path, *, now: datetime, name: str) -> Path:
    """Writes a page under a name that no file has yet.

    Args:
        text: The page.
        folder: Where to; made if it is not there.
        now: Goes into the name.
        name: Goes into the name too.

    Returns:
        The file.

    Raises:
        ReportError: It cannot be written.
    """
    stem = f"{now:%Y-%m-%d_%H-%M-%S}_{short_name(name) or 'report'}"
    path = folder
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for number in range(1, 1000):
            path = folder / (f"{stem}.md" if number == 1 else f"{stem}-{number}.md")
            try:
                with path.open("x", encoding="utf-8", errors="backslashreplace", newline="\n") as file:
                    file.write(text)
            except FileExistsError:
                continue
            return path
    except OSError as error:
        raise ReportError(
            f"The report cannot be written: {error.strerror or error}",
            place=str(error.filename or path),
            next_step="Name a folder that you may write to with --output-dir.",
        ) from error
    raise ReportError(
        "A thousand reports of this second and name are there", place=str(folder), next_step="Give --desc."
    )


def _tidied(page: str) -> str:
    """Leaves one empty line where a template leaves more, but for what stands in fences."""
    kept: list[str] = []
    fence = ""
    for line in page.split("\n"):
        mark = re.match(r"`{3,}", line)
        if mark and (not fence or line == fence):
            fence = "" if fence else mark[0]
        if fence or line.strip() or (kept and kept[-1].strip()):
            kept.append(line if fence else line.rstrip())
    return "\n".join(kept).rstrip("\n") + "\n"
