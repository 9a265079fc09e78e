"""What a process is told that runs iterations for `--repro-isolate`."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

ISOLATED_VARIABLE = "PYTEST_REPRO_ISOLATED"
"""Set for such a process: what it has to do, as JSON. Read once, then removed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class IsolatedJob:
    """What such a process is told.

    Attributes:
        commands_fd: Where iteration numbers come from, one a line; its end ends the process.
        results_fd: Where frames go: one when ready, then one an iteration.
        plan: Payload of the stress plan.
        worker: Worker that the iterations belong to.
        folder: Where it notes where it is and writes its stacks.
        holds_crashes: Whether it waits in a crash until it was looked into.
        test: Node id of the test, as the stress run knows it.
        path: Its file, absolute.
        parent_pid: Process that asks.
    """

    commands_fd: int
    results_fd: int
    plan: Mapping[str, Any]
    worker: str
    folder: str
    holds_crashes: bool
    test: str
    path: str
    parent_pid: int

    def to_text(self) -> str:
        """Returns it for the environment."""
        return json.dumps(asdict(self))


def is_isolated() -> bool:
    """Tells whether this process was started to run isolated iterations, and has not begun to."""
    return ISOLATED_VARIABLE in os.environ


def parent_of_isolated() -> int | None:
    """Returns the process that this one was started by to run isolated iterations, None if it was not."""
    text = os.environ.get(ISOLATED_VARIABLE)
    return IsolatedJob(**json.loads(text)).parent_pid if text else None


def take_isolated_job() -> IsolatedJob | None:
    """Returns what this process was told; the variable is removed: a pytest that a test starts is another."""
    text = os.environ.pop(ISOLATED_VARIABLE, None)
    return IsolatedJob(**json.loads(text)) if text else None
