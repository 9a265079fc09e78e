"""The jobs of a workflow as GitHub would list them: combinations of a matrix, jobs of called workflows."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from pytest_repro.errors import LogError
from pytest_repro.logs.workflow.document import Mapping, Node, Scalar, Sequence, read_document
from pytest_repro.logs.workflow.matrix import Combination, expand, name_segments
from pytest_repro.logs.workflow.needs import needs_of
from pytest_repro.logs.workflow.records import Detail, EnvValue, Level, Place, Text
from pytest_repro.logs.workflow.scope import WORKSPACE, Scope, value_of
from pytest_repro.logs.workflow.values import Number, Open, Partial, Unresolved, Value, text_of

MOST_JOBS = 5_000
DEEPEST_CALL = 4
LONGEST_NAME = 100
"""Characters; GitHub cuts the name that it makes of a matrix there."""
MOST_VARIABLES = 500

_GITLAB = frozenset({"stages", "image", "before_script", "after_script", "script", "default", "include"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One job as GitHub lists it.

    Attributes:
        id: Its key in its file.
        file: The workflow file that it stands in.
        names: The parts that its name may have been made of, likeliest first; None for what is not known.
        node: Its mapping.
        workflow: The mapping of its file.
        scope: What its expressions see.
        combination: Its values of the matrix.
        ids: Its key and those of its callers, outermost first.
        condition: `if:` of the job or of a caller, where the file does not decide it.
        assumed: Inputs at their default.
        told: Keys of the matrix whose values the name of the job in a log tells.
        unread: Set for a job of a workflow of another repository: what it uses.
    """

    id: str
    file: Path
    names: tuple[tuple[str | None, ...], ...]
    node: Mapping
    workflow: Mapping
    scope: Scope
    combination: Combination
    ids: tuple[str, ...]
    conditions: tuple[Text, ...] = ()
    assumed: tuple[Detail, ...] = ()
    told: tuple[str, ...] = ()
    unread: Text | None = None

    @property
    def name(self) -> str:
        """Its name for people; what is not known is an ellipsis."""
        return shown_name(self.names[0])

    @property
    def place(self) -> Place:
        """Where it begins."""
        return self.node.place


def shown_name(parts: tuple[str | None, ...]) -> str:
    """Writes the parts of a name for people."""
    return "".join("…" if part is None else part for part in parts)


def jobs_of(path: Path, shown: str, root: Path, known: dict[str, Value]) -> list[Job]:
    """Lists the jobs of a workflow.

    Args:
        path: Its file.
        shown: The file as people name it.
        root: Root of the repository, which called workflows are looked for in.
        known: What is known of the context `github`.

    Raises:
        LogError: It is no workflow of GitHub, or cannot be read.
    """
    workflow = _workflow(path, shown)
    inputs, assumed = _default_inputs(workflow)
    github = {**known, **_of_the_file(workflow)}
    contexts: dict[str, Value] = {
        "github": Open("github", github),
        "env": Open("env", {}),
        "inputs": inputs,
    }
    start = _Call(
        path=path,
        root=root,
        workflow=workflow,
        scope=Scope(contexts),
        assumed=assumed,
        files=(path.resolve(),),
    )
    found: list[Job] = []
    for job in _jobs(start):
        if len(found) >= MOST_JOBS:
            raise LogError(
                f"The workflow has more than {MOST_JOBS:,} jobs, called workflows and matrices counted",
                place=shown,
                next_step="Give the workflow file that holds the job itself.",
            )
        found.append(job)
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class _Call:
    """A workflow that is to be listed, by itself or as another one calls it."""

    path: Path
    root: Path
    workflow: Mapping
    scope: Scope
    files: tuple[Path, ...]
    prefixes: tuple[tuple[str | None, ...], ...] = ((),)
    ids: tuple[str, ...] = ()
    conditions: tuple[Text, ...] = ()
    assumed: tuple[Detail, ...] = ()


def _workflow(path: Path, shown: str) -> Mapping:
    node = read_document(path, shown)
    if not isinstance(node, Mapping):
        raise LogError(
            f"The file is no workflow: its top is {'empty' if node is None else 'no mapping'}",
            place=shown,
            next_step="Give a GitHub workflow file, such as .github/workflows/test.yml.",
        )
    jobs = node.get("jobs")
    if isinstance(jobs, Mapping) and jobs.entries:
        return node
    names = {key.text for key, _ in node.entries}
    if jobs is None and (names & _GITLAB or path.name.startswith(".gitlab-ci")):
        raise LogError(
            "The file is a GitLab pipeline, and only GitHub workflows are read",
            place=shown,
            next_step="Leave --workflow out: the log of a GitLab job can be read without it.",
        )
    if "runs" in names:
        raise LogError(
            "The file is an action, not a workflow",
            place=shown,
            next_step="Give the workflow file that uses it: the actions of its repository are followed.",
        )
    raise LogError(
        "The file is no GitHub workflow: it has no jobs",
        place=str(jobs.place) if jobs else shown,
        next_step="Give a file of .github/workflows with a mapping named jobs.",
    )


