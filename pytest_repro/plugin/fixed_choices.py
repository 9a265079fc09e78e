"""What a user has chosen by hand that else would be left to chance in each run of the gate."""

from __future__ import annotations

import os
import shlex

import pytest

from pytest_repro.plugin.command import with_files_read
from pytest_repro.verify.required import HASH_SEED
from pytest_repro.verify.runs import Run


def fixed_choices(config: pytest.Config, first: Run, *, is_seed_fixed: bool) -> tuple[str, ...]:
    """Names the seeds that all runs will share: options that were given, and `PYTHONHASHSEED`.

    Args:
        config: Of the gate.
        first: The first run; it tells which seeds there are.
        is_seed_fixed: Whether `--repro-seed` is given, here or in the ini file.
    """
    if first.report is None:
        return ()
    invocation = config.invocation_params
    words = [
        *with_files_read(invocation.args, folder=invocation.dir),
        *config.getini("addopts"),
        *shlex.split(os.environ.get("PYTEST_ADDOPTS", "")),
    ]
    given = {word.partition("=")[0] for word in words}
    if is_seed_fixed:
        given.add("--repro-seed")
    # A run that finds none by number in its environment gets one of its own.
    is_hash_fixed = os.environ.get(HASH_SEED, "").isdigit() and (
        os.environ[HASH_SEED] == first.report.hash_seed
    )
    options = [option for option in first.report.seeds if option in given]
    return (*([HASH_SEED] if is_hash_fixed else []), *options)
