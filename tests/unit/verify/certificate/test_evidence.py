"""What a run leaves in its folder beside its report."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from pytest_repro.model import Signature
from pytest_repro.signature import signature_to_dict
from pytest_repro.verify.certificate.evidence import EVIDENCE, evidence_record, trial_of
from pytest_repro.verify.certificate.trials import Seen, Side, Trial
from pytest_repro.verify.runs import Run

RUN = Run(number=2, exit_status=1, duration_ns=5, report=None)
BUG = Signature(exception="ValueError", message="lost", file="queue.py")


def _line(test: str, iteration: int) -> str:
    told = {"test": test, "iteration": iteration, "signature": signature_to_dict(BUG), "message": "lost"}
    return json.dumps(told) + "\n"


def test_a_run_tells_why_it_failed_and_whose_code_it_ran(tmp_path: Path) -> None:
    """A failure without an exception, as of a worker that died, has no signature."""
    failures: list[dict[str, Any]] = [
        {"test": "a", "signature": signature_to_dict(BUG), "message": "lost"},
        {"test": "b", "signature": None, "message": ""},
    ]
    record = evidence_record(failures=failures, foreign=["pkg from /x", "pkg from /x"])
    (tmp_path / EVIDENCE).write_text(json.dumps(record), encoding="utf-8")
    assert trial_of(Side.BASE, RUN, tmp_path) == Trial(
        side=Side.BASE,
        run=RUN,
        failures=(Seen(test="a", signature=BUG, message="lost"), Seen(test="b")),
        foreign=("pkg from /x",),
    )


def test_failing_iterations_of_one_bug_are_one_failure_of_the_run(tmp_path: Path) -> None:
    """A stress run inside tells of its failures by itself."""
    text = "".join(_line(test, iteration) for iteration in (3, 5) for test in ("a", "b"))
    (tmp_path / "failures.jsonl").write_text(text, encoding="utf-8")
    assert [seen.test for seen in trial_of(Side.FIX, RUN, tmp_path).failures] == ["a", "b"]


def test_a_run_that_was_killed_tells_nothing(tmp_path: Path) -> None:
    """Its report is missing too, which speaks against it."""
    assert trial_of(Side.FIX, RUN, tmp_path) == Trial(side=Side.FIX, run=RUN)
