"""Logs that were indented, quoted or shown by a tool: what is common to all lines is no part of them."""

from __future__ import annotations

import io
from collections.abc import Callable

import pytest

from pytest_repro.logs.quoting import QuotingFinder
from pytest_repro.logs.reader import read_log
from pytest_repro.logs.records import LogReport

SESSION = """\
$ pytest tests/test_pump.py -k pressure
============================= test session starts ==============================
platform linux -- Python 3.11.4, pytest-8.1.1, pluggy-1.4.0
collected 2 items

tests/test_pump.py .F                                                    [100%]

=================================== FAILURES ===================================
________________________________ test_pressure _________________________________

    def test_pressure():
        pump = Pump()
>       assert pump.read() == 3
E       assert 2 == 3
E        +  where 2 = read()

tests/test_pump.py:9: AssertionError
=========================== short test summary info ============================
FAILED tests/test_pump.py::test_pressure - assert 2 == 3
========================= 1 failed, 1 passed in 0.04s ==========================
"""


def read(text: str) -> LogReport:
    return read_log(io.BytesIO(text.encode()))


def told(report: LogReport) -> tuple[object, ...]:
    session = report.session
    return (
        [(one.nodeid, one.outcome, one.exception, one.message, one.place) for one in report.failures],
        session.command and session.command.value,
        session.python and session.python.value,
        report.outcome,
    )


@pytest.mark.parametrize(
    "prefix",
    [
        pytest.param("    ", id="indented"),
        pytest.param("\t", id="tab"),
        pytest.param("> ", id="quoted"),
        pytest.param("| ", id="table"),
        pytest.param("tests-1  | ", id="compose"),
        pytest.param("[CI/unit tests] | ", id="act"),
        pytest.param("2024-03-05 10:11:12,345 ", id="time of no zone"),
        pytest.param("[2024/03/05 10:11:12] ", id="time in brackets"),
        pytest.param("Mar  5 10:11:12 runner-3 ci[412]: ", id="syslog"),
        pytest.param("12.345 ", id="BuildKit's seconds"),
        pytest.param("    2024-03-05T10:11:12.1234567Z ", id="indented Actions log"),
        pytest.param("> [  31s] ", id="quoted build service"),
    ],
)
def test_a_prefix_of_all_lines_is_taken_off(prefix: str) -> None:
    quoted = "\n".join(prefix + line for line in SESSION.splitlines())
    assert told(read(quoted)) == told(read(SESSION))


def test_blank_lines_may_lack_the_prefix_and_the_first_line_its_indentation() -> None:
    first, *rest = SESSION.splitlines()
    quoted = "\n".join([first, *(f"      {line}" if line else "" for line in rest)])
    assert told(read(quoted)) == told(read(SESSION))


@pytest.mark.parametrize(
    "shift", [lambda line: f"    {line}", lambda line: f"> {line}", lambda line: f"app | {line}"]
)
def test_an_inner_session_that_a_test_printed_stays_quoted(shift: Callable[[str], str]) -> None:
    inner = [shift(line) for line in SESSION.replace("test_pump", "test_inner").splitlines()[1:]]
    outer = SESSION.splitlines()
    text = "\n".join([*outer[:17], "----- Captured stdout call -----", *inner * 15, *outer[17:]])
    assert [one.nodeid for one in read(text).failures] == ["tests/test_pump.py::test_pressure"]


def test_source_code_that_is_indented_is_no_quoted_log() -> None:
    assert (
        QuotingFinder(
            ["    def test_one():", "        x = 1", ">       assert x == 2", "E       assert 1 == 2"]
        ).find()
        is None
    )


def test_lines_of_which_few_carry_it_have_no_prefix() -> None:
    assert QuotingFinder(["one", "two", "three", "    =========== FAILURES ==========="]).find() is None


def test_the_end_of_a_lost_colour_does_not_hide_a_rule() -> None:
    text = SESSION.replace("____ test_pressure", "____ test_pressure").replace("\n____", "\n1m____")
    text = "\n".join(
        line for line in text.splitlines() if "short test summary" not in line and "FAILED" not in line
    )
    assert [one.nodeid for one in read(text).failures] == ["tests/test_pump.py::test_pressure"]
