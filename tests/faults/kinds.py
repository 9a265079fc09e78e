"""The faults: how often, in which stages, and what a tool that misses nothing must say of each."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

STAGES = ("setup", "call", "teardown")


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One way in which an iteration can go wrong.

    Attributes:
        name: In options and in the journal.
        share: Of all iterations, unless the density says otherwise.
        outcome: What the tool must call it.
        phrase: What its message must contain.
        function: Function that its stack must name; None where nothing is left that could tell it.
        stages: Where it can happen, one as likely as the other where a name stands once.
        is_deadly: Whether the process cannot go on.
    """

    name: str
    share: float
    outcome: str
    phrase: str
    function: str | None = None
    stages: tuple[str, ...] = ("setup", "call", "call", "call", "call", "teardown")
    is_deadly: bool = True


_ALL = (
    Fault(
        name="fail",
        share=0.02,
        outcome="failed",
        phrase="wanted to fail",
        stages=("call",),
        is_deadly=False,
    ),
    Fault(
        name="error",
        share=0.02,
        outcome="error",
        phrase="wanted an error",
        stages=("setup", "teardown"),
        is_deadly=False,
    ),
    Fault(name="skip", share=0.01, outcome="skipped", phrase="", stages=("setup", "call"), is_deadly=False),
    Fault(name="segv", share=0.008, outcome="crash", phrase="SIGSEGV", function="do_segv"),
    Fault(name="abort", share=0.008, outcome="crash", phrase="SIGABRT", function="do_abort"),
    Fault(name="exit0", share=0.008, outcome="crash", phrase="exit status 0"),
    Fault(name="exit3", share=0.008, outcome="crash", phrase="exit status 3"),
    Fault(name="kill", share=0.008, outcome="crash", phrase="SIGKILL"),
    Fault(name="term", share=0.008, outcome="crash", phrase="SIGTERM"),
    Fault(name="thread", share=0.008, outcome="crash", phrase="SIGSEGV", function="crash_in_thread"),
    Fault(name="spin", share=0.003, outcome="hang", phrase="hung for", function="do_spin"),
    Fault(name="sleep", share=0.003, outcome="hang", phrase="hung for", function="do_sleep"),
    Fault(name="gil", share=0.003, outcome="hang", phrase="hung for", function="do_gil"),
    Fault(name="native", share=0.003, outcome="hang", phrase="hung for", function="do_native"),
    Fault(name="deadlock", share=0.003, outcome="hang", phrase="hung for", function="do_deadlock"),
    Fault(name="stop", share=0.003, outcome="hang", phrase="hung for"),
)

FAULTS: Mapping[str, Fault] = {fault.name: fault for fault in _ALL}

GROUPS: Mapping[str, tuple[str, ...]] = {
    "all": tuple(FAULTS),
    "plain": tuple(fault.name for fault in _ALL if not fault.is_deadly),
    "crashes": tuple(fault.name for fault in _ALL if fault.outcome == "crash"),
    "hangs": tuple(fault.name for fault in _ALL if fault.outcome == "hang"),
}
"""Names that stand for several faults."""


def faults_named(text: str) -> list[Fault]:
    """Reads names of faults and of groups, with commas between them; a `-` before a name takes it out.

    Raises:
        ValueError: There is no such fault, or none is left.
    """
    names = [name.strip() for name in text.split(",")]
    chosen: dict[str, None] = {}
    if names[0].startswith("-"):
        names = ["all", *names]
    for name in names:
        bare = name.removeprefix("-")
        members = GROUPS.get(bare, (bare,))
        if bare not in FAULTS and bare not in GROUPS:
            raise ValueError(f"{bare!r} is none of {', '.join((*GROUPS, *FAULTS))}")
        for member in members:
            if name.startswith("-"):
                chosen.pop(member, None)
            else:
                chosen[member] = None
    if not chosen:
        raise ValueError(f"{text!r} leaves no fault")
    return [fault for fault in FAULTS.values() if fault.name in chosen]


def to_config(
    faults: Iterable[Fault], *, seed: str, density: float = 1.0, stages: Iterable[str] = STAGES
) -> dict[str, Any]:
    """Returns what `dying.draw_fate` reads.

    Args:
        faults: Those that may happen.
        seed: Of this session: any text.
        density: How many times as often as the shares say.
        stages: Deadly faults happen in these alone.

    Raises:
        ValueError: More iterations would go wrong than there are.
    """
    chosen, wanted = tuple(faults), tuple(stages)
    config = {
        fault.name: {
            "share": fault.share * density,
            "stages": [stage for stage in fault.stages if stage in wanted or not fault.is_deadly],
        }
        for fault in chosen
    }
    if sum(fault.share for fault in chosen) * density > 1:
        raise ValueError(f"a density of {density:g} makes more faults than iterations")
    return {"seed": seed, "faults": config}
