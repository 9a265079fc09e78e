"""Patterns of paths, as CODEOWNERS and rules of a project have them."""

from __future__ import annotations

import re
from functools import lru_cache


def matches(pattern: str, path: str) -> bool:
    """Tells whether a pattern names a file, by GitHub's rules for CODEOWNERS.

    Those of `.gitignore`, but that there is no `!` and no `[a-z]`, and that `docs/*` names no file of a
    folder below `docs`. A pattern without a slash, or with one at its end alone, holds in every folder.

    Args:
        pattern: With forward slashes; `**` stands for any number of folders.
        path: From the top of the checkout, with forward slashes.
    """
    return _compiled(pattern).fullmatch(path) is not None


@lru_cache(maxsize=1024)
def _compiled(pattern: str) -> re.Pattern[str]:
    is_anchored = "/" in pattern.rstrip("/")
    is_folder = pattern.endswith("/")
    parts = [part for part in pattern.split("/") if part]
    text = "" if is_anchored else "(?:.*/)?"
    for number, part in enumerate(parts):
        is_last = number == len(parts) - 1
        if part == "**":
            text += ".*" if is_last else "(?:.*/)?"
            continue
        text += "".join(_character(letter) for letter in part)
        if not is_last:
            text += "/"
        elif is_folder:
            text += "/.*"
        elif not (part == "*" and is_anchored):
            text += "(?:/.*)?"
    return re.compile(text or r"(?!)", re.DOTALL)


def _character(letter: str) -> str:
    return {"*": "[^/]*", "?": "[^/]"}.get(letter) or re.escape(letter)
