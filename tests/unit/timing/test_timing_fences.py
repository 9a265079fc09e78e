"""Fences: device work is charged to the call that queued it, and the unfenced view is kept beside it."""

from __future__ import annotations

import signal
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest

from pytest_repro.timing.recorder import Recorder
from pytest_repro.timing.simulated import SimulatedBackend, SimulatedClock, SimulatedDevice

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pytest_repro.model import Phase

MS = 1_000_000


@pytest.fixture
def clock() -> SimulatedClock:
    return SimulatedClock()


@pytest.fixture
def recorder(clock: SimulatedClock) -> Iterator[Recorder]:
    recorder = Recorder(clock)
    backend = SimulatedBackend()
    backend.attach(recorder)
    recorder.begin()
    yield recorder
    backend.detach()


@pytest.fixture
def device(clock: SimulatedClock) -> SimulatedDevice:
    return SimulatedDevice(clock=clock, dispatch_ns=MS, bandwidth_bytes_per_s=1_000_000_000)


def times(phase: Phase) -> tuple[int, int, int]:
    return phase.call_ns, phase.wait_ns, phase.hidden_ns


def test_the_kernel_is_charged_to_the_operation(recorder: Recorder, device: SimulatedDevice) -> None:
    """The old notes blamed to_torch for 8.6 s of a kernel; the fenced times do not."""
    x = device.to_device(50_000_000)
    y = device.operation("gather", x, duration_ns=8600 * MS)
    device.to_torch(y)
    to_device, op, to_torch = recorder.finish()[0]
    assert times(to_device) == (1 * MS, 50 * MS, 0)
    assert times(op) == (1 * MS, 8600 * MS, 0)
    assert times(to_torch) == (51 * MS, 0, 8649 * MS)
    assert op.operation == "gather"
    assert all(phase.fenced for phase in (to_device, op, to_torch))


def test_the_unfenced_view_is_what_a_naive_timer_shows(clock: SimulatedClock) -> None:
    """The same program without the harness, timed by hand, gives exactly the unfenced times."""

    def program(device: SimulatedDevice, clock: SimulatedClock) -> list[int]:
        marks = [clock()]
        x = device.to_device(20_000_000)
        marks.append(clock())
        y = device.operation("a", x, duration_ns=30 * MS)
        marks.append(clock())
        clock.advance(4 * MS)
        marks.append(clock())
        y = device.operation("b", y, duration_ns=5 * MS)
        marks.append(clock())
        device.to_torch(y)
        marks.append(clock())
        y = device.operation("c", y, duration_ns=2 * MS)
        marks.append(clock())
        clock.advance(10 * MS)
        marks.append(clock())
        device.to_torch(y)
        marks.append(clock())
        spans = [after - before for before, after in pairwise(marks)]
        return [spans[index] for index in (0, 1, 3, 4, 5, 7)]

    naive = program(SimulatedDevice(clock=clock), clock)
    backend, recorder = SimulatedBackend(), Recorder(clock)
    backend.attach(recorder)
    recorder.begin()
    program(SimulatedDevice(clock=clock), clock)
    backend.detach()
    phases, _ = recorder.finish()
    assert [phase.unfenced_ns for phase in phases] == naive
    assert [phase.duration_ns for phase in phases] == [20 * MS, 30 * MS, 5 * MS, 20 * MS, 2 * MS, 20 * MS]


def test_work_queued_before_is_not_charged_to_the_next_call(
    recorder: Recorder, clock: SimulatedClock
) -> None:
    """The fence at the start edge waits for work of calls that nobody saw."""
    waits: list[int] = [40 * MS]

    class Busy:
        def is_usable(self) -> bool:
            return True

        def wait(self) -> None:
            clock.advance(waits.pop() if waits else 0)

    recorder.add_fence(Busy())
    recorder.begin()
    with recorder.phase("mine"):
        clock.advance(2 * MS)
    (phase,), _ = recorder.finish()
    assert (phase.start_ns, times(phase)) == (40 * MS, (2 * MS, 0, 0))


