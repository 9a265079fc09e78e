"""One iteration without pytest's hooks: setup, call and teardown called directly (the fast lane).

Only for items on whose stages nothing hangs but what is done here by hand; see `pytest_repro.plugin.lanes`.

PYTEST_DONT_REWRITE: assertions here are not the test's, whose `pytest_assertion_pass` would be told of them.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable
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
_CURRENT_TEST_KEY = os.fsencode(_CURRENT_TEST)
# Behind os.environ, as bytes; a look into it costs a twentieth of setting a variable.
_ENVIRONMENT: dict[bytes, bytes] = os.environ._data  # type: ignore[attr-defined]
_CONDITIONS = frozenset({"skip", "skipif", "xfail"})


class DirectStages:
    """Runs the stages of one item, again and again.

    Attributes:
        stages_ns: Durations of setup, call and teardown of the last iteration.

    Args:
        item: The item.
        clock: Monotonic, in nanoseconds.
        warned: Tells pytest of warnings, None where pytest's plugin for them is off.
        timer: Starts the item's timeout and returns what ends it; None without a timeout.
        note_stage: Told of each stage but the first when it begins, with the clock.
    """

    def __init__(
        self,
        item: pytest.Item,
        *,
        clock: MonotonicNs,
        warned: IterationWarnings | None,
        timer: Callable[[], Callable[[], None]] | None,
        note_stage: Callable[[str, int], None],
    ) -> None:
        self.stages_ns = (0, 0, 0)
        self._item: Any = item
        self._session: Any = item.session
        self._clock = clock
        self._timer = timer
        self._note_stage = note_stage
        self._output = SliceOutput(item)
        self._warnings = None if warned is None else SliceWarnings(item, warned)
        self._leftovers = Leftovers(item.config)
        self._context = contextlib.ExitStack()
        name = item.nodeid.replace("\x00", "(null)")
        self._names = {when: f"{name} ({when})" for when in ("setup", "call", "teardown")}
        self._current_stage = ""
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
        self._stack = self._session._setupstate.stack
        self._parents = len(self._mark_lists) - 1
        self._is_plain = _is_plain(item)
        self._is_marked = False
        self._current_test: bytes | None = None
        self._is_torn_down = False

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
        self._name_no_stage()

    def suspended(self) -> contextlib.AbstractContextManager[None]:
        """Lets the block, which is between two iterations, write to the real terminal."""
        self._name_no_stage()
        return self._output.suspended()

    def run(self, nextitem: pytest.Item | None) -> list[pytest.TestReport] | None:
        """Runs setup, call and teardown.

        Returns:
            None if all three passed as plainly as can be, else the reports as pytest's protocol makes them.
        """
        item = self._item
        self._reports = []
        self._spans = []
        self._is_torn_down = False
        # tmp_path removes the folder of a test that passed, if it was told to keep those of failed ones.
        item.stash[tmppath_result_key] = self._passed = {}
        self._output.begin_iteration()
        end_timer = None if self._timer is None else self._timer()
        try:
            self._is_marked = self._is_conditional()
            is_quiet = self._is_plain and len(self._stack) == self._parents and not self._is_marked
            is_set_up, setup_ns = self._stage("setup", self._set_up, is_quiet=is_quiet)
            call_ns = 0
            if is_set_up:
                _, call_ns = self._stage("call", self._call)
            if self._session.shouldfail or self._session.shouldstop:
                nextitem = None
            is_quiet = (
                self._is_plain
                and nextitem is not None
                and nextitem.parent is item.parent
                and len(self._stack.get(item, ((),))[0]) == 1
            )
            _, teardown_ns = self._stage("teardown", lambda: self._tear_down(nextitem), is_quiet=is_quiet)
        finally:
            if end_timer is not None:
                self._name_no_stage()
                end_timer()
            if hasattr(item, "_request"):
                item._request = False
                item.funcargs = None
            if self._warnings is not None:
                self._warnings.end_iteration(self.suspended)
        self.stages_ns = (setup_ns, call_ns, teardown_ns)
        if not self._reports:
            return None
        self._name_no_stage()
        return self._reports

    def reports(self) -> list[pytest.TestReport]:
        """Returns the reports of the last iteration, also if it passed."""
        self._report_spans()
        return self._reports

    def _stage(self, when: str, body: Callable[[], None], *, is_quiet: bool = False) -> tuple[bool, int]:
        """Runs one stage; returns whether it passed, and how long it took (ns).

        Args:
            when: Its name.
            body: What it does.
            is_quiet: Nothing of the user's can run in it, so nobody can write, log or look.
        """
        output = self._output
        error = None
        started_ns = self._clock()
        if when != "setup":
            self._note_stage(when, started_ns)
        try:
            if is_quiet:
                body()
            else:
                self._name_stage(when)
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
        return bool(self._reports) or (self._is_marked and bool(item.stash.get(xfailed_key, None)))

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
            with self._output.suspended():
                item.ihook.pytest_exception_interact(node=item, call=call, report=report)

    def _name_stage(self, when: str) -> None:
        """Tells who looks into the environment where the test is; it mostly is there already."""
        if _ENVIRONMENT.get(_CURRENT_TEST_KEY) is not self._current_test or self._current_stage != when:
            os.environ[_CURRENT_TEST] = self._names[when]
            self._current_test = _ENVIRONMENT[_CURRENT_TEST_KEY]
            self._current_stage = when

    def _name_no_stage(self) -> None:
        """As pytest does, unless teardown fails or does not take place."""
        if self._is_torn_down:
            os.environ.pop(_CURRENT_TEST, None)
            self._current_stage = ""

    def _set_up(self) -> None:
        item = self._item
        if self._is_marked:
            _pytest.skipping.pytest_runtest_setup(item)
        elif self._can_skip:
            item.stash[xfailed_key] = None
        self._session._setupstate.setup(item)
        self._leftovers.collect()

    def _call(self) -> None:
        self._is_marked = self._is_conditional()
        if self._is_marked:
            with contextlib.contextmanager(_pytest.skipping.pytest_runtest_call)(self._item):
                self._run_test()
            return
        try:
            self._run_test()
        finally:
            self._is_marked = self._is_conditional()
            if self._is_marked:
                # The test itself has marked itself.
                self._item.stash[xfailed_key] = evaluate_xfail_marks(self._item)

    def _run_test(self) -> None:
        if hasattr(sys, "last_type"):
            _forget_last_error()
        try:
            self._item.runtest()
        except Exception as error:
            _keep_last_error(error)
            raise
        self._leftovers.collect()

    def _tear_down(self, nextitem: pytest.Item | None) -> None:
        self._session._setupstate.teardown_exact(nextitem)
        self._is_torn_down = True
        self._leftovers.collect()


def _is_plain(item: pytest.Item) -> bool:
    """Tells whether setup and teardown of an item itself run nothing of the user's."""
    if not isinstance(item, pytest.Function) or item._fixtureinfo.name2fixturedefs:
        return False
    return type(item).setup is pytest.Function.setup and type(item).teardown is pytest.Function.teardown


_LATER = {"setup": ("call", "teardown"), "call": ("teardown",), "teardown": ()}


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
