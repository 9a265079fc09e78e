"""The only place that touches what pytest, xdist and the standard library do not promise to keep.

Tested against each supported release of both (`.ci/matrix`).
"""

from __future__ import annotations

import contextlib
import copy
import io
import subprocess
import sys
from collections.abc import Callable, Mapping
from types import SimpleNamespace
from typing import Any

import pytest
from _pytest._io import TerminalWriter
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
    """Returns a copy: other identity, same parents, so the same wider fixtures.

    What a running test may add to its item is the copy's own.
    """
    original: Any = item
    twin: Any = copy.copy(item)
    twin.own_markers = list(item.own_markers)
    twin.user_properties = list(item.user_properties)
    twin.keywords = copy.copy(item.keywords)
    twin.keywords.node = twin
    twin.keywords._markers = dict(original.keywords._markers)
    twin.stash = copy.copy(item.stash)
    twin.stash._storage = dict(original.stash._storage)
    twin._store = twin.stash
    if hasattr(item, "dtest"):
        twin.dtest = copy.copy(original.dtest)
    if nodeid is not None:
        set_nodeid(twin, nodeid)
    copied: pytest.Item = twin
    return copied


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

    def __init__(self, item: Any) -> None:
        self._item = item
        self._markers = list(item.own_markers)
        self._keywords = dict(item.keywords._markers)
        self._properties = list(item.user_properties)
        self._globals = dict(item.dtest.globs) if hasattr(item, "dtest") else None
        # hypothesis does not allow one test function to run on two instances.
        self._keeps_instance = getattr(getattr(item, "obj", None), "is_hypothesis_test", False)

    def restore(self) -> None:
        """Undoes what the last iteration left on the item."""
        item = self._item
        item._report_sections = []
        item.user_properties = list(self._properties)
        item.own_markers[:] = self._markers
        if len(item.keywords._markers) != len(self._keywords):
            item.keywords._markers = dict(self._keywords)
        if self._globals is not None:
            # A doctest empties its namespace after it ran.
            item.dtest.globs = dict(self._globals)
        own = item.__dict__
        # unittest collects errors here and reports take one each: the rest is of an earlier iteration.
        own.pop("_excinfo", None)
        instance = own.get("_instance")
        if (
            instance is not None
            and not self._keeps_instance
            and getattr(own.get("_obj"), "__self__", None) is instance
        ):
            del own["_instance"], own["_obj"]
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


class HookOverride:
    """Stands in for one of pytest's hooks: calls go to a function, all else to the hook itself.

    Whoever calls the hook by `config.hook` reaches the function instead of the plugins and their wrappers.

    Args:
        config: Of this process.
        name: Of the hook.
        function: Takes the hook's arguments by keyword.
    """

    def __init__(self, config: pytest.Config, name: str, function: Callable[..., Any]) -> None:
        self.original = getattr(config.hook, name)
        self._config = config
        self._name = name
        self._function = function

    def __call__(self, **arguments: Any) -> Any:
        """Calls the function in the hook's place."""
        return self._function(**arguments)

    def __getattr__(self, attribute: str) -> Any:
        return getattr(self.original, attribute)

    def start(self) -> None:
        """Takes the hook's place."""
        setattr(self._config.hook, self._name, self)

    def stop(self) -> None:
        """Gives the hook its place back."""
        setattr(self._config.hook, self._name, self.original)


def leave_seeds_to_us(config: pytest.Config) -> None:
    """Has pytest-randomly stop setting the same seed before every stage of every iteration."""
    if hasattr(config.option, "randomly_reset_seed"):
        config.option.randomly_reset_seed = False


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
    if sys.stdout is None:
        return TerminalWriter(io.StringIO())
    if not hasattr(config.option, "color"):
        return TerminalWriter(sys.stdout)
    return create_terminal_writer(config, sys.stdout)


def interpreter_options() -> list[str]:
    """Returns the options that this interpreter was started with, such as `-X dev`."""
    options: list[str] = subprocess._args_from_interpreter_flags()  # type: ignore[attr-defined]
    return options


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
