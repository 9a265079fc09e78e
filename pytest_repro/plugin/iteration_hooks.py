"""Hooks that serve the test whose iterations a process runs."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import pytest

from pytest_repro.plugin.full_lane import FullLane
from pytest_repro.plugin.internals.protocol import IterationProtocol
from pytest_repro.plugin.internals.stages import DirectStages
from pytest_repro.plugin.internals.timeouts import is_set_by_others, timeout_limit, timeout_timer
from pytest_repro.plugin.internals.warned import warnings_of
from pytest_repro.plugin.lanes import Lane
from pytest_repro.plugin.stress_iteration import Bench, IterationRunner, RunningTest


class IterationHooks:
    """Puts a test into its lane, and stands in pytest's hooks while its iterations run.

    Args:
        bench: Of this process.
    """

    def __init__(self, bench: Bench) -> None:
        self._bench = bench
        self._running: RunningTest | None = None
        self._full_lane: FullLane | None = None

    def begin(
        self, item: pytest.Item, nextitem: pytest.Item | None, *, index: int, nodeid: str, lane: Lane
    ) -> RunningTest:
        """Makes ready for the iterations of a test.

        Args:
            item: The item that is run again and again.
            nextitem: What pytest runs after them, or None.
            index: 0-based number of the test.
            nodeid: Its node id.
            lane: Fast or full.
        """
        limit = timeout_limit(item)
        if limit is not None:
            self._bench.control.recorder.limit(limit.limit_ns, of_call=limit.is_of_call)
        runner = self._runner(item, lane)
        self._running = RunningTest(self._bench, item, nextitem, index=index, nodeid=nodeid, runner=runner)
        return self._running

    def end(self) -> None:
        """No iteration runs any more."""
        self._running = self._full_lane = None

    def is_running(self, item: pytest.Item) -> bool:
        """Tells whether it is this item whose iterations run."""
        return self._running is not None and self._running.item is item

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item, nextitem: pytest.Item | None) -> bool | None:
        """Runs one iteration in the full lane, inside the wrappers of all other plugins."""
        if self._full_lane is None or not self.is_running(item):
            return None
        self._full_lane.run_stages(nextitem)
        return True

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_call(self, item: pytest.Item) -> None:
        """Notes the stage, in the full lane; each iteration begins with its setup."""
        if self.is_running(item):
            self._note_stage("call", self._bench.clock())

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_teardown(self, item: pytest.Item) -> None:
        """Notes the stage, in the full lane."""
        if self.is_running(item):
            self._note_stage("teardown", self._bench.clock())

    @pytest.hookimpl(wrapper=True)
    def pytest_fixture_setup(self, fixturedef: Any, request: Any) -> Generator[None, object, object]:
        """Gives fixtures of wider scope random numbers of their own, whichever iteration sets them up."""
        running = self._running
        if running is None or fixturedef.scope == "function":
            return (yield)
        name = f"{fixturedef.argname} {getattr(request, 'param_index', 0)}"
        with running.seed_fixture(name):
            return (yield)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Keeps exception and place of a failure."""
        report = yield
        if report.failed and call.excinfo and self._running is not None and self.is_running(item):
            self._running.note_exception(call.excinfo)
        return report

    @pytest.hookimpl(optionalhook=True)
    def pytest_timeout_set_timer(self, item: pytest.Item, settings: Any) -> bool | None:
        """Leaves a timeout that would end this process to the watchdog, which looks into it first."""
        if (
            not self._bench.control.outlives_hangs
            or settings.method != "thread"
            or is_set_by_others(item.config, self)
        ):
            return None
        return True

    def _note_stage(self, stage: str, now_ns: int) -> None:
        self._bench.control.recorder.stage(stage, now_ns)
        self._bench.timekeeper.note_stage(stage)

    def _runner(self, item: pytest.Item, lane: Lane) -> IterationRunner:
        bench = self._bench
        warned = warnings_of(bench.config)
        if lane is Lane.FAST:
            return DirectStages(
                item,
                clock=bench.clock,
                warned=warned,
                timer=timeout_timer(item),
                note_stage=self._note_stage,
            )
        self._full_lane = FullLane(item, IterationProtocol(bench.config, warned))
        return self._full_lane
