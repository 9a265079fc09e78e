"""Values of a matrix that only the name of a job in a log tells: another job of the run had made them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

from pytest_repro.logs.workflow.document import Mapping, Node, Scalar
from pytest_repro.logs.workflow.jobs import Job
from pytest_repro.logs.workflow.matrix import name_segments
from pytest_repro.logs.workflow.values import Open, Partial, Unresolved

_MOST_UNKNOWN, _LONGEST_NAME = 5, 500
"""More would take long to be read."""

_USE = re.compile(r"\bmatrix\.(?P<key>[A-Za-z_][\w-]*)")
_KINDS = {
    "runs-on": re.compile(r"(?:ubuntu|macos|windows)-[\w.-]+|self-hosted"),
    "python-version": re.compile(r"(?:pypy-?)?[23]\.\d+t?(?:\.\d+)?(?:-\w+)*"),
}
_KEY = re.compile(r"\$\{\{\s*matrix\.(?P<key>[\w-]+)\s*\}\}")


def with_told_values(job: Job, name: str) -> Job:
    """Fills in what is not known of a job's matrix, as far as its name in a log can be read in one way only.

    Args:
        job: Parts of its name may be unknown.
        name: The name that the log has for it.
    """
    for parts in job.names:
        keys = _keys(job, parts)
        told = _told(parts, keys, name) if any(keys) and None in parts else {}
        told = told or _told_by_kind(job, parts, name)
        if told:
            values = {**job.combination.values, **told}
            known = Open("matrix", values) if isinstance(job.combination.values, Open) else values
            return replace(
                job,
                names=((name,),),
                scope=job.scope.with_contexts(matrix=known),
                combination=replace(job.combination, values=known),
                told=tuple(told),
            )
    return job


def _keys(job: Job, parts: tuple[str | None, ...]) -> list[str | None]:
    """Returns for each unknown part the key of the matrix that it stands for, None where not known."""
    unknown = parts.count(None)
    own = list(_written_keys(job)) or list(_listed_keys(job))
    # Before them stand the unknown parts of the callers' names.
    return [*[None] * (unknown - len(own)), *own] if len(own) <= unknown else [None] * unknown


def _written_keys(job: Job) -> Iterator[str | None]:
    """Yields the keys that an expression in the job's name asks for."""
    name = job.node.scalar("name")
    for piece in job.scope.pieces(name.text) if name is not None else ():
        if isinstance(piece.value, Unresolved | Partial):
            match = _KEY.fullmatch(piece.text)
            yield match["key"] if match else None


def _listed_keys(job: Job) -> Iterator[str | None]:
    """Yields the keys of the values that GitHub puts behind a name in brackets."""
    values = job.combination.values
    named = [(key, value) for key, value in values.items()][: len(job.combination.named)]
    if [value for _, value in named] != list(job.combination.named)[: len(named)]:
        return
    for key, value in named:
        segments = list(name_segments((value,)))
        yield from ([key] if isinstance(value, Unresolved) else [None] * segments.count(None))
    yield from [None] * sum(isinstance(value, Unresolved) for value in job.combination.named[len(named) :])


def _pattern(parts: tuple[str | None, ...], unknown: str) -> str:
    return "".join(unknown if part is None else re.escape(part) for part in parts)


def _told(parts: tuple[str | None, ...], keys: list[str | None], name: str) -> dict[str, str]:
    """Reads the unknown parts; nothing where the name can be read in more than one way."""
    if parts.count(None) > _MOST_UNKNOWN or len(name) > _LONGEST_NAME:
        return {}
    readings = [
        match.groups()
        for unknown in ("(.+?)", "(.+)")
        if (match := re.fullmatch(_pattern(parts, unknown), name))
    ]
    if len(readings) != 2:
        return {}
    told: dict[str, str] = {}
    for key, least, most in zip(keys, *readings, strict=True):
        if key is not None:
            if least != most or told.get(key, least) != least:
                return {}
            told[key] = least
    return told


def _told_by_kind(job: Job, parts: tuple[str | None, ...], name: str) -> dict[str, str]:
    """Reads the values of a matrix of which not even the keys are known, where only one key can have each.

    A runner is for the key that `runs-on` asks for, a version for the one that `python-version` asks for, and
    a single value for the only key that the job asks for.
    """
    values = job.combination.values
    if not isinstance(values, Open) or values or parts.count(None) != 1 or len(name) > _LONGEST_NAME:
        return {}
    match = re.fullmatch(_pattern(parts, "(.+)"), name)
    if match is None:
        return {}
    segments = match[1].split(", ")
    uses = set(_uses(job.node, ()))
    keys = {key for key, _ in uses}
    if len(segments) == 1 and len(keys) == 1:
        return {keys.pop(): segments[0]}
    told: dict[str, str] = {}
    for kind, pattern in _KINDS.items():
        fitting = [segment for segment in segments if pattern.fullmatch(segment)]
        asked = {key for key, used in uses if used == kind}
        if len(fitting) == 1 and len(asked) == 1:
            told[asked.pop()] = fitting[0]
    return told


def _uses(node: Node, path: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    """Yields each key of the matrix that a job asks for, with the setting that it asks for it in."""
    if isinstance(node, Scalar):
        setting = path[0] if path[:1] == ("runs-on",) else path[-1] if path else ""
        for found in _USE.finditer(node.text):
            yield found["key"], setting
    elif isinstance(node, Mapping):
        for key, value in node.entries:
            if (*path, key.text) != ("strategy",):
                yield from _uses(value, (*path, key.text))
    else:
        for item in node.items:
            yield from _uses(item, path)
