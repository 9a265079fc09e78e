"""What `repro-scaffold` says."""

from __future__ import annotations

from collections.abc import Iterator

from pytest_repro.scaffold.context import Reproduction
from pytest_repro.scaffold.render import one_line
from pytest_repro.scaffold.write import Written


def folder_words(reproduction: Reproduction, written: Written) -> Iterator[str]:
    """Says what was made, and what is to be done with it."""
    yield f"{written.folder}: {len(written.files)} files"
    for path in written.files:
        yield f"  {path.relative_to(written.folder)}"
    for path in written.kept:
        yield f"  {path.relative_to(written.folder)} (your earlier version)"
    yield from _failure_words(reproduction)
    yield f"next: {written.folder / 'run_test.sh'}"


def _failure_words(reproduction: Reproduction) -> Iterator[str]:
    if not reproduction.has_log:
        yield f"no log was given: describe the failure in {reproduction.test_file}"
    elif reproduction.nodeid is None:
        yield "the log names no failing test: what it does say is in README.md"
    else:
        yield f"failing test: {one_line(reproduction.nodeid)}"
        yield (
            f"error: {one_line(reproduction.error)}"
            if reproduction.error
            else "error: not printed in the log"
        )
        if reproduction.source is None:
            yield "its source was not found: give its root with --source, or REPRO_SOURCE when running"
    if reproduction.others:
        yield f"other failing tests in the log: {len(reproduction.others)}, listed in README.md"
    if reproduction.secrets:
        yield f"to be set by hand: {', '.join(one_line(one.name) for one in reproduction.secrets)}"
