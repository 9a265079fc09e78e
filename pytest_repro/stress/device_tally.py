"""What happened on each device: outcomes, resets, and whether one fails more often than the others."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from pytest_repro.model import Failure, Outcome
from pytest_repro.stats import chance_of_more_failures
from pytest_repro.stress.devices import DevicePool
from pytest_repro.stress.resets import ResetResult

DEVICE_CHANCE = 0.01
"""A device is named if chance alone, over all devices looked at, would show it less often than that."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceSummary:
    """What happened on one device.

    Attributes:
        device: What its variable is set to.
        workers: Workers that had it, one after the other.
        executed: Iterations that ran the test there.
        failures: Those that failed.
        other_executed: Iterations on all other devices.
        other_failures: Those that failed.
        chance: How likely it fails at least so often if all devices are alike, tests compared with themselves
            and corrected for looking at each device (Bonferroni); None with one device.
    """

    device: str
    workers: tuple[str, ...]
    executed: int
    failures: int
    other_executed: int
    other_failures: int
    chance: float | None

    @property
    def fails_more_often(self) -> bool:
        """Whether this is hardly chance."""
        return self.chance is not None and self.chance < DEVICE_CHANCE


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceReport:
    """What a session learned about its devices.

    Attributes:
        pool: The devices that were shared out; None where none were asked for.
        workers: Workers of the session; 1 without xdist.
        workers_asked: How many were asked for.
        devices: One for each device that a worker had.
        resets: In the order in which they took place.
    """

    pool: DevicePool | None = None
    workers: int = 1
    workers_asked: int = 1
    devices: tuple[DeviceSummary, ...] = ()
    resets: tuple[ResetResult, ...] = ()


@dataclass(slots=True, kw_only=True)
class _Counts:
    executed: int = 0
    failures: int = 0


@dataclass(slots=True, kw_only=True)
class _DeviceTally:
    workers: dict[str, None] = field(default_factory=dict)
    tests: dict[str, _Counts] = field(default_factory=dict)

    def of(self, test: str) -> _Counts:
        return self.tests.setdefault(test, _Counts())


class DeviceTally:
    """Adds up what the workers report, for each device and test."""

    def __init__(self) -> None:
        self._device_of: dict[str, str] = {}
        self._devices: dict[str, _DeviceTally] = {}

    def note_lease(self, worker: str, device: str) -> None:
        """Notes which device a worker has."""
        self._device_of[worker] = device
        self._devices.setdefault(device, _DeviceTally()).workers.setdefault(worker)

    def device_of(self, worker: str) -> str | None:
        """Returns the device of a worker that is or was there, None where none is leased."""
        return self._device_of.get(worker)

    def add_batch(self, message: Mapping[str, Any]) -> None:
        """Adds the iterations of one batch."""
        counts = self._counts(message["worker"], message["test"])
        if counts is None:
            return
        for name, number in message["outcomes"]:
            outcome = Outcome(name)
            counts.executed += number if outcome.is_executed else 0
            counts.failures += number if outcome.is_failure else 0

    def add_death(self, failure: Failure, *, is_counted: bool) -> None:
        """Adds an iteration that ended with its process.

        Args:
            failure: The iteration.
            is_counted: Whether it had ended before, and so is in a batch.
        """
        if is_counted:
            self.add_closing_failure(failure)
            return
        counts = self._counts(failure.worker, failure.test)
        if counts is not None:
            counts.executed += 1
            counts.failures += 1

    def add_closing_failure(self, failure: Failure) -> None:
        """Adds the failure of a late teardown to an iteration that is counted already."""
        counts = self._counts(failure.worker, failure.test)
        if counts is not None:
            counts.failures = min(counts.executed, counts.failures + 1)

    def summaries(self) -> tuple[DeviceSummary, ...]:
        """Returns what happened on each device, in the order in which they were first given to a worker."""
        return tuple(self._summary(device) for device in self._devices)

    def _counts(self, worker: str, test: str) -> _Counts | None:
        device = self._device_of.get(worker)
        return None if device is None else self._devices[device].of(test)

    def _summary(self, device: str) -> DeviceSummary:
        own = self._devices[device]
        others = [tally for name, tally in self._devices.items() if name != device]
        strata = []
        for test in {name: None for tally in self._devices.values() for name in tally.tests}:
            here = own.tests.get(test, _Counts())
            there = _total(tally.tests.get(test, _Counts()) for tally in others)
            strata.append((here.failures, here.executed, there.failures, there.executed))
        chance = None
        if others:
            # A test that ran here alone, or failed always or never, tells nothing of the device.
            telling = [one for one in strata if one[1] and one[3] and 0 < one[0] + one[2] < one[1] + one[3]]
            chance = min(1.0, chance_of_more_failures(telling) * len(self._devices))
        return DeviceSummary(
            device=device,
            workers=tuple(own.workers),
            failures=sum(one[0] for one in strata),
            executed=sum(one[1] for one in strata),
            other_failures=sum(one[2] for one in strata),
            other_executed=sum(one[3] for one in strata),
            chance=chance,
        )


def _total(counts: Iterable[_Counts]) -> _Counts:
    total = _Counts()
    for one in counts:
        total.executed += one.executed
        total.failures += one.failures
    return total
