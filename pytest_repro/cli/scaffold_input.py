"""What `repro-scaffold` reads: the tests' source, and where its log is."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from pytest_repro.clock import sleep
from pytest_repro.errors import LogError
from pytest_repro.logs.places import opened_log
from pytest_repro.logs.sources import Log, Progress
from pytest_repro.scaffold.source import find_root


def source_root(given: Path | None) -> Path:
    """Returns where to look for the tests' source: the given folder, else the checkout around here.

    Raises:
        LogError: There is no such folder.
    """
    if given is None:
        return find_root(Path.cwd())
    if not given.is_dir():
        raise LogError(
            "The source cannot be read: there is no such folder",
            place=f"--source {given}",
            next_step="Give the folder from which the tests are run, or leave --source out.",
        )
    return given


@contextmanager
def given_log(places: Sequence[str], run_url: str | None, *, progress: Progress) -> Iterator[Log | None]:
    """Opens what `--log` names, or fetches what `--run-url` names; None where nothing was named.

    Raises:
        LogError: It cannot be read.
    """
    if run_url is not None:
        from pytest_repro.logs.github.address import parse_run_url
        from pytest_repro.logs.github.client import GithubClient
        from pytest_repro.logs.github.run import fetched_log

        address = parse_run_url(run_url, os.environ)
        with fetched_log(address, GithubClient(address, sleep=sleep), progress=progress) as log:
            yield log
        return
    if not places:
        yield None
        return
    # None where the caller closed it.
    stdin = sys.stdin.buffer if sys.stdin is not None else None
    with opened_log(places, stdin=stdin, progress=progress) as log:
        yield log
