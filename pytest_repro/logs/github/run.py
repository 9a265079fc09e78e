"""What a run of GitHub Actions has left: the logs of its failed jobs, and what the API knows of it."""

from __future__ import annotations

import http.client
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any

from pytest_repro.errors import LogError
from pytest_repro.logs.github.address import RunAddress
from pytest_repro.logs.github.client import Answer, GithubClient
from pytest_repro.logs.layout import job_key
from pytest_repro.logs.places import Opener
from pytest_repro.logs.records import ToldFact
from pytest_repro.logs.sources import Log, Progress, Silent

TELLER = "GitHub's API"
_FAILED = frozenset({"failure", "timed_out", "cancelled", "startup_failure"})
_MOST_SINGLE = 10
"""Failed jobs whose logs are fetched one by one; the logs of more come in one archive."""

_MOST_TRIES = 3
"""Downloads of one log that breaks off."""

_MOST_JOBS = 5_000
_PAGE = 100


@contextmanager
def fetched_log(
    address: RunAddress, client: GithubClient, *, progress: Progress | None = None
) -> Iterator[Log]:
    """Fetches the logs of a run's failed jobs into temporary files, and opens them as one log.

    Args:
        address: Of the run.
        client: Asks about it.
        progress: Is told how far fetching and reading are.

    Raises:
        LogError: They cannot be had.
    """
    with ExitStack() as stack:
        shown = progress or Silent()
        opener = Opener(stack, progress=shown)
        job = client.ask(f"/actions/jobs/{address.job}") if address.job is not None else None
        number = address.run if address.run is not None else _number((job or {}).get("run_id"))
        path = f"/actions/runs/{number}" + (f"/attempts/{address.attempt}" if address.attempt else "")
        run = client.ask(path)
        jobs = [job] if job is not None else list(_jobs(client, path))
        failed = jobs if job is not None else [one for one in jobs if one.get("conclusion") in _FAILED]
        _check_ended(address, run, failed)
        fetch = _Fetch(client, opener, shown)
        if failed and len(failed) <= _MOST_SINGLE:
            for one in failed:
                fetch.job(one)
        else:
            fetch.archive(path, {job_key(_text(one, "name")): _text(one, "name") for one in jobs})
        notes = [*opener.notes, *_notes(run, jobs, failed)]
        yield Log(opener.sources, told=list(_told(run, failed)), notes=notes, progress=progress)


class _Fetch:
    """Puts logs into temporary files."""

    def __init__(self, client: GithubClient, opener: Opener, progress: Progress) -> None:
        self._client = client
        self._opener = opener
        self._progress = progress

    def job(self, job: Mapping[str, Any]) -> None:
        name = _text(job, "name") or f"job {job.get('id')}"
        self._take(f"/actions/jobs/{_number(job.get('id'))}/logs", name, {job_key(name): name})

    def archive(self, path: str, job_names: Mapping[str, str]) -> None:
        self._take(f"{path}/logs", "logs of the run", job_names)

    def _take(self, path: str, name: str, job_names: Mapping[str, str]) -> None:
        for _ in range(_MOST_TRIES):
            with closing(self._client.fetch(path)) as answer:
                body = _Body(answer)
                kept = self._keep(body, name)
            if body.is_whole:
                break
        else:
            told = "an unknown number of" if body.size is None else f"{body.size:,}"
            self._opener.notes.append(
                f"{name}: {_MOST_TRIES} downloads broke off, the last after {body.count:,} of {told} bytes; "
                "what came was read"
            )
        only = next(iter(job_names.values())) if len(job_names) == 1 else None
        self._opener.add_file(kept, name=name, job_names=job_names, job=only)

    def _keep(self, body: _Body, name: str) -> Path:
        self._progress.begin("fetching", body.size)
        return self._opener.spool.keep(body.read, name=name, advance=self._progress.advance)


