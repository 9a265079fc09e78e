"""A workflow file, and perhaps what a log says, to the facts of the one job that ran the tests."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from pytest_repro.logs.workflow.choose import NamedBy, named_job, the_only
from pytest_repro.logs.workflow.document import Mapping, Scalar
from pytest_repro.logs.workflow.document import Sequence as ListNode
from pytest_repro.logs.workflow.jobs import MOST_VARIABLES, Job, jobs_of, variables_of, with_variables
from pytest_repro.logs.workflow.records import (
    Detail,
    EnvValue,
    Level,
    StepFacts,
    Text,
    WorkflowFacts,
)
from pytest_repro.logs.workflow.scope import WORKSPACE, Scope
from pytest_repro.logs.workflow.scripts import Call, docker_variables, split_prefix
from pytest_repro.logs.workflow.steps import Step, default_of, job_variables, steps_of
from pytest_repro.logs.workflow.told import with_told_values
from pytest_repro.logs.workflow.values import Number, Value, number_text, text_of

_PYTHON_VERSION = "python-version"
_WORD = re.compile(r"[\w./:\[\]=-]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class LogHints:
    """What a log says that helps to find its job in a workflow.

    Attributes:
        job: Name of the job.
        step: Name of the step.
        command: Command that ran the tests.
        commit: Commit that was checked out.
    """

    job: str | None = None
    step: str | None = None
    command: str | None = None
    commit: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Candidate:
    job: Job
    steps: tuple[Step, ...]

    @property
    def weight(self) -> int:
        """2 for a job that calls pytest or unittest, 1 for one that calls what may do so."""
        return 2 if any(step.is_test for step in self.steps) else int(any(one.may_test for one in self.steps))


def read_workflow(
    path: Path, *, shown: str, root: Path, job: str | None = None, hints: LogHints | None = None
) -> WorkflowFacts:
    """Reads what a workflow says of the job that ran the tests.

    Args:
        path: The workflow file.
        shown: The file as people name it.
        root: Root of its repository.
        job: Which job: its key, its name, or its name with the values of its matrix.
        hints: What the log says, None without a log.

    Raises:
        LogError: The file is no workflow of GitHub, or it is not clear which job is meant.
    """
    hints = hints or LogHints()
    known: dict[str, Value] = {"sha": hints.commit} if hints.commit and len(hints.commit) == 40 else {}
    candidate = _chosen(jobs_of(path, shown, root, known), shown, root, job, hints)
    return _facts(candidate, shown, hints)


def _chosen(jobs: list[Job], shown: str, root: Path, wanted: str | None, hints: LogHints) -> _Candidate:
    named_by = NamedBy.OPTION if wanted is not None else NamedBy.LOG
    name = wanted if wanted is not None else hints.job
    named = named_job(jobs, name, named_by=named_by, shown=shown) if name is not None else jobs
    if wanted is not None and hints.job is not None and len(named) > 1:
        named = _narrowed(named, hints.job)
    told = hints.job if hints.job is not None else wanted
    if told is not None:
        named = [with_told_values(one, " ".join(told.split())) for one in named]
    if len(named) == 1:
        return _Candidate(job=named[0], steps=steps_of(named[0], root))
    read = [_Candidate(job=one, steps=steps_of(one, root)) for one in named]
    heaviest = max((one.weight for one in read), default=0)
    testing = [one for one in read if one.weight == heaviest and heaviest]
    if hints.command is not None and len(testing) > 1:
        testing = _running(testing, hints.command) or testing
    if name is not None:
        fact = f"{name!r} names {len(named)} jobs of the workflow, {len(testing)} of which run tests"
    elif testing:
        fact = f"{len(testing)} jobs of the workflow run tests, and none is named"
    else:
        fact = f"None of the {len(named)} jobs of the workflow is seen to run tests"
    chosen = the_only([one.job for one in testing], among=named, fact=fact, shown=shown)
    return next(one for one in testing if one.job is chosen)


def _narrowed(named: list[Job], logged: str) -> list[Job]:
    """Of several jobs that an option names, those that the log's name fits too; all if it fits none."""
    found = [job for job in named if any(logged == "".join(p or "" for p in one) for one in job.names)]
    return found or named


def _running(candidates: list[_Candidate], command: str) -> list[_Candidate]:
    return [
        one
        for one in candidates
        if any(_same_command(text.text, command) for step in one.steps for text in step.script.commands)
    ]


