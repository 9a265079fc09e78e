"""Where templates come from: the package's own, and the user's, which come before them one by one."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest_repro
from pytest_repro.errors import ScaffoldError
from pytest_repro.scaffold.settings import SECTION, find_settings

SUFFIX = ".j2"


@dataclass(frozen=True, slots=True, kw_only=True)
class Overrides:
    """A folder with templates of the user's own.

    Attributes:
        folder: Where they are.
        told_by: What names the folder: an option, or a file.
    """

    folder: Path
    told_by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Exported:
    """What was done to give the user templates to start from.

    Attributes:
        folder: Where they are now.
        written: Names of the files that were written.
        kept: Names of the files that were there already, and are as they were.
    """

    folder: Path
    written: tuple[str, ...]
    kept: tuple[str, ...]


def template_folder() -> Path:
    """Returns the package's own templates: inside the wheel, or beside the package in a checkout."""
    package = Path(pytest_repro.__file__).parent
    inside = package / "templates" / "scaffold"
    return inside if inside.is_dir() else package.parent / "templates" / "scaffold"


def template_folders() -> tuple[Path, ...]:
    """Returns the folders of templates that a user may have own ones of.

    They are those of the scaffold, those of reports, and that of the certificate.
    """
    folder = template_folder()
    return folder, folder.parent / "report", folder.parent


def own_templates() -> list[Path]:
    """Returns the package's own templates, in the order of their names."""
    found = (path for folder in template_folders() for path in folder.glob(f"*{SUFFIX}"))
    return sorted(found, key=lambda path: path.name)


def find_overrides(given: Path | None, *, start: Path) -> Overrides | None:
    """Finds the user's own templates.

    Args:
        given: The folder that the command line names, which has the last word.
        start: Where to begin to look upwards for a `pyproject.toml` with `templates` in its section.

    Raises:
        ScaffoldError: The folder that is named does not exist or holds no template that would be used, or the
            file cannot be read.
    """
    if given is not None:
        return _checked(Overrides(folder=given, told_by="--templates"))
    settings = find_settings(start)
    named = None if settings is None else settings.values.get("templates")
    if settings is None or named is None:
        return None
    if not isinstance(named, str) or not named:
        raise ScaffoldError(
            f"templates in {SECTION} is {named!r}, which names no folder",
            place=str(settings.file),
            next_step='Write it as templates = "folder", relative to that file.',
        )
    return _checked(Overrides(folder=settings.file.parent / named, told_by=str(settings.file)))


def _checked(overrides: Overrides) -> Overrides:
    place = f"{overrides.folder}, named by {overrides.told_by}"
    if not overrides.folder.is_dir():
        raise ScaffoldError(
            "There is no such folder of templates",
            place=place,
            next_step="Name one that exists, or begin with a copy of the package's: --export-templates DIR.",
        )
    if not overridden(overrides):
        known = ", ".join(path.name for path in own_templates())
        raise ScaffoldError(
            "The folder holds no template that would be used",
            place=place,
            next_step=f"Name its files as the package's own are named: {known}.",
        )
    return overrides


def overridden(overrides: Overrides) -> list[str]:
    """Returns the names of the templates that the user's own take the place of."""
    return [path.name for path in own_templates() if (overrides.folder / path.name).is_file()]


def misnamed(overrides: Overrides) -> Iterator[tuple[str, str]]:
    """Gives each file that looks like a misspelt template, and the name that may have been meant."""
    known = [path.name for path in own_templates()]
    for path in sorted(overrides.folder.iterdir()):
        if path.suffix == SUFFIX and path.name not in known:
            close = difflib.get_close_matches(path.name, known, n=1, cutoff=0.75)
            if close:
                yield path.name, close[0]


def export_templates(folder: Path) -> Exported:
    """Copies the package's own templates, and overwrites nothing.

    Raises:
        ScaffoldError: The folder cannot be written.
    """
    written, kept = [], []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for template in own_templates():
            try:
                with (folder / template.name).open("xb") as file:
                    file.write(template.read_bytes())
            except FileExistsError:
                kept.append(template.name)
            else:
                written.append(template.name)
    except OSError as error:
        raise ScaffoldError(
            f"The templates cannot be written: {error.strerror or error}",
            place=str(error.filename or folder),
            next_step="Name a folder that you may write to with --export-templates.",
        ) from error
    return Exported(folder=folder, written=tuple(written), kept=tuple(kept))