class _Body:
    """What a server sends, and whether it was all of it.

    Attributes:
        size: Its size in bytes as the server has told it, None where it has not.
        count: Bytes that have come.
    """

    def __init__(self, answer: Answer) -> None:
        told = answer.headers.get("Content-Length", "")
        self.size = int(told) if told.isdigit() else None
        self.count = 0
        self._answer = answer
        self._is_broken = False

    @property
    def is_whole(self) -> bool:
        """Whether the end has come, rather than the connection gone: Python reads both as an end."""
        return not self._is_broken and (self.size is None or self.count >= self.size)

    def read(self, size: int, /) -> bytes:
        """Returns at most so many bytes, none at the end and where the connection breaks."""
        try:
            piece = self._answer.read(size)
        except (OSError, http.client.HTTPException):
            self._is_broken = True
            return b""
        self.count += len(piece)
        return piece


def _jobs(client: GithubClient, path: str) -> Iterator[dict[str, Any]]:
    seen = 0
    for page in range(1, _MOST_JOBS // _PAGE + 1):
        answer = client.ask(f"{path}/jobs?per_page={_PAGE}&page={page}")
        jobs = [job for job in answer.get("jobs") or () if isinstance(job, dict)]
        yield from jobs
        seen += len(jobs)
        if len(jobs) < _PAGE or seen >= (answer.get("total_count") or 0):
            return


def _check_ended(address: RunAddress, run: Mapping[str, Any], failed: list[dict[str, Any]]) -> None:
    """A job's log is there once the job has ended; a run that goes on may have failed jobs by now."""
    ended = [job for job in failed if job.get("status") == "completed"]
    is_over = run.get("status") == "completed" if address.job is None else bool(ended)
    if is_over or ended:
        return
    raise LogError(
        f"The {'run' if address.job is None else 'job'} has not ended: GitHub says "
        f"{_text(run, 'status') or 'nothing of its state'}, and no job has failed by now",
        place=address.url,
        next_step="Wait until it has ended.",
    )


def _notes(run: Mapping[str, Any], jobs: list[dict[str, Any]], failed: list[dict[str, Any]]) -> Iterator[str]:
    if not failed:
        yield f"no job of the run has failed ({_text(run, 'conclusion')}): all {len(jobs)} logs were read"
    if run.get("status") != "completed":
        yield "the run goes on: jobs that fail later are not in what was read"


def _told(run: Mapping[str, Any], failed: list[dict[str, Any]]) -> Iterator[ToldFact]:
    facts = {
        "Run": _text(run, "html_url"),
        "Workflow": " in ".join(filter(None, (_text(run, "name"), _text(run, "path")))),
        "Commit of the run": _text(run, "head_sha"),
        "Branch": _text(run, "head_branch"),
        "Event": _text(run, "event"),
        "Attempt": str(run.get("run_attempt") or ""),
        "Conclusion": _text(run, "conclusion"),
    }
    for job in failed[:_MOST_SINGLE]:
        facts[f"Job {_text(job, 'name')}"] = ", ".join(_job_facts(job))
    for label, value in facts.items():
        if value:
            yield ToldFact(label=label, value=value, teller=TELLER)


def _job_facts(job: Mapping[str, Any]) -> Iterator[str]:
    yield _text(job, "conclusion") or _text(job, "status")
    for step in job.get("steps") or ():
        if isinstance(step, dict) and step.get("conclusion") in _FAILED:
            yield f"step {_text(step, 'name')}"
            break
    labels = [label for label in job.get("labels") or () if isinstance(label, str)]
    if labels:
        yield f"on {' '.join(labels)}"
    if _text(job, "runner_name"):
        yield f"runner {_text(job, 'runner_name')}"
    if _text(job, "started_at"):
        yield f"{_text(job, 'started_at')} to {_text(job, 'completed_at') or 'now'}"


def _text(record: Mapping[str, Any], name: str) -> str:
    value = record.get(name)
    return value if isinstance(value, str) else ""


def _number(value: object) -> int:
    return value if isinstance(value, int) else 0
