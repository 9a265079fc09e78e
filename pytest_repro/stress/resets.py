"""Taking a device back to a state in which it can be trusted: the command, how it ended, what is told."""

from __future__ import annotations

import re
import shlex
import string
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from enum import Enum
from typing import Any

from pytest_repro.stress.device_errors import device_error_in

RESET_LIMIT_NS = 60 * 10**9
"""Time that a reset may take, unless another one was asked for."""

MOST_FAILED_RESETS = 3
"""Resets of one device that fail one after the other before no more are tried."""

OUTPUT_LIMIT_BYTES = 10_000
"""What is kept of the end of a reset's output."""

DEVICE_FIELD = "device"
_FIELDS = frozenset({DEVICE_FIELD, "worker"})
# pytest-timeout ends a test that hangs with this, in its process.
_TIMED_OUT = re.compile(r"^Failed: Timeout \(?>\d", re.MULTILINE)


class ResetCause(str, Enum):
    """Why a device is reset."""

    CRASH = "crash"
    HANG = "hang"
    ERROR = "error"


@dataclass(frozen=True, slots=True, kw_only=True)
class ResetPlan:
    """What was asked for.

    Attributes:
        command: Words of the command, with `{device}` and `{worker}` in them; empty for no command.
        pattern: Regular expression of further errors after which to reset, or None.
        limit_ns: Time that one reset may take.
    """

    command: tuple[str, ...] = ()
    pattern: str | None = None
    limit_ns: int = RESET_LIMIT_NS

    @property
    def names_device(self) -> bool:
        """Whether the command cannot run without a device."""
        return DEVICE_FIELD in {name for word in self.command for name in _fields_of(word)}

    def filled(self, *, worker: str, device: str | None) -> tuple[str, ...]:
        """Returns the command for one worker and its device; without a device, its place stays."""
        shown = f"{{{DEVICE_FIELD}}}" if device is None else device
        return tuple(word.format(worker=worker, device=shown) for word in self.command)

    def reason_in(self, raised: str, text: str) -> str | None:
        """Returns why to reset after a failure: `hang`, or `error: ` and which; None for other failures.

        Args:
            raised: Types and messages of the exception and of those that led to it.
            text: Its traceback.
        """
        found = device_error_in(raised)
        if found is None and self.pattern is not None and re.search(self.pattern, f"{raised}\n{text}"):
            found = self.pattern
        if found is not None:
            return f"{ResetCause.ERROR.value}: {found}"
        return ResetCause.HANG.value if _TIMED_OUT.search(raised) else None

    @classmethod
    def from_payload(cls, payload: Mapping[str, Any]) -> ResetPlan:
        """Reads what `dataclasses.asdict` made, also through JSON."""
        return cls(**{**payload, "command": tuple(payload["command"])})


@dataclass(frozen=True, slots=True, kw_only=True)
class ResetResult:
    """One reset.

    Attributes:
        worker: The worker whose device it was; `main` without workers.
        device: Its device, None where none is leased.
        reason: `crash`, `hang`, or `error: ` and which.
        command: As it ran, None without one.
        problems: Why it has failed; empty if it has not.
        output: The end of what it printed.
        duration_ns: Time that it took.
        teardown: What tearing down the fixtures raised before it, None if nothing.
        is_last: Whether no more are tried, because so many failed.
    """

    worker: str
    device: str | None
    reason: str
    command: str | None
    problems: tuple[str, ...]
    output: str
    duration_ns: int
    teardown: str | None = None
    is_last: bool = False

    @property
    def cause(self) -> ResetCause:
        """Kind of the reason."""
        return ResetCause(self.reason.partition(":")[0])

    def to_payload(self) -> dict[str, Any]:
        """Returns it as builtins, for the controller and the records."""
        return asdict(self) | {"problems": list(self.problems)}

    @classmethod
    def from_payload(cls, payload: Mapping[str, Any]) -> ResetResult:
        """Reads what `to_payload` made."""
        return cls(**{**payload, "problems": tuple(payload["problems"])})


def parse_reset_command(text: str) -> tuple[str, ...]:
    """Reads a command as a shell would split it; no shell runs it.

    Raises:
        ValueError: It is empty, its quotes do not close, or it has braces of another name.
    """
    try:
        words = tuple(shlex.split(text))
        fields = {name for word in words for name in _fields_of(word)}
    except ValueError as error:
        raise ValueError(f"a command whose quotes and braces close ({error})") from error
    if not words:
        raise ValueError("a command such as 'tt-smi -r {device}'")
    unknown = sorted(fields - _FIELDS)
    if unknown:
        name = f"{{{unknown[0]}}}"
        raise ValueError(
            f"a command with {{device}} and {{worker}} alone, not {name}; braces are {{{{ and }}}}"
        )
    return words


def _fields_of(word: str) -> list[str]:
    return [
        name + (f"!{conversion}" if conversion else "") + (f":{spec}" if spec else "")
        for _, name, spec, conversion in string.Formatter().parse(word)
        if name is not None
    ]
