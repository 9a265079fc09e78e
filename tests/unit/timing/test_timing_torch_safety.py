"""With the torch backend attached a test behaves as without: errors, warnings, graphs, threads, processes."""

from __future__ import annotations

import os
import sys
import threading
import traceback
import warnings
import weakref
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event, Thread
from typing import TYPE_CHECKING, Any

import pytest

import pytest_repro
from pytest_repro.plugin.raised import raised_of
from pytest_repro.timing.recorder import Recorder

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

torch: Any = pytest.importorskip("torch", reason="torch is not installed")

OURS = str(Path(pytest_repro.__file__).parent)


@pytest.fixture
def recorder() -> Iterator[Recorder]:
    from pytest_repro.timing.backends.torch import TorchBackend

    recorder, backend = Recorder(), TorchBackend()
    backend.attach(recorder)
    recorder.begin()
    yield recorder
    backend.detach()


def operations(recorder: Recorder) -> list[str | None]:
    return [phase.operation for phase in recorder.finish()[0]]


def fails() -> None:
    torch.ones(2, 3) @ torch.ones(2, 3)


@pytest.mark.parametrize("tracing_mode", ["real", "fake", "symbolic"])
def test_a_traced_graph_is_the_one_without_the_harness(recorder: Recorder, tracing_mode: Any) -> None:
    """No node is added, no symbolic size fixed or recorded, and nothing that computes nothing is a phase."""
    from torch.fx.experimental.proxy_tensor import make_fx

    def work(a: Any, b: Any) -> Any:
        return (torch.cat([a.to("cpu", torch.float64), b]).cpu() * a.shape[0]).sum()

    def graph() -> str:
        return str(make_fx(work, tracing_mode=tracing_mode)(torch.ones(3), torch.ones(4)).code)

    traced = graph()
    phases, _ = recorder.finish()
    assert graph() == traced
    if tracing_mode != "real":
        assert not {phase.operation for phase in phases} & {"torch.cpu", "torch.mul", "torch.sum"}
    assert all(type(n) is int for phase in phases if phase.transfer for n in phase.transfer.shape)


def test_symbolic_sizes_get_no_guard_and_no_record(recorder: Recorder) -> None:
    """A fake tensor of a dynamic size is moved: nothing is learnt about the size, no byte is counted."""
    from torch._subclasses.fake_tensor import FakeTensorMode
    from torch.fx.experimental.symbolic_shapes import ShapeEnv

    mode = FakeTensorMode(shape_env=ShapeEnv())
    tensor = mode.from_tensor(torch.ones(3, 4))
    recorder.begin()
    tensor.to("cpu", torch.float64).cpu()
    assert [phase.transfer for phase in recorder.finish()[0] if phase.transfer] == []
    shape_env: Any = mode.shape_env
    assert shape_env.guards == []


def test_memory_that_is_not_there_moves_no_byte(recorder: Recorder) -> None:
    """A meta tensor has a shape only; going there is no transfer to a device."""
    recorder.begin()
    torch.ones(1000).to("meta")
    assert [(phase.name, phase.transfer) for phase in recorder.finish()[0]] == [("op", None), ("op", None)]


def test_a_tracer_of_torch_fx_gets_no_node(recorder: Recorder) -> None:
    """Its stand-ins answer to every attribute, and each answer could be a node."""
    graph = torch.fx.symbolic_trace(lambda x: torch.cat([x.to("cpu"), x.cpu()]).relu())
    assert [node.name for node in graph.graph.nodes] == ["x", "to", "cpu", "cat", "relu", "output"]


def test_a_traced_script_has_the_same_text(recorder: Recorder) -> None:
    """`torch.jit.trace` counts what it meets, also what it leaves out in the end; lines are the test's."""
    work = lambda x: (x * 2).to("cpu").cpu()  # noqa: E731

    def text() -> str:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return str(torch.jit.trace(work, torch.ones(2)).graph)

    with_phases = text()
    recorder.finish()
    assert text() == with_phases
    assert "pytest_repro" not in with_phases


def test_a_function_with_a_tensor_inside_is_not_remembered(recorder: Recorder) -> None:
    """Its name is, each time; the tensor goes when the test lets it go."""

    def call() -> Any:
        inside = torch.ones(3)
        torch.overrides.handle_torch_function(lambda x: inside + x, (), torch.ones(3))
        return weakref.ref(inside)

    assert call()() is None
    assert operations(recorder)[-1] == "torch.<lambda>"


