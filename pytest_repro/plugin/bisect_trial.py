"""Inside a process of a bisection: tells which tests there are, and how the last of them ended."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import Any

import pytest

from pytest_repro.model import Signature
from pytest_repro.order.trials import Trial, TrialOutcome
from pytest_repro.plugin.raised import first_line
from pytest_repro.plugin.run_evidence import RAISED, FailureNotes
from pytest_repro.signature import CRASH_MESSAGE, HANG_MESSAGE, make_signature, signature_from_dict
from pytest_repro.store import SessionFolder, read_json

LISTED = "order.json"
TOLD = "trial.json"
_STARTED = "started"


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
        self._is_last = False
        self._told: dict[str, Any] = {"outcome": TrialOutcome.NOT_RUN.value, "reason": "it did not run"}

    @pytest.hookimpl(trylast=True)
    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Tells which tests there are, in their order."""
        tests = [(item.nodeid, str(item.path)) for item in session.items]
        self._folder.write_json(LISTED, {"root": str(self._root), "tests": tests})
        self._last = session.items[-1] if session.items else None

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> None:
        """Notes that the last test begins: a process that dies then has died in it."""
        self._is_last = item is self._last
        if self._is_last:
            with contextlib.suppress(OSError):
                (self._folder.path / _STARTED).touch()

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Notes how the last test ended: its first failure counts."""
        if not self._is_last or self._told["outcome"] == TrialOutcome.FAILED.value:
            return
        if report.failed:
            raised = getattr(report, RAISED, None)
            signature = None if raised is None else raised["signature"]
            self._told = {"outcome": TrialOutcome.FAILED.value, "signature": signature}
        elif report.when == "call" and report.passed:
            self._told = {"outcome": TrialOutcome.PASSED.value}
        elif report.skipped:
            word = "failed as expected (xfail)" if hasattr(report, "wasxfail") else "was skipped"
            self._told = {"outcome": TrialOutcome.NOT_RUN.value, "reason": f"it {word}"}

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self) -> None:
        """Tells it."""
        self._folder.write_json(TOLD, {"pid": os.getpid(), **self._told})


def has_started_last(folder: Path) -> bool:
    """Tells whether the last test of a trial has begun."""
    return (folder / _STARTED).exists()


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
            reason=told.get("reason", ""),
        )
    if has_started_last(folder):
        how = f"signal {-exit_status}" if exit_status < 0 else f"exit status {exit_status}"
        return Trial(outcome=TrialOutcome.FAILED, signature=crash_signature(how))
    reason = f"its process ended before its turn (exit status {exit_status}): {first_line(output)}"
    return Trial(outcome=TrialOutcome.NOT_RUN, reason=reason)


def crash_signature(how: str) -> Signature:
    """Returns the signature of a process that died."""
    return make_signature(exception=None, message=f"{CRASH_MESSAGE} with {how}")


def hang_signature() -> Signature:
    """Returns the signature of a test that did not come back."""
    return make_signature(exception=None, message=HANG_MESSAGE)
