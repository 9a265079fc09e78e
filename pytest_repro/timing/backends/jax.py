"""jax: transfers, operations and read-backs as phases.

jax gives work to its devices, the CPU too, and returns at once.

Seen are `device_put` and `device_get`, waits, `numpy.asarray` and the other ways in which an array becomes a
value of the host, what `jax.jit`, `pmap`, `grad`, `value_and_grad` and `vmap` return, and the functions of
`jax.numpy`, `jax.lax`, `jax.nn` and `jax.random`, operators included. Functions that were jitted before the
harness attached are not seen. A fence waits for the results of the calls that were seen: there is no way to
wait for a device. Nothing is recorded, and nothing waited for, while a function is traced.
"""

from __future__ import annotations

import sys
from functools import partial, wraps
from types import BuiltinFunctionType, FunctionType
from typing import TYPE_CHECKING, Any

from pytest_repro.timing.backend import OP, SYNCHRONIZE, TO_DEVICE, TO_TORCH
from pytest_repro.timing.backends.jax_arrays import Arrays, JaxFence
from pytest_repro.timing.backends.jax_functions import Builtin, Jitted
from pytest_repro.timing.call_sites import CallSites, frame_above, leave_out
from pytest_repro.timing.patches import Patches

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_repro.timing.recorder import Recorder

__tracebackhide__ = True

_JITTED = "PjitFunction"
"""Type of a function that `jax.jit` made; jax has no public name for it."""

_READS = ("__array__", "item", "tolist", "__float__", "__int__", "__bool__", "__index__", "__complex__")
_TRANSFORMS = ("pmap", "grad", "value_and_grad", "vmap")
_MODULES = ("numpy", "numpy.linalg", "numpy.fft", "lax", "lax.linalg", "nn", "random")
_CREATIONS = frozenset({"jax.numpy.array", "jax.numpy.asarray"})
_NO_WORK = frozenset(
    {
        "array_repr", "array_str", "broadcast_shapes", "can_cast", "clone", "conv_dimension_numbers",
        "dtype", "einsum_path", "finfo", "frompyfunc", "get_printoptions", "iinfo", "iscomplexobj",
        "isdtype", "isrealobj", "isscalar", "issubdtype", "iterable", "key_data", "key_impl", "load",
        "ndim", "padtype_to_pads", "printoptions", "promote_types", "result_type", "save", "savez",
        "set_printoptions", "shape", "shape_as_value", "size", "stop_gradient", "vectorize",
        "wrap_key_data",
    }
)  # fmt: skip


class JaxBackend:
    """Phases for jax."""

    name = "jax"

    def __init__(self) -> None:
        self._patches = Patches()
        self._undo: list[Callable[[], None]] = []
        self._fence: JaxFence | None = None

    def attach(self, recorder: Recorder) -> None:
        """Wraps jax's functions and the methods of its arrays, and `asarray` and `array` of numpy."""
        import jax

        arrays = Arrays(jax)
        fence = self._fence = JaxFence(arrays)
        recorder.add_fence(fence)
        self._undo += [fence.forget, partial(recorder.remove_fence, fence)]
        calls = _Calls(recorder, arrays, fence)
        wrap = self._patches.wrap
        for method in _READS:
            wrap(arrays.kind, method, partial(calls.read, f"jax.Array.{method}"))
        wrap(
            arrays.kind,
            "block_until_ready",
            partial(calls.function, SYNCHRONIZE, "jax.Array.block_until_ready"),
        )
        wrap(jax, "block_until_ready", partial(calls.function, SYNCHRONIZE, "jax.block_until_ready"))
        wrap(jax, "device_put", partial(calls.function, TO_DEVICE, "jax.device_put"))
        wrap(jax, "device_get", partial(calls.read, "jax.device_get"))
        # On the CPU numpy takes the memory of an array without asking it by a method.
        for name in ("asarray", "array"):
            wrap(sys.modules["numpy"], name, partial(calls.numpy_read, f"numpy.{name}"))
        for name in _MODULES:
            self._wrap_module(jax, f"jax.{name}", calls)
        wrap(jax, "jit", calls.jit)
        for name in _TRANSFORMS:
            wrap(jax, name, partial(calls.transform, f"jax.{name}"))

    def detach(self) -> None:
        """Puts the originals back."""
        self._patches.undo()
        while self._undo:
            self._undo.pop()()
        self._fence = None

    def peak_bytes(self) -> dict[str, int]:
        """Returns the most memory that was in use on each device that tells; the CPU does not.

        Only once a call has made an array: asking for the devices before would initialise them.
        """
        if self._fence is None or not self._fence.has_seen:
            return {}
        import jax

        told = {str(device): device.memory_stats() or {} for device in jax.local_devices()}
        return {
            device: int(found["peak_bytes_in_use"])
            for device, found in told.items()
            if "peak_bytes_in_use" in found
        }

    def _wrap_module(self, jax: Any, name: str, calls: _Calls) -> None:
        module = sys.modules.get(name)
        if module is None:
            return
        # The class's call stands for all of its functions, and for the operators of arrays, which use them.
        ufunc = getattr(jax.numpy, "ufunc", None)
        if module is jax.numpy and isinstance(ufunc, type):
            self._patches.wrap(ufunc, "__call__", calls.ufunc)
        for attribute, value in list(vars(module).items()):
            if attribute.startswith("_") or attribute in _NO_WORK:
                continue
            operation = f"{name}.{attribute}"
            if type(value).__name__ == _JITTED:
                self._patches.wrap(module, attribute, partial(calls.jitted, operation))
            elif type(value) is FunctionType and value.__module__.startswith("jax"):
                phase = TO_DEVICE if operation in _CREATIONS else OP
                self._patches.wrap(module, attribute, partial(calls.function, phase, operation))


