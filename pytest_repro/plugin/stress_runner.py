"""Hooks of a stress run in a process that runs tests: the main one, or an xdist worker."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import pytest

from pytest_repro.plugin.full_lane import FullLane
from pytest_repro.plugin.internals.items import copy_item, set_nodeid, xdist_nodeid
from pytest_repro.plugin.internals.protocol import HookOverride, IterationProtocol
from pytest_repro.plugin.internals.stages import DirectStages
from pytest_repro.plugin.internals.timeouts import timeout_timer
from pytest_repro.plugin.internals.warned import warnings_of
from pytest_repro.plugin.lanes import ChosenLane, Lane, choose_lane, reason_for_full_lane
from pytest_repro.plugin.stress_iteration import Bench, IterationRunner, RunningTest
from pytest_repro.stress.loop import failure_message, run_slice
from pytest_repro.stress.plan import Slice, cut_slices, share_of_worker


class StressRunner:
    """Widens the collection to slices and runs each slice's iterations through pytest's own protocol.

    Args:
        bench: Of this process.
    """

    def __init__(self, bench: Bench) -> None:
        self._bench = bench
        # By identity: the hash of an item changes with its node id.
        self._slices: dict[int, tuple[int, Slice]] = {}
        self._nodeids: list[str] = []
        self._expected_slices = 0
        self._deadline_ns: int | None = None
        self._running: RunningTest | None = None
        self._full_lane: FullLane | None = None
        self._protocol = HookOverride(bench.config, "pytest_runtest_protocol", self._run_protocol)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> Generator[None, object, object]:
        """Widens what is left after every selection."""
        result = yield
        self._nodeids = [item.nodeid for item in items]
        items[:] = [twin for index, item in enumerate(items) for twin in self._widened(index, item)]
        # With `each`, a worker runs all that it holds; with the other modes, its share of it.
        sharers = 1 if self._bench.place.mode == "each" else self._bench.place.workers
        self._expected_slices = -(-len(items) // sharers)
        return result

    @pytest.hookimpl(trylast=True)
    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Gives the slices back their test's node id, once xdist has sent the distinct ones."""
        slices: dict[str, list[int]] = {}
        paths = [""] * len(self._nodeids)
        for item in session.items:
            # An item that a plugin added after us is no slice of ours, and runs once.
            index, part = self._slices.get(id(item), (None, None))
            if index is not None and part is not None:
                slices[item.nodeid] = [index, part.first]
                paths[index] = str(item.path)
                set_nodeid(item, self._nodeids[index])
        self._refuse_full_lane(session)
        self._bench.send({"kind": "tests", "tests": self._nodeids, "paths": paths, "slices": slices})
        self._protocol.start()
        self._bench.config.add_cleanup(self._protocol.stop)

    def _refuse_full_lane(self, session: pytest.Session) -> None:
        if self._bench.plan.lane != Lane.FAST:
            return
        for item in session.items:
            reason = reason_for_full_lane(item)
            if reason is not None:
                self._bench.send({"kind": "refused", "test": item.nodeid, "reason": reason})

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item, nextitem: pytest.Item | None) -> bool | None:
        """Runs one iteration, inside the wrappers of all other plugins."""
        if self._full_lane is None or self._running is None or self._running.item is not item:
            return None
        self._full_lane.run_stages(nextitem)
        return True

    @pytest.hookimpl(wrapper=True)
    def pytest_fixture_setup(self, fixturedef: Any, request: Any) -> Generator[None, object, object]:
        """Gives fixtures of wider scope random numbers of their own, whichever iteration sets them up."""
        running = self._running
        if running is None or fixturedef.scope == "function":
            return (yield)
        name = f"{fixturedef.argname} {getattr(request, 'param_index', 0)}"
        running.seed_fixture(name)
        try:
            return (yield)
        finally:
            running.seed_iteration()

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Keeps exception and place of a failure."""
        report = yield
        if report.failed and call.excinfo and self._running is not None and self._running.item is item:
            self._running.note_exception(call.excinfo)
        return report

    def _widened(self, index: int, item: pytest.Item) -> list[pytest.Item]:
        place = self._bench.place
        if place.mode == "each":
            share = share_of_worker(self._bench.plan, test=index, index=place.index, workers=place.workers)
            parts: tuple[Slice, ...] = () if share is None else (share,)
        else:
            parts = cut_slices(self._bench.plan, workers=place.workers)
        twins = [copy_item(item, _slice_nodeid(item, part, mode=place.mode)) for part in parts]
        self._slices.update((id(twin), (index, part)) for twin, part in zip(twins, parts, strict=True))
        return twins

    def _run_protocol(self, item: pytest.Item, nextitem: pytest.Item | None) -> object:
        """Runs a slice in the place of pytest's protocol, which is for its iterations."""
        is_iteration = self._running is not None and self._running.item is item
        if is_iteration or id(item) not in self._slices:
            return self._protocol.original(item=item, nextitem=nextitem)
        self._run_slice(item, nextitem)
        return True

    def _run_slice(self, item: pytest.Item, nextitem: pytest.Item | None) -> None:
        bench = self._bench
        index, part = self._slices[id(item)]
        nodeid = self._nodeids[index]
        part = bench.control.resumed(index, part)
        lane, runner = self._lane(item)
        self._running = running = RunningTest(
            bench, item, nextitem, index=index, nodeid=nodeid, runner=runner
        )
        session = item.session
        bench.send(
            {
                "kind": "slice_begin",
                "test": nodeid,
                "location": list(item.location),
                "lane": lane.name.value,
                "lane_reason": lane.reason,
            }
        )
        try:
            with running.running():
                was_told_last = run_slice(
                    part,
                    running.execute,
                    test=nodeid,
                    worker=bench.place.id,
                    send=running.send,
                    should_stop=lambda: bool(
                        session.shouldfail or session.shouldstop or bench.control.is_stopped(index)
                    ),
                    clock=bench.clock,
                    deadline_ns=self._slice_deadline(),
                )
            if not was_told_last:
                must_end = session.shouldfail or session.shouldstop or bench.control.is_all_stopped()
                self._tear_down_wider_scopes(running, nodeid, nextitem=None if must_end else nextitem)
        finally:
            self._running = self._full_lane = None
            bench.control.note_position(index, 0)
        bench.send({"kind": "slice_end", "test": nodeid, "reports": running.last_reports()})

    def _lane(self, item: pytest.Item) -> tuple[ChosenLane, IterationRunner]:
        bench = self._bench
        warned = warnings_of(bench.config)
        lane = choose_lane(item, wanted=Lane(bench.plan.lane))
        if lane.name is Lane.FAST:
            return lane, DirectStages(item, clock=bench.clock, warned=warned, timer=timeout_timer(item))
        self._full_lane = FullLane(item, IterationProtocol(bench.config, warned))
        return lane, self._full_lane

    def _tear_down_wider_scopes(
        self, running: RunningTest, nodeid: str, *, nextitem: pytest.Item | None
    ) -> None:
        result = running.tear_down_wider_scopes(nextitem)
        if result is not None:
            bench = self._bench
            failure = failure_message(bench.current.iteration, result, ended_ns=bench.clock())
            bench.send({"kind": "closing", "test": nodeid, "worker": bench.place.id, "failure": failure})

    def _slice_deadline(self) -> int | None:
        """Shares what is left of the budget equally among the slices that this process still expects."""
        if self._bench.plan.budget_ns is None:
            return None
        now_ns = self._bench.clock()
        if self._deadline_ns is None:
            self._deadline_ns = now_ns + self._bench.plan.budget_ns
        share_ns = (self._deadline_ns - now_ns) // max(1, self._expected_slices)
        self._expected_slices -= 1
        return now_ns + share_ns


def _slice_nodeid(item: pytest.Item, part: Slice, *, mode: str) -> str | None:
    """Returns a node id that is unique in xdist's collection; the group of `loadgroup` stays last."""
    if mode in ("no", "each"):
        return None
    name, group = xdist_nodeid(item), ""
    if mode == "loadgroup" and name.rfind("@") > name.rfind("]"):
        name, _, group = name.rpartition("@")
        group = f"@{group}"
    return f"{name} ({part.label}){group}"
