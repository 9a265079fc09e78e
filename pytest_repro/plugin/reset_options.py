"""What a session was told of resets: the options that belong together."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Protocol, TypeVar

import pytest

from pytest_repro.errors import OptionError
from pytest_repro.plugin.resets import has_reset_hook
from pytest_repro.plugin.session import is_worker
from pytest_repro.stress.resets import RESET_LIMIT_NS, ResetPlan, parse_reset_command

_Value = TypeVar("_Value")


class OptionReader(Protocol):
    """Looks an option up."""

    def value(self, name: str, parse: Callable[[str], _Value]) -> _Value | None:
        """Returns the value of an option, None where it was not given."""


def read_resets(
    config: pytest.Config, read: OptionReader, *, leases: bool, parse_time: Callable[[str], int]
) -> ResetPlan:
    """Reads all options of resets.

    Args:
        config: Of this process.
        read: Looks options up.
        leases: Whether devices are leased.
        parse_time: Reads a time as nanoseconds.

    Raises:
        OptionError: They cannot be used, or not without others.
    """
    pattern = read.value("repro-reset-on", _regular_expression)
    limit_ns = read.value("repro-reset-limit", parse_time)
    command = read.value("repro-reset", parse_reset_command)
    plan = ResetPlan(command=command or (), pattern=pattern, limit_ns=limit_ns or RESET_LIMIT_NS)
    if plan.names_device and not leases:
        raise OptionError(
            "--repro-reset names {device}, and no device is leased to anybody",
            next_step="Add --repro-devices auto, or leave {device} out.",
        )
    # A worker may be started elsewhere than the conftest that has the hook.
    if not (plan.command or is_worker(config) or has_reset_hook(config)):
        for name, value in (("repro-reset-on", pattern), ("repro-reset-limit", limit_ns)):
            if value is not None:
                raise OptionError(
                    f"--{name} does nothing without a way to reset a device",
                    next_step="Add --repro-reset COMMAND, or implement pytest_repro_reset_device in the"
                    " conftest at the root.",
                )
    return plan


def _regular_expression(text: str) -> str:
    try:
        re.compile(text)
    except re.error as error:
        raise ValueError(f"a regular expression ({error})") from error
    return text