def test_a_phase_by_hand_holds_the_device_work_inside_it(
    recorder: Recorder, device: SimulatedDevice, clock: SimulatedClock
) -> None:
    """Its time is that of all work in it, its unfenced time that of a timer around the block."""
    device.dispatch_ns = 0
    with recorder.phase("step"):
        y = device.operation("matmul", duration_ns=10 * MS, size_bytes=5_000_000)
        clock.advance(4 * MS)
        device.to_torch(y)
    step, op, to_torch = recorder.finish()[0]
    assert (step.duration_ns, step.unfenced_ns) == (19 * MS, 15 * MS)
    assert (op.duration_ns, to_torch.duration_ns) == (10 * MS, 5 * MS)
    assert (op.within, to_torch.within) == (("step",), ("step",))


def test_a_phase_by_hand_waits_for_what_it_queued(clock: SimulatedClock) -> None:
    """Work queued by calls that no backend knows is waited for at the end of the block."""
    recorder = Recorder(clock)
    device = SimulatedDevice(clock=clock)
    backend = SimulatedBackend()
    backend.attach(recorder)
    device.synchronize()
    recorder.begin()
    with recorder.phase("custom kernel"):
        device._queue.submit("custom", 7 * MS)
    (phase,), _ = recorder.finish()
    backend.detach()
    assert times(phase) == (0, 7 * MS, 0)


def test_the_tests_own_synchronize_is_seen(recorder: Recorder, device: SimulatedDevice) -> None:
    """A naive timer would charge the wait to it and not to the read-back that follows."""
    y = device.operation("matmul", duration_ns=10 * MS, size_bytes=1_000_000)
    device.synchronize()
    device.to_torch(y)
    op, synchronize, to_torch = recorder.finish()[0]
    assert (op.duration_ns, op.unfenced_ns) == (11 * MS, 1 * MS)
    assert (synchronize.name, synchronize.duration_ns, synchronize.unfenced_ns) == ("synchronize", 0, 10 * MS)
    assert (to_torch.duration_ns, to_torch.unfenced_ns) == (2 * MS, 2 * MS)


def test_nothing_is_fenced_while_a_trace_is_captured(recorder: Recorder, clock: SimulatedClock) -> None:
    """A fence that is not usable is not used, and the phase says that it was not fenced."""

    class Capturing:
        def is_usable(self) -> bool:
            return False

        def wait(self) -> None:
            pytest.fail("waited during a capture")

    recorder.add_fence(Capturing())
    recorder.begin()
    with recorder.phase("captured"):
        clock.advance(1)
    (phase,), _ = recorder.finish()
    assert (phase.fenced, phase.duration_ns) == (False, 1)


def test_a_fence_that_fails_leaves_the_test_alone(recorder: Recorder) -> None:
    """A device error is met by the test at its own next wait; the phase is not called fenced."""

    class Broken:
        def is_usable(self) -> bool:
            return True

        def wait(self) -> None:
            raise RuntimeError("device lost")

    recorder.add_fence(Broken())
    recorder.begin()
    with recorder.phase("mine"):
        pass
    assert recorder.finish()[0][0].fenced is False


class Fence:
    """Does what it is told instead of waiting."""

    def __init__(self, act: Callable[[], None]) -> None:
        self.act = act

    def wait(self) -> None:
        self.act()

    def is_usable(self) -> bool:
        return True


def test_a_fence_may_use_calls_that_are_recorded(recorder: Recorder, device: SimulatedDevice) -> None:
    """One library's fence that waits by another library's call: that call is no phase and is not fenced."""
    waits: list[None] = []

    def wait() -> None:
        waits.append(None)
        device.synchronize()

    recorder.add_fence(Fence(wait))
    recorder.begin()
    with recorder.phase("step"):
        device.operation("gather", duration_ns=MS)
    phases, _ = recorder.finish()
    assert [(phase.name, phase.operation) for phase in phases] == [("step", None), ("op", "gather")]
    assert len(waits) == 4 + 3, "both edges of two phases, and three times to know what it takes"


def test_describing_a_tensor_may_use_calls_that_are_recorded(
    recorder: Recorder, device: SimulatedDevice
) -> None:
    """What a backend asks about a tensor after a call is no call of the test."""

    def describe() -> Any:
        device.to_device(MS)

    span = recorder.automatic("op", "gather")
    assert span is not None
    with span:
        span.settle("to_device", transfer=describe)
        span.works_on(describe)
    assert [phase.operation for phase in recorder.finish()[0]] == ["gather"]


