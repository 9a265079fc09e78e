"""The sampler on a clock and an instrument that the tests move: every sample is exact."""

from __future__ import annotations

import asyncio
import builtins
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

from pytest_repro.errors import OptionError
from pytest_repro.timing.recorder import Recorder
from pytest_repro.timing.sampler import AWAIT, INTERVAL_NS, MOST_FRAMES, NO_CALLS, PhaseSampler, StatProfile
from pytest_repro.timing.samples import Samples, place_of

# Frames of what runs these tests, as the plugin names them.
HARNESS = tuple(
    str(Path(str(sys.modules[name].__file__)).parent)
    for name in ("_pytest", "pluggy", "xdist", "execnet")
    if name in sys.modules
)

See = Callable[[FrameType, str, Any], None]


class Instrument:
    """Calls back when a test says so; in each thread, as the real one does."""

    def __init__(self) -> None:
        self.seers: dict[int, See] = {}
        self.is_taken = self.is_lost = False

    def start(self, see: See) -> object | None:
        if self.is_taken:
            return None
        self.seers[threading.get_ident()] = see
        return self

    def stop(self, started: object) -> bool:
        del started
        self.seers.pop(threading.get_ident())
        return not self.is_lost

    def sample(self, event: str = "c_call", arg: object = None) -> None:
        """The calling function is seen."""
        self.seers[threading.get_ident()](sys._getframe(1), event, arg)


class Bench:
    """A recorder that is sampled, 1 ms a look at the clock."""

    def __init__(self) -> None:
        self.now_ns = 0
        self.instrument = Instrument()
        self.sample = self.instrument.sample
        self.sampler = PhaseSampler(self._clock, harness=HARNESS, instrument=self.instrument)
        self.recorder = Recorder(lambda: 0)
        self.recorder.watch_phases(self.sampler)

    def _clock(self) -> int:
        self.now_ns += INTERVAL_NS
        return self.now_ns

    @contextmanager
    def iteration(self) -> Iterator[list[Samples]]:
        """One iteration; what was seen in it is there afterwards."""
        seen: list[Samples] = []
        self.recorder.begin()
        self.sampler.begin()
        yield seen
        seen.append(self.sampler.end())
        self.recorder.finish()


@pytest.fixture
def bench() -> Bench:
    return Bench()


def _numbers(samples: Samples) -> dict[tuple[str, ...], int]:
    return {path: samples.total(path).number for path in samples.paths}


def _inner(samples: Samples, *path: str) -> set[str]:
    return {place_of(stack[-1]).function for stack in samples.stacks(path)}


def test_only_what_is_inside_of_a_phase_is_sampled(bench: Bench) -> None:
    """The innermost phase has the sample; what lies outside has none, whatever the stage."""
    with bench.iteration() as seen:
        bench.sample()
        bench.sampler.is_call = True
        bench.sample()
        with bench.recorder.phase("outer"):
            bench.sample()
            with bench.recorder.phase("inner"):
                bench.sample()
                bench.sample()
            bench.sample()
        bench.sample()
    assert _numbers(seen[0]) == {("outer",): 2, ("outer", "inner"): 2}
    assert seen[0].total() == (4, 4 * INTERVAL_NS)


def test_without_any_phase_it_is_the_call_stage_that_is_sampled(bench: Bench) -> None:
    """And not the setup or the teardown."""
    with bench.iteration() as seen:
        bench.sample()
        bench.sampler.is_call = True
        bench.sample()
        bench.sample()
        bench.sampler.is_call = False
        bench.sample()
    assert _numbers(seen[0]) == {(): 2}


@pytest.mark.parametrize(
    ("function", "places"), [("pytest_pyfunc_call", {"inner"}), ("from_item_and_call", set())]
)
def test_what_pytest_does_to_report_a_failure_is_not_the_test(
    bench: Bench, function: str, places: set[str]
) -> None:
    """Making text of a long traceback can take a hundred times as long as the test."""
    names: dict[str, Any] = {}
    exec(compile(f"def {function}(inner): inner()", f"{HARNESS[0]}/a.py", "exec"), names)

    def inner() -> None:
        bench.sample()
        bench.sample("c_return", len)

    seen: list[Samples] = []

    def run() -> None:
        with bench.iteration() as samples:
            bench.sampler.is_call = True
            names[function](inner)
        seen.extend(samples)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    found = {place_of(stack[0]).function.rpartition(".")[2] for stack in seen[0].stacks(())}
    assert found == places


