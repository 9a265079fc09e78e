"""Signatures of the failures in real CI logs: two bugs never share one, two runs of a bug always do."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Callable, Iterator
from functools import cache
from itertools import combinations
from typing import Any

import pytest

from pytest_repro.logs.reader import read_log
from pytest_repro.logs.records import CiFailure
from pytest_repro.model import Signature
from pytest_repro.scaffold.context import signature_of
from pytest_repro.signature import differences, same_failure
from tests.unit.logs.test_logs_reader import sample_logs

Row = dict[str, Any]
Signed = tuple[CiFailure, Signature]

pytestmark = pytest.mark.skipif(
    not (sample_logs() / "index.json").is_file(), reason="the sample logs are not on this machine"
)


def _rows() -> list[Row]:
    rows: list[Row] = json.loads((sample_logs() / "index.json").read_text("utf-8"))
    return rows


@cache
def _signed(text: bytes) -> list[Signed]:
    report = read_log(io.BytesIO(text))
    return [(failure, signature_of(failure, report)) for failure in report.failures]


def _text(row: Row) -> bytes:
    return sample_logs().joinpath(str(row["file"])).read_bytes()


def _read_by_hand(row: Row) -> Iterator[tuple[Row, Signature]]:
    """Yields what a person has read in a log beside the signature of the same failure."""
    truths = {(truth["nodeid"], truth["outcome"]): truth for truth in row["tests"]}
    for failure, signature in _signed(_text(row)):
        truth = truths.get((failure.nodeid, failure.outcome.value))
        if truth is not None:
            yield truth, signature


def _contradict(one: Row, other: Row) -> bool:
    return any(one[name] and other[name] and one[name] != other[name] for name in ("exception", "location"))


def test_two_failures_of_a_log_with_another_exception_or_place_never_share_a_signature() -> None:
    """Nor could one be taken for the other where less is known of it."""
    pairs = [
        (row["id"], one[1], other[1])
        for row in _rows()
        for one, other in combinations(_read_by_hand(row), 2)
        if _contradict(one[0], other[0])
    ]
    assert [pair for pair in pairs if same_failure(pair[1], pair[2])] == []
    assert len(pairs) > 400


def test_failures_of_one_test_in_two_logs_of_a_project_are_the_same() -> None:
    """Where exception and place are the same to a person; there may be none."""
    projects: dict[str, list[tuple[str, Row, Signature]]] = {}
    for row in _rows():
        failures = projects.setdefault(row["source"]["repo"], [])
        failures += [(row["id"], truth, signature) for truth, signature in _read_by_hand(row)]
    for failures in projects.values():
        for (log, one, signature), (other_log, other, other_signature) in combinations(failures, 2):
            is_again = log != other_log and one["nodeid"] == other["nodeid"] and not _contradict(one, other)
            assert not is_again or differences(signature, other_signature) == (), (log, other_log)


def _moved(found: re.Match[bytes]) -> bytes:
    return found[1] + str(int(found[2]) + 7).encode()


ANOTHER_RUN: tuple[tuple[re.Pattern[bytes], Callable[[re.Match[bytes]], bytes]], ...] = (
    (re.compile(rb"(\.py[:\"](?:, line )?)(\d+)(?=\D)"), _moved),
    (re.compile(rb"0x[0-9a-f]{6,}"), lambda found: b"0x" + found[0][:1:-1]),
    (re.compile(rb"(pytest-of-\w+/pytest-)(\d+)"), _moved),
    (re.compile(rb"( in )(\d+)(?=\.\d+s)"), _moved),
)


def test_another_run_of_a_failure_has_the_same_signature() -> None:
    """Every log again, with all code seven lines further down, at other addresses and in other folders."""
    failures = 0
    for row in _rows():
        text = again = _text(row)
        for pattern, replacement in ANOTHER_RUN:
            again = pattern.sub(replacement, again)
        one, other = (
            [(failure.nodeid, signature) for failure, signature in _signed(each)] for each in (text, again)
        )
        assert one == other, row["id"]
        failures += len(one)
    assert failures > 100


def test_the_statement_is_known_where_a_log_shows_the_source() -> None:
    """Pytest marks the failing line with `>`."""
    marked = [
        signature
        for row in _rows()
        for failure, signature in _signed(_text(row))
        if failure.place is not None and re.search(r"^>   +(?!\?\?\?)", failure.text, re.MULTILINE)
    ]
    assert len([one for one in marked if one.statement is not None]) >= len(marked) - 1 >= 20
