"""The only caller of time: everything else is handed a clock."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime, timezone
from typing import TypeAlias

MonotonicNs: TypeAlias = Callable[[], int]
"""A clock that never goes back, in integer nanoseconds, of one process or one machine."""

monotonic_ns: MonotonicNs = time.perf_counter_ns
"""The machine's monotonic clock; on Linux and macOS the same for all processes."""


def now_utc() -> datetime:
    """Returns the time of day, in UTC."""
    return datetime.now(tz=timezone.utc)
