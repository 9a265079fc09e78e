"""An asynchronous device without hardware: calls return at once, the work takes the time it is told.

It shows what timers without fences get wrong, and is what the recorder is tested against::

    from pytest_repro.timing.simulated import SimulatedDevice

    with SimulatedDevice(bandwidth_bytes_per_s=1_000_000_000) as device:
        x = device.to_device(9_270_000)
        y = device.operation("gather", x, duration_ns=8_600_000_000)
        device.to_torch(y)
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from functools import partial
from queue import SimpleQueue
from threading import Event, Lock, Thread
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from pytest_repro.clock import monotonic_ns, sleep_until_ns
from pytest_repro.model import Transfer
from pytest_repro.timing.backend import OP, SYNCHRONIZE, TO_DEVICE, TO_TORCH
from pytest_repro.timing.patches import Patches

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from pytest_repro.timing.recorder import Recorder


WORK_KEPT = 10_000
"""Pieces of work that a device remembers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SimulatedTensor:
    """Memory on a simulated device.

    Attributes:
        size_bytes: Its size.
        device: Where it is.
    """

    size_bytes: int
    device: SimulatedDevice


@dataclass(frozen=True, slots=True, kw_only=True)
class SimulatedWork:
    """A piece of work that a device did: the truth that phases are compared with.

    Attributes:
        name: Name of the operation, `to_device` or `to_torch`.
        start_ns: The device's clock when it began.
        end_ns: The same when it was done.
    """

    name: str
    start_ns: int
    end_ns: int


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
    """A device with one queue and a thread that takes for each piece of work the time that it is told.

    Any thread may use it.

    Args:
        bandwidth_bytes_per_s: Speed of transfers in both directions.
        dispatch_ns: Time that each call keeps the host busy.
        clock: A `SimulatedClock` for exact times, without a thread; without it, real time passes.

    Attributes:
        work: What it did, oldest first; of more than ten thousand pieces the newest.
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
        self.work: deque[SimulatedWork] = deque(maxlen=WORK_KEPT)
        self._queue: _Queue = _Executor(self.work) if clock is None else _Schedule(clock, self.work)

    def to_device(self, size_bytes: int) -> SimulatedTensor:
        """Queues a transfer to the device."""
        self._submit(TO_DEVICE, self._transfer_ns(size_bytes))
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
        self._submit(name, duration_ns)
        if size_bytes is None:
            size_bytes = max((tensor.size_bytes for tensor in inputs), default=0)
        return SimulatedTensor(size_bytes=size_bytes, device=self)

    def to_torch(self, tensor: SimulatedTensor) -> int:
        """Reads back: waits for all earlier work and for the transfer. Returns the bytes read."""
        self._submit(TO_TORCH, self._transfer_ns(tensor.size_bytes))
        self._queue.drain()
        return tensor.size_bytes

    def synchronize(self) -> None:
        """Waits for all work."""
        self._queue.drain()

    def close(self) -> None:
        """Waits for all work and ends the device's thread; the backend then forgets the device."""
        self._queue.close()

    def __enter__(self) -> SimulatedDevice:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _submit(self, name: str, duration_ns: int) -> None:
        if self.dispatch_ns:
            self._queue.pass_time(self.dispatch_ns)
        self._queue.submit(name, duration_ns)

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
                if phase == OP:
                    span.works_on(partial(_operand, *args[1:], result))
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


def _operand(*tensors: SimulatedTensor) -> Transfer:
    return _transfer(max(tensors, key=lambda tensor: tensor.size_bytes))


class _Queue(Protocol):
    """Work in the order in which it was queued."""

    def submit(self, name: str, duration_ns: int) -> None:
        """Queues work and returns at once."""

    def drain(self) -> None:
        """Returns when all work that is queued by now is done."""

    def pass_time(self, duration_ns: int) -> None:
        """Makes the host spend time."""

    def close(self) -> None:
        """Waits for all work and takes no more."""


class _Schedule:
    """Work on a clock that stands still until it is told: no thread, and exact."""

    def __init__(self, clock: SimulatedClock, done: deque[SimulatedWork]) -> None:
        self.pass_time = clock.advance
        self._clock = clock
        self._done = done
        self._free_ns = 0
        self._lock = Lock()

    def submit(self, name: str, duration_ns: int) -> None:
        with self._lock:
            start_ns = max(self._free_ns, self._clock())
            self._free_ns = start_ns + duration_ns
            self._done.append(SimulatedWork(name=name, start_ns=start_ns, end_ns=self._free_ns))

    def drain(self) -> None:
        remaining_ns = self._free_ns - self._clock()
        if remaining_ns > 0:
            self.pass_time(remaining_ns)

    def close(self) -> None:
        self.drain()


class _Executor:
    """Work done by a thread, which starts with the first piece of work and ends with `close`.

    The device takes work up the moment it is free; that its thread wakes up later than that is not counted.
    The host watches for the end of the work, as drivers do: waking it up would take longer than short work.
    """

    def __init__(self, done: deque[SimulatedWork]) -> None:
        self._done = done
        self._lock = Lock()
        self._thread: Thread | None = None
        self._jobs: SimpleQueue[_Job | None] = SimpleQueue()
        self._last: _Job | None = None

    def submit(self, name: str, duration_ns: int) -> None:
        with self._lock:
            if self._thread is None or not self._thread.is_alive():
                # A fork has no thread of its own, and what its parent queued is its parent's.
                self._jobs, self._last = SimpleQueue(), None
                self._thread = Thread(
                    target=_execute, args=(self._jobs, self._done), name="simulated device", daemon=True
                )
                self._thread.start()
            start_ns = monotonic_ns()
            if self._last is not None:
                start_ns = max(start_ns, self._last.end_ns)
            self._last = _Job(name, start_ns, start_ns + duration_ns, Event())
            self._jobs.put(self._last)

    def drain(self) -> None:
        last, thread = self._last, self._thread
        if last is None:
            return
        sleep_until_ns(last.end_ns)
        # Looking again and again would keep the interpreter's lock from the thread for 5 ms.
        while thread is not None and thread.is_alive() and not last.done.wait(timeout=_LOOK_S):
            pass

    def pass_time(self, duration_ns: int) -> None:
        sleep_until_ns(monotonic_ns() + duration_ns)

    def close(self) -> None:
        self.drain()
        with self._lock:
            thread, self._thread = self._thread, None
            self._jobs.put(None)
        if thread is not None and thread.is_alive():
            thread.join()


_LOOK_S = 0.1
"""Time after which the host looks whether the device's thread is still alive."""


class _Job(NamedTuple):
    name: str
    start_ns: int
    end_ns: int
    done: Event


def _execute(jobs: SimpleQueue[_Job | None], done: deque[SimulatedWork]) -> None:
    free_ns = 0
    while (job := jobs.get()) is not None:
        sleep_until_ns(job.end_ns)
        start_ns, free_ns = max(free_ns, job.start_ns), monotonic_ns()
        done.append(SimulatedWork(name=job.name, start_ns=start_ns, end_ns=free_ns))
        job.done.set()
