"""The controller's side of a stress run: adds up, writes, tells pytest, stops."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from pytest_repro.clock import MonotonicNs
from pytest_repro.model import EXIT_INCOMPLETE, Failure
from pytest_repro.plugin.internals.workers import (
    crash_report,
    forgive_death,
    remember_collection,
    run_again,
    stop_distribution,
    take_crashes,
    tell_of_crash,
)
from pytest_repro.plugin.progress import ProgressHooks
from pytest_repro.plugin.replays import Replays
from pytest_repro.plugin.sentinel_process import SentinelProcess
from pytest_repro.plugin.session import hash_seed_of_this_process, shown_path
from pytest_repro.plugin.session_reports import SessionReports
from pytest_repro.plugin.stress_control import BOARD, LocalControl, position_path, stacks_path, write_resume
from pytest_repro.plugin.worker_deaths import WorkerDeath, WorkerDeaths
from pytest_repro.report.stress import StressReport, batch_record, failure_record, report_record
from pytest_repro.store import FORMAT_VERSION, SessionFolder, write_json
from pytest_repro.stress.board import StopBoard
from pytest_repro.stress.loop import Message, without_last_iteration
from pytest_repro.stress.plan import StressPlan, cut_slices, share_of_worker
from pytest_repro.stress.recorder import FlightRecorder
from pytest_repro.stress.stacks import StackWriter, has_native_tool
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
        add_profile: Takes the payload of a profile.
        json_path: Where the summary is also written, or None.
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
        add_profile: Callable[[Mapping[str, Any]], None],
        json_path: str | None,
        clock: MonotonicNs,
    ) -> None:
        self._config = config
        self._plan = plan
        self._folder = folder
        self._is_distributed = is_distributed
        self._is_each = is_distributed and config.getoption("dist") == "each"
        self._progress = progress
        self._add_profile = add_profile
        self._json_path = json_path
        self._clock = clock
        self._began_ns = clock()
        self._tally = StressTally(plan, began_ns=self._began_ns, hash_seed=hash_seed_of_this_process())
        self._session: pytest.Session | None = None
        self._replays = Replays(config, plan)
        self._reports = SessionReports(config, self._replays)
        self._tests: Sequence[str] = ()
        self._index: dict[str, int] = {}
        self._locations: dict[str, tuple[str, int | None, str]] = {}
        self._slices: dict[str, tuple[int, int]] = {}
        self._ended_slices: dict[str, set[tuple[int, int]]] = {}
        self._last_received: dict[tuple[int, int], int] = {}
        self._replaced = 0
        self._was_stopped = False
        self._shared = tempfile.TemporaryDirectory(prefix="pytest-repro-")
        self._sentinel: SentinelProcess | None = None
        if not is_distributed and not plan.isolate:
            self._sentinel = SentinelProcess(
                config, plan, folder=self.shared_folder, records=folder, began_ns=self._began_ns
            )
            self.control = LocalControl(
                FlightRecorder(position_path(self.shared_folder, "main")),
                StackWriter(stacks_path(self.shared_folder, "main"), holds_crashes=has_native_tool()),
            )
        else:
            self.control = LocalControl(FlightRecorder(None))
        self._board = StopBoard.create(self.shared_folder / BOARD) if is_distributed else None
        self._deaths = (
            WorkerDeaths(config, plan, folder=self.shared_folder, replays=self._replays, clock=clock)
            if is_distributed
            else None
        )

    @property
    def shared_folder(self) -> Path:
        """Where the files lie that controller and workers have in common."""
        return Path(self._shared.name)

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionstart(self, session: pytest.Session) -> None:
        """Keeps the session: failures stop it."""
        self._session = session
        if self._is_distributed:
            take_crashes(self._config, self._take_crash)

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
                self._sentinel.start([[test, self._replays.path(test)] for test in self._tests])
            if node is None:
                self._reports.log_start(message["item"], message["location"])
        elif kind == "closing":
            failure = self._tally.add_closing_failure(message)
            self._receive_failure(node, failure, message["failure"], item=message["item"])
        elif kind == "slice_end":
            self._receive_slice_end(node, message)
        elif kind == "refused":
            raise pytest.UsageError(
                f"--repro-lane fast cannot run {message['test']}: {message['reason']}. "
                "Leave the option out: such tests then take the full lane."
            )
        else:
            self._receive_tests(message)
        self._progress.update(self._tally)

    def watch(self, node: Any) -> bool:
        """Watches a worker of xdist from its start; tells whether it shall wait in a crash for a look."""
        if self._deaths is None:
            return False
        self._deaths.watch(node)
        return self._deaths.holds_crashes()

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_node_collection_finished(self, node: Any, ids: Sequence[str]) -> None:
        """Has also those workers replaced that replace others."""
        remember_collection(self._config, node, ids)

    def _take_crash(self, item: str, node: Any) -> pytest.TestReport | None:
        """Counts the iteration in which a worker died, and has the rest of its slice run."""
        found = self._slices.get(item)
        if found is None or self._deaths is None:
            message = f"worker {node.gateway.id!r} crashed while running {item!r}"
            return self._tell_crash(item, crash_report(item, node, message))
        index, _ = found
        test = self._tests[index]
        death = self._deaths.look_into(node, test=test, slice_id=None if self._is_each else found)
        slice_id = death.slice_id or found
        ended = self._receive_unsent(node, death, slice_id, test=test, item=item)
        report: pytest.TestReport | None = None
        if death.failure is None:
            message = f"worker {node.gateway.id} {death.how} outside of any iteration"
            report = self._tell_crash(item, crash_report(test, node, message))
        else:
            ended = max(ended, death.failure.iteration)
            self._receive_death(node, death.failure, item=item, is_closing=death.is_closing)
        if not self._plan.as_items and not self.control.is_stopped(index) and not self._was_stopped:
            write_resume(self.shared_folder, *slice_id, ended=ended)
            run_again(self._config, item, node)
        return report

    def _tell_crash(self, item: str, report: pytest.TestReport) -> pytest.TestReport:
        tell_of_crash(self._config, item, report)
        return report

    def _receive_unsent(
        self, node: Any, death: WorkerDeath, slice_id: tuple[int, int], *, test: str, item: str
    ) -> int:
        """Takes what a worker had finished and not sent; returns the last iteration that has ended."""
        after = self._last_received.get(slice_id, 0)
        if death.position is not None:
            name = item if self._plan.as_items else test
            worker = node.gateway.id
            message = death.position.unsent_message(test=test, item=name, worker=worker, after=after)
            if message is not None:
                self._receive_batch(node, message)
        return self._last_received.get(slice_id, 0)

    def _receive_death(self, node: Any, failure: Failure, *, item: str, is_closing: bool) -> None:
        if not self._plan.as_items:
            item = failure.test
        forgive_death(self._config)
        self._replaced += 1
        if self._tally.is_enough(failure.test) and failure.counts and not is_closing:
            self._tally.add_surplus(failure)
            self._reports.note_reported(item)
            self._folder.append("failures.jsonl", {**failure_record(failure), "is_surplus": True})
            return
        self._tally.add_death(failure, is_counted=is_closing)
        self._folder.append("failures.jsonl", failure_record(failure))
        self._reports.tell_death(node, item, failure, location=self._locations[failure.test])
        self._note_failure(failure)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session, exitstatus: int) -> Any:
        """Sets the exit status and writes the summary."""
        report = self.report()
        if exitstatus == pytest.ExitCode.INTERRUPTED and self._was_stopped:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED
        elif exitstatus == pytest.ExitCode.OK and not report.is_complete:
            session.exitstatus = EXIT_INCOMPLETE
        summary = report_record(report, exit_status=int(session.exitstatus))
        self._folder.write_json("summary.json", summary)
        if self._json_path is not None:
            self._write_json_for_user(summary)
        try:
            return (yield)
        finally:
            self._folder.close()
            if self._deaths is not None:
                self._deaths.stop()
            if self._sentinel is not None:
                self._sentinel.stop()
            if self.control.stacks is not None:
                self.control.stacks.close()
            self._shared.cleanup()

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
            folder=shown_path(self._config, self._folder.path),
            problem=self._folder.problem,
        )

    def slices_of_a_test(self, workers: int) -> int:
        """Returns into how many items of xdist's collection one test is cut."""
        return 1 if self._is_each or self._plan.as_items else len(cut_slices(self._plan, workers=workers))

    def was_shown(self, bug: Bug) -> bool:
        """Tells whether pytest shows a traceback of this bug among its own failures."""
        return self._reports.was_shown(bug.first)

    def _receive_tests(self, message: Message) -> None:
        tests: Sequence[str] = message["tests"]
        self._tally.expect(tests)
        self._tests = tests
        self._index = {test: index for index, test in enumerate(tests)}
        self._replays.note_paths(zip(tests, message["paths"], strict=True))
        self._slices.update((name, (index, first)) for name, (index, first) in message["slices"].items())
        if self._is_distributed and self._session is not None:
            # xdist has counted slices; pytest's progress and its exit status count tests.
            self._session.testscollected = len(self._slices if self._plan.as_items else tests)

    def _receive_batch(self, node: Any, message: Message) -> None:
        if message["failures"] and self._tally.is_enough(message["test"]):
            rest = self._without_surplus(message)
            if rest is None:
                return
            message = rest
        durations = durations_of(message)
        self._last_received[message["slice"]] = message["first"] + (len(durations) - 1) * message["step"]
        failures = self._tally.add_batch(message)
        self._folder.append("iterations.jsonl", batch_record(message))
        for payload in message["profiles"]:
            self._add_profile(payload)
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
        self._folder.append("failures.jsonl", {**failure_record(failure), "is_surplus": True})
        return without_last_iteration(message)

    def _receive_failure(self, node: Any, failure: Failure, facts: Mapping[str, Any], *, item: str) -> None:
        self._folder.append("failures.jsonl", failure_record(failure))
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
            index = self._index[failure.test]
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
        # A slice in which a worker died may end twice.
        ended = self._ended_slices.setdefault(test, set())
        ended.add(message["slice"])
        if self._reports.is_reported(item) or message["reports"] is None:
            return
        if self._plan.as_items:
            self._reports.tell(node, item, message["reports"])
            return
        if len(ended) < self._expected_slices(node, test):
            return
        summary = self._tally.summary(test)
        if summary.finished and summary.is_complete:
            self._reports.tell(node, item, message["reports"], stages_ns=summary.stages_ns)

    def _expected_slices(self, node: Any, test: str) -> int:
        if node is None:
            return 1
        workers = int(node.workerinput["workercount"])
        if self._is_each:
            number = self._index[test]
            shares = (
                share_of_worker(self._plan, test=number, index=index, workers=workers)
                for index in range(workers)
            )
            return sum(share is not None for share in shares)
        return self.slices_of_a_test(workers)

    def _write_json_for_user(self, summary: Mapping[str, Any]) -> None:
        path = self._config.invocation_params.dir / str(self._json_path)
        try:
            write_json(path, {"format_version": FORMAT_VERSION, **summary})
        except OSError as error:
            self._folder.problem = self._folder.problem or f"{error.strerror or error} ({path})"
