"""Where the source of the failing test is."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

_SKIPPED_FOLDERS = frozenset({"node_modules", "__pycache__", "build", "dist", "site-packages", "venv", "env"})
_MOST_FOLDERS = 20_000


@dataclass(frozen=True, slots=True, kw_only=True)
class TestSource:
    """The file of the failing test.

    Attributes:
        root: Folder from which the test is run.
        file: Path of the file below it, with forward slashes.
    """

    root: Path
    file: str

    __test__ = False  # its name would make pytest collect it


def find_root(start: Path) -> Path:
    """Returns the root of the git checkout around a folder, or the folder itself."""
    start = start.resolve()
    return next((folder for folder in (start, *start.parents) if (folder / ".git").exists()), start)


def find_source(root: Path, file: str) -> TestSource | None:
    """Finds a test's file below a root: as named, or at the only path that ends in the named one.

    Args:
        root: Folder to look in; nothing outside of it is found.
        file: File part of a node id, which pytest tells from the folder that has its options.

    Returns:
        The file, and the folder that it is named from; None where there is no such file, or more than one.
    """
    root = root.resolve()
    wanted = PurePosixPath(file.replace("\\", "/"))
    if wanted.is_absolute() or ".." in wanted.parts or not wanted.name:
        return None
    direct = root.joinpath(*wanted.parts)
    if _is_inside(direct, root):
        return TestSource(root=root, file=wanted.as_posix())
    found = [path for path in _named(root, wanted.name) if path.parts[-len(wanted.parts) :] == wanted.parts]
    if len(found) == 1 and _is_inside(found[0], root):
        return TestSource(root=found[0].parents[len(wanted.parts) - 1], file=wanted.as_posix())
    return None


def _is_inside(path: Path, root: Path) -> bool:
    return path.is_file() and path.resolve().is_relative_to(root)


def _named(root: Path, name: str) -> Iterator[Path]:
    for seen, (folder, below, files) in enumerate(os.walk(root)):
        if seen >= _MOST_FOLDERS:
            return
        below[:] = [one for one in below if one not in _SKIPPED_FOLDERS and not one.startswith(".")]
        if name in files:
            yield Path(folder, name)
