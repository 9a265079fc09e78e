"""Times, sizes and rates as people read them."""

from __future__ import annotations

_BYTES = ("B", "kB", "MB", "GB", "TB", "PB")
_HOUR_NS = 3_600_000_000_000
_TIMES = (("us", 1_000), ("ms", 1_000_000), ("s", 1_000_000_000), ("min", 60_000_000_000), ("h", _HOUR_NS))


def humanise_ns(duration_ns: int) -> str:
    """Returns a time with three digits that matter, such as `8.62 s`, `20.0 ms` or `16.7 min`."""
    if duration_ns < 0:
        return f"-{humanise_ns(-duration_ns)}"
    if duration_ns < 1000:
        return f"{duration_ns} ns"
    for unit, size_ns in _TIMES:
        value = _three_digits(duration_ns / size_ns)
        if float(value) < 1000:
            return f"{value} {unit}"
    return f"{duration_ns / _HOUR_NS:.0f} h"


def humanise_bytes(size_bytes: int) -> str:
    """Returns a size in powers of 1000, such as `9.27 MB`."""
    if size_bytes < 1000:
        return f"{size_bytes} B"
    power = 1
    while power < len(_BYTES) - 1 and float(_three_digits(size_bytes / 1000**power)) >= 1000:
        power += 1
    return f"{_three_digits(size_bytes / 1000**power)} {_BYTES[power]}"


def humanise_rate(size_bytes: int, duration_ns: int) -> str:
    """Returns bytes over time in GB/s, such as `1.87`; `-` where nothing was moved or no time passed."""
    if size_bytes <= 0 or duration_ns <= 0:
        return "-"
    rate = size_bytes / duration_ns
    return _three_digits(rate) if rate >= 0.01 else f"{rate:.2g}"


def humanise_share(share: float) -> str:
    """Returns a part of one as per cent; never `100 %` or `0 %` for what is only close to it."""
    if 0 < share < 0.005:
        return "<1 %"
    if 0.995 < share < 1:
        return ">99 %"
    return f"{share:.0%}".replace("%", " %")


def seconds(duration_ns: int) -> str:
    """Returns seconds for log lines: three places as in `8.620s`, nine where three would lose the number."""
    places = 3 if duration_ns >= 1_000_000 or duration_ns == 0 else 9
    return f"{duration_ns / 1_000_000_000:.{places}f}s"


def _three_digits(value: float) -> str:
    if value < 9.995:
        return f"{value:.2f}"
    return f"{value:.1f}" if value < 99.95 else f"{value:.0f}"
