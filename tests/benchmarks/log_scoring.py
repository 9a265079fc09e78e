"""Prints precision and recall of the log reader for each field, against logs with hand-read truth.

Run it as `python tests/benchmarks/log_scoring.py LOGS_DIR [--show FIELD|all] [--by-kind]
[--minimum 0.95] [--minimum test=0.98]`. It ends with 1 if a precision or a recall is lower than asked.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pytest_repro.logs.reader import read_log_file
from pytest_repro.logs.records import CiFailure, LogOutcome, LogReport, Origin
from pytest_repro.model import Frame

Row = dict[str, Any]


@dataclass(slots=True)
class Score:
    """Counts of one field: what was right, what was read wrongly, what was missed."""

    right: int = 0
    wrong: int = 0
    missed: int = 0

    def add(self, expected: object, read: object, *, same: bool) -> bool:
        """Counts one comparison; returns whether it was right. Nothing to read is no comparison."""
        if same and expected is not None:
            self.right += 1
            return True
        self.wrong += read is not None
        self.missed += expected is not None
        return expected is None and read is None

    @property
    def precision(self) -> float:
        """Share of what was read that is right; 1 where nothing was read."""
        return self.right / (self.right + self.wrong) if self.right + self.wrong else 1.0

    @property
    def recall(self) -> float:
        """Share of what is there that was read rightly; 1 where there is nothing."""
        return self.right / (self.right + self.missed) if self.right + self.missed else 1.0


class Scores:
    """Scores by field, in all and for each kind of log, with the mistakes that were made."""

    def __init__(self) -> None:
        self.fields: dict[str, Score] = {}
        self.kinds: dict[str, dict[str, Score]] = {}
        self.mistakes: dict[str, list[str]] = {}

    def add(self, field: str, row: Row, expected: object, read: object, *, same: bool) -> None:
        """Counts one comparison and keeps it if it was a mistake."""
        self.kinds.setdefault(row["kind"], {}).setdefault(field, Score()).add(expected, read, same=same)
        if not self.fields.setdefault(field, Score()).add(expected, read, same=same):
            self.mistakes.setdefault(field, []).append(f"{row['id']}: expected {expected!r}, read {read!r}")


def main(argv: list[str] | None = None) -> int:
    """Scores all logs of a folder; ends with 1 if a field is below the minimum."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("logs", type=Path, metavar="LOGS_DIR")
    parser.add_argument(
        "--show", metavar="FIELD", action="append", default=[], help="list the mistakes of a field, or of all"
    )
    parser.add_argument("--by-kind", action="store_true", help="print a table for each kind of log too")
    parser.add_argument(
        "--minimum",
        metavar="[FIELD=]SHARE",
        type=_minimum,
        action="append",
        default=[],
        help="lowest precision and recall that is good enough, for one field or for those not named",
    )
    options = parser.parse_args(argv)
    scores = score_folder(options.logs)
    for line in table(scores.fields):
        sys.stdout.write(line + "\n")
    for kind, fields in sorted(scores.kinds.items()) if options.by_kind else ():
        sys.stdout.write(f"\n{kind}\n" + "".join(f"  {line}\n" for line in table(fields)))
    for field, mistakes in scores.mistakes.items():
        if field in options.show or "all" in options.show:
            sys.stdout.write("\n" + field + "\n" + "\n".join(f"  {mistake}" for mistake in mistakes) + "\n")
    low = list(too_low(scores.fields, dict(options.minimum)))
    for line in low:
        sys.stderr.write(line + "\n")
    return 1 if low else 0


def _minimum(text: str) -> tuple[str, float]:
    field, _, share = text.rpartition("=")
    return field, float(share)


def too_low(fields: dict[str, Score], minima: dict[str, float]) -> Iterator[str]:
    """Yields a line for each field that is below its minimum, and for each minimum of no field.

    Args:
        fields: What was reached.
        minima: Shares by field; the one of the empty name holds for fields that are not named.
    """
    for field in minima.keys() - fields.keys() - {""}:
        yield f"{field}: nothing of this field was compared."
    for field, score in fields.items():
        least = minima.get(field, minima.get("", 0.0))
        reached = min(score.precision, score.recall)
        if reached < least:
            yield f"{field}: {reached:.1%} is below the minimum of {least:.1%}."


def table(fields: dict[str, Score]) -> Iterator[str]:
    """Yields the lines of the table."""
    yield f"{'field':<14}{'precision':>10}{'recall':>10}{'right':>8}{'wrong':>8}{'missed':>8}"
    for field, score in fields.items():
        yield (
            f"{field:<14}{score.precision:>10.1%}{score.recall:>10.1%}"
            f"{score.right:>8}{score.wrong:>8}{score.missed:>8}"
        )


def score_folder(folder: Path) -> Scores:
    """Reads each log that the folder's index names, and compares."""
    scores = Scores()
    for row in json.loads((folder / "index.json").read_text("utf-8")):
        score_row(scores, row, read_log_file(folder / row["file"]))
    return scores


