"""What pytest and its plugins hear of a stress run: one outcome for each test, not its iterations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from pytest_repro.model import Failure, Stage
from pytest_repro.plugin.internals.workers import tell_of_crash
from pytest_repro.plugin.replays import Replays

Location = tuple[str, "int | None", str]
"""File, 0-based line and name of a test, as pytest's reports have them."""


class SessionReports:
    """Tells each test once: its first failure, or how it was when all its iterations have passed.

    Args:
        config: Of the controller.
        replays: Shown beside a failure.
    """

    def __init__(self, config: pytest.Config, replays: Replays) -> None:
        self._config = config
        self._replays = replays
        self._started: set[str] = set()
        self._reported: set[str] = set()
        self._shown: set[tuple[str, bool | None]] = set()

    def is_reported(self, item: str) -> bool:
        """Tells whether pytest knows how this item ended."""
        return item in self._reported

    def note_reported(self, item: str) -> None:
        """Notes that pytest needs to hear nothing more of this item."""
        self._reported.add(item)

    def was_shown(self, failure: Failure) -> bool:
        """Tells whether pytest shows a traceback of this failure's bug among its own failures."""
        return (failure.signature.key, failure.is_match) in self._shown

    def log_start(self, item: str, location: Sequence[Any]) -> None:
        """Tells that an item begins, once."""
        if item not in self._started:
            self._started.add(item)
            self._config.hook.pytest_runtest_logstart(nodeid=item, location=tuple(location))

    def tell_failure(
        self,
        node: Any,
        item: str,
        failure: Failure,
        reports: Sequence[Mapping[str, Any]] | None,
        *,
        location: Location,
    ) -> None:
        """Tells a failing iteration as the outcome of its item, if that was not told yet.

        Args:
            node: xdist's worker, None for this process.
            item: Node id under which pytest knows it.
            failure: The iteration.
            reports: pytest's reports of it, serialised; None if it ended with its process.
            location: Of the test.
        """
        if self.is_reported(item):
            return
        self._shown.add((failure.signature.key, failure.is_match))
        self.tell(
            node,
            item,
            reports or [report_of_death(self._config, failure, location=location)],
            iteration=failure,
        )

    def tell_death(self, node: Any, item: str, failure: Failure, *, location: Location) -> None:
        """Tells an iteration in which a worker of xdist has died, also to a `pytest_handlecrashitem`."""
        data = report_of_death(self._config, failure, location=location)
        hook = self._config.hook
        report = hook.pytest_report_from_serializable(config=self._config, data=dict(data))
        report.nodeid = item
        report.node = node
        report.sections.append((f"iteration {failure.iteration:,}", self._replays.of_iteration(failure)))
        tell_of_crash(self._config, item, report)
        if self.is_reported(item):
            return
        self._shown.add((failure.signature.key, failure.is_match))
        self._reported.add(item)
        self.log_start(item, location)
        hook.pytest_runtest_logreport(report=report)
        hook.pytest_runtest_logfinish(nodeid=item, location=location)

    def tell_crash(self, item: str, report: pytest.TestReport) -> pytest.TestReport | None:
        """Tells of a worker that died in no iteration, also to a `pytest_handlecrashitem`.

        Returns:
            The outcome that pytest is to hear of, None where it knows how the test has ended.
        """
        tell_of_crash(self._config, item, report)
        if self.is_reported(report.nodeid):
            return None
        self._reported.add(report.nodeid)
        return report

    def tell(
        self,
        node: Any,
        item: str,
        reports: Sequence[Mapping[str, Any]],
        *,
        stages_ns: Sequence[int] | None = None,
        iteration: Failure | None = None,
    ) -> None:
        """Tells how an item ended.

        Args:
            node: xdist's worker, None for this process.
            item: Node id under which pytest knows it.
            reports: pytest's reports, serialised.
            stages_ns: Total durations of the stages, in the place of the reports' own.
            iteration: The failure that they tell.
        """
        self._reported.add(item)
        hook = self._config.hook
        location: Any = None
        for number, data in enumerate(reports):
            report = hook.pytest_report_from_serializable(config=self._config, data=dict(data))
            report.nodeid = item
            if stages_ns is not None and len(reports) == len(stages_ns):
                report.duration = stages_ns[number] / 1e9
            if iteration is not None and report.failed:
                command = self._replays.of_iteration(iteration)
                report.sections.append((f"iteration {iteration.iteration:,}", command))
            if node is not None:
                report.node = node
            location = report.location
            self.log_start(item, location)
            hook.pytest_runtest_logreport(report=report)
        hook.pytest_runtest_logfinish(nodeid=item, location=location)


def report_of_death(config: pytest.Config, failure: Failure, *, location: Location) -> Mapping[str, Any]:
    """Returns pytest's report, serialised, of an iteration that ended with its process."""
    stage: Any = failure.stage.value if failure.stage is not Stage.COLLECT else "setup"
    report = pytest.TestReport(
        nodeid=failure.test,
        location=location,
        keywords={},
        outcome="failed",
        longrepr=failure.text or failure.message,
        when=stage,
    )
    data: Mapping[str, Any] = config.hook.pytest_report_to_serializable(config=config, report=report)
    return data
