"""Which of a workflow's jobs is meant: by its key, its name, or the name that a log has for it."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Sequence
from enum import Enum

from pytest_repro.errors import LogError
from pytest_repro.logs.workflow.jobs import Job, shown_name

MOST_SHOWN = 20
LONGEST_WANTED = 500


class NamedBy(str, Enum):
    """What gave the name of a job."""

    OPTION = "--job"
    LOG = "the log"


def named_job(jobs: Sequence[Job], wanted: str, *, named_by: NamedBy, shown: str) -> list[Job]:
    """Finds the jobs that a name may stand for, by the strictest reading that finds any.

    Args:
        jobs: All jobs.
        wanted: A job's key, its name, or its name with the values of its matrix.
        named_by: What gave the name; a log's may be that of a job whose name the file does not say.
        shown: The workflow file, for people.

    Raises:
        LogError: It stands for none.
    """
    wanted = " ".join(wanted.split())[:LONGEST_WANTED]
    readings: list[Callable[[Job], bool]] = [
        lambda job: any(shown_name(name) == wanted for name in job.names if None not in name),
        lambda job: wanted in {job.id, "/".join(job.ids), " / ".join(job.ids)},
        lambda job: wanted == _written_name(job),
        lambda job: any(_fits(name, wanted) for name in job.names),
    ]
    if named_by is NamedBy.LOG:
        readings.append(lambda job: not any(job.names[0]))
    for reading in readings:
        found = [job for job in jobs if reading(job)]
        if found:
            return found
    raise LogError(
        f"The workflow has no job {wanted!r}, which {named_by.value} names{_did_you_mean(jobs, wanted)}",
        place=shown,
        next_step=f"Name the job with --job. {listed(jobs)}",
    )


def the_only(jobs: Sequence[Job], *, among: Sequence[Job], fact: str, shown: str) -> Job:
    """Returns the only one of some jobs.

    Args:
        jobs: The jobs.
        among: Those that they were chosen from, to be named where there is none.
        fact: What is said where there is not exactly one.
        shown: The workflow file, for people.

    Raises:
        LogError: There is not exactly one.
    """
    if len(jobs) == 1:
        return jobs[0]
    raise LogError(fact, place=shown, next_step=f"Name one with --job. {listed(jobs or among)}")


def listed(jobs: Sequence[Job]) -> str:
    """Names jobs for people."""
    names = list(dict.fromkeys(job.name for job in jobs))
    more = f" and {len(names) - MOST_SHOWN} more" if len(names) > MOST_SHOWN else ""
    return f"Jobs: {', '.join(map(repr, names[:MOST_SHOWN]))}{more}." if names else "It has no job to run."


def _did_you_mean(jobs: Sequence[Job], wanted: str) -> str:
    names = [name for job in jobs for name in (job.id, job.name)]
    close = difflib.get_close_matches(wanted, names[:1000], n=1)
    return f" (did you mean {close[0]!r}?)" if close else ""


def _written_name(job: Job) -> str:
    name = job.node.scalar("name")
    return name.text if name is not None else job.id


def _fits(parts: tuple[str | None, ...], wanted: str) -> bool:
    """Says whether a name can be these parts, with something in place of each that is not known."""
    literals = [part for part in parts if part is not None]
    if len(literals) == len(parts) or not any(part.strip(" ()/,") for part in literals):
        return False  # a name of which nothing is known fits everything, and so says nothing
    position = 0
    for index, part in enumerate(parts):
        if part is None:
            continue
        if index == len(parts) - 1:
            return wanted.endswith(part) and len(wanted) - len(part) >= position
        found = wanted.find(part, position)
        if found < 0 or (index == 0 and found != 0):
            return False
        position = found + len(part)
    return True
