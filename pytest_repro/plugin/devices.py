"""Leases of devices: each worker has one of its own, told by its environment before anything is imported."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

import pytest

from pytest_repro.plugin.internals.workers import lower_workers
from pytest_repro.plugin.isolated_job import is_isolated
from pytest_repro.plugin.resets import DeviceResets
from pytest_repro.plugin.session import run_folder_of
from pytest_repro.report.devices import lease_line
from pytest_repro.store import SessionFolder
from pytest_repro.stress.device_tally import DeviceReport, DeviceTally
from pytest_repro.stress.devices import DevicePool, DeviceRequest, find_pool, parse_devices
from pytest_repro.stress.resets import ResetCause, ResetResult

_WORKER_VARIABLE = "PYTEST_XDIST_WORKER"
_STRESS_OPTIONS = ("repro_stress", "repro_stress_time", "repro_replay")

_POOL: pytest.StashKey[DevicePool] = pytest.StashKey()
_REPLACED: pytest.StashKey[dict[str, str | None]] = pytest.StashKey()


def lease_early(config: pytest.Config) -> None:
    """Leases a device to this process before the first conftest is imported, if it will run tests itself.

    The options are not checked yet: what cannot be read is left to `pytest_configure`, which refuses it.
    """

    def given(name: str) -> Any:
        value = getattr(config.known_args_namespace, name, None)
        return config.getini(name) if value is None and name.startswith(("repro", "verify")) else value

    is_distributed = given("numprocesses") or given("tx") or given("dist") not in (None, "no")
    is_other = is_isolated() or _WORKER_VARIABLE in os.environ or given("collectonly")
    is_other = is_other or (given("verify_runs") and run_folder_of(config) is None)
    if is_distributed or is_other or not any(given(name) for name in _STRESS_OPTIONS):
        return
    try:
        request = parse_devices(str(given("repro_devices")))
    except ValueError:
        return
    if request is not None:
        _lease_here(config, _pool_of(config, request))


class DeviceCare:
    """Shares out devices, counts what happens on each, and has them reset.

    Args:
        config: Of the controller, which without workers is the only process.
        request: What `--repro-devices` asks for; None leases nothing.
        resets: Of this process.
        folder: Where the records go.
        is_distributed: Whether xdist's workers run the iterations, and not this process.
    """

    def __init__(
        self,
        config: pytest.Config,
        request: DeviceRequest | None,
        *,
        resets: DeviceResets,
        folder: SessionFolder,
        is_distributed: bool,
    ) -> None:
        self.tally = DeviceTally()
        self._resets = resets
        self._folder = folder
        self._results: list[ResetResult] = []
        self._pool = None if request is None else _pool_of(config, request)
        self._workers = self._workers_asked = 1
        if is_distributed:
            _end_lease_here(config)
            most = None if self._pool is None else len(self._pool.devices) or None
            self._workers_asked, self._workers = lower_workers(config, most)
        elif self._pool is not None and self._pool.devices:
            _lease_here(config, self._pool)
            self.tally.note_lease("main", self._pool.devices[0])

    def pytest_report_header(self) -> str | None:
        """Says which devices are leased, and how many workers there are for want of more."""
        if self._pool is None:
            return None
        return lease_line(self._pool, workers=self._workers, workers_asked=self._workers_asked)

    @pytest.hookimpl(tryfirst=True, optionalhook=True)
    def pytest_xdist_setupnodes(self, specs: Sequence[Any]) -> None:
        """Gives each worker its device; who replaces a worker takes over its device too."""
        if self._pool is None or not self._pool.devices:
            return
        if len(specs) > len(self._pool.devices):
            raise pytest.UsageError(
                f"--repro-devices has {len(self._pool.devices)} devices for {len(specs)} workers, as a plugin"
                " has added workers. Name as many devices, or ask for fewer workers."
            )
        for spec, device in zip(specs, self._pool.devices, strict=False):
            spec.env.update(self._pool.environment(device))

    @pytest.hookimpl(tryfirst=True, optionalhook=True)
    def pytest_configure_node(self, node: Any) -> None:
        """Notes which device a worker has."""
        if self._pool is not None and self._pool.devices:
            device = node.gateway.spec.env[self._pool.variables[0]]
            self.tally.note_lease(node.gateway.id, device)

    def reset(self, worker: str, cause: ResetCause) -> None:
        """Resets the device of a worker that is no more.

        Args:
            worker: Its id.
            cause: Why it is no more.
        """
        result = self._resets.reset(worker, self.tally.device_of(worker), cause.value)
        if result is not None:
            self.add_reset(result)

    def add_reset(self, result: ResetResult) -> None:
        """Takes a reset that took place, here or in a worker."""
        self._results.append(result)
        self._folder.append("resets.jsonl", result.to_payload())

    def report(self) -> DeviceReport:
        """Returns all that is known."""
        return DeviceReport(
            pool=self._pool,
            workers=self._workers,
            workers_asked=self._workers_asked,
            devices=self.tally.summaries(),
            resets=tuple(self._results),
        )

    def lease_of(self, worker: str) -> str | None:
        """Returns what `--repro-devices` must say for a replay to have the same device, or None."""
        device = self.tally.device_of(worker)
        return None if device is None or self._pool is None else f"{self._pool.variables[0]}={device}"


def _pool_of(config: pytest.Config, request: DeviceRequest) -> DevicePool:
    """Looks for devices once: afterwards this process may see no other than its own."""
    if _POOL not in config.stash:
        config.stash[_POOL] = find_pool(request, os.environ)
    return config.stash[_POOL]


def _lease_here(config: pytest.Config, pool: DevicePool) -> None:
    if _REPLACED in config.stash or not pool.devices:
        return
    environment = pool.environment(pool.devices[0])
    config.stash[_REPLACED] = {name: os.environ.get(name) for name in environment}
    os.environ.update(environment)
    config.add_cleanup(lambda: _end_lease_here(config))


def _end_lease_here(config: pytest.Config) -> None:
    replaced = config.stash.get(_REPLACED, {})
    for name, value in replaced.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value
    replaced.clear()
