"""Where pytest looks for its rootdir."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from _pytest.config.findpaths import determine_setup


def misled_rootdir(config: pytest.Config, value: str) -> Path | None:
    """Returns the rootdir that pytest would have without a word of its command line, None if it is the same.

    pytest finds its rootdir before it knows the options of plugins. Until then the value in `--option VALUE`
    is a file to it like any other, if there is a file of that name.

    Args:
        config: Of a session that was started by a command line.
        value: Value of an option.
    """
    files = [str(word) for word in getattr(config.known_args_namespace, "file_or_dir", ())]
    meant = _rootdir(config, files)
    is_misled = meant != config.rootpath and _rootdir(config, [*files, value]) == config.rootpath
    return meant if is_misled else None


def setup_without_files(config: pytest.Config) -> tuple[Path, Path | None]:
    """Returns the rootdir and the ini file that pytest would have if its command line named no files."""
    return _setup(config, [])


def _rootdir(config: pytest.Config, words: Sequence[str]) -> Path:
    return _setup(config, words)[0]


def _setup(config: pytest.Config, words: Sequence[str]) -> tuple[Path, Path | None]:
    options = config.known_args_namespace
    arguments: dict[str, Any] = {
        "inifile": options.inifilename,
        "args": words,
        "rootdir_cmd_arg": options.rootdir or None,
        "invocation_dir": config.invocation_params.dir,
    }
    if "override_ini" in inspect.signature(determine_setup).parameters:
        # From pytest 9 on.
        arguments["override_ini"] = options.override_ini
    rootdir, inifile, *_ = determine_setup(**arguments)
    return rootdir, inifile
