"""Fenced phases against what the simulated device did, and the unfenced view against naive timers."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from threading import Barrier, Thread
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_repro.clock import MonotonicNs, monotonic_ns
from pytest_repro.model import Phase
from pytest_repro.timing import turns
from pytest_repro.timing.recorder import Recorder
from pytest_repro.timing.simulated import SimulatedBackend, SimulatedClock, SimulatedDevice, SimulatedWork

MS = 1_000_000
NEAR = 0.02
"""Part of the truth by which a fenced phase may be wrong in real time."""

TRIES = 150
"""Times that a real measurement is repeated: a busy machine only ever adds to one."""


class Step(NamedTuple):
    """One call of a program: what is done, how large it is, and what the host does afterwards."""

    kind: str
    size_bytes: int
    host_ns: int


STEPS = st.lists(
    st.builds(
        Step,
        st.sampled_from(["to_device", "operation", "to_torch", "synchronize"]),
        st.integers(0, 50_000_000),
        st.sampled_from([0, 0, 0, 1, 3 * MS, 40 * MS]),
    ),
    max_size=30,
)


@contextmanager
def recording(clock: MonotonicNs = monotonic_ns) -> Iterator[Recorder]:
    """Yields a recorder that is attached to the simulated devices, in an iteration."""
    recorder, backend = Recorder(clock), SimulatedBackend()
    backend.attach(recorder)
    recorder.begin()
    try:
        yield recorder
    finally:
        backend.detach()


def run(steps: Sequence[Step], device: SimulatedDevice, clock: SimulatedClock) -> list[int]:
    """Runs a program and returns what a timer around each of its calls shows."""
    naive = []
    x = device.to_device(0)
    for index, step in enumerate(steps):
        before_ns = clock()
        if step.kind == "to_device":
            x = device.to_device(step.size_bytes)
        elif step.kind == "operation":
            x = device.operation(f"op {index}", x, duration_ns=step.size_bytes)
        elif step.kind == "to_torch":
            device.to_torch(x)
        else:
            device.synchronize()
        naive.append(clock() - before_ns)
        clock.advance(step.host_ns)
    return naive


def works_of(device: SimulatedDevice, phases: Sequence[Phase]) -> list[tuple[Phase, SimulatedWork]]:
    """Returns each phase that gave the device work, with that work."""
    worked = [phase for phase in phases if phase.name != "synchronize"]
    assert len(worked) == len(device.work)
    return list(zip(worked, device.work, strict=True))


@given(STEPS, st.sampled_from([0, 1, 2 * MS]), st.sampled_from([10**8, 10**9, 12 * 10**9]))
def test_each_fenced_phase_lasts_as_long_as_its_own_work(
    steps: list[Step], dispatch_ns: int, bandwidth_bytes_per_s: int
) -> None:
    """Dispatch and the device's time for it, exactly, whatever the queue holds and what is read when."""
    clock = SimulatedClock()
    device = SimulatedDevice(
        clock=clock, dispatch_ns=dispatch_ns, bandwidth_bytes_per_s=bandwidth_bytes_per_s
    )
    with recording(clock) as recorder:
        run(steps, device, clock)
        phases, _ = recorder.finish()
    for phase, work in works_of(device, phases):
        assert phase.duration_ns == dispatch_ns + work.end_ns - work.start_ns
        assert phase.fenced


@given(STEPS, st.sampled_from([10**8, 10**9, 12 * 10**9]))
def test_the_unfenced_view_is_that_of_the_same_program_without_the_harness(
    steps: list[Step], bandwidth_bytes_per_s: int
) -> None:
    """What a naive timer around each call would have shown, exactly."""
    clock = SimulatedClock()
    bare = SimulatedDevice(clock=clock, bandwidth_bytes_per_s=bandwidth_bytes_per_s)
    naive = run(steps, bare, clock)
    with recording(clock) as recorder:
        device = SimulatedDevice(clock=clock, bandwidth_bytes_per_s=bandwidth_bytes_per_s)
        run(steps, device, clock)
        phases, _ = recorder.finish()
    assert [phase.unfenced_ns for phase in phases[1:]] == naive


@given(STEPS, st.integers(1, 3))
def test_a_phase_by_hand_is_as_long_as_the_steps_in_it(steps: list[Step], depth: int) -> None:
    """Also phases in phases: nothing is lost at their edges, and nothing is counted twice."""
    clock = SimulatedClock()
    device = SimulatedDevice(clock=clock)
    with recording(clock) as recorder:
        _nested(recorder, depth, lambda: run(steps, device, clock))
        phases, _ = recorder.finish()
    outer, inner = phases[:depth], phases[depth:]
    host_ns = sum(step.host_ns for step in steps)
    assert {phase.duration_ns for phase in outer} == {host_ns + sum(phase.duration_ns for phase in inner)}


