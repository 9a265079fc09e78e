"""What stands in for functions that are not written in Python: those that jax compiled, and numpy's own."""

from __future__ import annotations

from functools import partial, update_wrapper
from types import MethodType
from typing import TYPE_CHECKING, Any

from pytest_repro.timing.call_sites import frame_above, leave_out

if TYPE_CHECKING:
    from collections.abc import Callable

__tracebackhide__ = True


class Jitted:
    """Calls a jitted function through the harness; all else it leaves to that function.

    Args:
        function: The function, of a type that cannot be changed.
        made: Makes a call, given the function, its arguments and the frame that asked.
        operation: What the calls are called in reports.
    """

    def __init__(self, function: Any, made: Callable[..., Any], operation: str) -> None:
        update_wrapper(self, function)
        self._repro_function = function
        self._repro_made = made
        self._repro_operation = operation

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Calls the function."""
        try:
            return self._repro_made(self._repro_function, args, kwargs, frame_above(1))
        except BaseException as error:
            leave_out(error, 1)
            raise

    def __get__(self, instance: object, owner: type | None = None) -> Any:
        return self if instance is None else MethodType(self, instance)

    def __getattr__(self, name: str) -> Any:
        # Not asked for one that it has itself; while it is being made or copied it has no function yet.
        return getattr(object.__getattribute__(self, "_repro_function"), name)

    def __repr__(self) -> str:
        return repr(self._repro_function)

    def __reduce__(self) -> Any:
        return _same, (self._repro_function,)

    # jax looks for these on the class where it asks whether a function is jitted.
    def lower(self, *args: Any, **kwargs: Any) -> Any:
        """See `jax.stages.Wrapped`."""
        return self._repro_function.lower(*args, **kwargs)

    def trace(self, *args: Any, **kwargs: Any) -> Any:
        """See `jax.stages.Wrapped`."""
        return self._repro_function.trace(*args, **kwargs)

    def eval_shape(self, *args: Any, **kwargs: Any) -> Any:
        """See `jax.stages.Wrapped`."""
        return self._repro_function.eval_shape(*args, **kwargs)


class Builtin(partial[Any]):
    """Stands in for a function written in C: no method of a class that has it as an attribute.

    Made by `Builtin.of`; calling it adds no frame.
    """

    @classmethod
    def of(cls, function: Any, call: Callable[..., Any]) -> Builtin:
        """Makes one.

        Args:
            function: What it stands for.
            call: What it does.
        """
        made = cls(call)
        update_wrapper(made, function)
        return made

    def __get__(self, instance: object, owner: type | None = None) -> Builtin:
        return self

    def __repr__(self) -> str:
        return repr(vars(self)["__wrapped__"])

    def __reduce__(self) -> Any:
        # The text says: an attribute of its module, by this name.
        return vars(self)["__name__"]


def _same(function: Any) -> Any:
    return function
