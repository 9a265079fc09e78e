"""What a project's `pyproject.toml` says to the console scripts."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pytest_repro.errors import ScaffoldError

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

SECTION = "[tool.pytest-repro]"
"""Where it says that."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The section of this package in a file.

    Attributes:
        file: Which file.
        values: What stands there.
    """

    file: Path
    values: Mapping[str, Any]


def find_settings(start: Path) -> Settings | None:
    """Finds the nearest `pyproject.toml` upwards that has the section; None where there is none.

    Args:
        start: Where to begin to look.

    Raises:
        ScaffoldError: A file that may have it cannot be read.
    """
    start = start.absolute()
    for folder in (start, *start.parents):
        file = folder / "pyproject.toml"
        values = _section(file)
        if values is not None:
            return Settings(file=file, values=values)
    return None


def _section(file: Path) -> dict[str, Any] | None:
    """The section of this package in a file; None where there is no such file, or no such section in it."""
    try:
        text = file.read_bytes().decode("utf-8-sig")
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise _unreadable(file, error) from error
    if "pytest-repro" not in text:
        return None  # whatever else may be wrong with it is not for this program to say
    try:
        tool = tomllib.loads(text.replace("\r\n", "\n")).get("tool", {})
    except tomllib.TOMLDecodeError as error:
        raise _unreadable(file, error) from error
    section = tool.get("pytest-repro") if isinstance(tool, dict) else None
    return section if isinstance(section, dict) else None


def _unreadable(file: Path, error: Exception) -> ScaffoldError:
    return ScaffoldError(
        f"It may hold {SECTION}, and cannot be read: {error}", place=str(file), next_step="Correct the file."
    )
