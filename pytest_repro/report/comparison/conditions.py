"""Whether two sessions may be compared at all: host, devices, code that has a name, a machine to itself."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from enum import Enum

from pytest_repro.errors import ReproError
from pytest_repro.report.catalogue import SessionEntry
from pytest_repro.report.comparison.measured import Measured


class Condition(str, Enum):
    """What must hold for numbers of two sessions to say something of the code alone."""

    HOST = "host"
    DEVICES = "devices"
    CHANGES = "changes"
    CONTENDED = "contended"


@dataclass(frozen=True, slots=True, kw_only=True)
class Objection:
    """Why two sessions should not be compared.

    Attributes:
        condition: What does not hold.
        fact: What is there instead.
        next_step: What to do about it.
    """

    condition: Condition
    fact: str
    next_step: str


class IncomparableError(ReproError):
    """Two sessions were not taken under the same conditions."""


def objections(
    before: SessionEntry, after: SessionEntry, *, measured: tuple[Measured, Measured]
) -> Iterator[Objection]:
    """Yields what speaks against comparing two sessions.

    Args:
        before: The first.
        after: The second.
        measured: What both have measured.
    """
    hosts = before.facts.get("host"), after.facts.get("host")
    if hosts[0] != hosts[1]:
        yield Objection(
            condition=Condition.HOST,
            fact=f"they ran on different hosts, {hosts[0]!r} and {hosts[1]!r}",
            next_step="take both on one machine",
        )
    devices = before.facts.get("devices"), after.facts.get("devices")
    if None not in devices and devices[0] != devices[1]:
        yield Objection(
            condition=Condition.DEVICES,
            fact=f"they had different devices, {_listed(devices[0])} and {_listed(devices[1])}",
            next_step="take both on the same devices",
        )
    for entry in (before, after):
        if entry.git.get("is_dirty"):
            yield Objection(
                condition=Condition.CHANGES,
                fact=f"{entry.id} ran with changes that no commit holds",
                next_step="commit them and take it again",
            )
    for entry, one in zip((before, after), measured, strict=True):
        if one.contended:
            yield Objection(
                condition=Condition.CONTENDED,
                fact=f"the times of {entry.id} are contended ({one.contended})",
                next_step="take it without -n and profilers, on a machine with nothing else to do",
            )


def refuse(found: Collection[Objection], *, accepted: Collection[Condition]) -> None:
    """Raises unless all objections are accepted; contended times only leave out what they touch.

    Raises:
        IncomparableError: Something does not hold and was not accepted.
    """
    objected = [one for one in found if one.condition is not Condition.CONTENDED]
    against = [one for one in objected if one.condition not in accepted]
    if not against:
        return
    names = ",".join(dict.fromkeys(one.condition.value for one in against))
    steps = list(dict.fromkeys(one.next_step for one in against))
    raise IncomparableError(
        "The sessions cannot be compared: " + "; ".join(one.fact for one in against),
        next_step=f"{'; '.join(steps).capitalize()}; or accept it with --even-if {names}.",
    )


def _listed(devices: object) -> str:
    return ", ".join(map(str, devices)) or "none" if isinstance(devices, list) else "unknown ones"
