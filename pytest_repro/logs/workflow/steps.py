"""The steps of a job in the order in which they are run, those of local actions in their places."""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Mapping as Defaults
from dataclasses import dataclass, field, replace
from pathlib import Path

from pytest_repro.errors import LogError
from pytest_repro.logs.workflow.called import follow
from pytest_repro.logs.workflow.document import Mapping, Scalar, read_document
from pytest_repro.logs.workflow.jobs import (
    DEEPEST_CALL,
    Job,
    local_file,
    variables_of,
    with_variables,
)
from pytest_repro.logs.workflow.records import Detail, EnvValue, Level, Place, Text
from pytest_repro.logs.workflow.scope import WORKSPACE, Scope, value_of
from pytest_repro.logs.workflow.scripts import ScriptFacts, read_script, script_lines
from pytest_repro.logs.workflow.shell_lines import ShellLines, below
from pytest_repro.logs.workflow.values import Value

MOST_STEPS = 1_000
_FOLDER, _SHELL = "working-directory", "shell"


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One step with its expressions filled in.

    Attributes:
        title: Its name, or what GitHub shows in place of one.
        is_named: Whether it has a name.
        place: Where it begins.
        node: Its mapping.
        action: What it uses, where that is not followed.
        details: What it gives to the action.
        script: What its lines say; for an action, what the texts given to it say.
        env: Its own variables and those of the steps around it.
        working_directory: Where it runs, by its own words or its job's.
        shell: What runs it, by its own words or its job's.
        timeout: Its `timeout-minutes`.
        condition: Its `if:`, where the file does not decide it.
        looked_into: What was found in the scripts and tools that it calls.
    """

    title: Text
    is_named: bool
    place: Place
    node: Mapping
    action: Text | None = None
    details: tuple[Detail, ...] = ()
    script: ScriptFacts = field(default_factory=ScriptFacts)
    env: tuple[EnvValue, ...] = ()
    working_directory: Text | None = None
    shell: Text | None = None
    timeout: Text | None = None
    condition: Text | None = None
    looked_into: tuple[Text, ...] = ()

    @property
    def is_test(self) -> bool:
        """Whether it calls pytest or unittest itself."""
        return bool(self.script.calls)

    @property
    def may_test(self) -> bool:
        """Whether it calls something else that by its name runs tests."""
        return any("test" in one.text.lower() or _is_tool(one.text) for one in self.script.called)


def _is_tool(text: str) -> bool:
    return any(word in {"tox", "nox", "trial", "stestr"} for word in text.split())


def steps_of(job: Job, root: Path) -> tuple[Step, ...]:
    """Lists the steps of a job that the file does not leave out.

    Args:
        job: The job.
        root: Root of the repository, which local actions are looked for in.

    Raises:
        LogError: A local action cannot be read, or uses itself.
    """
    scope = with_variables(job.scope, job_variables(job))
    defaults = {name: default_of(name, job, scope) for name in (_FOLDER, _SHELL)}
    return tuple(_StepReader(root, defaults).read(job.node, scope, _Around()))


def job_variables(job: Job) -> tuple[EnvValue, ...]:
    """Reads the variables of the workflow and of the job."""
    outer = variables_of(job.workflow, job.scope, Level.WORKFLOW)
    return (*outer, *variables_of(job.node, with_variables(job.scope, outer), Level.JOB))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Around:
    """What the steps around a step of an action bring to it."""

    env: tuple[EnvValue, ...] = ()
    title: Text | None = None
    timeout: Text | None = None
    condition: Text | None = None
    files: tuple[Path, ...] = ()


def default_of(name: str, job: Job, scope: Scope, own: Text | None = None) -> Text | None:
    """What a step says, else the default of its job, else that of the workflow."""
    if own is not None:
        return own
    for holder in (job.node, job.workflow):
        defaults = holder.mapping("defaults")
        run = defaults.mapping("run") if defaults else None
        scalar = run.scalar(name) if run else None
        if scalar is not None:
            return scope.text(scalar)
    return None


class _StepReader:
    def __init__(self, root: Path, defaults: Defaults[str, Text | None]) -> None:
        self._root = root
        self._defaults = defaults
        self._count = 0

    def read(self, holder: Mapping, scope: Scope, around: _Around) -> Iterator[Step]:
        """Yields the steps of a job or of an action; what one sets, the later ones see."""
        for node in holder.items("steps"):
            if not isinstance(node, Mapping):
                continue
            self._count += 1
            if self._count > MOST_STEPS:
                raise LogError(
                    f"The job has more than {MOST_STEPS:,} steps, those of its actions counted",
                    place=str(node.place),
                    next_step="Give a workflow with fewer steps.",
                )
            for step in self._step(node, scope, around):
                scope = with_variables(scope, step.script.handed_on)
                yield step

    def _step(self, node: Mapping, scope: Scope, around: _Around) -> Iterator[Step]:
        own = variables_of(node, scope, Level.STEP)
        inner = with_variables(scope, own)
        condition = node.scalar("if")
        decided = inner.condition(condition)
        if decided is False:
            return
        undecided = inner.text(condition) if condition is not None and decided is None else None
        timeout = node.scalar("timeout-minutes")
        # Those of a job are not for the steps of an action, nor for an action itself.
        is_of_job = not around.files and node.scalar("run") is not None
        defaults = self._defaults if is_of_job else {}
        step = Step(
            title=_title(node, inner, around),
            is_named=node.scalar("name") is not None,
            place=node.place,
            node=node,
            env=(*around.env, *own),
            working_directory=_text(node, _FOLDER, inner) or defaults.get(_FOLDER),
            shell=_text(node, _SHELL, inner) or defaults.get(_SHELL),
            timeout=inner.text(timeout) if timeout else around.timeout,
            condition=undecided or around.condition,
        )
        run, uses = node.scalar("run"), node.scalar("uses")
        if run is not None:
            script = read_script(script_lines(run, inner), _shell_of(step, inner))
            followed = follow(script.others, self._root)
            yield replace(
                step,
                script=replace(
                    script,
                    calls=(*script.calls, *followed.calls),
                    exported=(*script.exported, *followed.exported),
                ),
                looked_into=followed.notes,
            )
        elif uses is not None:
            yield from self._used(step, node, inner.text(uses), inner, around)
        else:
            yield step

    def _used(self, step: Step, node: Mapping, target: Text, scope: Scope, around: _Around) -> Iterator[Step]:
        path = _action_file(local_file(target, self._root))
        given = node.mapping("with")
        action = self._action(path, target, around) if path is not None else None
        runs = action.mapping("runs") if action is not None else None
        using = runs.scalar("using") if runs is not None else None
        if path is None or action is None or runs is None or using is None or using.text != "composite":
            yield replace(step, action=target, details=_details(given, scope), script=_given(given, scope))
            return
        yield from self.read(
            runs,
            scope.with_contexts(inputs=_inputs(action, given, scope)),
            _Around(
                env=step.env,
                title=step.title,
                timeout=step.timeout,
                condition=step.condition,
                files=(*around.files, path.resolve()),
            ),
        )

    def _action(self, path: Path, target: Text, around: _Around) -> Mapping:
        if path.resolve() in around.files:
            raise LogError(
                f"The action uses itself: {target.text} is on the way to it already",
                place=str(target.place),
                next_step="Correct the action: GitHub refuses it.",
            )
        if len(around.files) >= DEEPEST_CALL:
            raise LogError(
                f"Actions use each other deeper than {DEEPEST_CALL} levels",
                place=str(target.place),
                next_step="Correct the action, or name its job in another workflow.",
            )
        node = read_document(path, f"{target.text[2:]}/{path.name}")
        if not isinstance(node, Mapping) or node.mapping("runs") is None:
            raise LogError(
                "The action has no mapping named runs",
                place=f"{target.text[2:]}/{path.name}",
                next_step="Correct the action: GitHub refuses it as it is.",
            )
        return node


def _shell_of(step: Step, scope: Scope) -> ShellLines:
    """Where the step's script begins, and with which variables."""
    env = scope.contexts["env"]
    known = {key: one for key, one in env.items() if isinstance(one, str)} if isinstance(env, dict) else {}
    folder: str | None = WORKSPACE
    if step.working_directory is not None:
        folder = None
        if step.working_directory.is_known:
            folder = below(WORKSPACE, step.working_directory.text.strip() or ".")
    return ShellLines(folder=folder, variables=known)


