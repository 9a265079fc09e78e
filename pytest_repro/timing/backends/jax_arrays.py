"""jax's arrays: which values are some, how large they are, and waiting for them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from weakref import ref

from pytest_repro.model import Transfer
from pytest_repro.timing.interrupts import is_interrupt

if TYPE_CHECKING:
    from collections.abc import Iterable


class Arrays:
    """Tells arrays with data from tracers and all other values.

    Args:
        jax: The module.
    """

    def __init__(self, jax: Any) -> None:
        # jax has no public name for either.
        from jax._src import array, core

        self.kind: Any = array.ArrayImpl
        self.is_concrete = core.trace_state_clean
        # The original: the backend wraps this name.
        self.wait = self.kind.block_until_ready
        self._leaves = jax.tree_util.tree_leaves

    def within(self, values: Any) -> list[Any]:
        """Returns the arrays in a value, in lists, dictionaries and what else jax looks into."""
        try:
            found = [values] if type(values) is self.kind else self._leaves(values)
        except Exception as error:
            # A container of the test's own may raise anything.
            if is_interrupt(error):
                raise
            return []
        return [value for value in found if type(value) is self.kind and not value.is_deleted()]

    def holds(self, values: Any) -> bool:
        """Returns whether there is an array in a value."""
        return bool(self.within(values))

    def largest(self, values: Any) -> Transfer | None:
        """Returns what is known of the largest array in a value, None if there is none."""
        arrays = self.within(values)
        return _transfer(arrays, size_bytes=max((array.nbytes for array in arrays), default=0))

    def read(self, operation: str, values: Any) -> Transfer | None:
        """Returns what was read back."""
        arrays = self.within(values)
        is_shared = operation in _SHARING and all(_is_on_host(array) for array in arrays)
        return _transfer(arrays, size_bytes=0 if is_shared else sum(array.nbytes for array in arrays))

    def sent(self, values: Any, result: Any) -> Transfer | None:
        """Returns what was sent to a device; arrays that were there are not sent again."""
        before = {id(array) for array in self.within(values)}
        arrays = self.within(result)
        return _transfer(arrays, size_bytes=sum(array.nbytes for array in arrays if id(array) not in before))


class JaxFence:
    """Waits for the results of the calls that were seen since the last wait.

    Args:
        arrays: Knows the arrays.

    Attributes:
        has_seen: Whether there were any.
    """

    def __init__(self, arrays: Arrays) -> None:
        self._arrays = arrays
        self.has_seen = False
        self._waiting: list[ref[Any]] = []

    def note(self, result: Any) -> None:
        """Adds the arrays of a result; they are not kept alive."""
        self._waiting += [ref(array) for array in self._arrays.within(result)]
        self.has_seen = self.has_seen or bool(self._waiting)

    def forget(self) -> None:
        """Waits for none of them any more."""
        self._waiting.clear()

    def is_usable(self) -> bool:
        """Returns False while a function is traced: its values are none yet."""
        return bool(self._arrays.is_concrete())

    def wait(self) -> None:
        """Waits for all results that are still there."""
        while self._waiting:
            array = self._waiting.pop()()
            if array is not None and not array.is_deleted():
                self._arrays.wait(array)


def _transfer(arrays: Iterable[Any], *, size_bytes: int) -> Transfer | None:
    largest = max(arrays, key=lambda array: array.nbytes, default=None)
    if largest is None:
        return None
    return Transfer(size_bytes=size_bytes, shape=tuple(largest.shape), dtype=str(largest.dtype))


def _is_on_host(array: Any) -> bool:
    return all(device.platform == "cpu" for device in array.devices())


_SHARING = frozenset({"numpy.asarray", "jax.Array.__array__"})
"""Calls that hand on the memory of an array of the host."""
