"""An asynchronous device without hardware: calls return at once, the work takes the time it is told.

It shows what timers without fences get wrong, and is what the recorder is tested against::

    from pytest_repro.timing.simulated import SimulatedDevice

    with SimulatedDevice(bandwidth_bytes_per_s=1_000_000_000) as device:
        x = device.to_device(9_270_000)
        y = device.operation("gather", x, duration_ns=8_600_000_000)
        device.to_torch(y)
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from queue import SimpleQueue
from threading import Condition, Event, Thread
from typing import TYPE_CHECKING, Any, Protocol

from pytest_repro.clock import monotonic_ns
from pytest_repro.model import Transfer
from pytest_repro.timing.backend import OP, SYNCHRONIZE, TO_DEVICE, TO_TORCH
from pytest_repro.timing.patches import Patches

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from pytest_repro.clock import MonotonicNs
    from pytest_repro.timing.recorder import Recorder


@dataclass(frozen=True, slots=True, kw_only=True)
class SimulatedTensor:
    """Memory on a simulated device.

    Attributes:
        size_bytes: Its size.
        device: Where it is.
    """

    size_bytes: int
    device: SimulatedDevice


class Engine(Protocol):
    """Does a device's work, one piece after the other."""

    def submit(self, duration_ns: int) -> None:
        """Queues work and returns at once."""

    def drain(self) -> None:
        """Returns when all work is done."""

    def close(self) -> None:
        """Ends the engine; queued work is done first."""


class SimulatedClock:
    """A clock that stands still until it is told; with it, a simulated device gives exact numbers."""

    def __init__(self) -> None:
        self.now_ns = 0

    def __call__(self) -> int:
        """Returns the time."""
        return self.now_ns

    def advance(self, duration_ns: int) -> None:
        """Lets time pass."""
        self.now_ns += duration_ns


class SimulatedDevice:
    """A device with one queue.

    Args:
        bandwidth_bytes_per_s: Speed of transfers in both directions.
        dispatch_ns: Time that each call keeps the host busy.
        clock: A `SimulatedClock` for exact times; without one, a thread takes real time.
    """

    def __init__(
        self,
        *,
        bandwidth_bytes_per_s: int = 1_000_000_000,
        dispatch_ns: int = 0,
        clock: SimulatedClock | None = None,
    ) -> None:
        self.bandwidth_bytes_per_s = bandwidth_bytes_per_s
        self.dispatch_ns = dispatch_ns
        self._engine: Engine
        self._pass_time: Callable[[int], None]
        if clock is None:
            self._engine, self._pass_time = _ThreadEngine(monotonic_ns), _sleep
        else:
            self._engine, self._pass_time = _StepEngine(clock), clock.advance

    def to_device(self, size_bytes: int) -> SimulatedTensor:
        """Queues a transfer to the device."""
        self._queue(self._transfer_ns(size_bytes))
        return SimulatedTensor(size_bytes=size_bytes, device=self)

    def operation(
        self, name: str, *inputs: SimulatedTensor, duration_ns: int, size_bytes: int | None = None
    ) -> SimulatedTensor:
        """Queues an operation.

        Args:
            name: What it is called in reports.
            *inputs: What it works on.
            duration_ns: How long the device takes for it.
            size_bytes: Size of its result, the largest input's if not given.
        """
        del name
        self._queue(duration_ns)
        if size_bytes is None:
            size_bytes = max((tensor.size_bytes for tensor in inputs), default=0)
        return SimulatedTensor(size_bytes=size_bytes, device=self)

    def to_torch(self, tensor: SimulatedTensor) -> int:
        """Reads back: waits for all earlier work and for the transfer. Returns the bytes read."""
        self._queue(self._transfer_ns(tensor.size_bytes))
        self._engine.drain()
        return tensor.size_bytes

    def synchronize(self) -> None:
        """Waits for all work."""
        self._engine.drain()

    def close(self) -> None:
        """Ends the device's thread when its work is done."""
        self._engine.close()

    def __enter__(self) -> SimulatedDevice:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _queue(self, duration_ns: int) -> None:
        if self.dispatch_ns:
            self._pass_time(self.dispatch_ns)
        self._engine.submit(duration_ns)

    def _transfer_ns(self, size_bytes: int) -> int:
        return size_bytes * 1_000_000_000 // self.bandwidth_bytes_per_s


