"""The simulated device in real time: real waits; the only tests here that take time."""

from __future__ import annotations

import subprocess
import sys
import threading

import pytest

from pytest_repro.clock import monotonic_ns
from pytest_repro.timing import simulated
from pytest_repro.timing.recorder import Recorder
from pytest_repro.timing.simulated import SimulatedBackend, SimulatedDevice

MS = 1_000_000


def test_calls_return_before_the_work_is_done() -> None:
    """Work is queued, takes the time it is told, and is waited for by the read-back."""
    with SimulatedDevice(bandwidth_bytes_per_s=1_000_000_000) as device:
        start_ns = monotonic_ns()
        y = device.operation("gather", duration_ns=30 * MS, size_bytes=1_000_000)
        queued_ns = monotonic_ns() - start_ns
        assert device.to_torch(y) == 1_000_000
        assert queued_ns < 15 * MS
        assert monotonic_ns() - start_ns >= 31 * MS


def test_fenced_phases_show_the_true_times() -> None:
    """At least the time that the work took, and not that of other work, whatever the queue holds."""
    recorder, backend = Recorder(), SimulatedBackend()
    backend.attach(recorder)
    try:
        with SimulatedDevice(bandwidth_bytes_per_s=1_000_000_000) as device:
            recorder.begin()
            x = device.to_device(10_000_000)
            device.to_torch(device.operation("gather", x, duration_ns=40 * MS))
            phases, _ = recorder.finish()
    finally:
        backend.detach()
    to_device, op, to_torch = phases
    for phase, truth_ns in ((to_device, 10 * MS), (op, 40 * MS), (to_torch, 10 * MS)):
        assert truth_ns <= phase.duration_ns < truth_ns + 30 * MS
    assert to_torch.unfenced_ns >= 50 * MS


def test_the_host_lets_the_device_go_on_while_it_waits_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """It waits for the work's end and looks no second time: that would make each phase 5 ms longer."""

    class Done(threading.Event):
        def wait(self, timeout: float | None = None) -> bool:
            assert timeout is not None
            self.set()
            return True

    watched: list[int] = []

    def watch_once(end_ns: int) -> None:
        assert not watched
        watched.append(end_ns)

    monkeypatch.setattr(simulated, "sleep_until_ns", watch_once)
    device = SimulatedDevice()
    monkeypatch.setattr(device._queue, "_thread", threading.main_thread())
    monkeypatch.setattr(device._queue, "_last", simulated._Job("gather", 0, 7, Done()))
    device.synchronize()
    assert watched == [7]


def test_timing_imports_no_library() -> None:
    """Loading every module that a plugin loads brings neither pytest nor a device library."""
    modules = "attach recorder formats lines summary units merge patches backend simulated backends.wall"
    script = f"""
import importlib, sys
for name in {modules.split()!r}:
    importlib.import_module("pytest_repro.timing." + name)
from pytest_repro.timing.attach import Harness
harness = Harness(); harness.start(); harness.stop()
heavy = {{"pytest", "torch", "ttnn", "numpy", "pandas", "scipy", "pyinstrument", "jinja2"}}
print(sorted(heavy & set(sys.modules)))
"""
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, "[]\n", "")


@pytest.mark.parametrize("threads", [1, 3])
def test_several_devices_are_each_waited_for(threads: int) -> None:
    """A phase by hand ends when all devices that were used are idle."""
    recorder, backend = Recorder(), SimulatedBackend()
    backend.attach(recorder)
    devices = [SimulatedDevice() for _ in range(threads)]
    try:
        recorder.begin()
        with recorder.phase("all"):
            for device in devices:
                device._queue.submit("custom", 0)
                device.synchronize()
                device._queue.submit("custom", 10 * MS)
        phases, _ = recorder.finish()
    finally:
        backend.detach()
        for device in devices:
            device.close()
    assert phases[0].duration_ns >= 10 * MS
