"""The fresh processes of a bisection: one that tells which tests there are, and one for each trial."""

from __future__ import annotations

import os
import shlex
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from pytest_repro.clock import monotonic_ns
from pytest_repro.errors import OptionError
from pytest_repro.order.matching import Collected
from pytest_repro.order.order_file import order_text
from pytest_repro.order.trials import Trial
from pytest_repro.plugin.bisect_options import BISECT_OPTION
from pytest_repro.plugin.bisect_trial import LISTED, begun_test, hanging_trial, trial_in
from pytest_repro.plugin.command import (
    Relaunch,
    plugins_by_name,
    pytest_as_typed,
    pytest_of_this_process,
    with_files_read,
    without_options,
)
from pytest_repro.plugin.internals.rootdir import setup_without_files
from pytest_repro.plugin.order_options import TRIAL_OPTION
from pytest_repro.plugin.session import IN_RUN_VARIABLE, RUN_OPTION
from pytest_repro.store import read_json
from pytest_repro.verify.process import RunCommand, execute, with_hash_seed

_OURS = frozenset({"--repro-bisect-time", "--repro-hang-time", "--repro-match", "--repro-json"})
_REPORTS = frozenset({"--junitxml", "--junit-xml"})
_MOST_CHARACTERS = 500_000
"""Of all files on a command line: Linux allows two million, macOS one, variables included."""

_ORDER = frozenset({"--repro-order", "--repro-order-missing"})


class NotCollectedError(OptionError):
    """The tests cannot be listed.

    Args:
        exit_status: Of the process that was to list them.
        output: What it printed.
    """

    def __init__(self, exit_status: int, output: str) -> None:
        super().__init__(
            f"{BISECT_OPTION} could not collect the tests: exit status {exit_status}",
            next_step="See the output above.",
        )
        self.output = output


