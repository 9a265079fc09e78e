"""Worktrees of base and fix, ready to run: their tests, their builds, their commands."""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import pytest

from pytest_repro.clock import monotonic_ns
from pytest_repro.errors import CertificateError
from pytest_repro.plugin.certificate_options import CertificateOptions
from pytest_repro.plugin.command import (
    plugins_by_name,
    pytest_as_typed,
    pytest_of_this_process,
    pytest_script,
    with_files_read,
    without_gate_options,
    without_options,
)
from pytest_repro.plugin.session import CODE_PLACES_VARIABLE, RUN_OPTION
from pytest_repro.verify.certificate.build import Build, run_build
from pytest_repro.verify.certificate.foreign import Places, prefixes_of_this_process
from pytest_repro.verify.certificate.git import Repository, repository_of
from pytest_repro.verify.certificate.import_roots import import_roots
from pytest_repro.verify.certificate.relocation import Relocation, below
from pytest_repro.verify.certificate.snapshot import (
    Difference,
    Revision,
    difference_of,
    revision_of,
    snapshot_of,
)
from pytest_repro.verify.certificate.transplant import Transplant, named_tests, selected_tests, transplant
from pytest_repro.verify.certificate.trials import Side
from pytest_repro.verify.certificate.worktrees import Workplace
from pytest_repro.verify.process import RunCommand, with_hash_seed


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """What is compared.

    Attributes:
        base: What the base is.
        fix: What the fix is.
        difference: What lies between them.
        transplant: Tests of the fix that the base has now.
    """

    base: Revision
    fix: Revision
    difference: Difference
    transplant: Transplant


class Sides:
    """The command that was given in the checkout, in the worktree of each side.

    Args:
        config: Of the gate's process.
        options: What was asked for.
        environment: All variables, as they were given.

    Raises:
        CertificateError: There is no repository.
    """

    def __init__(
        self, config: pytest.Config, options: CertificateOptions, environment: Mapping[str, str]
    ) -> None:
        self._config = config
        self._options = options
        self._environment = environment
        self._start = config.invocation_params.dir
        self.repository: Repository = repository_of(
            config.rootpath, start=self._start, environment=environment
        )
        self._positional = [str(word) for word in config.getoption("file_or_dir", default=None) or ()]
        self._is_stressed = any(_is_given(config, name) for name in ("repro_stress", "repro_stress_time"))
        self._above = Path()
        self.roots: tuple[str, ...] = ()

    @property
    def directory(self) -> str:
        """Where each run is started, relative to the top of its worktree; absolute outside of it."""
        inside = below(self.repository.top, self._start)
        return str(self._start) if inside is None else inside.as_posix()

    @property
    def moved_variables(self) -> tuple[str, ...]:
        """Variables that lead into the worktrees."""
        move = self._relocation(Side.BASE)
        return tuple(move.moved_variables(self._environment, start=self._start))

    def prepare(self, workplace: Workplace) -> Compared:
        """Makes the worktrees and copies tests into the base.

        Raises:
            CertificateError: They cannot be made, or there is nothing to compare.
        """
        top = self.repository.top
        base = revision_of(self.repository, self._options.base)
        tests = (
            selected_tests(self._positional, start=self._start, checkout=top)
            if self._options.tests is None
            else named_tests(self._options.tests, start=self._start, checkout=top)
        )
        fix = snapshot_of(self.repository, scratch=workplace.folder("scratch"))
        difference = difference_of(self.repository, base, fix)
        if not difference.files:
            raise CertificateError(
                f"--verify-base {self._options.base}: base and fix are the same, file by file",
                place=str(top),
                next_step="Give the commit before the fix.",
            )
        self._above = workplace.path
        base_tree = workplace.add(Side.BASE.value, base)
        fix_tree = workplace.add(Side.FIX.value, fix)
        for side in Side:
            workplace.folder(_site(side))
        copied = transplant(tests, checkout=top, fix=fix_tree, base=base_tree)
        if set(difference.files) <= set(copied.copied):
            raise CertificateError(
                "--verify-base: base and fix differ in nothing but the tests that both are to run: "
                f"{', '.join(difference.files[:5])}",
                place=str(top),
                next_step="If the fix is in the test itself, leave the base its own: --verify-test none.",
            )
        self.roots = import_roots(
            sys.path,
            checkout=top,
            start=self._start,
            prefixes=prefixes_of_this_process(),
            starts_there=pytest_script() is None,
        )
        return Compared(base=base, fix=fix, difference=difference, transplant=copied)

    def build(self, side: Side, *, output: Path) -> Build:
        """Builds one side by the user's command.

        Args:
            side: Which one.
            output: File that takes all that it prints.
        """
        assert self._options.build is not None
        move = self._relocation(side)
        fields = {
            "python": sys.executable,
            "site": str(self._above / _site(side)),
            "worktree": str(move.worktree),
        }
        return run_build(
            self._options.build,
            side=side.value,
            fields=fields,
            directory=move.directory(self._start),
            environment=move.environment(self._environment, start=self._start),
            output=output,
            clock=monotonic_ns,
        )

    def command(self, side: Side, *, hash_seed: int, stress_seed: int) -> RunCommand:
        """Returns what runs the tests of one side.

        Args:
            side: Which one.
            hash_seed: Of the pair of runs, unless the user has set one.
            stress_seed: The same for a stress run inside.
        """
        move = self._relocation(side)
        given = self._arguments()
        if self._is_stressed and not _is_given(self._config, "repro_seed"):
            given = [*given, f"--repro-seed={stress_seed}"]
        moved = move.arguments(given, start=self._start, positional=self._positional)
        # What pytest would find by itself in the checkout may lie above the worktree.
        root = move.of(self._config.rootpath)
        assert root is not None
        places = Places(
            checkout=str(move.checkout),
            worktree=str(move.worktree),
            above=str(self._above),
            roots=(str(root), str(move.directory(self._start))),
        )
        environment = self._variables(side, move) | {CODE_PLACES_VARIABLE: json.dumps(asdict(places))}
        return RunCommand(
            launcher=pytest_of_this_process(),
            arguments=(f"--rootdir={root}", *moved),
            directory=move.directory(self._start),
            environment=with_hash_seed(environment, hash_seed),
            folder_option=RUN_OPTION,
            as_typed=(*pytest_as_typed(), *given),
        )

    def line(self) -> str:
        """Returns the command of each run as a person would type it."""
        return shlex.join((*pytest_as_typed(), *self._arguments()))

    def _arguments(self) -> list[str]:
        """Returns the arguments without the gate; what is looked for is looked for here, not in the runs."""
        given = with_files_read(self._config.invocation_params.args, folder=self._start)
        given = without_gate_options(given)
        if not self._is_stressed:
            given = without_options(given, flags=frozenset(), values=frozenset({"--repro-match"}))
        return [*plugins_by_name(self._config), *given]

    def _variables(self, side: Side, move: Relocation) -> dict[str, str]:
        variables = move.environment(self._environment, start=self._start)
        own = [str(self._above / _site(side))] if self._options.build is not None else []
        own += [str(move.worktree / root) for root in self.roots]
        given = variables.get("PYTHONPATH")
        path = [*own, *([given] if given else [])]
        return {**variables, "PYTHONPATH": ":".join(path)} if path else variables

    def _relocation(self, side: Side) -> Relocation:
        return Relocation(checkout=self.repository.top, worktree=self._above / side.value)


def _site(side: Side) -> str:
    return f"{side.value}-site"


def _is_given(config: pytest.Config, name: str) -> bool:
    return config.getoption(name, default=None) is not None or bool(config.getini(name))
