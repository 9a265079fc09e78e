"""Whether a run has run the code of its own worktree."""

from __future__ import annotations

import os
import site
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

_INSTALLED = ("/site-packages/", "/dist-packages/")


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """Where a run's modules should come from, and where not.

    Attributes:
        checkout: Top of the user's checkout, without symbolic links.
        worktree: Top of the run's worktree.
        above: The folder with all that was made for base and fix.
        roots: Folders of the worktree in which the packages of the project may lie.
    """

    checkout: str
    worktree: str
    above: str
    roots: tuple[str, ...]

    @classmethod
    def from_payload(cls, payload: Mapping[str, Any]) -> Places:
        """Reads what `dataclasses.asdict` made, also through JSON."""
        return cls(**{**payload, "roots": tuple(payload["roots"])})


def loaded_modules() -> dict[str, str]:
    """Returns the modules of this process that have a file."""
    files = {name: getattr(module, "__file__", None) for name, module in list(sys.modules.items())}
    return {name: file for name, file in files.items() if isinstance(file, str)}


def prefixes_of_this_process() -> tuple[str, ...]:
    """Returns the folders of the interpreter, which may lie in a checkout as a virtual environment."""
    known = {sys.prefix, sys.base_prefix, sys.exec_prefix, site.getuserbase() or sys.prefix}
    return tuple(os.path.realpath(prefix) for prefix in known)


def foreign_modules(files: Mapping[str, str], places: Places, *, prefixes: Iterable[str]) -> tuple[str, ...]:
    """Names the modules that come from elsewhere: `pkg from /home/me/project/src/pkg/__init__.py`.

    Those are modules from the checkout or from the other side's worktree, and installed ones that the
    worktree holds too. Of a package only the first one is named.

    Args:
        files: File of each module.
        places: Where they should come from.
        prefixes: Folders of the interpreter.
    """
    kept = [prefix for prefix in prefixes if not _is_below(places.checkout, prefix)]
    held: dict[str, bool] = {}
    found: dict[str, str] = {}
    for name, file in sorted(files.items()):
        top = name.partition(".")[0]
        if top in found or top == "__main__":
            continue
        real = _real(file)
        if any(part in real for part in _INSTALLED) and not _is_below(real, places.above):
            if top not in held:
                held[top] = _is_held(top, places)
            is_foreign = held[top] or _is_of_user(real, places, kept)
        else:
            is_foreign = _is_of_user(real, places, kept) or _is_of_other(real, places)
        if is_foreign:
            found[top] = real
    return tuple(f"{top} from {file}" for top, file in found.items())


def _is_of_user(file: str, places: Places, prefixes: Iterable[str]) -> bool:
    """Tells whether a file lies in the checkout, and in no interpreter that lives there."""
    return _is_below(file, places.checkout) and not any(_is_below(file, prefix) for prefix in prefixes)


def _is_of_other(file: str, places: Places) -> bool:
    """Tells whether a file lies in what was made for the other side."""
    own = (places.worktree, f"{places.worktree}-site")
    return _is_below(file, places.above) and not any(_is_below(file, folder) for folder in own)


def _is_held(top: str, places: Places) -> bool:
    return any(
        Path(root, *inside, top, "__init__.py").is_file() or Path(root, *inside, f"{top}.py").is_file()
        for root in (places.worktree, *places.roots)
        for inside in ((), ("src",))
    )


def _is_below(path: str, folder: str) -> bool:
    return path == folder or path.startswith(folder.rstrip(os.sep) + os.sep)


def _real(file: str) -> str:
    folder, name = os.path.split(file)
    return f"{_real_folder(folder)}{os.sep}{name}"


@lru_cache(maxsize=4096)
def _real_folder(folder: str) -> str:
    return os.path.realpath(folder)
