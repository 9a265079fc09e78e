"""Worktrees of two revisions in a temporary folder, gone afterwards however that ends."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import stat
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

from pytest_repro.errors import CertificateError
from pytest_repro.store import is_left_behind, note_owner
from pytest_repro.verify.certificate.git import Git, GitFailedError, Repository
from pytest_repro.verify.certificate.snapshot import Revision, submodules_of

PREFIX = "pytest-repro-verify-"
"""Of the names of temporary folders with worktrees."""


class Workplace:
    """A temporary folder outside of the user's checkout, with the worktrees that are made in it.

    To be used as a context: at its end, also by Ctrl-C, the folder and git's notes of the worktrees are gone.
    What a killed process has left behind is removed at the beginning.

    Args:
        repository: Whose worktrees.
        place: Where the folder is made; the system's place for temporary files if None.
    """

    def __init__(self, repository: Repository, *, place: Path | None = None) -> None:
        self._repository = repository
        self._place = Path(os.path.realpath(place or tempfile.gettempdir()))
        self._path: Path | None = None
        self._worktrees: list[Path] = []

    @property
    def path(self) -> Path:
        """The folder, without symbolic links."""
        assert self._path is not None
        return self._path

    def __enter__(self) -> Workplace:
        top = self._repository.top
        if self._place.is_relative_to(top):
            raise CertificateError(
                "--verify-base: the folder for temporary files lies inside of the checkout",
                place=str(self._place),
                next_step="Set TMPDIR to a folder outside of it.",
            )
        remove_left_behind(self._repository, place=self._place)
        try:
            with _undisturbed():
                self._path = Path(tempfile.mkdtemp(prefix=PREFIX, dir=self._place))
                note_owner(self._path)
        except OSError as error:
            self._remove()
            raise CertificateError(
                f"--verify-base needs a folder for temporary files: {error.strerror or error}",
                place=str(self._place),
                next_step="Set TMPDIR to a folder that can be written.",
            ) from error
        except BaseException:  # Ctrl-C, which was put off until here
            self._remove()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        with _undisturbed():
            self._remove()
            for worktree in self._worktrees:
                _forget(self._repository, worktree)

    def _remove(self) -> None:
        if self._path is not None:
            _remove_folder(self._path)

    def folder(self, name: str) -> Path:
        """Makes a folder beside the worktrees."""
        folder = self.path / name
        folder.mkdir()
        return folder

    def add(self, name: str, revision: Revision) -> Path:
        """Makes a worktree that holds a revision as a checkout would: what is not committed is not staged.

        Args:
            name: Of its folder.
            revision: What it holds.

        Raises:
            CertificateError: git fails, or a submodule's commit is not here.
        """
        path = self.path / name
        top = self._repository.git
        self._worktrees.append(path)
        try:
            top.text("worktree", "add", "--detach", "--no-checkout", str(path), revision.commit)
            git = top.at(path)
            note_owner(path / git.text("rev-parse", "--git-dir"))
            # First with its objects at hand, then with the index as in the checkout that it comes from.
            git.text("read-tree", "--reset", "-u", revision.tree, variables=revision.variables)
            if revision.is_dirty:
                git.text("read-tree", "HEAD")
                git.answer("update-index", "-q", "--refresh")
            known = submodules_of(git, revision.tree, variables=revision.variables)
        except (GitFailedError, OSError) as error:
            raise CertificateError(
                f"--verify-base: no worktree of {revision.name} can be made: {_said(error)}",
                place=str(self._repository.top),
                next_step=f"Try `git worktree add --detach <folder> {revision.commit[:12]}`.",
            ) from error
        _add_submodules(top, known, into=path, name=revision.name)
        return path


def remove_left_behind(repository: Repository, *, place: Path) -> None:
    """Removes what killed gates have left: their folders, and git's notes of their worktrees.

    Args:
        repository: Whose worktrees.
        place: Where temporary folders are made.
    """
    notes = repository.common / "worktrees"
    for note in sorted(notes.iterdir()) if notes.is_dir() else ():
        worktree = _worktree_of(note)
        if worktree is None or not worktree.parent.name.startswith(PREFIX):
            continue
        if is_left_behind(note) or is_left_behind(worktree.parent):
            with _undisturbed():
                _remove_folder(worktree.parent)
                _forget(repository, worktree)
    for folder in place.glob(f"{PREFIX}*"):
        if not folder.is_symlink() and is_left_behind(folder):
            _remove_folder(folder)


def _worktree_of(note: Path) -> Path | None:
    """Returns the worktree that a folder of git's notes is about."""
    try:
        return Path(
            (note / "gitdir").read_text(encoding="utf-8", errors="surrogateescape").rstrip("\n")
        ).parent
    except OSError:
        return None


