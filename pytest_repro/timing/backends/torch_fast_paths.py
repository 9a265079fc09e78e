"""Layers of torch that compute in another way where a function mode is active.

`MultiheadAttention` and the transformer's encoder ask `torch.overrides.has_torch_function` whether anybody
overrides torch's functions. With the harness somebody does, and their fast path, which gives zeros for what
is padded, would not be taken: other values, other times. So those layers ask a question that leaves the
harness out. Only the name of the question is replaced, in the functions' code: the functions stay the same
objects, with the same source, which `torch.jit.script` compiles.
"""

from __future__ import annotations

from types import FunctionType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import CodeType

_QUESTION = "has_torch_function"
_OWN_QUESTION = "_pytest_repro_has_torch_function"
_LAYERS = ("MultiheadAttention", "TransformerEncoderLayer", "TransformerEncoder")


class FastPaths:
    """Keeps the fast paths of torch's layers open.

    Args:
        torch: The module.
        aside: Lets the function mode stand aside; returns what brings it back, None if it does not.
    """

    def __init__(self, torch: Any, aside: Callable[[], Callable[[], None] | None]) -> None:
        self._torch = torch
        self._aside = aside
        self._changed: list[tuple[FunctionType, CodeType, CodeType]] = []

    def open(self) -> None:
        """Begins."""
        overrides, aside = self._torch.overrides, self._aside
        question = overrides.has_torch_function
        is_compiling = self._torch.compiler.is_dynamo_compiling

        def has_torch_function(args: Any) -> Any:
            # A compiler puts its own answer in place of the question.
            if is_compiling():
                return question(args)
            back = aside()
            try:
                return question(args)
            finally:
                if back is not None:
                    back()

        setattr(overrides, _OWN_QUESTION, has_torch_function)
        for name in _LAYERS:
            forward = vars(getattr(self._torch.nn, name, object)).get("forward")
            if type(forward) is FunctionType and _QUESTION not in forward.__globals__:
                self._change(forward)

    def close(self) -> None:
        """Puts the functions' own code back."""
        while self._changed:
            function, own, replacement = self._changed.pop()
            if function.__code__ is replacement:
                function.__code__ = own
        vars(self._torch.overrides).pop(_OWN_QUESTION, None)

    def _change(self, function: FunctionType) -> None:
        own = function.__code__
        names = tuple(_OWN_QUESTION if name == _QUESTION else name for name in own.co_names)
        if names != own.co_names:
            function.__code__ = replacement = own.replace(co_names=names)
            self._changed.append((function, own, replacement))
