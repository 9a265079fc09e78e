"""Threads that use a device one after the other."""

from __future__ import annotations

from contextlib import suppress
from threading import Lock, get_ident
from threading import enumerate as enumerate_threads

TURN_S = 1.0
"""Seconds that a thread waits for the call of another one to return before it makes its own beside it."""


class Turns:
    """Lets one thread at a time have device work in flight, so that a fence waits for nobody else's.

    Attributes:
        in_call: Whether the thread whose turn it is is inside the library's call, and not in a fence.
    """

    __slots__ = ("_holder", "_lock", "in_call")

    def __init__(self) -> None:
        self.in_call = False
        self._lock = Lock()
        self._holder = 0

    def take(self) -> bool:
        """Waits for the turn.

        Returns:
            Whether it came. A call that lasts may itself be waiting for what this thread does next, as
            collective operations do: this thread then goes on without.
        """
        while not self._lock.acquire(timeout=TURN_S):
            if not any(thread.ident == self._holder for thread in enumerate_threads()):
                # Nobody will end it: its thread has ended, is not in this fork of the process, or was
                # interrupted on the way in.
                self.in_call = False
                break
            if self.in_call:
                return False
        self._holder = get_ident()
        return True

    def give_up(self) -> None:
        """Ends the turn."""
        self._holder = 0
        with suppress(RuntimeError):  # two threads may both have taken over the turn of one that is gone
            self._lock.release()
