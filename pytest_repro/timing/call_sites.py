"""Calls made in the name of the line that asked for them.

A wrapper written in Python stands between a line of the test and the library: a warning of the library
would name the wrapper's file, follow the filters for the wrapper's module and be shown once for all lines.
So the call is made by a function whose file, line and globals are those of the line that asked.
"""

from __future__ import annotations

import sys
from types import CodeType, FunctionType
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from types import FrameType

    Caller: TypeAlias = Callable[[Any, Sequence[Any], Mapping[str, Any] | None], Any]

frame_above: Callable[[int], FrameType] = sys._getframe  # noqa: SLF001 - without a name that promises it
"""Returns a frame that called: 0 is the one that asks."""

_MOST_SITES = 10_000


class CallSites:
    """The functions that call, one for each place that asked."""

    def __init__(self) -> None:
        # The code is kept as well: its address stands for it, as comparing code compares all of it.
        self.known: dict[int, tuple[Caller, CodeType]] = {}

    def caller(self, frame: FrameType) -> Caller:
        """Returns what calls in the name of the line at which a frame stands.

        `known` may be asked first: by address of the code plus place in it, and the code compared.
        """
        code = frame.f_code
        key = id(code) + frame.f_lasti
        site = self.known.get(key)
        if site is None:
            if len(self.known) >= _MOST_SITES:
                self.known.clear()
            site = self.known[key] = _caller_of(frame), code
        return site[0]


def leave_out(error: BaseException, frames: int) -> None:
    """Takes the function that handles an error, and what it called, out of the traceback.

    To be followed by a bare `raise`, which adds nothing to it from Python 3.11 on. Before, all stays.

    Args:
        error: The error.
        frames: How many frames there are to take, that of the function itself included.
    """
    trace = error.__traceback__
    while frames and trace is not None:
        trace, frames = trace.tb_next, frames - 1
    error.__traceback__ = trace


# On one line: its code knows one line number, whatever that is replaced by. The last parameter hides it
# from pytest.
_TEMPLATE = lambda f, a, k, __tracebackhide__=True: f(*a, **k) if k else f(*a)  # noqa: ARG005, E731


def _caller_of(frame: FrameType) -> Caller:
    asked = frame.f_code
    line = frame.f_lineno or asked.co_firstlineno
    code = _TEMPLATE.__code__.replace(
        co_filename=asked.co_filename, co_firstlineno=line, co_name=asked.co_name
    )
    return FunctionType(code, frame.f_globals, asked.co_name, _TEMPLATE.__defaults__)
