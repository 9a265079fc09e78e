"""Iterations that ended with their process: how it died or was ended, where, and what is known of it."""

from __future__ import annotations

import contextlib
import re
import signal
from dataclasses import dataclass
from pathlib import Path

from pytest_repro.model import Failure, Outcome, Signature, Stage
from pytest_repro.signature import HANG_MESSAGE, make_signature
from pytest_repro.stress.recorder import Activity, Position
from pytest_repro.stress.stacks import place_in, shown_stacks

LOST_CHANNEL = "the process has closed its channel to the controller"
"""Message of an iteration that leaves a worker without a way to tell anything."""

PRINTED_LIMIT = 20_000
"""Characters kept of what a process printed last."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Examination:
    """What was found out about a process before it was ended, for hanging or in the middle of a crash.

    Attributes:
        hung_ns: How long its iteration took by then, None for a crash.
        stacks: Python stacks, as faulthandler writes them, or why there are none.
        native: Native stacks, None where no tool is installed.
        triage: What the user's own command printed, None without one.
        code: The code of the signal that held it in a crash, None for a process that hung.
    """

    hung_ns: int | None
    stacks: str
    native: str | None = None
    triage: str | None = None
    code: int | None = None

    def ended_ns(self, position: Position) -> int | None:
        """Returns when a hanging iteration was given up, None for a crash; looking into it took more time.

        Args:
            position: Where the process was.
        """
        return None if self.hung_ns is None else position.began_ns + self.hung_ns


@dataclass(frozen=True, slots=True, kw_only=True)
class Death:
    """An iteration that ended with its process.

    Attributes:
        outcome: Crash or hang.
        message: What it says of itself, such as `the process died with SIGSEGV`.
        position: Where the process was.
        signature: What it has in common with others.
        text: All that is known.
    """

    outcome: Outcome
    message: str
    position: Position
    signature: Signature
    text: str

    @property
    def stage(self) -> Stage:
        """Where it happened."""
        return self.position.stage

    def failure(
        self, *, test: str, worker: str, seed: int | None, hash_seed: int | None, elapsed_ns: int
    ) -> Failure:
        """Returns it as a failing iteration; see `Failure` for what it is told."""
        return Failure(
            test=test,
            iteration=self.position.iteration,
            outcome=self.outcome,
            stage=self.stage,
            signature=self.signature,
            message=self.message,
            seed=seed,
            worker=worker,
            elapsed_ns=elapsed_ns,
            text=self.text,
            hash_seed=hash_seed,
        )


def describe_death(
    position: Position,
    *,
    code: int | None,
    root: str,
    stacks: str = "",
    printed: str = "",
    examination: Examination | None = None,
    ran_out_of_memory: bool = False,
    has_lost_channel: bool = False,
) -> Death:
    """Puts together what is known.

    Args:
        position: Where the process was when it ended.
        code: Its exit status, negative for a signal, None where unknown.
        root: The project's root.
        stacks: What faulthandler wrote last, maybe for a fork; used if they agree with the code.
        printed: What it printed last.
        examination: What was found before it was ended; None if it died by itself.
        ran_out_of_memory: Whether the system has killed a process for memory meanwhile.
        has_lost_channel: Whether it was ended because nobody could hear of it any more.
    """
    if examination is None or examination.hung_ns is None:
        outcome = Outcome.CRASH
        if examination is not None:
            # It was held in its crash, and then ended by another signal.
            code = examination.code or code
        if has_lost_channel or code not in (None, code_of_fatal_signal(stacks)):
            # A fork that native code has made died, or this process in another way than they tell.
            stacks = ""
        message = "the process died" + ("" if code is None else f" with {how_it_ended(code)}")
        message = LOST_CHANNEL if has_lost_channel else message
        if ran_out_of_memory and code == -signal.SIGKILL:
            message += " (out of memory)"
        frame = place_in(stacks)
        signature = make_signature(exception=None, message=message, frame=frame, root=root)
    else:
        outcome = Outcome.HANG
        message = f"hung for {examination.hung_ns / 1e9:.1f} s"
        stacks = examination.stacks
        frame = place_in(stacks, root=root)
        signature = make_signature(exception=None, message=HANG_MESSAGE, frame=frame, root=root)
    parts = [f"{message} {where_it_was(position)}"]
    if stacks.strip():
        parts.append(shown_stacks(stacks))
    if examination is not None and examination.native:
        parts.append(f"native stacks by {examination.native}")
    if examination is not None and examination.triage is not None:
        parts.append(f"--repro-triage:\n{examination.triage}")
    if printed.strip():
        parts.append(f"it printed:\n{printed.strip()[-PRINTED_LIMIT:]}")
    return Death(
        outcome=outcome, message=message, position=position, signature=signature, text="\n\n".join(parts)
    )


def where_it_was(position: Position) -> str:
    """Returns iteration, stage and phase in words."""
    stage = "the late teardown" if position.activity is Activity.CLOSING else position.stage.value
    phase = f", phase {position.phase}" if position.phase else ""
    return f"in iteration {position.iteration:,} ({stage}{phase})"


def how_it_ended(code: int) -> str:
    """Returns `SIGSEGV`, or `exit status 3`; the code of a signal is negative."""
    if code >= 0:
        return f"exit status {code}"
    try:
        return signal.Signals(-code).name
    except ValueError:
        return f"signal {-code}"


def code_of_fatal_signal(stacks: str) -> int | None:
    """Returns the code of the signal that faulthandler met when it wrote this, None where it met none."""
    for text, number in _FATAL_SIGNALS.items():
        if f"Fatal Python error: {text}" in stacks:
            return -int(number)
    return None


_FATAL_SIGNALS = {
    "Segmentation fault": signal.SIGSEGV,
    "Aborted": signal.SIGABRT,
    "Bus error": signal.SIGBUS,
    "Floating point exception": signal.SIGFPE,
    "Floating-point exception": signal.SIGFPE,
    "Illegal instruction": signal.SIGILL,
}


class OutOfMemoryKills:
    """Sees whether the system has killed a process for memory; on Linux, elsewhere it never has.

    Args:
        files: Which files count such kills, as `oom_kill N` in one line.
    """

    def __init__(self, files: tuple[Path, ...] | None = None) -> None:
        self._files = _counters() if files is None else files
        self._seen = self._count()

    def any_since(self) -> bool:
        """Tells whether there was one since the last question."""
        before, self._seen = self._seen, self._count()
        return self._seen > before

    def _count(self) -> int:
        return sum(_kills(path) for path in self._files)


_OOM_KILL = re.compile(r"^oom_kill (\d+)$", re.MULTILINE)


def _counters() -> tuple[Path, ...]:
    files = [Path("/proc/vmstat")]
    with contextlib.suppress(OSError):
        for line in Path("/proc/self/cgroup").read_text(encoding="utf-8").splitlines():
            number, controllers, path = line.split(":", 2)
            if number == "0" and not controllers:
                files.append(Path(f"/sys/fs/cgroup{path}/memory.events"))
            elif "memory" in controllers.split(","):
                files.append(Path(f"/sys/fs/cgroup/memory{path}/memory.oom_control"))
    return tuple(files)


def _kills(path: Path) -> int:
    try:
        found = _OOM_KILL.search(path.read_text(encoding="utf-8"))
    except OSError:
        return 0
    return int(found[1]) if found else 0
