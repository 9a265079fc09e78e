"""Makes the command that runs one iteration again from the command that ran them all."""

from __future__ import annotations

import os
import re
import shlex
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pytest

from pytest_repro.plugin.limit_options import LIMIT_VALUES
from pytest_repro.plugin.session import RUN_OPTION
from pytest_repro.plugin.verify_options import NO_GATE, VERIFY_FLAGS, VERIFY_LISTS, VERIFY_VALUES

# Options that choose, spread or report tests; everything else may change how the test itself runs.
_DROPPED_FLAGS = frozenset(
    [
        "-x",
        "--exitfirst",
        "--lf",
        "--last-failed",
        "--ff",
        "--failed-first",
        "--nf",
        "--new-first",
        "--sw",
        "--stepwise",
        "--stepwise-skip",
        "--cache-clear",
        *(f"--{name}" for name, _ in VERIFY_FLAGS),
        "-f",
        "--looponfail",
        "--collect-only",
        "--co",
        "--no-header",
        "--no-summary",
        "--pyargs",
        "--repro-timing",
        "--repro-isolate",
        "--repro-stress-items",
    ]
)
_DROPPED_VALUES = frozenset(
    [
        "-n",
        "--numprocesses",
        "--maxprocesses",
        "--max-worker-restart",
        "--dist",
        "--tx",
        "--maxfail",
        "-k",
        "-m",
        "--deselect",
        "--ignore",
        "--ignore-glob",
        "--junitxml",
        "--junit-xml",
        "--durations",
        "--durations-min",
        "-r",
        "--repro-stress",
        "--repro-stress-time",
        "--repro-stop",
        "--repro-seed",
        "--repro-replay",
        "--repro-match",
        "--repro-json",
        "--repro-tag",  # of this session: a replay is another one
        "--repro-keep",
        "--repro-lane",
        "--repro-overlap",
        "--repro-devices",
        "--repro-reset",
        "--repro-reset-on",
        "--repro-reset-limit",
        *(f"--{name}" for name, *_ in (*VERIFY_VALUES, *VERIFY_LISTS, *LIMIT_VALUES)),
        RUN_OPTION,
        "--basetemp",  # pytest empties it at its start, and another session may be using it
    ]
)
_CHOICE = frozenset({"-k", "-m"})
_INI_FILES = (
    "pytest.toml",
    ".pytest.toml",
    "pytest.ini",
    ".pytest.ini",
    "pyproject.toml",
    "tox.ini",
    "setup.cfg",
)
_INTERPRETER_OPTION = re.compile(r"--\S.*|-[WX].*|(?P<before>-[A-Zabd-ln-z]*)[cm].*|-[A-Zabd-ln-z?]+")
_WITH_A_VALUE = frozenset({"-W", "-X", "--check-hash-based-pycs"})
_VERBOSITY = re.compile(r"-[vqlsx]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Relaunch:
    """What starts pytest again for one test, as this session was started.

    Attributes:
        kept: Arguments of the session that can change how a test runs.
        start: Folder in which pytest was started.
        root: pytest's rootdir.
        ini: Its ini file, or None.
        launcher: How pytest itself was started.
        extra: Arguments that only a process of our own needs.
    """

    launcher: tuple[str, ...]
    kept: tuple[str, ...]
    start: str
    root: str
    ini: str | None
    extra: tuple[str, ...] = ()

    @classmethod
    def of(
        cls,
        config: pytest.Config,
        *extra: str,
        positional: Sequence[str] | None = None,
        keeps_choice: bool = False,
    ) -> Relaunch:
        """Reads it off the session that a user started.

        Args:
            config: Of that session.
            extra: Arguments that only a process of our own needs.
            positional: Files and node ids of the command line, where `config` does not know them yet.
            keeps_choice: Whether `-k` and `-m` are kept: others may stand in the ini file.
        """
        given = with_files_read(config.invocation_params.args, folder=config.invocation_params.dir)
        words = config.args if positional is None else positional
        kept = kept_arguments(given, positional=words, keeps_choice=keeps_choice)
        return cls(
            launcher=pytest_of_this_process(),
            kept=tuple(kept),
            start=str(config.invocation_params.dir),
            root=str(config.rootpath),
            ini=None if config.inipath is None else str(config.inipath),
            extra=extra,
        )

    @classmethod
    def from_payload(cls, payload: Mapping[str, Any]) -> Relaunch:
        """Reads what `to_payload` made."""
        return cls(**payload)

    def to_payload(self) -> dict[str, Any]:
        """Returns it as builtins, for an xdist worker."""
        return asdict(self)

    def arguments(self, test: str, *, path: Path, is_told_root: bool = False) -> tuple[str, ...]:
        """Returns the arguments that select one test, to be given where pytest was started.

        Args:
            test: Node id.
            path: File of the test; the node id alone does not always tell it.
            is_told_root: Whether rootdir and ini file are told even where pytest would find them itself.
        """
        start = Path(self.start)
        # pytest looks for root and ini file from the test's file on: it is told where it would find others.
        is_misled = is_told_root or self.is_misled(path)
        must_be_told = is_misled or not path.is_relative_to(start)
        places = self.places(start, is_misled=is_misled) if must_be_told else ()
        return (*self.kept, *self.extra, *places, command_line_id(test, path=path, start=start))

    def is_misled(self, path: Path) -> bool:
        """Tells whether an ini file lies between the test and the root: pytest would take that one."""
        root = Path(self.root)
        folders = [folder for folder in path.parents if folder != root and folder.is_relative_to(root)]
        return any((folder / name).is_file() for folder in folders for name in _INI_FILES)

    def places(self, start: Path, *, is_misled: bool) -> tuple[str, ...]:
        """Returns the options that tell rootdir and ini file.

        Args:
            start: What their paths are relative to.
            is_misled: Whether pytest would find another ini file where there is to be none.
        """
        root = f"--rootdir={os.path.relpath(self.root, start)}"
        if self.ini is None:
            # pytest reads the one it is given, and looks for no other.
            return (root, f"--config-file={os.devnull}") if is_misled else (root,)
        return (root, f"--config-file={os.path.relpath(self.ini, start)}")


def replay_command(
    config: pytest.Config,
    *,
    test: str,
    path: Path,
    seed: int | None,
    iteration: int,
    hash_seed: int | None = None,
    times: int | None = None,
    lease: str | None = None,
) -> str:
    """Returns a shell command, to be given where pytest was started, that fails again.

    Args:
        config: Of the session that ran it.
        test: Node id.
        path: File of the test; the node id alone does not always tell it.
        seed: Base seed of the session, or None where nothing was reseeded.
        iteration: 1-based.
        hash_seed: `PYTHONHASHSEED` of the process that ran it, None where that is not known.
        times: How often the test must run in one process, where it fails from running again alone; None where
            this one iteration is enough.
        lease: The device that it ran on, as `--repro-devices` names it; None where none was leased.
    """
    again = ("--repro-replay", str(iteration)) if times is None else ("--repro-stress", str(times))
    reseed = () if seed is None else ("--repro-seed", str(seed))
    match = config.getoption("repro_match")
    wanted = () if match is None else (f"--repro-match={match}",)
    devices = () if lease is None else ("--repro-devices", lease)
    arguments = Relaunch.of(config).arguments(test, path=path)
    environment = "" if hash_seed is None else f"PYTHONHASHSEED={hash_seed} "
    command = (*pytest_as_typed(), *arguments, *wanted, *devices, *reseed, *again)
    return environment + shlex.join(command)


def pytest_script() -> Path | None:
    """Returns the script `pytest` that this process was started by, or None for `python -m pytest`.

    The two differ in `sys.path`: only the latter adds the working directory.
    """
    script = Path(sys.argv[0]) if sys.argv and sys.argv[0] else None
    is_script = script is not None and script.stem in ("pytest", "py.test") and script.is_file()
    return script if is_script else None


def pytest_as_typed() -> tuple[str, ...]:
    """Returns how a person starts pytest the way this process was started."""
    if pytest_script() is not None:
        return ("pytest",)
    return ("python", *interpreter_options(sys.orig_argv), "-m", "pytest")


def pytest_of_this_process() -> tuple[str, ...]:
    """Returns how pytest itself was started, with the interpreter's own options such as `-X dev`."""
    interpreter = (sys.executable, *interpreter_options(sys.orig_argv))
    script = pytest_script()
    return (*interpreter, "-m", "pytest") if script is None else (*interpreter, str(script.resolve()))


def interpreter_options(started_as: Sequence[str]) -> list[str]:
    """Returns the interpreter's own options in a command line, such as `-O`; variables stand for others.

    Args:
        started_as: The interpreter first, then its arguments.
    """
    words = list(started_as[1:])
    options: list[str] = []
    while words and (found := _INTERPRETER_OPTION.fullmatch(words[0])):
        word = words.pop(0)
        if found["before"] is not None:
            # `-Om pytest`: what follows is the module, or the program.
            return [*options, found["before"]] if found["before"] != "-" else options
        options.append(word)
        if word in _WITH_A_VALUE and words:
            options.append(words.pop(0))
    return options


def command_line_id(test: str, *, path: Path, start: Path) -> str:
    """Returns a node id as it is given on the command line, relative to where pytest is started."""
    _, separator, rest = test.partition("::")
    relative = os.path.relpath(path, start)
    return (str(path) if relative.startswith("../..") else relative) + separator + rest


def kept_arguments(
    arguments: Sequence[str], *, positional: Sequence[str], keeps_choice: bool = False
) -> list[str]:
    """Returns the arguments that can change how one test runs: no files, no choice, no distribution."""
    dropped = _DROPPED_VALUES - (_CHOICE if keeps_choice else frozenset())
    without = without_options(arguments, flags=_DROPPED_FLAGS, values=dropped)
    # `-vs` is how loud pytest is, and that output is not captured: only the second changes how a test runs.
    loud = ["-s" if _VERBOSITY.fullmatch(argument) and "s" in argument else argument for argument in without]
    kept = [argument for argument in loud if argument != "--" and not _is_short_form(argument, dropped)]
    for path in reversed(positional):
        places = [place for place, argument in enumerate(kept) if argument == path]
        # The same word may be the value of an option before it.
        free = [place for place in places if place == 0 or not kept[place - 1].startswith("-")]
        for place in (free or places)[-1:]:
            del kept[place]
    return kept


def with_files_read(arguments: Sequence[str], *, folder: Path) -> list[str]:
    """Returns the arguments with the lines of each `@file` in its place, as pytest reads them."""
    read: list[str] = []
    for argument in arguments:
        try:
            is_file = argument.startswith("@")
            lines = (
                (folder / argument[1:]).read_text(encoding="utf-8").splitlines() if is_file else [argument]
            )
        except OSError:
            lines = [argument]
        read += lines
    return read


def plugins_by_name(config: pytest.Config) -> list[str]:
    """Returns the options that load what `pytest.main()` was given by name in its `plugins`."""
    plugins: Sequence[object] = config.invocation_params.plugins or ()
    return [word for plugin in plugins if isinstance(plugin, str) for word in ("-p", plugin)]


def without_gate(config: pytest.Config) -> list[str]:
    """Returns the arguments of one run of the gate, to be given by hand: without the gate itself."""
    kept = without_gate_options(config.invocation_params.args)
    elsewhere = (
        *config.getini("addopts"),
        os.environ.get("PYTEST_ADDOPTS", ""),
        *with_files_read(kept, folder=config.invocation_params.dir),
    )
    is_asked_for = config.getini("verify_runs") or any("--verify-runs" in text for text in elsewhere)
    kept = [*plugins_by_name(config), *kept]
    return [f"--verify-runs={NO_GATE}", *kept] if is_asked_for else kept


def without_gate_options(arguments: Sequence[str]) -> list[str]:
    """Returns the arguments without those that ask for the gate."""
    names = [name for name, *_ in (*VERIFY_VALUES, *VERIFY_LISTS, *LIMIT_VALUES)]
    return without_options(
        arguments,
        flags=frozenset(f"--{name}" for name, _ in VERIFY_FLAGS),
        values=frozenset(f"--{name}" for name in (*names, "repro-json")),
    )


def without_options(arguments: Sequence[str], *, flags: frozenset[str], values: frozenset[str]) -> list[str]:
    """Returns the arguments without these options and, for those that take one, their values."""
    kept: list[str] = []
    is_value = False
    for argument in arguments:
        name, equals, _ = argument.partition("=")
        if is_value:
            is_value = False
        elif name in values:
            is_value = not equals
        elif argument not in flags:
            kept.append(argument)
    return kept


def _is_short_form(argument: str, dropped: frozenset[str]) -> bool:
    is_joined = argument[:2] in dropped and len(argument) > 2 and not argument.startswith("--")
    return is_joined or (_VERBOSITY.fullmatch(argument) is not None and argument != "-s")
