"""How a session of xdist is ended from outside: its events, its workers, their processes."""

from __future__ import annotations

import contextlib
import queue
import signal
import subprocess
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import pytest

from pytest_repro.plugin.internals.workers import process_of

_LOOK_S = 0.2
"""Time after which a controller that waits for events looks around."""


class _WatchedEvents:
    """The queue of events of xdist's controller, which looks around before it takes one.

    Args:
        events: The queue itself.
        look: Called in the main thread before each event and while there is none; may raise.
    """

    def __init__(self, events: queue.Queue[Any], look: Callable[[], None]) -> None:
        self.put = events.put
        self.take = events.get
        self._look = look

    def get(self, timeout: float) -> Any:
        """Returns the next event.

        Raises:
            queue.Empty: There was none for this time, in seconds.
        """
        for _ in range(max(1, round(timeout / _LOOK_S))):
            self._look()
            with contextlib.suppress(queue.Empty):
                return self.take(timeout=_LOOK_S)
        raise queue.Empty


def watch_events(config: pytest.Config, look: Callable[[], None]) -> None:
    """Has `look()` called in the main thread between xdist's events; what it raises costs no event.

    Must be called before xdist starts its workers.
    """
    dsession: Any = config.pluginmanager.get_plugin("dsession")
    dsession.queue = _WatchedEvents(dsession.queue, look)


def collect_last_events(
    config: pytest.Config, *, is_over: Callable[[], bool], take_unsent: Callable[[Any], None]
) -> None:
    """Interrupts all workers and takes what they still tell, without handing out any work.

    Args:
        config: Of the controller.
        is_over: Tells when to wait no longer; workers that are not done by then are killed.
        take_unsent: Takes what a worker (xdist's node), dead by now, can tell no more.
    """
    dsession: Any = config.pluginmanager.get_plugin("dsession")
    active: set[Any] = set(getattr(dsession, "_active_nodes", ()))
    for node in active:
        with contextlib.suppress(OSError, AttributeError):  # gone, or not set up yet
            node.shutdown()
    for process in _processes(active):
        process.send_signal(signal.SIGTERM)
    while active and not is_over():
        try:
            name, arguments = dsession.queue.take(timeout=_LOOK_S)
        except queue.Empty:
            if any(_is_alive(node) for node in active):
                continue
            # A process that a test has left running may keep the channel of a dead worker open.
            break
        if name in ("repro_message", "testreport", "logstart", "logfinish", "warning_recorded"):
            getattr(dsession, f"worker_{name}")(**arguments)
        elif name == "workerfinished":
            config.hook.pytest_testnodedown(node=arguments["node"], error=None)
            active.discard(arguments["node"])
        elif name in ("errordown", "internal_error"):
            active.discard(arguments["node"])
            take_unsent(arguments["node"])
    _kill(active)
    for node in active:
        take_unsent(node)


def kill_workers(config: pytest.Config) -> None:
    """Ends all workers on the spot."""
    dsession: Any = config.pluginmanager.get_plugin("dsession")
    _kill(getattr(dsession, "_active_nodes", ()))


def _kill(nodes: Iterable[Any]) -> None:
    for process in _processes(nodes):
        process.kill()
        process.wait()


def _processes(nodes: Iterable[Any]) -> Iterator[subprocess.Popen[bytes]]:
    """Yields the processes of workers on this machine."""
    for node in nodes:
        process = process_of(node)
        if process is not None:
            yield process


def _is_alive(node: Any) -> bool:
    """Tells whether a worker may still say something; on another machine it may."""
    process = process_of(node)
    return process is None or process.poll() is None