def _action_file(folder: Path | None) -> Path | None:
    if folder is None:
        return None
    return next((path for name in ("action.yml", "action.yaml") if (path := folder / name).is_file()), None)


def _inputs(action: Mapping, given: Mapping | None, scope: Scope) -> Value:
    """Inputs of an action: what the step gives, over the action's defaults; all of them are texts."""
    declared = action.mapping("inputs")
    known: dict[str, Value] = {}
    for key, node in declared.entries if declared else ():
        default = node.scalar("default") if isinstance(node, Mapping) else None
        known[key.text] = _as_text(default, scope) if default is not None else ""
    for key, value in given.entries if given else ():
        if isinstance(value, Scalar):
            known[key.text] = _as_text(value, scope)
    return known


def _as_text(scalar: Scalar, scope: Scope) -> Value:
    return value_of(scope.text(scalar))


def _text(node: Mapping, name: str, scope: Scope) -> Text | None:
    scalar = node.scalar(name)
    return scope.text(scalar) if scalar is not None else None


def _title(node: Mapping, scope: Scope, around: _Around) -> Text:
    """The step's name; without one, what GitHub shows."""
    name, run, uses = node.scalar("name"), node.scalar("run"), node.scalar("uses")
    if name is not None:
        return scope.text(name)
    if run is not None:
        first = next((line for line in run.text.split("\n") if line.strip()), "")
        filled = scope.text_at(first.strip(), run.place)
        return replace(filled, text=f"Run {filled.text}")
    if uses is not None:
        filled = scope.text(uses)
        return replace(filled, text=f"Run {filled.text}")
    return around.title or Text(text="a step", place=node.place)


def _details(given: Mapping | None, scope: Scope) -> tuple[Detail, ...]:
    return tuple(
        Detail(label=key.text, value=scope.text(value))
        for key, value in (given.entries if given else ())
        if isinstance(value, Scalar)
    )


def _given(given: Mapping | None, scope: Scope) -> ScriptFacts:
    """Reads what is given to an action that is not followed as scripts: some run it in a container."""
    lines = [
        line
        for _, value in (given.entries if given else ())
        if isinstance(value, Scalar)
        for line in script_lines(value, scope)
    ]
    return replace(read_script(lines), lines=())
