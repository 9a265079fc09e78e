"""Bisection as pytest's main job: fresh processes instead of a session."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import pytest

from pytest_repro.clock import monotonic_ns, now_utc
from pytest_repro.errors import OptionError
from pytest_repro.model import EXIT_INCOMPLETE, EXIT_INTERRUPTED
from pytest_repro.order.matching import Collected, match_order
from pytest_repro.order.order_file import OrderEntry, order_text
from pytest_repro.order.search import Finding, FindingKind, Search, SearchState
from pytest_repro.order.trials import BudgetSpentError, Trial
from pytest_repro.plugin.bisect_options import BISECT_OPTION, BisectOptions, read_bisect_options
from pytest_repro.plugin.bisect_processes import NotCollectedError, TrialProcesses
from pytest_repro.plugin.gate import asks_for_information
from pytest_repro.plugin.gate_progress import GateTerminal
from pytest_repro.plugin.internals.process import is_started_as_pytest, use_options_known_early
from pytest_repro.plugin.order_options import BISECT_LAST, piped_order
from pytest_repro.plugin.session import IN_RUN_VARIABLE, is_worker, run_folder_of, shown_path
from pytest_repro.report.order import SearchProgress, finding_lines, finding_record
from pytest_repro.report.words import counted
from pytest_repro.store import Store
from pytest_repro.verify.process import termination_as_interrupt

_ORDER = "bisected_order.txt"
_GIVEN = "given_order.txt"


def run_bisection_early(config: pytest.Config) -> None:
    """Runs the bisection before any conftest is loaded: the conftests are for its processes.

    Raises:
        SystemExit: It has ended; with its exit status.
        pytest.UsageError: Options contradict each other.
    """
    if not is_started_as_pytest(config):
        return
    with use_options_known_early(config):
        status = bisection_exit_status(config)
    if status is not None:
        raise SystemExit(status)


def bisection_exit_status(config: pytest.Config) -> int | None:
    """Runs the bisection and returns its exit status; None where something else was asked of pytest."""
    is_part_of_one = run_folder_of(config) is not None or is_worker(config) or IN_RUN_VARIABLE in os.environ
    if is_part_of_one or asks_for_information(config):
        return None
    try:
        return Bisection(config, read_bisect_options(config)).exit_status()
    except OptionError as error:
        raise pytest.UsageError(str(error)) from error


class Bisection:
    """Many trials, and what they come to.

    Args:
        config: Of the process that was asked; it never becomes a session.
        options: What was asked for.
    """

    def __init__(self, config: pytest.Config, options: BisectOptions) -> None:
        self._config = config
        self._options = options
        self._terminal = GateTerminal(config, clock=monotonic_ns)
        self._folder = Store(config.rootpath).begin("bisect", now=now_utc())
        self._began_ns = monotonic_ns()
        self._state: SearchState | None = None
        self._tests: Sequence[Collected] = ()

    def exit_status(self) -> int:
        """Makes all trials and returns the exit status."""
        if self._folder.problem is not None:
            raise OptionError(
                f"{BISECT_OPTION} needs a folder for its trials: {self._folder.problem}",
                next_step="Make the folder writable, or choose another root with --rootdir.",
            )
        self._folder.note_running()
        self._processes = TrialProcesses(
            self._config, hang_ns=self._options.hang_ns, order=self._given_order(), meanwhile=self._look
        )
        try:
            return self._search()
        finally:
            self._folder.note_finished(now=now_utc())
            self._folder.close()

    def run(self, before: Sequence[int]) -> Trial:
        """Runs tests of the order, and the one in question last, in a fresh process."""
        return self._processes.run(self._with_victim(before))

    def _search(self) -> int:
        search: Search | None = None
        try:
            with termination_as_interrupt():
                self._tests = self._up_to_victim()
                others = counted(len(self._tests) - 1, "other test")
                self._terminal.say(f"bisect: {self._tests[-1].nodeid} after {others}")
                match = self._options.match
                search = Search(
                    len(self._tests) - 1,
                    self,
                    tell=self._show,
                    wanted=None
                    if match is None
                    else lambda trial: (
                        trial.signature is not None and match.accepts(trial.signature, trial.message)
                    ),
                )
                finding = search.find()
        except KeyboardInterrupt:
            if search is None:
                self._terminal.say("bisect: interrupted before the first trial", red=True)
            else:
                self._conclude(search.so_far())
            return EXIT_INTERRUPTED
        except BudgetSpentError:
            # While tests were collected: a search says itself what it knows.
            self._terminal.say("not finished: the time was over before the first trial", red=True)
            return EXIT_INCOMPLETE
        self._conclude(finding)
        return 0 if finding.kind.is_answer else EXIT_INCOMPLETE

    def _given_order(self) -> Path | None:
        """Keeps an order that came by standard input, for many processes to read."""
        piped = piped_order(self._config)
        if piped is None:
            return None
        path = self._folder.path / _GIVEN
        path.write_bytes(piped)
        return path

    def _up_to_victim(self) -> Sequence[Collected]:
        """Returns the tests up to the one in question."""
        try:
            tests = self._processes.listed().tests
        except NotCollectedError as error:
            self._terminal.say(error.output)
            raise
        victim = self._options.victim
        if victim == BISECT_LAST:
            return tests
        matching = match_order([OrderEntry(nodeid=victim, place=BISECT_OPTION)], tests)
        if len(matching.order) != 1:
            reason = (
                f"{BISECT_OPTION}: {victim} names {len(matching.order):,} tests"
                if matching.order
                else matching.unmatched[0].reason
            )
            raise OptionError(reason, next_step="Give the node id of one test that is in the order.")
        return tests[: matching.order[0] + 1]

    def _with_victim(self, before: Sequence[int]) -> list[Collected]:
        return [*(self._tests[place] for place in before), self._tests[-1]]

    def _show(self, state: SearchState) -> None:
        self._state = state
        self._look()

    def _look(self) -> None:
        budget_ns = self._options.budget_ns
        if budget_ns is not None and monotonic_ns() - self._began_ns > budget_ns:
            raise BudgetSpentError
        state = self._state
        if state is not None:
            self._terminal.update(
                lambda now_ns: SearchProgress(state=state, elapsed_ns=now_ns - self._began_ns)
            )

    def _conclude(self, finding: Finding) -> None:
        tests = self._with_victim(finding.places)
        self._folder.write_text(_ORDER, order_text(map(self._processes.named, tests)))
        names = [test.nodeid for test in tests[:-1]]
        victim = tests[-1].nodeid
        record = finding_record(finding, victim=victim, before=names)
        self._folder.conclude(record)
        if self._options.json_path is not None:
            self._folder.write_for_user(self._config.invocation_params.dir / self._options.json_path, record)
        is_good = finding.kind.is_answer
        self._terminal.title("bisect", green=is_good, red=not is_good, bold=True)
        for line in finding_lines(finding, victim=victim, before=names):
            self._terminal.tell(line)
        if finding.kind is not FindingKind.NOT_REPRODUCED:
            shown = shown_path(self._config, self._folder.path / _ORDER)
            self._terminal.tell(f"run it again: {self._processes.again(shown, tests)}")
        if self._folder.problem is not None:
            self._terminal.say(f"records are incomplete: {self._folder.problem}")
