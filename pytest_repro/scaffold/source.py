"""Where the source of the failing test is."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from pytest_repro.scaffold.extract.project import has_options
from pytest_repro.scaffold.shell import WORKSPACE_FOLDER

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


def find_source(root: Path, file: str, *, rootdir: str | None = None) -> TestSource | None:
    """Finds a test's file below a root: as named, or at the only path that ends in the named one.

    Args:
        root: Folder to look in; nothing outside of it is found.
        file: File part of a node id, which pytest tells from the folder that has its options.
        rootdir: That folder on CI's machine, as pytest prints it: of several files of this name it tells one.

    Returns:
        The file, and the folder that it is named from; None where there is no such file, or more than one.
    """
    root = root.resolve()
    wanted = PurePosixPath(file.replace("\\", "/"))
    if wanted.is_absolute() or ".." in wanted.parts or not wanted.name:
        return None
    for folder in _told_by(root, rootdir):
        if _is_inside(folder.joinpath(*wanted.parts), root):
            return TestSource(root=folder, file=wanted.as_posix())
    direct = root.joinpath(*wanted.parts)
    if _is_inside(direct, root):
        return TestSource(root=root, file=wanted.as_posix())
    found = [path for path in _named(root, wanted.name) if path.parts[-len(wanted.parts) :] == wanted.parts]
    if len(found) == 1 and _is_inside(found[0], root):
        named_from = found[0].parents[len(wanted.parts) - 1]
        # A log that does not print ids has paths from where pytest was started: its root may be further out.
        above = [folder for folder in (named_from, *named_from.parents) if folder.is_relative_to(root)]
        folder = next((one for one in above if has_options(one)), named_from)
        return TestSource(root=folder, file=found[0].relative_to(folder).as_posix())
    return None


def _told_by(root: Path, rootdir: str | None) -> Iterator[Path]:
    """Yields folders below a root that CI's root folder may be, without that root itself."""
    parts = PurePosixPath((rootdir or "").replace("\\", "/")).parts
    if ".." in parts:
        return
    checkout = WORKSPACE_FOLDER.match(rootdir or "")
    inside = PurePosixPath(rootdir[checkout.end() :].lstrip("/")).parts if rootdir and checkout else ()
    if not checkout and root.name in parts:
        inside = parts[len(parts) - parts[::-1].index(root.name) :]
    if inside:
        yield root.joinpath(*inside)


def _is_inside(path: Path, root: Path) -> bool:
    return path.is_file() and path.resolve().is_relative_to(root)


def _named(root: Path, name: str) -> Iterator[Path]:
    for seen, (folder, below, files) in enumerate(os.walk(root)):
        if seen >= _MOST_FOLDERS:
            return
        below[:] = [one for one in below if one not in _SKIPPED_FOLDERS and not one.startswith(".")]
        if name in files:
            yield Path(folder, name)
