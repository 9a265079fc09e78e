"""The limits on record of a session, and whether it keeps to them: what a reader calls its targets."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pytest_repro.errors import StoreError
from pytest_repro.report.catalogue import SessionEntry
from pytest_repro.report.comparison.measured import Key, Quantity
from pytest_repro.report.frames import iteration_folders
from pytest_repro.report.rebuilt import breakdowns_of
from pytest_repro.store import SUMMARY, read_json
from pytest_repro.timing.series import LimitDistance
from pytest_repro.timing.series import Quantity as SeriesQuantity
from pytest_repro.timing.series_lines import limit_text
from pytest_repro.verify.limits import Limit, LimitKind, Relation

_QUANTITIES = {
    LimitKind.PHASE: Quantity.PHASE,
    LimitKind.METRIC: Quantity.METRIC,
    LimitKind.DURATION: Quantity.DURATION,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """Whether one thing keeps to its limit.

    Attributes:
        is_met: Whether all values did.
        text: The limit, and how far the worst value was from it.
    """

    is_met: bool
    text: str

    @property
    def word(self) -> str:
        """Returns `yes (limit <= 500 ms: kept by 12 %)`."""
        return f"{'yes' if self.is_met else 'no'} ({self.text})"


def targets_of(entry: SessionEntry) -> dict[Key, Target]:
    """Returns what of a session had a limit; of several runs, the one that was farthest from keeping it."""
    found: dict[Key, Target] = {}
    for key, target in _targets(entry):
        known = found.get(key)
        if known is None or (known.is_met and not target.is_met):
            found[key] = target
    return found


def _targets(entry: SessionEntry) -> Iterator[tuple[Key, Target]]:
    folders = {folder for _, folder in iteration_folders(entry.path)} | {entry.path}
    for folder in sorted(folders):
        try:
            summary = read_json(folder / SUMMARY)
        except StoreError:
            continue
        for name in ("held_limits", "broken_limits"):
            told = summary.get(name)
            for record in told if isinstance(told, list) else ():
                yield from _of_gate(record)
        for breakdown in breakdowns_of(summary):
            for series in breakdown.series:
                is_phase = series.quantity is SeriesQuantity.PHASE
                quantity = Quantity.PHASE if is_phase else Quantity.METRIC
                key = Key(test=breakdown.test, quantity=quantity, name=series.name)
                yield from ((key, _target(distance)) for distance in series.limits)


def _of_gate(record: Mapping[str, Any]) -> Iterator[tuple[Key, Target]]:
    """Yields a limit that runs of the gate kept or broke."""
    try:
        kind = LimitKind(record["kind"])
        limit = Limit(
            kind=kind,
            name=str(record["name"]),
            relation=Relation(record["relation"]),
            bound=float(record["bound"]),
            text=str(record["text"]),
        )
        test = str(record["test"])
        if "worst" in record:
            checked, missed, worst = int(record["checked"]), int(record["missed"]), float(record["worst"])
        else:
            # A certificate tells of broken ones alone.
            checked, missed, worst = 1, 1, float(record["value"])
    except (AttributeError, KeyError, TypeError, ValueError):
        return
    quantity = _QUANTITIES[kind]
    key = Key(test=test, quantity=quantity, name=limit.name or quantity.value)
    # A duration is told like a phase: both are times.
    shown = Limit(
        kind=LimitKind.METRIC if kind is LimitKind.METRIC else LimitKind.PHASE,
        name=limit.name,
        relation=limit.relation,
        bound=limit.bound,
        text=limit.text,
    )
    yield key, _target(LimitDistance(limit=shown, checked=checked, missed=missed, worst=worst))


def _target(distance: LimitDistance) -> Target:
    return Target(is_met=distance.missed == 0, text=limit_text(distance))
