"""Ctrl-C and SIGTERM in a stress run: the first ends it in order, the second at once.

While tests run, the handler of SIGINT is left to them and to Python: a test may look at it, replace it, or
send itself a SIGINT. It is ours only while results are handed over, and in xdist's controller, where no test
runs.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any, NoReturn

import pytest

from pytest_repro.clock import MonotonicNs
from pytest_repro.model import EXIT_INTERRUPTED
from pytest_repro.plugin.internals.ending import collect_last_events, kill_workers, watch_events

GRACE_NS = 7 * 10**9
"""Time that workers get to tear down and to tell what they finished; the gate gives a run ten seconds."""

_STDERR = 2
_STOP_LOOK_S = 0.01
_STOP_LOOKS = 100
"""So often a worker looks whether a SIGTERM was meant for the whole session: for one second."""

_Handler = Callable[[int, "FrameType | None"], Any]


class Terminated(KeyboardInterrupt):
    """SIGTERM or SIGHUP, which end a session as Ctrl-C does."""


class _Handlers:
    """Signal handlers of this process, each taken off where it was put on; none outside the main thread."""

    def __init__(self) -> None:
        self._before: dict[int, tuple[_Handler, Any]] = {}
        self._mask: set[Any] | None = None
        # What a test forks is ended by signals as ever.
        os.register_at_fork(
            before=self._block, after_in_parent=self._unblock, after_in_child=self._restore_in_child
        )

    def put(self, number: int, handler: _Handler, *, in_place_of: Any) -> None:
        """Handles a signal, unless somebody else does."""
        if threading.current_thread() is threading.main_thread() and signal.getsignal(number) == in_place_of:
            signal.signal(number, handler)
            self._before[number] = (handler, in_place_of)

    def restore(self, number: int | None = None) -> None:
        """Takes one handler off, or all."""
        for one in list(self._before) if number is None else [number]:
            ours, before = self._before.pop(one, (None, None))
            if ours is not None and signal.getsignal(one) == ours:
                signal.signal(one, before)

    def _block(self) -> None:
        """A signal that comes to a child before it has no handlers of ours any more would be lost."""
        if self._before:
            self._mask = signal.pthread_sigmask(signal.SIG_BLOCK, self._before)

    def _unblock(self) -> None:
        mask, self._mask = self._mask, None
        if mask is not None:
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)

    def _restore_in_child(self) -> None:
        self.restore()
        self._unblock()


class _Deferral:
    """Keeps signals from breaking into what must be done whole."""

    def __init__(self, handlers: _Handlers) -> None:
        self._handlers = handlers
        self._pending: KeyboardInterrupt | None = None
        self.is_on = False

    def __enter__(self) -> None:
        self.is_on = True
        self._handlers.put(signal.SIGINT, self._note, in_place_of=signal.default_int_handler)

    def __exit__(self, *about: object) -> None:
        self._handlers.restore(signal.SIGINT)
        self.is_on = False
        self.look()

    def interrupt(self, exception: KeyboardInterrupt) -> None:
        """Raises now or, while deferred, later."""
        if not self.is_on:
            raise exception
        self._pending = self._pending or exception

    def look(self) -> None:
        """Raises what came meanwhile."""
        pending, self._pending = self._pending, None
        if pending is not None:
            raise pending

    def _note(self, number: int, frame: FrameType | None) -> None:
        del number, frame
        self.interrupt(KeyboardInterrupt())


class Interrupts:
    """Hooks and signal handlers of the process that writes the records.

    Args:
        config: Of this process.
        is_distributed: Whether xdist's workers run the iterations.
        stop_iterations: Keeps workers from starting further iterations.
        take_unsent: Takes what a worker (xdist's node) had finished and not sent when it died.
        end: Writes the summary with an exit status, None for the session's own, unless that was done.
        meanwhile: Called while xdist's controller waits for events.
        records: Where the records are, as it is shown.
        clock: Monotonic, in nanoseconds.

    Attributes:
        has_signal: Whether a signal ends the session.
    """

    def __init__(
        self,
        config: pytest.Config,
        *,
        is_distributed: bool,
        stop_iterations: Callable[[], None],
        take_unsent: Callable[[Any], None],
        end: Callable[[int | None], None],
        meanwhile: Callable[[], None],
        records: str,
        clock: MonotonicNs,
    ) -> None:
        self.has_signal = False
        self._config = config
        self._is_distributed = is_distributed
        self._stop_iterations = stop_iterations
        self._take_unsent = take_unsent
        self._end = end
        self._meanwhile = meanwhile
        self._records = records
        self._clock = clock
        self._handlers = _Handlers()
        self._deferral = _Deferral(self._handlers)
        self._is_waiting = False
        self._is_at_once = False

    def whole(self) -> contextlib.AbstractContextManager[None]:
        """Has the block run whole: a signal that comes meanwhile is obeyed at its end."""
        return self._deferral

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionstart(self) -> None:
        """Begins to listen."""
        self._handlers.put(signal.SIGTERM, self._terminate, in_place_of=signal.SIG_DFL)
        self._handlers.put(signal.SIGHUP, self._terminate, in_place_of=signal.SIG_DFL)
        if self._is_distributed:
            watch_events(self._config, self._look)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtestloop(self) -> Iterator[None]:
        """Has a signal in xdist's controller wait until the event at hand is done with: none is lost."""
        if not self._is_distributed:
            return (yield)
        self._deferral.is_on = True
        self._handlers.put(signal.SIGINT, self._terminate, in_place_of=signal.default_int_handler)
        try:
            return (yield)
        finally:
            self._handlers.restore(signal.SIGINT)
            self._deferral.is_on = False

    @pytest.hookimpl(tryfirst=True)
    def pytest_keyboard_interrupt(self, excinfo: pytest.ExceptionInfo[BaseException]) -> None:
        """Collects what the workers finished."""
        # pytest.exit, -x and the like are told here too.
        if excinfo.type in (KeyboardInterrupt, Terminated):
            self.has_signal = True
        self._end_at_once_from_now_on()
        if self._is_distributed:
            self._stop_iterations()
            until_ns = self._clock() + GRACE_NS
            self._is_waiting = True
            collect_last_events(
                self._config,
                is_over=lambda: self._is_at_once or self._clock() > until_ns,
                take_unsent=self._take_unsent,
            )
            self._is_waiting = False

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_sessionfinish(self) -> Iterator[None]:
        """Lets a session that is ending anyway end: only a second signal breaks into its summary."""
        self._end_at_once_from_now_on()
        return (yield)

    def pytest_unconfigure(self) -> None:
        """Listens no more; what was ended before it began is written too."""
        self._end(None)
        self._handlers.restore()

    def _look(self) -> None:
        self._deferral.look()
        self._meanwhile()

    def _terminate(self, number: int, frame: FrameType | None) -> None:
        del frame
        self.has_signal = True
        self._stop_iterations()
        name = signal.Signals(number).name
        self._deferral.interrupt(KeyboardInterrupt() if number == signal.SIGINT else Terminated(name))

    def _end_at_once_from_now_on(self) -> None:
        self._handlers.restore()
        self._handlers.put(signal.SIGINT, self._end_at_once, in_place_of=signal.default_int_handler)
        self._handlers.put(signal.SIGTERM, self._end_at_once, in_place_of=signal.SIG_DFL)
        self._handlers.put(signal.SIGHUP, self._end_at_once, in_place_of=signal.SIG_DFL)

    def _end_at_once(self, number: int, frame: FrameType | None) -> None:
        del number, frame
        if not self.has_signal:
            self.has_signal = True
        elif self._is_waiting:
            # Then the summary is a matter of milliseconds.
            self._is_at_once = True
        else:
            self._leave()

    def _leave(self) -> NoReturn:
        try:
            if self._is_distributed:
                kill_workers(self._config)
            self._end(EXIT_INTERRUPTED)
            with contextlib.suppress(OSError, ValueError):
                sys.stdout.flush()
            line = f"\nended at once by a second signal; records: {self._records}\n"
            with contextlib.suppress(OSError):
                # Past pytest's capturing, which may hold whatever Python would write to.
                os.write(_STDERR, line.encode("utf-8", "backslashreplace"))
        finally:
            os._exit(EXIT_INTERRUPTED)


class WorkerInterrupts:
    """Hooks and signal handlers of an xdist worker in a stress run.

    Args:
        is_stopped: Tells whether the controller wants no further iteration.
        is_in_test: Tells whether a test runs: its setup or call, as teardowns are not broken into.
    """

    def __init__(self, *, is_stopped: Callable[[], bool], is_in_test: Callable[[], bool]) -> None:
        self._is_stopped = is_stopped
        self._is_in_test = is_in_test
        self._has_collected = False
        self._handlers = _Handlers()
        self._deferral = _Deferral(self._handlers)
        self._is_ending = False

    def whole(self) -> contextlib.AbstractContextManager[None]:
        """Has the block run whole: a signal that comes meanwhile is obeyed at its end."""
        return self._deferral

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionstart(self) -> None:
        """Begins to listen."""
        self._handlers.put(signal.SIGTERM, self._terminate, in_place_of=signal.SIG_DFL)
        self._handlers.put(signal.SIGHUP, self._terminate, in_place_of=signal.SIG_DFL)

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self) -> None:
        """From now on the controller's word is enough between tests."""
        self._has_collected = True

    @pytest.hookimpl(tryfirst=True)
    def pytest_keyboard_interrupt(self) -> None:
        """Tears down undisturbed from now on."""
        self._is_ending = True

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self) -> None:
        """Likewise."""
        self._is_ending = True

    def pytest_unconfigure(self) -> None:
        """Listens no more."""
        self._handlers.restore()

    def _terminate(self, number: int, frame: FrameType | None) -> None:
        del frame
        if not self._is_for_all():
            # For this process alone, from its test maybe: it dies of it, as it would without us.
            signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)
        elif self._is_ending or isinstance(sys.exc_info()[1], KeyboardInterrupt):
            pass  # ends already
        elif self._is_in_test() or not self._has_collected:
            self._deferral.interrupt(Terminated(signal.Signals(number).name))

    def _is_for_all(self) -> bool:
        pause = threading.Event()
        for _ in range(_STOP_LOOKS):
            if self._is_stopped():
                return True
            pause.wait(_STOP_LOOK_S)
        return False
