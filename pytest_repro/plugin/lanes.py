"""Which lane an item takes: the fast one only where nothing hangs on the run of a test but what it knows."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any

import pytest

RUN_HOOKS = (
    "pytest_runtest_protocol",
    "pytest_runtest_setup",
    "pytest_runtest_call",
    "pytest_runtest_teardown",
    "pytest_runtest_makereport",
)
"""Hooks that the fast lane goes past; all others are called in both lanes."""


class Lane(str, Enum):
    """How the iterations of a test are run."""

    AUTO = "auto"
    FAST = "fast"
    FULL = "full"


@dataclass(frozen=True, slots=True, kw_only=True)
class ChosenLane:
    """The lane of one test in one process.

    Attributes:
        name: Fast or full.
        reason: Why the full lane was taken, None if it was wanted, or for the fast one.
    """

    name: Lane
    reason: str | None = None


def choose_lane(item: pytest.Item, *, wanted: Lane) -> ChosenLane:
    """Returns the lane of an item; the fast one only where nothing speaks against it."""
    reason = None if wanted is Lane.FULL else reason_for_full_lane(item)
    is_full = wanted is Lane.FULL or reason is not None
    return ChosenLane(name=Lane.FULL if is_full else Lane.FAST, reason=reason)


def reason_for_full_lane(item: pytest.Item) -> str | None:
    """Returns why an item needs pytest's whole protocol in each iteration, or None if it does not."""
    config = item.config
    for option, shown in _OPTIONS.items():
        if config.getoption(option, None):
            return f"{shown} is given"
    for ini, shown in _INI.items():
        if _ini(config, ini):
            return f"{shown} is set"
    for hook in RUN_HOOKS:
        # pytest calls this one for all tests alike, wherever the conftest is that has it.
        caller = config.hook if hook == "pytest_runtest_protocol" else item.ihook
        for implementation in getattr(caller, hook).get_hookimpls():
            module = implementation.function.__module__
            known = _KNOWN.get(module.partition(".")[0] if module.startswith(_OURS) else module)
            if known is None or not known(item, implementation):
                return f"{_name_of(implementation, config)} hooks into {hook}"
    return None


_OURS = "pytest_repro"

_OPTIONS = {
    "usepdb": "--pdb",
    "trace": "--trace",
    "setupshow": "--setup-show",
    "setuponly": "--setup-only",
    "setupplan": "--setup-plan",
    "session_timeout": "--session-timeout",
    "log_cli_level": "--log-cli-level",
}

_INI = {
    "log_cli": "log_cli",
    "faulthandler_timeout": "faulthandler_timeout",
    "session_timeout": "session_timeout",
}


def _ini(config: pytest.Config, name: str) -> Any:
    try:
        value = config.getini(name)
    except (KeyError, ValueError):
        # The plugin that owns it is not loaded.
        return None
    return value not in (None, "", "0", "0.0", 0) and value


def _always(item: pytest.Item, implementation: Any) -> bool:
    del item, implementation
    return True


def _without_wrapper(item: pytest.Item, implementation: Any) -> bool:
    """Before pytest 8.4 wrappers around each stage did what a look after it does since."""
    del item
    return not (implementation.wrapper or implementation.hookwrapper)


def _without_function_only(item: pytest.Item, implementation: Any) -> bool:
    """The timeout of a whole test is set in both lanes, that of the function alone only in the full one."""
    del implementation
    mark = item.get_closest_marker("timeout")
    is_marked = mark is not None and bool(mark.kwargs.get("func_only"))
    return not is_marked and not _ini(item.config, "timeout_func_only")


def _without_reset(item: pytest.Item, implementation: Any) -> bool:
    """A stress run tells pytest-randomly to leave the seeds alone; then its hooks do nothing."""
    del implementation
    return not item.config.getoption("randomly_reset_seed", default=True)


def _without_hypothesis(item: pytest.Item, implementation: Any) -> bool:
    """Hypothesis only looks at its own tests, and at functions that other decorators of it have touched."""
    del implementation
    if "hypothesis" not in sys.modules:
        return True
    function = getattr(item, "obj", None)
    names = getattr(getattr(function, "__func__", function), "__dict__", {})
    return not any("hypothesis" in name for name in names)


_KNOWN: Mapping[str, Callable[[pytest.Item, Any], bool]] = {
    _OURS: _always,
    "_pytest.assertion": _always,
    "_pytest.capture": _always,
    "_pytest.faulthandler": _always,
    "_pytest.logging": _always,
    "_pytest.runner": _always,
    "_pytest.skipping": _always,
    "_pytest.threadexception": _without_wrapper,
    "_pytest.tmpdir": _always,
    "_pytest.unittest": _always,
    "_pytest.unraisableexception": _without_wrapper,
    "_pytest.warnings": _always,
    # Its report hook only adds to reports, and those that pytest is told of are made in both lanes.
    "pytest_html.plugin": _always,
    "_hypothesis_pytestplugin": _without_hypothesis,
    "pytest_randomly": _without_reset,
    "pytest_timeout": _without_function_only,
}


def _name_of(implementation: Any, config: pytest.Config) -> str:
    """Names what hooks in, as a person would look for it."""
    file = getattr(implementation.plugin, "__file__", None)
    if file is not None and Path(file).name == "conftest.py":
        path = Path(file)
        return str(path.relative_to(config.rootpath) if path.is_relative_to(config.rootpath) else path)
    module = str(implementation.function.__module__)
    for plugin, distribution in config.pluginmanager.list_plugin_distinfo():
        if plugin is implementation.plugin or getattr(plugin, "__name__", "") == module:
            return str(distribution.project_name)
    return module.partition(".")[0] if module else str(implementation.plugin_name)
