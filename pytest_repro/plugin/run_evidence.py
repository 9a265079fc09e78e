"""Inside a run of base or fix: notes why tests failed, and whose code ran."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from pathlib import Path
from typing import Any

import pytest

from pytest_repro.plugin.raised import base_folder, first_line, raised_of
from pytest_repro.signature import signature_to_dict
from pytest_repro.store import SessionFolder
from pytest_repro.verify.certificate.evidence import EVIDENCE, evidence_record
from pytest_repro.verify.certificate.foreign import (
    Places,
    foreign_modules,
    loaded_modules,
    prefixes_of_this_process,
)

RAISED = "repro_raised"
_FOREIGN = "repro_foreign"


def give_evidence(
    config: pytest.Config, folder: Path, places: Mapping[str, Any], *, is_stressed: bool
) -> None:
    """Registers in the controller of a run what writes the evidence.

    Args:
        config: Of the controller.
        folder: Of the run.
        places: Where the code should come from, as builtins.
        is_stressed: Whether a stress run inside tells of its failures by itself.
    """
    recorder = EvidenceRecorder(SessionFolder(folder), Places.from_payload(places))
    config.pluginmanager.register(recorder, "repro-evidence")
    if not is_stressed:
        config.pluginmanager.register(FailureNotes(config), "repro-failure-notes")


def tell_evidence(config: pytest.Config, places: Mapping[str, Any], *, is_stressed: bool) -> None:
    """Registers in a worker of xdist what tells the controller; see `give_evidence`."""
    config.pluginmanager.register(ModuleNotes(config, Places.from_payload(places)), "repro-module-notes")
    if not is_stressed:
        config.pluginmanager.register(FailureNotes(config), "repro-failure-notes")


class FailureNotes:
    """Registered in each process that runs tests: attaches to failing reports what was raised.

    Args:
        config: Of the process.
    """

    def __init__(self, config: pytest.Config) -> None:
        self._root = str(config.rootpath)
        self._temporary = base_folder(config)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Attaches signature and message of what ended the stage."""
        report = yield
        if report.failed and call.excinfo is not None:
            raised = raised_of(call.excinfo, root=self._root, temporary=self._temporary)
            told = {
                "signature": signature_to_dict(raised.signature),
                "message": first_line(raised.message),
            }
            setattr(report, RAISED, told)
        return report


class ModuleNotes:
    """Registered in each worker of xdist: tells the controller at the end whose code ran.

    Args:
        config: Of the worker.
        places: Where it should come from.
    """

    def __init__(self, config: pytest.Config, places: Places) -> None:
        self._config = config
        self._places = places

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self) -> None:
        """Hands on what this process has loaded."""
        output: dict[str, Any] = getattr(self._config, "workeroutput")  # noqa: B009  of xdist's workers alone
        output[_FOREIGN] = list(_foreign_here(self._places))


class EvidenceRecorder:
    """Registered in the controller of a run of base or fix.

    Args:
        folder: Where the evidence goes.
        places: Where the code should come from.
    """

    def __init__(self, folder: SessionFolder, places: Places) -> None:
        self._folder = folder
        self._places = places
        self._failures: list[dict[str, Any]] = []
        self._foreign: list[str] = []

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Notes a failure."""
        told = getattr(report, RAISED, None)
        if told is not None:
            self._failures.append({"test": report.nodeid, **told})

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        """Notes what a worker of xdist has loaded; one that was lost tells nothing."""
        self._foreign += getattr(node, "workeroutput", {}).get(_FOREIGN, ())

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self) -> None:
        """Writes the evidence."""
        foreign = (*_foreign_here(self._places), *self._foreign)
        record = evidence_record(failures=self._failures, foreign=foreign)
        self._folder.write_json(EVIDENCE, record)


def _foreign_here(places: Places) -> tuple[str, ...]:
    return foreign_modules(loaded_modules(), places, prefixes=prefixes_of_this_process())
