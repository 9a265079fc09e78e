"""What jobs hand on to those that need them, where a script of theirs says it word by word."""

from __future__ import annotations

import re
from collections.abc import Iterator

from pytest_repro.logs.commands import Branches
from pytest_repro.logs.workflow.document import Mapping, Node, Scalar, Sequence
from pytest_repro.logs.workflow.scope import Scope
from pytest_repro.logs.workflow.values import Open, Value

LONGEST_OUTPUT = 20_000

_TO_OUTPUT = re.compile(
    r"(?:echo|printf '%s\\n')\s+(?P<text>'[^']*'|\"(?:[^\"\\]|\\.)*\"|[^\s'\"\\$`;|&<>()]+)"
    r"\s*>>\s*[\"']?\$\{?GITHUB_OUTPUT\}?[\"']?"
)
_OLD = re.compile(r"echo\s+(?P<text>'::set-output[^']*'|\"::set-output(?:[^\"\\]|\\.)*\")")
_NAMED = re.compile(r"(?:::set-output name=(?P<old>[\w-]+)::|(?P<name>[\w-]+)=)(?P<value>.*)", re.DOTALL)


def needs_of(workflow: Mapping, node: Mapping, scope: Scope) -> Value:
    """Returns the context `needs` of a job: what is not said by a script of the file is unresolved.

    Args:
        workflow: The mapping of its file.
        node: Its own mapping.
        scope: What the expressions of the jobs that it needs see.
    """
    jobs = workflow.mapping("jobs")
    known: dict[str, Value] = {}
    for name in _names(node.get("needs")):
        needed = jobs.mapping(name) if jobs is not None else None
        if needed is not None and needed.get("strategy") is None:
            known[name] = Open(f"needs.{name}", {"outputs": _outputs(needed, name, scope)})
    return Open("needs", known)


def _names(needs: Node | None) -> Iterator[str]:
    if isinstance(needs, Scalar):
        yield needs.text
    elif isinstance(needs, Sequence):
        yield from (one.text for one in needs.items if isinstance(one, Scalar))


def _outputs(job: Mapping, name: str, scope: Scope) -> Value:
    declared = job.mapping("outputs")
    steps: dict[str, Value] = {}
    for step in job.items("steps"):
        id_ = step.scalar("id") if isinstance(step, Mapping) else None
        if isinstance(step, Mapping) and id_ is not None and step.get("if") is None:
            known = dict(_written(step.scalar("run")))
            steps[id_.text] = Open(f"steps.{id_.text}", {"outputs": Open(f"steps.{id_.text}.outputs", known)})
    inner = scope.with_contexts(steps=Open("steps", steps))
    found = {key.text: inner.value(one) for key, one in (declared.entries if declared else ())}
    return Open(f"needs.{name}.outputs", found)


def _written(run: Scalar | None) -> Iterator[tuple[str, str]]:
    """Yields the outputs that a script writes once, for certain and as literals."""
    if run is None or "${{" in run.text or len(run.text) > LONGEST_OUTPUT:
        return
    branches = Branches()
    found: dict[str, str | None] = {}
    for line in run.text.replace("\\\n", " ").split("\n"):
        branches.feed(line)
        match = _TO_OUTPUT.fullmatch(line.strip()) or _OLD.fullmatch(line.strip())
        literal = _literal(match["text"]) if match is not None else None
        named = _NAMED.fullmatch(literal) if literal is not None else None
        if named is not None:
            name = named["old"] or named["name"]
            found[name] = named["value"] if branches.is_certain and name not in found else None
    yield from ((name, value) for name, value in found.items() if value is not None)


def _literal(word: str) -> str | None:
    """Returns what a shell makes of a word that it need not run anything for; None for any other."""
    if word.startswith("'"):
        return word[1:-1]
    if not word.startswith('"'):
        return word
    inner = word[1:-1]
    if re.search(r"(?<!\\)[$`]", inner):
        return None
    return re.sub(r"\\([\\\"$`])", r"\1", inner)
