"""The timeout of a whole test, set through pytest-timeout's own hooks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest


@dataclass(frozen=True, slots=True, kw_only=True)
class TimeoutLimit:
    """pytest-timeout's limit for one item.

    Attributes:
        limit_ns: How long it may take.
        is_of_call: Whether that is for its call alone, and not for fixtures.
    """

    limit_ns: int
    is_of_call: bool


def timeout_limit(item: pytest.Item) -> TimeoutLimit | None:
    """Returns the limit by option, ini file or mark; None where pytest-timeout has none for this item."""
    settings = _settings(item)
    if settings is None:
        return None
    return TimeoutLimit(limit_ns=round(settings.timeout * 1e9), is_of_call=bool(settings.func_only))


def is_set_by_others(config: pytest.Config, plugin: object) -> bool:
    """Tells whether neither pytest-timeout nor this plugin of ours, but a conftest sets timeouts."""
    implementations = config.pluginmanager.hook.pytest_timeout_set_timer.get_hookimpls()
    known = (plugin, config.pluginmanager.get_plugin("timeout"))
    return any(implementation.plugin not in known for implementation in implementations)


def timeout_timer(item: pytest.Item) -> Callable[[], Callable[[], None]] | None:
    """Returns a function that starts the timeout of one iteration and returns what ends it.

    None where pytest-timeout is not loaded or sets no timeout for this item. A conftest's own
    `pytest_timeout_set_timer` is called as ever.
    """
    settings = _settings(item)
    if settings is None:
        return None
    hooks = item.config.pluginmanager.hook

    def end() -> None:
        hooks.pytest_timeout_cancel_timer(item=item)

    def start() -> Callable[[], None]:
        hooks.pytest_timeout_set_timer(item=item, settings=settings)
        return end

    return start


def _settings(item: pytest.Item) -> Any:
    plugin = item.config.pluginmanager.get_plugin("timeout")
    read = getattr(plugin, "_get_item_settings", None)
    settings = None if read is None else read(item)
    return None if settings is None or settings.timeout is None or settings.timeout <= 0 else settings
