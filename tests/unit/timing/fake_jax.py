"""A small jax without jax: arrays whose values come later, functions that are traced once for each shape.

It has the names that the backend looks for, and a simulated clock instead of a device.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import ModuleType, SimpleNamespace
from typing import Any

from pytest_repro.timing.simulated import SimulatedClock

MS = 1_000_000


class ArrayImpl:
    """An array of float32 whose values are there at a time."""

    clock: SimulatedClock
    dtype = "float32"

    def __init__(self, *shape: int, ready_ns: int = 0) -> None:
        self.shape = shape
        self.ready_ns = ready_ns
        self.deleted = False

    @property
    def nbytes(self) -> int:
        self._is_there()
        size = 4
        for length in self.shape:
            size *= length
        return size

    def block_until_ready(self) -> ArrayImpl:
        self._is_there()
        self.clock.now_ns = max(self.clock(), self.ready_ns)
        return self

    def __array__(self) -> str:
        return f"values of {self.block_until_ready().shape}"

    def item(self) -> float:
        self.block_until_ready()
        return 1.0

    def devices(self) -> list[Any]:
        return [SimpleNamespace(platform="gpu")]

    def is_deleted(self) -> bool:
        return self.deleted

    def _is_there(self) -> None:
        if self.deleted:
            raise RuntimeError("Array has been deleted")


class Tracer:
    """Stands for an array while a function is traced; it may not be asked anything."""

    def __getattr__(self, name: str) -> Any:
        raise AssertionError(f"a tracer was asked for {name}")


class PjitFunction:
    """A function that was jitted: traced for each new shape, then 20 ms of work."""

    def __init__(self, function: Callable[..., Any], jax: FakeJax) -> None:
        self.__name__ = getattr(function, "__name__", "?")
        self.__doc__ = function.__doc__
        self._function = function
        self._jax = jax
        self._shapes: set[object] = set()

    def __call__(self, *args: Any) -> Any:
        if any(isinstance(value, Tracer) for value in args):
            return self._function(*args)
        shapes = tuple(getattr(value, "shape", None) for value in args)
        if shapes not in self._shapes:
            with self._jax.tracing():
                self._function(*(Tracer() for _ in args))
            self._shapes.add(shapes)
        return self._jax.work(20 * MS, *(shapes[0] or ()))

    def _cache_size(self) -> int:
        return len(self._shapes)

    def lower(self, *_: Any) -> str:
        return f"lowered {self.__name__}"


class FakeJax:
    """The modules, as `modules`, and the clock.

    Args:
        clock: What time it is for arrays.
    """

    def __init__(self, clock: SimulatedClock) -> None:
        self.clock = clock
        self._is_tracing = False
        self.kind = type("ArrayImpl", (ArrayImpl,), {"clock": clock, **_own_methods()})
        jax, numpy, jnp = ModuleType("jax"), ModuleType("numpy"), ModuleType("jax.numpy")
        source, array, core = (
            ModuleType("jax._src"),
            ModuleType("jax._src.array"),
            ModuleType("jax._src.core"),
        )
        namespace: Any = SimpleNamespace(jax=jax, numpy=numpy, jnp=jnp, src=source, array=array, core=core)
        namespace.array.ArrayImpl = self.kind
        namespace.core.trace_state_clean = lambda: not self._is_tracing
        namespace.src.array, namespace.src.core = array, core
        namespace.numpy.asarray = self._numpy
        namespace.numpy.array = self._numpy
        namespace.jnp.sin = PjitFunction(self._sin, self)
        namespace.jnp.float32 = float
        jax.jit = self._jit  # type: ignore[attr-defined]
        jax.device_put = lambda value: self.work(10 * MS, *value.shape)  # type: ignore[attr-defined]
        jax.numpy, jax._src = jnp, source  # type: ignore[attr-defined]
        jax.tree_util = SimpleNamespace(tree_leaves=_leaves)  # type: ignore[attr-defined]
        self.jax: Any = jax
        self.numpy: Any = numpy
        self.modules = {
            "jax": jax, "jax.numpy": jnp, "jax._src": source, "jax._src.array": array, "jax._src.core": core,
            "numpy": numpy,
        }  # fmt: skip

    def work(self, duration_ns: int, *shape: int) -> Any:
        """Queues work and returns its result at once."""
        return self.kind(*shape, ready_ns=self.clock() + duration_ns)

    @contextmanager
    def tracing(self) -> Iterator[None]:
        """As while a function is traced."""
        before, self._is_tracing = self._is_tracing, True
        try:
            yield
        finally:
            self._is_tracing = before

    def _jit(self, function: Any = None, **_: Any) -> Any:
        return PjitFunction(function, self) if function is not None else lambda one: PjitFunction(one, self)

    def _sin(self, value: Any) -> Any:
        return value

    @staticmethod
    def _numpy(value: Any) -> object:
        return value.__array__() if isinstance(value, ArrayImpl) else value


def _own_methods() -> dict[str, Any]:
    return {
        name: vars(ArrayImpl)[name]
        for name in ("block_until_ready", "__array__", "item", "devices", "is_deleted")
    }


def _leaves(value: Any) -> list[Any]:
    if isinstance(value, (list, tuple)):
        return [leaf for part in value for leaf in _leaves(part)]
    return [value]
