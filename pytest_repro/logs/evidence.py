"""What one test session has printed, gathered line by line before anything is concluded from it."""

from __future__ import annotations

from dataclasses import dataclass, field

from pytest_repro.logs.records import Found, Runner, Variable
from pytest_repro.logs.times import Span
from pytest_repro.model import Frame, Outcome, Stage

LONGEST_BLOCK_LINES = 4000


@dataclass(slots=True, kw_only=True)
class Block:
    """One failure's text below its header.

    Attributes:
        line: 1-based line of the header.
        name: Name in the header, without `ERROR at setup of` and the like.
        stage: What the header says about the stage; None where it says nothing.
        is_error: Whether it is an error rather than a failure.
        lines: Its text; what is beyond `LONGEST_BLOCK_LINES` is dropped.
        worker: xdist's worker id.
        runner: Which test runner printed it.
        is_named_below: Whether the name follows the text, as trial prints it.
        example: Where Hypothesis's example begins: 0-based in `lines`, and 1-based in the log.
    """

    line: int
    name: str
    stage: Stage | None = None
    is_error: bool = False
    lines: list[str] = field(default_factory=list)
    worker: str | None = None
    runner: Runner = Runner.PYTEST
    is_named_below: bool = False
    example: tuple[int, int] | None = None

    def add(self, text: str) -> None:
        """Appends a line of text, as long as there is room."""
        if len(self.lines) < LONGEST_BLOCK_LINES:
            self.lines.append(text)


@dataclass(slots=True, kw_only=True)
class Mention:
    """A node id that a line names as failing.

    Attributes:
        nodeid: As printed.
        line: 1-based line.
        is_error: Whether the line says ERROR rather than FAILED.
        message: Text behind ` - `, only in the short summary.
        worker: xdist's worker id.
        subtest: How a failing subtest is described, None where the test itself is named.
        place: Where an annotation says that the failure is.
    """

    nodeid: str
    line: int
    is_error: bool = False
    message: str | None = None
    worker: str | None = None
    subtest: str | None = None
    place: Frame | None = None


@dataclass(slots=True, kw_only=True)
class Accident:
    """A test that did not end by itself: a crash, a hang or a timeout of the process.

    Attributes:
        line: 1-based line that tells of it.
        outcome: Crash, hang or timeout.
        nodeid: The test in flight, None where it is not known.
        message: What was printed about it.
        exception: Name of an exception that was printed about it.
        place: Frame that was printed about it.
        worker: xdist's worker id.
        stack: Frames of a dump, the most recent first.
    """

    line: int
    outcome: Outcome
    nodeid: str | None = None
    message: str | None = None
    exception: str | None = None
    place: Frame | None = None
    worker: str | None = None
    stack: list[Frame] = field(default_factory=list)


@dataclass(slots=True, kw_only=True)
class Evidence:
    """All that one session has printed and that matters here; sized by its failures, not by its tests."""

    line: int
    command: Found | None = None
    unittest_call: Found | None = None
    job: Found | None = None
    step: Found | None = None
    variables: tuple[Variable, ...] = ()
    directory: Found | None = None
    job_span: Span = field(default_factory=Span)
    step_span: Span = field(default_factory=Span)
    python: Found | None = None
    pytest: Found | None = None
    platform: Found | None = None
    rootdir: Found | None = None
    plugins: Found | None = None
    timeout: Found | None = None
    summary: Found | None = None
    verbose: list[Mention] = field(default_factory=list)
    short_summary: list[Mention] = field(default_factory=list)
    loose: list[Mention] = field(default_factory=list)
    blocks: list[Block] = field(default_factory=list)
    file_letters: dict[str, tuple[str, int]] = field(default_factory=dict)
    unnamed_letters: str = ""
    line_errors: list[tuple[Frame, str]] = field(default_factory=list)
    annotations: list[Mention] = field(default_factory=list)
    unittest_lines: list[Mention] = field(default_factory=list)
    headless: Block | None = None
    accidents: list[Accident] = field(default_factory=list)
    in_flight: Found | None = None
    in_flight_file: Found | None = None
    file_is_open: bool = False
    last_test: Found | None = None
    workers_seen: bool = False
    passed_again: set[str] = field(default_factory=set)
    nothing_collected: bool = False
    usage_error: bool = False
    interrupted: Found | None = None
    is_titled: bool = False
    ends_framed: bool = False
    is_over: bool = False

    def add_letters(self, file: str, letters: str, number: int, *, is_open: bool = False) -> None:
        """Takes the progress letters of a file, which is in flight from then on.

        Args:
            file: As printed.
            letters: One for each test that has ended.
            number: 1-based line.
            is_open: Whether something else follows on the line, and so a test of the file was running.
        """
        self.file_is_open = is_open
        self.in_flight_file = Found(value=file, line=number)
        if letters:
            earlier = self.file_letters.get(file, ("", number))[0]
            self.file_letters[file] = (earlier + letters, number)

    @property
    def is_within_a_file(self) -> bool:
        """Whether tests of a file ran when last something was said; without `-v` no more is known."""
        return self.is_titled and self.file_is_open and self.summary is None and not self.workers_seen

    @property
    def lost_its_beginning(self) -> bool:
        """Whether the log shows its end alone: only sessions with a title frame their last line."""
        begins = self.is_titled or self.pytest or self.command or self.verbose or self.file_letters
        return self.ends_framed and not begins

    @property
    def is_of_unittest(self) -> bool:
        """Whether unittest or one of its relatives has run the tests."""
        runs_it = any(block.runner is Runner.UNITTEST for block in self.blocks)
        return (runs_it or bool(self.unittest_lines)) and self.pytest is None

    @property
    def is_bare(self) -> bool:
        """Whether nothing in it tells of a test."""
        return not (
            self.verbose
            or self.short_summary
            or self.loose
            or self.blocks
            or self.accidents
            or self.unittest_lines
            or self.annotations
            or self.file_letters
            or self.unnamed_letters
            or self.summary
            or self.pytest
            or self.last_test
            or self.usage_error
        )
