"""What is said of devices: leases, outcomes, resets."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pytest_repro.report.words import counted, percent
from pytest_repro.stress.device_tally import DeviceReport, DeviceSummary
from pytest_repro.stress.devices import DevicePool
from pytest_repro.stress.resets import MOST_FAILED_RESETS, ResetCause, ResetResult

_LEAST_SHOWN = 1e-6

_CAUSES = {
    ResetCause.CRASH: "a crash",
    ResetCause.HANG: "a hang",
    ResetCause.ERROR: "a device error",
}


def lease_line(pool: DevicePool, *, workers: int, workers_asked: int) -> str:
    """Returns which devices are shared out, as the session begins.

    Args:
        pool: The devices.
        workers: Workers of the session; 1 without xdist.
        workers_asked: How many were asked for.
    """
    if not pool.devices:
        return "devices: none found, so none are leased"
    shown = f"devices: {', '.join(pool.devices)} ({', '.join(pool.variables)})"
    fewer = fewer_workers(pool, workers=workers, workers_asked=workers_asked)
    return f"{shown}; {fewer}" if fewer else shown


def fewer_workers(pool: DevicePool, *, workers: int, workers_asked: int) -> str | None:
    """Returns how many workers there are for want of devices, None if as many as were asked for."""
    if workers >= workers_asked:
        return None
    return (
        f"{counted(workers, 'worker')} instead of {workers_asked:,}: {counted(len(pool.devices), 'device')}"
    )


def device_lines(report: DeviceReport, *, verbose: int = 0) -> list[str]:
    """Returns what a session learned about its devices; nothing where there is nothing to say."""
    lines = []
    if report.pool is not None:
        fewer = fewer_workers(report.pool, workers=report.workers, workers_asked=report.workers_asked)
        lines += [fewer] if fewer else []
    for device in report.devices:
        if device.fails_more_often:
            lines.append(_suspect_line(device))
        elif verbose > 0 and len(report.devices) > 1:
            lines.append(_plain_line(device))
    return [*lines, *_reset_lines(report.resets)]


def device_record(report: DeviceReport) -> dict[str, Any]:
    """Returns the same as plain builtins."""
    pool = report.pool
    return {
        "workers": report.workers,
        "workers_asked": report.workers_asked,
        "variables": [] if pool is None else list(pool.variables),
        "devices": [
            {
                "device": device.device,
                "workers": list(device.workers),
                "executed": device.executed,
                "failures": device.failures,
                "chance": device.chance,
                "fails_more_often": device.fails_more_often,
            }
            for device in report.devices
        ],
        "resets": [
            {
                "device": device,
                "cause": cause.value,
                "resets": len(resets),
                "failed": sum(bool(reset.problems) for reset in resets),
            }
            for (device, cause), resets in _grouped(report.resets).items()
        ],
    }


def _suspect_line(device: DeviceSummary) -> str:
    return (
        f"device {device.device} fails more often than the others: {device.failures:,} of {device.executed:,}"
        f" against {device.other_failures:,} of {device.other_executed:,} ({_chance(device.chance or 0.0)})"
    )


def _plain_line(device: DeviceSummary) -> str:
    rate = f" ({percent(device.failures / device.executed)})" if device.executed else ""
    workers = ", ".join(device.workers)
    ran = counted(device.executed, "iteration")
    return f"device {device.device} ({workers}): {ran} ran, {device.failures:,} failed{rate}"


def _chance(chance: float) -> str:
    if chance < _LEAST_SHOWN:
        return f"p < {_LEAST_SHOWN:f}"
    return f"p = {float(f'{chance:.1g}'):f}".rstrip("0")


def _grouped(resets: Sequence[ResetResult]) -> dict[tuple[str | None, ResetCause], list[ResetResult]]:
    groups: dict[tuple[str | None, ResetCause], list[ResetResult]] = {}
    for reset in resets:
        groups.setdefault((reset.device, reset.cause), []).append(reset)
    return groups


def _reset_lines(resets: Sequence[ResetResult]) -> list[str]:
    lines = []
    for (device, cause), group in _grouped(resets).items():
        of_device = "" if device is None else f" of device {device}"
        line = f"{counted(len(group), 'reset')}{of_device} after {_CAUSES[cause]}"
        failed = [reset for reset in group if reset.problems]
        if failed:
            line += f", {len(failed):,} failed: {'; '.join(failed[0].problems)}"
        lines.append(line)
    for reset in resets:
        if reset.is_last:
            of_device = "the device" if reset.device is None else f"device {reset.device}"
            lines.append(f"{of_device} was not reset again: {MOST_FAILED_RESETS} resets in a row had failed")
    return lines
