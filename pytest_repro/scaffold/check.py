"""Whether what a reproduction's folder runs into is the failure of CI."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pytest_repro.errors import ScaffoldError
from pytest_repro.model import EXIT_INCOMPLETE, Signature
from pytest_repro.scaffold.signatures import Known, read_known
from pytest_repro.scaffold.trial import Result, Trial, try_folder

LIMIT_S = 900.0
"""A run that has not ended after that is not waited for; a stress run ends itself after five minutes."""

FIELDS = ("exception", "message", "file", "function", "statement")


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One field of the two signatures.

    Attributes:
        name: The field.
        recorded: What is on record; None where it is not known.
        found: What the run has shown; None where it did not.
        differs: Whether the two contradict each other.
    """

    name: str
    recorded: str | None
    found: str | None
    differs: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """The answer.

    Attributes:
        trial: What came of the run.
        known: What is on record; None where there is no signature.
    """

    trial: Trial
    known: Known | None

    @property
    def exit_status(self) -> int:
        """0 for the same failure, 1 for another one or none, 6 where it could not be told."""
        if self.trial.result is Result.UNKNOWN:
            return EXIT_INCOMPLETE
        return 0 if self.trial.result is Result.SAME else 1

    def rows(self) -> Iterator[Row]:
        """Yields the fields of the two signatures side by side."""
        recorded = self.known.signature if self.known else None
        for name in FIELDS:
            yield Row(
                name=name,
                recorded=_field(recorded, name),
                found=_field(self.trial.signature, name),
                differs=name in self.trial.differs,
            )


def check(folder: Path) -> Check:
    """Runs a folder's script, and compares.

    Raises:
        ScaffoldError: It is no folder of a reproduction.
    """
    if not folder.is_dir():
        raise ScaffoldError(
            "The reproduction cannot be checked: there is no such folder",
            place=str(folder),
            next_step="Give a folder that repro-scaffold has made.",
        )
    known = read_known(folder)
    if known is None:
        reason = (
            "no signature is on record: the folder was made without a log, or its log names no failing test"
        )
        return Check(trial=Trial(result=Result.UNKNOWN, reason=reason), known=None)
    return Check(trial=try_folder(folder, known, limit_s=LIMIT_S), known=known)


def _field(signature: Signature | None, name: str) -> str | None:
    return getattr(signature, name) if signature is not None else None
