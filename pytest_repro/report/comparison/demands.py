"""What a comparison must not show: `--fail-on 'to_torch>+10%'`."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from pytest_repro.errors import OptionError
from pytest_repro.report.comparison.judgement import Row
from pytest_repro.report.comparison.measured import Quantity

_DEMAND = re.compile(
    r"\s*(?P<name>[^<>]+?)\s*(?P<relation>[<>])\s*"
    r"(?P<bound>[+-]?\d+(?:\.\d+)?)\s*%\s*"
)
_FORM = "NAME>+10% or NAME<-10%, NAME being failure_rate, duration, a phase, a metric, or a place of memory"


@dataclass(frozen=True, slots=True, kw_only=True)
class Demand:
    """One thing that makes a comparison fail.

    Attributes:
        text: As it was given.
        name: Of what is looked at.
        is_above: Whether what lies above the bound fails, otherwise what lies below.
        bound: Change as a part of the first value; of failure rates the difference of the rates.
    """

    text: str
    name: str
    is_above: bool
    bound: float

    def concerns(self, row: Row) -> bool:
        """Tells whether it looks at a row."""
        return self.name in (row.key.name, row.key.quantity.value, row.key.name.replace(" ", "_"))

    def is_broken_by(self, row: Row) -> bool:
        """Tells whether a row shows what must not be; a difference that may be chance is none."""
        if not (self.concerns(row) and row.is_different):
            return False
        change = row.after - row.before if row.key.quantity is Quantity.FAILURES else row.effect
        if change is None:  # from zero to anything: more than any part of zero
            return self.is_above is (row.after > row.before)
        return change > self.bound if self.is_above else change < self.bound


def parse_demand(text: str) -> Demand:
    """Reads one `--fail-on`.

    Raises:
        OptionError: It is none.
    """
    found = _DEMAND.fullmatch(text)
    if found is None:
        raise OptionError(f"--fail-on {text!r} cannot be used", next_step=f"Give {_FORM}.")
    return Demand(
        text=text.strip(),
        name=found["name"],
        is_above=found["relation"] == ">",
        bound=float(found["bound"]) / 100.0,
    )


def check_demands(demands: Sequence[Demand], rows: Sequence[Row]) -> None:
    """Refuses what would never fail: a name that no row has.

    Raises:
        OptionError: There is one.
    """
    for demand in demands:
        if not any(demand.concerns(row) for row in rows):
            names = ", ".join(sorted({row.key.name.replace(" ", "_") for row in rows})) or "nothing"
            raise OptionError(
                f"--fail-on {demand.text!r} looks at nothing that was compared: {names}",
                next_step="Give one of these names.",
            )
