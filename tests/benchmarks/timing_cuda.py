"""Fenced phases of torch on CUDA against CUDA events: what they attribute to each call, and what that costs.

Run it as `python tests/benchmarks/timing_cuda.py`. It times matrix products and copies in both directions
one by one, first by a pair of CUDA events around each call, then by the harness, and prints for each the
median of both, the difference in per cent, and the host's time for the loop of all calls with and without
the harness. Without CUDA it says so and ends with status 0.
"""

from __future__ import annotations

import importlib.util
import sys
from functools import partial
from statistics import median
from typing import TYPE_CHECKING, Any, NamedTuple

from pytest_repro.clock import monotonic_ns
from pytest_repro.timing.recorder import Recorder

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

CALLS = 30
WARM_UP = 5
SIZES = (256, 1024, 4096, 8192)
DTYPES = ("float32", "bfloat16", "float16")
COPIES_BYTES = (4_096, 1_048_576, 9_270_000, 268_435_456)


class Case(NamedTuple):
    """One kind of call.

    Attributes:
        name: What the table calls it.
        phase: Name of the phase that it must become.
        act: Makes one call.
    """

    name: str
    phase: str
    act: Callable[[], object]


class Result(NamedTuple):
    """What was measured of one case.

    Attributes:
        name: Of the case.
        events_ns: Median by CUDA events.
        phase_ns: Median of the phases' durations.
        bare_ns: Host's time for a call, without the harness, all calls queued and then waited for.
        timed_ns: The same with the harness.
        problem: Why the phases are not those that were expected; empty if they are.
    """

    name: str
    events_ns: float
    phase_ns: float
    bare_ns: float
    timed_ns: float
    problem: str = ""


def error_percent(result: Result) -> float:
    """Returns how far the phase is from the events, in per cent of these."""
    return 100 * (result.phase_ns - result.events_ns) / result.events_ns


def table(results: Sequence[Result]) -> list[str]:
    """Returns the table, the largest error last."""
    lines = [
        f"{'call':<38}{'events':>11}{'phase':>11}{'error':>9}{'bare':>11}{'timed':>11}{'overhead':>10}",
    ]
    for result in results:
        lines.append(
            f"{result.name:<38}{result.events_ns / 1000:>8.1f} us{result.phase_ns / 1000:>8.1f} us"
            f"{error_percent(result):>+7.1f} %{result.bare_ns / 1000:>8.1f} us"
            f"{result.timed_ns / 1000:>8.1f} us{result.timed_ns / result.bare_ns:>8.2f} x"
        )
        if result.problem:
            lines.append(f"  {result.problem}")
    if results:
        worst = max(results, key=lambda result: abs(error_percent(result)))
        lines.append(f"largest attribution error: {error_percent(worst):+.1f} % ({worst.name})")
    return lines


def cases(torch: Any) -> Iterator[Case]:
    """Yields matrix products, then copies to the device and back, from pinned memory and other."""
    for name in DTYPES:
        for size in SIZES:
            x = torch.randn(size, size, device="cuda", dtype=getattr(torch, name))
            yield Case(f"matmul {name} {size} x {size}", "op", partial(torch.matmul, x, x))
    for size_bytes in COPIES_BYTES:
        for is_pinned in (False, True):
            host = torch.empty(size_bytes, dtype=torch.uint8, pin_memory=is_pinned).fill_(1)
            device = torch.empty(size_bytes, dtype=torch.uint8, device="cuda").fill_(1)
            kind = f"{size_bytes:,} B {'pinned' if is_pinned else 'pageable'}"
            to_device = partial(device.copy_, host, non_blocking=is_pinned)
            to_host = partial(host.copy_, device, non_blocking=is_pinned)
            yield Case(f"to device, {kind}", "to_device", to_device)
            yield Case(f"to host, {kind}", "to_torch", to_host)


def by_events(torch: Any, act: Callable[[], object]) -> float:
    """Returns the median of a call's time on the device, in nanoseconds."""
    times_ns: list[float] = []
    for _ in range(CALLS):
        begin, end = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
        torch.cuda.synchronize()
        begin.record()
        act()
        end.record()
        torch.cuda.synchronize()
        times_ns.append(begin.elapsed_time(end) * 1_000_000)
    return median(times_ns)


def loop_ns(torch: Any, act: Callable[[], object]) -> float:
    """Returns the host's time for a call in a loop that waits at its end, in nanoseconds."""
    torch.cuda.synchronize()
    start_ns = monotonic_ns()
    for _ in range(CALLS):
        act()
    torch.cuda.synchronize()
    return (monotonic_ns() - start_ns) / CALLS


def measure(torch: Any, case: Case) -> Result:
    """Times one case in all four ways."""
    from pytest_repro.timing.backends.torch import TorchBackend

    for _ in range(WARM_UP):
        case.act()
    events_ns, bare_ns = by_events(torch, case.act), loop_ns(torch, case.act)
    recorder, backend = Recorder(), TorchBackend()
    backend.attach(recorder)
    recorder.begin()
    try:
        timed_ns = loop_ns(torch, case.act)
    finally:
        phases = [phase for phase in recorder.finish()[0] if phase.name != "synchronize"]
        backend.detach()
    expected = [phase for phase in phases if phase.name == case.phase and phase.fenced]
    problem = (
        ""
        if len(expected) == len(phases) == CALLS
        else f"of {len(phases)} phases {len(expected)} are as expected"
    )
    durations_ns = [phase.duration_ns for phase in expected] or [0]
    return Result(case.name, events_ns, median(durations_ns), bare_ns, timed_ns, problem)


def reason_against() -> str:
    """Returns why nothing can be measured here, empty if it can."""
    if importlib.util.find_spec("torch") is None:
        return "torch is not installed"
    import torch

    return "" if torch.cuda.is_available() else f"torch {torch.__version__} finds no CUDA device"


def main() -> int:
    """Prints the table. Returns 1 if phases were not those expected, else 0."""
    reason = reason_against()
    if reason:
        sys.stdout.write(f"Nothing was measured: {reason}. This benchmark needs torch with CUDA and a GPU.\n")
        return 0
    import torch

    sys.stdout.write(f"{torch.cuda.get_device_name()}, torch {torch.__version__}, {CALLS} calls each\n")
    results = [measure(torch, case) for case in cases(torch)]
    sys.stdout.write("\n".join(table(results)) + "\n")
    return int(any(result.problem for result in results))


if __name__ == "__main__":
    sys.exit(main())
