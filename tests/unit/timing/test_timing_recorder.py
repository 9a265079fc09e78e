"""The recorder: phases by hand, nesting, threads, metrics, and what it costs in memory."""

from __future__ import annotations

import asyncio
import math
import re
from threading import Thread
from typing import Any

import pytest

from pytest_repro.errors import TimingError
from pytest_repro.model import Metric
from pytest_repro.timing.recorder import Recorder
from pytest_repro.timing.simulated import SimulatedClock


@pytest.fixture
def clock() -> SimulatedClock:
    return SimulatedClock()


@pytest.fixture
def recorder(clock: SimulatedClock) -> Recorder:
    recorder = Recorder(clock)
    recorder.begin()
    return recorder


def test_a_phase_lasts_as_long_as_its_block(recorder: Recorder, clock: SimulatedClock) -> None:
    """The times are those of the clock, to the nanosecond."""
    clock.advance(7)
    with recorder.phase("preprocess"):
        clock.advance(250_000_000)
    (phase,), _ = recorder.finish()
    assert (phase.name, phase.start_ns, phase.duration_ns) == ("preprocess", 7, 250_000_000)
    assert (phase.wait_ns, phase.hidden_ns, phase.fenced, phase.is_open) == (0, 0, False, False)


def test_a_phase_knows_what_is_around_it(recorder: Recorder, clock: SimulatedClock) -> None:
    """Nested phases carry the names around them and come in the order in which they began."""
    with recorder.phase("step"):
        with recorder.phase("load"):
            clock.advance(1)
        with recorder.phase("compute"):
            clock.advance(2)
    phases, _ = recorder.finish()
    assert [(p.name, p.within, p.depth, p.duration_ns) for p in phases] == [
        ("step", (), 0, 3),
        ("load", ("step",), 1, 1),
        ("compute", ("step",), 1, 2),
    ]


def test_a_phase_that_raises_is_kept_and_marked(recorder: Recorder, clock: SimulatedClock) -> None:
    """The exception goes on, the phase up to it stays, and the next phase is beside it, not inside it."""

    def read() -> None:
        with recorder.phase("read"):
            clock.advance(5)
            raise ValueError("device hung")

    with pytest.raises(ValueError, match="device hung"):
        read()
    with recorder.phase("cleanup"):
        pass
    failed, cleanup = recorder.finish()[0]
    assert (failed.duration_ns, failed.is_open) == (5, True)
    assert (cleanup.within, cleanup.is_open) == ((), False)


def test_a_phase_that_never_ended_lasts_until_the_end(recorder: Recorder, clock: SimulatedClock) -> None:
    """What is open when the iteration ends is recorded as open."""
    recorder.phase("hang").__enter__()
    clock.advance(9)
    (phase,), _ = recorder.finish()
    assert (phase.duration_ns, phase.is_open) == (9, True)


def test_each_thread_nests_for_itself(recorder: Recorder) -> None:
    """A phase of another thread is not inside the phase that happens to be open in the first."""

    def work() -> None:
        with recorder.phase("worker"):
            pass

    with recorder.phase("main"):
        thread = Thread(target=work)
        thread.start()
        thread.join()
    main, worker = recorder.finish()[0]
    assert (main.thread, main.within) == (0, ())
    assert (worker.thread, worker.within) == (1, ())


def test_each_task_of_an_event_loop_nests_for_itself(recorder: Recorder) -> None:
    """Tasks that take turns are in each other's phases no more than threads; but their own are."""

    async def inner() -> None:
        with recorder.phase("inner"):
            await asyncio.sleep(0)

    async def work(name: str) -> None:
        with recorder.phase(name):
            await asyncio.sleep(0)
            await asyncio.gather(inner(), asyncio.create_task(inner()))
        await asyncio.sleep(0)
        with recorder.phase(f"{name} again"):
            await asyncio.sleep(0)

    async def both() -> None:
        await asyncio.gather(work("a"), work("b"))

    with recorder.phase("around"):
        asyncio.run(both())
    with recorder.phase("after"):
        pass
    told = sorted((phase.within, phase.name) for phase in recorder.finish()[0])
    assert told == [
        ((), "after"),
        ((), "around"),
        (("around",), "a"),
        (("around",), "a again"),
        (("around",), "b"),
        (("around",), "b again"),
        (("around", "a"), "inner"),
        (("around", "a"), "inner"),
        (("around", "b"), "inner"),
        (("around", "b"), "inner"),
    ]


def test_a_phase_that_does_not_close_in_turn_leaves_nothing_open(recorder: Recorder) -> None:
    """As generators may do, and tasks of loops that nobody knows."""
    first, second = recorder.phase("first"), recorder.phase("second")
    first.__enter__()
    second.__enter__()
    first.__exit__(None, None, None)
    second.__exit__(None, None, None)
    with recorder.phase("after"):
        pass
    assert [(phase.name, phase.within) for phase in recorder.finish()[0]] == [
        ("first", ()),
        ("second", ("first",)),
        ("after", ()),
    ]


