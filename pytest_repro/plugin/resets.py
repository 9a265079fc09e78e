"""Resets a device: by the hook that a user implements, and by the command of `--repro-reset`."""

from __future__ import annotations

import contextlib
import io
import shlex
import threading
from typing import Any

import pytest

from pytest_repro.clock import MonotonicNs
from pytest_repro.plugin.raised import message_of
from pytest_repro.stress.bounded import run_bounded
from pytest_repro.stress.resets import (
    MOST_FAILED_RESETS,
    OUTPUT_LIMIT_BYTES,
    ResetPlan,
    ResetResult,
)

HOOK = "pytest_repro_reset_device"


def has_reset_hook(config: pytest.Config) -> bool:
    """Tells whether somebody implements the hook."""
    return bool(getattr(config.hook, HOOK).get_hookimpls())


class DeviceResets:
    """Resets devices in one process, each in limited time; what goes wrong is in the result.

    Args:
        config: Of this process.
        plan: What was asked for.
        clock: Monotonic, in nanoseconds.
    """

    def __init__(self, config: pytest.Config, plan: ResetPlan, *, clock: MonotonicNs) -> None:
        self._config = config
        self._plan = plan
        self._clock = clock
        self._failed_in_a_row: dict[str | None, int] = {}

    @property
    def is_active(self) -> bool:
        """Whether there is a way to reset anything; asked late, as a hook may come with a conftest."""
        return bool(self._plan.command) or has_reset_hook(self._config)

    def reason_in(self, raised: str, text: str) -> str | None:
        """Returns why to reset after a failure; None for other failures, and where nothing resets.

        Args:
            raised: Types and messages of the exception and of those that led to it.
            text: Its traceback.
        """
        return self._plan.reason_in(raised, text) if self.is_active else None

    def reset(self, worker: str, device: str | None, reason: str) -> ResetResult | None:
        """Calls the hook, then runs the command.

        Args:
            worker: Who used the device.
            device: Its device, None where none is leased.
            reason: `crash`, `hang`, or `error: ` and which.

        Returns:
            What happened; None where nothing resets, or where too many resets of this device have failed.
        """
        failed = self._failed_in_a_row.get(device, 0)
        if not self.is_active or failed >= MOST_FAILED_RESETS:
            return None
        began_ns = self._clock()
        problems: list[str] = []
        output = ""
        if has_reset_hook(self._config):
            problem, output = self._call_hook(worker=worker, device=device, reason=reason)
            problems += [f"{HOOK}: {problem}"] if problem else []
        command = None
        if self._plan.command:
            words = self._plan.filled(worker=worker, device=device)
            command = shlex.join(words)
            if device is None and self._plan.names_device:
                problems.append(f"{command}: no device is known")
            else:
                end = run_bounded(
                    words, limit_ns=self._plan.limit_ns, limit_bytes=OUTPUT_LIMIT_BYTES, clock=self._clock
                )
                output += end.text
                problems += [f"{command}: {end.problem}"] if end.problem else []
        self._failed_in_a_row[device] = failed + 1 if problems else 0
        return ResetResult(
            worker=worker,
            device=device,
            reason=reason,
            command=command,
            problems=tuple(problems),
            output=output[-OUTPUT_LIMIT_BYTES:],
            duration_ns=self._clock() - began_ns,
            is_last=self._failed_in_a_row[device] == MOST_FAILED_RESETS,
        )

    def _call_hook(self, **arguments: Any) -> tuple[str | None, str]:
        """Calls the hook in a thread, as nothing else bounds its time; returns its problem and its output."""
        printed = io.StringIO()
        call = _HookCall(getattr(self._config.hook, HOOK), arguments)
        with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(printed):
            call.start()
            call.join(self._plan.limit_ns / 1e9)
        if call.is_alive():
            return f"no end within {self._plan.limit_ns / 1e9:g} s", printed.getvalue()
        raised = call.raised
        if isinstance(raised, pytest.exit.Exception | KeyboardInterrupt):
            raise raised
        problem = None if raised is None else f"{type(raised).__name__}: {message_of(raised)}"
        return problem, printed.getvalue()


class _HookCall(threading.Thread):
    def __init__(self, hook: Any, arguments: dict[str, Any]) -> None:
        # A daemon: a hook that never ends does not keep the process.
        super().__init__(name=f"pytest-repro {HOOK}", daemon=True)
        self.raised: BaseException | None = None
        self._hook = hook
        self._arguments = arguments

    def run(self) -> None:
        try:
            self._hook(**self._arguments)
        except BaseException as error:  # noqa: BLE001  a user's hook may raise anything; it is told
            self.raised = error
