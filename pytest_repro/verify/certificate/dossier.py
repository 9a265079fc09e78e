"""All that a certificate tells: enough for a stranger to check it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pytest_repro.verify.certificate.build import Build
from pytest_repro.verify.certificate.judgement import CertificateVerdict
from pytest_repro.verify.certificate.snapshot import Difference, Revision
from pytest_repro.verify.certificate.transplant import Transplant
from pytest_repro.verify.certificate.trials import Trial


@dataclass(frozen=True, slots=True, kw_only=True)
class Dossier:
    """One comparison of base and fix.

    Attributes:
        base: What the base was.
        fix: What the fix was.
        difference: What lies between them.
        transplant: Tests of the fix that were copied into the base.
        verdict: What the runs prove.
        trials: All runs, in order.
        command: Shell command of each run, to be given in its directory.
        directory: Where, relative to the top of the worktree; absolute outside of it.
        import_roots: Folders of the worktree that came first in `PYTHONPATH`, relative to its top.
        build_command: As given, None without.
        builds: One of each side, as far as they came.
        moved_variables: Variables whose paths led into the worktree.
        wanted: Which failure was looked for, None for any.
        notes: What else limits what it proves.
        facts: Of the session: machine, versions, environment.
    """

    base: Revision
    fix: Revision
    difference: Difference
    transplant: Transplant
    verdict: CertificateVerdict
    trials: tuple[Trial, ...]
    command: str
    directory: str
    import_roots: tuple[str, ...] = ()
    build_command: str | None = None
    builds: tuple[Build, ...] = ()
    moved_variables: tuple[str, ...] = ()
    wanted: str | None = None
    notes: tuple[str, ...] = ()
    facts: Mapping[str, Any] = field(default_factory=dict)
