"""What people see while a stress run goes on, on the terminal of pytest."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from pytest_repro.clock import MonotonicNs
from pytest_repro.plugin.displays import UPDATE_NS, Display
from pytest_repro.report.progress import StressProgress
from pytest_repro.stress.pace import Pace
from pytest_repro.stress.plan import StressPlan
from pytest_repro.stress.tally import StressTally


class ProgressHooks:
    """Shows how far a stress run is, and makes room for what pytest writes meanwhile.

    Told of progress between iterations in the main thread, while nothing is captured.

    Args:
        plan: What was asked for.
        make_display: Called when the first iteration begins: by then there is a terminal, if ever.
        clock: Monotonic, in nanoseconds.
    """

    def __init__(
        self, plan: StressPlan, *, make_display: Callable[[], Display | None], clock: MonotonicNs
    ) -> None:
        self._budget_ns = plan.budget_ns
        self._make_display = make_display
        self._clock = clock
        self._display: Display | None = None
        self._pace: Pace | None = None
        self._given_up = 0
        self._next_note_ns = 0
        self._next_show_ns = 0

    def begin(self) -> None:
        """Notes that an iteration begins; the first one counts."""
        if self._pace is None:
            now_ns = self._clock()
            self._pace = Pace(began_ns=now_ns)
            self._display = self._make_display()
            self._next_note_ns = now_ns
            if self._display is not None:
                self._next_show_ns = now_ns + self._display.delay_ns

    def give_up(self, iterations: int) -> None:
        """Notes that so many of the planned iterations will not run."""
        self._given_up += iterations

    def update(self, tally: StressTally, *, waits_for: str = "") -> None:
        """Shows what is known by now, if it is time to.

        Args:
            tally: What is known.
            waits_for: What takes long now, empty for nothing.
        """
        if self._display is None or self._pace is None:
            return
        now_ns = self._clock()
        if now_ns >= self._next_note_ns:
            self._next_note_ns = now_ns + UPDATE_NS
            self._pace.note(tally.finished, now_ns=now_ns)
        if now_ns >= self._next_show_ns:
            self._next_show_ns = now_ns + self._display.interval_ns
            self._display.show(self._progress(tally, self._pace, waits_for))
        else:
            self._display.restore()

    @pytest.hookimpl(tryfirst=True, optionalhook=True)
    def erase(self) -> None:
        """Makes room: something is written now."""
        if self._display is not None:
            self._display.erase()

    # Whatever is written while tests run, one of these comes before it.
    pytest_runtest_logstart = erase
    pytest_runtest_logreport = erase
    pytest_runtest_logfinish = erase
    pytest_collectreport = erase
    pytest_internalerror = erase
    pytest_keyboard_interrupt = erase
    pytest_testnodedown = erase
    pytest_testnodeready = erase
    pytest_xdist_newgateway = erase
    pytest_xdist_node_collection_finished = erase

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self) -> None:
        """Leaves nothing behind."""
        self.erase()
        self._display = None

    def _progress(self, tally: StressTally, pace: Pace, waits_for: str) -> StressProgress:
        planned = tally.planned
        to_run = None if planned is None else planned - self._given_up - tally.finished
        return StressProgress(
            finished=tally.finished,
            planned=planned,
            failures=tally.failures,
            bugs=tally.distinct_bugs,
            rate_per_s=pace.rate_per_s,
            left_ns=pace.left_ns(to_run=to_run, budget_ns=self._budget_ns),
            waits_for=waits_for,
        )
