"""The only place that touches what pytest and xdist do not promise to keep.

Tested against each supported release of both (`.ci/matrix`).
"""

from __future__ import annotations

import contextlib
import copy
import sys
from collections.abc import Callable, Iterator, Mapping
from types import SimpleNamespace
from typing import Any

import pytest
from _pytest.config import create_terminal_writer
from _pytest.runner import runtestprotocol

MESSAGE_TYPE = "ReproMessage"
"""`$report_type` of what a worker sends: no report, so that no other plugin takes it for one."""


class WorkerMessage:
    """A worker's message on its way through xdist's report channel.

    Attributes:
        body: The message, plain builtins.
    """

    def __init__(self, body: dict[str, Any]) -> None:
        self.body = body


def copy_item(item: pytest.Item, nodeid: str | None = None) -> pytest.Item:
    """Returns a shallow copy: other identity, same parents, so the same wider fixtures."""
    twin = copy.copy(item)
    if nodeid is not None:
        set_nodeid(twin, nodeid)
    return twin


def set_nodeid(item: pytest.Item, nodeid: str) -> None:
    """Gives an item the node id that tests and reports see."""
    node: Any = item
    if hasattr(node, "_id"):
        # From pytest 9.2 on, a structured id stands behind the text.
        node._id = type(node._id).parse(nodeid)
    else:
        node._nodeid = nodeid


def xdist_nodeid(item: pytest.Item) -> str:
    """Returns the node id as xdist's `loadgroup` made it, with `@group` at its end.

    xdist 3.8 sets a text that pytest 9.2 no longer reads.
    """
    nodeid: str = getattr(item, "_nodeid", item.nodeid)
    return nodeid


class FreshItem:
    """Takes an item back to how it was collected, before each further iteration.

    pytest runs an item once, so it lets things pile up on it: captured sections, properties, marks added by
    the test, the instance of the test class.
    """

    def __init__(self, item: pytest.Item) -> None:
        self._item = item
        self._markers = list(item.own_markers)
        self._properties = list(item.user_properties)

    def restore(self) -> None:
        """Undoes what the last iteration left on the item."""
        item = self._item
        item._report_sections = []
        item.user_properties = list(self._properties)
        if len(item.own_markers) != len(self._markers):
            item.own_markers[:] = self._markers
        instance = item.__dict__.get("_instance")
        if instance is not None and getattr(item.__dict__.get("_obj"), "__self__", None) is instance:
            del item.__dict__["_instance"], item.__dict__["_obj"]
        if hasattr(item, "_initrequest"):
            # Also before the first iteration: a copied item holds the request of its original.
            item._initrequest()


def run_stages(item: pytest.Item, nextitem: pytest.Item | None) -> list[pytest.TestReport]:
    """Runs setup, call and teardown with all their hooks; the reports are returned and not logged."""
    return runtestprotocol(item, log=False, nextitem=nextitem)


def tear_down_to(item: pytest.Item, nextitem: pytest.Item | None) -> pytest.TestReport:
    """Tears down what `item` left set up and `nextitem` does not share, after the item's own teardown.

    The teardown hooks are not called: plugins have cleaned up after the item already.
    """
    capture: Any = item.config.pluginmanager.get_plugin("capturemanager")
    around = contextlib.nullcontext() if capture is None else capture.item_capture("teardown", item)

    def tear_down() -> None:
        with around:
            item.session._setupstate.teardown_exact(nextitem)

    call = pytest.CallInfo.from_call(
        tear_down, when="teardown", reraise=(pytest.exit.Exception, KeyboardInterrupt)
    )
    report: pytest.TestReport = item.ihook.pytest_runtest_makereport(item=item, call=call)
    return report


def cancel_timeout(item: pytest.Item) -> None:
    """Has pytest-timeout stop timing a whole slice: each of its iterations is given its own time."""
    if item.config.pluginmanager.has_plugin("timeout"):
        item.config.hook.pytest_timeout_cancel_timer(item=item)


class IterationProtocol:
    """Calls `pytest_runtest_protocol` for one iteration, as pytest would for one test.

    Args:
        config: Of this process.
    """

    def __init__(self, config: pytest.Config) -> None:
        self._hook = config.hook.pytest_runtest_protocol
        self._warnings: _IterationWarnings | None = None
        plugin = config.pluginmanager.get_plugin("warnings")
        if plugin is not None:
            self._hook = config.pluginmanager.subset_hook_caller("pytest_runtest_protocol", [plugin])
            self._warnings = _IterationWarnings(config)

    def run(self, item: pytest.Item, nextitem: pytest.Item | None) -> None:
        """Runs the hooks, inside the warning filters of pytest and of the test's marks."""
        if self._warnings is None:
            self._hook(item=item, nextitem=nextitem)
        else:
            with self._warnings.catch(item):
                self._hook(item=item, nextitem=nextitem)


class _IterationWarnings:
    """Records the warnings of iterations as pytest's own plugin would, each distinct one once a test.

    pytest keeps every recorded warning for the whole session; a test that warns in each of a million
    iterations must not fill the memory.
    """

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._seen: set[tuple[str, str, str, int]] = set()
        self._collector = SimpleNamespace(pytest_warning_recorded=SimpleNamespace(call_historic=self._record))

    def catch(self, item: pytest.Item) -> contextlib.AbstractContextManager[None]:
        """Records warnings with the filters of pytest and of the test's marks."""
        from _pytest.warnings import catch_warnings_for_item

        return catch_warnings_for_item(
            config=self._config,
            ihook=self._collector,
            when="runtest",
            item=item,
        )

    def _record(self, kwargs: Mapping[str, Any]) -> None:
        warning = kwargs["warning_message"]
        distinct = (warning.category.__name__, str(warning.message), warning.filename, warning.lineno)
        if distinct not in self._seen and len(self._seen) < 1000:
            self._seen.add(distinct)
            self._config.hook.pytest_warning_recorded.call_historic(kwargs=kwargs)


def terminal_writer(config: pytest.Config) -> Any:
    """Returns a writer that obeys --color, for what is said before a session exists."""
    return create_terminal_writer(config, sys.stdout)


@contextlib.contextmanager
def unconfigured(config: pytest.Config) -> Iterator[None]:
    """Cleans up after a config that never became a session."""
    try:
        yield
    finally:
        config._ensure_unconfigure()


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
