"""One iteration without pytest's hooks: setup, call and teardown called directly (the fast lane).

Only for items on whose stages nothing hangs but what is done here by hand; see `pytest_repro.plugin.lanes`.

PYTEST_DONT_REWRITE: assertions here are not the test's, whose `pytest_assertion_pass` would be told of them.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import Any

import _pytest.assertion
import _pytest.skipping
import _pytest.unittest
import pytest
from _pytest.runner import check_interactive_exception
from _pytest.skipping import evaluate_xfail_marks, xfailed_key
from _pytest.tmpdir import tmppath_result_key

from pytest_repro.clock import MonotonicNs, now_utc
from pytest_repro.plugin.internals.leftovers import Leftovers
from pytest_repro.plugin.internals.output import SliceOutput
from pytest_repro.plugin.internals.warned import IterationWarnings, SliceWarnings

_CURRENT_TEST = "PYTEST_CURRENT_TEST"
_CONDITIONS = frozenset({"skip", "skipif", "xfail"})


class DirectStages:
    """Runs the stages of one item, again and again.

    Attributes:
        stages_ns: Durations of setup, call and teardown of the last iteration.

    Args:
        item: The item.
        clock: Monotonic, in nanoseconds.
        timer: Starts the item's timeout and returns what ends it; None without a timeout.
    """

    def __init__(
        self,
        item: pytest.Item,
        *,
        clock: MonotonicNs,
        warned: IterationWarnings | None,
        timer: Callable[[], Callable[[], None]] | None,
    ) -> None:
        self.stages_ns = (0, 0, 0)
        self._item: Any = item
        self._session: Any = item.session
        self._clock = clock
        self._timer = timer
        self._output = SliceOutput(item)
        self._warnings = None if warned is None else SliceWarnings(item, warned)
        self._leftovers = Leftovers(item.config)
        self._context = contextlib.ExitStack()
        name = item.nodeid.replace("\x00", "(null)")
        self._setup_name, self._call_name, self._teardown_name = (
            f"{name} ({when})" for when in ("setup", "call", "teardown")
        )
        manager = item.config.pluginmanager
        self._can_skip = manager.has_plugin("skipping")
        self._mark_lists = [node.own_markers for node in item.listchain()]
        self._marks = sum(map(len, self._mark_lists))
        self._has_conditions = self._can_skip and any(
            mark.name in _CONDITIONS for mark in item.iter_markers()
        )
        self._is_unittest = isinstance(item, _pytest.unittest.TestCaseFunction)
        self._reraise = (pytest.exit.Exception, KeyboardInterrupt)
        self._reports: list[pytest.TestReport] = []
        self._spans: list[tuple[str, int, int, int]] = []
        self._passed: dict[str, bool] = {}

    def start(self) -> None:
        """Enters what pytest enters around each test, once for all iterations."""
        manager = self._item.config.pluginmanager
        enter = self._context.enter_context
        if self._warnings is not None:
            enter(self._warnings.catch())
        for name, module in (("assertion", _pytest.assertion), ("unittest", _pytest.unittest)):
            if manager.has_plugin(name):
                enter(contextlib.contextmanager(module.pytest_runtest_protocol)(self._item))
        self._output.start()
        self._context.callback(self._output.stop)

    def stop(self) -> None:
        """Leaves it all."""
        self._context.close()

    def suspended(self) -> contextlib.AbstractContextManager[None]:
        """Lets the block write to the real terminal."""
        return self._output.suspended()

    def run(self, nextitem: pytest.Item | None) -> list[pytest.TestReport] | None:
        """Runs setup, call and teardown.

        Returns:
            None if all three passed as plainly as can be, else the reports as pytest's protocol makes them.
        """
        item = self._item
        self._reports = []
        self._spans = []
        # tmp_path removes the folder of a test that passed, if it was told to keep those of failed ones.
        item.stash[tmppath_result_key] = self._passed = {}
        self._output.begin_iteration()
        end_timer = None if self._timer is None else self._timer()
        try:
            is_set_up, setup_ns = self._stage("setup", self._set_up)
            call_ns = 0
            if is_set_up:
                _, call_ns = self._stage("call", self._call)
            if self._session.shouldfail or self._session.shouldstop:
                nextitem = None
            _, teardown_ns = self._stage("teardown", lambda: self._tear_down(nextitem))
        finally:
            if end_timer is not None:
                end_timer()
            if hasattr(item, "_request"):
                item._request = False
                item.funcargs = None
            if self._warnings is not None:
                self._warnings.end_iteration(self.suspended)
        self.stages_ns = (setup_ns, call_ns, teardown_ns)
        return self._reports or None

    def reports(self) -> list[pytest.TestReport]:
        """Returns the reports of the last iteration, also if it passed."""
        self._report_spans()
        return self._reports

    def _stage(self, when: str, body: Callable[[], None]) -> tuple[bool, int]:
        """Runs one stage; returns whether it passed, and how long it took."""
        output = self._output
        error = None
        started_ns = self._clock()
        try:
            output.begin(when)
            try:
                body()
            finally:
                output.end(when)
        except BaseException as raised:
            # Whatever a test raises is its outcome, but for what ends the session.
            if isinstance(raised, self._reraise):
                raise
            error = raised
        ended_ns = self._clock()
        self._spans.append((when, started_ns, ended_ns, len(self._item.user_properties)))
        if error is None and not self._must_report():
            self._passed[when] = True
            return True, ended_ns - started_ns
        self._report_spans(error)
        return self._reports[-1].passed, ended_ns - started_ns

    def _must_report(self) -> bool:
        """Tells whether a stage that raised nothing still has something to tell."""
        item = self._item
        if self._is_unittest and item._excinfo:
            return True
        return bool(self._reports) or (self._is_conditional() and bool(item.stash.get(xfailed_key, None)))

    def _is_conditional(self) -> bool:
        if self._has_conditions:
            return True
        return self._can_skip and sum(map(len, self._mark_lists)) != self._marks

    def _report_spans(self, error: BaseException | None = None) -> None:
        """Makes the reports of the stages that have none yet; the last of them raised `error`."""
        spans = self._spans[len(self._reports) :]
        # What unittest has collected belongs to the last of them: the others have passed.
        collected = self._item.__dict__.pop("_excinfo", None) if self._is_unittest else None
        for span in spans[:-1]:
            self._report_late(span)
        if collected is not None:
            self._item._excinfo = collected
        if spans:
            self._report_span(spans[-1], error)

    def _report_late(self, span: tuple[str, int, int, int]) -> None:
        """Makes the report of a stage as it was before later ones added to the item."""
        when, _, _, properties = span
        item = self._item
        kept = item._report_sections, item.user_properties
        later = _LATER[when]
        item._report_sections = [section for section in item._report_sections if section[0] not in later]
        item.user_properties = item.user_properties[:properties]
        try:
            self._report_span(span, None)
        finally:
            item._report_sections, item.user_properties = kept

    def _report_span(self, span: tuple[str, int, int, int], error: BaseException | None) -> None:
        when, started_ns, ended_ns, _ = span
        item = self._item
        excinfo = None if error is None else _excinfo(error)
        stop = now_utc().timestamp() - (self._clock() - ended_ns) / 1e9
        duration = (ended_ns - started_ns) / 1e9
        make: Any = pytest.CallInfo
        call = make(None, excinfo, stop - duration, stop, duration, when, _ispytest=True)
        report: pytest.TestReport = item.ihook.pytest_runtest_makereport(item=item, call=call)
        self._reports.append(report)
        if check_interactive_exception(call, report):
            # What a hook prints or logs between two stages belongs to neither.
            with self.suspended():
                item.ihook.pytest_exception_interact(node=item, call=call, report=report)

    def _set_up(self) -> None:
        item = self._item
        os.environ[_CURRENT_TEST] = self._setup_name
        if self._is_conditional():
            _pytest.skipping.pytest_runtest_setup(item)
        elif self._can_skip:
            item.stash[xfailed_key] = None
        self._session._setupstate.setup(item)
        self._leftovers.collect()

    def _call(self) -> None:
        if self._is_conditional():
            with _conditions(self._item):
                self._run_test()
            return
        try:
            self._run_test()
        finally:
            if self._is_conditional():
                # The test itself has marked itself.
                self._item.stash[xfailed_key] = evaluate_xfail_marks(self._item)

    def _run_test(self) -> None:
        os.environ[_CURRENT_TEST] = self._call_name
        if hasattr(sys, "last_type"):
            _forget_last_error()
        try:
            self._item.runtest()
        except Exception as error:
            _keep_last_error(error)
            raise
        self._leftovers.collect()

    def _tear_down(self, nextitem: pytest.Item | None) -> None:
        os.environ[_CURRENT_TEST] = self._teardown_name
        self._session._setupstate.teardown_exact(nextitem)
        os.environ.pop(_CURRENT_TEST)
        self._leftovers.collect()


_LATER = {"setup": ("call", "teardown"), "call": ("teardown",), "teardown": ()}


@contextlib.contextmanager
def _conditions(item: pytest.Item) -> Iterator[None]:
    with contextlib.contextmanager(_pytest.skipping.pytest_runtest_call)(item):
        yield


def _excinfo(error: BaseException) -> pytest.ExceptionInfo[BaseException]:
    """Returns the exception with its traceback from below this module on."""
    traceback: TracebackType | None = error.__traceback__
    while traceback is not None and traceback.tb_next is not None and _is_ours(traceback):
        traceback = traceback.tb_next
    assert traceback is not None
    return pytest.ExceptionInfo.from_exc_info((type(error), error, traceback))


def _is_ours(traceback: TracebackType) -> bool:
    return str(traceback.tb_frame.f_globals.get("__name__")).startswith("pytest_repro.plugin.")


def _forget_last_error() -> None:
    for name in ("last_type", "last_value", "last_traceback", "last_exc"):
        if hasattr(sys, name):
            delattr(sys, name)


def _keep_last_error(error: Exception) -> None:
    """Stores the error where a debugger looks for it, as pytest does."""
    sys.last_type = type(error)
    sys.last_value = error
    assert error.__traceback__ is not None
    sys.last_traceback = error.__traceback__.tb_next
    if sys.version_info >= (3, 12):
        sys.last_exc = error
