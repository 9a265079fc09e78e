"""Small git repositories for tests, made by git itself."""

from __future__ import annotations

import hashlib
import os
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

_IDENTITY = {
    "GIT_AUTHOR_NAME": "A U Thor",
    "GIT_AUTHOR_EMAIL": "author@example.com",
    "GIT_COMMITTER_NAME": "C O Mitter",
    "GIT_COMMITTER_EMAIL": "committer@example.com",
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": os.devnull,
}


class Checkout:
    """A repository with a checkout.

    Args:
        path: Its folder, made here.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        path.mkdir(parents=True, exist_ok=True)
        self.git("init", "--quiet", "--initial-branch=main")
        self.git("config", "commit.gpgsign", "false")
        self.git("config", "protocol.file.allow", "always")

    def git(self, *arguments: str) -> str:
        """Runs git here and returns what it prints."""
        settings = ("-c", "protocol.file.allow=always")
        environment = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
        return subprocess.run(
            ("git", *settings, *arguments),
            cwd=self.path,
            env=environment | _IDENTITY,
            capture_output=True,
            text=True,
            check=True,
        ).stdout.strip()

    def write(self, files: Mapping[str, str]) -> None:
        """Writes files."""
        for name, text in files.items():
            path = self.path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")

    def commit(self, files: Mapping[str, str]) -> str:
        """Writes files, commits all that is there, and returns the commit."""
        self.write(files)
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "--message", "step")
        return self.git("rev-parse", "HEAD")

    def state(self) -> dict[str, Any]:
        """Returns all that a user would see changed: files, index, references, stashes, worktrees, ..."""
        folder = self.path / ".git"
        return {
            "status": self.git("--no-optional-locks", "status", "--porcelain", "--branch", "--ignored"),
            "stash": self.git("stash", "list"),
            "references": self.git("for-each-ref"),
            "head": (folder / "HEAD").read_text(encoding="utf-8"),
            "index": hashlib.sha256((folder / "index").read_bytes()).hexdigest(),
            "worktrees": self.git("worktree", "list"),
            "objects": self.git("count-objects", "-v"),
            "config": (folder / "config").read_text(encoding="utf-8"),
            "own": sorted(path.name for path in folder.iterdir()),
        }
