"""What recording costs: a phase, a wrapped torch call, an iteration. Prints times and ratios.

Run it as `python tests/benchmarks/timing_recorder.py`; torch is measured where it is installed. The ways to
do the same work take turns in short rounds, so that each meets the same machine. The least and the median of
the rounds are shown: what the least has too little of, the median shows.
"""

from __future__ import annotations

import importlib.util
import statistics
import sys
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import TYPE_CHECKING, Any

from pytest_repro.clock import monotonic_ns
from pytest_repro.stress.recorder import FlightRecorder
from pytest_repro.timing.recorder import KEEP, Recorder

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

ROUNDS = 200

Way = tuple["Callable[[], AbstractContextManager[object]]", "Callable[[], object]"]
"""What holds while a round lasts, and what is done in it again and again."""


def measured_ns(ways: Mapping[str, Way], *, calls: int, rounds: int = ROUNDS) -> dict[str, list[float]]:
    """Returns nanoseconds a call, one number for each round."""
    taken: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(rounds):
        for name, (around, act) in ways.items():
            with around():
                for _warm in range(10):
                    act()
                start_ns = monotonic_ns()
                for _call in range(calls):
                    act()
                taken[name].append((monotonic_ns() - start_ns) / calls)
    return taken


def table(title: str, ways: Mapping[str, Way], *, calls: int = KEEP // 2, rounds: int = ROUNDS) -> None:
    """Prints a line for each way; the first is what the others are compared with."""
    sys.stdout.write(f"{title:<54}{'least':>9}{'more':>9}{'median':>9}{'more':>9}{'ratio':>8}\n")
    taken = measured_ns(ways, calls=calls, rounds=rounds)
    base = next(iter(taken.values()))
    least_base, median_base = min(base), statistics.median(base)
    for name, each in taken.items():
        least, median = min(each), statistics.median(each)
        sys.stdout.write(
            f"  {name:<52}{least:>6.0f} ns{least - least_base:>+6.0f} ns{median:>6.0f} ns"
            f"{median - median_base:>+6.0f} ns{median / median_base:>6.1f} x\n"
        )


@contextmanager
def recording(recorder: Recorder) -> Iterator[None]:
    """One iteration of a test."""
    recorder.begin()
    yield
    recorder.finish()


def phases() -> None:
    """Phases by hand, against a `with` block that does nothing."""
    recorder, told, empty = Recorder(), Recorder(), nullcontext()
    told.note_phases(FlightRecorder(None))

    def bare() -> None:
        with empty:
            pass

    def phase() -> None:
        with recorder.phase("x"):
            pass

    def told_phase() -> None:
        with told.phase("x"):
            pass

    def iteration() -> None:
        recorder.begin()
        recorder.finish()

    table(
        "a phase",
        {
            "empty with block": (nullcontext, bare),
            "phase outside of an iteration": (nullcontext, phase),
            "phase in an iteration": (lambda: recording(recorder), phase),
            "phase told to the flight recorder": (lambda: recording(told), told_phase),
            "begin and finish of an empty iteration": (nullcontext, iteration),
        },
    )
    table(
        f"a phase of 50,000 in an iteration, most merged (over {KEEP})",
        {
            "empty with block": (nullcontext, bare),
            "phase in an iteration": (lambda: recording(recorder), phase),
            "phase told to the flight recorder": (lambda: recording(told), told_phase),
        },
        calls=50_000,
        rounds=5,
    )


def torch_calls() -> None:
    """torch.add of four numbers on the CPU, and calls that move them, bare and recorded."""
    import torch
    from pyinstrument import Profiler

    from pytest_repro.timing.backends.torch import TorchBackend

    torch.set_num_threads(1)
    x: Any = torch.ones(4)

    def add() -> None:
        torch.add(x, x)

    def named() -> None:
        with torch.profiler.record_function("add"):
            torch.add(x, x)

    class Passing(torch.overrides.TorchFunctionMode):  # type: ignore[misc, no-any-unimported, unused-ignore]
        """Does nothing: the least that being shown torch's calls by torch itself can cost."""

        def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            return func(*args, **(kwargs or {}))

    @contextmanager
    def attached(*, iteration: bool = True, told: bool = False) -> Iterator[None]:
        recorder, backend = Recorder(), TorchBackend()
        if told:
            recorder.note_phases(FlightRecorder(None))
        backend.attach(recorder)
        with recording(recorder) if iteration else nullcontext():
            yield
        backend.detach()

    table(
        "a torch call",
        {
            "torch.add": (nullcontext, add),
            "in an empty TorchFunctionMode": (Passing, add),
            "attached, outside of an iteration": (lambda: attached(iteration=False), add),
            "recorded": (attached, add),
            "recorded and told to the flight recorder": (lambda: attached(told=True), add),
            "in torch.profiler.record_function, no profiler on": (nullcontext, named),
            "under pyinstrument.Profiler": (Profiler, add),
            "detached again": (nullcontext, add),
        },
    )
    other: Any = torch.zeros(4)
    scalar: Any = torch.ones(())
    for name, call in {
        "scalar.item()": scalar.item,
        "x.numpy()": x.numpy,
        "x.cpu()": x.cpu,
        "x.to('cpu')": lambda: x.to("cpu"),
        "x.to(torch.float64)": lambda: x.to(torch.float64),
        "torch.tensor([1.0])": lambda: torch.tensor([1.0]),
        "other.copy_(x)": lambda: other.copy_(x),
    }.items():
        table("a read-back or transfer", {name: (nullcontext, call), "recorded": (attached, call)})
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU]):
        table(
            "the same while torch.profiler records",
            {"torch.add": (nullcontext, add), "in torch.profiler.record_function": (nullcontext, named)},
            rounds=20,
        )


if __name__ == "__main__":
    phases()
    if importlib.util.find_spec("torch") is not None:
        torch_calls()
