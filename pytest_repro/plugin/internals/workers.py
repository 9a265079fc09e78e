"""Messages between xdist's controller and its workers, and how xdist distributes and counts."""

from __future__ import annotations

import contextlib
import re
import subprocess
from collections.abc import Callable
from typing import Any

import pytest

MESSAGE_TYPE = "ReproMessage"
"""`$report_type` of what a worker sends: no report, so that no other plugin takes it for one."""


class WorkerMessage:
    """A worker's message on its way through xdist's report channel.

    Attributes:
        body: The message, plain builtins.
    """

    def __init__(self, body: dict[str, Any]) -> None:
        self.body = body


def send_to_controller(config: pytest.Config, message: dict[str, Any]) -> None:
    """Sends a message from an xdist worker, past all report hooks."""
    interactor = next(
        plugin for plugin in config.pluginmanager.get_plugins() if type(plugin).__name__ == "WorkerInteractor"
    )
    interactor.sendevent("testreport", data={"$report_type": MESSAGE_TYPE, "body": message})


def receive_from_worker(
    node: Any, config: pytest.Config, handle: Callable[[Any, dict[str, Any]], None]
) -> None:
    """Has `handle(node, message)` called in the main thread for each message of this xdist worker.

    xdist hands all events of a worker to one queue; ours are given a name of their own there, so that
    `pytest_runtest_logreport` is not called for them.
    """
    dsession: Any = config.pluginmanager.get_plugin("dsession")
    dsession.worker_repro_message = lambda node, rep: handle(node, rep.body)
    put, send_command = node.putevent, node.sendcommand

    def putevent(event: tuple[str, dict[str, Any]]) -> None:
        _, arguments = event
        if isinstance(arguments.get("rep"), WorkerMessage):
            event = ("repro_message", arguments)
        put(event)

    def sendcommand(name: str, **arguments: object) -> None:
        # A dead worker's work is taken back when its end is noticed.
        with contextlib.suppress(OSError):
            send_command(name, **arguments)

    node.putevent = putevent
    node.sendcommand = sendcommand


