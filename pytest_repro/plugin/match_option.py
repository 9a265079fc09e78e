"""Which failures are looked for, from the command line or the ini file."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pytest_repro.plugin.option_reader import OptionReader, destination

if TYPE_CHECKING:
    from pytest_repro.stress.match import Match


def read_match(config: pytest.Config, read: OptionReader) -> Match | None:
    """Returns which failures are looked for, None for any.

    Raises:
        OptionError: The value cannot be read.
    """
    from pytest_repro.stress.match import parse_match

    start = config.invocation_params.dir
    # As with pytest's own ini values, a path in the file is relative to the file.
    is_given = config.getoption(destination("repro-match"), default=None) is not None
    folder = start if is_given or config.inipath is None else config.inipath.parent
    return read.value("repro-match", lambda text: parse_match(text, folder=folder))
