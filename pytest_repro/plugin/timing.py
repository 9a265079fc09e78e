"""Phases of tests: recorded where tests run, sent with their reports, written by the controller."""

from __future__ import annotations

import contextlib
import math
import numbers
import os
import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import pytest

from pytest_repro.clock import MonotonicNs
from pytest_repro.model import Metric, Stage
from pytest_repro.plugin.iteration import Current
from pytest_repro.plugin.session import WorkerPlace

if TYPE_CHECKING:
    from pytest_repro.model import Outcome, Phase
    from pytest_repro.timing.attach import Harness
    from pytest_repro.timing.recorder import Recorder
    from pytest_repro.timing.sampler import PhaseSampler
    from pytest_repro.timing.spans import PhaseNotes

REPORT_ATTRIBUTE = "repro_profile"
"""Attribute of the teardown report that carries the phases of a test."""

SAMPLED = "sampled by pyinstrument"
"""Why the times of such a session are not to be compared with others."""

MARKS = "marks"
"""In the payload of a profile: the arguments of the test's marks `repro_verify`, if it has any."""


class Timekeeper:
    """The recorder of this process, made when it is first needed.

    Args:
        automatic: True: device libraries are timed too; None: only phases made by hand; False: nothing.
        place: Which process this is.
        clock: Monotonic, in nanoseconds.
        is_sampled: Whether each test is sampled while it runs; only with `automatic`.

    Raises:
        OptionError: What samples cannot be imported.
    """

    def __init__(
        self,
        *,
        automatic: bool | None,
        place: WorkerPlace,
        clock: MonotonicNs,
        is_sampled: bool = False,
    ) -> None:
        self.is_off = automatic is False
        self._is_automatic = bool(automatic)
        self._place = place
        self._clock = clock
        self._recorder: Recorder | None = None
        self._harness: Harness | None = None
        self._notes: PhaseNotes | None = None
        self._is_open = False
        self._told = 0
        self._sampler: PhaseSampler | None = None
        self._has_told_samples = False
        if automatic:
            from pytest_repro.timing.attach import Harness

            if is_sampled:
                from pytest_repro.plugin.profiling import make_sampler

                self._sampler = make_sampler(clock)
            self._harness = Harness(clock=clock)
            self._recorder = self._harness.recorder
            self._watch_memory()
            if self._sampler is not None:
                self._recorder.watch_phases(self._sampler)
            self._harness.start()

    @property
    def is_sampled(self) -> bool:
        """Whether each test is sampled while it runs."""
        return self._sampler is not None

    def note_phases(self, notes: PhaseNotes) -> None:
        """Has each phase told while it lasts, from the next iteration on."""
        self._notes = notes
        if self._recorder is not None:
            self._recorder.note_phases(notes)

    def begin(self) -> None:
        """A test or iteration begins."""
        if self._recorder is not None:
            self._recorder.begin(Stage.SETUP)
            self._is_open = True
            if self._sampler is not None:
                self._sampler.begin()

    def note_stage(self, stage: str) -> None:
        """A stage of the running iteration begins."""
        if self._sampler is not None:
            self._sampler.is_call = stage == "call"
        if self._is_open and self._recorder is not None:
            self._recorder.enter_stage(Stage(stage))

    def _watch_memory(self) -> None:
        from pytest_repro.timing.memory import process_peaks

        if self._recorder is not None:
            self._recorder.memory.add(process_peaks)

    def recorder(self) -> Recorder:
        """Returns the recorder of the running iteration, for phases made by hand."""
        if self._recorder is None:
            from pytest_repro.timing.recorder import Recorder

            self._recorder = Recorder(self._clock)
            self._watch_memory()
            if self._notes is not None:
                self._recorder.note_phases(self._notes)
        if not self._is_open:
            self.begin()
            if os.environ.get("PYTEST_CURRENT_TEST", "").endswith("(call)"):
                self._recorder.enter_stage(Stage.CALL)
        return self._recorder

    def end(self, item: pytest.Item, test: str, iteration: int, outcome: Outcome) -> dict[str, Any] | None:
        """A test or iteration ended; returns the payload of its profile if anything was timed.

        Args:
            item: The test: its marks, and numbers that it has recorded as properties.
            test: Its node id.
            iteration: 1-based.
            outcome: How it ended.
        """
        if self._recorder is None or not self._is_open:
            return None
        self._is_open = False
        samples = None if self._sampler is None else self._sampler.end()
        phases, metrics = self._recorder.finish()
        if item.user_properties and (self._is_automatic or "repro" in getattr(item, "fixturenames", ())):
            metrics = (*metrics, *_numbers_in(item.user_properties))
        # The first samples are told even if there are none: that is what is to be said then.
        is_told = samples is not None and (bool(samples) or not self._has_told_samples)
        if not phases and not metrics and not is_told:
            return None
        from pytest_repro.plugin.call_counter import marks_of

        payload = self._payload(test, iteration, outcome, phases, metrics)
        if samples is not None and is_told:
            self._has_told_samples = True
            payload["samples"] = samples.to_payload()
        marks = marks_of(item)
        if marks:
            payload[MARKS] = marks
        return payload

    def interrupted(self, current: Current) -> dict[str, Any] | None:
        """Returns the payload of what was timed in a test that will not end; None if nothing was."""
        if self._recorder is None or not self._is_open or not current.test:
            return None
        self._is_open = False
        phases, metrics = self._recorder.finish()
        if not phases and not metrics:
            return None
        from pytest_repro.model import Outcome

        return self._payload(current.test, current.iteration, Outcome.INTERRUPTED, phases, metrics)

    def _payload(
        self,
        test: str,
        iteration: int,
        outcome: Outcome,
        phases: tuple[Phase, ...],
        metrics: tuple[Metric, ...],
    ) -> dict[str, Any]:
        from pytest_repro.model import Profile
        from pytest_repro.timing.formats import profile_to_payload

        return profile_to_payload(
            Profile(
                test=test,
                iteration=iteration,
                worker=self._place.id,
                outcome=outcome,
                contended=self._contention(),
                phases=phases,
                metrics=metrics,
            )
        )

    def problems(self) -> list[str]:
        """Returns why libraries could not be timed, each reason once."""
        if self._harness is None:
            return []
        known, self._told = self._told, len(self._harness.problems)
        return [str(problem) for problem in self._harness.problems[known:]]

    def stop(self) -> None:
        """Takes all instruments off the device libraries."""
        if self._sampler is not None:
            # Of an iteration that was broken off.
            self._sampler.end()
        if self._harness is not None:
            self._harness.stop()

    def _contention(self) -> str:
        reasons = [self._place.beside] if self._place.beside else []
        if sys.gettrace() is not None or sys.getprofile() is not None:
            reasons.append("a tracer or profiler")
        if self._sampler is not None:
            reasons.append(SAMPLED)
        return " and ".join(reasons)


