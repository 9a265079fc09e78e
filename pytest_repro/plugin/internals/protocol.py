"""One iteration through all of pytest's hooks."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any

import pytest
from _pytest.runner import runtestprotocol

from pytest_repro.plugin.internals.warned import IterationWarnings


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
        warned: Records warnings in the place of pytest's plugin, None where that is off.
    """

    def __init__(self, config: pytest.Config, warned: IterationWarnings | None) -> None:
        self._hook = config.hook.pytest_runtest_protocol
        self._warnings = warned
        if warned is not None:
            plugin = config.pluginmanager.get_plugin("warnings")
            self._hook = config.pluginmanager.subset_hook_caller("pytest_runtest_protocol", [plugin])

    def run(self, item: pytest.Item, nextitem: pytest.Item | None) -> None:
        """Runs the hooks, inside the warning filters of pytest and of the test's marks."""
        if self._warnings is None:
            self._hook(item=item, nextitem=nextitem)
        else:
            with self._warnings.catch(item):
                self._hook(item=item, nextitem=nextitem)
