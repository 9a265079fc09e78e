"""Limits that a session was told, on the command line and in the ini file."""

from __future__ import annotations

import pytest

from pytest_repro.errors import OptionError
from pytest_repro.verify.limits import Limit, LimitKind, nearest, parse_limit

_OPTIONS = {
    LimitKind.DURATION: (
        "TIME",
        "With --verify-runs: an execution of a test, setup to teardown, that takes longer fails its run.",
    ),
    LimitKind.PHASE: (
        "PHASE=TIME",
        "With --verify-runs: a test whose phase takes longer fails its run (to_torch=0.5s); repeatable.",
    ),
    LimitKind.METRIC: (
        "LIMIT",
        "With --verify-runs: a test whose repro.metric breaks it fails its run ('loss<0.1'); repeatable.",
    ),
}


def add_limit_options(parser: pytest.Parser, group: pytest.OptionGroup) -> None:
    """Declares the options; in the ini file each can stand with several values, one a line."""
    for kind, (metavar, text) in _OPTIONS.items():
        name = kind.option
        action = "store" if kind is LimitKind.DURATION else "append"
        group.addoption(
            f"--{name}", dest=_dest(kind), metavar=metavar, action=action, default=None, help=text
        )
        parser.addini(_dest(kind), f"{text} As --{name}.", type="linelist", default=None)


def read_limits(config: pytest.Config, *, has_gate: bool) -> tuple[Limit, ...]:
    """Reads all limits; what the command line limits, the ini file has no say in.

    Args:
        config: Of this process.
        has_gate: Whether there are runs that they can be held against.

    Raises:
        OptionError: One cannot be used, or does nothing.
    """
    given: list[Limit] = []
    ini: list[Limit] = []
    for kind in LimitKind:
        option = config.getoption(_dest(kind))
        texts = [option] if isinstance(option, str) else option or []
        if texts and not has_gate:
            raise OptionError(
                f"--{kind.option} does nothing without runs of the gate", next_step="Add --verify-runs N."
            )
        given += [_parsed(kind, text, place=f"--{kind.option}") for text in texts]
        place = f"{_dest(kind)} in the ini file:"
        ini += [_parsed(kind, text, place=place) for text in config.getini(_dest(kind)) or []]
    return nearest(given, ini)


def _parsed(kind: LimitKind, text: str, *, place: str) -> Limit:
    try:
        return parse_limit(kind, text)
    except ValueError as error:
        raise OptionError(f"{place} {text!r} cannot be used", next_step=f"Give {error}.") from error


def _dest(kind: LimitKind) -> str:
    return kind.option.replace("-", "_")
