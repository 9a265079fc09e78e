"""The gate as pytest's main job: fresh processes instead of a session."""

from __future__ import annotations

import os
import shlex
from dataclasses import replace
from pathlib import Path

import pytest

from pytest_repro.clock import monotonic_ns, now_utc
from pytest_repro.errors import OptionError
from pytest_repro.model import EXIT_INTERRUPTED
from pytest_repro.plugin.command import (
    plugins_by_name,
    pytest_as_typed,
    pytest_of_this_process,
    without_gate,
)
from pytest_repro.plugin.fixed_choices import fixed_choices
from pytest_repro.plugin.gate_progress import GateTerminal
from pytest_repro.plugin.internals.process import is_started_as_pytest, use_options_known_early
from pytest_repro.plugin.session import IN_RUN_VARIABLE, RUN_OPTION, is_worker, run_folder_of, shown_path
from pytest_repro.plugin.session_facts import open_session, session_facts
from pytest_repro.plugin.verify_options import VerifyOptions, is_gate_asked_for, read_verify_options
from pytest_repro.report.proof import required_lines
from pytest_repro.report.verify import run_line, run_record, verdict_lines, verdict_record
from pytest_repro.report.words import counted
from pytest_repro.store import FACTS, Store
from pytest_repro.verify.held import NO_FINDINGS, hold_limits
from pytest_repro.verify.history import recorded_rates
from pytest_repro.verify.process import RunCommand, execute, termination_as_interrupt
from pytest_repro.verify.required import FEWEST_RUNS, Evidence, runs_required
from pytest_repro.verify.runs import Run
from pytest_repro.verify.verdict import judge, must_stop, reasons_against


def run_gate_early(config: pytest.Config) -> None:
    """Runs the gate before any conftest is loaded, if it was asked for: the conftests are for its runs.

    Loading them here would cost their time once more, and they might open a device.

    Raises:
        SystemExit: The gate has ended; with its exit status.
        pytest.UsageError: Options contradict each other.
    """
    if not is_started_as_pytest(config):
        return
    with use_options_known_early(config):
        status = gate_exit_status(config)
    if status is not None:
        raise SystemExit(status)


def gate_exit_status(config: pytest.Config) -> int | None:
    """Runs the gate and returns its exit status; None where something else was asked of pytest.

    Raises:
        pytest.UsageError: Options contradict each other.
    """
    is_part_of_one = run_folder_of(config) is not None or is_worker(config)
    if is_part_of_one or asks_for_information(config) or not is_gate_asked_for(config):
        return None
    try:
        options = read_verify_options(config)
    except OptionError as error:
        raise pytest.UsageError(str(error)) from error
    if options.certificate is not None:
        from pytest_repro.plugin.certificate import Comparison

        return Comparison(config, options, options.certificate, _environment_as_given()).run()
    return Gate(config, options).run()


