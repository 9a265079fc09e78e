"""Timing as a user sees it: the table, the logs and the trace, with no edit to the test."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import signal
import subprocess
import sys
import threading
from typing import Any

import pytest

from tests.acceptance.sessions import json_lines, run_pytest, session_folder

BY_HAND = """
def test_by_hand(repro):
    with repro.phase("to_device"):
        pass
    with repro.phase("decode"):
        sum(range(100_000))
    repro.metric("samples_per_s", 19646.28)
"""

SIMULATED = """
from pytest_repro.timing.simulated import SimulatedDevice

def test_gather():
    with SimulatedDevice(bandwidth_bytes_per_s=10**9) as device:
        x = device.to_device(1_000_000)
        y = device.operation("gather", x, duration_ns=20_000_000)
        device.to_torch(y)
"""

TORCH = """
import torch

def test_gather_timeout():
    x = torch.ones(256, 1024)
    on_device = x.to("cpu", copy=True)
    y = torch.matmul(on_device, on_device.T)
    result = y.to("cpu").numpy()
    assert result.shape == (256, 256)
"""

TTNN = """
import pytest
import torch
import ttnn

@pytest.fixture
def device():
    device = ttnn.open_device(device_id=0)
    yield device
    ttnn.close_device(device)

def test_gather_timeout(device):
    x = ttnn.from_torch(torch.ones(32, 128, dtype=torch.bfloat16), layout=ttnn.TILE_LAYOUT, device=device)
    y = ttnn.add(x, x)
    result = ttnn.to_torch(y)
    assert result.shape == (32, 128)
