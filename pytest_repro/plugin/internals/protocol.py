"""One iteration through all of pytest's hooks."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping
from types import SimpleNamespace
from typing import Any

import pytest
from _pytest.runner import runtestprotocol


def run_stages(item: pytest.Item, nextitem: pytest.Item | None) -> list[pytest.TestReport]:
    """Runs setup, call and teardown with all their hooks; the reports are returned and not logged."""
    return runtestprotocol(item, log=False, nextitem=nextitem)


def tear_down_to(item: pytest.Item, nextitem: pytest.Item | None) -> pytest.TestReport:
    """Tears down what `item` left set up and `nextitem` does not share, after the item's own teardown.

    The teardown hooks are not called: plugins have cleaned up after the item already.
    """
    capture: Any = item.config.pluginmanager.get_plugin("capturemanager")
    around = contextlib.nullcontext() if capture is None else capture.item_capture("teardown", item)

    def tear_down() -> None:
        with around:
            item.session._setupstate.teardown_exact(nextitem)

    call = pytest.CallInfo.from_call(
        tear_down, when="teardown", reraise=(pytest.exit.Exception, KeyboardInterrupt)
    )
    report: pytest.TestReport = item.ihook.pytest_runtest_makereport(item=item, call=call)
    return report


class HookOverride:
    """Stands in for one of pytest's hooks: calls go to a function, all else to the hook itself.

    Whoever calls the hook by `config.hook` reaches the function instead of the plugins and their wrappers.

    Args:
        config: Of this process.
        name: Of the hook.
        function: Takes the hook's arguments by keyword.
    """

    def __init__(self, config: pytest.Config, name: str, function: Callable[..., Any]) -> None:
        self.original = getattr(config.hook, name)
        self._config = config
        self._name = name
        self._function = function

    def __call__(self, **arguments: Any) -> Any:
        """Calls the function in the hook's place."""
        return self._function(**arguments)

    def __getattr__(self, attribute: str) -> Any:
        return getattr(self.original, attribute)

    def start(self) -> None:
        """Takes the hook's place."""
        setattr(self._config.hook, self._name, self)

    def stop(self) -> None:
        """Gives the hook its place back."""
        setattr(self._config.hook, self._name, self.original)


def leave_seeds_to_us(config: pytest.Config) -> None:
    """Has pytest-randomly stop setting the same seed before every stage of every iteration."""
    if hasattr(config.option, "randomly_reset_seed"):
        config.option.randomly_reset_seed = False


class IterationProtocol:
    """Calls `pytest_runtest_protocol` for one iteration, as pytest would for one test.

    Args:
        config: Of this process.
    """

    def __init__(self, config: pytest.Config) -> None:
        self._hook = config.hook.pytest_runtest_protocol
        self._warnings: _IterationWarnings | None = None
        plugin = config.pluginmanager.get_plugin("warnings")
        if plugin is not None:
            self._hook = config.pluginmanager.subset_hook_caller("pytest_runtest_protocol", [plugin])
            self._warnings = _IterationWarnings(config)

    def run(self, item: pytest.Item, nextitem: pytest.Item | None) -> None:
        """Runs the hooks, inside the warning filters of pytest and of the test's marks."""
        if self._warnings is None:
            self._hook(item=item, nextitem=nextitem)
        else:
            with self._warnings.catch(item):
                self._hook(item=item, nextitem=nextitem)


class _IterationWarnings:
    """Records the warnings of iterations as pytest's own plugin would, each distinct one once a test.

    pytest keeps every recorded warning for the whole session; a test that warns in each of a million
    iterations must not fill the memory.
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

    def _record(self, kwargs: Mapping[str, Any]) -> None:
        warning = kwargs["warning_message"]
        distinct = (warning.category.__name__, str(warning.message), warning.filename, warning.lineno)
        if distinct not in self._seen and len(self._seen) < 1000:
            self._seen.add(distinct)
            self._config.hook.pytest_warning_recorded.call_historic(kwargs=kwargs)
