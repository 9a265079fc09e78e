"""What a checkout holds, as a tree of git's that leaves no trace in the repository."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from pytest_repro.errors import CertificateError
from pytest_repro.verify.certificate.git import Git, GitFailedError, Repository, commit_of

_SUBMODULE = "160000"


@dataclass(frozen=True, slots=True, kw_only=True)
class Revision:
    """One of the two that are compared.

    Attributes:
        name: As it was asked for; `HEAD` for the checkout.
        commit: Its commit.
        tree: All of its files: the commit's tree, or that with the changes that are not committed.
        is_dirty: Whether the tree holds changes that are not committed.
        objects: Where objects of the tree are that the repository does not have, None without such.
        left_out: Repositories inside of the checkout that are no submodules.
    """

    name: str
    commit: str
    tree: str
    is_dirty: bool = False
    objects: Path | None = None
    left_out: tuple[str, ...] = ()

    @property
    def variables(self) -> dict[str, str]:
        """Variables with which git finds all objects of the tree."""
        return {} if self.objects is None else {"GIT_OBJECT_DIRECTORY": str(self.objects)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """What lies between base and fix.

    Attributes:
        files: Files that differ, relative to the top of the checkout.
        ahead: Commits of the fix that the base lacks.
        behind: Commits of the base that the fix lacks; 0 where the fix builds on the base.
    """

    files: tuple[str, ...] = field(default=())
    ahead: int = 0
    behind: int = 0


def revision_of(repository: Repository, name: str) -> Revision:
    """Returns what a commit holds.

    Raises:
        CertificateError: There is no such commit.
    """
    commit = commit_of(repository, name)
    return Revision(name=name, commit=commit, tree=repository.git.text("rev-parse", f"{commit}^{{tree}}"))


def snapshot_of(repository: Repository, *, scratch: Path) -> Revision:
    """Returns what the checkout holds now: files that git tracks or would, as they lie there.

    The user's index is copied and never written; new objects go to a folder of their own.

    Args:
        repository: Whose checkout.
        scratch: A folder for the copied index and the new objects.

    Raises:
        CertificateError: There is no commit yet, a merge is not done, a submodule has changes, or git fails.
    """
    git = repository.git
    commit = git.answer("rev-parse", "--verify", "HEAD^{commit}")
    if commit is None:
        raise CertificateError(
            "--verify-base: the repository has no commit yet",
            place=str(repository.top),
            next_step="Commit the state before the fix first.",
        )
    _refuse_conflicts(repository)
    _refuse_changed_submodules(repository)
    objects = _objects_beside(git, scratch)
    variables = {"GIT_INDEX_FILE": str(_copied_index(git, scratch)), "GIT_OBJECT_DIRECTORY": str(objects)}
    before = set(_submodules_in_index(git, variables))
    try:
        git.text("-c", "advice.addEmbeddedRepo=false", "add", "--all", variables=variables)
        others = tuple(sorted(set(_submodules_in_index(git, variables)) - before))
        for path in others:
            git.text("update-index", "--force-remove", "--", path, variables=variables)
        tree = git.text("write-tree", variables=variables)
    except GitFailedError as error:
        raise CertificateError(
            f"--verify-base: changes that are not committed cannot be read: {error.said}",
            place=str(repository.top),
            next_step="Commit them, or have .gitignore name what is none of the fix.",
        ) from error
    committed = git.text("rev-parse", f"{commit}^{{tree}}")
    return Revision(
        name="HEAD",
        commit=commit,
        tree=tree,
        is_dirty=tree != committed,
        objects=None if tree == committed else objects,
        left_out=others,
    )


def difference_of(repository: Repository, base: Revision, fix: Revision) -> Difference:
    """Tells what lies between base and fix."""
    git = repository.git
    files = git.words(
        "diff-tree", "-r", "-z", "--name-only", "--no-renames", base.tree, fix.tree, variables=fix.variables
    )
    # Without a common root, or in a shallow clone, the numbers are those that git can see.
    counts = git.text("rev-list", "--left-right", "--count", f"{base.commit}...{fix.commit}").split()
    return Difference(files=tuple(files), behind=int(counts[0]), ahead=int(counts[1]))


def submodules_of(git: Git, tree: str, *, variables: Mapping[str, str] | None = None) -> dict[str, str]:
    """Returns the submodules of a tree: path to commit."""
    entries = git.words("ls-tree", "-r", "-z", "--full-tree", tree, variables=variables)
    found = {}
    for entry in entries:
        facts, _, path = entry.partition("\t")
        mode, _, commit = facts.split(" ")[:3]
        if mode == _SUBMODULE:
            found[path] = commit
    return found


def _submodules_in_index(git: Git, variables: Mapping[str, str]) -> list[str]:
    entries = git.words("ls-files", "--stage", "-z", variables=variables)
    return [entry.partition("\t")[2] for entry in entries if entry.startswith(_SUBMODULE)]


def _refuse_conflicts(repository: Repository) -> None:
    entries = repository.git.words("ls-files", "--unmerged", "-z")
    if entries:
        files = sorted({entry.partition("\t")[2] for entry in entries})
        shown = ", ".join(files[:5]) + " ..." * (len(files) > 5)
        raise CertificateError(
            f"--verify-base: a merge is not done: {shown} in conflict",
            place=str(repository.top),
            next_step="Resolve the conflicts, `git add` the files, and start again.",
        )


def _refuse_changed_submodules(repository: Repository) -> None:
    """Git knows a submodule by its commit alone: changes inside would be left out without a word."""
    for path in _submodules_in_index(repository.git, {}):
        folder = repository.top / path
        if not (folder / ".git").exists():
            continue
        if repository.git.at(folder).answer("status", "--porcelain", "--ignore-submodules=none"):
            raise CertificateError(
                f"--verify-base: the submodule {path} has changes that are not committed",
                place=str(folder),
                next_step="Commit them in the submodule; that commit need not be pushed.",
            )


def _copied_index(git: Git, scratch: Path) -> Path:
    copy = scratch / "index"
    index = git.folder / git.text("rev-parse", "--git-path", "index")
    if index.exists():
        # With its time: git compares it with the times of files to know which may have changed since.
        shutil.copy2(index, copy)
    return copy


def _objects_beside(git: Git, scratch: Path) -> Path:
    """Makes a folder for new objects, which finds all others in the repository."""
    objects = scratch / "objects"
    (objects / "info").mkdir(parents=True)
    known = git.folder / git.text("rev-parse", "--git-path", "objects")
    (objects / "info" / "alternates").write_text(f"{known}\n", encoding="utf-8", errors="surrogateescape")
    return objects
