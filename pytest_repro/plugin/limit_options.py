"""Limits that the gate was told, on the command line and in the ini file."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pytest_repro.errors import OptionError
from pytest_repro.plugin.option_reader import destination

if TYPE_CHECKING:
    from pytest_repro.verify.limits import Limit, LimitKind

LIMIT_VALUES = (
    (
        "verify-max-duration",
        "TIME",
        "With --verify-runs: a run fails if an execution of a test, setup to teardown, takes longer.",
    ),
    (
        "verify-max-phase",
        "PHASE=TIME",
        "With --verify-runs: a run fails if the phase of a test takes longer (to_torch=0.5s); repeatable.",
    ),
    (
        "verify-metric",
        "LIMIT",
        "With --verify-runs: a run fails if a test's metric breaks it ('samples_per_s>=19649'); repeatable.",
    ),
)
"""Name, placeholder and help of each, in the order of `LimitKind`."""


def add_limit_options(parser: pytest.Parser, group: pytest.OptionGroup) -> None:
    """Declares the options; each can be given several times, in the ini file one a line."""
    for name, metavar, text in LIMIT_VALUES:
        group.addoption(
            f"--{name}", dest=destination(name), metavar=metavar, action="append", default=None, help=text
        )
        parser.addini(destination(name), f"{text} As --{name}.", type="linelist", default=None)


def read_limits(config: pytest.Config) -> tuple[Limit, ...]:
    """Reads all limits; what the command line says of a duration, phase or metric replaces the ini file's.

    Args:
        config: Of the gate's process.

    Raises:
        OptionError: One cannot be used.
    """
    from pytest_repro.verify.limits import LimitKind, nearest

    given: list[Limit] = []
    ini: list[Limit] = []
    for kind, (name, *_) in zip(LimitKind, LIMIT_VALUES, strict=True):
        place = f"{destination(name)} in the ini file:"
        given += [_read(kind, text, f"--{name}") for text in config.getoption(destination(name)) or []]
        ini += [_read(kind, text, place) for text in config.getini(destination(name)) or []]
    return nearest(given, ini)


def _read(kind: LimitKind, text: str, place: str) -> Limit:
    from pytest_repro.verify.limits import parse_limit

    try:
        return parse_limit(kind, text)
    except ValueError as error:
        raise OptionError(f"{place} {text!r} cannot be used", next_step=f"Give {error}.") from error