"""


def _skip_without(module: str) -> None:
    """Skips without importing: pytester takes modules out again, and torch cannot be imported twice."""
    if importlib.util.find_spec(module) is None:
        pytest.skip(f"{module} is not installed here")


def _skip_without_ttnn() -> None:
    _skip_without("ttnn")
    if "TT_METAL_MOCK_CLUSTER_DESC_PATH" not in os.environ:
        pytest.skip("TT_METAL_MOCK_CLUSTER_DESC_PATH does not name a mocked device")


def _profiles(pytester: pytest.Pytester) -> list[dict[str, Any]]:
    return json_lines(session_folder(pytester) / "profiling.jsonl")


@pytest.mark.parametrize("workers", [(), ("-n1",)], ids=["alone", "n1"])
def test_phases_made_by_hand_are_logged_and_shown_without_any_option(
    pytester: pytest.Pytester, workers: tuple[str, ...]
) -> None:
    """The bottleneck is marked; log, JSON Lines and trace are written."""
    pytester.makepyfile(BY_HAND)
    result = run_pytest(pytester, *workers)
    assert result.ret == 0
    result.stdout.fnmatch_lines(
        ["*= timing =*", "*::test_by_hand (1 iteration*", "*decode * <<<", "profiling logs: *"]
    )
    (line,) = (session_folder(pytester) / "profiling_results.log").read_text(encoding="utf-8").splitlines()
    assert re.match(
        r"to_device=\d\S*s, op=0\.000s, to_torch=0\.000s, decode=\d\S*s, samples_per_s=19646\.28 #", line
    )
    (profile,) = _profiles(pytester)
    assert [phase["name"] for phase in profile["phases"]] == ["to_device", "decode"]
    assert profile["metrics"] == [{"name": "samples_per_s", "value": 19646.28}]
    trace = json.loads((session_folder(pytester) / "trace.json").read_text(encoding="utf-8"))
    assert {"to_device", "decode"} <= {event["name"] for event in trace["traceEvents"]}


def test_each_iteration_of_a_stress_run_has_its_line(pytester: pytest.Pytester) -> None:
    """One line an iteration, also from workers, whose times are marked as contended."""
    pytester.makepyfile(BY_HAND)
    run_pytest(pytester, "--repro-stress=12", "-n2")
    lines = (session_folder(pytester) / "profiling_results.log").read_text(encoding="utf-8").splitlines()
    numbers = sorted(int(found[1]) for line in lines if (found := re.search(r"iteration=(\d+)", line)))
    assert numbers == list(range(1, 13))
    assert all("contended=" in line for line in lines)


def test_a_stress_run_compares_failing_with_passing_iterations(pytester: pytest.Pytester) -> None:
    """Medians, metrics with their limits, numeric properties, and setup apart; programs get the same."""
    pytester.makeini("[pytest]\nverify_metric = samples_per_s>=100\n")
    pytester.makepyfile(
        """
        import time
        import pytest

        @pytest.fixture
        def loaded(repro):
            with repro.phase("load"):
                pass

        def test_reads(repro, loaded, record_property):
            is_slow = repro.iteration % 4 == 0
            with repro.phase("read"):
                time.sleep(0.1 if is_slow else 0.001)
            repro.metric("samples_per_s", 99.0)
            record_property("loss", 2)
            record_property("is_slow", is_slow)
            record_property("host", "a")
            assert not is_slow
        """
    )
    result = run_pytest(pytester, "--repro-stress=32", "--tb=no")
    result.stdout.fnmatch_lines(
        [
            "*::test_reads (32 iterations, 8 failing*)",
            "  setup: load *",
            "  per iteration * median * 95 % interval *",
            "  samples_per_s *99 *",
            "    limit >= 100: 24 of 24 values miss it, the worst by 1 %",
            "  loss *2 *",
            "  read is * times slower in failing iterations, p *",
        ]
    )
    summary = json.loads((session_folder(pytester) / "summary.json").read_text(encoding="utf-8"))
    (timing,) = summary["timing"]
    series = {one["name"]: one for one in timing["series"]}
    assert set(series) == {"setup: load", "read", "samples_per_s", "loss"}
    assert series["read"]["comparison"]["is_told"]
    assert series["read"]["passing"]["count"] == 23
    assert series["read"]["failing"]["low_ns"] >= 100_000_000


def test_a_session_that_is_only_timed_has_a_summary_for_programs(pytester: pytest.Pytester) -> None:
    """The numbers of the tables, also where the user asks for them."""
    pytester.makepyfile(BY_HAND)
    run_pytest(pytester, "--repro-timing", "--repro-json=out.json")
    summary = json.loads((pytester.path / "out.json").read_text(encoding="utf-8"))
    assert (summary["kind"], summary["exit_status"]) == ("timing", 0)
    assert summary["timing"][0]["bottleneck"] == ["call", "decode"]
    assert json.loads((session_folder(pytester) / "summary.json").read_text(encoding="utf-8")) == summary


def test_a_failing_test_keeps_its_phases(pytester: pytest.Pytester) -> None:
    """The phase in which it raised is marked as open."""
    pytester.makepyfile(
        """
        def test_raises(repro):
            with repro.phase("prepare"):
                pass
            with repro.phase("read"):
                raise RuntimeError("device hung")
        """
    )
    run_pytest(pytester)
    (profile,) = _profiles(pytester)
    assert [(phase["name"], phase["is_open"]) for phase in profile["phases"]] == [
        ("prepare", False),
        ("read", True),
    ]
    assert profile["outcome"] == "failed"


def test_off_means_off(pytester: pytest.Pytester) -> None:
    """With `--no-repro-timing` nothing is recorded and nothing written."""
    pytester.makepyfile(BY_HAND)
    result = run_pytest(pytester, "--no-repro-timing")
    assert result.ret == 0
    assert not (pytester.path / ".pytest_repro").exists()
    result.stdout.no_fnmatch_line("*timing*")


def test_a_value_that_is_no_number_is_refused_as_a_metric(pytester: pytest.Pytester) -> None:
    """The test fails with an error that says what to do."""
    pytester.makepyfile("def test_a(repro):\n    repro.metric('speed', 'fast')")
    result = run_pytest(pytester)
    assert result.ret == 1
    result.stdout.fnmatch_lines(["*TimingError: *speed*"])


def test_the_simulated_device_shows_kernel_time_that_a_naive_timer_charges_to_the_read_back(
    pytester: pytest.Pytester,
) -> None:
    """The old notes blamed the read-back for what was the kernel."""
    pytester.makepyfile(SIMULATED)
    result = run_pytest(pytester, "--repro-timing")
    assert result.ret == 0
    result.stdout.fnmatch_lines(["*op*<<<", "*to_torch looks slow*"])
    (profile,) = _profiles(pytester)
    phases = {phase["name"]: phase for phase in profile["phases"]}
    assert list(phases) == ["to_device", "op", "to_torch"]
    assert phases["op"]["duration_ns"] >= 20_000_000
    assert phases["to_torch"]["unfenced_ns"] > phases["op"]["unfenced_ns"]
    assert phases["to_device"]["transfer"]["size_bytes"] == 1_000_000


def test_a_test_of_torch_is_timed_without_any_edit(pytester: pytest.Pytester) -> None:
    """To device, one operation, back: the three phases appear, with sizes."""
    _skip_without("torch")
    pytester.makepyfile(TORCH)
    result = run_pytest(pytester, "--repro-timing")
    assert result.ret == 0
    result.stdout.fnmatch_lines(["  to_device*", "  op*", "*torch.matmul*", "  to_torch*"])
    (profile,) = _profiles(pytester)
    moved = [phase["transfer"] for phase in profile["phases"] if phase["name"] == "to_device"]
    assert moved[0] == {
        "size_bytes": 256 * 1024 * 4,
        "shape": [256, 1024],
        "dtype": "float32",
        "layout": "strided",
    }


def test_without_the_option_torch_is_left_alone(pytester: pytest.Pytester) -> None:
    """No phase, no log, no patched name."""
    _skip_without("torch")
    pytester.makepyfile(TORCH)
    assert run_pytest(pytester).ret == 0
    assert not (pytester.path / ".pytest_repro").exists()


@pytest.mark.ttnn
def test_a_test_of_ttnn_is_timed_without_any_edit(pytester: pytest.Pytester) -> None:
    """The real library on its mocked device: the three phases appear, fenced, with sizes."""
    _skip_without_ttnn()
    pytester.makepyfile(TTNN)
    result = run_pytest(pytester, "--repro-timing")
    assert result.ret == 0
    result.stdout.fnmatch_lines(["  to_device*", "  op*", "  to_torch*"])
    (profile,) = _profiles(pytester)
    phases = {phase["name"]: phase for phase in profile["phases"]}
    assert all(phases[name]["fenced"] for name in ("to_device", "op", "to_torch"))
    assert phases["to_device"]["transfer"]["size_bytes"] == 32 * 128 * 2


QUEUES = """
import torch
import ttnn

