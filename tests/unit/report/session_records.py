"""Records of small sessions, written by the store itself, for tests of what reads them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

from pytest_repro.store import FACTS, STATE, SessionFolder, Store, read_json

NOON = datetime(2026, 11, 1, 12, tzinfo=timezone.utc)


def write_session(
    root: Path,
    *,
    minute: int = 0,
    kind: str = "stress",
    facts: Mapping[str, Any] | None = None,
    summary: Mapping[str, Any] | None = None,
    records: Mapping[str, Iterable[Mapping[str, Any]]] | None = None,
) -> SessionFolder:
    """Writes one session that began some minutes after noon and took ten seconds.

    Args:
        root: Of the project.
        minute: After noon.
        kind: What it did.
        facts: Beside those that every session has.
        summary: What it learned, None for a session that was broken off.
        records: Lines of its JSON Lines files, by file name.
    """
    began = NOON + timedelta(minutes=minute)
    session = Store(root).begin(kind, now=began, keep=10_000)
    session.note_running()
    told = {"kind": kind, "began": began.isoformat(), "command": "pytest", "tag": None, **(facts or {})}
    session.write_json(FACTS, told)
    for name, lines in (records or {}).items():
        for line in lines:
            session.append(name, line)
    if summary is not None:
        session.conclude(summary)
        session.note_finished(began + timedelta(seconds=10))
        # What this process had to wait for is no part of the session that it plays.
        session.write_json(STATE, {**read_json(session.path / STATE), "processor": None})
    else:
        session.write_json("state.json", {"state": "running", "pid": 2**22 + 1, "host": "elsewhere-gone"})
        session.remove("state.json")
    session.close()
    return session


def batch(
    test: str,
    outcomes: Sequence[tuple[str, int]],
    durations_ns: Sequence[int],
    *,
    first: int = 1,
    step: int = 1,
    worker: str = "main",
    started_ns: int = 0,
) -> dict[str, Any]:
    """Returns a line of `iterations.jsonl`."""
    return {
        "test": test,
        "worker": worker,
        "first": first,
        "step": step,
        "started_ns": started_ns,
        "outcomes": [list(pair) for pair in outcomes],
        "hash_seeds": [],
        "durations_ns": list(durations_ns),
    }


def failure(test: str, iteration: int, *, message: str = "assert <n>", **other: Any) -> dict[str, Any]:
    """Returns a line of `failures.jsonl`."""
    signature = {
        "key": "0" * 12,
        "exception": "AssertionError",
        "message": message,
        "file": "test_a.py",
        "function": "test_a",
        "statement": None,
    }
    told = {"test": test, "iteration": iteration, "worker": "main", "outcome": "failed", "stage": "call"}
    return (
        told | {"signature": signature, "message": message, "seed": 1, "elapsed_ns": 5, "text": "E"} | other
    )