class _HangError(Exception):
    """A test of a trial takes longer than it may."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """The tests of a session, as its command line has them.

    Attributes:
        root: pytest's rootdir.
        tests: In their order.
        files: Files and node ids of the command line.
    """

    root: Path
    tests: tuple[Collected, ...]
    files: tuple[str, ...]


class TrialProcesses:
    """Starts pytest as this process was started, for other tests.

    Args:
        config: Of the process that was asked for the bisection.
        hang_ns: Time after which a test hangs, None for never.
        order: File in the place of the order that was given, None for that one.
        meanwhile: Called again and again while a process runs; what it raises ends the process.
    """

    def __init__(
        self, config: pytest.Config, *, hang_ns: int | None, order: Path | None, meanwhile: Callable[[], None]
    ) -> None:
        self._config = config
        self._hang_ns = hang_ns
        self._order = order
        self._meanwhile = meanwhile
        self._environment = with_hash_seed(_environment())
        self._seeds: tuple[str, ...] = ()
        self._listed: Listed | None = None
        self._trials = 0

    def listed(self) -> Listed:
        """Finds out which tests there are, and in which order.

        Raises:
            NotCollectedError: They cannot be collected.
        """
        given = _without_bisect(
            with_files_read(self._config.invocation_params.args, folder=self._config.invocation_params.dir)
        )
        replaced = frozenset() if self._order is None else frozenset({"--repro-order"})
        given = without_options(
            given, flags=frozenset({"-x", "--exitfirst"}), values=_OURS | _REPORTS | replaced
        )
        order = () if self._order is None else (f"--repro-order={self._order}",)
        with _places() as (place, folder, output):
            ours = ("--collect-only", "-q", TRIAL_OPTION, *self._taken_back(place), *order)
            arguments = (*plugins_by_name(self._config), *ours, *given)
            run = execute(
                self._command(arguments),
                number=0,
                folder=folder,
                output=output,
                clock=monotonic_ns,
                meanwhile=self._meanwhile,
            )
            if run.exit_status or not (folder / LISTED).exists():
                raise NotCollectedError(run.exit_status, _text(output))
            told = read_json(folder / LISTED)
        self._listed = Listed(
            root=Path(told["root"]),
            tests=tuple(Collected(nodeid=nodeid, path=path) for nodeid, path in told["tests"]),
            files=tuple(told["files"]),
        )
        return self._listed

    def run(self, tests: Sequence[Collected]) -> Trial:
        """Runs tests in a fresh process, the one in question last."""
        self._trials += 1
        with _places() as (place, folder, output):
            order = place / "order.txt"
            order.write_text(order_text(map(self.named, tests)), "utf-8", "surrogateescape")
            arguments = (*self._arguments(place, tests), f"--repro-order={order}", *files_of(tests))
            try:
                run = execute(
                    self._command(arguments),
                    number=self._trials,
                    folder=folder,
                    output=output,
                    clock=monotonic_ns,
                    meanwhile=self._watch(folder),
                )
            except _HangError:
                return hanging_trial(begun_test(folder))
            if run.report is not None and not self._seeds:
                self._seeds = tuple(f"{name}={value}" for name, value in run.report.seeds.items())
            return trial_in(folder, exit_status=run.exit_status, output=_text(output).rpartition("\n")[2])

    def named(self, test: Collected) -> str:
        """Returns a node id by which the test is found again: by its path, where that is outside."""
        file, separator, names = test.nodeid.partition("::")
        is_inside = self._root / file == Path(test.path)
        return test.nodeid if is_inside else test.path + separator + names

    def again(self, order: str, tests: Sequence[Collected]) -> str:
        """Returns the shell command that runs tests as the trials did.

        Args:
            order: File that names them.
            tests: The same.
        """
        start = self._config.invocation_params.dir
        relaunch, kept = self._relaunch()
        found = setup_without_files(self._config)
        told = (str(found[0]), None if found[1] is None else str(found[1]))
        is_misled = told != (relaunch.root, relaunch.ini)
        places = relaunch.places(start, is_misled=True) if is_misled else ()
        # Where the session was told its files, those conftests come first that lie beside them.
        files = files_of(tests) if self._listed is not None and self._listed.files else ()
        relative = [os.path.relpath(file, start) for file in files]
        alone = ("-n0",) if self._config.getoption("numprocesses", None) else ()
        words = [*pytest_as_typed(), *plugins_by_name(self._config), *kept, *alone, *places, *self._seeds]
        seed = self._environment.get("PYTHONHASHSEED", "")
        variable = f"PYTHONHASHSEED={seed} " if seed.isdigit() else ""
        return variable + shlex.join([*words, f"--repro-order={order}", *relative])

    def _watch(self, folder: Path) -> Callable[[], None]:
        """Returns what looks after one trial."""
        at, since_ns = 0, monotonic_ns()

        def watch() -> None:
            nonlocal at, since_ns
            self._meanwhile()
            if self._hang_ns is None:
                return
            begun, now_ns = begun_test(folder).number, monotonic_ns()
            if begun != at or not begun:
                # Until the first test begins, modules are imported, which takes as long as it takes.
                at, since_ns = begun or at, now_ns
            elif now_ns - since_ns > self._hang_ns:
                raise _HangError

        return watch

    @property
    def _root(self) -> Path:
        return self._config.rootpath if self._listed is None else self._listed.root

    def _relaunch(self) -> tuple[Relaunch, list[str]]:
        """Returns how the session was started, and its arguments that matter to tests that are named."""
        files = () if self._listed is None else self._listed.files
        relaunch = Relaunch.of(self._config, positional=files, keeps_choice=True)
        kept = without_options(_without_bisect(relaunch.kept), flags=frozenset(), values=_OURS | _ORDER)
        return relaunch, kept

    def _arguments(self, place: Path, tests: Sequence[Collected]) -> tuple[str, ...]:
        relaunch, kept = self._relaunch()
        ini = relaunch.ini
        if ini is None and any(relaunch.is_misled(Path(test.path)) for test in tests):
            # Told its files, pytest would take an ini file that lies beside one of them.
            ini = os.devnull
        root = (f"--rootdir={self._root}", *(("-c", ini) if ini else ()))
        cache = self._config.pluginmanager.has_plugin("cacheprovider")
        own_cache = ("-o", f"cache_dir={place}/cache") if cache else ()
        ours = (*self._seeds, *self._taken_back(place), *root, *own_cache, "-q", TRIAL_OPTION)
        return (*plugins_by_name(self._config), *kept, *ours)

    def _taken_back(self, place: Path) -> tuple[str, ...]:
        """Returns what takes back workers, an early end and a report, which an ini file may ask for."""
        workers = ("-n0",) if self._config.pluginmanager.has_plugin("xdist") else ()
        has_report = bool(self._config.getoption("xmlpath", None))
        report = (f"--junitxml={place / 'report.xml'}",) if has_report else ()
        return (*workers, "--maxfail=0", *report)

    def _command(self, arguments: tuple[str, ...]) -> RunCommand:
        return RunCommand(
            launcher=pytest_of_this_process(),
            arguments=arguments,
            directory=self._config.invocation_params.dir,
            environment=self._environment,
            folder_option=RUN_OPTION,
            as_typed=pytest_as_typed(),
        )


def _without_bisect(arguments: Sequence[str]) -> list[str]:
    """Returns the arguments without the one of the bisection, whose value may be left out."""
    kept: list[str] = []
    is_value = False
    for argument in arguments:
        if is_value and not argument.startswith("-"):
            is_value = False
            continue
        is_value = argument == BISECT_OPTION
        if not is_value and not argument.startswith(f"{BISECT_OPTION}="):
            kept.append(argument)
    return kept


@contextmanager
def _places() -> Iterator[tuple[Path, Path, Path]]:
    """Gives a folder, and in it the place of a run's folder and of its output."""
    with tempfile.TemporaryDirectory(prefix="pytest-repro-", ignore_cleanup_errors=True) as name:
        yield Path(name), Path(name) / "run", Path(name) / "output.txt"


def files_of(tests: Sequence[Collected]) -> tuple[str, ...]:
    """Returns the files of tests, each once.

    Where a command line cannot hold them it is none: pytest is left to find them by the order.
    """
    files = tuple(dict.fromkeys(test.path for test in tests))
    return files if sum(map(len, files)) <= _MOST_CHARACTERS else ()


def _text(output: Path) -> str:
    return output.read_text(encoding="utf-8", errors="replace").strip()


def _environment() -> dict[str, str]:
    given = {name: value for name, value in os.environ.items() if name != "PYTEST_VERSION"}
    return {"PYTHONUNBUFFERED": "1", **given, IN_RUN_VARIABLE: "1"}