class Contrary(torch.Tensor):  # type: ignore[misc]
    """Answers nothing that it is asked, and notes which functions of torch it sees."""

    seen: list[str] = []  # noqa: RUF012

    @property
    def device(self) -> Any:
        raise RuntimeError("no device")

    @property
    def shape(self) -> Any:
        raise SystemExit("no shape")

    def numel(self) -> int:
        raise KeyboardInterrupt

    def element_size(self) -> int:
        raise KeyError("no size")

    @classmethod
    def __torch_function__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        cls.seen.append(func.__name__)
        return super().__torch_function__(func, types, args, kwargs)


def test_a_tensor_of_the_tests_own_is_asked_nothing(recorder: Recorder) -> None:
    """Neither its properties nor its `__torch_function__` run for us, and its bytes are known."""
    tensor = torch.ones(5).as_subclass(Contrary)
    Contrary.seen.clear()
    recorder.begin()
    tensor.cpu().tolist()
    assert Contrary.seen == ["cpu", "tolist"]
    transfers = [phase.transfer for phase in recorder.finish()[0]]
    assert [transfer and transfer.shape for transfer in transfers] == [(5,), (5,)]


class Hostile:
    """Raises whatever it is asked."""

    def __getattr__(self, name: str) -> Any:
        raise RuntimeError(f"asked for {name}")

    def __hash__(self) -> int:
        raise RuntimeError("asked for its hash")

    def __eq__(self, other: object) -> bool:
        raise RuntimeError("compared")

    @property
    def __class__(self) -> Any:
        raise RuntimeError("asked for its class")

    @__class__.setter
    def __class__(self, value: object) -> None:
        """Needed by the type checker."""

    @classmethod
    def __torch_function__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return "handled"


@pytest.mark.parametrize(
    "call",
    [
        lambda hostile: torch.add(hostile, 1),
        lambda hostile: torch.as_tensor([1.0]).copy_(hostile),
        lambda hostile: torch.equal(hostile, hostile),
        lambda hostile: torch.cat([hostile]),
        lambda hostile: torch.overrides.handle_torch_function(hostile_function(), (hostile,), hostile),
    ],
)
def test_objects_that_raise_at_every_question_pass_through(
    recorder: Recorder, call: Callable[[Any], Any]
) -> None:
    """An argument and a function that torch itself never asks are not asked by us either."""
    assert call(Hostile()) == "handled"


def hostile_function() -> Any:
    class Function(Hostile):
        def __call__(self, *_: Any) -> Any:
            return "handled"

    return Function()


@pytest.mark.parametrize("is_open", [True, False])
def test_a_failing_call_has_the_signature_it_has_without_the_harness(
    recorder: Recorder, *, is_open: bool
) -> None:
    """The deepest frame is the test's, inside of an iteration and outside."""
    if not is_open:
        recorder.finish()
    with pytest.raises(RuntimeError) as excinfo:
        fails()
    signature = raised_of(excinfo, root=str(Path(__file__).parent)).signature
    assert (signature.function, signature.file) == ("fails", Path(__file__).name)


@pytest.mark.skipif(sys.version_info < (3, 11), reason="before Python 3.11 a traceback keeps all frames")
@pytest.mark.parametrize(
    "call",
    [
        fails,
        lambda: torch.ones(2).to("no such device"),
        lambda: torch.nn.functional.relu("text"),
        lambda: torch.compile(fails, backend="eager").__call__(),
        lambda: torch.compile(7, backend="no such backend"),
    ],
)
def test_a_traceback_has_no_frame_of_ours(recorder: Recorder, call: Callable[[], Any]) -> None:
    """Not even where nobody leaves hidden frames out."""
    with pytest.raises(Exception) as excinfo:  # noqa: PT011 - each raises its own
        call()
    frames = traceback.extract_tb(excinfo.value.__traceback__)
    assert [frame.filename for frame in frames if frame.filename.startswith(OURS)] == []
    lines = [(frame.filename, frame.lineno) for frame in frames]
    assert len(lines) == len(set(lines)) or "functional" in str(lines)


@pytest.mark.parametrize(
    "call",
    [
        lambda: torch.tensor(torch.ones(2)),
        lambda: torch.nn.functional.softmax(torch.ones(2)),
        lambda: (torch.ones(2, requires_grad=True) * 2).grad,
    ],
    ids=["C++", "Python", "property"],
)
def test_a_warning_names_the_line_that_called(recorder: Recorder, call: Callable[[], Any]) -> None:
    """So filters by module and the memory of what was shown work as without the harness."""
    with pytest.warns(UserWarning, match=".") as shown:
        call()
    assert [(one.filename, one.lineno) for one in shown] == [(__file__, call.__code__.co_firstlineno)]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        warnings.filterwarnings("error", module=__name__.replace(".", r"\."))
        with pytest.raises(UserWarning):
            call()


