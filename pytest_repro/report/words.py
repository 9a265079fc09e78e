"""Numbers in people's words."""

from __future__ import annotations

from decimal import Decimal

from pytest_repro.stats import Interval


def counted(number: int, noun: str, plural: str | None = None) -> str:
    """Returns `1 test`, `2 tests`, `20,000 iterations`; the plural is the noun with an s unless given."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {plural or noun + 's'}"


def percent(rate: float) -> str:
    """Returns a rate (0 to 1) in percent with two significant digits; `100 %` stands for 1 alone."""
    if rate in (0.0, 1.0):
        return f"{100 * rate:.0f} %"
    two_digits = f"{Decimal(f'{100.0 * rate:.1e}'):f} %"
    return ">99 %" if two_digits == "100 %" else two_digits


def percent_range(interval: Interval) -> str:
    """Returns `0.011 % to 0.065 %`."""
    return f"{percent(interval.low)} to {percent(interval.high)}"


def seconds(duration_ns: int) -> str:
    """Returns a duration (ns) in the unit that fits: `380 µs`, `1.24 s`, `3 min 20 s`."""
    value = duration_ns / 1e9
    if value < 1e-3:
        return f"{value * 1e6:.3g} µs"
    if value < 1.0:
        return f"{value * 1e3:.3g} ms"
    if value < 99.95:
        return f"{value:.1f} s"
    return _minutes(round(value))


def whole_seconds(duration_ns: int) -> str:
    """Returns a duration (ns) that is still to come, without fractions: `21 s`, `3 min 20 s`, `2 h 2 min`."""
    value = -(-duration_ns // 10**9)
    return f"{value} s" if value < 100 else _minutes(value)


def per_second(rate_per_s: float) -> str:
    """Returns how often something happens, in the unit that fits: `4,120/s`, `3.2/s`, `12/min`, `40/h`."""
    for rate, unit in ((rate_per_s, "s"), (rate_per_s * 60, "min")):
        if rate >= 1:
            return f"{_three_digits(rate)}/{unit}"
    return f"{_three_digits(rate_per_s * 3600)}/h"


def _three_digits(value: float) -> str:
    if 0 < value < 9.95:
        return f"{value:.1f}"
    whole = round(value)
    beyond = 10 ** max(0, len(str(whole)) - 3)
    return f"{round(whole / beyond) * beyond:,}"


def _minutes(value: int) -> str:
    minutes, rest = divmod(value, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s"


def visible(text: str) -> str:
    """Returns the text with each character that cannot be printed, or moves the cursor, spelled out."""
    return "".join(letter if letter.isprintable() else repr(letter)[1:-1] for letter in text)
