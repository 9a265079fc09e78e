"""What sampling costs: the same work bare, under pyinstrument's Profiler, and under `--repro-profile`.

Run it as `python tests/benchmarks/profile_sampling.py`. The ways take turns, and the best of several rounds
counts: the others measured other work of the machine.
"""

from __future__ import annotations

import sys
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import TYPE_CHECKING

from pytest_repro.clock import monotonic_ns
from pytest_repro.timing.recorder import Recorder
from pytest_repro.timing.sampler import PhaseSampler, StatProfile

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ROUNDS = 7

Way = AbstractContextManager[Recorder]


def calls(_: Recorder) -> None:
    """Work that consists of calls: the worst case, as each is looked at."""
    for number in range(100_000):
        call_nothing(number)


def sums(_: Recorder) -> None:
    """Work with a call for each hundred additions."""
    for _number in range(10_000):
        sum(range(100))


def phases(recorder: Recorder) -> None:
    """Many short phases."""
    for _ in range(1000):
        with recorder.phase("short"):
            call_nothing(0)


def call_nothing(_: int) -> None:
    """Is called."""


@contextmanager
def profiled() -> Iterator[Recorder]:
    """Pyinstrument by hand, around it all."""
    from pyinstrument import Profiler

    with Profiler():
        yield Recorder()


@contextmanager
def recorded(recorder: Recorder, name: str | None = None) -> Iterator[Recorder]:
    """As under `--repro-timing`: all of it in one phase, or in those of the work itself."""
    recorder.begin()
    with nullcontext() if name is None else recorder.phase(name):
        yield recorder
    recorder.finish()


def compare(title: str, work: Callable[[Recorder], None], ways: dict[str, Callable[[], Way]]) -> None:
    """Prints the best time of each way, and its ratio to the first."""
    best_ns = dict.fromkeys(ways, sys.maxsize)
    for _ in range(ROUNDS):
        for name, way in ways.items():
            with way() as recorder:
                start_ns = monotonic_ns()
                work(recorder)
                best_ns[name] = min(best_ns[name], monotonic_ns() - start_ns)
    base_ns = next(iter(best_ns.values()))
    sys.stdout.write(f"{title}\n")
    for name, each_ns in best_ns.items():
        sys.stdout.write(f"  {name:<30}{each_ns / 1e6:>9.2f} ms{each_ns / base_ns:>8.2f} x\n")


def main() -> None:
    """Prints the tables."""
    sampler = PhaseSampler(monotonic_ns, harness=("/nowhere/",), instrument=StatProfile())
    watched = Recorder()
    watched.watch_phases(sampler)

    @contextmanager
    def sampled(name: str | None = None) -> Iterator[Recorder]:
        """As under `--repro-profile`."""
        sampler.begin()
        with recorded(watched, name):
            yield watched
        sampler.end()

    ways: dict[str, Callable[[], Way]] = {
        "bare": lambda: nullcontext(Recorder()),
        "pyinstrument.Profiler": profiled,
        "--repro-profile, in a phase": lambda: sampled("work"),
        "--repro-profile, outside of one": sampled,
    }
    compare("100,000 calls of an empty function", calls, ways)
    compare("10,000 calls of sum(range(100))", sums, ways)
    compare(
        "1,000 phases",
        phases,
        {"--repro-timing": lambda: recorded(Recorder()), "--repro-profile": sampled},
    )


if __name__ == "__main__":
    main()