class Repro:
    """What a test can ask and tell, as the fixture `repro`.

    Attributes:
        iteration: 1-based number of this iteration; 1 outside a stress run.
        seed: Seed that this iteration started from, or None where nothing was reseeded.
        worker: xdist's worker id, or `main`.
    """

    def __init__(self, current: Current, timekeeper: Timekeeper) -> None:
        self.iteration = current.iteration
        self.seed = current.seed
        self.worker = current.worker
        self._timekeeper = timekeeper

    def phase(self, name: str) -> contextlib.AbstractContextManager[object]:
        """Times the block as a phase of this name; device work in it is waited for."""
        if self._timekeeper.is_off:
            return contextlib.nullcontext()
        return self._timekeeper.recorder().phase(name)

    def metric(self, name: str, value: float) -> None:
        """Records a number that the test reports about itself, such as `samples_per_s`.

        Raises:
            TimingError: The value is not a number.
        """
        if not self._timekeeper.is_off:
            self._timekeeper.recorder().metric(name, value)


def _numbers_in(properties: Sequence[tuple[str, object]]) -> list[Metric]:
    """Returns what a test recorded with `record_property`, as far as it is a finite number."""
    found = ((name, _number(value)) for name, value in properties if type(name) is str and name)
    return [Metric(name=name, value=number) for name, number in found if number is not None]


def _number(value: object) -> float | None:
    if type(value) is bool or not isinstance(value, numbers.Real):
        return None
    try:
        number = float(value)
    except Exception:  # noqa: BLE001 - too large for a float, or of a class of the test's own that raises anything
        return None
    return number if math.isfinite(number) else None


def payload_of(report: object) -> Mapping[str, Any] | None:
    """Returns the profile that a report carries, if any."""
    payload: Mapping[str, Any] | None = getattr(report, REPORT_ATTRIBUTE, None)
    return payload
