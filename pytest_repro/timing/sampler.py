"""Samples the stacks of a test while a phase of it is open, with pyinstrument's sampler in C.

pyinstrument calls back at the first call or return of a function after each interval. What it is told here is
which phase is open: a context variable, so that each task of an event loop has its own. Its `Profiler` is not
used: that one would have to be started and stopped for each phase, and would refuse another in the test.
"""

from __future__ import annotations

import contextlib
import sys
from contextvars import ContextVar
from threading import get_ident
from typing import TYPE_CHECKING, Any, Protocol

from pytest_repro.errors import OptionError
from pytest_repro.timing.coroutines import is_between_tasks, only_coroutine, running_coroutine
from pytest_repro.timing.samples import Samples, Stack, frame_text
from pytest_repro.timing.summary import HOST

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import CodeType, FrameType

    from pytest_repro.clock import MonotonicNs
    from pytest_repro.timing.spans import Span

    See = Callable[[FrameType, str, Any], None]

INTERVAL_NS = 1_000_000
"""Least time between two samples."""

MOST_FRAMES = 200
"""Frames kept of a stack: half of them outermost, half innermost."""

QUIET_NS = 10 * INTERVAL_NS
"""Time without any call after which the line is not where the time went, but where it ended."""

NO_CALLS = frame_text("a stretch without calls", "<python>", 0)
AWAIT = "[await]"
"""As pyinstrument names it."""

OUTSIDE = frame_text("outside of the test's code", "<pytest>", 0)
OMITTED = frame_text("...", "<omitted>", 0)

_NAMES_LIMIT = 20_000


class Instrument(Protocol):
    """Calls back from the code that the calling thread runs."""

    def start(self, see: See) -> object | None:
        """Begins in this thread; returns what `stop` needs, None if another profiler is at work there."""

    def stop(self, started: object) -> bool:
        """Ends in this thread; returns False if another profiler took its place, which is left alone."""


class StatProfile:
    """pyinstrument's.

    Raises:
        OptionError: It cannot be imported.
    """

    def __init__(self) -> None:
        try:
            from pyinstrument.low_level.stat_profile import setstatprofile
        except Exception as error:
            # A package that is broken can raise anything while it is imported.
            raise OptionError(
                f"--repro-profile cannot import pyinstrument: {type(error).__name__}: {error}",
                place=sys.executable,
                next_step="Run `pip install --upgrade pyinstrument` there, or drop --repro-profile.",
            ) from error
        self._set = setstatprofile

    def start(self, see: See) -> object | None:
        """See `Instrument`."""
        if sys.getprofile() is not None:
            return None
        self._set(see, interval=INTERVAL_NS / 1e9, timer_type="walltime")
        return sys.getprofile()

    def stop(self, started: object) -> bool:
        """See `Instrument`."""
        if sys.getprofile() is not started:
            return False
        self._set(None)
        return True


class Mark:
    """A phase that is open, for the sampler.

    Attributes:
        span: The phase; its name is final when it has ended.
        outer: The mark that was open around it.
        thread: Where it was entered.
        coroutine: The task that entered it, None outside of an event loop.
        is_ended: Whether it was left.
        samples: What was seen in it, None before the first.
    """

    __slots__ = ("coroutine", "is_ended", "outer", "samples", "span", "thread")

    def __init__(self, span: Span, outer: Mark | None, thread: _Thread, coroutine: Any) -> None:
        self.span = span
        self.outer = outer
        self.thread = thread
        self.coroutine = coroutine
        self.is_ended = False
        self.samples: Samples | None = None


