"""The gate as pytest's main job: fresh processes instead of a session."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from pytest_repro.clock import monotonic_ns, now_utc
from pytest_repro.errors import OptionError
from pytest_repro.plugin.command import pytest_as_typed, pytest_of_this_process, without_gate
from pytest_repro.plugin.internals.process import terminal_writer
from pytest_repro.plugin.options import Options, resolve
from pytest_repro.plugin.session import RUN_FOLDER_VARIABLE, is_run, is_worker, shown_path
from pytest_repro.plugin.session_facts import session_facts
from pytest_repro.report.verify import run_line, run_record, verdict_lines, verdict_record
from pytest_repro.store import FORMAT_VERSION, Store, write_json
from pytest_repro.verify.gate import Run, judge, must_stop, reasons_against
from pytest_repro.verify.process import RunCommand, execute, termination_as_interrupt

_EXIT_INTERRUPTED = 2


def gate_exit_status(config: pytest.Config) -> int | None:
    """Runs the gate and returns its exit status; None where something else was asked of pytest.

    Raises:
        pytest.UsageError: Options contradict each other.
    """
    # A run's xdist workers hold the same options, and the variable is gone by then.
    if is_run() or is_worker(config) or _asks_for_information(config):
        return None
    if config.getoption("verify_runs") is None and config.getoption("repro_replay") is not None:
        # The ini file asks for the gate, the command line for one iteration.
        return None
    try:
        options = resolve(config)
        _refuse_debugger(config)
        _refuse_changing_selection(config)
    except OptionError as error:
        raise pytest.UsageError(str(error)) from error
    return Gate(config, options).run()


class Gate:
    """N runs of pytest, one after the other, and the verdict on them.

    Args:
        config: Of the process that was asked for the gate; it never becomes a session.
        options: What was asked for.
    """

    def __init__(self, config: pytest.Config, options: Options) -> None:
        assert options.verify_runs is not None
        self._config = config
        self._options = options
        self._asked = options.verify_runs
        self._terminal = terminal_writer(config)
        self._folder = Store(config.rootpath).begin("verify", now=now_utc())

    def run(self) -> int:
        """Runs all that is needed for a verdict and returns the exit status."""
        if self._folder.problem is not None:
            raise pytest.UsageError(
                f"--verify-runs needs a folder for the output of its runs: {self._folder.problem}. "
                "Make the folder writable, or choose another root with --rootdir."
            )
        self._folder.note_running()
        self._folder.write_json("session.json", session_facts(self._config, "verify"))
        self._say(f"verify: {self._asked} runs of {self._line()}")
        runs: list[Run] = []
        try:
            with termination_as_interrupt():
                for run in self._runs():
                    runs.append(run)
                    self._tell(run, runs)
                    if must_stop(run, keep_going=self._options.verify_keep_going):
                        break
        except KeyboardInterrupt:
            self._conclude(runs)
            return _EXIT_INTERRUPTED
        return self._conclude(runs)

    def _runs(self) -> Iterator[Run]:
        command = RunCommand(
            arguments=(*pytest_of_this_process(), *self._config.invocation_params.args),
            directory=self._config.invocation_params.dir,
            environment=dict(os.environ),
            folder_variable=RUN_FOLDER_VARIABLE,
            line=self._line(),
        )
        for number in range(1, self._asked + 1):
            yield execute(
                command,
                number=number,
                folder=self._folder.path / f"run_{number}",
                output=self._output(number),
                clock=monotonic_ns,
            )

    def _tell(self, run: Run, runs: list[Run]) -> None:
        self._folder.append("runs.jsonl", run_record(run))
        reasons = reasons_against(run, runs)
        is_good = not run.is_failing and not reasons
        verbose = self._config.getoption("verbose", 0)
        if verbose > 0 or not is_good:
            self._say(self._output(run.number).read_text(encoding="utf-8", errors="replace").rstrip())
        self._say(run_line(run, asked=self._asked, reasons=reasons), green=is_good, red=not is_good)

    def _conclude(self, runs: list[Run]) -> int:
        verdict = judge(runs, asked=self._asked)
        record = verdict_record(verdict, runs)
        self._folder.write_json("summary.json", record)
        self._folder.note_finished()
        self._folder.close()
        if self._options.json_path is not None:
            self._write_for_user(self._config.invocation_params.dir / self._options.json_path, record)
        is_stable = verdict.exit_status == 0
        self._terminal.sep("=", "verify", green=is_stable, red=not is_stable, bold=True)
        for line in verdict_lines(verdict, runs, folder=shown_path(self._config, self._folder.path)):
            self._say(line)
        if self._folder.problem is not None:
            self._say(f"records are incomplete: {self._folder.problem}")
        return verdict.exit_status

    def _write_for_user(self, path: Path, record: Mapping[str, Any]) -> None:
        try:
            write_json(path, {"format_version": FORMAT_VERSION, **record})
        except OSError as error:
            self._folder.problem = self._folder.problem or f"{error.strerror or error} ({path})"

    def _line(self) -> str:
        arguments = without_gate(self._config.invocation_params.args)
        # An ini file that asks for the gate would start it again.
        off = ("-o", "verify_runs=") if self._config.getini("verify_runs") else ()
        return shlex.join((*pytest_as_typed(), *off, *arguments))

    def _output(self, number: int) -> Path:
        return self._folder.path / f"verify_run_{number}.txt"

    def _say(self, line: str, **markup: bool) -> None:
        self._terminal.line(line, **markup)
        self._terminal.flush()


def _asks_for_information(config: pytest.Config) -> bool:
    names = ("help", "version", "showfixtures", "show_fixtures_per_test", "markers")
    return any(getattr(config.option, name, False) for name in names)


def _refuse_changing_selection(config: pytest.Config) -> None:
    for name, option in (("lf", "--lf"), ("stepwise", "--stepwise")):
        if config.getoption(name, default=False):
            raise OptionError(
                f"--verify-runs cannot be combined with {option}: a run changes what the next selects",
                next_step="Name the tests instead.",
            )


def _refuse_debugger(config: pytest.Config) -> None:
    if config.getoption("usepdb", default=False):
        raise OptionError(
            "--verify-runs cannot be combined with --pdb: its runs have no terminal",
            next_step="Drop one of them.",
        )