def _of_the_file(workflow: Mapping) -> dict[str, Value]:
    known: dict[str, Value] = {"workspace": WORKSPACE}
    name = workflow.scalar("name")
    if name is not None and "${{" not in name.text:
        known["workflow"] = name.text
    events = workflow.get("on")
    if isinstance(events, Scalar):
        names = [events.text]
    elif isinstance(events, Sequence):
        names = [item.text for item in events.items if isinstance(item, Scalar)]
    else:
        names = [key.text for key, _ in events.entries] if events is not None else []
    if len(names) == 1 and names[0] != "workflow_call":
        known["event_name"] = names[0]
    return known


def _default_inputs(workflow: Mapping) -> tuple[dict[str, Value], tuple[Detail, ...]]:
    """Inputs of a workflow that was started by itself: the defaults of its file."""
    known: dict[str, Value] = {}
    assumed: list[Detail] = []
    for name, node in _declared(workflow):
        default = node.get("default") if isinstance(node, Mapping) else None
        known[name] = Unresolved(names=frozenset({f"inputs.{name}"}))
        if isinstance(default, Scalar):
            known[name] = Scope({}).value(default)
            assumed.append(Detail(label=f"inputs.{name}", value=Scope({}).text(default)))
    return known, tuple(assumed)


def _declared(workflow: Mapping) -> Iterator[tuple[str, Node]]:
    events = workflow.mapping("on")
    for event in ("workflow_call", "workflow_dispatch"):
        called = events.mapping(event) if events else None
        inputs = called.mapping("inputs") if called else None
        for key, node in inputs.entries if inputs else ():
            yield key.text, node


def _jobs(call: _Call) -> Iterator[Job]:
    jobs = call.workflow.mapping("jobs")
    for key, node in jobs.entries if jobs else ():
        if isinstance(node, Mapping):
            yield from _combinations(call, key, node)


def _combinations(call: _Call, key: Scalar, node: Mapping) -> Iterator[Job]:
    scope = call.scope.with_contexts(
        github=_with_job(call.scope, key.text), secrets=_unknown("secrets"), vars=_unknown("vars")
    )
    scope = scope.with_contexts(needs=needs_of(call.workflow, node, scope))
    condition = node.scalar("if")
    decided = scope.condition(condition)
    if decided is False:
        return
    undecided = (scope.text(condition),) if condition is not None and decided is None else ()
    strategy = node.mapping("strategy")
    matrix = strategy.get("matrix") if strategy else None
    for combination in expand(scope.value(matrix), matrix.place if matrix else node.place):
        own = scope.with_contexts(matrix=combination.values)
        job = Job(
            id=key.text,
            file=call.path,
            names=_names(call, key, node, own, combination),
            node=node,
            workflow=call.workflow,
            scope=own,
            combination=combination,
            ids=(*call.ids, key.text),
            conditions=(*call.conditions, *undecided),
            assumed=call.assumed,
        )
        uses = node.scalar("uses")
        if uses is None:
            yield job
        else:
            yield from _called(call, job, uses)


def _with_job(scope: Scope, name: str) -> Value:
    github = scope.contexts["github"]
    return Open("github", {**(github if isinstance(github, dict) else {}), "job": name})


def _unknown(name: str) -> Unresolved:
    return Unresolved(names=frozenset({name}))


def _names(
    call: _Call, key: Scalar, node: Mapping, scope: Scope, combination: Combination
) -> tuple[tuple[str | None, ...], ...]:
    """The name that GitHub shows; where a name is given, with and without the values of the matrix."""
    name = node.scalar("name") or key
    parts = tuple(_name_parts(scope, name.text))
    segments = list(name_segments(combination.named))
    named: list[tuple[str | None, ...]] = [parts]
    if segments and "${{" not in name.text:
        named.insert(0, (*parts, " (", *_separated(segments), ")"))
    return tuple(
        _cut((*prefix, *((" / ",) if prefix else ()), *own)) for own in named for prefix in call.prefixes
    )


