"""Functions and modules of `torch.compile`: one operation each, whatever is inside.

While a compiled function runs, the function mode stands aside: it is compiled, guarded and run as without
the harness. A call that compiles has a name of its own from the second compilation on, so that each of them
is the first (cold) call of its name.
"""

from __future__ import annotations

import sys
from functools import wraps
from types import FunctionType, MethodType
from typing import TYPE_CHECKING, Any

from pytest_repro.timing.backend import OP
from pytest_repro.timing.backends.torch_mode import name_of
from pytest_repro.timing.call_sites import leave_out

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_repro.timing.recorder import Recorder

__tracebackhide__ = True


class Compiled:
    """Wraps what `torch.compile` returns.

    Args:
        torch: The module.
        recorder: Gets the phases.
        aside: Lets the function mode stand aside; returns what brings it back, None if it does not.
        on_host: Whether this machine has no accelerator.
    """

    def __init__(
        self,
        torch: Any,
        recorder: Recorder,
        aside: Callable[[], Callable[[], None] | None],
        *,
        on_host: bool,
    ) -> None:
        self._torch = torch
        self._recorder = recorder
        self._aside = aside
        self._on_host = on_host

    def compile(self, original: Callable[..., Any]) -> Callable[..., Any]:
        """Stands in for `torch.compile`."""
        is_module = self._torch.nn.Module

        @wraps(original)
        def compile(*args: Any, **kwargs: Any) -> Any:  # noqa: A001 - its name
            try:
                result = original(*args, **kwargs)
            except BaseException as error:
                leave_out(error, 1)
                raise
            given = args[0] if args else kwargs.get("model")
            if is_module in type(result).__mro__ and result is not given:
                forward = vars(result).get("forward")
                if forward is not None:
                    vars(result)["forward"] = self._wrapped(forward, type(given).__name__)
                return result
            # Without a function to compile it returns a decorator, which comes here again.
            is_compiled = type(result) is FunctionType and "_torchdynamo_orig_callable" in vars(result)
            return self._wrapped(result, _name_of(given)) if is_compiled else result

        return compile

    def _wrapped(self, function: Callable[..., Any], name: str) -> Callable[..., Any]:
        recorder, aside, on_host = self._recorder, self._aside, self._on_host
        is_compiling = self._torch.compiler.is_dynamo_compiling
        operation = f"torch.compile: {name}"
        compilations = 0

        @wraps(function)
        def compiled(*args: Any, **kwargs: Any) -> Any:
            if is_compiling():
                return function(*args, **kwargs)
            nonlocal compilations
            span = recorder.automatic(OP, operation, on_host=on_host)
            back = aside()
            try:
                if span is None:
                    return function(*args, **kwargs)
                before = _compilations()
                with span:
                    result = function(*args, **kwargs)
                    if _compilations() != before:
                        compilations += 1
                        if compilations > 1:
                            span.operation = f"{operation}, compilation {compilations}"
            except BaseException as error:
                leave_out(error, 1)
                raise
            else:
                return result
            finally:
                if back is not None:
                    back()

        return compiled


def _name_of(given: Any) -> str:
    if type(given) is MethodType and given.__name__ == "_call_impl":
        # What `Module.compile` compiles.
        return type(given.__self__).__name__
    return name_of(given) or "?"


def _compilations() -> tuple[int, ...]:
    """Returns what grows whenever this process compiles something: frames, or graphs of a `fullgraph`."""
    counters = getattr(sys.modules.get("torch._dynamo.utils"), "counters", {})
    return tuple(counters.get(kind, {}).get(name, 0) for kind, name in _COUNTED)


_COUNTED = (("frames", "total"), ("stats", "unique_graphs"))
