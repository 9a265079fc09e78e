"""The ttnn backend on the real library with a mocked device: seen, classified, sized, fenced, undone."""

from __future__ import annotations

import importlib.util
import os
import traceback
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from pytest_repro.model import Transfer
from pytest_repro.timing.attach import Harness

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_repro.model import Phase

if importlib.util.find_spec("ttnn") is None:
    pytest.skip("ttnn is not installed", allow_module_level=True)
if "TT_METAL_MOCK_CLUSTER_DESC_PATH" not in os.environ:
    pytest.skip("no mocked device: TT_METAL_MOCK_CLUSTER_DESC_PATH is not set", allow_module_level=True)

# Importing ttnn and torch brings warnings of their own.
pytestmark = [pytest.mark.ttnn, pytest.mark.filterwarnings("default")]


@pytest.fixture(scope="module")
def device(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    # Opening a device writes a folder `generated` into the working directory.
    before = os.getcwd()  # noqa: PTH109
    os.chdir(tmp_path_factory.mktemp("ttnn"))
    import ttnn

    device = ttnn.open_device(device_id=0)
    os.chdir(before)
    yield device
    ttnn.close_device(device)


@pytest.fixture
def harness(device: Any) -> Iterator[Harness]:
    harness = Harness()
    harness.start()
    assert harness.problems == []
    assert set(harness.attached) >= {"ttnn", "torch"}
    harness.recorder.begin()
    yield harness
    harness.stop()


def tensor(device: Any | None = None, **kwargs: Any) -> Any:
    import torch
    import ttnn

    kwargs.setdefault("dtype", ttnn.bfloat16)
    return ttnn.from_torch(torch.ones(32, 100), layout=ttnn.TILE_LAYOUT, device=device, **kwargs)


def device_phases(harness: Harness) -> list[Phase]:
    return [phase for phase in harness.recorder.finish()[0] if not phase.on_host]


def test_a_reproduction_test_shows_the_three_phases(harness: Harness, device: Any) -> None:
    """from_torch, one operation, to_torch: each is one phase, fenced, though torch runs inside."""
    import ttnn

    x = tensor(device)
    ttnn.to_torch(ttnn.add(x, x))
    phases = device_phases(harness)
    assert [(phase.name, phase.operation) for phase in phases] == [
        ("to_device", "ttnn.from_torch"),
        ("op", "ttnn.add"),
        ("to_torch", "ttnn.to_torch"),
    ]
    assert all(phase.fenced for phase in phases)


def test_transfers_have_the_size_of_the_stored_tensor(harness: Harness, device: Any) -> None:
    """Tiles are padded: 32 x 100 values in bfloat16 are 8192 bytes, in bfloat8_b 4 tiles of 1088."""
    import ttnn

    x = tensor(device)
    tensor(device, dtype=ttnn.bfloat8_b)
    ttnn.to_torch(x)
    assert [phase.transfer for phase in device_phases(harness)] == [
        Transfer(size_bytes=8192, shape=(32, 100), dtype="bfloat16", layout="tile"),
        Transfer(size_bytes=4352, shape=(32, 100), dtype="bfloat8_b", layout="tile"),
        Transfer(size_bytes=8192, shape=(32, 100), dtype="bfloat16", layout="tile"),
    ]


@pytest.mark.parametrize("dtype", ["bfloat16", "bfloat8_b", "bfloat4_b"])
def test_host_and_device_sizes_agree(harness: Harness, device: Any, dtype: str) -> None:
    """The size worked out for a host tensor is what the device's own buffer has."""
    import ttnn

    from pytest_repro.timing.backends.ttnn_tensors import transfer_of

    x = tensor(device, dtype=getattr(ttnn, dtype))
    assert transfer_of(x) == transfer_of(ttnn.from_device(x))


def test_every_way_to_the_device_is_seen(harness: Harness, device: Any) -> None:
    """to_device, Tensor.to, as_tensor and copy_host_to_device_tensor are transfers; host tensors are not."""
    import torch
    import ttnn

    host = tensor()
    on_device = ttnn.to_device(host, device)
    host.to(device)
    memory = {"device": device, "memory_config": ttnn.DRAM_MEMORY_CONFIG}
    ttnn.as_tensor(torch.ones(32, 32), dtype=ttnn.bfloat16, layout=ttnn.TILE_LAYOUT, **memory)
    ttnn.copy_host_to_device_tensor(host, on_device)
    phases = device_phases(harness)
    assert {phase.name for phase in phases} == {"to_device"}
    assert [phase.operation for phase in phases] == [
        "ttnn.to_device",
        "ttnn.Tensor.to",
        "ttnn.as_tensor",
        "ttnn.copy_host_to_device_tensor",
    ]
    assert [phase.transfer.size_bytes for phase in phases if phase.transfer] == [8192, 8192, 2048, 8192]


def test_every_way_back_is_seen(harness: Harness, device: Any) -> None:
    """to_torch, from_device, Tensor.cpu and what follows on the host are read-backs."""
    import ttnn

    x = tensor(device)
    harness.recorder.begin()
    ttnn.to_torch(x)
    ttnn.from_device(x)
    x.cpu().to_torch()
    phases = device_phases(harness)
    assert {phase.name for phase in phases} == {"to_torch"}
    assert [phase.operation for phase in phases] == [
        "ttnn.to_torch",
        "ttnn.from_device",
        "ttnn.Tensor.cpu",
        "ttnn.Tensor.to_torch",
    ]
    # The last one found its data on the host.
    assert [phase.transfer.size_bytes for phase in phases if phase.transfer] == [8192, 8192, 8192, 0]


def test_arguments_may_be_named(harness: Harness, device: Any) -> None:
    """What is moved has its size, whichever way the call was written."""
    import ttnn

    host, x = tensor(), tensor(device)
    harness.recorder.begin()
    ttnn.copy_host_to_device_tensor(host_tensor=host, device_tensor=x)
    ttnn.to_torch(tensor=x)
    phases = device_phases(harness)
    assert [(phase.name, phase.transfer and phase.transfer.size_bytes) for phase in phases] == [
        ("to_device", 8192),
        ("to_torch", 8192),
    ]


def test_a_call_that_does_not_return_is_what_it_should_be(harness: Harness, device: Any) -> None:
    """In the log of a test that hangs or fails inside a read-back, that is the open phase."""
    import ttnn

    x = tensor(device)
    harness.recorder.begin()
    for call in (
        partial(ttnn.to_torch, x, dtype="none"),
        partial(ttnn.to_device, x, device, memory_config="none"),
        partial(ttnn.add, x, "none"),
    ):
        with pytest.raises(Exception):  # noqa: B017, PT011 - whatever ttnn raises
            call()
    phases = [phase for phase in device_phases(harness) if phase.is_open]
    assert [phase.name for phase in phases] == ["to_torch", "to_device", "op"]


def test_operators_and_submodules_are_seen(harness: Harness, device: Any) -> None:
    """`x + x` and operations in modules below ttnn go through the same class."""
    import ttnn

    x = tensor(device)
    harness.recorder.begin()
    x + x
    ttnn.transformer.concatenate_heads(ttnn.reshape(tensor(device), (1, 25, 4, 32)))
    operations = [phase.operation for phase in device_phases(harness)]
    assert operations[0] == "ttnn.add"
    assert operations[-1] == "ttnn.transformer.concatenate_heads"


def test_a_synchronize_of_the_test_is_seen(harness: Harness, device: Any) -> None:
    """It is a phase of its own, since a timer without fences would charge the kernel to it."""
    import ttnn

    ttnn.synchronize_device(device)
    (phase,) = device_phases(harness)
    assert (phase.name, phase.operation) == ("synchronize", "ttnn.synchronize_device")


def test_nothing_is_fenced_while_a_trace_is_captured(harness: Harness, device: Any) -> None:
    """A phase in the capture is recorded without fences; afterwards fences are used again.

    No operation is captured here: on the mocked device that ends the process, with or without a harness.
    """
    import ttnn

    tensor(device)
    harness.recorder.begin()
    trace = ttnn.begin_trace_capture(device, cq_id=0)
    with harness.recorder.phase("captured"):
        pass
    ttnn.end_trace_capture(device, trace, cq_id=0)
    with harness.recorder.phase("after"):
        pass
    ttnn.release_trace(device, trace)
    assert [(phase.name, phase.fenced) for phase in device_phases(harness)] == [
        ("captured", False),
        ("after", True),
    ]


def test_layouts_and_memory_configurations_are_operations(harness: Harness, device: Any) -> None:
    """They move data on the device, not to it or from it."""
    import ttnn

    x = tensor(device)
    harness.recorder.begin()
    ttnn.to_layout(x, ttnn.ROW_MAJOR_LAYOUT)
    ttnn.to_memory_config(x, ttnn.L1_MEMORY_CONFIG)
    phases = device_phases(harness)
    assert {(phase.name, phase.fenced) for phase in phases} == {("op", True)}
    assert phases[0].operation == "ttnn.to_layout"
    assert phases[-1].operation == "ttnn.to_memory_config"


def test_a_transfer_that_does_not_block_is_waited_for_and_charged_with_nothing_hidden(
    harness: Harness, device: Any
) -> None:
    """A naive timer would have shown the call alone."""
    import ttnn

    x = tensor(device)
    harness.recorder.begin()
    x.cpu(blocking=False)
    ttnn.from_device(x, blocking=False)
    phases = device_phases(harness)
    assert [(phase.name, phase.fenced, phase.hidden_ns) for phase in phases] == [("to_torch", True, 0)] * 2


def test_host_tensors_are_no_transfer(harness: Harness, device: Any) -> None:
    """Nothing goes to a device that is not named."""
    tensor()
    phases, _ = harness.recorder.finish()
    assert [(phase.name, phase.operation) for phase in phases if phase.operation == "ttnn.from_torch"] == [
        ("op", "ttnn.from_torch")
    ]
    assert all(phase.on_host for phase in phases)


def test_work_of_torch_beside_it_is_of_the_host(harness: Harness, device: Any) -> None:
    """A golden result made with torch is told apart from the device's operations."""
    import torch

    from pytest_repro.timing.summary import named_totals

    torch.ones(3) + 1
    tensor(device)
    phases, _ = harness.recorder.finish()
    assert [phase.on_host for phase in phases] == [True, True, True, False]
    assert set(named_totals(phases)) == {"host", "to_device"}


def test_the_originals_are_back_after_an_exception(device: Any) -> None:
    """Classes, methods and functions are the very objects that they were."""
    import ttnn
    from ttnn import decorators

    def names() -> list[Any]:
        functions = [ttnn.synchronize_device, ttnn.execute_trace, ttnn.close_device, ttnn.event_synchronize]
        functions += [ttnn.device.close_device, ttnn._ttnn.device.close_device]
        functions.append(ttnn._ttnn.multi_device.close_mesh_device)
        methods = [
            vars(ttnn.Tensor)[name] for name in ("cpu", "item", "to", "to_list", "to_numpy", "to_torch")
        ]
        return [
            *functions,
            *methods,
            vars(decorators.FastOperation)["__call__"],
            vars(decorators.Operation)["__call__"],
        ]

    before = names()
    harness = Harness()
    harness.start()
    harness.recorder.begin()
    assert not any(now is then for now, then in zip(names(), before, strict=True))
    with pytest.raises(TypeError):
        ttnn.add("no tensor", 1)
    (phase,) = harness.recorder.finish()[0]
    harness.stop()
    assert all(now is then for now, then in zip(names(), before, strict=True))
    assert (phase.operation, phase.is_open) == ("ttnn.add", True)


def test_a_closed_device_is_forgotten(device: Any) -> None:
    """Waiting for a closed device may end the process: closing one makes the backend let go of it."""
    import ttnn

    from pytest_repro.timing.backends.ttnn_tensors import Devices

    devices = Devices(ttnn)
    devices.note((tensor(device), [tensor(device)], 3), {"device": device})
    assert devices.used() == [device]
    devices.clear()
    assert devices.used() == []


def test_errors_and_names_are_those_without_the_harness(device: Any) -> None:
    """A call that fails shows the lines of the test and of ttnn; stand-ins have the names of ttnn."""
    import ttnn

    def failing() -> list[str]:
        shown = []
        for call in (lambda: ttnn.add(1), lambda: ttnn.synchronize_device(None), ttnn.Tensor.cpu):
            with pytest.raises(Exception) as raised:  # noqa: PT011 - whatever ttnn raises
                call()
            shown.append("".join(traceback.format_exception(raised.value)))
        return shown

    def described() -> list[object]:
        functions = (ttnn.synchronize_device, ttnn.Tensor.cpu, type(ttnn.add).__call__)
        return [(function.__name__, function.__doc__) for function in functions]

    without = failing(), described()
    harness = Harness()
    harness.start()
    harness.recorder.begin()
    try:
        assert (failing(), described()) == without
    finally:
        harness.stop()
    assert device
