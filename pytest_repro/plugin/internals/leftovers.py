"""Exceptions that nobody could catch: of finalizers and of threads, as pytest's own plugins collect them."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any

import _pytest.threadexception
import _pytest.unraisableexception
import pytest

_COLLECTORS = (
    (_pytest.unraisableexception, "unraisable_exceptions", "collect_unraisable"),
    (_pytest.threadexception, "thread_exceptions", "collect_thread_exception"),
)


class Leftovers:
    """Looks after each stage whether there are any.

    Args:
        config: Of this process.
    """

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._sources: list[tuple[deque[Any], Callable[[pytest.Config], None]]] = []
        for module, key_name, collect_name in _COLLECTORS:
            # Before pytest 8.4 there are none: its wrappers around each stage ask for the full lane.
            key: Any = getattr(module, key_name, None)
            if key is not None and key in config.stash:
                self._sources.append((config.stash[key], getattr(module, collect_name)))

    def collect(self) -> None:
        """Warns of them, or raises where warnings are errors."""
        for found, collect in self._sources:
            if found:
                collect(self._config)