def test_contexts_that_pytest_leaves_behind_the_test_are_not_the_test(bench: Bench) -> None:
    """Such as that of its capturing, which it leaves through the standard library."""
    code = """
import contextlib
@contextlib.contextmanager
def item_capture(sample):
    yield
    sample()
def pytest_runtest_call(sample):
    with item_capture(sample):
        pass
"""
    names: dict[str, Any] = {}
    exec(compile(code, f"{HARNESS[0]}/a.py", "exec"), names)
    seen: list[Samples] = []

    def run() -> None:
        with bench.iteration() as samples:
            bench.sampler.is_call = True
            names["pytest_runtest_call"](bench.sample)
        seen.extend(samples)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    assert _numbers(seen[0]) == {}


def test_an_iteration_begins_without_what_the_last_one_left(bench: Bench) -> None:
    """A phase that was never left belongs to its own iteration, under its name."""
    with bench.iteration() as first:
        bench.recorder.phase("left open").__enter__()
        bench.sample()
    with bench.iteration() as second:
        bench.sample()
    assert _numbers(first[0]) == {("left open",): 1}
    assert not second[0]


def test_a_call_has_the_name_that_it_ends_with(bench: Bench) -> None:
    """A backend learns only from the result whether it was a transfer."""
    with bench.iteration() as seen:
        span = bench.recorder.automatic("op", "to")
        assert span is not None
        with span:
            bench.sample()
            span.settle("to_device")
    assert _numbers(seen[0]) == {("to_device",): 1}


@pytest.mark.parametrize(("is_beside_device", "name"), [(True, "host"), (False, "op")])
def test_work_of_the_host_has_the_name_of_its_row(bench: Bench, *, is_beside_device: bool, name: str) -> None:
    """`host` beside work of a device, as in the table."""
    with bench.iteration() as seen:
        host = bench.recorder.automatic("op", "add", on_host=True)
        device = bench.recorder.automatic("to_device", "to")
        assert host is not None
        assert device is not None
        with host:
            bench.sample()
        if is_beside_device:
            with device:
                pass
    assert _numbers(seen[0]) == {(name,): 1}


def test_a_stack_begins_with_the_test_and_ends_with_native_code(bench: Bench) -> None:
    """What calls the test is left out; lines are where each frame was."""
    with bench.iteration() as seen, bench.recorder.phase("p"):
        bench.sample("c_return", builtins.sorted)
        line = sys._getframe().f_lineno - 1
    (stack,) = seen[0].stacks(("p",))
    outer, inner = place_of(stack[0]), place_of(stack[-1])
    assert outer.function.endswith("test_a_stack_begins_with_the_test_and_ends_with_native_code")
    assert (outer.file, outer.line) == (__file__, line)
    assert (inner.function, inner.file) == ("sorted", "<built-in>")


def test_what_is_called_has_not_taken_any_time_yet(bench: Bench) -> None:
    """The time before a call is the caller's."""

    def callee() -> None:
        bench.sample("call")

    with bench.iteration() as seen, bench.recorder.phase("p"):
        callee()
    assert not any("callee" in name for name in _inner(seen[0], "p"))


def test_a_stretch_without_calls_is_told_apart(bench: Bench) -> None:
    """There the line is only where it ended; after native code it is the line itself."""
    with bench.iteration() as seen, bench.recorder.phase("p"):
        bench.now_ns += 50 * INTERVAL_NS
        bench.sample("call")
        bench.now_ns += 50 * INTERVAL_NS
        bench.sample("c_return", builtins.sorted)
    assert [stack[-1] == NO_CALLS for stack in seen[0].stacks(("p",))] == [True, False]


def test_a_deep_stack_keeps_both_ends(bench: Bench) -> None:
    """Bounded, with the test and with where it was."""

    def deeper(depth: int) -> None:
        if depth:
            deeper(depth - 1)
        else:
            bench.sample()

    with bench.iteration() as seen, bench.recorder.phase("p"):
        deeper(2 * MOST_FRAMES)
    (stack,) = seen[0].stacks(("p",))
    assert len(stack) == MOST_FRAMES + 1
    assert place_of(stack[0]).function.endswith("both_ends")
    assert place_of(stack[-1]).function.endswith("deeper")


