"""Hooks of a stress run in a process that runs tests: the main one, or an xdist worker."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Generator, Mapping

import pytest

from pytest_repro.plugin.budget import Budget
from pytest_repro.plugin.internals.items import copy_item, set_nodeid, unrepeated, xdist_nodeid
from pytest_repro.plugin.internals.protocol import HookOverride
from pytest_repro.plugin.isolated import IsolatedTest
from pytest_repro.plugin.iteration_hooks import IterationHooks
from pytest_repro.plugin.lanes import Lane, choose_lane, reason_for_full_lane
from pytest_repro.plugin.sentinel_process import no_exit_with_success
from pytest_repro.plugin.stress_iteration import Bench, RunningTest
from pytest_repro.stress.loop import Message, failure_message, run_slice
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
        self._budget = _budget_of(bench)
        self._iterations = IterationHooks(bench)
        self._protocol = HookOverride(bench.config, "pytest_runtest_protocol", self._run_protocol)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> Generator[None, object, object]:
        """Widens what is left after every selection."""
        result = yield
        if self._bench.plan.as_items:
            items[:] = self._repeated(items)
        else:
            self._nodeids = [item.nodeid for item in items]
            items[:] = [twin for index, item in enumerate(items) for twin in self._widened(index, item)]
        if self._budget is not None:
            self._budget.expect(len(items), sharers=self._sharers(items))
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
                if not self._bench.plan.as_items:
                    set_nodeid(item, self._nodeids[index])
        self._refuse_full_lane(session)
        self._bench.send({"kind": "tests", "tests": self._nodeids, "paths": paths, "slices": slices})
        self._bench.config.pluginmanager.register(self._iterations, "repro-iterations")
        self._protocol.start()
        self._bench.config.add_cleanup(self._protocol.stop)

    def _sharers(self, items: list[pytest.Item]) -> int:
        """Returns how many workers share the items; some of xdist's modes keep those of a group together."""
        place = self._bench.place
        if place.mode == "each":
            return 1
        group = _GROUPS.get(place.mode)
        groups = place.workers if group is None else len({group(xdist_nodeid(item)) for item in items})
        return max(1, min(place.workers, groups))

    def _refuse_full_lane(self, session: pytest.Session) -> None:
        if self._bench.plan.lane != Lane.FAST:
            return
        for item in session.items:
            reason = reason_for_full_lane(item)
            if reason is not None:
                self._bench.send({"kind": "refused", "test": item.nodeid, "reason": reason})

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

    def _repeated(self, items: list[pytest.Item]) -> list[pytest.Item]:
        """Makes a slice of one iteration of each item that pytest-repeat has made."""
        place = self._bench.place
        tests: dict[str, int] = {}
        kept = []
        for number, item in enumerate(items):
            test, iteration = unrepeated(item)
            index = tests.setdefault(test, len(tests))
            # With `each`, every worker holds all items: they share them out among themselves.
            if place.mode != "each" or number % place.workers == place.index:
                self._slices[id(item)] = (index, Slice(first=iteration, size=1))
                kept.append(item)
        self._nodeids = list(tests)
        return kept

    def _run_protocol(self, item: pytest.Item, nextitem: pytest.Item | None) -> object:
        """Runs a slice in the place of pytest's protocol, which is for its iterations."""
        if self._iterations.is_running(item) or id(item) not in self._slices:
            return self._protocol.original(item=item, nextitem=nextitem)
        self._run_slice(item, nextitem)
        return True

    def _run_slice(self, item: pytest.Item, nextitem: pytest.Item | None) -> None:
        bench = self._bench
        index, part = self._slices[id(item)]
        nodeid = self._nodeids[index]
        recorder = bench.control.recorder
        slice_id = (index, part.first)
        recorder.begin_slice(index, first=part.first, step=part.step)
        if bench.control.stacks is not None:
            bench.control.stacks.catch_fatal_signals()
        whole, part = part, bench.control.resumed(index, part)
        lane = choose_lane(item, wanted=Lane(bench.plan.lane))
        running = self._begin(item, nextitem, index=index, nodeid=nodeid, lane=lane.name)
        session = item.session
        about = {"test": nodeid, "item": item.nodeid, "slice": slice_id}
        bench.send(
            {
                **about,
                "kind": "slice_begin",
                "location": list(item.location),
                "lane": lane.name.value,
                "lane_reason": lane.reason,
            }
        )
        deadline_ns = None if self._budget is None else self._budget.begin_slice(is_rest=part != whole)
        is_whole = False
        try:
            with running.running(), self._guarded():
                was_told_last = run_slice(
                    part,
                    running.execute,
                    test=nodeid,
                    item=item.nodeid,
                    worker=bench.place.id,
                    slice_id=slice_id,
                    send=running.send,
                    should_stop=lambda: bool(
                        session.shouldfail or session.shouldstop or bench.control.is_stopped(index)
                    ),
                    clock=bench.clock,
                    notes=recorder,
                    deadline_ns=deadline_ns,
                    recover=running.recover,
                )
            if not was_told_last:
                recorder.closing(bench.current.iteration, bench.clock())
                must_end = session.shouldfail or session.shouldstop or bench.control.is_all_stopped()
                failure = self._closing_failure(running, nextitem=None if must_end else nextitem)
                if failure is not None:
                    bench.send({**about, **failure, "kind": "closing"})
            is_whole = True
        finally:
            self._iterations.end()
            recorder.idle(bench.clock(), broken_off_in=0 if is_whole else bench.current.iteration)
        bench.send({**about, "kind": "slice_end", "reports": running.last_reports()})

    def _guarded(self) -> contextlib.AbstractContextManager[None]:
        """Where the tests' process is pytest's own, its exit status must not say that all is well."""
        bench = self._bench
        is_own = bench.place.id == "main" and bench.relaunch is None
        return no_exit_with_success() if is_own else contextlib.nullcontext()

    def _begin(
        self, item: pytest.Item, nextitem: pytest.Item | None, *, index: int, nodeid: str, lane: Lane
    ) -> RunningTest | IsolatedTest:
        bench = self._bench
        if bench.relaunch is not None:
            return IsolatedTest(bench, bench.relaunch, path=item.path, index=index, nodeid=nodeid)
        return self._iterations.begin(item, nextitem, index=index, nodeid=nodeid, lane=lane)

    def _closing_failure(
        self, running: RunningTest | IsolatedTest, *, nextitem: pytest.Item | None
    ) -> Message | None:
        """Tears down what the last iteration, not knowing that it was, left set up."""
        result = running.tear_down_wider_scopes(nextitem)
        if result is None:
            return None
        bench = self._bench
        failure = failure_message(bench.current.iteration, result, ended_ns=bench.clock())
        return {"worker": bench.place.id, "hash_seeds": [], "failure": failure}


def _budget_of(bench: Bench) -> Budget | None:
    """Returns the time that this process shares with all others, None without a limit."""
    if bench.plan.budget_ns is None:
        return None
    place = bench.place
    folder = None if place.id == "main" else bench.shared
    group = str(place.index) if place.mode == "each" else "all"
    return Budget(bench.plan.budget_ns, clock=bench.clock, folder=folder, group=group)


_GROUPS: Mapping[str, Callable[[str], str]] = {
    "loadfile": lambda nodeid: nodeid.partition("::")[0],
    "loadscope": lambda nodeid: nodeid.rpartition("::")[0],
    "loadgroup": lambda nodeid: nodeid.rpartition("@")[2],
}


def _slice_nodeid(item: pytest.Item, part: Slice, *, mode: str) -> str | None:
    """Returns a node id that is unique in xdist's collection; the group of `loadgroup` stays last."""
    if mode in ("no", "each"):
        return None
    name, group = xdist_nodeid(item), ""
    if mode == "loadgroup" and name.rfind("@") > name.rfind("]"):
        name, _, group = name.rpartition("@")
        group = f"@{group}"
    return f"{name} ({part.label}){group}"
