"""Frozen records and enums: the language of everything else."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from hashlib import sha256
from typing import TypeAlias

EXIT_INTERRUPTED = 2
EXIT_USAGE = 4
EXIT_NOTHING_COLLECTED = 5
"""pytest's own exit statuses."""

EXIT_INCOMPLETE = 6
"""Exit status beside pytest's own: fewer valid iterations or runs than asked."""


class Outcome(str, Enum):
    """How one execution of one test ended."""

    PASSED = "passed"
    FAILED = "failed"
    ERROR = "error"
    SKIPPED = "skipped"
    XFAILED = "xfailed"
    XPASSED = "xpassed"
    CRASH = "crash"
    HANG = "hang"
    TIMEOUT = "timeout"
    INTERRUPTED = "interrupted"
    """It did not end: Ctrl-C or `pytest.exit` ended the session; only of what was timed."""

    @property
    def is_failure(self) -> bool:
        """Whether the execution counts against the test."""
        return self in _FAILURES

    @property
    def is_death(self) -> bool:
        """Whether the execution ended with its process."""
        return self in _DEATHS

    @property
    def is_executed(self) -> bool:
        """Whether the test was really run: a skip is no execution."""
        return self is not Outcome.SKIPPED


_DEATHS = frozenset({Outcome.CRASH, Outcome.HANG, Outcome.TIMEOUT})
_FAILURES = _DEATHS | {Outcome.FAILED, Outcome.ERROR}


class Stage(str, Enum):
    """pytest's own parts of a test's execution."""

    COLLECT = "collect"
    SETUP = "setup"
    CALL = "call"
    TEARDOWN = "teardown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """One line of a traceback.

    Attributes:
        file: Path as it was reported.
        line: 1-based line number, or None where the text does not show it.
        function: Name of the function, or None where the text does not show it.
        statement: The statement that was running, on one line, or None where its source is not known.
    """

    file: str
    line: int | None = None
    function: str | None = None
    statement: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Signature:
    """What makes two failures the same failure; made by `pytest_repro.signature`.

    Attributes:
        exception: Qualified name of the exception, or None where none is known (a crash, a hang).
        message: First line of the message, with what changes from run to run taken out.
        file: Where it was raised, relative to the project or the library, with forward slashes.
        function: Function in which it was raised, or None where unknown.
        statement: Source of the statement that raised it, on one line, or None where unknown.
    """

    exception: str | None
    message: str
    file: str | None = None
    function: str | None = None
    statement: str | None = None

    @property
    def key(self) -> str:
        """Twelve hexadecimal digits that name this signature in options and files."""
        place = (self.file, self.function, self.statement)
        parts = (self.exception or "", self.message, *(part or "" for part in place))
        return sha256("\0".join(parts).encode("utf-8", "surrogatepass")).hexdigest()[:12]

    @property
    def title(self) -> str:
        """One line that a person recognises the failure by."""
        name = (self.exception or "").rpartition(".")[2]
        what = ": ".join(part for part in (name, self.message) if part) or "no message"
        return f"{what} ({self.where})" if self.where else what

    @property
    def where(self) -> str:
        """File and function, as far as they are known."""
        return " in ".join(part for part in (self.file, self.function) if part)


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """One failing iteration of one test.

    Attributes:
        test: Node id.
        iteration: 1-based.
        outcome: One of the failing outcomes.
        stage: Where it failed.
        signature: What it has in common with other failures.
        message: First line of its message as it was, numbers and all.
        seed: Seed that the iteration started from, None where nothing was reseeded.
        worker: xdist's worker id, or `main` without workers.
        elapsed_ns: Time since the stress run began.
        text: Full traceback and captured output, only for failures worth showing.
        hash_seed: `PYTHONHASHSEED` of its process, None where it was not set by a number.
        is_match: Whether it is one that the session looks for; None where it looks for none in particular.
    """

    test: str
    iteration: int
    outcome: Outcome
    stage: Stage
    signature: Signature
    message: str
    seed: int | None
    worker: str
    elapsed_ns: int
    text: str | None = None
    hash_seed: int | None = None
    is_match: bool | None = None

    @property
    def counts(self) -> bool:
        """Whether it counts for what ends a test or the session."""
        return self.is_match is not False


@dataclass(frozen=True, slots=True, kw_only=True)
class Transfer:
    """What was moved between host and device, or what an operation worked on.

    Attributes:
        size_bytes: Bytes of payload as stored, padding included; 0 where the same memory was handed on.
        shape: Logical shape.
        dtype: Name as the library prints it, such as `bfloat16`.
        layout: Name of the memory layout, where the library has one.
    """

    size_bytes: int
    shape: tuple[int, ...]
    dtype: str
    layout: str | None = None


Peaks: TypeAlias = tuple[tuple[str, int], ...]
"""Places of memory, `process` or a device, each with the most bytes that were in use there so far."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Phase:
    """A named timed span inside a test, or many of the same name and operation merged into one.

    Attributes:
        name: `to_device`, `op`, `to_torch`, or the user's own.
        operation: Name of the library call, None for a phase made by hand.
        start_ns: Monotonic clock at its start, at the first one's start if merged.
        call_ns: Time until the call returned; of a phase around others, without the fences inside it.
        wait_ns: Time that fences then waited for the device, inside it and at its end; 0 without fences.
        hidden_ns: Earlier device work that this call would have waited for, had there been no fences.
        fenced: Whether both edges were fenced.
        cold: Whether this was the first call of this operation in the process.
        within: Names of the phases around it in the same thread, outermost first.
        thread: 0 for the thread that began the iteration, then 1, 2, ... by first phase.
        calls: How many calls were merged into it; times and `size_bytes` are then sums.
        transfer: What was moved, for transfers; the largest one's shape and dtype if merged.
        is_open: True if the test ended, raised or died inside it.
        on_host: Whether a library call did its work on the host alone, such as torch on the CPU.
        stage: In which it began: fixtures work in setup and teardown, those of wider scope for many tests.
        operand: Largest tensor that an operation worked on; told for its longest call in an iteration.
        peaks: Most memory in use from the start of the process until the phase ended; of long ones only.
    """

    name: str
    operation: str | None = None
    start_ns: int
    call_ns: int
    wait_ns: int = 0
    hidden_ns: int = 0
    fenced: bool = False
    cold: bool = False
    within: tuple[str, ...] = ()
    thread: int = 0
    calls: int = 1
    transfer: Transfer | None = None
    is_open: bool = False
    on_host: bool = False
    stage: Stage = Stage.CALL
    operand: Transfer | None = None
    peaks: Peaks = ()

    @property
    def depth(self) -> int:
        """Number of phases around it; only those of depth 0 add up to a total."""
        return len(self.within)

    @property
    def duration_ns(self) -> int:
        """Time that the work took, device included."""
        return self.call_ns + self.wait_ns

    @property
    def unfenced_ns(self) -> int:
        """Time that a timer around the bare call would have shown."""
        return self.call_ns + self.hidden_ns


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """A number that a test reports about itself, such as `samples_per_s`."""

    name: str
    value: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """All that was timed in one iteration of one test.

    Attributes:
        test: Node id.
        iteration: 1-based.
        worker: xdist's worker id, or `main`.
        outcome: How the iteration ended.
        contended: Why the times are not to be compared (`-n 2`, a profiler), empty if they are.
        phases: In the order in which they began.
        metrics: In the order in which they were given.
    """

    test: str
    iteration: int
    worker: str
    outcome: Outcome
    contended: str = ""
    phases: tuple[Phase, ...] = ()
    metrics: tuple[Metric, ...] = field(default=())
