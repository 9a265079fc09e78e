"""Which files are the user's own code, and which are libraries."""

from __future__ import annotations

import os
import sysconfig
from functools import lru_cache
from pathlib import Path

_INSTALLED = (f"{os.sep}site-packages{os.sep}", f"{os.sep}dist-packages{os.sep}")
_PACKAGE = str(Path(__file__).resolve().parents[1]) + os.sep


@lru_cache(maxsize=1)
def library_folders() -> tuple[str, ...]:
    """Returns the folders of the standard library, of installed packages, and of this one."""
    names = ("stdlib", "platstdlib", "purelib", "platlib")
    paths = sysconfig.get_paths()
    return (*dict.fromkeys(paths[name] + os.sep for name in names if name in paths), _PACKAGE)


def is_own_code(file: str) -> bool:
    """Tells whether a file is neither of a library nor made up, such as `<string>`; doctests are own code."""
    return file.startswith("<doctest ") or (
        bool(file)
        and not file.startswith(("<", *library_folders()))
        and not any(part in file for part in _INSTALLED)
    )
