"""Reads the options that say what is timed and sampled."""

from __future__ import annotations

import pytest

from pytest_repro.errors import OptionError
from pytest_repro.plugin.option_reader import OptionReader, destination


def read_timing(config: pytest.Config, read: OptionReader) -> tuple[bool | None, bool]:
    """Reads what is timed, and whether it is sampled too; an option that is typed overrules the ini file.

    Returns:
        Automatic phases (True on, False everything off, None only phases made by hand); whether to sample.

    Raises:
        OptionError: Sampling is asked for beside no timing at all.
    """
    timing, profile = read.flag("repro-timing"), bool(read.flag("repro-profile"))
    if not profile:
        return timing, False
    if timing is not False:
        return True, True
    is_typed = config.getoption(destination("repro-profile")) is not None
    if is_typed == (config.getoption(destination("repro-timing")) is not None):
        raise OptionError(
            "--repro-profile cannot be combined with --no-repro-timing: it samples the phases that this one "
            "leaves out",
            next_step="Drop one of them.",
        )
    return (True, True) if is_typed else (False, False)
