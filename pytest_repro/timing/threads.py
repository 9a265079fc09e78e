"""Acts in each thread that is started from now on, before the thread's own work."""

from __future__ import annotations

import sys
import threading
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType


class ThreadWatch:
    """Uses the profile function that `threading` gives to its new threads, for one event of each.

    A profile function of somebody else takes over right after. Threads that were started before, and those
    that no `threading.Thread` stands for, are not seen.

    Args:
        act: Called in each new thread.
    """

    def __init__(self, act: Callable[[], None]) -> None:
        self._act = act
        self._others: Any = None
        # A bound method is a new object each time that it is asked for.
        self._hook = self._on_first_event

    def start(self) -> None:
        """Begins."""
        self._others = threading.getprofile()
        threading.setprofile(self._hook)

    def stop(self) -> None:
        """Ends; somebody else's function that was set since stays."""
        if threading.getprofile() is self._hook:
            threading.setprofile(self._others)

    def _on_first_event(self, frame: FrameType, event: str, argument: Any) -> None:
        others = self._others
        sys.setprofile(others)
        try:
            self._act()
        except Exception:  # noqa: BLE001 - an error here would end the thread before its work
            return
        if others is not None:
            others(frame, event, argument)
