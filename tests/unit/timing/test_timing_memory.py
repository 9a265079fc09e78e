"""Memory: high-water marks at the end of long phases."""

from __future__ import annotations

import subprocess
import sys

import pytest

from pytest_repro.model import Outcome, Phase, Profile
from pytest_repro.report.timing import breakdown_record
from pytest_repro.timing.attach import Harness
from pytest_repro.timing.formats import jsonl_record, profile_from_payload, profile_to_payload
from pytest_repro.timing.lines import table_lines
from pytest_repro.timing.memory import FROM_NS, PROCESS, Memory, process_peaks
from pytest_repro.timing.recorder import Recorder
from pytest_repro.timing.simulated import SimulatedClock
from pytest_repro.timing.tally import breakdowns

LARGE = 80_000_000

GROWS = f"""
from pytest_repro.timing.memory import process_peaks
before = process_peaks()["process"]
kept = b"x" * {LARGE}
grown = process_peaks()["process"]
del kept
assert process_peaks()["process"] >= 0.99 * grown, "it does not go down, but the system counts in steps"
print(grown - before)
"""

STARTED = """
import subprocess, sys
kept = b"x" * 300_000_000
script = "from pytest_repro.timing.memory import process_peaks; print(process_peaks()['process'])"
print(subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout)
"""


def run(script: str) -> int:
    return int(
        subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout
    )


@pytest.mark.skipif(sys.platform not in {"linux", "darwin"}, reason="no system here tells")
def test_the_process_tells_its_largest_size() -> None:
    """In bytes, and it does not go down again."""
    assert LARGE * 0.9 <= run(GROWS) <= LARGE * 1.5


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere the system has no other number")
def test_the_size_of_the_process_that_started_this_one_is_not_told() -> None:
    """getrusage(2) would tell that one."""
    assert run(STARTED) < 200_000_000


def test_only_long_phases_are_looked_at() -> None:
    """Reading would be most of a short one."""
    clock, looks = SimulatedClock(), iter(range(100, 900, 100))
    recorder = Recorder(clock)
    recorder.memory.add(lambda: {PROCESS: next(looks), "gpu:0": 7})
    recorder.begin()
    with recorder.phase("outer"):
        for duration_ns in (FROM_NS, FROM_NS - 1, FROM_NS):
            with recorder.phase("inner"):
                clock.advance(duration_ns)
    outer, *inner = recorder.finish()[0]
    assert [phase.peaks for phase in inner] == [
        ((PROCESS, 100), ("gpu:0", 7)),
        (),
        ((PROCESS, 200), ("gpu:0", 7)),
    ]
    assert outer.peaks == ((PROCESS, 300), ("gpu:0", 7))
    profile = Profile(test="t", iteration=1, worker="main", outcome=Outcome.PASSED, phases=(outer, *inner))
    assert profile_from_payload(profile_to_payload(profile)) == profile
    assert jsonl_record(profile)["phases"][0]["peak_bytes"] == {PROCESS: 300, "gpu:0": 7}


def test_what_cannot_tell_its_memory_fails_nothing() -> None:
    """The others are told."""

    def broken() -> dict[str, int]:
        raise RuntimeError("device lost")

    memory = Memory()
    memory.add(broken)
    memory.add(process_peaks)
    assert [place for place, _ in memory.peaks()] == [PROCESS]


class Told:
    """A backend that tells the memory of its device."""

    name = "told"

    def attach(self, recorder: Recorder) -> None:
        pass

    def detach(self) -> None:
        pass

    def peak_bytes(self) -> dict[str, int]:
        return {"told:0": 5}


def test_a_backend_tells_as_long_as_it_is_attached() -> None:
    """It is asked only for high-water marks."""
    harness = Harness(backends={"sys": Told})
    harness.start()
    assert harness.recorder.memory.peaks() == (("told:0", 5),)
    harness.stop()
    assert harness.recorder.memory.peaks() == ()


def test_merged_calls_keep_the_largest() -> None:
    """Of calls beyond those that are kept one by one."""
    clock, looks = SimulatedClock(), iter(range(1, 10_000))
    recorder = Recorder(clock, keep=1)
    recorder.memory.add(lambda: {PROCESS: next(looks)})
    recorder.begin()
    for _ in range(2000):
        with recorder.phase("step"):
            clock.advance(FROM_NS)
    phases, _ = recorder.finish()
    merged = next(phase for phase in phases if phase.calls > 1)
    assert merged.peaks == ((PROCESS, merged.calls + 1),)


def test_the_table_tells_where_the_most_was_in_use() -> None:
    """The phase by whose end it was reached first, for the process and for each device."""
    long = FROM_NS

    def phase(name: str, process: int, device: int, operation: str | None = None) -> Phase:
        peaks = ((PROCESS, process), ("cuda:0", device))
        return Phase(name=name, operation=operation, start_ns=0, call_ns=long, peaks=peaks)

    phases = (
        phase("to_device", 100, 1),
        phase("op", 400_000_000, 5, "torch.matmul"),
        phase("to_torch", 100, 5),
    )
    profile = Profile(test="t", iteration=1, worker="main", outcome=Outcome.PASSED, phases=phases)
    lines = "\n".join(table_lines([profile], width=200))
    assert "largest resident size so far: 400 MB, by the end of torch.matmul." in lines
    assert "most memory in use on cuda:0 so far: 5 B, by the end of torch.matmul." in lines
    (found,) = breakdowns([profile])
    assert breakdown_record(found)["peaks"][1] == {
        "place": "cuda:0",
        "size_bytes": 5,
        "phase": "torch.matmul",
    }


def test_a_peak_is_told_of_the_test_that_added_to_it() -> None:
    """It never goes down: tests that come later have not reached it."""

    def profile(test: str, worker: str, size_bytes: int) -> Profile:
        phase = Phase(name="op", start_ns=0, call_ns=FROM_NS, peaks=((PROCESS, size_bytes),))
        return Profile(test=test, iteration=1, worker=worker, outcome=Outcome.PASSED, phases=(phase,))

    found = breakdowns(
        [
            profile("a", "gw0", 1000),
            profile("b", "gw0", 1001),
            profile("c", "gw1", 900),
            profile("d", "gw0", 2000),
        ]
    )
    told = {breakdown.test: [peak.size_bytes for peak in breakdown.peaks] for breakdown in found}
    assert told == {"a": [1000], "b": [], "c": [900], "d": [2000]}
