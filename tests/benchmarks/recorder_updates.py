"""What the flight recorder costs: nanoseconds of each update, and of all of an iteration together.

Run it as `python tests/benchmarks/recorder_updates.py`. An update should stay below a microsecond.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_repro.clock import monotonic_ns
from pytest_repro.model import Outcome, Phase
from pytest_repro.stress.loop import FLUSH_ITERATIONS
from pytest_repro.stress.recorder import FlightRecorder

if TYPE_CHECKING:
    from collections.abc import Callable

ROUNDS = 31


def best_ns(act: Callable[[int], object], recorder: FlightRecorder) -> float:
    """Returns nanoseconds a call, best of several rounds: the others measured other work of the machine."""
    best = float("inf")
    numbers = range(FLUSH_ITERATIONS)
    for _ in range(ROUNDS):
        recorder.sent()
        start_ns = monotonic_ns()
        for number in numbers:
            act(number)
        best = min(best, (monotonic_ns() - start_ns) / len(numbers))
    return best


def main() -> None:
    """Prints a row for each update, less what a call that does nothing takes."""
    with tempfile.TemporaryDirectory() as folder:
        recorder = FlightRecorder(Path(folder) / "position")
        begin, stage, finish = recorder.begin, recorder.stage, recorder.finish
        by_hand = Phase(name="x", start_ns=0, call_ns=1)
        matmul = Phase(name="op", operation="matmul", start_ns=0, call_ns=1, within=("x",))
        passed = Outcome.PASSED

        def phase(noted: Phase) -> None:
            recorder.leave_phase(recorder.enter_phase(noted, 0), noted, 0)

        def iteration(number: int) -> None:
            begin(number, number)
            stage("call", number)
            phase(by_hand)
            stage("teardown", number)
            finish(passed, number)

        updates: dict[str, Callable[[int], object]] = {
            "begin": lambda number: begin(number, number),
            "stage": lambda number: stage("call", number),
            "phase, its begin and its end": lambda _: phase(by_hand),
            "phase of a library's operation, both": lambda _: phase(matmul),
            "finish": lambda number: finish(passed, number),
            "an iteration: begin, 2 stages, a phase, finish": iteration,
        }
        bare = best_ns(lambda _: None, recorder)
        sys.stdout.write(f"{'':<50}{'more than a call that does nothing':>36}\n")
        for name, act in updates.items():
            sys.stdout.write(f"{name:<50}{best_ns(act, recorder) - bare:>33.0f} ns\n")


if __name__ == "__main__":
    main()
