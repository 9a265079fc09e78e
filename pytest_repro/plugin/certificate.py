"""The comparison of base and fix as pytest's main job."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from pytest_repro.clock import monotonic_ns, now_utc
from pytest_repro.errors import CertificateError, ScaffoldError
from pytest_repro.model import EXIT_INTERRUPTED
from pytest_repro.plugin.certificate_options import CertificateOptions
from pytest_repro.plugin.certificate_sides import Compared, Sides
from pytest_repro.plugin.gate_progress import GateTerminal
from pytest_repro.plugin.session import shown_path
from pytest_repro.plugin.session_facts import open_session, session_facts
from pytest_repro.plugin.verify_options import VerifyOptions
from pytest_repro.report.certificate import (
    build_line,
    certificate_lines,
    certificate_record,
    next_steps,
    opening_lines,
    trial_line,
    trial_record,
)
from pytest_repro.report.certificate_page import certificate_page_at_any_rate, certificate_templates
from pytest_repro.store import FACTS, SessionFolder
from pytest_repro.verify.certificate.build import Build
from pytest_repro.verify.certificate.dossier import Dossier
from pytest_repro.verify.certificate.evidence import trial_of
from pytest_repro.verify.certificate.import_roots import installed_from
from pytest_repro.verify.certificate.judgement import judge_certificate, must_stop, reasons_against_trial
from pytest_repro.verify.certificate.trial_limits import with_limits
from pytest_repro.verify.certificate.trials import Side, Trial
from pytest_repro.verify.certificate.worktrees import Workplace
from pytest_repro.verify.process import execute, termination_as_interrupt


class Comparison:
    """N runs of the base and N of the fix, by turns, and the certificate on them.

    Args:
        config: Of the process that was asked for it; it never becomes a session.
        options: Of the gate.
        asked: What base and fix are.
        environment: All variables, as they were given.
    """

    def __init__(
        self,
        config: pytest.Config,
        options: VerifyOptions,
        asked: CertificateOptions,
        environment: Mapping[str, str],
    ) -> None:
        self._config = config
        self._options = options
        assert options.runs is not None
        self._runs = options.runs
        self._asked = asked
        self._environment = environment
        self._terminal = GateTerminal(config, clock=monotonic_ns)
        self._trials: tuple[Trial, ...] = ()
        self._mistakes: tuple[str, ...] = ()
        self._builds: list[Build] = []
        self._notes: list[str] = []
        self._facts: Mapping[str, Any] = {}
        self._folder: SessionFolder | None = None
        self._templates: Path | None = None

    def run(self) -> int:
        """Runs all that is needed for a certificate and returns the exit status.

        Raises:
            pytest.UsageError: There is nothing that can be compared.
        """
        is_interrupted = False
        compared: Compared | None = None
        try:
            self._templates = certificate_templates(self._config.rootpath)
            sides = Sides(self._config, self._asked, self._environment)
            with termination_as_interrupt():
                try:
                    with Workplace(sides.repository) as workplace:
                        compared = sides.prepare(workplace)
                        self._open(sides, compared)
                        if self._build_all(sides):
                            self._run_all(sides)
                        self._look_for_installed(workplace.path)
                except KeyboardInterrupt:
                    is_interrupted = True
        except (CertificateError, ScaffoldError) as error:
            raise pytest.UsageError(str(error)) from error
        if compared is None or self._folder is None:
            self._terminal.say("interrupted before the first run")
            return EXIT_INTERRUPTED
        status = self._conclude(sides, compared, self._folder)
        return EXIT_INTERRUPTED if is_interrupted else status

    def _open(self, sides: Sides, compared: Compared) -> None:
        folder = open_session(self._config, "certificate")
        if folder.problem is not None:
            raise CertificateError(
                f"--verify-runs needs a folder for the output of its runs: {folder.problem}",
                next_step="Make the folder writable, or choose another root with --rootdir.",
            )
        self._folder = folder
        folder.note_running()
        self._facts = session_facts(self._config, "certificate")
        folder.write_json(FACTS, self._facts)
        self._terminal.say(f"verify: {self._runs} runs of base and fix each: {sides.line()}")
        for line in opening_lines(compared.base, compared.fix, compared.difference):
            self._terminal.say(line)
        copied, left = compared.transplant.copied, compared.transplant.left
        if copied:
            self._terminal.say(f"the base runs the fix's {_listed(copied)}")
        else:
            self._terminal.say(
                "the base runs its own tests: the command line names no file that it could have"
            )
        if left:
            self._notes.append(
                f"base and fix differ in {_listed(left)}, each runs its own; --verify-test copies it"
            )
        if compared.fix.left_out:
            self._notes.append(
                f"repositories inside of the checkout are left out: {_listed(compared.fix.left_out)}"
            )
        if compared.difference.behind:
            count = compared.difference.behind
            self._notes.append(
                f"the base has {count} {'commit' if count == 1 else 'commits'} that the fix lacks"
            )
        if sides.moved_variables:
            self._notes.append(f"these variables lead into the worktrees: {_listed(sides.moved_variables)}")

    def _build_all(self, sides: Sides) -> bool:
        """Builds both sides; returns whether that went well."""
        if self._asked.build is None:
            return True
        for side in Side:
            self._terminal.say(f"building the {side.value}")
            build = sides.build(side, output=self._path(f"verify_build_{side.value}.txt"))
            self._builds.append(build)
            is_good = build.exit_status == 0
            if not is_good:
                self._terminal.say(build.tail)
            self._terminal.say(build_line(build), red=not is_good)
            if not is_good:
                return False
        return True

    def _run_all(self, sides: Sides) -> None:
        for number in range(1, self._runs + 1):
            seeds = {"hash_seed": 1 + secrets.randbelow(2**32 - 1), "stress_seed": secrets.randbits(32)}
            for side in Side:
                self._run(sides, side, number, seeds)
                going = self._options.keep_going
                if self._mistakes or must_stop(self._trials[-1], self._trials, keep_going=going):
                    return

    def _run(self, sides: Sides, side: Side, number: int, seeds: Mapping[str, int]) -> None:
        folder, began_ns = self._path(f"{side.value}_run_{number}"), monotonic_ns()
        output = self._path(f"verify_{side.value}_run_{number}.txt")
        done = [trial.run for trial in self._trials]

        def show_progress() -> None:
            self._terminal.show(
                len(done) + 1, asked=2 * self._runs, folder=folder, began_ns=began_ns, before=done
            )

        run = execute(
            sides.command(side, **seeds),
            number=number,
            folder=folder,
            output=output,
            clock=monotonic_ns,
            meanwhile=show_progress,
        )
        # The runs before recorded what the first two did, or the comparison would have stopped.
        some = (*self._trials[:2], trial_of(side, run, folder))
        (*_, trial), mistakes = with_limits(some, self._options.limits)
        # What the base alone did not record may be what the fix adds.
        self._mistakes = mistakes if side is Side.FIX else ()
        self._trials = (*self._trials, trial)
        assert self._folder is not None
        self._folder.append("runs.jsonl", trial_record(trial))
        reasons = (*self._mistakes, *reasons_against_trial(trial, self._trials))
        # The base is to fail: its failures are told in one line each.
        is_expected = not reasons and (side is Side.BASE or not trial.is_failing)
        if self._config.getoption("verbose", 0) > 0 or not is_expected:
            self._terminal.show_file(output)
        line = trial_line(trial, asked=self._runs, reasons=reasons)
        self._terminal.say(line, green=is_expected, red=not is_expected)

    def _look_for_installed(self, place: Path) -> None:
        """Tells of a build that has changed the environment which everybody uses."""
        names = installed_from(place)
        if names:
            self._notes.append(
                f"the build has installed {_listed(names)} into the environment of this pytest, from a "
                "folder that is gone now: install it again from the checkout, and build into {site} instead"
            )

    def _conclude(self, sides: Sides, compared: Compared, folder: SessionFolder) -> int:
        trials, _ = with_limits(self._trials, self._options.limits)
        verdict = judge_certificate(
            trials,
            asked=self._runs,
            confidence=self._options.confidence,
            wanted=self._asked.wanted,
            failed_builds=[build.side for build in self._builds if build.exit_status != 0],
            mistakes=self._mistakes,
        )
        dossier = Dossier(
            base=compared.base,
            fix=compared.fix,
            difference=compared.difference,
            transplant=compared.transplant,
            verdict=verdict,
            trials=trials,
            command=sides.line(),
            directory=sides.directory,
            import_roots=sides.roots,
            build_command=self._asked.build_text,
            builds=tuple(self._builds),
            moved_variables=sides.moved_variables,
            wanted=None if self._asked.wanted is None else self._asked.wanted.title,
            notes=tuple(self._notes),
            facts=self._facts,
        )
        record = certificate_record(dossier)
        folder.write_json("certificate.json", record)
        folder.conclude(record)
        self._write(folder, self._path("certificate.md"), self._page(dossier))
        folder.note_finished(now_utc())
        folder.close()
        if self._options.json_path is not None:
            folder.write_for_user(self._config.invocation_params.dir / self._options.json_path, record)
        is_certified = verdict.exit_status == 0
        self._terminal.title("verify", green=is_certified, red=not is_certified, bold=True)
        for line in certificate_lines(dossier):
            self._terminal.tell(line)
        for step in next_steps(dossier):
            self._terminal.say(step)  # whole: options to be copied stand in it
        self._terminal.say(f"certificate: {shown_path(self._config, folder.path)}/certificate.md")
        if folder.problem is not None:
            self._terminal.say(f"records are incomplete: {folder.problem}")
        return verdict.exit_status

    def _page(self, dossier: Dossier) -> str:
        page, problem = certificate_page_at_any_rate(dossier, overrides=self._templates)
        if problem is not None:
            self._terminal.say(f"certificate.md is made from the package's own template: {problem}", red=True)
        return page

    def _write(self, folder: SessionFolder, path: Path, text: str) -> None:
        try:
            path.write_text(text, encoding="utf-8", errors="backslashreplace")
        except OSError as error:
            folder.problem = folder.problem or f"{error.strerror or error} ({path})"

    def _path(self, name: str) -> Path:
        assert self._folder is not None
        return self._folder.path / name


def _listed(names: tuple[str, ...]) -> str:
    return ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
