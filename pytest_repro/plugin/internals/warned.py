"""Warnings of iterations: recorded with pytest's filters, each distinct one told once a test."""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Callable, Iterator, Mapping
from types import SimpleNamespace
from typing import Any

import pytest

MOST_WARNINGS = 1000
"""Distinct warnings of one test that are told; a test with numbers in its text could make endlessly many."""


class IterationWarnings:
    """Records the warnings of iterations as pytest's own plugin would, each distinct one once a test.

    pytest keeps every recorded warning for the whole session; a test that warns in each of a million
    iterations must not fill the memory.

    Args:
        config: Of this process.
    """

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._seen: set[tuple[str, str, str, int]] = set()
        self._collector = SimpleNamespace(pytest_warning_recorded=SimpleNamespace(call_historic=self._record))

    def catch(self, item: pytest.Item) -> contextlib.AbstractContextManager[None]:
        """Records warnings with the filters of pytest and of the test's marks."""
        from _pytest.warnings import catch_warnings_for_item

        return catch_warnings_for_item(
            config=self._config,
            ihook=self._collector,
            when="runtest",
            item=item,
        )

    def tell(self, messages: list[warnings.WarningMessage], *, nodeid: str) -> None:
        """Tells pytest's plugins of warnings that were recorded elsewhere."""
        for message in messages:
            self._record({"warning_message": message, "nodeid": nodeid, "when": "runtest", "location": None})

    def _record(self, kwargs: Mapping[str, Any]) -> None:
        warning = kwargs["warning_message"]
        distinct = (warning.category.__name__, str(warning.message), warning.filename, warning.lineno)
        if distinct not in self._seen and len(self._seen) < MOST_WARNINGS:
            self._seen.add(distinct)
            self._config.hook.pytest_warning_recorded.call_historic(kwargs=kwargs)


def warnings_of(config: pytest.Config) -> IterationWarnings | None:
    """Returns what records warnings, or None where pytest's plugin for them is off."""
    return IterationWarnings(config) if config.pluginmanager.has_plugin("warnings") else None


class SliceWarnings:
    """Records the warnings of a slice's iterations inside one context, and tells after each iteration.

    Args:
        item: The item that runs again and again.
        told: Takes what was recorded.
    """

    def __init__(self, item: pytest.Item, told: IterationWarnings) -> None:
        self._item = item
        self._told = told
        self._log: list[warnings.WarningMessage] = []
        self._filters: list[Any] = []
        self._kept: list[Any] = []
        self._functions: tuple[Any, ...] = ()

    @contextlib.contextmanager
    def catch(self) -> Iterator[None]:
        """Holds the filters of pytest and of the test's marks."""
        with self._told.catch(self._item), warnings.catch_warnings(record=True) as log:
            assert log is not None
            self._log = log
            self._filters = _filters()
            self._kept = list(self._filters)
            self._functions = _functions()
            yield

    def end_iteration(self, suspended: Callable[[], contextlib.AbstractContextManager[None]]) -> None:
        """Tells what the iteration warned of, and takes the filters back to how it found them.

        Args:
            suspended: Lets the block write to the real terminal.
        """
        if _filters() is not self._filters or self._filters != self._kept:
            warnings.filters = self._filters
            self._filters[:] = self._kept
            _forget_shown()
        if _functions() != self._functions:
            warnings.showwarning, warnings._showwarnmsg_impl = self._functions  # type: ignore[attr-defined]
        if self._log:
            messages = self._log[:]
            del self._log[:]
            with suspended():
                self._told.tell(messages, nodeid=self._item.nodeid)
            _forget_shown()


def _filters() -> list[Any]:
    """Returns the very list of the filters, which typeshed tells as a sequence."""
    filters: list[Any] = warnings.filters  # type: ignore[assignment]
    return filters


def _functions() -> tuple[Any, ...]:
    # The second is where `catch_warnings` records; typeshed knows public names alone.
    return (warnings.showwarning, warnings._showwarnmsg_impl)  # type: ignore[attr-defined]


def _forget_shown() -> None:
    """Has Python show each warning anew, as it does wherever filters change."""
    with warnings.catch_warnings():
        pass
