"""Facts for people, each with the line of the log or of the workflow file that says it."""

from __future__ import annotations

from dataclasses import dataclass

from pytest_repro.scaffold.render import Safe


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """A fact of the original failure, and the line that says it, if one line does.

    Attributes:
        label: What it is.
        value: The fact.
        line: 1-based line.
        file: The file that the line is of, None for the log.
    """

    label: Safe
    value: str
    line: int | None = None
    file: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Conflict:
    """What the log and the workflow say in different ways; the log's word counts.

    Attributes:
        label: What it is.
        log: What the log says.
        log_line: 1-based line of the log.
        workflow: What the workflow says.
        file: The workflow file.
        line: 1-based line of that file.
    """

    label: str
    log: str
    log_line: int
    workflow: str
    file: str
    line: int


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkflowPart:
    """What a workflow file says of the job.

    Attributes:
        facts: Job, step, command and the like.
        steps: Steps before the tests: title, and the lines that they run.
        unread: Actions and workflows that were not read.
        open: What only CI knows: conditions, parts of values.
        conflicts: What the log says in another way.
        looked_into: What was found in the scripts and tools that a step calls.
        in_plain_text: Variables whose value is there for all to read.
        job: The job, for one line on the terminal.
    """

    facts: tuple[Fact, ...] = ()
    steps: tuple[tuple[Fact, str], ...] = ()
    unread: tuple[Fact, ...] = ()
    open: tuple[Fact, ...] = ()
    conflicts: tuple[Conflict, ...] = ()
    looked_into: tuple[Fact, ...] = ()
    in_plain_text: frozenset[str] = frozenset()
    job: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Suite:
    """The test call of a workflow, run where no failing test is known.

    Attributes:
        module: What is called: `pytest` or `unittest`.
        folder: Working directory below the root of the source.
        words: Its arguments.
        to_be_set: What the call has besides, and the file does not say.
        left: What is left out for good, with the reason.
        limit_s: Seconds that it may take.
        command: The call as the workflow has it.
        line: 1-based line of it.
        file: The workflow file.
    """

    module: Safe
    folder: str
    words: tuple[str, ...]
    to_be_set: tuple[str, ...]
    left: tuple[Fact, ...]
    limit_s: int
    command: str
    line: int
    file: str
