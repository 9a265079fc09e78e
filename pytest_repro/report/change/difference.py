"""What a branch changes against its base, asked of git."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from pytest_repro.errors import CertificateError, ReportError
from pytest_repro.verify.certificate.git import Git, GitFailedError

_DEFAULTS = (
    "origin/HEAD",
    "upstream/main",
    "upstream/master",
    "origin/main",
    "origin/master",
    "main",
    "master",
)
"""Bases that are tried where none is named, in this order."""

_PLAIN = ("--no-ext-diff", "--no-textconv", "--no-renames", "--no-color")
_HUNK = re.compile(r"@@ -\d+(?:,\d+)? \+(\d+)(?:,\d+)? @@")


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One line of a difference.

    Attributes:
        number: 1-based, of an added line in the new file; of a removed one where it would stand there.
        text: Without its end.
    """

    number: int
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Hunk:
    """Lines that stand together.

    Attributes:
        removed: What went.
        added: What came in its place.
    """

    removed: tuple[Line, ...]
    added: tuple[Line, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangedFile:
    """One file that differs.

    Attributes:
        path: From the top of the checkout, with forward slashes.
        status: `A` added, `M` modified, `D` deleted, `T` another type.
        hunks: What differs in it; none of a binary file.
    """

    path: str
    status: str
    hunks: tuple[Hunk, ...] = ()

    @property
    def added(self) -> tuple[Line, ...]:
        """All lines that came."""
        return tuple(line for hunk in self.hunks for line in hunk.added)

    @property
    def removed(self) -> tuple[Line, ...]:
        """All lines that went."""
        return tuple(line for hunk in self.hunks for line in hunk.removed)


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """A branch against its base.

    Attributes:
        top: Of the checkout.
        base: As it was named.
        commit: Where the branch left the base.
        head: Commit of the checkout, or the one that was asked for.
        branch: Name of the branch, None where there is none.
        files: What differs, local changes included, new files only once git knows them.
        untracked: Files that git does not know.
        is_dirty: Whether there are local changes.
        is_of_checkout: Whether files are as they lie in the checkout, not as in the commit `head`.
        git: Of the checkout.
    """

    top: Path
    base: str
    commit: str
    head: str
    branch: str | None
    files: tuple[ChangedFile, ...]
    untracked: tuple[str, ...] = ()
    is_dirty: bool = False
    is_of_checkout: bool = True
    git: Git

    def new_text(self, path: str) -> str | None:
        """Returns a file as it is now; None where it is not there or no text."""
        if not self.is_of_checkout:
            return self.git.answer("show", f"{self.head}:{path}")
        try:
            return (self.top / path).read_bytes().decode("utf-8", "surrogateescape").replace("\r\n", "\n")
        except OSError:
            return None

    def old_text(self, path: str) -> str | None:
        """Returns a file as it was in the base; None where it was not there."""
        return self.git.answer("show", f"{self.commit}:{path}")

    def exists(self, path: str) -> bool:
        """Tells whether there is such a file now."""
        if self.is_of_checkout:
            return (self.top / path).is_file()
        return self.git.answer("cat-file", "-e", f"{self.head}:{path}") is not None


def difference_to(
    root: Path, base: str | None, *, environment: Mapping[str, str], head: str | None = None
) -> Difference:
    """Returns what the checkout around a folder changes.

    Args:
        root: A folder in the checkout.
        base: Branch, tag or commit; without one the project's main branch, as far as git knows it.
        environment: Of git.
        head: A commit in the place of the checkout.

    Raises:
        ReportError: There is no checkout, no such base, or no git.
    """
    git = Git(folder=root, environment=environment)
    try:
        top = Path(git.text("rev-parse", "--show-toplevel"))
        git = git.at(top)
        name, commit = _base(git, base, head or "HEAD")
        # HEAD is told as `HEAD`: nothing stands there when the checkout is meant.
        ends = (commit, head) if head is not None else (commit,)
        named = git.words("diff", *_PLAIN, "--name-status", "-z", *ends, "--")
        patch = git.text("diff", *_PLAIN, "--unified=0", "--no-indent-heuristic", *ends, "--")
        hunks = _sections(patch)
        files = tuple(
            ChangedFile(path=path, status=status[0], hunks=next(hunks, ()))
            for status, path in zip(named[::2], named[1::2], strict=True)
        )
        others = () if head else git.words("ls-files", "--others", "--exclude-standard", "-z")
        return Difference(
            top=top,
            base=name,
            commit=commit,
            head=head or git.text("rev-parse", "HEAD"),
            branch=git.answer("symbolic-ref", "--quiet", "--short", "HEAD"),
            files=files,
            untracked=tuple(others),
            is_dirty=not head and bool(git.text("status", "--porcelain", "--untracked-files=no")),
            is_of_checkout=head is None,
            git=git,
        )
    except GitFailedError as error:
        raise ReportError(
            f"git cannot tell what has changed: {error.said}",
            place=str(root),
            next_step="Start it in a checkout with at least one commit.",
        ) from error
    except CertificateError as error:
        raise ReportError(
            "git is not installed, or the folder is gone", place=str(root), next_step="Install git."
        ) from error


def _base(git: Git, base: str | None, head: str) -> tuple[str, str]:
    """Returns the name of the base and the commit in which the branch left it."""
    for name in (base,) if base is not None else (*_upstream(git), *_DEFAULTS):
        found = None if name.startswith("-") else git.answer("rev-parse", "--verify", f"{name}^{{commit}}")
        if found is not None:
            return name, git.answer("merge-base", found, head) or found
    if base is None:
        raise ReportError(
            f"git knows none of {', '.join(_DEFAULTS)}",
            place=str(git.folder),
            next_step="Name the base of the branch with --base.",
        )
    raise ReportError(
        f"--base {base}: there is no such commit",
        place=str(git.folder),
        next_step="Give a branch, tag or commit that `git log` shows; `git fetch` brings those of others.",
    )


def _upstream(git: Git) -> Iterator[str]:
    """Yields what the branch was made from, where it is not just its own copy elsewhere."""
    upstream = git.answer("rev-parse", "--abbrev-ref", "@{upstream}")
    branch = git.answer("symbolic-ref", "--quiet", "--short", "HEAD")
    if upstream and branch and upstream.partition("/")[2] != branch:
        yield upstream


def _sections(patch: str) -> Iterator[tuple[Hunk, ...]]:
    """Yields the hunks of each file, in the order in which git names the files."""
    begun: list[str] | None = None
    # Only a line feed ends a line of a patch; no line of a file's content begins with this word.
    for line in patch.split("\n"):
        if line.startswith("diff --git "):
            if begun is not None:
                yield tuple(_hunks(begun))
            begun = []
        elif begun is not None:
            begun.append(line)
    if begun is not None:
        yield tuple(_hunks(begun))


def _hunks(lines: list[str]) -> Iterator[Hunk]:
    removed: list[Line] = []
    added: list[Line] = []
    number: int | None = None
    for line in lines:
        found = _HUNK.match(line)
        if found:
            if number is not None:
                yield Hunk(removed=tuple(removed), added=tuple(added))
            number, removed, added = int(found[1]), [], []
        elif number is not None and line.startswith("+"):
            added.append(Line(number=number + len(added), text=line[1:].rstrip("\r")))
        elif number is not None and line.startswith("-"):
            removed.append(Line(number=number, text=line[1:].rstrip("\r")))
    if number is not None:
        yield Hunk(removed=tuple(removed), added=tuple(added))
