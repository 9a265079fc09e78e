"""Outcomes by device, and which device fails more often than chance allows."""

from __future__ import annotations

import pytest

from pytest_repro.model import Failure, Outcome, Signature, Stage
from pytest_repro.stress.device_tally import DeviceTally


def _tally(*counts: tuple[str, str, int, int]) -> DeviceTally:
    """Makes a tally of (device, test, failures, iterations); each device has a worker of its name."""
    tally = DeviceTally()
    for device, test, failures, iterations in counts:
        tally.note_lease(f"gw{device}", device)
        outcomes = [["passed", iterations - failures], ["failed", failures]]
        tally.add_batch({"worker": f"gw{device}", "test": test, "outcomes": outcomes})
    return tally


def _failure(worker: str) -> Failure:
    return Failure(
        test="a",
        iteration=1,
        outcome=Outcome.CRASH,
        stage=Stage.CALL,
        signature=Signature(exception=None, message="x"),
        message="x",
        seed=None,
        worker=worker,
        elapsed_ns=0,
    )


def test_a_device_that_fails_more_often_than_the_others_is_found() -> None:
    """By Fisher's exact test, times the number of devices that were looked at."""
    tally = _tally(("0", "a", 1, 200), ("1", "a", 12, 200), ("2", "a", 1, 200), ("3", "a", 1, 200))
    suspects = [device for device in tally.summaries() if device.fails_more_often]
    (one,) = suspects
    assert (one.device, one.failures, one.executed) == ("1", 12, 200)
    assert (one.other_failures, one.other_executed) == (3, 600)
    assert one.chance == pytest.approx(4 * 9.982889454e-06)


def test_a_difference_that_chance_would_show_names_no_device() -> None:
    """One would be enough alone, and is not among twenty."""
    alone = _tally(("0", "a", 0, 30), ("1", "a", 6, 30))
    among = _tally(("1", "a", 6, 30), *((str(number), "a", 18, 570) for number in (2,)))
    assert not any(device.fails_more_often for device in alone.summaries())
    assert min(device.chance or 1.0 for device in among.summaries()) < 0.01
    many = _tally(("1", "a", 6, 30), *((str(number), "a", 1, 30) for number in range(2, 21)))
    assert not any(device.fails_more_often for device in many.summaries())


def test_a_device_is_not_blamed_for_the_tests_that_it_was_given() -> None:
    """Each test is compared with itself: an unsteady one that ran mostly on one device tells nothing."""
    tally = _tally(("0", "unsteady", 100, 200), ("0", "steady", 0, 10), ("1", "unsteady", 5, 10))
    tally.add_batch({"worker": "gw1", "test": "steady", "outcomes": [["passed", 400]]})
    assert not any(device.fails_more_often for device in tally.summaries())


def test_a_test_that_ran_on_one_device_alone_tells_nothing_of_it() -> None:
    """Nor does one that fails wherever it runs."""
    tally = _tally(("0", "a", 50, 50), ("1", "b", 0, 50), ("0", "c", 9, 9), ("1", "c", 9, 9))
    assert [device.chance for device in tally.summaries()] == [1.0, 1.0]


def test_a_worker_that_replaces_another_goes_on_with_its_device() -> None:
    """Crashes are counted where they happened; what pytest skipped was not run."""
    tally = _tally(("0", "a", 0, 5))
    tally.add_death(_failure("gw0"), is_counted=False)
    tally.note_lease("gw7", "0")
    tally.add_batch({"worker": "gw7", "test": "a", "outcomes": [["skipped", 3], ["error", 2]]})
    (device,) = tally.summaries()
    assert (device.workers, device.executed, device.failures) == (("gw0", "gw7"), 8, 3)
    assert device.chance is None


def test_a_late_teardown_fails_an_iteration_that_is_counted_already() -> None:
    """There cannot be more failures than iterations."""
    tally = _tally(("0", "a", 0, 1))
    tally.add_closing_failure(_failure("gw0"))
    tally.add_death(_failure("gw0"), is_counted=True)
    (device,) = tally.summaries()
    assert (device.executed, device.failures) == (1, 1)


def test_without_leases_nothing_is_counted() -> None:
    """Off means off."""
    tally = DeviceTally()
    tally.add_batch({"worker": "main", "test": "a", "outcomes": [["passed", 3]]})
    tally.add_death(_failure("main"), is_counted=False)
    assert tally.summaries() == ()
    assert tally.device_of("main") is None
