"""Bisection as pytest's main job: fresh processes instead of a session."""

from __future__ import annotations

import os
import shlex
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from pytest_repro.clock import monotonic_ns, now_utc, parse_duration_ns
from pytest_repro.errors import OptionError
from pytest_repro.model import EXIT_INTERRUPTED
from pytest_repro.order.matching import Collected, match_order
from pytest_repro.order.order_file import OrderEntry, order_text
from pytest_repro.order.search import Finding, FindingKind, Search, SearchState
from pytest_repro.order.trials import BudgetSpentError, Trial, TrialOutcome
from pytest_repro.plugin.bisect_trial import LISTED, hang_signature, has_started_last, trial_in
from pytest_repro.plugin.command import Relaunch, plugins_by_name, pytest_as_typed, without_options
from pytest_repro.plugin.displays import PLAIN_NS
from pytest_repro.plugin.gate_progress import GateTerminal
from pytest_repro.plugin.internals.process import is_started_as_pytest, use_options_known_early
from pytest_repro.plugin.option_reader import OptionReader
from pytest_repro.plugin.order_options import BISECT_LAST, TRIAL_OPTION
from pytest_repro.plugin.session import IN_RUN_VARIABLE, RUN_OPTION, is_worker, run_folder_of, shown_path
from pytest_repro.report.order import finding_lines, finding_record, search_line
from pytest_repro.store import Store, read_json
from pytest_repro.verify.process import RunCommand, execute, termination_as_interrupt, with_hash_seed

_ORDER = "bisected_order.txt"
_OPTION = "--repro-bisect"


class _HangError(Exception):
    """The last test of a trial takes longer than it may."""


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
    if run_folder_of(config) is not None or is_worker(config) or IN_RUN_VARIABLE in os.environ:
        return None
    try:
        return Bisection(config).exit_status()
    except OptionError as error:
        raise pytest.UsageError(str(error)) from error