def score_row(scores: Scores, row: Row, report: LogReport) -> None:
    """Compares one report with its row of the index."""
    _score_tests(scores, row, report)
    _score_run(scores, row, report)
    _score_session(scores, row, report)
    _score_variables(scores, row, report)


def _score_tests(scores: Scores, row: Row, report: LogReport) -> None:
    left = list(report.failures)
    for truth in row["tests"]:
        read = _take(left, truth)
        scores.add("test", row, truth["nodeid"], read.nodeid if read else None, same=read is not None)
        if read is None:
            continue
        scores.add(
            "outcome", row, truth["outcome"], read.outcome.value, same=read.outcome.value == truth["outcome"]
        )
        inferred = truth.get("exception") or truth.get("exception_inferred")
        exception = read.exception
        if truth.get("exception") is None and exception != inferred:
            inferred = None
        if truth.get("exception") is None and exception is None:
            inferred = None
        scores.add("exception", row, inferred, exception, same=inferred == exception)
        scores.add("message", row, truth["message"], read.message, same=_same_message(truth, read.message))
        place = _place(read.place)
        location = truth["location"]
        scores.add("place", row, location, place, same=_same_place(location, place))
        if truth.get("test_frame"):
            here = _place(read.test_place)
            scores.add(
                "test place", row, truth["test_frame"], here, same=_same_place(truth["test_frame"], here)
            )
        if truth.get("phase") in {"collect", "setup", "call", "teardown"}:
            stage = read.stage.value if read.stage else None
            scores.add("stage", row, truth["phase"], stage, same=stage == truth["phase"])
        if truth.get("worker"):
            scores.add("worker", row, truth["worker"], read.worker, same=read.worker == truth["worker"])
    for extra in left:
        scores.add("test", row, None, extra.nodeid, same=False)


def _take(left: list[CiFailure], truth: Row) -> CiFailure | None:
    same = [one for one in left if one.nodeid == truth["nodeid"]]
    best = next((one for one in same if one.outcome.value == truth["outcome"]), same[0] if same else None)
    if best is not None:
        left.remove(best)
    return best


def _same_message(truth: Row, read: str | None) -> bool:
    expected, note = truth["message"], truth.get("message_note")
    if expected is None or read is None:
        return expected is read
    if note is None:
        return bool(" ".join(expected.split()) == " ".join(read.split()))
    core = str(expected).rstrip(".").rstrip()
    return core in read or bool(note == "log-truncated" and read.rstrip(".").rstrip() in str(expected))


def _place(frame: Frame | None) -> str | None:
    return f"{frame.file}:{frame.line}" if frame else None


def _same_place(expected: str | None, read: str | None) -> bool:
    if expected is None or read is None:
        return expected == read
    return expected.replace("\\", "/") == read.replace("\\", "/")


_EQUIVALENT = {"not-a-test-failure": "no-test-failure"}


def _score_run(scores: Scores, row: Row, report: LogReport) -> None:
    expected = row.get("row_outcome")
    if expected is None:
        return
    expected = _EQUIVALENT.get(expected, expected)
    read = report.outcome
    if read is LogOutcome.PASSED and expected == "no-test-failure":
        read = LogOutcome.NO_TEST_FAILURE
    scores.add("run outcome", row, expected, read.value, same=read.value == expected)


def _score_session(scores: Scores, row: Row, report: LogReport) -> None:
    session = report.session
    command = session.command.value if session.command else None
    expected = row.get("command")
    if expected is not None or not row.get("commands_other"):
        same = expected is not None and command is not None and expected.split() == command.split()
        scores.add("command", row, expected, command, same=same)
    for field in ("python", "pytest", "platform", "job", "step"):
        found = getattr(session, field)
        read = found.value if found else None
        if row.get(field) is not None:
            scores.add(field, row, row[field], read, same=read == row[field])


def _score_variables(scores: Scores, row: Row, report: LogReport) -> None:
    read = {one.name: one for one in report.session.variables}
    for group in ("env", "exports", "env_shown"):
        for name, value in (row.get(group) or {}).items():
            one = read.get(name)
            same = one is not None and (one.is_secret or _plain(one.value) == _plain(str(value)))
            scores.add(
                "environment", row, f"{name}={value}", f"{name}={one.value}" if one else None, same=same
            )
    if row.get("env"):
        known = {*row["env"], *(row.get("exports") or {}), *(row.get("env_shown") or {})}
        for name, one in read.items():
            if name not in known and one.origin is not Origin.MENTION:  # mentions are labelled in part only
                scores.add("environment", row, None, f"{name}={one.value}", same=False)


def _plain(value: str | None) -> str:
    return (value or "").strip().strip("\"'")


if __name__ == "__main__":
    raise SystemExit(main())