def count_tests_not_slices(config: pytest.Config, slices_of_a_test: int) -> None:
    """Has xdist's line `2 workers [3 items]` count tests; it is told the number of slices."""
    dsession: Any = config.pluginmanager.get_plugin("dsession")
    distributed_terminal = getattr(dsession, "trdist", None)
    if distributed_terminal is None or "setstatus" in vars(distributed_terminal):
        return
    set_status = distributed_terminal.setstatus

    def set_counted(spec: Any, status: Any, *, tests_collected: int, **rest: Any) -> None:
        set_status(spec, status, tests_collected=tests_collected // slices_of_a_test, **rest)

    distributed_terminal.setstatus = set_counted


def stop_distribution(config: pytest.Config, reason: str) -> None:
    """Has xdist's controller shut all workers down; what they have queued does not start."""
    dsession = config.pluginmanager.get_plugin("dsession")
    if dsession is not None and not dsession.shouldstop:
        dsession.shouldstop = reason


def process_of(node: Any) -> subprocess.Popen[bytes] | None:
    """Returns the process of an xdist worker, None where it runs on another machine."""
    popen: subprocess.Popen[bytes] | None = getattr(node.gateway._io, "popen", None)
    return popen if node.gateway.spec.popen else None


def exit_code_of(node: Any, *, wait_s: float = 5.0) -> int | None:
    """Returns how the process of a worker ended, negative for a signal; None if that is not known."""
    process = process_of(node)
    if process is None:
        return None
    try:
        return process.wait(timeout=wait_s)
    except subprocess.TimeoutExpired:
        return None


def lose(node: Any) -> None:
    """Tells xdist that a worker has died, where its pipe is still open because a child of it holds it."""
    if not node._down:
        node._down = True
        # At the end of the session nobody waits for its pipe.
        with contextlib.suppress(ValueError):
            node.gateway._group._gateways.remove(node.gateway)
        node.notify_inproc("errordown", node=node, error="Not properly terminated")


def take_crashes(config: pytest.Config, handle: Callable[[str, Any], pytest.TestReport | None]) -> None:
    """Has `handle(item, node)` called where a worker died with an item under way.

    It returns None if it has told pytest of it in its own way, else a report that pytest is to hear of. A
    conftest's own `pytest_handlecrashitem` is called by it, or not at all.
    """
    dsession: Any = config.pluginmanager.get_plugin("dsession")

    def handle_crashitem(nodeid: str, worker: Any) -> None:
        report = handle(nodeid, worker)
        if report is not None:
            config.hook.pytest_runtest_logreport(report=report)

    dsession.handle_crashitem = handle_crashitem


def leave_out_replacements(config: pytest.Config, *, is_told: Callable[[str], bool]) -> None:
    """Has xdist not say that a worker is down and replaced, where it is told in another way.

    Args:
        config: Of the controller.
        is_told: Tells it of a worker, by its id.
    """
    dsession: Any = config.pluginmanager.get_plugin("dsession")
    for owner, name in ((dsession, "report_line"), (getattr(dsession, "trdist", None), "write_line")):
        if owner is not None:
            setattr(owner, name, _without_replacements(getattr(owner, name), is_told))


_REPLACEMENT = re.compile(r"\[(?P<down>\w+)\] node down: |\s*replacing crashed worker (?P<replaced>\w+)")


def _without_replacements(
    write: Callable[[str], None], is_told: Callable[[str], bool]
) -> Callable[[str], None]:
    def write_others(line: str) -> None:
        found = _REPLACEMENT.match(line)
        if found is None or not is_told(found["down"] or found["replaced"]):
            write(line)

    return write_others


def crash_report(nodeid: str, node: Any, message: str) -> pytest.TestReport:
    """Returns the report that xdist makes of an item in which a worker has died."""
    path = nodeid.split("::", maxsplit=1)[0]
    when: Any = "???"
    report = pytest.TestReport(
        nodeid=nodeid,
        location=(path, None, path),
        keywords={},
        outcome="failed",
        longrepr=message,
        when=when,
    )
    report.node = node  # type: ignore[attr-defined]
    return report


def tell_of_crash(config: pytest.Config, item: str, report: pytest.TestReport) -> None:
    """Calls `pytest_handlecrashitem`, as xdist does; what fails in it is told and ends nothing."""
    dsession: Any = config.pluginmanager.get_plugin("dsession")
    scheduler = _SchedulerOfOurs(dsession.sched)
    try:
        config.hook.pytest_handlecrashitem(crashitem=item, report=report, sched=scheduler)
    except Exception as error:  # noqa: BLE001  whatever a conftest raises
        warning = pytest.PytestWarning(f"pytest_handlecrashitem failed: {error!r}")
        config.issue_config_time_warning(warning, stacklevel=2)


class _SchedulerOfOurs:
    """xdist's scheduler for a `pytest_handlecrashitem`: what is left of a test is run again anyway."""

    def __init__(self, scheduler: Any) -> None:
        self._scheduler = scheduler

    def __getattr__(self, name: str) -> Any:
        return getattr(self._scheduler, name)

    def mark_test_pending(self, item: str) -> None:
        """Does nothing: the crashed iteration is counted, the others run."""


def is_worker_replaced(config: pytest.Config) -> bool:
    """Tells whether xdist starts another worker in the place of the one whose death it handles now.

    A death that is not forgiven is counted after that; see `forgive_death`.
    """
    dsession: Any = config.pluginmanager.get_plugin("dsession")
    most: int | None = dsession._max_worker_restart
    is_forgiven = config.option.maxworkerrestart is None
    return most is None or is_forgiven or dsession._failed_nodes_count + 1 <= most


def forgive_death(config: pytest.Config) -> None:
    """Has a death not count for the most that xdist replaces by itself; a number of the user's holds."""
    if config.option.maxworkerrestart is None:
        dsession: Any = config.pluginmanager.get_plugin("dsession")
        dsession._failed_nodes_count -= 1


def lower_workers(config: pytest.Config, most: int | None) -> tuple[int, int]:
    """Has xdist start no more workers than `most`; returns how many were asked for, and how many there are.

    It must be called before the session begins: xdist's schedulers count what stands in `--tx`.
    """
    specs: list[str] = []
    for spec in config.option.tx:
        times, star, one = spec.partition("*")
        specs += [one] * int(times) if star and times.isdigit() else [spec]
    kept = specs if most is None else specs[:most]
    if len(kept) < len(specs):
        config.option.tx = kept
        if config.option.numprocesses:
            config.option.numprocesses = len(kept)
    return len(specs), len(kept)