def _name_parts(scope: Scope, text: str) -> Iterator[str | None]:
    for piece in scope.pieces(text):
        if isinstance(piece.value, Unresolved | Partial):
            yield None
        elif piece.is_expression:
            yield text_of(_as_github(piece.value))
        elif piece.text:
            yield piece.text


def _as_github(value: Value) -> Value:
    return Number(float(value)) if isinstance(value, Number) else value


def _separated(segments: list[str | None]) -> Iterator[str | None]:
    for index, segment in enumerate(segments):
        if index:
            yield ", "
        yield segment


def _cut(parts: tuple[str | None, ...]) -> tuple[str | None, ...]:
    known = [part for part in parts if part is not None]
    if len(known) == len(parts) and len(text := "".join(known)) > LONGEST_NAME and " / " not in known:
        return (text[: LONGEST_NAME - 3] + "...",)
    return parts


_PLAIN_WORD = re.compile(r"(?P<mark>[\"']?)(?P<text>[\w./:=,@%+ -]*)(?P=mark)")
_LOCAL = re.compile(r"[.$]/(?P<path>[^@]+)")


def local_file(uses: Text, root: Path) -> Path | None:
    """Finds what a `uses: ./...` names; None where it is elsewhere, outside of the root, or not known."""
    match = _LOCAL.fullmatch(uses.text) if uses.is_known else None
    if match is None or "\0" in match["path"]:
        return None
    path = root / match["path"]
    try:
        return path if path.resolve().is_relative_to(root.resolve()) else None
    except (OSError, RuntimeError):
        return None


def _called(call: _Call, job: Job, uses: Scalar) -> Iterator[Job]:
    target = job.scope.text(uses)
    path = local_file(target, call.root)
    if path is None or not path.is_file():
        yield replace(job, unread=target)
        return
    shown = f"{target.text[2:]}"
    if path.resolve() in call.files:
        raise LogError(
            f"The workflow calls itself: {shown} is on the way to it already",
            place=str(target.place),
            next_step="Correct the file: GitHub refuses such a call.",
        )
    if len(call.files) > DEEPEST_CALL:
        raise LogError(
            f"Workflows call each other deeper than {DEEPEST_CALL} levels",
            place=str(target.place),
            next_step="Correct the file, or give the called workflow itself.",
        )
    workflow = _workflow(path, shown)
    inputs, assumed = _given_inputs(workflow, job)
    yield from _jobs(
        _Call(
            path=path,
            root=call.root,
            workflow=workflow,
            scope=Scope(
                {
                    "github": call.scope.contexts["github"],
                    "env": Open("env", {}),
                    "inputs": inputs,
                }
            ),
            files=(*call.files, path.resolve()),
            prefixes=job.names,
            ids=job.ids,
            conditions=job.conditions,
            assumed=(*call.assumed, *assumed),
        )
    )


def _given_inputs(workflow: Mapping, job: Job) -> tuple[dict[str, Value], tuple[Detail, ...]]:
    """Inputs of a called workflow: what the caller gives, over what the workflow has itself."""
    defaults, assumed = _default_inputs(workflow)
    known: dict[str, Value] = {
        name: None if isinstance(value, Unresolved) else value for name, value in defaults.items()
    }
    given = job.node.mapping("with")
    for key, node in given.entries if given else ():
        known[key.text] = job.scope.value(node)
    return known, tuple(one for one in assumed if one.label.removeprefix("inputs.") not in _keys(given))


def _keys(mapping: Mapping | None) -> frozenset[str]:
    return frozenset(key.text for key, _ in mapping.entries) if mapping else frozenset()


def variables_of(mapping: Mapping | None, scope: Scope, level: Level) -> tuple[EnvValue, ...]:
    """Reads an `env:`."""
    node = mapping.mapping("env") if mapping else None
    return tuple(
        EnvValue(name=key.text, value=scope.text(value), level=level)
        for key, value in (node.entries if node else ())[:MOST_VARIABLES]
        if isinstance(value, Scalar)
    )


def with_variables(scope: Scope, variables: tuple[EnvValue, ...]) -> Scope:
    """Returns a scope whose context `env` holds further variables."""
    before = scope.contexts["env"]
    known = dict(before) if isinstance(before, dict) else {}
    for one in variables:
        value = value_of(one.value)
        if one.is_shell and isinstance(value, str):
            plain = _PLAIN_WORD.fullmatch(value)
            value = plain["text"] if plain else Unresolved(names=frozenset({f"env.{one.name}"}))
        known[one.name] = value
    return scope.with_contexts(env=Open("env", known))
