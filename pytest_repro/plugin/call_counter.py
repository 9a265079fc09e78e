"""Notes in each process that runs tests what the gate must know of them, on pytest's own reports."""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Any

import pytest

from pytest_repro.plugin.verify_options import MARK
from pytest_repro.verify.runs import POSITIONAL

CALLS = "repro_calls"
"""Attribute of the teardown report: how often the test was called."""

TRIES = "repro_tries"
"""Attribute of the teardown report: how often the test was set up or called, whichever is more."""

FAILURES = "repro_failures"
"""Attribute of the teardown report: how often it failed, whatever became of the reports."""

MARKS = "repro_marks"
"""Attribute of every report: the arguments of the test's marks `repro_verify`, the nearest mark first."""


def marks_of(item: pytest.Item) -> list[dict[str, Any]]:
    """Returns the arguments of each mark `repro_verify` of a test, those of the nearest one first."""
    return [
        _as_builtins({**({POSITIONAL: mark.args} if mark.args else {}), **mark.kwargs})
        for mark in item.iter_markers(MARK)
    ]


def _as_builtins(value: Any) -> Any:
    """Returns what can be sent to another process and written as JSON; anything else as its text."""
    if isinstance(value, dict):
        return {str(name): _as_builtins(each) for name, each in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_as_builtins(each) for each in value]
    if value is None or type(value) in (bool, int, float, str):
        return value
    # Of a subclass, an enumeration perhaps, the value: xdist sends no other than the builtin itself.
    for builtin, convert in _EXACT:
        if isinstance(value, builtin):
            return convert(value)
    return str(value)


_EXACT: tuple[tuple[type, Callable[[Any], Any]], ...] = (
    (int, int.__int__),
    (float, float.__float__),
    (str, str.__str__),
)


class CallCounter:
    """Counts how often each test is set up and called, in a process that runs tests: twice means a rerun."""

    def __init__(self) -> None:
        self._begin()

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_protocol(self) -> Generator[None, object, object]:
        """A test begins."""
        self._begin()
        return (yield)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_setup(self) -> Generator[None, object, object]:
        """Counts a setup: one that fails has no call."""
        self._setups += 1
        return (yield)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_call(self) -> Generator[None, object, object]:
        """Counts a call, whoever makes it."""
        self._calls += 1
        return (yield)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Attaches what is known to the reports of the test."""
        report = yield
        # A plugin with a protocol of its own may call tests without pytest's hook, and reports the call.
        # The number of reports says nothing: each subtest is reported like a call.
        self._reports += call.when == "call"
        self._failures += _is_failure(report, call)
        if call.when == "teardown":
            setattr(report, CALLS, self._calls or min(1, self._reports))
            setattr(report, TRIES, max(self._setups, self._calls))
            setattr(report, FAILURES, self._failures)
        marks = marks_of(item)
        if marks:
            setattr(report, MARKS, marks)
        return report

    def _begin(self) -> None:
        self._setups = self._calls = self._reports = self._failures = 0


def _is_failure(report: pytest.TestReport, call: pytest.CallInfo[None]) -> bool:
    """Tells whether something failed; also where a plugin has made a pass of it."""
    if report.failed or report.skipped or hasattr(report, "wasxfail"):
        return report.failed
    return call.excinfo is not None and not call.excinfo.errisinstance(pytest.skip.Exception)