def _same_command(one: str, other: str) -> bool:
    return one.split() == other.split()


def _alike(one: str, other: str) -> int:
    """Counts the words that two commands share, less those that only one has."""
    first, second = set(_WORD.findall(one)), set(_WORD.findall(other))
    return len(first & second) * 2 - len(first ^ second)


def _facts(candidate: _Candidate, shown: str, hints: LogHints) -> WorkflowFacts:
    job, steps = candidate.job, candidate.steps
    index = _test_step(steps, hints)
    step = steps[index] if index is not None else None
    before = steps[:index] if index is not None else steps
    prefix: tuple[EnvValue, ...] = ()
    calls: list[Call] = []
    if step is not None:
        calls = sorted(
            dict.fromkeys(step.script.calls),
            key=lambda one: -_alike(one.text.text, hints.command) if hints.command else 0,
        )
    commands = list(dict.fromkeys(call.text for call in calls))
    if commands:
        prefix, commands[0] = split_prefix(commands[0])
    scope = with_variables(job.scope, job_variables(job))
    python = _python((*before, *([step] if step else [])))
    return WorkflowFacts(
        file=shown,
        job=Text(text=job.name, place=job.place),
        job_id="/".join(job.ids),
        combination=_combination(job),
        step=step.title if step else None,
        command=commands[0] if commands else None,
        other_commands=tuple(commands[1:]),
        called=tuple(dict.fromkeys(step.script.called)) if step else (),
        looked_into=tuple(note for one in ([step] if step else steps) for note in one.looked_into),
        env=_env(job, scope, before, step, prefix),
        working_directory=_folder_of(calls[0] if calls else None, step.working_directory if step else None),
        shell=step.shell if step else default_of("shell", job, scope),
        timeouts=tuple(_timeouts(job, scope, step)),
        python=python,
        machine=tuple(_machine(job, scope, step)),
        steps_before=tuple(map(_step_facts, before)),
        unread=tuple(_unread(job, before, step)),
        assumed=job.assumed,
        conditions=(*job.conditions, *((step.condition,) if step and step.condition else ())),
        notes=(*_notes(job), *_unread_variables(job, step)),
    )


def _combination(job: Job) -> tuple[Detail, ...]:
    return tuple(
        Detail(label=key, value=Text(text=text, place=job.place))
        for key, value in job.combination.values.items()
        if (text := _shown_value(value)) is not None
    )