def test_outside_of_an_iteration_nothing_is_recorded(clock: SimulatedClock) -> None:
    """Before `begin` and after `finish` phases and metrics are accepted and dropped."""
    recorder = Recorder(clock)
    with recorder.phase("early"):
        pass
    recorder.metric("early", 1)
    assert recorder.finish() == ((), ())
    assert recorder.automatic("op", "add") is None


def test_an_unfinished_iteration_does_not_leak_into_the_next(recorder: Recorder) -> None:
    """`begin` drops what was never finished, phases that are still open included."""
    recorder.phase("lost").__enter__()
    recorder.begin()
    with recorder.phase("kept"):
        pass
    (phase,), _ = recorder.finish()
    assert (phase.name, phase.within) == ("kept", ())


def test_only_the_first_call_in_the_process_is_cold(clock: SimulatedClock) -> None:
    """Cold is told by name and operation, over all iterations."""
    recorder = Recorder(clock)
    cold = []
    for _ in range(2):
        recorder.begin()
        for _ in range(2):
            with recorder.phase("op"):
                pass
        cold += [phase.cold for phase in recorder.finish()[0]]
    assert cold == [True, False, False, False]


def test_a_library_call_inside_a_library_call_is_not_recorded(recorder: Recorder) -> None:
    """Only the outermost call is a phase, so that nothing is counted twice."""
    span = recorder.automatic("op", "linear")
    assert span is not None
    with span:
        assert recorder.automatic("op", "addmm") is None
    assert recorder.automatic("op", "relu") is not None
    assert [phase.operation for phase in recorder.finish()[0]] == ["linear"]


@pytest.mark.parametrize("name", ["", " ", "\t\n", 3, None])
def test_a_phase_needs_a_name(recorder: Recorder, name: Any) -> None:
    """The message says what was given and what to write instead."""
    message = f"A phase cannot be called {name!r}: its name must be a text that can be seen."
    with pytest.raises(TimingError, match=re.escape(message)):
        recorder.phase(name)


def test_metrics_keep_their_order(recorder: Recorder) -> None:
    """Numbers of any kind become floats, in the order in which they were given."""
    recorder.metric("samples_per_s", 19646.28)
    recorder.metric("batches", 3)
    assert recorder.finish()[1] == (
        Metric(name="samples_per_s", value=19646.28),
        Metric(name="batches", value=3.0),
    )


@pytest.mark.parametrize("value", ["12", None, True, math.nan, math.inf, [1], 10**400])
def test_a_metric_must_be_a_finite_number(recorder: Recorder, value: Any) -> None:
    """The message names the metric and shows how to give one."""
    with pytest.raises(TimingError) as caught:
        recorder.metric("pcc", value)
    assert str(caught.value) == (
        f"The metric 'pcc' got {value!r}, which is not a finite number. "
        "Give a number: repro.metric('samples_per_s', 19646.28)."
    )


def test_many_calls_become_few_records(clock: SimulatedClock) -> None:
    """Beyond what is kept one by one, calls of a kind are one record; times, calls and order are kept."""
    recorder = Recorder(clock, keep=2)
    recorder.begin()
    for _ in range(5000):
        with recorder.phase("step"):
            clock.advance(3)
    phases, _ = recorder.finish()
    assert len(phases) < 1100
    assert sum(phase.calls for phase in phases) == 5000
    assert sum(phase.duration_ns for phase in phases) == 15_000
    assert [phase.calls for phase in phases[:2]] == [1, 1]


def test_the_first_call_of_each_operation_stays_apart(clock: SimulatedClock) -> None:
    """A cold call is never merged with warm ones, however late it comes."""
    recorder = Recorder(clock, keep=1)
    recorder.begin()
    for index in range(3000):
        with recorder.phase("late" if index in {1500, 1501} else "step"):
            clock.advance(40 if index == 1500 else 1)
    late = [phase for phase in recorder.finish()[0] if phase.name == "late"]
    assert (late[0].duration_ns, late[0].calls, late[0].cold) == (40, 1, True)


def test_names_with_a_counter_do_not_fill_the_memory(clock: SimulatedClock) -> None:
    """Beyond a thousand kinds, further ones share one record called `other`."""
    recorder = Recorder(clock, keep=10)
    recorder.begin()
    for index in range(10_000):
        with recorder.phase(f"step {index}"):
            clock.advance(1)
    phases, _ = recorder.finish()
    assert len(phases) < 2100
    assert sum(phase.duration_ns for phase in phases) == 10_000
    assert next(phase.calls for phase in phases if phase.name == "other") > 7000
