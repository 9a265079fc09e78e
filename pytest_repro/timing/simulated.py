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
from threading import Event, Lock
from typing import TYPE_CHECKING, Any

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
    """A device with one queue; any thread may use it.

    Args:
        bandwidth_bytes_per_s: Speed of transfers in both directions.
        dispatch_ns: Time that each call keeps the host busy.
        clock: A `SimulatedClock` for exact times; without one, real time passes.
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
        self._queue = _Queue(monotonic_ns, _sleep) if clock is None else _Queue(clock, clock.advance)

    def to_device(self, size_bytes: int) -> SimulatedTensor:
        """Queues a transfer to the device."""
        self._submit(self._transfer_ns(size_bytes))
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
        self._submit(duration_ns)
        if size_bytes is None:
            size_bytes = max((tensor.size_bytes for tensor in inputs), default=0)
        return SimulatedTensor(size_bytes=size_bytes, device=self)

    def to_torch(self, tensor: SimulatedTensor) -> int:
        """Reads back: waits for all earlier work and for the transfer. Returns the bytes read."""
        self._submit(self._transfer_ns(tensor.size_bytes))
        self._queue.drain()
        return tensor.size_bytes

    def synchronize(self) -> None:
        """Waits for all work."""
        self._queue.drain()

    def close(self) -> None:
        """Waits for all work; the backend then forgets the device."""
        self._queue.drain()

    def __enter__(self) -> SimulatedDevice:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _submit(self, duration_ns: int) -> None:
        if self.dispatch_ns:
            self._queue.pass_time(self.dispatch_ns)
        self._queue.submit(duration_ns)

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


class _Queue:
    """Work in the order in which it was queued, known by the time at which it will all be done.

    A thread that sleeps through each piece of work wakes up 0.15 ms late on a busy machine; a schedule
    does not, and gives the recorder a truth to be measured against.

    Args:
        clock: What time it is.
        pass_time: Makes the host spend time.
    """

    def __init__(self, clock: MonotonicNs, pass_time: Callable[[int], None]) -> None:
        self.pass_time = pass_time
        self._clock = clock
        self._free_ns = 0
        self._lock = Lock()

    def submit(self, duration_ns: int) -> None:
        """Queues work and returns at once."""
        with self._lock:
            self._free_ns = max(self._free_ns, self._clock()) + duration_ns

    def drain(self) -> None:
        """Returns when all work that is queued by now is done."""
        remaining_ns = self._free_ns - self._clock()
        if remaining_ns > 0:
            self.pass_time(remaining_ns)


def _sleep(duration_ns: int) -> None:
    """Sleeps, and watches the clock for the last part: a sleep alone ends late."""
    end_ns = monotonic_ns() + duration_ns
    if duration_ns > _WATCHED_NS:
        Event().wait((duration_ns - _WATCHED_NS) / 1_000_000_000)
    while monotonic_ns() < end_ns:
        pass


_WATCHED_NS = 500_000
