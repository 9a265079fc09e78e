"""The only caller of time: everything else is handed a clock."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from datetime import datetime, timezone
from typing import TypeAlias

MonotonicNs: TypeAlias = Callable[[], int]
"""A clock that never goes back, in integer nanoseconds, of one process or one machine."""

monotonic_ns: MonotonicNs = time.perf_counter_ns
"""The machine's monotonic clock; on Linux and macOS the same for all processes."""

time_of_day_ns: Callable[[], int] = time.time_ns
"""The clock that files are dated with, in integer nanoseconds since 1970; it may be set back."""

_UNITS_NS = {"us": 10**3, "ms": 10**6, "s": 10**9, "m": 60 * 10**9, "h": 3600 * 10**9, "": 10**9}
_LONGEST_NS = 365 * 24 * 3600 * 10**9
_WATCHED_NS = 300_000
_DURATION = re.compile(r"(\d+(?:\.\d+)?)(us|ms|s|m|h|)")


def parse_duration_ns(text: str) -> int:
    """Reads `90`, `90s`, `1.5m`, `250ms`, `300us` or `1h` as nanoseconds; a bare number is seconds.

    Raises:
        ValueError: It is none of these, zero, or longer than anybody waits.
    """
    found = _DURATION.fullmatch(text.strip())
    # Rounded later: so many digits that they make it infinite cannot be.
    duration_ns = float(found[1]) * _UNITS_NS[found[2]] if found else 0.0
    if duration_ns > _LONGEST_NS:
        raise ValueError("a time of less than a year such as 90s, 5m or 1h")
    if round(duration_ns) <= 0:
        raise ValueError("a time above zero such as 90s, 5m or 1h")
    return round(duration_ns)


def sleep_until_ns(end_ns: int) -> None:
    """Returns when `monotonic_ns` reaches `end_ns`; a plain sleep ends late, so its last part is watched."""
    while (left_ns := end_ns - monotonic_ns()) > 0:
        # A sleep of no length lets other threads run.
        time.sleep(max(0, left_ns - _WATCHED_NS) / 10**9)


def sleep(duration_s: float) -> None:
    """Returns after so many seconds."""
    time.sleep(duration_s)


def now_utc() -> datetime:
    """Returns the time of day, in UTC."""
    return datetime.now(tz=timezone.utc)