@pytest.mark.parametrize("at_wait", [1, 2])
def test_a_phase_whose_fence_is_interrupted_has_ended(clock: SimulatedClock, at_wait: int) -> None:
    """Ctrl-C while the device is waited for: the phase does not last until the iteration ends."""
    waits: list[None] = []

    def wait() -> None:
        waits.append(None)
        clock.advance(MS)
        if len(waits) == at_wait:
            raise KeyboardInterrupt

    recorder = Recorder(clock)
    recorder.add_fence(Fence(wait))
    recorder.begin()
    with pytest.raises(KeyboardInterrupt), recorder.phase("step"):
        clock.advance(3)
    clock.advance(100 * MS)
    (phase,), _ = recorder.finish()
    assert phase.duration_ns <= 2 * MS
    assert phase.is_open


@pytest.mark.skipif(not hasattr(signal, "raise_signal"), reason="needs signals")
@pytest.mark.parametrize("place", ["fence", "transfer", "operand"])
def test_an_alarm_in_the_harness_reaches_the_test(clock: SimulatedClock, place: str) -> None:
    """A signal handler that limits the test's time raises while the harness works: nothing swallows it."""
    recorder = Recorder(clock)

    def on_signal(_number: int, _frame: object) -> None:
        raise TimeoutError

    def interrupted() -> Any:
        signal.raise_signal(signal.SIGINT)

    def work() -> None:
        span = recorder.automatic("op", "gather")
        assert span is not None
        with span:
            if place == "transfer":
                span.settle("to_device", transfer=interrupted)
            elif place == "operand":
                span.works_on(interrupted)

    if place == "fence":
        recorder.add_fence(Fence(interrupted))
    recorder.begin()
    before = signal.signal(signal.SIGINT, on_signal)
    try:
        with pytest.raises(TimeoutError):
            work()
    finally:
        signal.signal(signal.SIGINT, before)
    assert recorder.automatic("op", "next") is not None


def test_a_phase_by_hand_inside_a_call_is_counted_once(
    recorder: Recorder, device: SimulatedDevice, clock: SimulatedClock
) -> None:
    """A compiled function opens a phase: it lies inside of the operation, and phases after it do not."""
    span = recorder.automatic("op", "compiled")
    assert span is not None
    with span:
        with recorder.phase("inner"), recorder.phase("innermost"):
            device.operation("gather", duration_ns=5 * MS)
        clock.advance(MS)
    with recorder.phase("after"):
        pass
    phases, _ = recorder.finish()
    assert [(phase.name, phase.within) for phase in phases] == [
        ("op", ()),
        ("inner", ("op",)),
        ("innermost", ("op", "inner")),
        ("after", ()),
    ]
    assert sum(phase.duration_ns for phase in phases if phase.depth == 0) == clock()


def test_work_of_the_host_alone_is_not_fenced(recorder: Recorder, clock: SimulatedClock) -> None:
    """A call that cannot concern the device does not make the device wait for it."""
    span = recorder.automatic("op", "torch.add", on_host=True)
    assert span is not None
    with span:
        clock.advance(1)
    (phase,), _ = recorder.finish()
    assert (phase.on_host, phase.fenced) == (True, False)


def test_a_removed_fence_is_not_used(clock: SimulatedClock) -> None:
    """Detaching works in the middle of an iteration."""
    backend, recorder = SimulatedBackend(), Recorder(clock)
    backend.attach(recorder)
    recorder.begin()
    backend.detach()
    with recorder.phase("mine"):
        pass
    assert recorder.finish()[0][0].fenced is False


def test_what_an_idle_fence_takes_is_no_work_of_the_device(clock: SimulatedClock) -> None:
    """A timer without fences would not have been charged with ten thousand of them at its own wait."""

    class Slow:
        def is_usable(self) -> bool:
            return True

        def wait(self) -> None:
            clock.advance(800)

    recorder = Recorder(clock)
    recorder.add_fence(Slow())
    recorder.begin()
    for _ in range(1000):
        with recorder.phase("empty"):
            pass
    span = recorder.automatic("synchronize", "synchronize")
    assert span is not None
    with span:
        span.settle("synchronize", is_blocking=True)
    assert recorder.finish()[0][-1].hidden_ns == 0
