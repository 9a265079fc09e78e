"""Torch on an accelerator, without one: which calls are transfers, what waits, and when nothing may."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest

from pytest_repro.model import Transfer
from pytest_repro.timing.backends.torch_calls import Settling
from pytest_repro.timing.backends.torch_devices import TorchFence, accelerator_type
from pytest_repro.timing.backends.torch_tensors import End, Tensors
from pytest_repro.timing.recorder import Recorder
from pytest_repro.timing.simulated import SimulatedClock


@dataclass(frozen=True)
class Device:
    """As torch has it."""

    type: str
    index: int | None = None

    def __str__(self) -> str:
        return self.type if self.index is None else f"{self.type}:{self.index}"


CPU, CUDA, CUDA_1, NPU = Device("cpu"), Device("cuda", 0), Device("cuda", 1), Device("npu", 0)


@dataclass(frozen=True)
class Value:
    """As a tensor of 1,000 bytes."""

    device: Device
    pinned: bool = False


class FakeTensors(Tensors):
    """Knows values instead of tensors."""

    device_type = Device

    def __init__(self) -> None:
        """Needs no torch."""

    def end(self, value: object) -> End | None:
        if not isinstance(value, Value):
            return None
        return End(value, value.device, value.device.type not in {"cpu", "meta"})

    def is_pinned(self, end: End) -> bool:
        return bool(end.tensor.pinned)

    def transfer(self, end: End, *, shares_memory: bool) -> Transfer | None:
        assert isinstance(end.tensor, Value)
        size_bytes = 0 if shares_memory else 1000
        return Transfer(size_bytes=size_bytes, shape=(250,), dtype="float32")


@dataclass
class Told:
    """A span that keeps what it is told."""

    name: str = "op"
    is_blocking: bool = False
    size_bytes: int | None = None

    def settle(self, name: str, *, is_blocking: bool = False, transfer: Any = None) -> None:
        self.name, self.is_blocking = name, is_blocking
        moved = transfer() if transfer is not None else None
        self.size_bytes = moved.size_bytes if moved else None


host, pinned, device, other = Value(CPU), Value(CPU, pinned=True), Value(CUDA), Value(CUDA_1)


@pytest.mark.parametrize(
    ("name", "args", "kwargs", "result", "told"),
    [
        ("to", (host, CUDA), {}, device, Told("to_device", is_blocking=True, size_bytes=1000)),
        ("cuda", (host,), {"non_blocking": True}, device, Told("to_device", size_bytes=1000)),
        ("to", (pinned, "cuda", True), {}, device, Told("to_device", size_bytes=1000)),
        ("npu", (host,), {}, Value(NPU), Told("to_device", is_blocking=True, size_bytes=1000)),
        ("copy_", (device, host), {}, device, Told("to_device", is_blocking=True, size_bytes=1000)),
        ("copy_", (device, pinned, True), {}, device, Told("to_device", size_bytes=1000)),
        (
            "tensor",
            ([1.0],),
            {"device": "cuda"},
            device,
            Told("to_device", is_blocking=True, size_bytes=1000),
        ),
        ("new_tensor", (device, [1.0]), {}, device, Told("to_device", is_blocking=True, size_bytes=1000)),
        ("cpu", (device,), {}, host, Told("to_torch", is_blocking=True, size_bytes=1000)),
        ("to", (device, "cpu"), {}, host, Told("to_torch", is_blocking=True, size_bytes=1000)),
        ("to", (device, "cpu"), {"non_blocking": True}, pinned, Told("to_torch", size_bytes=1000)),
        ("to", (device,), {"non_blocking": True}, host, Told("to_torch", is_blocking=True, size_bytes=1000)),
        ("copy_", (host,), {"src": device}, host, Told("to_torch", is_blocking=True, size_bytes=1000)),
        ("copy_", (pinned, device), {"non_blocking": True}, pinned, Told("to_torch", size_bytes=1000)),
        ("item", (device,), {}, 1.0, Told("to_torch", is_blocking=True, size_bytes=1000)),
        ("item", (host,), {}, 1.0, Told("to_torch", size_bytes=1000)),
        ("tolist", (device,), {}, [1.0], Told("to_torch", is_blocking=True, size_bytes=1000)),
        ("numpy", (host,), {}, None, Told("to_torch", size_bytes=0)),
        ("to", (device, CUDA_1), {}, other, Told("op", size_bytes=1000)),
        ("copy_", (device, other), {}, device, Told("op", size_bytes=1000)),
        ("to", (device, "float16"), {}, device, Told("op")),
        ("nonzero", (device,), {}, device, Told("op", is_blocking=True)),
        ("as_tensor", ([1.0],), {}, host, Told("op")),
    ],
)
def test_each_direction_is_told_by_where_the_tensors_are(
    name: str, args: Sequence[Any], kwargs: Mapping[str, Any], result: Any, told: Told
) -> None:
    """With the bytes that were moved, and whether the call itself waits for the device."""
    span: Any = Told()
    settling = Settling(FakeTensors(), set(), "npu")
    assert name in settling.names
    settling.settle(span, name, args, kwargs, result)
    assert span == told


@pytest.mark.parametrize(
    ("name", "args", "kwargs", "phase"),
    [
        ("to", (host, CUDA), {}, "to_device"),
        ("to", (host, device), {}, "to_device"),
        ("cuda", (host,), {}, "to_device"),
        ("npu", (host,), {}, "to_device"),
        ("copy_", (device, host), {}, "to_device"),
        ("tensor", ([1.0],), {"device": "cuda"}, "to_device"),
        ("new_tensor", (device, [1.0]), {}, "to_device"),
        ("to", (host, "cpu"), {}, "to_device"),
        ("to", (device, "cpu"), {}, "to_torch"),
        ("to", (device, host), {}, "to_torch"),
        ("to", (device,), {"device": CPU}, "to_torch"),
        ("as_tensor", (device,), {"device": "cpu"}, "to_torch"),
        ("cpu", (device,), {}, "to_torch"),
        ("cpu", (host,), {}, "to_torch"),
        ("copy_", (host,), {"src": device}, "to_torch"),
        ("item", (device,), {}, "to_torch"),
        ("tolist", (host,), {}, "to_torch"),
        ("to", (device, CUDA_1), {}, "op"),
        ("cuda", (device,), {}, "op"),
        ("copy_", (device, other), {}, "op"),
        ("copy_", (host, host), {}, "op"),
        ("to", (device, object()), {}, "op"),
        ("to", (host,), {}, "op"),
        ("new_tensor", (host, [1.0]), {}, "op"),
        ("as_tensor", ([1.0],), {}, "op"),
        ("nonzero", (device,), {}, "op"),
        ("to", (), {}, "op"),
    ],
)
def test_a_call_is_known_before_it_is_done(
    name: str, args: Sequence[Any], kwargs: Mapping[str, Any], phase: str
) -> None:
    """One that hangs or fails is the open phase of a log under its right name."""
    assert Settling(FakeTensors(), set(), "npu").expected(name, args, kwargs) == phase


@pytest.mark.parametrize(
    ("name", "args", "kwargs", "is_on_host"),
    [
        ("add", (host, host), {}, True),
        ("add", (host, 2.0), {"out": host}, True),
        ("cat", ([host, host], 0), {}, True),
        ("pin_memory", (host,), {}, True),
        ("add", (host, device), {}, False),
        ("add", (host,), {"other": device}, False),
        ("cat", ([host, device],), {}, False),
        ("add", (host, object()), {}, False),
        ("zeros", (3,), {"device": "cuda"}, False),
        ("zeros", (3,), {}, False),
        ("to", (host, CUDA), {}, False),
        ("copy_", (host, host), {}, False),
    ],
)
def test_work_of_the_host_is_known_before_it_is_done(
    name: str, args: Sequence[Any], kwargs: Mapping[str, Any], *, is_on_host: bool
) -> None:
    """It waits for no device: preparing the next batch goes on beside the kernels of this one."""
    assert Settling(FakeTensors(), set(), "cuda").is_on_host(name, args, kwargs) is is_on_host


def test_devices_of_operations_are_waited_for_from_then_on() -> None:
    """Of their results and of their arguments, also in lists."""
    devices: set[Any] = set()
    settling = Settling(FakeTensors(), devices, "cuda")
    assert not settling.note((host, 3), host)
    assert settling.note(([other, host],), host)
    assert settling.note((), device)
    assert devices == {CUDA, CUDA_1}


@dataclass
class FakeCuda:
    """As `torch.cuda`, with a log of what it was asked to wait for."""

    log: list[object] = field(default_factory=list)
    initialized: bool = True
    capturing: bool = False

    def is_available(self) -> bool:
        return True

    def is_initialized(self) -> bool:
        return self.initialized

    def is_current_stream_capturing(self) -> bool:
        return self.capturing

    def current_device(self) -> int:
        return 0

    def synchronize(self, device: int | None = None) -> None:
        self.log.append(device)

    def max_memory_allocated(self, device: Device) -> int:
        return 4096 + (device.index or 0)


def test_all_cuda_devices_in_use_are_waited_for() -> None:
    """The current one always, another one by its number; all streams of each."""
    cuda = FakeCuda()
    fence = TorchFence(SimpleNamespace(cuda=cuda), {CUDA, CUDA_1})
    assert fence.is_usable()
    fence.wait()
    assert cuda.log == [None, 1]


def test_cuda_is_not_initialised_by_waiting_for_it() -> None:
    """A test that never uses it, or forks before it does, finds it as it was."""
    cuda = FakeCuda(initialized=False)
    fence = TorchFence(SimpleNamespace(cuda=cuda), {CUDA_1})
    assert fence.is_usable()
    fence.wait()
    assert cuda.log == []


def test_nothing_is_waited_for_while_a_graph_is_captured() -> None:
    """By this thread's stream or by any other's; a capture that failed, or whose graph is gone, is over."""
    cuda = FakeCuda(capturing=True)
    fence = TorchFence(SimpleNamespace(cuda=cuda), set())
    assert not fence.is_usable()
    cuda.capturing = False
    graph, forgotten = Value(CUDA), Value(CUDA_1)
    fence.capture_begins(graph)
    assert not fence.is_usable()
    fence.capture_ended(graph)
    assert fence.is_usable()
    fence.capture_begins(forgotten)
    assert not fence.is_usable()
    del forgotten
    assert fence.is_usable()


def test_other_accelerators_are_waited_for_by_their_own_module() -> None:
    """By the device where it takes one, once a tensor was seen on it; else by `torch.accelerator`."""
    log: list[object] = []
    cuda = SimpleNamespace(is_available=lambda: False, synchronize=None)
    torch = SimpleNamespace(
        cuda=cuda,
        npu=SimpleNamespace(synchronize=log.append),
        mps=SimpleNamespace(synchronize=lambda: log.append("mps")),
        accelerator=SimpleNamespace(synchronize=lambda device: log.append(f"accelerator {device}")),
    )
    devices: set[Any] = set()
    fence = TorchFence(torch, devices)
    for name in ("npu", "mps", "private"):
        fence.learn(name)
    fence.wait()
    assert log == []
    for one in (NPU, Device("mps", 0), Device("private", 3)):
        devices.clear()
        devices.add(one)
        fence.wait()
    assert log == [NPU, "mps", "accelerator private:3"]


def test_the_most_memory_is_read_and_never_reset() -> None:
    """By device, where the library tells."""
    fence = TorchFence(SimpleNamespace(cuda=FakeCuda()), {CUDA, CUDA_1, Device("mps", 0)})
    assert fence.peak_bytes() == {"cuda:0": 4096, "cuda:1": 4097}


@pytest.mark.parametrize("name", ["cuda", "mps", "xpu", None])
def test_the_accelerator_is_found_without_torch_accelerator(name: str | None) -> None:
    """Before 2.6 torch has no common way to ask."""

    def available(kind: str) -> SimpleNamespace:
        return SimpleNamespace(is_available=lambda: name == kind)

    backends = SimpleNamespace(mps=available("mps"))
    torch = SimpleNamespace(cuda=available("cuda"), xpu=available("xpu"), backends=backends)
    assert accelerator_type(torch) == name


MS = 1_000_000


class SlowCuda(FakeCuda):
    """A device whose work takes the time it is told, on a clock of its own."""

    clock = SimulatedClock()
    free_ns = 0

    def queue(self, duration_ns: int) -> None:
        self.free_ns = max(self.free_ns, self.clock()) + duration_ns

    def synchronize(self, device: int | None = None) -> None:
        super().synchronize(device)
        self.clock.now_ns = max(self.clock(), self.free_ns)


@pytest.fixture
def cuda(monkeypatch: pytest.MonkeyPatch) -> SlowCuda:
    """A torch with a device: tensors without memory stand for those on it."""
    torch: Any = pytest.importorskip("torch", reason="torch is not installed")
    from pytest_repro.timing.backends import torch as backend_module
    from pytest_repro.timing.backends import torch_tensors

    cuda = SlowCuda()
    cuda.clock.now_ns = 0
    monkeypatch.setattr(torch_tensors, "_HOST", frozenset({"cpu"}))
    monkeypatch.setattr(backend_module, "accelerator_type", lambda _: "cuda")
    for name in (
        "is_available", "is_initialized", "is_current_stream_capturing", "current_device", "synchronize",
    ):  # fmt: skip
        monkeypatch.setattr(torch.cuda, name, getattr(cuda, name))
    return cuda


def test_a_copy_that_returns_at_once_is_charged_with_its_time(cuda: SlowCuda) -> None:
    """The fence tells the real time of a kernel and a transfer, beside what the test waited itself."""
    import torch

    from pytest_repro.timing.backends.torch import TorchBackend

    recorder, backend = Recorder(cuda.clock), TorchBackend()
    original = torch.cuda.synchronize
    backend.attach(recorder)
    recorder.begin()
    x = torch.ones(1000).to("meta", non_blocking=True)

    def kernel(tensor: Any) -> Any:
        cuda.queue(30 * MS)
        return tensor

    # A function of torch in Python, as torch.nn.functional has them.
    torch.overrides.handle_torch_function(kernel, (x,), x)
    torch.cuda.synchronize()
    backend.detach()
    phases, _ = recorder.finish()
    assert [(phase.operation, phase.name, phase.duration_ns) for phase in phases] == [
        ("torch.ones", "op", 0),
        ("torch.to", "to_device", 0),
        ("torch.kernel", "op", 30 * MS),
        (f"{original.__module__}.{original.__qualname__}", "synchronize", 0),
    ]
    assert phases[3].hidden_ns == 30 * MS
    assert (phases[1].fenced, phases[2].fenced, phases[1].on_host) == (True, True, False)
    assert phases[1].transfer == Transfer(size_bytes=0, shape=(1000,), dtype="float32", layout="strided")
    assert torch.cuda.synchronize is original


def test_graphs_are_never_waited_in_and_their_replay_is_an_operation(
    cuda: SlowCuda, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From the begin of a capture to its end, also where that raises; then fences are back."""
    import torch

    from pytest_repro.timing.backends.torch import TorchBackend

    class Graph:
        """As `torch.cuda.CUDAGraph`."""

        def capture_begin(self, pool: object = None) -> None:
            """Begins."""

        def capture_end(self) -> None:
            raise RuntimeError("capture failed")

        def replay(self) -> None:
            cuda.queue(5 * MS)

    monkeypatch.setattr(torch.cuda, "CUDAGraph", Graph)
    recorder, backend = Recorder(cuda.clock), TorchBackend()
    methods = dict(vars(Graph))
    backend.attach(recorder)
    recorder.begin()
    x = torch.ones(3, device="meta")
    graph = Graph()
    graph.capture_begin()
    waits = len(cuda.log)
    x + x
    assert len(cuda.log) == waits
    with pytest.raises(RuntimeError, match="capture failed"):
        graph.capture_end()
    graph.replay()
    backend.detach()
    _, captured, replay = recorder.finish()[0]
    assert (captured.operation, captured.fenced) == ("torch.add", False)
    assert (replay.name, replay.duration_ns, replay.fenced) == ("op", 5 * MS, True)
    assert str(replay.operation).endswith("Graph.replay")
    assert dict(vars(Graph)) == methods
