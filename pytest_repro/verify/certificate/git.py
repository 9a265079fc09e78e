"""git, asked so that the user's checkout stays as it is."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pytest_repro.errors import CertificateError

# What `git rev-parse --local-env-vars` names, but for what carries configuration such as safe.directory.
# A hook of git is started with some of these, and they would turn each call to the repository of the hook.
_OF_ONE_REPOSITORY = frozenset(
    [
        "GIT_ALTERNATE_OBJECT_DIRECTORIES",
        "GIT_COMMON_DIR",
        "GIT_CONFIG",
        "GIT_DIR",
        "GIT_GRAFT_FILE",
        "GIT_IMPLICIT_WORK_TREE",
        "GIT_INDEX_FILE",
        "GIT_INTERNAL_SUPER_PREFIX",
        "GIT_NAMESPACE",
        "GIT_NO_REPLACE_OBJECTS",
        "GIT_OBJECT_DIRECTORY",
        "GIT_PREFIX",
        "GIT_REPLACE_REF_BASE",
        "GIT_SHALLOW_FILE",
        "GIT_WORK_TREE",
    ]
)
# Hooks of the user's are not ours to start; what watches the checkout for changes is not ours to trust.
_SETTINGS = (
    "core.hooksPath=/dev/null",
    "core.fsmonitor=false",
    "core.splitIndex=false",
    "core.safecrlf=false",
)


def without_repository(environment: Mapping[str, str]) -> dict[str, str]:
    """Returns the variables without those that name one repository, as git sets them for its hooks."""
    return {name: value for name, value in environment.items() if name not in _OF_ONE_REPOSITORY}


class GitFailedError(Exception):
    """A call of git that ended badly.

    Args:
        arguments: Of git.
        said: What it printed.
    """

    def __init__(self, arguments: tuple[str, ...], said: str) -> None:
        self.said = " ".join(said.split()) or "no word of why"
        super().__init__(f"git {' '.join(arguments)}: {self.said}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Git:
    """git in one folder.

    Attributes:
        folder: Where it is started.
        environment: Variables, of which those that name a repository are left out.
    """

    folder: Path
    environment: Mapping[str, str]

    def at(self, folder: Path) -> Git:
        """Returns git in another folder."""
        return Git(folder=folder, environment=self.environment)

    def text(self, *arguments: str, variables: Mapping[str, str] | None = None, apart: bool = False) -> str:
        """Returns what git prints, without the last line end.

        Args:
            arguments: Of git.
            variables: Set beside the environment.
            apart: Whether Ctrl-C on the terminal does not reach it.

        Raises:
            CertificateError: git is not installed.
            GitFailedError: It ended with another status than 0.
        """
        settings = [word for setting in _SETTINGS for word in ("-c", setting)]
        environment = without_repository(self.environment) | {
            "GIT_OPTIONAL_LOCKS": "0",
            "GIT_TERMINAL_PROMPT": "0",
            **(variables or {}),
        }
        try:
            result = subprocess.run(
                ("git", *settings, *arguments),
                cwd=self.folder,
                env=environment,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                encoding="utf-8",
                errors="surrogateescape",
                start_new_session=apart,
                check=False,
            )
        except FileNotFoundError as error:
            raise _missing(error, self.folder) from error
        if result.returncode != 0:
            raise GitFailedError(arguments, result.stderr or result.stdout)
        return result.stdout.removesuffix("\n")

    def words(self, *arguments: str, variables: Mapping[str, str] | None = None) -> list[str]:
        """Returns what git prints as a list that is separated by NUL.

        Raises:
            CertificateError: git is not installed.
            GitFailedError: It ended with another status than 0.
        """
        return [word for word in self.text(*arguments, variables=variables).split("\0") if word]

    def answer(self, *arguments: str) -> str | None:
        """Returns what git prints, None where it ends with another status than 0.

        Raises:
            CertificateError: git is not installed.
        """
        try:
            return self.text(*arguments)
        except GitFailedError:
            return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Repository:
    """A repository with a checkout.

    Attributes:
        git: git at the top of the checkout.
        top: The checkout, without symbolic links.
        common: Folder that all checkouts of the repository share, such as `.git`.
    """

    git: Git
    top: Path
    common: Path


def repository_of(root: Path, *, start: Path, environment: Mapping[str, str]) -> Repository:
    """Finds the repository of pytest's rootdir.

    Args:
        root: pytest's rootdir.
        start: Folder in which pytest was started.
        environment: Of git.

    Raises:
        CertificateError: There is none, it has no checkout, or git is not installed.
    """
    git = Git(folder=root, environment=environment)
    try:
        top = git.text("rev-parse", "--show-toplevel")
    except GitFailedError as error:
        raise _no_checkout(git, start, error) from error
    # A path that git prints may hold any character but its last line end.
    common = git.text("rev-parse", "--git-common-dir")
    folder = Path(os.path.realpath(top))
    return Repository(git=git.at(folder), top=folder, common=Path(os.path.realpath(root / common)))


def commit_of(repository: Repository, name: str) -> str:
    """Returns the commit that a user names.

    Raises:
        CertificateError: There is none of this name here.
    """
    # What begins with a dash would be an option to git.
    found = (
        None if name.startswith("-") else repository.git.answer("rev-parse", "--verify", f"{name}^{{commit}}")
    )
    if found is not None:
        return found
    if repository.git.answer("rev-parse", "--is-shallow-repository") == "true":
        raise CertificateError(
            f"--verify-base {name}: this shallow clone has no such commit",
            place=str(repository.top),
            next_step="Fetch it: `git fetch --unshallow`, "
            f"or `git fetch --depth 1 origin {name}` and give FETCH_HEAD.",
        )
    raise CertificateError(
        f"--verify-base {name}: there is no such commit",
        place=str(repository.top),
        next_step="Give a branch, tag or commit that `git log` shows; `git fetch` brings those of others.",
    )


def _missing(error: FileNotFoundError, folder: Path) -> CertificateError:
    if not folder.is_dir():
        return CertificateError(
            "--verify-base: the folder is gone", place=str(folder), next_step="Start again."
        )
    return CertificateError(
        f"--verify-base needs git, which was not found ({error.strerror})",
        next_step="Install git, or add its folder to PATH.",
    )


def _no_checkout(git: Git, start: Path, error: GitFailedError) -> CertificateError:
    root = git.folder
    if git.answer("rev-parse", "--is-bare-repository") == "true":
        return CertificateError(
            "--verify-base needs a checkout, and this is a bare repository",
            place=str(root),
            next_step="Start pytest in a clone or a worktree of it.",
        )
    if "dubious ownership" in error.said:
        return CertificateError(
            "--verify-base: git does not trust this repository, as somebody else owns it",
            place=str(root),
            next_step=f"`git config --global --add safe.directory {root}`, if you trust it.",
        )
    if git.answer("rev-parse", "--git-dir") is not None:
        return CertificateError(
            "--verify-base needs a checkout, and pytest's rootdir is inside of git's own folder",
            place=str(root),
            next_step="Start pytest in the checkout.",
        )
    top = git.at(start).answer("rev-parse", "--show-toplevel")
    if top is not None:
        return CertificateError(
            f"--verify-base: pytest's rootdir {root} lies outside of the repository {top}",
            next_step=f"Give --rootdir={top}, and tests of this repository.",
        )
    return CertificateError(
        f"--verify-base needs a git repository: {error.said}",
        place=str(root),
        next_step="Start pytest in the checkout that holds the fix.",
    )
