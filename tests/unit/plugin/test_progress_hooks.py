"""When progress is shown, and how a line is kept out of the way of everything else."""

from __future__ import annotations

import io
import os
from typing import Any

import pytest

from pytest_repro.plugin.displays import PLAIN_NS, UPDATE_NS, LiveLine
from pytest_repro.plugin.progress import ProgressHooks
from pytest_repro.report.progress import Progress, StressProgress
from pytest_repro.stress.plan import StressPlan
from pytest_repro.stress.tally import StressTally

BATCH: dict[str, Any] = {
    "test": "t",
    "worker": "main",
    "hash_seeds": [],
    "stages_ns": [0, 0, 0],
    "durations_ns": b"\0" * 8,
    "failures": [],
}


class ListDisplay:
    """Keeps what it is told to show, and what else it is told, in order."""

    def __init__(self, *, interval_ns: int = UPDATE_NS, delay_ns: int = 0) -> None:
        self.interval_ns = interval_ns
        self.delay_ns = delay_ns
        self.shown: list[StressProgress] = []
        self.calls: list[str] = []

    def show(self, progress: Progress) -> None:
        assert isinstance(progress, StressProgress)
        self.shown.append(progress)
        self.calls.append("show")

    def erase(self) -> None:
        self.calls.append("erase")

    def restore(self) -> None:
        self.calls.append("restore")


class Run:
    """A stress run of one test whose batches come when they are told."""

    def __init__(self, display: ListDisplay | None, plan: StressPlan | None = None) -> None:
        plan = plan or StressPlan(iterations=1000)
        self.now_ns = 7
        self.asked = 0
        self.tally = StressTally(plan, began_ns=self.now_ns)
        self.tally.expect(["t"])
        self._display = display
        self.hooks = ProgressHooks(plan, make_display=self._make_display, clock=lambda: self.now_ns)

    def finish(self, iterations: int, *, after_ns: int) -> None:
        self.now_ns += after_ns
        self.tally.add_batch({**BATCH, "outcomes": [["passed", iterations]]})
        self.hooks.update(self.tally)

    def _make_display(self) -> ListDisplay | None:
        self.asked += 1
        return self._display


def test_nothing_is_shown_before_the_first_iteration() -> None:
    """Workers that still collect have a line of xdist's own; the terminal is asked for when it is needed."""
    display = ListDisplay()
    run = Run(display)
    run.hooks.update(run.tally)
    assert (run.asked, display.calls) == (0, [])
    run.hooks.begin()
    run.hooks.begin()
    run.hooks.update(run.tally)
    assert (run.asked, display.calls) == (1, ["show"])
    assert (display.shown[0].finished, display.shown[0].planned) == (0, 1000)


def test_batches_that_come_fast_are_shown_five_times_a_second() -> None:
    """Two hundred batches in two seconds: eleven updates, the first one at once."""
    display = ListDisplay()
    run = Run(display)
    run.hooks.begin()
    run.hooks.update(run.tally)
    for _ in range(200):
        run.finish(3, after_ns=10_000_000)
    assert [progress.finished for progress in display.shown] == list(range(0, 601, 60))
    assert display.shown[-1].rate_per_s == pytest.approx(300)
    assert display.shown[-1].left_ns == pytest.approx(400 / 300 * 1e9)


def test_lines_that_stay_come_every_ten_seconds_and_none_at_once() -> None:
    """A session of nine seconds has none, one of 35 seconds three; the rate is still that of the window."""
    display = ListDisplay(interval_ns=PLAIN_NS, delay_ns=PLAIN_NS)
    run = Run(display)
    run.hooks.begin()
    for _ in range(99):
        run.finish(1, after_ns=100_000_000)
    assert display.shown == []
    for _ in range(251):
        run.finish(2, after_ns=100_000_000)
    assert [progress.finished for progress in display.shown] == [101, 301, 501]
    assert display.shown[-1].rate_per_s == pytest.approx(20)


def test_what_was_erased_is_shown_again_with_the_next_message() -> None:
    """A test that ends often does not make the line flicker away."""
    display = ListDisplay()
    run = Run(display)
    run.hooks.begin()
    run.hooks.update(run.tally)
    run.hooks.pytest_runtest_logreport()
    run.finish(1, after_ns=5)
    assert display.calls == ["show", "erase", "restore"]


def test_after_the_end_nothing_is_shown_any_more() -> None:
    """Whatever still arrives."""
    display = ListDisplay()
    run = Run(display)
    run.hooks.begin()
    run.hooks.update(run.tally)
    run.hooks.pytest_sessionfinish()
    run.finish(1, after_ns=UPDATE_NS)
    run.hooks.pytest_runtest_logreport()
    assert display.calls == ["show", "erase"]