def test_threads_started_since_are_seen(recorder: Recorder) -> None:
    """Also those of a pool; each has its own number, and its own nesting."""
    threads = [Thread(target=lambda: torch.ones(3).sum().item()) for _ in range(2)]
    for thread in threads:
        thread.start()
        thread.join()
    with ThreadPoolExecutor(1) as pool:
        pool.submit(torch.ones, 3).result()
    phases, _ = recorder.finish()
    assert [phase.operation for phase in phases] == [
        *["torch.ones", "torch.sum", "torch.item"] * 2, "torch.ones",
    ]  # fmt: skip
    assert 0 not in {phase.thread for phase in phases}


def test_a_thread_that_outlives_the_harness_is_seen_no_more() -> None:
    """Its mode cannot be taken off from here, and does nothing from then on."""
    from pytest_repro.timing.backends.torch import TorchBackend

    recorder, backend = Recorder(), TorchBackend()
    began, goes_on = Event(), Event()
    results: list[float] = []

    def work() -> None:
        began.set()
        goes_on.wait(60)
        results.append(torch.ones(3).sum().item())

    backend.attach(recorder)
    thread = Thread(target=work)
    thread.start()
    assert began.wait(60)
    backend.detach()
    recorder.begin()
    goes_on.set()
    thread.join()
    assert results == [3.0]
    assert operations(recorder) == []


