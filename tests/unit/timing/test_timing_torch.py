"""The torch backend on the CPU: which call is which phase, what was moved, and nothing left behind."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from pytest_repro.model import Transfer
from pytest_repro.timing.recorder import Recorder

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pytest_repro.model import Phase

torch: Any = pytest.importorskip("torch", reason="torch is not installed")


@pytest.fixture
def recorder() -> Iterator[Recorder]:
    from pytest_repro.timing.backends.torch import TorchBackend

    recorder, backend = Recorder(), TorchBackend()
    backend.attach(recorder)
    recorder.begin()
    yield recorder
    backend.detach()


def seen(recorder: Recorder) -> list[tuple[str, str | None]]:
    return [(phase.name, phase.operation) for phase in recorder.finish()[0]]


def only(recorder: Recorder) -> Phase:
    (phase,) = recorder.finish()[0]
    return phase


def test_a_reproduction_test_shows_the_three_phases(recorder: Recorder) -> None:
    """To the device, one operation, back: no edit to the test is needed."""
    a = torch.ones(8, 4).to("cpu")
    b = torch.gather(a, 0, torch.zeros(1, 4, dtype=torch.int64))
    b.cpu().numpy()
    assert seen(recorder) == [
        ("op", "torch.ones"),
        ("to_device", "torch.to"),
        ("op", "torch.zeros"),
        ("op", "torch.gather"),
        ("to_torch", "torch.cpu"),
        ("to_torch", "torch.numpy"),
    ]


@pytest.mark.parametrize(
    ("call", "phase"),
    [
        (lambda x: x.to(torch.device("cpu")), "to_device"),
        (lambda x: x.to(device="cpu"), "to_device"),
        (lambda x: x.to(torch.float64), "op"),
        (lambda x: x.copy_(x), "op"),
        (lambda _: torch.tensor([1.0], device="cpu"), "to_device"),
        (lambda _: torch.as_tensor([1.0], device="cpu"), "to_device"),
        (lambda _: torch.tensor([1.0]), "op"),
        (lambda x: x.cpu(), "to_torch"),
        (lambda x: x.numpy(), "to_torch"),
        (lambda x: x[0].item(), "to_torch"),
        (lambda x: x.tolist(), "to_torch"),
        (lambda x: float(x[0]), "to_torch"),
        (lambda x: bool(x[0]), "to_torch"),
        (lambda x: x + x, "op"),
        (lambda x: x @ x, "op"),
        (torch.nn.functional.relu, "op"),
        (lambda x: torch.equal(x, x), "op"),
    ],
)
def test_each_call_is_the_phase_it_should_be(
    recorder: Recorder, call: Callable[[Any], Any], phase: str
) -> None:
    """Transfers and read-backs are told by what the call did, not by its name alone."""
    x = torch.ones(3)
    call(x)
    assert recorder.finish()[0][-1].name == phase


def test_a_transfer_has_its_size(recorder: Recorder) -> None:
    """Bytes, shape, dtype and layout are recorded."""
    torch.as_tensor([[1.0, 2.0], [3.0, 4.0]], device="cpu")
    assert only(recorder).transfer == Transfer(size_bytes=16, shape=(2, 2), dtype="float32", layout="strided")


def test_memory_that_is_handed_on_is_no_byte_moved(recorder: Recorder) -> None:
    """On the CPU `.to(device)` and `.numpy()` copy nothing, and the record says so."""
    torch.ones(1000).to("cpu").numpy()
    sizes = [phase.transfer.size_bytes for phase in recorder.finish()[0] if phase.transfer]
    assert sizes == [0, 0]


def test_questions_about_a_tensor_are_no_operations(recorder: Recorder) -> None:
    """Shapes, sizes, flags and texts are not timed."""
    x = torch.ones(3)
    recorder.begin()
    assert [*x.shape, x.size(), x.dim(), x.numel(), x.is_contiguous(), x.device.type, len(x)]
    assert repr(x)
    assert seen(recorder) == []


def test_a_module_is_seen_as_the_operations_it_calls(recorder: Recorder) -> None:
    """A linear layer is one operation, however many calls torch makes inside."""
    layer = torch.nn.Linear(4, 4)
    recorder.begin()
    layer(torch.ones(2, 4)).sum().backward()
    operations = [operation for _, operation in seen(recorder)]
    assert operations == ["torch.ones", "torch.linear", "torch.sum", "torch.backward"]


def test_the_cpu_is_not_fenced(recorder: Recorder) -> None:
    """A call on the CPU is over when it returns: there is nothing to wait for and nothing hidden."""
    if torch.cuda.is_available():
        pytest.skip("this machine has an accelerator")
    torch.ones(3).cpu()
    phases, _ = recorder.finish()
    assert {(phase.on_host, phase.fenced, phase.hidden_ns) for phase in phases} == {(True, False, 0)}


def test_an_operation_that_raises_is_open(recorder: Recorder) -> None:
    """The error is torch's own, and the phase in which it was raised is marked."""
    with pytest.raises(RuntimeError, match="multiplied"):
        torch.ones(2, 3) @ torch.ones(2, 3)
    *_, last = recorder.finish()[0]
    assert (last.operation, last.is_open) == ("torch.matmul", True)


def test_a_transfer_that_raises_is_open_as_what_it_should_be(recorder: Recorder) -> None:
    """A copy for which there is no memory is told as one, and so is a read-back of what is no number."""
    x = torch.ones(3)
    for call in (x.item, partial(x.to, device="cuda:99"), partial(torch.tensor, ["a"], device="cuda:99")):
        with pytest.raises(Exception):  # noqa: B017, PT011 - whatever torch raises
            call()
    phases = [phase for phase in recorder.finish()[0] if phase.is_open]
    assert [(phase.name, phase.operation) for phase in phases] == [
        ("to_torch", "torch.item"),
        ("to_device", "torch.to"),
        ("to_device", "torch.tensor"),
    ]


def test_after_detaching_no_mode_is_left() -> None:
    """The mode goes, also from below a mode that a test has left on the stack; that one stays."""
    from pytest_repro.timing.backends.torch import TorchBackend

    overrides: Any = torch.overrides
    stack = overrides._get_current_function_mode_stack
    before = list(stack())
    backend, left = TorchBackend(), overrides.TorchFunctionMode()
    backend.attach(Recorder())
    left.__enter__()
    backend.detach()
    assert stack() == [*before, left]
    left.__exit__(None, None, None)
    backend.detach()
    assert stack() == before
