"""From a command that was given in the checkout to the same command in a worktree."""

from __future__ import annotations

import os
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pytest_repro.verify.certificate.git import without_repository

# Options whose value is a path, relative to where pytest is started: the file may be one that git ignores.
_PATH_OPTIONS = frozenset(
    [
        "-c",
        "--config-file",
        "--rootdir",
        "--confcutdir",
        "--cov-config",
        "--ignore",
        "--junit-xml",
        "--junitxml",
        "--log-file",
        "--repro-match",
    ]
)


_NO_NEWS = frozenset({"PWD", "OLDPWD", "PYTHONPATH"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Relocation:
    """Says of each path in the checkout where it is in a worktree.

    Attributes:
        checkout: Top of the user's checkout, without symbolic links.
        worktree: Top of the worktree.
    """

    checkout: Path
    worktree: Path

    def of(self, path: Path) -> Path | None:
        """Returns the place in the worktree of an absolute path, None for one outside of the checkout."""
        inside = below(self.checkout, path)
        return None if inside is None else self.worktree / inside

    def directory(self, start: Path) -> Path:
        """Returns the working directory: that of the worktree, or the same if it is not in the checkout."""
        return self.of(start) or start

    def arguments(self, arguments: Sequence[str], *, start: Path, positional: Sequence[str]) -> list[str]:
        """Returns the arguments of pytest with their paths in the worktree.

        A relative path stays as it is, since the working directory moves too. A path that only the checkout
        has, such as that of a file which git ignores, is told as it is there; not so a file of tests.

        Args:
            arguments: As given, without the names of files with arguments.
            start: Where they were given.
            positional: Those of them that are files of tests or node ids.
        """
        moved: list[str] = []
        option = ""
        for argument in arguments:
            name, equals, value = argument.partition("=")
            if argument.startswith("--") and equals:
                moved.append(f"{name}={self._word(value, start, is_path=name in _PATH_OPTIONS)}")
            elif argument.startswith("-c") and not argument.startswith("--") and len(argument) > 2:
                moved.append(f"-c{self._word(argument[2:], start, is_path=True)}")
            else:
                is_test = argument in positional and option not in _PATH_OPTIONS
                is_path = option in _PATH_OPTIONS
                moved.append(self._word(argument, start, is_path=is_path, is_test=is_test))
            option = argument
        return moved

    def environment(self, variables: Mapping[str, str], *, start: Path) -> dict[str, str]:
        """Returns the variables with paths in the checkout moved to the worktree, if they are there too.

        A virtual environment or a build that git ignores is not in a worktree, and stays where it is.

        Args:
            variables: Of the process that was started in the checkout.
            start: Its working directory.
        """
        moved = {}
        for name, value in without_repository(variables).items():
            if name == "PYTEST_ADDOPTS":
                moved[name] = self._options(value, start)
            else:
                moved[name] = os.pathsep.join(self._part(part) for part in value.split(os.pathsep))
        return moved

    def moved_variables(self, variables: Mapping[str, str], *, start: Path) -> list[str]:
        """Names the variables that have another value in the worktree, but for those that must have."""
        moved = self.environment(variables, start=start)
        return sorted(
            name for name, value in moved.items() if value != variables[name] and name not in _NO_NEWS
        )

    def _options(self, value: str, start: Path) -> str:
        try:
            words = shlex.split(value)
        except ValueError:
            return value  # pytest says what is wrong with it
        moved = self.arguments(words, start=start, positional=())
        return value if moved == words else shlex.join(moved)

    def _part(self, value: str) -> str:
        if not Path(value).is_absolute():
            return value
        target = self.of(Path(value))
        return str(target) if target is not None and os.path.lexists(target) else value

    def _word(self, word: str, start: Path, *, is_path: bool, is_test: bool = False) -> str:
        text, separator, rest = word.partition("::")
        is_absolute = Path(text).is_absolute()
        if not text or not (is_absolute or is_path or is_test or text.startswith("..")):
            return word
        path = Path(os.path.normpath(start / text))
        target = self.of(path)
        if target is None:
            # What is outside of the checkout is not moved, so that a relative path leads elsewhere.
            leaves = not is_absolute and self.of(start) is not None and text.startswith("..")
            return f"{path}{separator}{rest}" if leaves else word
        if not is_test and path.exists() and not target.exists():
            return f"{path}{separator}{rest}"
        return f"{target}{separator}{rest}" if is_absolute or self.of(start) is None else word


def below(folder: Path, path: Path) -> Path | None:
    """Returns an absolute path relative to a folder, None if it does not lie there.

    Args:
        folder: Without symbolic links.
        path: As somebody wrote it.
    """
    plain = Path(os.path.normpath(path))
    for candidate in (plain, Path(os.path.realpath(plain))):
        if candidate.is_relative_to(folder):
            return candidate.relative_to(folder)
    return None