def test_two_queues(repro):
    device = ttnn.open_device(device_id=0, num_command_queues=2)
    host = ttnn.from_torch(torch.ones(32, 128), dtype=ttnn.bfloat16, layout=ttnn.TILE_LAYOUT)
    x = ttnn.to_device(host, device, cq_id=1)
    ttnn.from_device(ttnn.add(x, x), cq_id=1)
    ttnn.close_device(device)
    with repro.phase("device is closed"):
        pass

def test_mesh(repro):
    mesh = ttnn.open_mesh_device(ttnn.MeshShape(1, 1))
    mapper, composer = ttnn.ReplicateTensorToMesh(mesh), ttnn.ConcatMeshToTensor(mesh, dim=0)
    layout = {"dtype": ttnn.bfloat16, "layout": ttnn.TILE_LAYOUT}
    x = ttnn.from_torch(torch.ones(32, 128), device=mesh, mesh_mapper=mapper, **layout)
    ttnn.to_torch(ttnn.add(x, x), mesh_composer=composer)
    ttnn.close_mesh_device(mesh)
    with repro.phase("device is closed"):
        pass

def test_context_manager(repro):
    with ttnn.manage_device(device_id=0) as device:
        ttnn.from_torch(torch.ones(32, 128), dtype=ttnn.bfloat16, layout=ttnn.TILE_LAYOUT, device=device)
    with repro.phase("device is closed"):
        pass
"""


@pytest.mark.ttnn
def test_queues_meshes_and_context_managers_of_ttnn_are_timed(pytester: pytest.Pytester) -> None:
    """All are sized and fenced, and no device is waited for once it is closed."""
    _skip_without_ttnn()
    pytester.makepyfile(QUEUES)
    result = run_pytest(pytester, "--repro-timing")
    assert result.ret == 0
    names = [
        [phase["name"] for phase in profile["phases"] if phase["fenced"] and phase["name"] != "synchronize"]
        for profile in _profiles(pytester)
    ]
    closed = "device is closed"
    assert names == [
        ["to_device", "op", "to_torch", closed],
        ["to_device", "op", "to_torch", closed],
        ["to_device", closed],
    ]
    sizes = {
        phase["transfer"]["size_bytes"]
        for profile in _profiles(pytester)
        for phase in profile["phases"]
        if phase["transfer"] is not None and phase["fenced"]
    }
    assert sizes == {32 * 128 * 2}


def test_a_metric_without_a_name_is_refused(pytester: pytest.Pytester) -> None:
    """The test fails, the session goes on."""
    pytester.makepyfile("def test_a(repro):\n    repro.metric(5, 1.0)\ndef test_b():\n    pass")
    result = run_pytest(pytester)
    result.assert_outcomes(failed=1, passed=1)
    result.stdout.fnmatch_lines(["*TimingError: A metric cannot be called 5*"])


def test_logs_that_cannot_be_written_are_not_named(pytester: pytest.Pytester) -> None:
    """The table is shown, and why there is no log."""
    (pytester.path / ".pytest_repro").write_text("in the way", encoding="utf-8")
    pytester.makepyfile(BY_HAND)
    result = run_pytest(pytester)
    assert result.ret == 0
    result.stdout.fnmatch_lines(["*decode * <<<", "profiling logs are incomplete: *"])


DIES_IN_A_PHASE = """
import os, time
from pytest_repro.timing.simulated import SimulatedDevice