def test_without_a_display_nothing_happens() -> None:
    """`-p no:terminal`."""
    run = Run(None)
    run.hooks.pytest_runtest_logstart()
    run.hooks.begin()
    run.finish(1, after_ns=UPDATE_NS)
    run.hooks.pytest_sessionfinish()
    assert run.asked == 1


def test_iterations_that_will_not_run_are_not_waited_for() -> None:
    """A test that `--repro-stop` ended: the planned number stays, the end is near."""
    display = ListDisplay()
    run = Run(display)
    run.hooks.begin()
    run.hooks.give_up(900)
    run.finish(100, after_ns=UPDATE_NS)
    assert (display.shown[0].planned, display.shown[0].left_ns) == (1000, 0)


def test_a_budget_ends_the_run() -> None:
    """Iterations without a number take what is left of the time."""
    display = ListDisplay()
    run = Run(display, StressPlan(iterations=None, budget_ns=10**9))
    run.hooks.begin()
    run.finish(100, after_ns=UPDATE_NS)
    assert (display.shown[0].planned, display.shown[0].left_ns) == (None, 10**9 - UPDATE_NS)


class FakeWriter:
    """Stands for pytest's terminal writer; its terminal is 80 columns wide."""

    fullwidth = 80
    width_of_current_line = 0

    def markup(self, text: str, **markup: bool) -> str:
        colours = ",".join(name for name, is_on in markup.items() if is_on)
        return f"<{colours}>{text}</>"


CALM = StressProgress(finished=5, planned=9, failures=0, bugs=0, rate_per_s=None, left_ns=None)
GO_BELOW, ERASE, GO_BACK = "\x1bD\x1b[A\x1b7\x1b[B\r", "\x1b[J", "\x1b8"


@pytest.fixture
def writer() -> FakeWriter:
    return FakeWriter()


@pytest.fixture
def file(monkeypatch: pytest.MonkeyPatch) -> io.StringIO:
    """What is written to a terminal whose size nobody knows."""
    file = io.StringIO()
    monkeypatch.setattr(file, "fileno", lambda: 1)

    def unknown(descriptor: int) -> os.terminal_size:
        raise OSError(descriptor)

    monkeypatch.setattr(os, "get_terminal_size", unknown)
    return file


def written(file: io.StringIO) -> str:
    text = file.getvalue()
    file.seek(0)
    file.truncate()
    return text


def test_the_live_line_stands_below_the_cursor_and_is_erased_there(
    writer: FakeWriter, file: io.StringIO
) -> None:
    """The cursor stays where pytest left it, before and after."""
    live = LiveLine(writer, file, is_short=False)
    live.show(CALM)
    text = "<green>stress: 5 of 9 iterations, no failure</>"
    assert written(file) == f"{GO_BELOW}{text}{ERASE}{GO_BACK}"
    live.erase()
    assert written(file) == f"{GO_BELOW}{ERASE}{GO_BACK}"
    live.erase()
    assert written(file) == ""
    live.restore()
    assert written(file) == f"{GO_BELOW}{text}{ERASE}{GO_BACK}"
    live.restore()
    assert written(file) == ""


def test_failures_make_the_live_line_red(writer: FakeWriter, file: io.StringIO) -> None:
    """As pytest's own last line would be."""
    LiveLine(writer, file, is_short=False).show(
        StressProgress(finished=5, planned=9, failures=1, bugs=1, rate_per_s=None, left_ns=None)
    )
    assert "<red>stress: 5 of 9 iterations, 1 failure (1 bug)</>" in written(file)


def test_the_live_line_leaves_the_last_column_free(
    writer: FakeWriter, file: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its width is the terminal's own, also where pytest thinks of another."""
    monkeypatch.setattr(os, "get_terminal_size", lambda _: os.terminal_size((24, 9)))
    LiveLine(writer, file, is_short=False).show(CALM)
    assert "<green>stress: 5, no failure</>" in written(file)
    monkeypatch.setattr(os, "get_terminal_size", lambda _: os.terminal_size((25, 9)))
    LiveLine(writer, file, is_short=False).show(CALM)
    assert "<green>stress: 5, no failure</>" in written(file)
    monkeypatch.setattr(os, "get_terminal_size", lambda _: os.terminal_size((30, 9)))
    LiveLine(writer, file, is_short=False).show(CALM)
    assert "<green>stress: 5 of 9, no failure</>" in written(file)


def test_after_the_last_column_of_a_row_the_live_line_waits(writer: FakeWriter, file: io.StringIO) -> None:
    """There terminals disagree about where the cursor is: a dot of pytest could be lost."""
    live = LiveLine(writer, file, is_short=False)
    writer.width_of_current_line = 160
    live.show(CALM)
    live.erase()
    assert written(file) == ""
    writer.width_of_current_line = 161
    live.restore()
    assert "stress: 5 of 9" in written(file)