def _nested(recorder: Recorder, depth: int, act: Callable[[], object]) -> None:
    if depth == 0:
        act()
        return
    with recorder.phase(f"level {depth}"):
        _nested(recorder, depth - 1, act)


def nearest(measure: Callable[[], dict[str, float]]) -> dict[str, float]:
    """Returns the smallest error of each phase over some tries, as parts of the truth."""
    errors = measure()
    for _ in range(TRIES - 1):
        if max(errors.values()) <= NEAR:
            break
        again = measure()
        errors = {name: min(error, again[name]) for name, error in errors.items()}
    return errors


def _program(device: SimulatedDevice, name: str, depth: int, size_bytes: int) -> None:
    x = device.to_device(size_bytes)
    for index in range(depth):
        x = device.operation(f"{name} {index}", x, duration_ns=(15 + 5 * index) * MS)
    device.to_torch(x)


def error(phase: Phase, work: SimulatedWork) -> float:
    """Returns by which part of the truth a phase is wrong."""
    return abs(phase.duration_ns / (work.end_ns - work.start_ns) - 1)


@pytest.mark.parametrize("depth", [1, 4])
@pytest.mark.parametrize("size_bytes", [20_000_000, 60_000_000])
def test_in_real_time_fenced_phases_are_near_the_truth(depth: int, size_bytes: int) -> None:
    """A real queue and a real thread: each phase is within 2 % of the time that its work took."""

    def measure() -> dict[str, float]:
        with recording() as recorder, SimulatedDevice(bandwidth_bytes_per_s=10**9) as device:
            _program(device, "op", depth, size_bytes)
            pairs = works_of(device, recorder.finish()[0])
            return {
                f"{number} {phase.operation}": error(phase, work)
                for number, (phase, work) in enumerate(pairs)
            }

    assert max(nearest(measure).values()) <= NEAR


def test_in_real_time_several_threads_are_near_the_truth() -> None:
    """Threads that use a device at the same time are each charged with their own work."""

    def measure() -> dict[str, float]:
        together = Barrier(3, timeout=60)
        with recording() as recorder, SimulatedDevice(bandwidth_bytes_per_s=10**9) as device:

            def work(name: str) -> None:
                recorder.phase("known").__enter__()
                for index in range(2):
                    together.wait()
                    device.operation(f"{name} {index}", duration_ns=(15 + 5 * index) * MS)

            threads = [Thread(target=work, args=(name,)) for name in "abc"]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            phases, _ = recorder.finish()
            assert {phase.thread for phase in phases} == {1, 2, 3}
            named = {f"{phase.operation}": phase for phase in phases if phase.name == "op"}
            return {done.name: error(named[done.name], done) for done in device.work}

    errors = nearest(measure)
    assert sorted(errors) == ["a 0", "a 1", "b 0", "b 1", "c 0", "c 1"]
    assert max(errors.values()) <= NEAR


def test_a_call_that_waits_for_another_threads_call_does_not_wait_for_ever(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As collective operations do: both go on, and the one without its turn is not called fenced."""
    monkeypatch.setattr(turns, "TURN_S", 0.05)
    together = Barrier(2, timeout=60)
    with recording() as recorder:

        def collective() -> None:
            recorder.phase("known").__enter__()
            both_known.wait()
            span = recorder.automatic("op", "all_reduce")
            assert span is not None
            with span:
                together.wait()

        both_known = Barrier(2, timeout=60)
        threads = [Thread(target=collective) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        phases = [phase for phase in recorder.finish()[0] if phase.operation is not None]
    assert sorted(phase.fenced for phase in phases) == [False, True]
    assert not together.broken


def test_a_fence_that_is_interrupted_gives_its_turn_back() -> None:
    """Ctrl-C while one thread waits for the device does not stop the others for ever."""

    class Interrupted:
        def is_usable(self) -> bool:
            return True

        def wait(self) -> None:
            raise KeyboardInterrupt

    recorder = Recorder()
    recorder.begin()
    other = Thread(target=lambda: recorder.phase("known").__enter__())
    other.start()
    other.join()
    fence = Interrupted()
    recorder.add_fence(fence)
    span = recorder.automatic("op", "add")
    assert span is not None
    with pytest.raises(KeyboardInterrupt):
        span.__enter__()
    recorder.remove_fence(fence)
    recorder.add_fence(SimulatedBackend())
    again = recorder.automatic("op", "add")
    assert again is not None
    with again:
        pass
    assert recorder.finish()[0][-1].fenced
