"""JSON and JSON Lines as files: written whole, or a line at a time."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pytest_repro.errors import StoreError

FORMAT_VERSION = 1
"""Stands in every record; a reader that meets a higher one must refuse it."""


def read_json_lines(path: Path) -> list[dict[str, Any]]:
    """Reads a JSON Lines file that this module wrote or still writes.

    A last line without its end is left out: who wrote it was stopped in the middle.

    Raises:
        StoreError: It is not there, another line is not JSON, or of a newer format.
    """
    return list(each_json_line(path))


def each_json_line(path: Path) -> Iterator[dict[str, Any]]:
    """Yields the records of a JSON Lines file, as `read_json_lines` reads them, one at a time.

    Raises:
        StoreError: As there; what came before has been yielded.
    """
    try:
        with path.open(encoding="utf-8", errors="replace", newline="\n") as file:
            for number, line in enumerate(file, 1):
                if line.endswith("\n"):
                    yield _record(line, place=f"{path}:{number}")
    except OSError as error:
        raise _unreadable(path, error) from error


def write_json(path: Path, record: Mapping[str, Any]) -> None:
    """Writes one JSON file whole, through a temporary file beside it.

    Raises:
        OSError: The file cannot be written.
    """
    write_whole(path, json.dumps(record, indent=2) + "\n")


def write_whole(path: Path, text: str) -> None:
    """Writes one text file through a temporary one beside it: a reader sees the old or the new, never a half.

    Raises:
        OSError: The file cannot be written.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    temporary.write_text(text, encoding="utf-8", errors="backslashreplace")
    temporary.replace(path)


def read_json(path: Path) -> dict[str, Any]:
    """Reads one JSON file that this module wrote.

    Raises:
        StoreError: It is not there, not JSON, or of a newer format.
    """
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        raise _unreadable(path, error) from error
    return _record(text, place=str(path))


def _record(text: str, *, place: str) -> dict[str, Any]:
    try:
        data = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise StoreError(
            f"The record is not JSON: {error}", place=place, next_step="Remove it, or repeat the session."
        ) from error
    version = data.get("format_version", FORMAT_VERSION) if isinstance(data, dict) else None
    if not isinstance(data, dict) or not isinstance(version, int) or version > FORMAT_VERSION:
        raise StoreError(
            f"The record is not of format {FORMAT_VERSION}", place=place, next_step="Upgrade pytest-repro."
        )
    return data


def _unreadable(path: Path, error: OSError) -> StoreError:
    return StoreError(
        f"Cannot read the record: {error.strerror}", place=str(path), next_step="Check the path."
    )
