"""Files to disk: whole or not at all, and never over somebody's work."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from pytest_repro.errors import ScaffoldError

_READABLE = 0o444


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedFile:
    """One file of a reproduction.

    Attributes:
        path: Path below the folder, with forward slashes.
        write: Writes its text; called with an open file, so that a log need not fit into memory.
        is_executable: Whether it can be run.
        is_edited: Whether people edit it, so that an earlier version is worth keeping.
    """

    path: str
    write: Callable[[TextIO], object]
    is_executable: bool = False
    is_edited: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """What was done.

    Attributes:
        folder: The folder that was made or renewed.
        files: Files that were written, in order.
        kept: Earlier versions that were kept, beside their files.
    """

    folder: Path
    files: tuple[Path, ...]
    kept: tuple[Path, ...] = ()


def text_file(path: str, text: str, *, is_executable: bool = False) -> PlannedFile:
    """Plans a file whose text is at hand."""
    return PlannedFile(path=path, write=lambda file: file.write(text), is_executable=is_executable)


def kept_output(path: str, text: str) -> PlannedFile:
    """Plans a file with the output of a program, which nobody edits."""
    return PlannedFile(path=path, write=lambda file: file.write(text), is_edited=False)


def check_free(folder: Path, *, force: bool = False) -> None:
    """Makes sure that a reproduction may be written, before anything long is begun.

    Raises:
        ScaffoldError: A file is in the way, or the folder exists and `force` is not given.
    """
    if os.path.lexists(folder) and not folder.is_dir():
        raise ScaffoldError(
            "The reproduction cannot be made: a file of this name is in the way",
            place=str(folder),
            next_step="Choose another name, or move the file away.",
        )
    if folder.exists() and any(folder.iterdir()) and not force:
        raise ScaffoldError(
            f"The reproduction exists already, with {sum(1 for _ in folder.iterdir())} entries",
            place=str(folder),
            next_step="Choose another name, or renew its generated files with --force: your own files stay.",
        )


def write_folder(
    folder: Path, files: Sequence[PlannedFile], *, force: bool = False, outdated: Sequence[str] = ()
) -> Written:
    """Writes a reproduction.

    A new folder appears whole or not at all. An existing one is only touched with `force`: then the planned
    files are replaced one by one, what people may have edited is kept as `<file>.bak`, and all else stays.

    Args:
        folder: Where it is going to be.
        files: What is written.
        force: Whether an existing folder may be renewed.
        outdated: Files that an earlier reproduction had and that are not to be read any more.

    Raises:
        ScaffoldError: The folder exists and `force` is not given, or it cannot be written.
    """
    check_free(folder, force=force)
    with _explained(folder):
        folder.parent.mkdir(parents=True, exist_ok=True)
        # A folder that is there may be a link or a mount: files are only moved within one file system.
        beside = folder if folder.exists() else folder.parent
        with tempfile.TemporaryDirectory(prefix=f".{folder.name}.", dir=beside) as scratch:
            draft = Path(scratch, folder.name)
            _write_all(draft, files)
            kept = (*_put_away(folder, outdated), *_move_into(draft, folder, files))
    return Written(folder=folder, files=tuple(folder / file.path for file in files), kept=kept)


@contextmanager
def _explained(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise ScaffoldError(
            f"The reproduction cannot be written: {error.strerror or error}",
            place=str(error.filename or folder),
            next_step="Choose a folder that you may write to with --output.",
        ) from error


def _write_all(draft: Path, files: Iterable[PlannedFile]) -> None:
    for file in files:
        path = draft / file.path
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("w", encoding="utf-8", errors="replace", newline="\n") as opened:
            file.write(opened)
        if file.is_executable:
            mode = path.stat().st_mode
            path.chmod(mode | (mode & _READABLE) >> 2)  # by all who may read it, as the umask has it


def _move_into(draft: Path, folder: Path, files: Iterable[PlannedFile]) -> Iterator[Path]:
    if not folder.exists():
        draft.replace(folder)
        return
    for file in files:
        target = folder / file.path
        target.parent.mkdir(parents=True, exist_ok=True)
        is_in_the_way = target.is_dir() or (file.is_edited and os.path.lexists(target))
        if is_in_the_way and not _is_same(draft / file.path, target):
            yield _put_aside(target)  # at once: no half of it where this is broken off
        (draft / file.path).replace(target)


def _put_away(folder: Path, outdated: Iterable[str]) -> Iterator[Path]:
    for path in outdated:
        target = folder / path
        if os.path.lexists(target):
            yield _put_aside(target)


def _put_aside(target: Path) -> Path:
    backup = _free_backup(target)
    target.replace(backup)
    return backup


def _is_same(new: Path, old: Path) -> bool:
    return old.is_file() and not old.is_symlink() and new.read_bytes() == old.read_bytes()


def _free_backup(path: Path) -> Path:
    first = path.with_name(path.name + ".bak")
    number = 2
    backup = first
    while os.path.lexists(backup):
        backup = path.with_name(f"{path.name}.bak{number}")
        number += 1
    return backup
