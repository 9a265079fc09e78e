"""How near fenced phases are to what a device did, in real time. Prints errors in per cent.

Run it as `python tests/benchmarks/timing_fences.py`. The simulated device has a real queue and a real thread,
which notes when each piece of work began and was done; that is the truth here. `timers` are what
`time.perf_counter()` around each call shows without fences: queued work is charged to whoever reads back.
The target is 2 per cent for fenced phases.
"""

from __future__ import annotations

import sys
from statistics import median
from typing import TYPE_CHECKING, NamedTuple

from pytest_repro.timing.recorder import Recorder
from pytest_repro.timing.simulated import SimulatedBackend, SimulatedDevice

if TYPE_CHECKING:
    from pytest_repro.model import Phase
    from pytest_repro.timing.simulated import SimulatedWork

MS = 1_000_000
ROUNDS = 7
DEPTHS = (1, 4, 16)
SIZES_BYTES = (1_000_000, 10_000_000, 100_000_000)
OPERATIONS_NS = (1 * MS, 10 * MS, 50 * MS)


class Errors(NamedTuple):
    """By which part of the truth the phases of one round are wrong, each the worst of the round."""

    fenced: float
    timers: float


def measure(depth: int, size_bytes: int, duration_ns: int) -> Errors:
    """Runs a transfer, some operations in the queue and a read-back, once."""
    recorder, backend = Recorder(), SimulatedBackend()
    backend.attach(recorder)
    recorder.begin()
    try:
        with SimulatedDevice(bandwidth_bytes_per_s=2 * 10**9) as device:
            x = device.to_device(size_bytes)
            for _ in range(depth):
                x = device.operation("matmul", x, duration_ns=duration_ns)
            device.to_torch(x)
    finally:
        backend.detach()
    pairs = list(zip(recorder.finish()[0], device.work, strict=True))
    return Errors(
        fenced=max(_error(phase.duration_ns, work) for phase, work in pairs),
        timers=max(_error(phase.unfenced_ns, work) for phase, work in pairs if _is_read(phase)),
    )


def _is_read(phase: Phase) -> bool:
    return phase.name == "to_torch"


def _error(duration_ns: int, work: SimulatedWork) -> float:
    return abs(duration_ns / (work.end_ns - work.start_ns) - 1)


def main() -> None:
    """Prints the grid."""
    sys.stdout.write(
        f"{'queue':>6}{'transfer':>10}{'operation':>11}{'fenced':>12}{'of rounds':>18}{'timers':>14}\n"
    )
    for depth in DEPTHS:
        for size_bytes in SIZES_BYTES:
            for duration_ns in OPERATIONS_NS:
                rounds = [measure(depth, size_bytes, duration_ns) for _ in range(ROUNDS)]
                fenced = sorted(100 * errors.fenced for errors in rounds)
                timers = 100 * median(errors.timers for errors in rounds)
                sys.stdout.write(
                    f"{depth:>6}{size_bytes // 10**6:>7} MB{duration_ns // MS:>8} ms{median(fenced):>10.2f} %"
                    f"{fenced[0]:>8.2f} to {fenced[-1]:.2f}{timers:>12.0f} %\n"
                )


if __name__ == "__main__":
    main()
