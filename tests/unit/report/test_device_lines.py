"""What is said of devices, word for word."""

from __future__ import annotations

import pytest

from pytest_repro.report.devices import device_lines, device_record, lease_line
from pytest_repro.stress.device_tally import DeviceReport, DeviceSummary
from pytest_repro.stress.devices import DevicePool
from pytest_repro.stress.resets import ResetResult

POOL = DevicePool(variables=("TT_VISIBLE_DEVICES",), devices=("0", "1"), also={})


def _device(chance: float | None, device: str = "1") -> DeviceSummary:
    return DeviceSummary(
        device=device,
        workers=("gw1", "gw4"),
        executed=200,
        failures=12,
        other_executed=600,
        other_failures=3,
        chance=chance,
    )


def _reset(
    *problems: str, device: str | None = "0", reason: str = "crash", is_last: bool = False
) -> ResetResult:
    return ResetResult(
        worker="gw0",
        device=device,
        reason=reason,
        command="reset",
        problems=problems,
        output="",
        duration_ns=1,
        is_last=is_last,
    )


@pytest.mark.parametrize(
    ("workers", "asked", "expected"),
    [
        (1, 1, "devices: 0, 1 (TT_VISIBLE_DEVICES)"),
        (2, 8, "devices: 0, 1 (TT_VISIBLE_DEVICES); 2 workers instead of 8: 2 devices"),
    ],
)
def test_leases_are_told_as_the_session_begins(workers: int, asked: int, expected: str) -> None:
    """With the reason why there are fewer workers than were asked for."""
    assert lease_line(POOL, workers=workers, workers_asked=asked) == expected


def test_a_machine_without_devices_is_told_too() -> None:
    """`auto` on a laptop."""
    pool = DevicePool(variables=("TT_VISIBLE_DEVICES",), devices=(), also={})
    assert lease_line(pool, workers=4, workers_asked=4) == "devices: none found, so none are leased"


@pytest.mark.parametrize(
    ("chance", "shown"),
    [(0.0000399, "p = 0.00004"), (0.00999, "p = 0.01"), (1e-7, "p < 0.000001"), (0.0, "p < 0.000001")],
)
def test_a_device_that_fails_more_often_is_named_with_the_numbers(chance: float, shown: str) -> None:
    """Those of the others too."""
    assert device_lines(DeviceReport(devices=(_device(chance), _device(1.0, "0")))) == [
        f"device 1 fails more often than the others: 12 of 200 against 3 of 600 ({shown})"
    ]


def test_other_devices_are_listed_where_more_is_asked_for() -> None:
    """One device alone is the whole session, and its numbers stand above."""
    report = DeviceReport(devices=(_device(1.0), _device(0.5, "0")))
    assert device_lines(report) == []
    assert device_lines(report, verbose=1) == [
        "device 1 (gw1, gw4): 200 iterations ran, 12 failed (6.0 %)",
        "device 0 (gw1, gw4): 200 iterations ran, 12 failed (6.0 %)",
    ]
    assert device_lines(DeviceReport(devices=(_device(None),)), verbose=1) == []


def test_fewer_workers_are_told_in_the_summary() -> None:
    """The head of a session may be far above, or off."""
    assert device_lines(DeviceReport(pool=POOL, workers=2, workers_asked=3)) == [
        "2 workers instead of 3: 2 devices"
    ]


def test_resets_are_counted_by_device_and_cause() -> None:
    """With the first problem of each."""
    resets = (
        _reset(),
        _reset("tt-smi -r 0: exit status 1"),
        _reset(device="1", reason="hang"),
        _reset(device=None, reason="error: CUDA error"),
    )
    assert device_lines(DeviceReport(resets=resets)) == [
        "2 resets of device 0 after a crash, 1 failed: tt-smi -r 0: exit status 1",
        "1 reset of device 1 after a hang",
        "1 reset after a device error",
    ]
    assert device_record(DeviceReport(resets=resets))["resets"][0] == {
        "device": "0",
        "cause": "crash",
        "resets": 2,
        "failed": 1,
    }


def test_a_device_that_is_given_up_is_named() -> None:
    """Later failures were met with no reset."""
    assert device_lines(DeviceReport(resets=(_reset("no", is_last=True),)))[1:] == [
        "device 0 was not reset again: 3 resets in a row had failed"
    ]
