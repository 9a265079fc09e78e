"""One test's iterations in this process."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

import pytest

from pytest_repro.clock import MonotonicNs
from pytest_repro.model import Outcome, Stage
from pytest_repro.plugin.command import Relaunch
from pytest_repro.plugin.internals.items import FreshItem, copy_item
from pytest_repro.plugin.internals.protocol import HookOverride, tear_down_to
from pytest_repro.plugin.iteration import Current
from pytest_repro.plugin.raised import Raised, base_folder, chain_of, first_line, raised_of
from pytest_repro.plugin.resets import DeviceResets
from pytest_repro.plugin.session import WorkerPlace
from pytest_repro.plugin.stress_control import Control
from pytest_repro.plugin.timing import Timekeeper
from pytest_repro.signature import make_signature, signature_to_dict
from pytest_repro.stress.loop import FailureFacts, IterationResult, Message
from pytest_repro.stress.plan import StressPlan
from pytest_repro.stress.seeds import Reseeder, SeedSource, seed_name
from pytest_repro.stress.texts import TEXTS_OF_A_PROCESS

TEXT_LIMIT = 100_000
"""Characters kept of one traceback with its captured output."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """What running iterations needs, made once for a process.

    Attributes:
        config: Of this process.
        plan: What was asked for.
        place: Which process this is.
        send: Takes a message for the controller.
        control: Stop signs and position.
        current: Told which iteration runs.
        timekeeper: Collects phases.
        reseeder: Sets random number generators.
        clock: Monotonic, in nanoseconds.
        resets: Resets devices.
        device: What is leased to this process, or None.
        relaunch: Starts pytest for iterations in processes of their own; None if they run in this one.
        shared: Folder for temporary files of such processes.
    """

    config: pytest.Config
    plan: StressPlan
    place: WorkerPlace
    send: Callable[[Message], None]
    control: Control
    current: Current
    timekeeper: Timekeeper
    reseeder: Reseeder
    clock: MonotonicNs
    resets: DeviceResets
    device: str | None = None
    relaunch: Relaunch | None = None
    shared: Path | None = None


class IterationRunner(Protocol):
    """Runs the stages of one item again and again; one for each lane."""

    stages_ns: tuple[int, int, int]
    """Durations of setup, call and teardown of the last iteration."""

    def start(self) -> None:
        """Opens what stays open over all iterations."""

    def stop(self) -> None:
        """Closes it."""

    def suspended(self) -> contextlib.AbstractContextManager[None]:
        """Lets the block, which is between two iterations, write to the real terminal."""

    def run(self, nextitem: pytest.Item | None) -> list[pytest.TestReport] | None:
        """Runs setup, call and teardown; returns None if all passed and there is nothing to tell."""

    def reports(self) -> list[pytest.TestReport]:
        """Returns the reports of the last iteration, also if it passed."""


class RunningTest:
    """A test while one slice of it runs.

    Args:
        bench: Of this process.
        item: The item that is run again and again.
        nextitem: What pytest runs after the slice, or None.
        index: 0-based number of the test.
        nodeid: Its node id.
        runner: Runs the stages of one iteration.
    """

    def __init__(
        self,
        bench: Bench,
        item: pytest.Item,
        nextitem: pytest.Item | None,
        *,
        index: int,
        nodeid: str,
        runner: IterationRunner,
    ) -> None:
        self.item = item
        self._bench = bench
        self._nextitem = nextitem
        self._index = index
        self._nodeid = nodeid
        self._runner = runner
        # As next item it keeps all but function scope set up: it shares the item's parents.
        self._twin = copy_item(item)
        self._fresh = FreshItem(item)
        self._seeds = SeedSource(bench.plan.base_seed, seed_name(item.path.name, nodeid))
        # What plugins report inside an iteration, such as subtests, is a part of the iteration.
        self._reporting = HookOverride(bench.config, "pytest_runtest_logreport", self._take_report)
        self._reports: list[pytest.TestReport] | None = []
        self._extra_failure: pytest.TestReport | None = None
        self._seed: int | None = None
        self._raised: Raised | None = None
        self._chains: tuple[str, ...] = ()
        self._temporary = base_folder(bench.config)
        self._shown: set[tuple[str, bool | None]] = set()

    def execute(self, iteration: int, *, is_last: bool) -> IterationResult:
        """Runs one iteration; see `pytest_repro.stress.loop.Execute`."""
        bench = self._bench
        self._fresh.restore()
        self._raised = self._extra_failure = None
        self._chains = ()
        self._seed = seed = self._seeds.seed(iteration) if bench.plan.reseed else None
        if seed is not None:
            bench.reseeder.set(seed)
        bench.current.begin(test=self._nodeid, iteration=iteration, seed=seed)
        bench.timekeeper.begin()
        self._reports = self._runner.run(self._nextitem if is_last else self._twin)
        if self._reports is None and self._extra_failure is None:
            profile = bench.timekeeper.end(self.item, self._nodeid, iteration, Outcome.PASSED)
            return IterationResult(Outcome.PASSED, self._runner.stages_ns, seed, None, profile)
        return self._result(iteration, seed)

    @contextlib.contextmanager
    def running(self) -> Iterator[None]:
        """Holds what the runner keeps open over all iterations."""
        try:
            self._runner.start()
            self._reporting.start()
            yield
        finally:
            self._reporting.stop()
            self._runner.stop()

    def send(self, message: Message) -> None:
        """Sends a message from between two iterations; who receives it may write to the terminal."""
        self._reporting.stop()
        with contextlib.ExitStack() as suspended:
            try:
                suspended.enter_context(self._runner.suspended())
            except OSError:
                # A test has closed files of pytest's own: that ends the session, but what finished counts.
                self._bench.send(message)
                raise
            self._bench.send(message)
        self._reporting.start()

    def seed_fixture(self, name: str) -> contextlib.AbstractContextManager[None]:
        """Has the block draw random numbers that belong to a fixture and to no iteration."""
        if self._seed is None:
            return contextlib.nullcontext()
        return self._bench.reseeder.apart(SeedSource(self._bench.plan.base_seed, f"fixture {name}").seed(0))

    def note_exception(self, excinfo: pytest.ExceptionInfo[BaseException]) -> None:
        """Keeps the first exception of the iteration, which its report only has as text."""
        if self._raised is None:
            root = str(self._bench.config.rootpath)
            self._raised = raised_of(excinfo, root=root, temporary=self._temporary)
        if self._bench.resets.is_active:
            self._chains += (chain_of(excinfo.value),)

    def recover(self, result: IterationResult) -> None:
        """Resets the device after a failure that asks for it; see `pytest_repro.stress.loop.run_slice`."""
        reason = None if result.failure is None else result.failure.reset_reason
        if reason is None:
            return
        with self._runner.suspended():
            message = self._reset(reason)
        if message is not None:
            self.send(message)

    def tear_down_wider_scopes(self, nextitem: pytest.Item | None) -> IterationResult | None:
        """Ends what the last iteration left set up for a next one that does not come.

        Args:
            nextitem: What pytest runs next, None if nothing.

        Returns:
            A failing result if that failed, else None.
        """
        # Also where no iteration ran: the slice before may have left something for this one.
        reports = self._all_reports()
        self._raised = None
        self._chains = ()
        report = tear_down_to(self.item, nextitem)
        if not report.failed:
            return None
        self._reports = [*reports[:-1], report]
        result = IterationResult(
            outcome=Outcome.ERROR,
            stages_ns=(0, 0, 0),
            seed=self._bench.current.seed,
            failure=self._failure(Stage.TEARDOWN),
        )
        reason = None if result.failure is None else result.failure.reset_reason
        message = None if reason is None else self._reset(reason)
        if message is not None:
            self._bench.send(message)
        return result

    def last_reports(self) -> list[Any] | None:
        """Returns the last iteration's reports, serialised, or None if none ran."""
        return self._serialised() if self._all_reports() else None

    def _all_reports(self) -> list[pytest.TestReport]:
        if self._reports is None:
            self._reports = self._runner.reports()
        return self._reports

    def _result(self, iteration: int, seed: int | None) -> IterationResult:
        self._join_extra_failure()
        outcome, stage = outcome_of(self._all_reports())
        failure = None
        if stage is not None:
            failure = self._failure(stage)
        return IterationResult(
            outcome=outcome,
            stages_ns=self._runner.stages_ns,
            seed=seed,
            failure=failure,
            profile=self._bench.timekeeper.end(self.item, self._nodeid, iteration, outcome),
        )

    def _take_report(self, report: pytest.TestReport) -> None:
        if report.failed and self._extra_failure is None:
            self._extra_failure = report

    def _join_extra_failure(self) -> None:
        """A test with a failing subtest has failed, although its own report says passed."""
        extra = self._extra_failure
        if extra is None or any(report.failed for report in self._all_reports()):
            return
        for report in self._all_reports():
            if report.when == "call":
                report.outcome = "failed"
                report.longrepr = extra.longrepr

    def _failure(self, stage: Stage) -> FailureFacts:
        report = next(
            report for report in self._all_reports() if report.failed and report.when == stage.value
        )
        raised, self._raised = self._raised, None
        if raised is None:
            # Failed without an exception here (a plugin changed the outcome): the text is all there is.
            message = report.longreprtext
            raised = Raised(signature=make_signature(exception=None, message=message), message=message)
        is_match = self._bench.plan.is_match(raised.signature, raised.message)
        if is_match is not False:
            self._bench.control.note_failure(self._index)
        facts = FailureFacts(
            stage=stage,
            signature=signature_to_dict(raised.signature),
            message=first_line(raised.message),
            is_match=is_match,
            reset_reason=self._reset_reason(),
        )
        if (raised.signature.key, is_match) in self._shown or len(self._shown) >= TEXTS_OF_A_PROCESS:
            return facts
        self._shown.add((raised.signature.key, is_match))
        return replace(facts, text=_text_of(report), reports=self._serialised())

    def _reset(self, reason: str) -> Message | None:
        """Resets the device; returns what to tell the controller, None where nothing was done."""
        bench = self._bench
        # A fixture of any scope may hold the device open.
        report = tear_down_to(self.item, None)
        done = bench.resets.reset(bench.place.id, bench.device, reason)
        if done is None:
            return None
        problem = first_line(report.longreprtext.rpartition("\nE ")[2]) if report.failed else None
        return {"kind": "reset", "reset": replace(done, teardown=problem).to_payload()}

    def _reset_reason(self) -> str | None:
        if not self._bench.resets.is_active:
            return None
        texts = [report.longreprtext for report in self._all_reports() if report.failed]
        return self._bench.resets.reason_in("\n".join(self._chains or texts), "\n".join(texts))

    def _serialised(self) -> list[Any]:
        config = self._bench.config
        serialise = config.hook.pytest_report_to_serializable
        return [serialise(config=config, report=report) for report in self._all_reports()]


def outcome_of(reports: Sequence[pytest.TestReport]) -> tuple[Outcome, Stage | None]:
    """Returns the outcome of one execution and, for a failure, the stage in which it failed."""
    # Without a call (--setup-only) the test was not run.
    outcome = Outcome.PASSED if any(report.when == "call" for report in reports) else Outcome.SKIPPED
    for report in reports:
        if report.failed:
            stage = Stage(report.when)
            return (Outcome.FAILED if stage is Stage.CALL else Outcome.ERROR), stage
        if report.skipped:
            outcome = Outcome.XFAILED if hasattr(report, "wasxfail") else Outcome.SKIPPED
        elif report.when == "call" and hasattr(report, "wasxfail"):
            outcome = Outcome.XPASSED
    return outcome, None


def _text_of(report: pytest.TestReport) -> str:
    sections = "".join(f"\n--- {name} ---\n{content}" for name, content in report.sections)
    return (report.longreprtext + sections)[:TEXT_LIMIT]