def test_the_profile_function_of_somebody_else_still_gets_its_threads(recorder: Recorder) -> None:
    """One set before the harness takes over in each thread; one set since stays when the harness goes."""
    from pytest_repro.timing.threads import ThreadWatch

    events: list[str] = []
    acted: list[str] = []
    before = threading.getprofile()

    def profile(frame: Any, event: str, argument: Any) -> None:
        if frame.f_code.co_name == "work":
            events.append(event)

    def work() -> None:
        """Is profiled."""

    watch = ThreadWatch(lambda: acted.append("acted"))
    try:
        threading.setprofile(profile)
        watch.start()
        thread = Thread(target=work)
        thread.start()
        thread.join()
        watch.stop()
        assert threading.getprofile() is profile
        watch.start()
        threading.setprofile(None)
        watch.stop()
        assert threading.getprofile() is None
    finally:
        threading.setprofile(before)
    assert (acted, events) == (["acted"], ["call", "return"])


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
def test_a_fork_records_nothing_of_its_parents_iteration(recorder: Recorder) -> None:
    """A DataLoader's process would gather phases that nobody reads."""
    torch.ones(1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        child = os.fork()
    if child == 0:
        torch.ones(1)
        os._exit(0 if recorder.finish() == ((), ()) else 1)
    assert os.waitpid(child, 0)[1] == 0
    assert operations(recorder) == ["torch.ones"]


def test_a_compiled_function_is_one_operation(recorder: Recorder) -> None:
    """In one graph, compiled and guarded as without the harness; each compilation is a first call."""
    torch._dynamo.reset()
    modes = []

    def work(x: Any) -> Any:
        modes.append(len(torch.overrides._get_current_function_mode_stack()))
        return x

    compiled = torch.compile(lambda x: torch.sin(x) + 1, backend="eager", fullgraph=True, dynamic=False)
    small, large = torch.zeros(2), torch.zeros(3)
    recorder.begin()
    for x in (small, small, large, large):
        assert compiled(x).shape == x.shape
    phases, _ = recorder.finish()
    name = "torch.compile: <lambda>"
    assert [(phase.operation, phase.cold) for phase in phases] == [
        (name, True), (name, False), (f"{name}, compilation 2", True), (name, False),
    ]  # fmt: skip
    # Without an accelerator it is no work of a device beside which other calls were the host's.
    assert {phase.on_host for phase in phases} == {not torch.accelerator.is_available()}
    torch.compile(torch.compiler.disable(work), backend="eager")(small)
    assert modes == [0]
    assert len(torch.overrides._get_current_function_mode_stack()) == 1


def test_compiled_modules_and_methods_are_named_after_their_class(recorder: Recorder) -> None:
    """By `torch.compile`, by `Module.compile` and as a decorator; a compiled function may call another."""
    torch._dynamo.reset()
    module = torch.nn.Linear(2, 2)

    @torch.compile(backend="eager")  # type: ignore[untyped-decorator, unused-ignore]
    def inner(x: Any) -> Any:
        """Is compiled."""
        return x + 1

    outer = torch.compile(lambda x: inner(x) * 2, backend="eager", fullgraph=True)
    x = torch.ones(1, 2)
    recorder.begin()
    torch.compile(module, backend="eager")(x)
    assert inner(x).tolist() == [[2.0, 2.0]]
    assert outer(x).tolist() == [[4.0, 4.0]]
    assert inner.__doc__ == "Is compiled."
    module.compile(backend="eager")
    module(x)
    assert [name for name in operations(recorder) if name != "torch.tolist"] == [
        "torch.compile: Linear", "torch.compile: inner", "torch.compile: <lambda>", "torch.compile: Linear",
    ]  # fmt: skip


def test_everything_is_put_back() -> None:
    """Names by identity, modes and profile functions, also after an error in a call."""
    from pytest_repro.timing.backends.torch import TorchBackend

    compile_before, profile_before = torch.compile, threading.getprofile()
    backend = TorchBackend()
    backend.attach(Recorder())
    assert torch.compile is not compile_before
    with pytest.raises(RuntimeError):
        fails()
    backend.detach()
    assert torch.compile is compile_before
    assert threading.getprofile() is profile_before
    assert torch.overrides._get_current_function_mode_stack() == []


@pytest.mark.parametrize("reading", [1, 2])
@pytest.mark.parametrize("name", ["add", "clone", "cpu"])
def test_an_alarm_between_two_steps_of_the_record_costs_one_call(name: str, reading: int) -> None:
    """A signal handler raises inside the harness: the error goes on, and the next calls are recorded."""
    from pytest_repro.timing.backends.torch import TorchBackend

    now_ns, alarm_at = 0, -1

    def clock() -> int:
        nonlocal now_ns
        now_ns += 1
        if now_ns == alarm_at:
            raise TimeoutError
        return now_ns

    recorder, backend, tensor = Recorder(clock), TorchBackend(), torch.ones(2)
    backend.attach(recorder)
    try:
        recorder.begin()
        alarm_at = now_ns + reading
        with pytest.raises(TimeoutError):
            torch.add(tensor, tensor) if name == "add" else getattr(tensor, name)()
        now_ns += 1000
        torch.neg(tensor)
        phases, _ = recorder.finish()
    finally:
        backend.detach()
    assert phases[-1].operation == "torch.neg"
    if name != "cpu":
        assert all(phase.duration_ns < 1000 for phase in phases)


@pytest.mark.filterwarnings("ignore:.torch.jit.script. is deprecated", "ignore:The PyTorch API of nested")
def test_layers_take_their_fast_path_as_without_the_harness() -> None:
    """A transformer's encoder and attention give the same bits, zeros for what is padded included."""
    from pytest_repro.timing.backends.torch import TorchBackend

    torch.manual_seed(0)
    layer = torch.nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)
    encoder = torch.nn.TransformerEncoder(layer, 2).eval()
    attention = torch.nn.MultiheadAttention(8, 2, batch_first=True).eval()
    x = torch.randn(2, 3, 8)
    mask = torch.tensor([[False, False, True], [False, False, False]])

    def values() -> tuple[Any, ...]:
        with torch.no_grad():
            scripted = torch.jit.script(attention)(x, x, x)[0]
            return encoder(x, src_key_padding_mask=mask), attention(x, x, x)[0], scripted

    kinds = (torch.nn.MultiheadAttention, torch.nn.TransformerEncoderLayer, torch.nn.TransformerEncoder)
    before = [kind.forward for kind in kinds], [kind.forward.__code__ for kind in kinds]
    without = values()
    recorder, backend = Recorder(), TorchBackend()
    backend.attach(recorder)
    try:
        assert [kind.forward for kind in kinds] == before[0]
        recorder.begin()
        recorded = values()
    finally:
        backend.detach()
    assert all(torch.equal(one, other) for one, other in zip(without, recorded, strict=True))
    assert not without[0][0, 2].any()
    assert ([kind.forward for kind in kinds], [kind.forward.__code__ for kind in kinds]) == before
    assert not [name for name in vars(torch.overrides) if "repro" in name]


def test_a_mode_of_the_test_still_keeps_layers_from_their_fast_path(recorder: Recorder) -> None:
    """Only the harness is left out of the answer: a test's own mode sees the calls that it would see."""
    seen = []

    class Mode(torch.overrides.TorchFunctionMode):  # type: ignore[misc, no-any-unimported, unused-ignore]
        def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            seen.append(func.__name__)
            return func(*args, **(kwargs or {}))

    attention = torch.nn.MultiheadAttention(8, 2, batch_first=True).eval()
    with Mode(), torch.no_grad():
        attention(*[torch.ones(1, 2, 8)] * 3)
    assert "multi_head_attention_forward" in seen
