"""The pytest plugin: options, the fixture `repro`, and what a session was asked for.

With nothing asked for, one small hook object is registered and nothing heavy is imported.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import pytest

from pytest_repro.clock import monotonic_ns
from pytest_repro.errors import OptionError
from pytest_repro.plugin.capabilities import CAPABILITIES, Capabilities
from pytest_repro.plugin.internals.workers import MESSAGE_TYPE, WorkerMessage
from pytest_repro.plugin.isolated_job import is_isolated, parent_of_isolated
from pytest_repro.plugin.options import add_options, resolve
from pytest_repro.plugin.order_options import read_piped_order
from pytest_repro.plugin.session import run_folder_of
from pytest_repro.plugin.timing import Repro
from pytest_repro.plugin.verify_options import MARK


def pytest_addoption(parser: pytest.Parser) -> None:
    """Declares the options."""
    parent_pid = parent_of_isolated()
    if parent_pid is not None:
        # Before any conftest is loaded: a process that is still starting must not outlive who asked for it.
        from pytest_repro.plugin.internals.process import die_with_parent

        die_with_parent(parent_pid)
    add_options(parser)


def pytest_addhooks(pluginmanager: pytest.PytestPluginManager) -> None:
    """Declares the hooks that others can implement."""
    from pytest_repro.plugin import hookspecs

    pluginmanager.add_hookspecs(hookspecs)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_load_initial_conftests(early_config: pytest.Config) -> Generator[None]:
    """Runs the gate, or leases a device, before the first conftest can look for one."""
    known = early_config.known_args_namespace
    read_piped_order(early_config)
    if known.repro_run is None and known.repro_bisect is not None:
        from pytest_repro.plugin.bisect import run_bisection_early

        run_bisection_early(early_config)
    if known.repro_run is None and _is_gate_asked_for(early_config, known.verify_runs):
        from pytest_repro.plugin.gate import run_gate_early

        run_gate_early(early_config)
    if known.repro_devices or early_config.getini("repro_devices"):
        from pytest_repro.plugin.devices import lease_early

        lease_early(early_config)
    return (yield)


@pytest.hookimpl(tryfirst=True)
def pytest_cmdline_main(config: pytest.Config) -> int | None:
    """Runs the gate instead of a session, if it was asked for."""
    is_run = config.getoption("repro_run") is not None
    if not is_run and config.getoption("repro_bisect") is not None:
        from pytest_repro.plugin.bisect import bisection_exit_status

        return bisection_exit_status(config)
    if is_run or not _is_gate_asked_for(config, config.getoption("verify_runs")):
        return None
    from pytest_repro.plugin.gate import gate_exit_status

    return gate_exit_status(config)


def _is_gate_asked_for(config: pytest.Config, given: str | None) -> bool:
    return not is_isolated() and (given is not None or bool(config.getini("verify_runs")))


def pytest_configure(config: pytest.Config) -> None:
    """Registers what was asked for."""
    config.addinivalue_line("markers", f"{MARK}: what the gate (--verify-runs) must know of a test.")
    try:
        options = resolve(config)
        if options.stress is not None and options.stress.as_items and not is_isolated():
            config.option.count = options.stress.iterations
        capabilities = Capabilities(config, options, clock=monotonic_ns)
    except OptionError as error:
        raise pytest.UsageError(str(error)) from error
    config.stash[CAPABILITIES] = capabilities
    config.pluginmanager.register(capabilities, "repro-capabilities")
    capabilities.begin()
    if options.order is not None:
        from pytest_repro.plugin.order import begin_order

        begin_order(config, options.order)
    if config.getoption("repro_trial") and (folder := run_folder_of(config)) is not None:
        from pytest_repro.plugin.bisect_trial import begin_trial

        begin_trial(config, folder)


def pytest_unconfigure(config: pytest.Config) -> None:
    """Takes all instruments off."""
    capabilities = config.stash.get(CAPABILITIES, None)
    if capabilities is not None:
        capabilities.close()


@pytest.hookimpl(tryfirst=True)
def pytest_report_from_serializable(data: dict[str, Any]) -> Any:
    """Recognises the messages of our own workers."""
    return WorkerMessage(data["body"]) if data.get("$report_type") == MESSAGE_TYPE else None


@pytest.fixture
def repro(request: pytest.FixtureRequest) -> Repro:
    """What a test can ask (`iteration`, `seed`, `worker`) and tell (`phase(name)`, `metric(name, value)`)."""
    return request.config.stash[CAPABILITIES].repro(request.node.nodeid)