class Bisection:
    """Many trials, and what they come to.

    Args:
        config: Of the process that was asked; it never becomes a session.

    Raises:
        OptionError: An option cannot be used beside it.
    """

    def __init__(self, config: pytest.Config) -> None:
        for option, name in (("verify_runs", "--verify-runs"), ("repro_stress", "--repro-stress")):
            if config.getoption(option, default=None):
                raise OptionError(
                    f"{_OPTION} cannot be combined with {name}: it repeats tests as often as it needs to",
                    next_step="Drop one of them.",
                )
        read = OptionReader(config)
        self._config = config
        self._budget_ns = read.value("repro-bisect-time", parse_duration_ns)
        self._hang_ns = read.value("repro-hang-time", parse_duration_ns)
        self._victim: str = config.getoption("repro_bisect")
        self._terminal = GateTerminal(config, clock=monotonic_ns)
        self._folder = Store(config.rootpath).begin("bisect", now=now_utc())
        self._environment = with_hash_seed(_environment())
        self._began_ns = monotonic_ns()
        self._next_line_ns = self._began_ns + PLAIN_NS
        self._tests: list[Collected] = []
        self._root = config.rootpath
        self._seeds: tuple[str, ...] = ()
        self._number = 0

    def exit_status(self) -> int:
        """Makes all trials and returns the exit status."""
        if self._folder.problem is not None:
            raise OptionError(
                f"{_OPTION} needs a folder for its trials: {self._folder.problem}",
                next_step="Make the folder writable, or choose another root with --rootdir.",
            )
        self._folder.note_running()
        search: Search | None = None
        try:
            with termination_as_interrupt():
                self._list()
                self._terminal.say(
                    f"bisect: {self._tests[-1].nodeid} at the end of {len(self._tests) - 1:,} other tests"
                )
                search = Search(len(self._tests) - 1, self, tell=self._show)
                finding = search.find()
        except KeyboardInterrupt:
            if search is not None:
                self._conclude(search.so_far())
            return EXIT_INTERRUPTED
        self._conclude(finding)
        return 0 if finding.kind.is_answer else 6

    def run(self, before: Sequence[int]) -> Trial:
        """Runs tests, and the one in question last, in a fresh process."""
        tests = [*(self._tests[place] for place in before), self._tests[-1]]
        with tempfile.TemporaryDirectory(prefix="pytest-repro-", ignore_cleanup_errors=True) as place:
            order = Path(place) / "order.txt"
            order.write_text(order_text(self._named(test) for test in tests), "utf-8", "surrogateescape")
            folder, output = Path(place) / "run", Path(place) / "output.txt"
            files = dict.fromkeys(test.path for test in tests)
            arguments = (*self._arguments(place), f"--repro-order={order}", *files)
            began_last_ns: list[int] = []

            def watch() -> None:
                self._check_budget()
                if self._hang_ns is not None and has_started_last(folder):
                    began_last_ns.append(monotonic_ns())
                    if monotonic_ns() - began_last_ns[0] > self._hang_ns:
                        raise _HangError

            try:
                run = execute(
                    replace(self._command(), arguments=arguments, environment=self._environment),
                    number=self._number,
                    folder=folder,
                    output=output,
                    clock=monotonic_ns,
                    meanwhile=watch,
                )
            except _HangError:
                return Trial(outcome=TrialOutcome.FAILED, signature=hang_signature())
            if run.report is not None and not self._seeds:
                self._seeds = tuple(f"{name}={value}" for name, value in run.report.seeds.items())
            printed = output.read_text(encoding="utf-8", errors="replace").strip().rpartition("\n")[2]
            return trial_in(folder, exit_status=run.exit_status, output=printed)

    def _list(self) -> None:
        """Finds out which tests there are, and in which order, as the command line has them."""
        given = _without_bisect(self._config.invocation_params.args)
        given = without_options(
            given,
            flags=frozenset({"-x", "--exitfirst"}),
            values=frozenset({"--junitxml", "--junit-xml", "--repro-json", "--repro-hang-time"}),
        )
        with tempfile.TemporaryDirectory(prefix="pytest-repro-", ignore_cleanup_errors=True) as place:
            folder, output = Path(place) / "run", Path(place) / "output.txt"
            cuts = _cut_options(self._config)
            arguments = (*plugins_by_name(self._config), "--collect-only", "-q", TRIAL_OPTION, *cuts, *given)
            command = replace(self._command(), arguments=arguments, environment=self._environment)
            run = execute(command, number=0, folder=folder, output=output, clock=monotonic_ns)
            if run.exit_status or not (folder / LISTED).exists():
                self._terminal.show_file(output)
                raise OptionError(
                    f"{_OPTION} could not collect the tests: exit status {run.exit_status}",
                    next_step="See the output above.",
                )
            told = read_json(folder / LISTED)
        self._root = Path(told["root"])
        tests = [Collected(nodeid=nodeid, path=path) for nodeid, path in told["tests"]]
        self._tests = tests if self._victim == BISECT_LAST else self._up_to_victim(tests)

    def _up_to_victim(self, tests: Sequence[Collected]) -> list[Collected]:
        entry = OrderEntry(nodeid=self._victim, place=_OPTION)
        matching = match_order([entry], tests)
        if len(matching.order) != 1:
            reason = (
                f"{_OPTION}: {self._victim} names {len(matching.order):,} tests"
                if matching.order
                else matching.unmatched[0].reason
            )
            raise OptionError(reason, next_step="Give the node id of one test that is in the order.")
        return list(tests[: matching.order[0] + 1])

    def _arguments(self, place: str) -> tuple[str, ...]:
        relaunch = Relaunch.of(self._config)
        kept = [word for word in _without_bisect(relaunch.kept) if not word.startswith("--repro-hang-time")]
        root = (f"--rootdir={self._root}", *(("-c", relaunch.ini) if relaunch.ini else ()))
        cache = self._config.pluginmanager.has_plugin("cacheprovider")
        own_cache = ("-o", f"cache_dir={place}/cache") if cache else ()
        ours = (*self._seeds, *_cut_options(self._config), *root, *own_cache, "-q", TRIAL_OPTION)
        return (*plugins_by_name(self._config), *kept, *ours)

    def _command(self) -> RunCommand:
        from pytest_repro.plugin.command import pytest_of_this_process

        return RunCommand(
            launcher=pytest_of_this_process(),
            arguments=(),
            directory=self._config.invocation_params.dir,
            environment=self._environment,
            folder_option=RUN_OPTION,
            as_typed=(*pytest_as_typed(), *_without_bisect(self._config.invocation_params.args)),
        )

    def _named(self, test: Collected) -> str:
        """Returns a node id by which the test is found again: by its path, where that is outside."""
        file, separator, names = test.nodeid.partition("::")
        return test.nodeid if self._root / file == Path(test.path) else test.path + separator + names

    def _check_budget(self) -> None:
        if self._budget_ns is not None and monotonic_ns() - self._began_ns > self._budget_ns:
            raise BudgetSpentError

    def _show(self, state: SearchState) -> None:
        self._check_budget()
        self._number = state.trials + 1
        now_ns = monotonic_ns()
        if now_ns >= self._next_line_ns:
            self._next_line_ns = now_ns + PLAIN_NS
            self._terminal.say(search_line(state, elapsed_ns=now_ns - self._began_ns))

    def _conclude(self, finding: Finding) -> None:
        tests = [self._tests[place] for place in finding.places]
        order = self._folder.path / _ORDER
        text = order_text([self._named(test) for test in (*tests, self._tests[-1])])
        self._folder.write_text(_ORDER, text)
        names = [test.nodeid for test in tests]
        victim = self._tests[-1].nodeid
        self._folder.write_json("summary.json", finding_record(finding, victim=victim, before=names))
        self._folder.note_finished(now=now_utc())
        self._folder.close()
        is_good = finding.kind.is_answer
        self._terminal.title("bisect", green=is_good, red=not is_good, bold=True)
        for line in finding_lines(finding, victim=victim, before=names):
            self._terminal.tell(line)
        if finding.kind is not FindingKind.NOT_REPRODUCED:
            seed = self._environment.get("PYTHONHASHSEED", "")
            shown = shown_path(self._config, order)
            words = [*pytest_as_typed(), *self._seeds, f"--repro-order={shown}"]
            variable = f"PYTHONHASHSEED={seed} " if seed.isdigit() else ""
            self._terminal.tell(f"run it again: {variable}{shlex.join(words)}")


def _cut_options(config: pytest.Config) -> tuple[str, ...]:
    """Returns what takes back workers and an early end, which an ini file may ask for."""
    workers = ("-n0",) if config.pluginmanager.has_plugin("xdist") else ()
    return (*workers, "--maxfail=0")


def _without_bisect(arguments: Sequence[str]) -> list[str]:
    """Returns the arguments without those of the bisection, whose value may be left out."""
    kept: list[str] = []
    is_value = False
    for argument in without_options(arguments, flags=frozenset(), values=frozenset({"--repro-bisect-time"})):
        if is_value and not argument.startswith("-"):
            is_value = False
            continue
        is_value = argument == _OPTION
        if not is_value and not argument.startswith(f"{_OPTION}="):
            kept.append(argument)
    return kept


def _environment() -> dict[str, str]:
    given = {name: value for name, value in os.environ.items() if name != "PYTEST_VERSION"}
    return {"PYTHONUNBUFFERED": "1", **given, IN_RUN_VARIABLE: "1"}