def _forget(repository: Repository, worktree: Path) -> None:
    """Removes git's notes of one worktree that is gone; `git worktree prune` would remove others too."""
    with contextlib.suppress(GitFailedError, CertificateError):
        repository.git.text("worktree", "remove", "--force", "--force", str(worktree), apart=True)
    notes = repository.common / "worktrees"
    for note in list(notes.iterdir()) if notes.is_dir() else ():
        if _worktree_of(note) == worktree:
            _remove_folder(note)
    with contextlib.suppress(OSError):  # others have worktrees, or none had one
        notes.rmdir()


def _add_submodules(top: Git, submodules: Mapping[str, str], *, into: Path, name: str) -> None:
    """Fills in submodules from what the checkout has of them, without network; the others stay empty."""
    for path, commit in submodules.items():
        here = top.folder / path
        if not (here / ".git").exists():
            continue
        source = top.at(here)
        target = into / path
        try:
            common = here / source.text("rev-parse", "--git-common-dir")
            if source.answer("cat-file", "-e", f"{commit}^{{commit}}") is None:
                asked = f"commit {commit[:12]} of the submodule {path}"
                raise CertificateError(
                    f"--verify-base: {name} holds {asked}, which is not here",
                    place=str(here),
                    next_step=f"Fetch it: `git -C {path} fetch`.",
                )
            top.text("clone", "--quiet", "--shared", "--no-checkout", "--template=", str(common), str(target))
            git = top.at(target)
            git.text("checkout", "--quiet", "--detach", commit)
            inner = submodules_of(git, commit)
        except GitFailedError as error:
            raise CertificateError(
                f"--verify-base: the submodule {path} of {name} cannot be filled in: {error.said}",
                place=str(here),
                next_step=f"Check it with `git -C {path} status`.",
            ) from error
        _add_submodules(source, inner, into=target, name=f"{path} of {name}")


def _said(error: Exception) -> str:
    return error.said if isinstance(error, GitFailedError) else str(error)


@contextlib.contextmanager
def _undisturbed() -> Iterator[None]:
    """Puts Ctrl-C and the like off until the block is done."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    arrived: list[int] = []
    signals = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = {number: signal.signal(number, lambda got, _: arrived.append(got)) for number in signals}
    try:
        yield
    finally:
        for number, handler in before.items():
            # None stands for a handler that Python did not set, and cannot set again.
            signal.signal(number, signal.SIG_DFL if handler is None else handler)
    if arrived:
        os.kill(os.getpid(), arrived[0])


def _remove_folder(folder: Path) -> None:
    """Removes a folder, also where tests took away their own right to."""

    def allow(remove: Callable[..., Any], path: str, _: object) -> None:
        with contextlib.suppress(OSError):
            Path(path).parent.chmod(stat.S_IRWXU)
            if not Path(path).is_symlink():
                Path(path).chmod(stat.S_IRWXU)
            if remove in (os.unlink, os.rmdir):
                remove(path)
            else:
                shutil.rmtree(path, ignore_errors=True)

    if sys.version_info >= (3, 12):
        shutil.rmtree(folder, onexc=allow)
    else:
        shutil.rmtree(folder, onerror=allow)