class SimulatedBackend:
    """Turns the calls of all simulated devices into phases."""

    name = "simulated"

    def __init__(self) -> None:
        self._patches = Patches()
        self._devices: set[SimulatedDevice] = set()
        self._synchronize = SimulatedDevice.synchronize
        self._recorder: Recorder | None = None

    def attach(self, recorder: Recorder) -> None:
        """Wraps the methods of `SimulatedDevice`."""
        self._recorder = recorder
        recorder.add_fence(self)
        for method, phase, is_blocking in _METHODS:
            wrap = partial(self._wrapped, recorder, method, phase=phase, is_blocking=is_blocking)
            self._patches.wrap(SimulatedDevice, method, wrap)
        self._patches.wrap(SimulatedDevice, "close", self._forgetting)

    def detach(self) -> None:
        """Puts the methods back."""
        self._patches.undo()
        if self._recorder is not None:
            self._recorder.remove_fence(self)
        self._devices.clear()

    def is_usable(self) -> bool:
        """Returns True: a simulated device captures no traces."""
        return True

    def wait(self) -> None:
        """Waits for each device that was used."""
        for device in tuple(self._devices):
            self._synchronize(device)

    def _wrapped(
        self, recorder: Recorder, method: str, original: Callable[..., Any], *, phase: str, is_blocking: bool
    ) -> Callable[..., Any]:
        def call(device: SimulatedDevice, *args: Any, **kwargs: Any) -> Any:
            self._devices.add(device)
            span = recorder.automatic(phase, args[0] if phase == OP else method)
            if span is None:
                return original(device, *args, **kwargs)
            with span:
                result = original(device, *args, **kwargs)
                transfer = partial(_transfer, *args) if phase in {TO_DEVICE, TO_TORCH} else None
                span.settle(phase, is_blocking=is_blocking, transfer=transfer)
            return result

        return call

    def _forgetting(self, original: Callable[..., Any]) -> Callable[..., Any]:
        def close(device: SimulatedDevice) -> None:
            self._devices.discard(device)
            original(device)

        return close


_METHODS = (
    ("to_device", TO_DEVICE, False),
    ("operation", OP, False),
    ("to_torch", TO_TORCH, True),
    ("synchronize", SYNCHRONIZE, True),
)


def _transfer(moved: SimulatedTensor | int) -> Transfer:
    size_bytes = moved if isinstance(moved, int) else moved.size_bytes
    return Transfer(size_bytes=size_bytes, shape=(size_bytes,), dtype="uint8")


class _StepEngine:
    """Does the work when somebody waits for it, in no real time."""

    def __init__(self, clock: SimulatedClock) -> None:
        self._clock = clock
        self._free_ns = 0

    def submit(self, duration_ns: int) -> None:
        self._free_ns = max(self._free_ns, self._clock()) + duration_ns

    def drain(self) -> None:
        self._clock.advance(max(0, self._free_ns - self._clock()))

    def close(self) -> None:
        pass


class _ThreadEngine:
    """Does the work in a thread of its own, in real time."""

    def __init__(self, clock: MonotonicNs) -> None:
        self._clock = clock
        self._queue: SimpleQueue[tuple[int, int] | None] = SimpleQueue()
        self._open = 0
        self._idle = Condition()
        self._thread = Thread(target=self._work, name="simulated-device", daemon=True)
        self._thread.start()

    def submit(self, duration_ns: int) -> None:
        with self._idle:
            self._open += 1
        self._queue.put((self._clock(), duration_ns))

    def drain(self) -> None:
        with self._idle:
            self._idle.wait_for(lambda: self._open == 0)

    def close(self) -> None:
        self._queue.put(None)
        self._thread.join()

    def _work(self) -> None:
        free_ns = 0
        while (piece := self._queue.get()) is not None:
            queued_ns, duration_ns = piece
            # By the schedule, not by when the thread woke up: late wake-ups must not add up.
            free_ns = max(free_ns, queued_ns) + duration_ns
            _sleep(free_ns - self._clock())
            with self._idle:
                self._open -= 1
                self._idle.notify_all()


def _sleep(duration_ns: int) -> None:
    if duration_ns > 0:
        Event().wait(duration_ns / 1_000_000_000)