def test_a_thread_is_sampled_while_a_phase_is_open_in_it(bench: Bench) -> None:
    """And no longer: its own code stays without instrument."""
    left: list[int] = []

    def work() -> None:
        with bench.recorder.phase("in thread"):
            bench.sample()
        left.append(len(bench.instrument.seers))

    with bench.iteration() as seen, bench.recorder.phase("waits"):
        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
        bench.sample()
    assert _numbers(seen[0]) == {("in thread",): 1, ("waits",): 1}
    assert left == [1]
    assert not bench.instrument.seers


def test_each_task_has_its_own_phase(bench: Bench) -> None:
    """However the event loop changes between them; a task without a phase has none."""

    async def work(name: str, turns: int) -> None:
        with bench.recorder.phase(name):
            for _ in range(turns):
                await asyncio.sleep(0)
                bench.sample()

    async def both() -> None:
        await asyncio.gather(work("a", 2), work("b", 3))

    with bench.iteration() as seen:
        asyncio.run(both())
    by_name: dict[str, int] = {}
    for path, number in _numbers(seen[0]).items():
        by_name[path[-1]] = by_name.get(path[-1], 0) + number
    assert by_name == {"a": 2, "b": 3}


def test_a_task_that_waits_in_a_phase_is_seen_at_its_await(bench: Bench) -> None:
    """The event loop's own time is the wait's."""

    async def fetch() -> None:
        asyncio.get_running_loop().call_soon(bench.sample)
        await asyncio.sleep(0)

    async def main() -> None:
        with bench.recorder.phase("fetch"):
            await fetch()

    with bench.iteration() as seen:
        asyncio.run(main())
    (stack,) = seen[0].stacks(("fetch",))
    assert [place_of(frame).function.rpartition(".")[2] for frame in stack[:2]] == ["main", "fetch"]
    assert stack[-1] == AWAIT


def test_work_of_child_tasks_belongs_to_the_phase_that_started_them(bench: Bench) -> None:
    """They inherit it, and lose it when it ends."""
    later: list[asyncio.Task[None]] = []

    async def child(turns: int) -> None:
        for _ in range(turns):
            bench.sample()
            await asyncio.sleep(0)

    async def main() -> None:
        with bench.recorder.phase("all"):
            await asyncio.gather(child(1), child(1))
            later.append(asyncio.create_task(child(2)))
            await asyncio.sleep(0)
        await later[0]

    with bench.iteration() as seen:
        asyncio.run(main())
    assert _numbers(seen[0]) == {("all",): 3}


def test_where_another_profiler_is_at_work_nothing_is_touched(bench: Bench) -> None:
    """It is said, and the phases are recorded as always."""
    bench.instrument.is_taken = True
    with bench.iteration() as seen, bench.recorder.phase("p"):
        pass
    assert (len(seen[0]), seen[0].gave_way) == (0, 1)


def test_a_profiler_of_the_test_may_take_over(bench: Bench) -> None:
    """What was seen before is kept."""
    bench.instrument.is_lost = True
    with bench.iteration() as seen, bench.recorder.phase("p"):
        bench.sample()
    assert (seen[0].total().number, seen[0].gave_way) == (1, 1)


def test_pyinstrument_calls_back_until_it_is_stopped() -> None:
    """And leaves the thread as it was; whoever replaced it is left alone."""
    instrument, seen = StatProfile(), threading.Event()
    started = instrument.start(lambda _frame, _event, _arg: seen.set())
    if started is None:
        pytest.skip("these tests run under a profiler themselves")
    try:
        while not seen.is_set():
            sorted(range(100))
    finally:
        assert instrument.stop(started)
    assert sys.getprofile() is None
    assert not instrument.stop(started)


def test_a_second_profiler_is_not_started() -> None:
    """Of two, the first stays."""
    if sys.getprofile() is not None:
        pytest.skip("these tests run under a profiler themselves")
    sys.setprofile(lambda _frame, _event, _arg: None)
    try:
        assert StatProfile().start(lambda _frame, _event, _arg: None) is None
    finally:
        sys.setprofile(None)


def test_a_broken_pyinstrument_is_an_error_with_a_next_step(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fact, place and what to do."""
    monkeypatch.setitem(sys.modules, "pyinstrument.low_level.stat_profile", None)
    with pytest.raises(
        OptionError, match=r"cannot import pyinstrument: .*\(.*\)\. Run `pip install"
    ) as error:
        StatProfile()
    assert error.value.place == sys.executable
