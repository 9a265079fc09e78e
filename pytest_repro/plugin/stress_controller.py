"""The controller's side of a stress run: adds up, writes, tells pytest, stops."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from pytest_repro.clock import MonotonicNs
from pytest_repro.model import EXIT_INCOMPLETE, Failure
from pytest_repro.plugin.devices import DeviceCare
from pytest_repro.plugin.internals.output_lost import outlast_output
from pytest_repro.plugin.internals.schedulers import run_again
from pytest_repro.plugin.internals.workers import (
    crash_report,
    forgive_death,
    stop_distribution,
    take_crashes,
)
from pytest_repro.plugin.interrupts import Interrupts
from pytest_repro.plugin.profile_desk import ProfileDesk
from pytest_repro.plugin.progress import ProgressHooks
from pytest_repro.plugin.replays import Replays
from pytest_repro.plugin.sentinel_process import SentinelProcess
from pytest_repro.plugin.session import hash_seed_of_this_process, shown_path, temporary_folder
from pytest_repro.plugin.session_reports import SessionReports
from pytest_repro.plugin.stress_control import (
    BOARD,
    LocalControl,
    position_path,
    write_resume,
)
from pytest_repro.plugin.stress_records import StressRecords
from pytest_repro.plugin.worker_deaths import WorkerDeaths
from pytest_repro.report.stress import StressReport
from pytest_repro.store import SessionFolder
from pytest_repro.stress.board import StopBoard
from pytest_repro.stress.loop import Message, without_last_iteration
from pytest_repro.stress.plan import StressPlan, cut_slices, slices_in_all
from pytest_repro.stress.recorder import FlightRecorder, Position, read_position
from pytest_repro.stress.resets import ResetCause, ResetResult
from pytest_repro.stress.slice_book import SliceBook
from pytest_repro.stress.summary import Bug
from pytest_repro.stress.tally import StressTally, durations_of


class StressController:
    """Hears from all processes of a stress run.

    Args:
        config: Of the controller, which without workers is the only process.
        plan: What was asked for.
        folder: Where the records go.
        is_distributed: Whether xdist's workers run the iterations, and not this process.
        progress: Told how far the run is.
        devices: Counts what happens on each device.
        profiles: Takes the payloads of profiles.
        add_batch: Takes every batch that counts.
        user_path: Where the summary is also written, or None.
        clock: Monotonic, in nanoseconds.
    """

    def __init__(
        self,
        config: pytest.Config,
        plan: StressPlan,
        *,
        folder: SessionFolder,
        is_distributed: bool,
        progress: ProgressHooks,
        devices: DeviceCare,
        profiles: ProfileDesk,
        add_batch: Callable[[Message], None],
        user_path: Path | None,
        clock: MonotonicNs,
    ) -> None:
        self._config = config
        self._plan = plan
        self._folder = folder
        self._records = StressRecords(folder, user_path=user_path, timing=profiles.record)
        self._is_distributed = is_distributed
        self._is_each = is_distributed and config.getoption("dist") == "each"
        self._progress = progress
        self._devices = devices
        self._profiles = profiles
        self._add_batch = add_batch
        self._clock = clock
        self._began_ns = clock()
        self._tally = StressTally(plan, began_ns=self._began_ns, hash_seed=hash_seed_of_this_process())
        self._session: pytest.Session | None = None
        self._replays = Replays(config, plan, lease_of=devices.lease_of)
        self._reports = SessionReports(config, self._replays)
        self._book = SliceBook()
        self._locations: dict[str, tuple[str, int | None, str]] = {}
        self._was_stopped = False
        self._shared = temporary_folder(folder.path)
        self._sentinel: SentinelProcess | None = None
        if not is_distributed and not plan.isolate:
            self._sentinel = SentinelProcess(
                config, plan, folder=self.shared_folder, records=folder, began_ns=self._began_ns
            )
            self.control = LocalControl.noted_in(self.shared_folder)
        else:
            self.control = LocalControl(FlightRecorder(None))
        self._board = StopBoard.create(self.shared_folder / BOARD) if is_distributed else None
        self._deaths = (
            WorkerDeaths(
                config, plan, folder=self.shared_folder, book=self._book, replays=self._replays, clock=clock
            )
            if is_distributed
            else None
        )
        self.interrupts = Interrupts(
            config,
            is_distributed=is_distributed,
            stop_iterations=self._stop_iterations,
            take_unsent=self._take_unsent,
            end=self.end,
            meanwhile=self._show_long_iteration,
            records=shown_path(config, folder.path),
            clock=clock,
        )

    @property
    def shared_folder(self) -> Path:
        """Where the files lie that the processes of the run have in common, gone at its end."""
        return Path(self._shared.name)

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionstart(self, session: pytest.Session) -> None:
        """Keeps the session: failures stop it."""
        self._session = session
        outlast_output(self._config)
        if self._is_distributed:
            take_crashes(self._config, self._take_crash)
        if self._deaths is not None:
            self._deaths.tell_replacements()

    def receive(self, node: Any, message: Message) -> None:
        """Takes one message of a process; `node` is xdist's, or None for this process."""
        kind = message["kind"]
        if kind == "batch":
            self._receive_batch(node, message)
        elif kind == "slice_begin":
            self._tally.note_lane(message["test"], message["lane"], message["lane_reason"])
            self._locations[message["test"]] = tuple(message["location"])
            self._progress.begin()
            if self._sentinel is not None:
                self._sentinel.start([[test, self._replays.path(test)] for test in self._book.tests])
            if node is None:
                self._reports.log_start(message["item"], message["location"])
        elif kind == "closing":
            failure = self._tally.add_closing_failure(message)
            self._devices.tally.add_closing_failure(failure)
            self._receive_failure(node, failure, message["failure"], item=message["item"])
        elif kind == "slice_end":
            self._receive_slice_end(node, message)
        elif kind == "reset":
            self._devices.add_reset(ResetResult.from_payload(message["reset"]))
        elif kind == "refused":
            raise pytest.UsageError(
                f"--repro-lane fast cannot run {message['test']}: {message['reason']}. "
                "Leave the option out: such tests then take the full lane."
            )
        else:
            self._receive_tests(message)
        self._progress.update(self._tally)

    def _show_long_iteration(self) -> None:
        waits_for = "" if self._deaths is None else self._deaths.waits_for(self._book.tests)
        if waits_for:
            self._progress.update(self._tally, waits_for=waits_for)

    def watch(self, node: Any) -> bool:
        """Watches a worker of xdist from its start; tells whether it shall wait in a crash for a look."""
        return self._deaths is not None and self._deaths.watch(node)

    @pytest.hookimpl(tryfirst=True, optionalhook=True)
    def pytest_testnodedown(self, node: Any, error: object | None) -> None:
        """Has the device of a worker that died reset, before xdist starts the next one."""
        if self._deaths is None or error is None:
            return
        worker = node.gateway.id
        position = read_position(position_path(self.shared_folder, worker))
        if position is not None:
            # Before xdist hands the slice to another worker.
            ended = max(position.last_ended, self._book.last_received(position.slice_id))
            write_resume(self.shared_folder, *position.slice_id, ended=ended)
        if error != "keyboard-interrupt":
            cause = ResetCause.HANG if self._deaths.was_ended(worker) else ResetCause.CRASH
            self._devices.reset(worker, cause)

    def _take_crash(self, item: str, node: Any) -> pytest.TestReport | None:
        """Counts the iteration in which a worker died, and has the rest of its slice run."""
        if self.interrupts.has_signal:
            # Ctrl-C is for all processes: a worker that ends with it has not crashed.
            self._take_unsent(node)
            return None
        found = self._book.slice_of(item)
        if found is None or self._deaths is None:
            message = f"worker {node.gateway.id!r} crashed while running {item!r}"
            return self._reports.tell_crash(item, crash_report(item, node, message))
        index, _ = found
        test = self._book.tests[index]
        death = self._deaths.look_into(node, test=test, slice_id=None if self._is_each else found)
        if death.position is not None:
            self._receive_unsent(node, death.position, item=item)
        report: pytest.TestReport | None = None
        if death.failure is None:
            message = f"worker {node.gateway.id} {death.how} outside of any iteration"
            name = item if self._plan.as_items else test
            report = self._reports.tell_crash(item, crash_report(name, node, message))
        else:
            self._deaths.tell(death.failure, is_counted=death.is_counted)
            self._receive_death(node, death.failure, item=item, is_counted=death.is_counted)
        self._profiles.add_profile(death.profile)
        if not self._plan.as_items and not self.control.is_stopped(index) and not self._was_stopped:
            run_again(self._config, item, node)
        return report

    def _receive_unsent(self, node: Any, position: Position, *, item: str) -> None:
        """Takes what a worker had finished and not sent."""
        test = self._book.tests[position.test_index]
        shown, after = item if self._plan.as_items else test, self._book.last_received(position.slice_id)
        message = position.unsent_message(test=test, item=shown, worker=node.gateway.id, after=after)
        if message is not None:
            self._receive_batch(node, message)

    def _take_unsent(self, node: Any) -> None:
        position = read_position(position_path(self.shared_folder, node.gateway.id))
        item = None if position is None else self._book.item_of(position.slice_id)
        if position is not None and item is not None and self._deaths is not None:
            self._receive_unsent(node, position, item=item)
            self._profiles.add_profile(self._deaths.interrupted(node, position))

    def _receive_death(self, node: Any, failure: Failure, *, item: str, is_counted: bool) -> None:
        if not self._plan.as_items:
            item = failure.test
        forgive_death(self._config)
        if self._tally.is_enough(failure.test) and failure.counts and not is_counted:
            self._tally.add_surplus(failure)
            self._reports.note_reported(item)
            self._records.write_failure(failure, is_surplus=True)
            return
        self._tally.add_death(failure, is_counted=is_counted)
        self._devices.tally.add_death(failure, is_counted=is_counted)
        self._records.write_failure(failure)
        self._reports.tell_death(node, item, failure, location=self._locations[failure.test])
        self._note_failure(failure)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session, exitstatus: int) -> Any:
        """Sets the exit status and writes the summary."""
        is_signalled = self.interrupts.has_signal
        if exitstatus == pytest.ExitCode.INTERRUPTED and self._was_stopped and not is_signalled:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED
        elif exitstatus == pytest.ExitCode.OK and not self.report().is_complete:
            session.exitstatus = EXIT_INCOMPLETE
        self._records.write_summary(self.report, int(session.exitstatus))
        try:
            return (yield)
        finally:
            self.end(None)

    def end(self, exit_status: int | None) -> None:
        """Writes and cleans up what was not yet, however the session ends; None for its own exit status."""
        if self._session is not None:
            status = int(self._session.exitstatus) if exit_status is None else exit_status
            self._records.write_summary(self.report, status)
            self._records.finish()
        if self._deaths is not None:
            self._deaths.stop()
        sentinel, self._sentinel = self._sentinel, None
        if sentinel is not None:
            sentinel.stop()
            if self.control.stacks is not None:
                self.control.stacks.close()
        self._shared.cleanup()

    def _stop_iterations(self) -> None:
        if self._board is not None:
            self._board.stop_all()
        elif self._session is not None:
            # Also where a test swallows what the signal raised.
            self._session.shouldstop = "stopped by a signal"

    def report(self) -> StressReport:
        """Returns all that is known, as records."""
        bugs = self._tally.bugs()
        tests = self._tally.summaries()
        patterns = {test.test: test.pattern for test in tests}
        return StressReport(
            plan=self._plan,
            tests=tuple(tests),
            bugs=tuple(bugs),
            replays={
                bug.signature.key: self._replays.command(bug.first, patterns[bug.first.test]) for bug in bugs
            },
            devices=self._devices.report(),
            replaced=0 if self._deaths is None else self._deaths.replaced,
            died=() if self._deaths is None else tuple(self._deaths.booked),
            folder=shown_path(self._config, self._folder.path),
            problem=self._folder.problem or self._folder.removed(),
        )

    def slices_of_a_test(self, workers: int) -> int:
        """Returns into how many items of xdist's collection one test is cut."""
        return 1 if self._is_each or self._plan.as_items else len(cut_slices(self._plan, workers=workers))

    def was_shown(self, bug: Bug) -> bool:
        """Tells whether pytest shows a traceback of this bug among its own failures."""
        return self._reports.was_shown(bug.first)

    def _receive_tests(self, message: Message) -> None:
        self._book.note_tests(message)
        tests = self._book.tests
        self._tally.expect(tests)
        self._replays.note_paths(zip(tests, message["paths"], strict=True))
        if self._is_distributed and self._session is not None:
            # xdist has counted slices; pytest's progress and its exit status count tests.
            self._session.testscollected = len(self._book.items if self._plan.as_items else tests)

    def _receive_batch(self, node: Any, message: Message) -> None:
        if self._book.is_received(message):
            return  # sent again, as Ctrl-C broke into the sending
        self._book.note_received(message, iterations=len(durations_of(message)))
        if message["failures"] and self._tally.is_enough(message["test"]):
            rest = self._without_surplus(message)
            if rest is None:
                return
            message = rest
        failures = self._tally.add_batch(message)
        self._devices.tally.add_batch(message)
        self._records.write_batch(message)
        self._add_batch(message)
        for payload in message["profiles"]:
            self._profiles.add(payload)
        for failure, facts in zip(failures, message["failures"], strict=True):
            self._receive_failure(node, failure, facts, item=message["item"])

    def _without_surplus(self, message: Message) -> Message | None:
        """Leaves out an iteration that was under way when the last failure that was asked for became known.

        A batch ends with a failing iteration, so there is at most one.
        """
        if message["failures"][-1]["is_match"] is False:
            return message
        failure = self._tally.failure_of(message, message["failures"][-1])
        self._tally.add_surplus(failure)
        if self._plan.as_items:
            self._reports.note_reported(message["item"])
        self._records.write_failure(failure, is_surplus=True)
        return without_last_iteration(message)

    def _receive_failure(self, node: Any, failure: Failure, facts: Mapping[str, Any], *, item: str) -> None:
        self._records.write_failure(failure)
        self._note_failure(failure)
        self._reports.tell_failure(
            node, item, failure, facts["reports"], location=self._locations[failure.test]
        )

    def _note_failure(self, failure: Failure) -> None:
        if not failure.counts:
            return
        count = self._tally.counted_failures_of(failure.test)
        if self._plan.stop_after is not None and count >= self._plan.stop_after:
            if count == self._plan.stop_after:
                self._progress.give_up(self._tally.summary(failure.test).missing)
            index = self._book.number_of(failure.test)
            self.control.stop_test(index)
            if self._board is not None:
                self._board.stop_test(index)
        most = self._plan.max_failures
        counted = self._tally.counted_failures
        if most is not None and counted >= most and not self._was_stopped:
            self._stop(f"stopping after {counted} {'' if self._plan.match is None else 'matching '}failures")

    def _stop(self, reason: str) -> None:
        self._was_stopped = True
        if self._board is not None:
            self._board.stop_all()
            stop_distribution(self._config, reason)
        elif self._session is not None:
            self._session.shouldfail = reason

    def _receive_slice_end(self, node: Any, message: Message) -> None:
        test, item = message["test"], message["item"]
        ended = self._book.note_ended(message["slice"])
        if self._reports.is_reported(item) or message["reports"] is None:
            return
        workers = 1 if node is None else int(node.workerinput["workercount"])
        number = self._book.number_of(test)
        if self._plan.as_items:
            self._reports.tell(node, item, message["reports"])
        elif ended >= slices_in_all(self._plan, test=number, workers=workers, is_each=self._is_each):
            summary = self._tally.summary(test)
            if summary.finished and summary.is_complete:
                self._reports.tell(node, item, message["reports"], stages_ns=summary.stages_ns)
