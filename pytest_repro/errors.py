"""What can go wrong, said in three parts: the fact, the place, the next step."""

from __future__ import annotations


class ReproError(Exception):
    """An error that a user can act on.

    Args:
        fact: What happened, with its numbers, as a sentence without its full stop.
        place: Where it happened (a file, `file:line`, an option), if that is not in the fact.
        next_step: What to do now, as one or more full sentences.
    """

    def __init__(self, fact: str, *, place: str | None = None, next_step: str) -> None:
        self.fact = fact
        self.place = place
        self.next_step = next_step
        where = f" ({place})" if place else ""
        super().__init__(f"{fact}{where}. {next_step}")


class OptionError(ReproError):
    """An option, ini value or mark that cannot be used as it was given."""


class StoreError(ReproError):
    """A record that cannot be written or read."""


class TimingError(ReproError):
    """A timing backend or a measurement that cannot be used."""


class LogError(ReproError):
    """A log or a workflow file that cannot be read."""


class ScaffoldError(ReproError):
    """A reproduction folder that cannot be made."""


class CertificateError(ReproError):
    """A comparison of base and fix that cannot be made."""


class ReportError(ReproError):
    """A report that cannot be made of what is on record."""