def _shown_value(value: Value) -> str | None:
    if isinstance(value, dict):
        parts = {key: _shown_value(one) for key, one in value.items()}
        return "{" + ", ".join(f"{key}: {one}" for key, one in parts.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(str(_shown_value(one)) for one in value) + "]"
    return text_of(value) if isinstance(value, (str, bool, Number)) or value is None else "…"


def _test_step(steps: Sequence[Step], hints: LogHints) -> int | None:
    """The step that runs the tests: the log's, else the first that calls pytest, else what may do so."""

    def weight(step: Step) -> tuple[int, int, int]:
        is_logged = hints.step is not None and _is_named(step, hints.step)
        alike = max(
            (_alike(one.text, hints.command) for one in step.script.commands) if hints.command else (),
            default=-1000,
        )
        return int(is_logged and (step.is_test or step.may_test)), 2 * step.is_test + step.may_test, alike

    ranked = [(weight(step), index) for index, step in enumerate(steps) if step.is_test or step.may_test]
    if not ranked:
        logged = [index for index, step in enumerate(steps) if hints.step and _is_named(step, hints.step)]
        return logged[0] if logged else None
    best = max(weight for weight, _ in ranked)
    return next(index for weight, index in ranked if weight == best)


def _is_named(step: Step, logged: str) -> bool:
    return logged.strip() in {step.title.text, f"Run {step.title.text}"} or any(
        logged.strip() == f"Run {line.text.strip()}" for line in step.script.lines[:1]
    )


def _env(
    job: Job, scope: Scope, before: Sequence[Step], step: Step | None, prefix: Iterable[EnvValue]
) -> tuple[EnvValue, ...]:
    """Variables of the step, each name once: a later level wins, and within a level the later one."""
    container = job.node.mapping("container")
    found = [*_container_env(container, scope), *job_variables(job)]
    for earlier in before:
        found += earlier.script.handed_on
    if step is not None:
        found += [*step.env, *step.script.exported]
        for text in (*step.script.lines, *(one.value for one in step.details)):
            found += docker_variables(text)
    found += prefix
    last: dict[str, EnvValue] = {}
    for one in found:
        last.pop(one.name, None)
        last[one.name] = one
    return tuple(last.values())


def _container_env(container: Mapping | None, scope: Scope) -> tuple[EnvValue, ...]:
    return variables_of(container, scope, Level.CONTAINER) if container else ()


def _folder_of(call: Call | None, begun_in: Text | None) -> Text | None:
    """Where a call is run: what the step says, unless its script has gone elsewhere before."""
    if call is None or not call.gone:
        return begun_in
    if call.folder is None:
        return replace(call.text, text=call.gone, unresolved=(call.gone,))
    shown = (
        posixpath.relpath(call.folder, WORKSPACE)
        if f"{call.folder}/".startswith(f"{WORKSPACE}/")
        else call.folder
    )
    return replace(call.text, text=shown, unresolved=(), secrets=())


def _timeouts(job: Job, scope: Scope, step: Step | None) -> Iterator[Detail]:
    if step is not None and step.timeout is not None:
        yield Detail(label="timeout-minutes of the step", value=step.timeout)
    timeout = job.node.scalar("timeout-minutes")
    if timeout is not None:
        yield Detail(label="timeout-minutes of the job", value=scope.text(timeout))


def _python(steps: Sequence[Step]) -> Text | None:
    """The version that the last step to ask for one asks for."""
    asked = [
        detail.value
        for step in steps
        for detail in step.details
        if detail.label == _PYTHON_VERSION and detail.value.text
    ]
    return asked[-1] if asked else None


def _machine(job: Job, scope: Scope, step: Step | None) -> Iterator[Detail]:
    runs_on = job.node.get("runs-on")
    if runs_on is not None:
        yield from _flat("runner", runs_on, scope)
    container = job.node.get("container")
    if container is not None:
        yield from _flat("container", container, scope, without="env")
    services = job.node.mapping("services")
    for key, service in services.entries if services else ():
        yield from _flat(f"service {key.text}", service, scope)
    for detail in step.details if step else ():
        if "image" in detail.label or "opt" in detail.label:
            yield Detail(label=f"container {detail.label}", value=detail.value)


def _flat(
    label: str, node: Scalar | ListNode | Mapping, scope: Scope, *, without: str = ""
) -> Iterator[Detail]:
    """Yields each single value of a setting; credentials are the registry's business, not the test's."""
    if isinstance(node, Scalar):
        yield Detail(label=label, value=scope.text(node))
    elif isinstance(node, ListNode):
        for item in node.items:
            yield from _flat(label, item, scope)
    else:
        for key, value in node.entries:
            if key.text not in {"credentials", without}:
                yield from _flat(f"{label} {key.text}", value, scope)


def _step_facts(step: Step) -> StepFacts:
    return StepFacts(
        title=step.title,
        action=step.action,
        details=step.details,
        script=step.script.lines,
        condition=step.condition,
    )


def _unread(job: Job, before: Sequence[Step], step: Step | None) -> Iterator[Text]:
    if job.unread is not None:
        yield job.unread
    used = [one.action for one in (*before, *([step] if step else [])) if one.action is not None]
    seen: set[str] = set()
    for action in used:
        if action.text not in seen:
            seen.add(action.text)
            yield action


def _notes(job: Job) -> Iterator[Text]:
    """Values that GitHub reads in another way than they look."""
    for key, value in job.combination.values.items():
        if isinstance(value, Number) and number_text(value) != value.text:
            text = f"matrix.{key}: {value.text} without quotes is the number {number_text(value)} to GitHub"
            yield Text(text=text, place=job.place)
    for key in job.told:
        text = f"matrix.{key}: {job.combination.values[key]} is what the job's name in the log tells"
        yield Text(text=text, place=job.place)


def _unread_variables(job: Job, step: Step | None) -> Iterator[Text]:
    """Says where there are more variables than are read."""
    holders = (job.workflow, job.node, job.node.mapping("container"), step.node if step else None)
    for holder in holders:
        env = holder.mapping("env") if holder is not None else None
        if env is not None and len(env.entries) > MOST_VARIABLES:
            text = f"of {len(env.entries):,} variables of one env the first {MOST_VARIABLES} are read"
            yield Text(text=text, place=env.place)
