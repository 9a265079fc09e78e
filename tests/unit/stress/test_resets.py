"""The command that resets a device: how it is read, and that it ends."""

from __future__ import annotations

import re

import pytest

from pytest_repro.stress.resets import (
    ResetCause,
    ResetPlan,
    ResetResult,
    parse_reset_command,
)


def test_a_command_is_split_as_a_shell_does_and_its_braces_are_filled() -> None:
    """No shell runs it, so a device is one word whatever is in it."""
    plan = ResetPlan(command=parse_reset_command("tt-smi -r '{device} of {worker}' {{x}}"))
    assert plan.filled(worker="gw1", device="a b") == ("tt-smi", "-r", "a b of gw1", "{x}")
    assert plan.names_device
    assert not ResetPlan(command=("reset", "{worker}")).names_device


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "a command such as 'tt-smi -r {device}'"),
        ("reset 'x", "quotes and braces close"),
        ("reset {device", "quotes and braces close"),
        ("reset {}", "not {}"),
        ("reset {gpu}", "{device} and {worker} alone, not {gpu}; braces are {{ and }}"),
        ("reset {device!r}", "not {device!r}"),
        ("reset {device:>3}", "not {device:>3}"),
        ("reset {device.x}", "not {device.x}"),
    ],
)
def test_a_command_that_cannot_be_filled_is_refused(text: str, message: str) -> None:
    """At the start of the session, and not after the first crash."""
    with pytest.raises(ValueError, match=re.escape(message)):
        parse_reset_command(text)


def test_a_result_crosses_to_the_controller_unchanged() -> None:
    """As builtins."""
    result = ResetResult(
        worker="gw0",
        device="1",
        reason="error: CUDA error",
        command="reset 1",
        problems=("reset 1: exit status 1",),
        output="x",
        duration_ns=5,
        teardown="RuntimeError: closed",
    )
    assert ResetResult.from_payload(result.to_payload()) == result
    assert result.cause is ResetCause.ERROR
