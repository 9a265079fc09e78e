"""What a run of base or fix tells beside its report: why tests failed, and whose code ran."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pytest_repro.errors import StoreError
from pytest_repro.signature import signature_from_dict
from pytest_repro.store import read_json, read_json_lines
from pytest_repro.verify.certificate.trials import Seen, Side, Trial
from pytest_repro.verify.runs import Run

EVIDENCE = "evidence.json"
"""File in the folder of a run."""

_STRESS_FAILURES = "failures.jsonl"


def evidence_record(*, failures: Sequence[Mapping[str, Any]], foreign: Sequence[str]) -> dict[str, Any]:
    """Returns what a run writes when its session ends.

    Args:
        failures: For each failing test its node id, signature and message.
        foreign: Modules that came from elsewhere than the run's own worktree.
    """
    return {
        "failures": list(failures),
        "foreign": list(dict.fromkeys(foreign)),
    }


def trial_of(side: Side, run: Run, folder: Path) -> Trial:
    """Reads what a run has left in its folder.

    Of a run that was killed nothing is known of its code; its report is missing too.

    Args:
        side: Which one it was of.
        run: As it reported itself.
        folder: Its folder.
    """
    try:
        told = read_json(folder / EVIDENCE)
    except StoreError:
        told = evidence_record(failures=(), foreign=())
    failures = [_seen(one) for one in told["failures"]]
    if (folder / _STRESS_FAILURES).exists():
        failures += _of_stress(folder / _STRESS_FAILURES)
    distinct = {(seen.test, seen.kind): seen for seen in failures}
    return Trial(
        side=side,
        run=run,
        failures=tuple(distinct.values()),
        foreign=tuple(told["foreign"]),
    )


def _of_stress(path: Path) -> list[Seen]:
    try:
        return [_seen(record) for record in read_json_lines(path)]
    except StoreError:
        return []


def _seen(record: Mapping[str, Any]) -> Seen:
    signature = record["signature"]
    return Seen(
        test=record["test"],
        signature=None if signature is None else signature_from_dict(signature),
        message=record["message"],
    )
