"""The jax backend: on a small stand-in everywhere, and on jax itself where it is installed."""

from __future__ import annotations

import builtins
import copy
import importlib.util
import pickle
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pytest_repro.model import Transfer
from pytest_repro.timing.backends.jax import JaxBackend
from pytest_repro.timing.recorder import Recorder
from pytest_repro.timing.simulated import SimulatedClock
from tests.unit.timing.fake_jax import MS, FakeJax, PjitFunction

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_repro.model import Phase


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> FakeJax:
    fake = FakeJax(SimulatedClock())
    for name in [name for name in sys.modules if name.split(".")[0] in {"jax", "numpy"}]:
        monkeypatch.delitem(sys.modules, name)
    for name, module in fake.modules.items():
        monkeypatch.setitem(sys.modules, name, module)
    return fake


@pytest.fixture
def recorder(fake: FakeJax) -> Iterator[Recorder]:
    recorder, backend = Recorder(fake.clock), JaxBackend()
    backend.attach(recorder)
    recorder.begin()
    yield recorder
    backend.detach()


def told(phases: tuple[Phase, ...]) -> list[tuple[str, str | None, int]]:
    return [(phase.name, phase.operation, phase.duration_ns // MS) for phase in phases]


def test_the_work_is_charged_to_the_call_that_queued_it(recorder: Recorder, fake: FakeJax) -> None:
    """To the device, a jitted function, back: the read-back waits for nothing, to a naive timer for all."""
    double = fake.jax.jit(lambda x: x)
    x = fake.jax.device_put(fake.kind(5, 5))
    y = double(x)
    assert fake.numpy.asarray(y) == "values of (5, 5)"
    phases, _ = recorder.finish()
    assert told(phases) == [
        ("to_device", "jax.device_put", 10),
        ("op", "jax.jit: <lambda>", 20),
        ("to_torch", "numpy.asarray", 0),
    ]
    moved = Transfer(size_bytes=100, shape=(5, 5), dtype="float32")
    assert [phase.transfer for phase in phases] == [moved, None, moved]
    assert [phase.operand for phase in phases] == [None, moved, None]
    assert phases[2].hidden_ns == 30 * MS
    assert all(phase.fenced for phase in phases)


def test_each_compilation_is_the_first_call_of_its_name(recorder: Recorder, fake: FakeJax) -> None:
    """So cold calls stay apart from warm ones, also where a new shape compiles anew."""
    work = fake.jax.jit(static_argnums=())(lambda x: x)
    for length in (2, 2, 3, 3):
        work(fake.kind(length))
    assert [(phase.operation, phase.cold) for phase in recorder.finish()[0]] == [
        ("jax.jit: <lambda>", True), ("jax.jit: <lambda>", False),
        ("jax.jit: <lambda>, compilation 2", True), ("jax.jit: <lambda>", False),
    ]  # fmt: skip


def test_what_is_traced_is_neither_recorded_nor_waited_for(recorder: Recorder, fake: FakeJax) -> None:
    """A tracer is asked nothing; the jitted call around it is one operation."""
    waited = fake.kind(3, ready_ns=50 * MS)

    def work(x: Any) -> Any:
        with recorder.phase("inside"):
            return fake.jax.numpy.sin(x)

    fake.jax.jit(work)(waited)
    inside = {phase.name: phase for phase in recorder.finish()[0]}
    assert list(inside) == ["op", "inside"]
    assert (inside["op"].operation, inside["inside"].fenced) == ("jax.jit: work", False)


def test_waits_and_reads_are_told_apart(recorder: Recorder, fake: FakeJax) -> None:
    """The test's own wait is no work of the device; a number that is read is 4 bytes."""
    x = fake.jax.numpy.sin(fake.kind())
    x.block_until_ready()
    assert x.item() == 1.0
    phases, _ = recorder.finish()
    assert told(phases) == [
        ("op", "jax.numpy.sin", 20),
        ("synchronize", "jax.Array.block_until_ready", 0),
        ("to_torch", "jax.Array.item", 0),
    ]
    assert phases[1].hidden_ns == 20 * MS
    assert phases[2].transfer == Transfer(size_bytes=4, shape=(), dtype="float32")


def test_the_most_memory_is_asked_of_devices_that_are_in_use(fake: FakeJax) -> None:
    """Those that do not tell are left out; nothing is asked before an array was made: it would initialise."""

    class Device(str):
        __slots__ = ()

        def memory_stats(self) -> dict[str, int] | None:
            return {"peak_bytes_in_use": 4_096, "bytes_in_use": 3} if self == "gpu:0" else None

    recorder, backend = Recorder(fake.clock), JaxBackend()
    backend.attach(recorder)
    recorder.begin()
    assert backend.peak_bytes() == {}
    fake.jax.local_devices = lambda: [Device("gpu:0"), Device("cpu:0")]
    fake.jax.device_put(fake.kind(5, 5))
    assert backend.peak_bytes() == {"gpu:0": 4_096}
    backend.detach()


def test_numpy_is_left_alone_where_no_array_of_jax_is_concerned(recorder: Recorder, fake: FakeJax) -> None:
    """Its own arrays and lists are no read-back."""
    assert fake.numpy.asarray([1]) == [1]
    assert recorder.finish()[0] == ()


def test_an_array_that_was_given_away_is_not_waited_for(recorder: Recorder, fake: FakeJax) -> None:
    """A donated argument has no values any more; asking for them would raise."""
    x = fake.jax.device_put(fake.kind(3))
    y = fake.jax.numpy.sin(x)
    x.deleted = True
    fake.jax.numpy.sin(y)
    assert [phase.fenced for phase in recorder.finish()[0]] == [True] * 3


def test_a_jitted_function_is_what_it_was_but_for_its_calls(recorder: Recorder, fake: FakeJax) -> None:
    """Name, text, methods and further attributes; it can be a method of a class, and copied."""

    def work(x: Any) -> Any:
        """Does work."""
        return x

    jitted = fake.jax.jit(work)
    assert (jitted.__name__, jitted.__doc__) == ("work", "Does work.")
    assert jitted.lower() == "lowered work"
    assert jitted._cache_size() == 0
    assert type(copy.copy(jitted)) is PjitFunction
    with pytest.raises(AttributeError):
        _ = jitted.no_such_attribute

    class Model:
        forward = fake.jax.jit(lambda _, x: x)
        shape = (4,)

    assert Model().forward(fake.kind(4)).shape == (4,)
    assert Model.forward is vars(Model)["forward"]


def test_an_error_is_jaxs_own(recorder: Recorder, fake: FakeJax) -> None:
    """The phase is marked as open, and from Python 3.11 on no frame of ours is in the traceback."""

    def broken(_: Any) -> Any:
        raise ValueError("incompatible shapes")

    with pytest.raises(ValueError, match="incompatible shapes") as excinfo:
        fake.jax.jit(broken)(fake.kind(3))
    (phase,) = recorder.finish()[0]
    assert (phase.operation, phase.is_open) == ("jax.jit: broken", True)
    if sys.version_info >= (3, 11):
        here = {Path(__file__).name, "fake_jax.py", "contextlib.py"}
        assert {Path(entry.path).name for entry in excinfo.traceback} <= here


def test_everything_is_put_back(fake: FakeJax) -> None:
    """Names by identity, also after an error."""

    def state() -> list[dict[str, Any]]:
        owners = [*fake.modules.values(), fake.kind]
        return [dict(vars(owner)) for owner in owners]

    before = state()
    backend = JaxBackend()
    backend.attach(Recorder())
    assert state() != before
    with pytest.raises(AttributeError):
        fake.jax.device_put("text")
    backend.detach()
    assert state() == before


def test_a_function_written_in_c_stays_one(monkeypatch: pytest.MonkeyPatch, fake: FakeJax) -> None:
    """As an attribute of a class it gets no instance, and it can be copied and pickled by its name."""
    monkeypatch.setattr(fake.numpy, "array", ascii)
    backend = JaxBackend()
    backend.attach(Recorder())
    try:
        array = fake.numpy.array

        class User:
            text = array

        monkeypatch.setattr(builtins, "ascii", array)
        assert User().text("x") == "'x'"
        assert (array.__name__, repr(array)) == ("ascii", "<built-in function ascii>")
        assert pickle.loads(pickle.dumps(array)) is copy.deepcopy(array) is array
    finally:
        monkeypatch.undo()
        backend.detach()


REAL = """
import jax, jax.numpy as jnp, numpy as np
from pytest_repro.timing.backends.jax import JaxBackend
from pytest_repro.timing.recorder import Recorder
from jax._src.array import ArrayImpl

owners = (jax, jnp, jax.lax, jax.nn, jax.random, np, ArrayImpl, jnp.ufunc)
before = [dict(vars(owner)) for owner in owners]
recorder, backend = Recorder(), JaxBackend()
backend.attach(recorder)
recorder.begin()
double = jax.jit(lambda x: jnp.sin(x) @ x.T)
x = jax.device_put(np.ones((64, 64), np.float32))
y = double(x)
double(x[:2])
(y + 1).block_until_ready()
np.asarray(y); float(y[0, 0]); jax.device_get(y)
jax.grad(lambda x: jnp.sum(double(x)))(x)
phases = [phase for phase in recorder.finish()[0]]
backend.detach()
after = [dict(vars(owner)) for owner in owners]
assert all(a.keys() == b.keys() and all(a[name] is b[name] for name in a) for a, b in zip(before, after))
for phase in phases:
    print(phase.name, phase.operation, phase.transfer.size_bytes if phase.transfer else "-", sep="|")
"""


@pytest.mark.skipif(importlib.util.find_spec("jax") is None, reason="jax is not installed")
def test_the_real_jax_is_seen_and_left_as_it_was() -> None:
    """In a process of its own: importing jax starts threads."""
    done = subprocess.run(
        [sys.executable, "-c", REAL], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split("\n")[:-1] == [
        "to_device|jax.device_put|16384",
        "op|jax.jit: <lambda>|-",
        "op|jax.jit: <lambda>, compilation 2|-",
        "op|jax.numpy.add|-",
        "synchronize|jax.Array.block_until_ready|-",
        "to_torch|numpy.asarray|0",
        "to_torch|jax.Array.__float__|4",
        "to_torch|jax.device_get|16384",
        "op|jax.grad: <lambda>|-",
    ]
