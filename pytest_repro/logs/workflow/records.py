"""What a workflow file says of one job: frozen records, each value with the place that it stands at."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A file, as people name it, and a 1-based line of it."""

    file: str
    line: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Text:
    """A text of the file with its expressions filled in.

    Attributes:
        text: The text; an expression that the file does not decide stands in it as it is written.
        place: Where it stands.
        unresolved: The expressions that the file does not decide.
        secrets: Names of the secrets among what they ask for.
    """

    text: str
    place: Place
    unresolved: tuple[str, ...] = ()
    secrets: tuple[str, ...] = ()

    @property
    def is_known(self) -> bool:
        """Whether the file says all of it."""
        return not self.unresolved


class Level(str, Enum):
    """Where a variable is set; a later member wins over an earlier one."""

    CONTAINER = "container"
    WORKFLOW = "workflow"
    JOB = "job"
    EARLIER_STEP = "earlier step"
    STEP = "step"
    SCRIPT = "script"


@dataclass(frozen=True, slots=True, kw_only=True)
class EnvValue:
    """A variable of the step that runs the tests.

    Attributes:
        name: Its name.
        value: Its value; for the levels of a script it is shell text.
        level: Where it is set.
    """

    name: str
    value: Text
    level: Level

    @property
    def is_shell(self) -> bool:
        """Whether the value is shell text that may name other variables."""
        return self.level in {Level.EARLIER_STEP, Level.SCRIPT}


@dataclass(frozen=True, slots=True, kw_only=True)
class Detail:
    """A setting of the job, by the words that the file has for it."""

    label: str
    value: Text


@dataclass(frozen=True, slots=True, kw_only=True)
class StepFacts:
    """A step before the tests.

    Attributes:
        title: Its name, or what GitHub shows in place of one.
        action: What it uses, None for a script.
        details: What it gives to the action.
        script: The lines that it runs.
        condition: Its `if:`, where the file does not decide it.
    """

    title: Text
    action: Text | None = None
    details: tuple[Detail, ...] = ()
    script: tuple[Text, ...] = ()
    condition: Text | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkflowFacts:
    """What a workflow says of the job that ran the tests.

    Attributes:
        file: The workflow file, as people name it.
        job: The job as GitHub shows it; the names of its callers stand before it.
        job_id: Its key in the file.
        combination: Values of its matrix.
        step: The step that runs the tests.
        command: Its call of pytest or of unittest.
        other_commands: Further such calls of the step.
        called: Scripts and tools that the step calls.
        looked_into: What was found in these, as far as they lie in the checkout.
        env: Variables of that step, each name once.
        working_directory: Where it runs.
        shell: What runs it.
        timeouts: `timeout-minutes` of step and job.
        python: Version of Python, as a step before the tests asks for it.
        machine: What it runs on: runner labels, container, services.
        steps_before: Steps before it, without those that the file itself leaves out.
        unread: Actions and workflows of other repositories.
        assumed: Inputs that were taken at their default.
        condition: The `if:` of the job or of the step, where the file does not decide it.
        notes: What GitHub reads in another way than it looks.
    """

    file: str
    job: Text
    job_id: str
    combination: tuple[Detail, ...] = ()
    step: Text | None = None
    command: Text | None = None
    other_commands: tuple[Text, ...] = ()
    called: tuple[Text, ...] = ()
    looked_into: tuple[Text, ...] = ()
    env: tuple[EnvValue, ...] = ()
    working_directory: Text | None = None
    shell: Text | None = None
    timeouts: tuple[Detail, ...] = ()
    python: Text | None = None
    machine: tuple[Detail, ...] = ()
    steps_before: tuple[StepFacts, ...] = ()
    unread: tuple[Text, ...] = ()
    assumed: tuple[Detail, ...] = ()
    conditions: tuple[Text, ...] = ()
    notes: tuple[Text, ...] = ()

    @property
    def secrets(self) -> tuple[str, ...]:
        """Names of the secrets that the job's variables ask for, each once."""
        named = (name for variable in self.env for name in variable.value.secrets)
        return tuple(dict.fromkeys(named))
