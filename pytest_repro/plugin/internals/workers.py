"""Messages between xdist's controller and its workers, and how xdist distributes and counts."""

from __future__ import annotations

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
    put = node.putevent

    def putevent(event: tuple[str, dict[str, Any]]) -> None:
        _, arguments = event
        if isinstance(arguments.get("rep"), WorkerMessage):
            event = ("repro_message", arguments)
        put(event)

    node.putevent = putevent


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