class Gate:
    """N runs of pytest, one after the other, and the verdict on them.

    Args:
        config: Of the process that was asked for the gate; it never becomes a session.
        options: What was asked for.
    """

    def __init__(self, config: pytest.Config, options: VerifyOptions) -> None:
        self._config = config
        self._options = options
        self._asked = options.runs
        self._planned = options.runs or 1
        self._evidence = Evidence(confidence=options.confidence)
        self._terminal = GateTerminal(config, clock=monotonic_ns)
        self._store = Store(config.rootpath)
        self._folder = open_session(config, "verify")
        self._command = RunCommand(
            launcher=pytest_of_this_process(),
            arguments=(*plugins_by_name(config), *config.invocation_params.args),
            directory=config.invocation_params.dir,
            environment=_environment_as_given(),
            folder_option=RUN_OPTION,
            as_typed=(*pytest_as_typed(), *without_gate(config)),
        )
        self._runs: list[Run] = []
        self._held = NO_FINDINGS
        self._problems: list[str] = []
        self._begun = 0
        self._has_facts = False

    def run(self) -> int:
        """Runs all that is needed for a verdict and returns the exit status."""
        if self._folder.problem is not None:
            raise pytest.UsageError(
                f"--verify-runs needs a folder for the output of its runs: {self._folder.problem}. "
                "Make the folder writable, or choose another root with --rootdir."
            )
        self._folder.note_running()
        number = "as many runs as prove something" if self._asked is None else counted(self._asked, "run")
        self._terminal.say(f"verify: {number} of {shlex.join(self._command.as_typed)}")
        try:
            with termination_as_interrupt():
                self._run_all()
        except KeyboardInterrupt:
            self._conclude(broken_off=self._begun if self._begun > len(self._runs) else None)
            return EXIT_INTERRUPTED
        return self._conclude()

    def _run_all(self) -> None:
        while (number := len(self._runs) + 1) <= self._planned:
            self._begun = number
            try:
                run = self._execute(number)
            except OSError as error:
                self._problems.append(f"run {number} did not take place: {error}")
                break
            self._runs.append(run)
            if number == 1:
                self._look_back(run)
            # The runs before recorded what the first one did, or the gate would have stopped.
            self._held = hold_limits(self._options.limits, [*self._runs[:1], *self._runs[1:][-1:]])
            self._tell(run)
            if must_stop(run, self._runs, keep_going=self._options.keep_going, held=self._held):
                break
            if number == 1 and self._evidence.required is not None:
                for line in required_lines(self._evidence.required, run):
                    self._terminal.tell(line)

    def _execute(self, number: int) -> Run:
        folder, began_ns = self._folder.path / f"run_{number}", monotonic_ns()
        return execute(
            self._command,
            number=number,
            folder=folder,
            output=self._output(number),
            clock=monotonic_ns,
            meanwhile=lambda: self._show_progress(number, folder, began_ns),
        )

    def _look_back(self, first: Run) -> None:
        """Reads what is on record of the tests, now that the first run has told which they are."""
        others = [path for path in self._store.sessions() if path != self._folder.path]
        rates = recorded_rates(others, first.executed, confidence=self._options.confidence)
        fixed = fixed_choices(self._config, first, is_seed_fixed=self._options.is_seed_fixed)
        evidence = replace(self._evidence, rates=rates, fixed=fixed)
        if self._asked is None:
            required = runs_required(first, evidence)
            self._asked, self._planned = required.asked, required.planned
            evidence = replace(evidence, required=required)
        self._evidence = evidence

    def _show_progress(self, number: int, folder: Path, began_ns: int) -> None:
        if not self._has_facts:
            # While the first run starts: git and installed versions take their time.
            self._has_facts = True
            self._folder.write_json(FACTS, session_facts(self._config, "verify"))
        self._terminal.show(number, asked=self._asked, folder=folder, began_ns=began_ns, before=self._runs)

    def _tell(self, run: Run) -> None:
        self._folder.append("runs.jsonl", run_record(run))
        reasons = (*reasons_against(run, self._runs, self._held), *self._held.mistakes)
        broken = sum(1 for one in self._held.broken if one.run == run.number)
        is_good = not run.is_failing and not reasons and not broken
        if self._config.getoption("verbose", 0) > 0 or not is_good:
            self._terminal.show_file(self._output(run.number))
        line = run_line(run, asked=self._asked or self._planned, reasons=reasons, broken=broken)
        self._terminal.say(line, green=is_good, red=not is_good)

    def _conclude(self, *, broken_off: int | None = None) -> int:
        held = hold_limits(self._options.limits, self._runs)
        verdict = judge(
            self._runs,
            asked=self._asked or FEWEST_RUNS,
            held=held,
            broken_off=broken_off,
            unproved=(*self._problems, *self._evidence.unproved(self._runs)),
        )
        record = verdict_record(verdict, self._runs, evidence=self._evidence, held=held.held)
        self._folder.conclude(record)
        self._folder.note_finished(now_utc())
        self._folder.close()
        if self._options.json_path is not None:
            self._folder.write_for_user(self._config.invocation_params.dir / self._options.json_path, record)
        is_stable = verdict.exit_status == 0
        self._terminal.title("verify", green=is_stable, red=not is_stable, bold=True)
        folder = shown_path(self._config, self._folder.path)
        for line in verdict_lines(verdict, self._runs, folder=folder, evidence=self._evidence):
            self._terminal.tell(line)
        if self._folder.problem is not None:
            self._terminal.say(f"records are incomplete: {self._folder.problem}")
        return verdict.exit_status

    def _output(self, number: int) -> Path:
        return self._folder.path / f"verify_run_{number}.txt"


def _environment_as_given() -> dict[str, str]:
    """Returns the variables for the runs, without the one that pytest itself has set in this process."""
    given = {name: value for name, value in os.environ.items() if name != "PYTEST_VERSION"}
    # What a run printed before it was killed must be in its file.
    return {"PYTHONUNBUFFERED": "1", **given, IN_RUN_VARIABLE: "1"}


def asks_for_information(config: pytest.Config) -> bool:
    """Tells whether pytest is asked for something that it says without running a test."""
    names = (
        "help",
        "version",
        "showfixtures",
        "show_fixtures_per_test",
        "markers",
        "collectonly",
        "cacheshow",
    )
    return any(getattr(config.option, name, False) for name in names)
