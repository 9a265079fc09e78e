"""What recording costs: a phase, a wrapped torch call, an iteration. Prints times and ratios.

Run it as `python tests/benchmarks/timing_recorder.py`; torch is measured where it is installed.
"""

from __future__ import annotations

import importlib.util
import sys
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

from pytest_repro.clock import monotonic_ns
from pytest_repro.stress.recorder import FlightRecorder
from pytest_repro.timing.recorder import KEEP, Recorder

if TYPE_CHECKING:
    from collections.abc import Callable

ROUNDS = 15


def best_ns(act: Callable[[], object], calls: int, recorder: Recorder | None = None) -> float:
    """Returns nanoseconds a call, best of several rounds: the others measured other work of the machine."""
    best = float("inf")
    for _ in range(ROUNDS):
        if recorder is not None:
            recorder.begin()
        start_ns = monotonic_ns()
        for _ in range(calls):
            act()
        best = min(best, (monotonic_ns() - start_ns) / calls)
        if recorder is not None:
            recorder.finish()
    return best


def row(name: str, each_ns: float, bare_ns: float) -> None:
    """Prints one line of the table."""
    sys.stdout.write(
        f"{name:<46}{each_ns:>9.0f} ns{each_ns - bare_ns:>+9.0f} ns{each_ns / bare_ns:>8.1f} x\n"
    )


def phases() -> None:
    """Phases by hand, against a `with` block that does nothing."""
    recorder, empty = Recorder(), nullcontext()

    def bare() -> None:
        with empty:
            pass

    def phase() -> None:
        with recorder.phase("x"):
            pass

    def iteration() -> None:
        recorder.begin()
        recorder.finish()

    base = best_ns(bare, KEEP)
    row("empty with block", base, base)
    row("phase outside of an iteration", best_ns(phase, KEEP), base)
    row(f"phase, the first {KEEP} of an iteration", best_ns(phase, KEEP, recorder), base)
    row("phase, 100,000 in an iteration (merged)", best_ns(phase, 100_000, recorder), base)
    row("begin and finish of an empty iteration", best_ns(iteration, KEEP), base)
    recorder.note_phases(FlightRecorder(None))
    row("phase, told to the flight recorder", best_ns(phase, KEEP, recorder), base)
    row("phase, told to it, 100,000 in an iteration", best_ns(phase, 100_000, recorder), base)


def torch_calls() -> None:
    """torch.add of four numbers on the CPU, bare and recorded."""
    import torch

    from pytest_repro.timing.backends.torch import TorchBackend

    torch.set_num_threads(1)
    x: Any = torch.ones(4)
    recorder, backend = Recorder(), TorchBackend()

    def add() -> None:
        torch.add(x, x)

    def profiled() -> None:
        with torch.profiler.record_function("add"):
            torch.add(x, x)

    base = best_ns(add, KEEP)
    row("torch.add", base, base)
    row("torch.add in torch.profiler.record_function", best_ns(profiled, KEEP), base)
    backend.attach(recorder)
    row("torch.add, attached, outside of an iteration", best_ns(add, KEEP), base)
    row("torch.add, recorded", best_ns(add, KEEP, recorder), base)
    recorder.note_phases(FlightRecorder(None))
    row("torch.add, recorded, told to flight recorder", best_ns(add, KEEP, recorder), base)
    backend.detach()
    row("torch.add, detached again", best_ns(add, KEEP), base)


if __name__ == "__main__":
    sys.stdout.write(f"{'':<46}{'each':>12}{'more':>12}{'ratio':>10}\n")
    phases()
    if importlib.util.find_spec("torch") is not None:
        torch_calls()
