"""Sessions that ran side by side and printed into one log are read as if each had had a log of its own."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from itertools import chain, zip_longest

import pytest

from pytest_repro.logs.formats import log_lines
from pytest_repro.logs.history import read_history
from pytest_repro.logs.reader import read_log
from pytest_repro.logs.records import LogReport
from tests.unit.logs.wrappings import SESSION

UNIT = ["+ pytest -v tests/unit", *SESSION.replace("tests/", "tests/unit/").splitlines()]
SLOW = [
    "+ pytest -v tests/slow",
    *SESSION.replace("tests/", "tests/slow/")
    .replace("5 == 4", "9 == 4")
    .replace("no line", "cut")
    .splitlines(),
]
TIME = "2026-11-01T10:00:00.1234567Z "


def read(lines: list[str]) -> LogReport:
    return read_log(io.BytesIO("".join(f"{line}\n" for line in lines).encode()))


def told(report: LogReport) -> list[tuple[object, ...]]:
    return sorted(
        (one.nodeid, one.outcome.value, one.exception, one.message, one.place, one.text)
        for one in report.failures
    )


def interleaved(unit: list[str], slow: list[str], turn: int) -> list[str]:
    """So many lines of the one, then as many of the other."""
    both = zip_longest(*(_turns(lines, turn) for lines in (unit, slow)), fillvalue=[])
    return list(chain.from_iterable(chain(one, other) for one, other in both))


def _turns(lines: list[str], turn: int) -> Iterator[list[str]]:
    return (lines[start : start + turn] for start in range(0, len(lines), turn))


PREFIXES: dict[str, Callable[[str], str]] = {
    "jenkins": lambda name: f"[{name}] ",
    "jenkins, timed": lambda name: f"[2026-11-01T10:00:00.123Z] [{name}] ",
    "docker compose": lambda name: f"{name}-1  | ",
    "docker compose in GitHub": lambda name: f"{TIME}{name}-1  | ",
    "GNU parallel": lambda name: f"{name}\t",
    "GNU parallel, with arguments": lambda name: f"-n 2 tests/{name}\t",
    "columns of gh": lambda name: f"{name}\tRun tests\t{TIME}",
    "act": lambda name: f"[CI/{name}]   | ",
    "kubectl": lambda name: f"[pod/{name}-x7/main] ",
    "BuildKit": lambda name: f"#{len(name) + (name == 'unit')} 1.234 ",
    "a name and a colon": lambda name: f"{name}: ",
}


@pytest.mark.parametrize("turn", [1, 3, 40])
@pytest.mark.parametrize("prefix", PREFIXES.values(), ids=PREFIXES)
def test_sessions_of_two_branches_are_not_mixed(prefix: Callable[[str], str], turn: int) -> None:
    """Failing tests with message, place and text are those of the two logs, however the lines alternate."""
    unit = [f"{prefix('unit')}{line}" for line in UNIT]
    slow = [f"{prefix('slow')}{line}" for line in SLOW]
    assert told(read(interleaved(unit, slow, turn))) == sorted(told(read(UNIT)) + told(read(SLOW)))


def test_each_branch_has_its_own_command() -> None:
    """Not the one that the other branch has called last."""
    unit, slow = ([f"[{name}] {line}" for line in lines] for name, lines in (("unit", UNIT), ("slow", SLOW)))
    report = read(interleaved(unit, [line for line in slow if "test_valve" not in line], 1))
    assert report.session.command is not None
    assert report.session.command.value == "pytest -v tests/unit"
    assert [one.value for one in report.other_commands] == ["pytest -v tests/slow"]


def test_a_test_that_passes_in_another_job_is_not_flaky() -> None:
    """Jobs of a matrix run the same tests; only the same job tries one again."""
    passing = [line.replace("FAILED  ", "PASSED  ") for line in SESSION.splitlines() if "%]" in line]
    jobs = {"py310": SESSION.splitlines(), "py311": ["===== test session starts =====", *passing]}
    report = read([f"{job}\tTest\t{TIME}{line}" for job, lines in jobs.items() for line in lines])
    assert len(report.failures) >= 3
    assert not report.is_flaky


def test_the_history_of_a_test_is_that_of_its_branch() -> None:
    unit, slow = ([f"[{name}] {line}" for line in lines] for name, lines in (("unit", UNIT), ("slow", SLOW)))
    data = "\n".join(interleaved(unit, slow, 1)).encode()
    failure = next(one for one in read_log(io.BytesIO(data)).failures if "slow" in one.nodeid)
    history = read_history(log_lines(io.BytesIO(data)), failure)
    assert history is not None
    assert history.tests == (
        "tests/slow/test_pump.py::test_start",
        "tests/slow/test_pump.py::test_pressure[1-\u00b5bar]",
    )


def test_what_a_test_shows_of_containers_is_its_output() -> None:
    """A session that a test has run in a container, and printed, is none of the log's."""
    inner = [f"tests-1  | {line}" for line in UNIT]
    lines = SESSION.splitlines()
    place = next(number for number, line in enumerate(lines) if "Captured stdout" in line) + 1
    assert (
        told(read([*lines[:place], *inner, *lines[place:]]))[0][0]
        == "tests/test_pump.py::test_pressure[1-\u00b5bar]"
    )
    report = read([*lines[:place], *inner, *lines[place:]])
    assert all("unit" not in one.nodeid for one in report.failures)


def test_the_end_of_a_step_ends_what_it_has_started() -> None:
    """A container that dies within a test leaves the test that was running, as a process does."""
    shown = [f"{TIME}tests-1  | {line}" for line in UNIT[:8]]
    running = f"{TIME}tests-1  | tests/unit/test_pump.py::test_stop "
    report = read([*shown, running, f"{TIME}##[error]Process completed with exit code 137."])
    assert ("tests/unit/test_pump.py::test_stop", "crash") in [
        (one.nodeid, one.outcome.value) for one in report.failures
    ]
