"""The reproduction from the fix's side into the base, which does not have it."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from pytest_repro.errors import CertificateError
from pytest_repro.verify.certificate.relocation import below

NOTHING = "none"
"""Value of `--verify-test` that copies nothing."""

_BESIDE = ("conftest.py", "__init__.py")


@dataclass(frozen=True, slots=True, kw_only=True)
class Transplant:
    """What was copied.

    Attributes:
        copied: Files, relative to the top, that the base has from the fix now.
        changed: Those of them that the base had not, or had otherwise.
        left: Files beside them that pytest reads too, and of which the base keeps its own or has none.
    """

    copied: tuple[str, ...]
    changed: tuple[str, ...]
    left: tuple[str, ...]


def named_tests(words: Sequence[str] | None, *, start: Path, checkout: Path) -> tuple[Path, ...]:
    """Returns what `--verify-test` names, relative to the top of the checkout.

    Args:
        words: As given.
        start: What they are relative to.
        checkout: Top of the user's checkout.

    Raises:
        CertificateError: One of them is not there, or not in the checkout.
    """
    found = []
    for word in words or ():
        if word == NOTHING:
            continue
        inside = below(checkout, start / word)
        if inside is None or inside == Path():
            raise CertificateError(
                f"--verify-test {word} does not name a file or folder inside of the checkout",
                place=str(checkout),
                next_step="What lies outside is the same for base and fix, and need not be copied.",
            )
        if not os.path.lexists(checkout / inside):
            raise CertificateError(
                f"--verify-test {word}: there is no such file",
                place=str(start),
                next_step="Name the file of the test that fails without the fix.",
            )
        found.append(inside)
    return tuple(found)


def selected_tests(positional: Iterable[str], *, start: Path, checkout: Path) -> tuple[Path, ...]:
    """Returns the files that the command line selects tests from, relative to the top; no folders."""
    found: dict[Path, None] = {}
    for word in positional:
        path = start / word.partition("::")[0]
        inside = below(checkout, path)
        if inside is not None and path.is_file():
            found[inside] = None
    return tuple(found)


def transplant(paths: Iterable[Path], *, checkout: Path, fix: Path, base: Path) -> Transplant:
    """Copies tests into the base; what git ignores into both, since a worktree does not have it.

    In a folder that the base does not have at all, `conftest.py` and `__init__.py` belong to the test and
    come with it. Those of other folders may be part of the fix, and do not.

    Args:
        paths: Files or folders, relative to the top.
        checkout: The user's checkout.
        fix: Worktree of the fix.
        base: Worktree of the base.

    Raises:
        CertificateError: A file cannot be copied.
    """
    copied: dict[str, None] = {}
    changed: dict[str, None] = {}
    left: dict[str, None] = {}
    for path in paths:
        new = [folder for folder in _folders_above(path) if not (base / folder).is_dir()]
        try:
            if not os.path.lexists(fix / path):
                for each in _files(checkout, path):
                    _copy(checkout / each, fix / each)
            beside = [folder / name for folder in new for name in _BESIDE if (fix / folder / name).is_file()]
            for each in (*_files(fix, path), *beside):
                if not _is_same(fix / each, base / each):
                    _copy(fix / each, base / each)
                    changed[each.as_posix()] = None
                copied[each.as_posix()] = None
        except OSError as error:
            raise CertificateError(
                f"--verify-base: {path} cannot be copied into the base: {error.strerror or error}",
                place=str(error.filename or base),
                next_step="Name other files with --verify-test.",
            ) from error
        for folder in _folders_above(path):
            for name in _BESIDE:
                if not _is_same(fix / folder / name, base / folder / name):
                    left[(folder / name).as_posix()] = None
    return Transplant(
        copied=tuple(copied), changed=tuple(changed), left=tuple(name for name in left if name not in copied)
    )


def _folders_above(path: Path) -> list[Path]:
    return list(path.parents)


def _files(top: Path, path: Path) -> Iterator[Path]:
    """Yields a file, or all files of a folder but those of git and Python's own."""
    whole = top / path
    if whole.is_symlink() or not whole.is_dir():
        yield path
        return
    for entry in sorted(whole.iterdir()):
        if entry.name not in (".git", "__pycache__"):
            yield from _files(top, path / entry.name)


def _is_same(first: Path, second: Path) -> bool:
    if os.path.lexists(first) != os.path.lexists(second):
        return False
    if first.is_symlink() or second.is_symlink():
        return first.is_symlink() and second.is_symlink() and first.readlink() == second.readlink()
    return not first.is_file() or (second.is_file() and first.read_bytes() == second.read_bytes())


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    if target.is_dir() and not target.is_symlink():
        # `shutil` would copy into it.
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(target))
    if target.is_symlink():
        target.unlink()  # and not what it leads to
    shutil.copy2(source, target, follow_symlinks=False)
