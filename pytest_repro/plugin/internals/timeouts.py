"""The timeout of a whole test, set through pytest-timeout's own hooks."""

from __future__ import annotations

from collections.abc import Callable

import pytest


def timeout_timer(item: pytest.Item) -> Callable[[], Callable[[], None]] | None:
    """Returns a function that starts the timeout of one iteration and returns what ends it.

    None where pytest-timeout is not loaded or sets no timeout for this item. A conftest's own
    `pytest_timeout_set_timer` is called as ever.
    """
    plugin = item.config.pluginmanager.get_plugin("timeout")
    read = getattr(plugin, "_get_item_settings", None)
    settings = None if read is None else read(item)
    if settings is None or settings.timeout is None or settings.timeout <= 0:
        return None
    hooks = item.config.pluginmanager.hook

    def end() -> None:
        hooks.pytest_timeout_cancel_timer(item=item)

    def start() -> Callable[[], None]:
        hooks.pytest_timeout_set_timer(item=item, settings=settings)
        return end

    return start
