"""One iteration through all of pytest's hooks (the full lane)."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence

import pytest

from pytest_repro.plugin.internals.protocol import IterationProtocol, run_stages

_STAGES: Sequence[str | None] = ("setup", "call", "teardown")


class FullLane:
    """Calls each hook of pytest's protocol in each iteration, whatever hangs on it.

    Attributes:
        stages_ns: Durations of setup, call and teardown of the last iteration.

    Args:
        item: The item that is run again and again.
        protocol: Of this process and test.
    """

    def __init__(self, item: pytest.Item, protocol: IterationProtocol) -> None:
        self.stages_ns = (0, 0, 0)
        self._item = item
        self._protocol = protocol
        self._reports: list[pytest.TestReport] = []

    def start(self) -> None:
        """See `IterationRunner`: pytest opens and closes everything in each stage."""

    def stop(self) -> None:
        """See `IterationRunner`."""

    def suspended(self) -> contextlib.AbstractContextManager[None]:
        """See `IterationRunner`: between two iterations the terminal is free."""
        return contextlib.nullcontext()

    def run(self, nextitem: pytest.Item | None) -> list[pytest.TestReport]:
        """See `IterationRunner`."""
        self._reports = []
        self._protocol.run(self._item, nextitem)
        stages_ns = [0, 0, 0]
        for report in self._reports:
            stages_ns[_STAGES.index(report.when)] += round(report.duration * 1e9)
        self.stages_ns = (stages_ns[0], stages_ns[1], stages_ns[2])
        return self._reports

    def run_stages(self, nextitem: pytest.Item | None) -> None:
        """Runs setup, call and teardown; called back from inside the protocol's hooks."""
        self._reports = run_stages(self._item, nextitem)

    def reports(self) -> list[pytest.TestReport]:
        """See `IterationRunner`."""
        return self._reports
