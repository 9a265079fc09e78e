"""Inside a process of a bisection: tells which tests there are, and how the last of them ended."""

from __future__ import annotations

import contextlib
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from pytest_repro.order.trials import Trial, TrialOutcome
from pytest_repro.plugin.raised import first_line
from pytest_repro.plugin.run_evidence import RAISED, FailureNotes
from pytest_repro.signature import CRASH_MESSAGE, HANG_MESSAGE, make_signature, signature_from_dict
from pytest_repro.store import SessionFolder, read_json

LISTED = "order.json"
TOLD = "trial.json"
_BEGUN = "begun.json"


def begin_trial(config: pytest.Config, folder: Path) -> None:
    """Registers what tells the bisection."""
    config.pluginmanager.register(FailureNotes(config), "repro-failure-notes")
    config.pluginmanager.register(TrialNotes(SessionFolder(folder), config.rootpath), "repro-trial-notes")


class TrialNotes:
    """Registered in each process of a bisection.

    Args:
        folder: Where it is told.
        root: pytest's rootdir.
    """

    def __init__(self, folder: SessionFolder, root: Path) -> None:
        self._folder = folder
        self._root = root
        self._last: pytest.Item | None = None
        self._begun = 0
        self._is_last = False
        self._told: dict[str, Any] = {"outcome": TrialOutcome.NOT_RUN.value, "reason": "it did not run"}

    @pytest.hookimpl(trylast=True)
    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Tells which tests there are, in their order."""
        tests = [(item.nodeid, str(item.path)) for item in session.items]
        given = session.config.args_source is pytest.Config.ArgsSource.ARGS
        files = list(session.config.args) if given else []
        self._folder.write_json(LISTED, {"root": str(self._root), "tests": tests, "files": files})
        self._last = session.items[-1] if session.items else None

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> None:
        """Notes which test begins: what then takes too long, or dies, is that one."""
        self._begun += 1
        self._is_last = item is self._last
        begun = {"number": self._begun, "is_last": self._is_last, "nodeid": item.nodeid}
        with contextlib.suppress(OSError):
            (self._folder.path / _BEGUN).write_text(json.dumps(begun), encoding="utf-8")

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Notes how the last test ended: its first failure counts."""
        if not self._is_last or self._told["outcome"] == TrialOutcome.FAILED.value:
            return
        if report.failed:
            raised = getattr(report, RAISED, None)
            self._told = {"outcome": TrialOutcome.FAILED.value, **(raised or {})}
        elif report.when == "call" and report.passed:
            self._told = {"outcome": TrialOutcome.PASSED.value}
        elif report.skipped:
            word = "failed as expected (xfail)" if hasattr(report, "wasxfail") else "was skipped"
            self._told = {"outcome": TrialOutcome.NOT_RUN.value, "reason": f"it {word}"}

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self) -> None:
        """Tells it."""
        self._folder.write_json(TOLD, {"pid": os.getpid(), **self._told})


@dataclass(frozen=True, slots=True, kw_only=True)
class BegunTest:
    """The test that a trial is at.

    Attributes:
        number: How many have begun, itself included; 0 before the first one.
        is_last: Whether it is the one in question.
        nodeid: Its node id.
    """

    number: int = 0
    is_last: bool = False
    nodeid: str = ""


def begun_test(folder: Path) -> BegunTest:
    """Returns the test that a trial is at, or was at when its process ended."""
    try:
        return BegunTest(**json.loads((folder / _BEGUN).read_text(encoding="utf-8")))
    except (OSError, ValueError):
        return BegunTest()  # none has begun, or it is being written


def trial_in(folder: Path, *, exit_status: int, output: str) -> Trial:
    """Reads what a process has told; what died in the last test has failed by that.

    Args:
        folder: Of the process.
        exit_status: Of the process; negative for a signal.
        output: What it printed last.

    Raises:
        StoreError: A record is damaged.
    """
    if (folder / TOLD).exists():
        told = read_json(folder / TOLD)
        signature = told.get("signature")
        return Trial(
            outcome=TrialOutcome(told["outcome"]),
            signature=None if signature is None else signature_from_dict(signature),
            message=told.get("message", ""),
            reason=told.get("reason", ""),
        )
    begun = begun_test(folder)
    if begun.is_last:
        how = f"signal {-exit_status}" if exit_status < 0 else f"exit status {exit_status}"
        return _without_report(f"{CRASH_MESSAGE} with {how}")
    place = f" in {begun.nodeid}" if begun.number else ""
    reason = f"its process ended before its turn{place} (exit status {exit_status}): {first_line(output)}"
    return Trial(outcome=TrialOutcome.NOT_RUN, reason=reason)


def hanging_trial(begun: BegunTest) -> Trial:
    """Returns what a trial came to that was ended because one of its tests did not come back."""
    if begun.is_last:
        return _without_report(HANG_MESSAGE)
    return Trial(
        outcome=TrialOutcome.NOT_RUN, reason=f"{begun.nodeid}, which runs before it, did not come back"
    )


def _without_report(message: str) -> Trial:
    signature = make_signature(exception=None, message=message)
    return Trial(outcome=TrialOutcome.FAILED, signature=signature, message=message)