class PhaseSampler:
    """Samples one iteration after the other, each between `begin` and `end`.

    A sample belongs to the innermost phase that is open in its task or thread. While a task waits in a
    phase and nothing runs that belongs to another one, it is seen at its `await`; if several do, the one that
    entered its phase last. A thread is sampled while a phase is open in it. Of an iteration without
    phases, the call stage is sampled in the thread that began it.

    Args:
        clock: Monotonic.
        harness: Folders of what runs tests: left out of the root of each stack.
        instrument: What calls back.
    """

    def __init__(self, clock: MonotonicNs, *, harness: tuple[str, ...], instrument: Instrument) -> None:
        self.clock = clock
        self.is_call = False
        self._instrument = instrument
        self._stacks = _Stacks(harness)
        self._open: ContextVar[Mark | None] = ContextVar("pytest_repro_phase", default=None)
        self._threads: dict[int, _Thread] = {}
        self._is_begun = self._has_phases = self._has_device = False
        self._samples = self._on_host = self._call = Samples()

    def begin(self) -> None:
        """An iteration begins, in this thread; one that never ended is dropped."""
        if self._is_begun:
            self.end()
        self._samples, self._on_host, self._call = Samples(), Samples(), Samples()
        self.is_call = self._has_phases = self._has_device = False
        self._open.set(None)
        self._is_begun = True
        self._join()

    def end(self) -> Samples:
        """The iteration ended; returns what was seen in it."""
        first = self._threads.pop(get_ident(), None)
        if first is not None:
            self._part(first)
        self._is_begun = self.is_call = False
        for thread in (first, *self._threads.values()):
            for mark in () if thread is None else tuple(thread.marks.values()):
                self._close(mark)
        self._threads.clear()
        samples = self._samples
        for path, stack, seen in self._on_host:
            name = HOST if self._has_device else path[-1]
            samples.add((*path[:-1], name), stack, seen.duration_ns, count=seen.number)
        if not self._has_phases:
            samples.merge(self._call)
        samples.gave_way = min(1, samples.gave_way)
        return samples

    def enter(self, span: Span) -> Mark | None:
        """A phase is entered; returns what `leave` needs."""
        if not self._is_begun:
            return None
        thread = self._threads.get(get_ident()) or self._join()
        mark = Mark(span, self.current(), thread, running_coroutine())
        thread.marks[id(mark)] = mark
        self._has_phases = True
        self._open.set(mark)
        return mark

    def leave(self, mark: Mark | None) -> None:
        """A phase is left, in whichever task."""
        if mark is None:
            return
        thread = mark.thread
        if self._open.get() is mark:
            self._open.set(mark.outer)
        if not mark.is_ended:
            self._close(mark)
        if thread.index and not thread.marks and self._threads.get(get_ident()) is thread:
            del self._threads[thread.ident]
            self._part(thread)

    def current(self) -> Mark | None:
        """Returns the innermost phase that is open here."""
        mark = self._open.get()
        while mark is not None and mark.is_ended:
            mark = mark.outer
        return mark

    def see(self, thread: _Thread, frame: FrameType, event: str, arg: Any, elapsed_ns: int) -> None:
        """Takes a sample."""
        if self._threads.get(thread.ident) is not thread:
            return  # of an iteration that has ended
        mark = self.current()
        stack: Stack | None = None
        is_idle = is_between_tasks()
        if mark is None or is_idle:
            for waiting in reversed(tuple(thread.marks.values())):
                stack = self._stacks.suspended(waiting.coroutine)
                if stack is not None:
                    mark = waiting
                    break
        if mark is None and (self._has_phases or not self.is_call or thread.index):
            return
        if stack is None and is_idle:
            stack = self._stacks.suspended(only_coroutine())
        if stack is None:
            stack = self._stacks.running(frame, event, arg, None if mark is None else mark.coroutine)
            if elapsed_ns >= QUIET_NS and event not in {"c_return", "c_exception"}:
                stack = (*stack, NO_CALLS)
        if mark is None:
            if stack[0] != OUTSIDE:
                self._call.add((), stack, elapsed_ns)
            return
        if mark.samples is None:
            mark.samples = Samples()
        mark.samples.add((), stack, elapsed_ns)

    def _join(self) -> _Thread:
        thread = _Thread(self, get_ident(), len(self._threads))
        self._threads[thread.ident] = thread
        thread.started = self._instrument.start(thread.see)
        if thread.started is None:
            self._samples.gave_way += 1
        return thread

    def _part(self, thread: _Thread) -> None:
        started, thread.started = thread.started, None
        if started is not None and not self._instrument.stop(started):
            self._samples.gave_way += 1

    def _close(self, mark: Mark) -> None:
        mark.is_ended = True
        mark.thread.marks.pop(id(mark), None)
        span, samples = mark.span, mark.samples
        self._has_device |= span.operation is not None and not span.on_host
        if samples is not None:
            kept = self._on_host if span.on_host else self._samples
            kept.merge(samples, path=(*span.within, span.name))


class _Thread:
    """One thread while it is sampled."""

    __slots__ = ("_last_ns", "_sampler", "ident", "index", "marks", "started")

    def __init__(self, sampler: PhaseSampler, ident: int, index: int) -> None:
        self.ident = ident
        self.index = index
        self.marks: dict[int, Mark] = {}
        self.started: object | None = None
        self._sampler = sampler
        self._last_ns = sampler.clock()

    def see(self, frame: FrameType, event: str, arg: Any) -> None:
        """Is called back."""
        now_ns = self._sampler.clock()
        last_ns, self._last_ns = self._last_ns, now_ns
        try:
            self._sampler.see(self, frame, event, arg, now_ns - last_ns)
        except RecursionError:
            # The test is close to its own limit, which it is to meet by itself.
            return


