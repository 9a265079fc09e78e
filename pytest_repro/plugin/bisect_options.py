"""Options of a bisection, read before any conftest is loaded, and so before all options are known."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from pytest_repro.clock import parse_duration_ns
from pytest_repro.errors import OptionError
from pytest_repro.plugin.command import with_files_read
from pytest_repro.plugin.match_option import read_match
from pytest_repro.plugin.option_reader import OptionReader, destination
from pytest_repro.plugin.verify_options import refuse_what_changes_runs

if TYPE_CHECKING:
    from pytest_repro.stress.match import Match

BISECT_OPTION = "--repro-bisect"

_REPEATING = ("verify-runs", "repro-stress", "repro-stress-time", "repro-replay")
_REPEATING_IN_INI = ("repro-stress", "repro-stress-time")
_WORKERS = re.compile(r"-n.*|--numprocesses(=.*)?|--dist(=.*)?|--tx(=.*)?")
_REPORT = re.compile(r"--junit-?xml(=.*)?")


@dataclass(frozen=True, slots=True, kw_only=True)
class BisectOptions:
    """What a bisection was asked for.

    Attributes:
        victim: Node id of the test in question; empty for the last one.
        budget_ns: Time for all of it, None without an end.
        hang_ns: Time after which a test hangs, None for never.
        match: The failures that are looked for, None for the first one that is seen.
        json_path: Where the summary is also written, or None.
    """

    victim: str
    budget_ns: int | None
    hang_ns: int | None
    match: Match | None
    json_path: str | None


def read_bisect_options(config: pytest.Config) -> BisectOptions:
    """Reads the options of a bisection that was asked for.

    Raises:
        OptionError: A value cannot be read, or something else contradicts the bisection.
    """
    _refuse_repeating(config)
    _refuse_given(config)
    read = OptionReader(config)
    options = BisectOptions(
        victim=config.getoption("repro_bisect"),
        budget_ns=read.value("repro-bisect-time", parse_duration_ns),
        hang_ns=read.value("repro-hang-time", parse_duration_ns),
        match=read_match(config, read),
        json_path=read.value("repro-json", str),
    )
    refuse_what_changes_runs(config, option=BISECT_OPTION)
    return options


def _refuse_repeating(config: pytest.Config) -> None:
    why = "it repeats tests as often as it needs to"
    for name in _REPEATING:
        if config.getoption(destination(name), default=None):
            raise OptionError(
                f"{BISECT_OPTION} cannot be combined with --{name}: {why}", next_step="Drop one of them."
            )
    for name in map(destination, _REPEATING_IN_INI):
        if config.getini(name):
            raise OptionError(
                f"{BISECT_OPTION} cannot be combined with {name} in the ini file: {why}",
                next_step=f"Add -o {name}= to leave that out.",
            )


def _refuse_given(config: pytest.Config) -> None:
    """Refuses what only a person at this command line can have meant; an ini file's is taken back quietly."""
    given = with_files_read(config.invocation_params.args, folder=config.invocation_params.dir)
    if config.getoption("numprocesses", None) and any(_WORKERS.fullmatch(word) for word in given):
        raise OptionError(
            f"{BISECT_OPTION} cannot be combined with -n: an order needs one process",
            next_step="Drop -n, or add -n 0.",
        )
    if any(_REPORT.fullmatch(word) for word in given):
        raise OptionError(
            f"{BISECT_OPTION} cannot be combined with --junitxml: each of its trials is a session",
            next_step=(
                "Give --repro-json=PATH for its summary, or --junitxml to the command that it prints."
            ),
        )