class _Calls:
    """What stands in for jax's calls."""

    def __init__(self, recorder: Recorder, arrays: Arrays, fence: JaxFence) -> None:
        self._recorder = recorder
        self._arrays = arrays
        self._fence = fence
        self._sites = CallSites()

    def function(self, phase: str, operation: str, original: Callable[..., Any]) -> Callable[..., Any]:
        """Stands in for a function or a method."""

        def call(*args: Any, **kwargs: Any) -> Any:
            try:
                return self.made(phase, operation, original, args, kwargs, frame_above(1))
            except BaseException as error:
                leave_out(error, 1)
                raise

        try:
            return wraps(original)(call)
        except TypeError:
            # A method written in C++, whose names are no texts.
            return call

    def read(self, operation: str, original: Callable[..., Any]) -> Callable[..., Any]:
        """Stands in for a function or a method that gives the host a value."""
        return self.function(TO_TORCH, operation, original)

    def numpy_read(self, operation: str, original: Callable[..., Any]) -> Callable[..., Any]:
        """Stands in for a function of numpy, which is used for much else."""
        kind = self._arrays.kind

        @wraps(original)
        def call(*args: Any, **kwargs: Any) -> Any:
            try:
                if args and type(args[0]) is kind:
                    return self.made(TO_TORCH, operation, original, args, kwargs, frame_above(1))
                return self._plainly(original, args, kwargs, frame_above(1))
            except BaseException as error:
                leave_out(error, 1)
                raise

        return Builtin.of(original, call) if type(original) is BuiltinFunctionType else call

    def ufunc(self, original: Callable[..., Any]) -> Callable[..., Any]:
        """Stands in for the call of jax's universal functions."""

        @wraps(original)
        def __call__(ufunc: Any, *args: Any, **kwargs: Any) -> Any:  # noqa: N807 - passed on
            operation = f"jax.numpy.{getattr(ufunc, '__name__', 'ufunc')}"
            try:
                return self.made(OP, operation, original, (ufunc, *args), kwargs, frame_above(1))
            except BaseException as error:
                leave_out(error, 1)
                raise

        return __call__

    def jitted(self, operation: str, original: Any) -> Jitted:
        """Stands in for a function that is compiled."""
        return Jitted(original, partial(self.made, OP, operation), operation)

    def jit(self, original: Callable[..., Any]) -> Callable[..., Any]:
        """Stands in for `jax.jit`."""

        def jit_made(made: Any) -> Jitted:
            return self.jitted(f"jax.jit: {getattr(made, '__name__', '?')}", made)

        @wraps(original)
        def jit(*args: Any, **kwargs: Any) -> Any:
            try:
                made = self._plainly(original, args, kwargs, frame_above(1))
            except BaseException as error:
                leave_out(error, 1)
                raise
            if type(made).__name__ == _JITTED:
                return jit_made(made)
            # Without a function it returns a decorator.
            return (lambda function: jit_made(made(function))) if callable(made) else made

        return jit

    def transform(self, name: str, original: Callable[..., Any]) -> Callable[..., Any]:
        """Stands in for a function that turns a function into another."""

        @wraps(original)
        def transform(*args: Any, **kwargs: Any) -> Any:
            try:
                made = self._plainly(original, args, kwargs, frame_above(1))
            except BaseException as error:
                leave_out(error, 1)
                raise
            if type(made) is not FunctionType:
                return made
            return self.function(OP, f"{name}: {getattr(made, '__name__', '?')}", made)

        return transform

    def made(
        self,
        phase: str,
        operation: str,
        original: Callable[..., Any],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        frame: Any,
    ) -> Any:
        """Makes a call in the name of the line at which a frame stands; records it unless it is traced."""
        span = self._recorder.automatic(phase, operation) if self._arrays.is_concrete() else None
        call = self._sites.caller(frame)
        try:
            if span is None:
                return call(original, args, kwargs)
            compiled_before = _compiled(original)
            with span:
                result = call(original, args, kwargs)
                self._settle(span, phase, operation, args, result)
                compiled = _compiled(original)
                if compiled > max(1, compiled_before):
                    span.operation = f"{operation}, compilation {compiled}"
        except BaseException as error:
            leave_out(error, 2)
            raise
        return result

    def _plainly(
        self, original: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any], frame: Any
    ) -> Any:
        try:
            return self._sites.caller(frame)(original, args, kwargs)
        except BaseException as error:
            leave_out(error, 2)
            raise

    def _settle(self, span: Any, phase: str, operation: str, args: tuple[Any, ...], result: Any) -> None:
        arrays = self._arrays
        if phase == SYNCHRONIZE:
            span.settle(SYNCHRONIZE, is_blocking=True)
        elif phase == TO_TORCH:
            span.settle(TO_TORCH, is_blocking=True, transfer=partial(arrays.read, operation, args[:1]))
        elif phase == TO_DEVICE:
            self._fence.note(result)
            if operation in _CREATIONS and arrays.holds(args[:1]):
                span.settle(OP)
            else:
                span.settle(TO_DEVICE, transfer=partial(arrays.sent, args[:1], result))
        else:
            self._fence.note(result)
        if span.name == OP:
            span.works_on(partial(arrays.largest, (args, result)))


def _compiled(function: Any) -> int:
    """Returns how many times a jitted function was compiled; 0 for others."""
    size = getattr(function, "_cache_size", None)
    return int(size()) if callable(size) else 0