def test_dies(repro):
    with repro.phase("prepare"):
        time.sleep(0.01)
    with SimulatedDevice() as device, repro.phase("step"):
        x = device.to_device(1_000)
        if repro.iteration == 3:
            os.abort()
        device.to_torch(x)
"""


@pytest.mark.parametrize("how", ["-n2", "--repro-isolate", ""])
def test_a_process_that_dies_in_a_phase_leaves_its_phases_in_the_log(
    pytester: pytest.Pytester, how: str
) -> None:
    """Those up to then, the open one marked; those of the iterations before it too."""
    pytester.makepyfile(DIES_IN_A_PHASE)
    arguments = [how] if how else []
    command = [sys.executable, "-m", "pytest", "--repro-timing", "--repro-stress=4", *arguments]
    # Without workers it is a process beside the session that writes of its death; it has the pipe too.
    subprocess.run(command, cwd=pytester.path, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    profiles = {profile["iteration"]: profile for profile in _profiles(pytester)}
    died = profiles[3]
    assert died["outcome"] == "crash"
    assert [(phase["name"], phase["within"], phase["is_open"]) for phase in died["phases"]] == [
        ("prepare", [], False),
        ("step", [], True),
        ("to_device", ["step"], False),
    ]
    assert died["phases"][2]["transfer"]["size_bytes"] == 1_000
    assert sorted(profiles) == ([1, 2, 3, 4] if how else [1, 2, 3])
    log = (session_folder(pytester) / "profiling_results.log").read_text(encoding="utf-8")
    assert re.search(r"iteration=3 .*outcome=crash open=step", log)


WAITS = """
import pathlib, time

def test_waits(repro):
    with repro.phase("prepare"):
        pass
    with repro.phase("wait"):
        pathlib.Path("waits").touch()
        time.sleep(60)
"""


@pytest.mark.parametrize("arguments", [(), ("--repro-stress=2",), ("--repro-stress=2", "-n1")])
def test_a_test_that_is_interrupted_keeps_its_phases(
    pytester: pytest.Pytester, arguments: tuple[str, ...]
) -> None:
    """As Ctrl-C in a terminal does, which all processes get: the phase in which it waited is open."""
    pytester.makepyfile(WAITS)
    command = [sys.executable, "-m", "pytest", *arguments]
    process = subprocess.Popen(
        command,
        cwd=pytester.path,
        start_new_session=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    pause = threading.Event()
    while not (pytester.path / "waits").exists() and process.poll() is None:
        pause.wait(0.05)
    os.killpg(process.pid, signal.SIGINT)
    assert process.wait(timeout=60) == pytest.ExitCode.INTERRUPTED
    (profile,) = _profiles(pytester)
    assert profile["outcome"] == "interrupted"
    assert [(phase["name"], phase["is_open"]) for phase in profile["phases"]] == [
        ("prepare", False),
        ("wait", True),
    ]


ODD_NUMBERS = """
import pytest
from fractions import Fraction

class Broken(float):
    def __float__(self):
        raise RuntimeError("no number")

def test_numbers(record_property):
    for name, value in (("i", 10**400), ("f", Fraction(10**400, 3)), ("b", Broken(1)), ("good", 2.5)):
        record_property(name, value)

@pytest.mark.xfail
def test_fails(record_property):
    record_property("good", 1)
    assert False

@pytest.mark.xfail
def test_passes(record_property):
    record_property("good", 1)
"""


def test_properties_that_are_no_finite_numbers_are_no_metrics(pytester: pytest.Pytester) -> None:
    """Nor do they end the session; and expected failures are called what they are."""
    pytester.makepyfile(ODD_NUMBERS)
    result = run_pytest(pytester, "--repro-timing")
    result.assert_outcomes(passed=1, xfailed=1, xpassed=1)
    told = [(profile["outcome"], profile["metrics"]) for profile in _profiles(pytester)]
    assert told == [
        ("passed", [{"name": "good", "value": 2.5}]),
        ("xfailed", [{"name": "good", "value": 1.0}]),
        ("xpassed", [{"name": "good", "value": 1.0}]),
    ]