class _Stacks:
    """Frames to stacks; looks at no variable of theirs, which could keep what the test has let go."""

    def __init__(self, harness: tuple[str, ...]) -> None:
        self._harness = harness
        self._is_harness: dict[str, bool] = {}
        self._texts: dict[tuple[CodeType, int], str] = {}

    def running(self, frame: FrameType, event: str, arg: Any, coroutine: Any) -> Stack:
        """Returns the stack of what runs, from the test on, or from the task that entered the phase."""
        texts: list[str] = []
        inner: FrameType | None = frame
        if event == "call":
            # What was called has not taken any time yet.
            inner = frame.f_back
        elif event in {"c_return", "c_exception"}:
            texts.append(frame_text(_name_of(arg), "<built-in>", 0))
        root = getattr(coroutine, "cr_frame", None)
        frames: list[FrameType] = []
        while inner is not None:
            frames.append(inner)
            if inner is root:
                break
            inner = inner.f_back
        else:
            self._trim(frames)
        texts += [self._text(frame) for frame in frames]
        texts.reverse()
        return _shortened(texts) if frames else (OUTSIDE,)

    def suspended(self, coroutine: Any) -> Stack | None:
        """Returns where a task waits; None if it runs or has ended."""
        if coroutine is None or getattr(coroutine, "cr_running", False):
            return None
        texts: list[str] = []
        while coroutine is not None:
            frame = next((found for name in _FRAMES if (found := getattr(coroutine, name, None))), None)
            if frame is None:
                break
            texts.append(self._text(frame))
            coroutine = next((found for name in _AWAITS if (found := getattr(coroutine, name, None))), None)
        return (*_shortened(texts), AWAIT) if texts else None

    def _trim(self, frames: list[FrameType]) -> None:
        """Takes away what calls the test: the frames down to the first run of those of the harness.

        All of them, where these make the report of the test that has ended: what they call is not the test's.
        """
        outer = len(frames)
        while outer and not self._is_of_harness(frames[outer - 1]):
            outer -= 1
        if not outer:
            return  # a thread of the test's own
        while outer and (self._is_of_harness(frames[outer - 1]) or self._leads_back(frames, outer - 1)):
            outer -= 1
            if frames[outer].f_code.co_name in _REPORTING:
                outer = 0
        del frames[outer:]

    def _leads_back(self, frames: list[FrameType], place: int) -> bool:
        """Tells whether a frame only enters or leaves a context of the harness, such as its capturing."""
        is_between = frames[place].f_code.co_filename == contextlib.__file__
        return is_between and place > 0 and self._is_of_harness(frames[place - 1])

    def _is_of_harness(self, frame: FrameType) -> bool:
        file = frame.f_code.co_filename
        known = self._is_harness.get(file)
        if known is None:
            # Made up by dataclasses, among others.
            known = self._is_harness[file] = file.startswith((*self._harness, "<string>"))
        return known

    def _text(self, frame: FrameType) -> str:
        code, line = frame.f_code, frame.f_lineno or 0
        text = self._texts.get((code, line))
        if text is None:
            if len(self._texts) >= _NAMES_LIMIT:
                self._texts.clear()
            # Python 3.10 has no qualified names.
            name = getattr(code, "co_qualname", code.co_name).replace("<locals>.", "")
            text = frame_text(name, code.co_filename, code.co_firstlineno, line)
            self._texts[code, line] = text
        return text


_REPORTING = frozenset({"pytest_runtest_makereport", "from_item_and_call"})
"""Functions of pytest in which tracebacks become text: with long ones the longest part of a failing test."""

_FRAMES = ("cr_frame", "gi_frame", "ag_frame")
_AWAITS = ("cr_await", "gi_yieldfrom", "ag_await")


def _shortened(texts: list[str]) -> Stack:
    half = MOST_FRAMES // 2
    return tuple(texts) if len(texts) <= MOST_FRAMES else (*texts[:half], OMITTED, *texts[-half:])


def _name_of(function: Any) -> str:
    name = getattr(function, "__qualname__", None)
    return name if isinstance(name, str) else type(function).__name__
