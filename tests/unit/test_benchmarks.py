"""What the benchmarks make of what they measured; they themselves are run by hand."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from pytest_repro.report.comparison.judgement import judge
from pytest_repro.report.comparison.measured import Key, Measured, Quantity, sample_of
from tests.benchmarks import compare_same, flaky_cases, stress_rate, timing_cuda
from tests.benchmarks.flaky_cases import Ending
from tests.benchmarks.stress_rate import cell_of, expected_ns, ratio, table
from tests.unit.report.session_records import write_session


def rate_sessions(*durations_ms: int) -> list[stress_rate.Session]:
    return [
        stress_rate.Session(duration_ns=duration_ms * 10**6, memory_bytes=30_000_000 + duration_ms)
        for duration_ms in durations_ms
    ]


def test_a_rate_leaves_start_up_out_and_takes_the_best_of_the_rounds() -> None:
    """20,000 iterations in 10.0 s, one in 0.5 s: 19,999 in 9.5 s."""
    cell = cell_of(20_000, rate_sessions(10_100, 10_000), rate_sessions(500, 510, 900))
    assert cell.rate == pytest.approx(19_999 / 9.5)
    assert cell.is_sure
    assert cell.duration_ns == 10_000_000_000
    assert cell.memory_bytes == 30_010_000


def test_a_rate_near_the_scatter_is_marked_and_one_below_it_is_not_said() -> None:
    """A difference of 60 ms says something where start-up scatters by 40 ms, nothing where by 70 ms."""
    marked = cell_of(1_000, rate_sessions(560), rate_sessions(500, 540))
    assert not marked.is_sure
    assert stress_rate.rate(marked) == "~16,650"
    drowned = cell_of(1_000, rate_sessions(560), rate_sessions(500, 570))
    assert stress_rate.rate(drowned) == "~"
    assert ratio(drowned, marked) == ratio(marked, drowned) == "-"


def test_a_small_stress_run_is_measured_with_its_start_up() -> None:
    """100 iterations in a session of half a second are 200 a second."""
    assert cell_of(100, rate_sessions(500), rate_sessions(499)).rate == pytest.approx(200)


def test_what_a_session_will_take_grows_with_its_work_alone() -> None:
    """Ten times the iterations take ten times the 9.5 s, and start-up once; scatter may make it less."""
    starts = rate_sessions(500)
    assert expected_ns(200_000, 20_000, rate_sessions(10_000), starts) == 95_500_000_000
    assert expected_ns(200_000, 20_000, rate_sessions(10_000), rate_sessions(500, 1_000)) == 90_500_000_000
    assert expected_ns(200_000, 20_000, rate_sessions(400), starts) == 500_000_000


def test_what_was_not_measured_has_no_number_in_the_table() -> None:
    """A dash, the limit of a session that was ended, and never the ratio to nothing."""
    cell = cell_of(1_000_000, rate_sessions(8_500), rate_sessions(500))
    cells = {("--repro-stress", "alone"): cell}
    ended = {("pytest-repeat", "-n 2"): 80.0}
    repeat, ours = table(1_000_000, cells, ["pytest-repeat", "--repro-stress"], ended)
    assert repeat.split() == ["pytest-repeat", "-", "-", "-", "-", "-", ">80", "s", "-", "-"]
    assert ours.split()[1:] == ["125,000", "8.50", "s", "30", "MB", "-", "-", "-", "-", "-"]


def test_no_line_of_the_rates_is_wider_than_a_hundred_columns() -> None:
    """Also with nearly a million iterations a second."""
    slow, fast = rate_sessions(900_000, 990_000), rate_sessions(1_501)
    cells = {
        (tool, mode): cell_of(1_000_000, sessions, rate_sessions(500))
        for tool, sessions in (("pytest-repeat", slow), ("--repro-stress", fast))
        for mode in stress_rate.MODES
    }
    lines = [*stress_rate.heading(), *table(1_000_000, cells, ["pytest-repeat", "--repro-stress"], {})]
    assert max(map(len, lines)) <= 100
    assert "898.6x" in lines[-1]


def flaky_session(duration_s: float, ending: Ending = Ending.FOUND) -> flaky_cases.Session:
    return flaky_cases.Session(duration_ns=int(duration_s * 10**9), ending=ending, message="no such option")


def cells_of(*sessions: flaky_cases.Session) -> str:
    return " ".join(flaky_cases.row("tool", sessions, limit_s=60).split())


def judged(status: int, output: str) -> tuple[Ending, str]:
    return flaky_cases.judge(status=status, output=output, failure="Too many")


def test_a_failure_that_was_not_found_counts_as_later_than_all_and_never_as_the_limit() -> None:
    """The median is of all sessions; where it falls on one that found nothing there is none."""
    found, limit = flaky_session(2), flaky_session(60, Ending.LIMIT)
    assert cells_of(found, flaky_session(4), limit) == (
        "tool 2 of 3 4.0 s 2.0 to 4.0 s, not found within 60 s"
    )
    assert cells_of(found, limit) == "tool 1 of 2 - 2.0 to 2.0 s, not found within 60 s"
    passed: Sequence[flaky_cases.Session] = [flaky_session(1, Ending.PASSED)] * 3
    assert cells_of(*passed) == "tool 0 of 3 - all iterations passed"


def test_a_tool_that_met_an_error_has_a_row_with_its_message() -> None:
    """Nothing is said about times there."""
    assert cells_of(flaky_session(1, Ending.ERROR)) == "tool error, no such option"


def test_only_the_failure_of_the_case_counts_as_found() -> None:
    """Another failure, a usage error and a crash are errors; xdist ends with 2 where -x stopped it."""
    assert judged(1, "E Too many iterations") == (Ending.FOUND, "")
    assert judged(2, "E Too many iterations") == (Ending.FOUND, "")
    assert judged(0, "1 passed") == (Ending.PASSED, "")
    assert judged(1, "E KeyError\n1 failed\n") == (Ending.ERROR, "exit status 1: 1 failed")
    assert judged(4, "usage: x\npytest: error: unrecognized arguments: --y\n  inifile: None\n") == (
        Ending.ERROR,
        "exit status 4: unrecognized arguments: --y",
    )
    assert judged(-9, "") == (Ending.ERROR, "exit status -9: no output")


def test_the_error_of_attribution_is_told_in_per_cent_of_the_events() -> None:
    """The largest one is named below the table, and phases that are not those expected under their call."""
    exact = timing_cuda.Result("matmul", 1000, 1010, 500, 1500)
    off = timing_cuda.Result("to host", 2000, 1000, 500, 1000, "of 3 phases 2 are as expected")
    assert timing_cuda.error_percent(exact) == pytest.approx(1)
    _, first, second, problem, worst = timing_cuda.table([exact, off])
    assert first.split() == [
        "matmul",
        "1.0",
        "us",
        "1.0",
        "us",
        "+1.0",
        "%",
        "0.5",
        "us",
        "1.5",
        "us",
        "3.00",
        "x",
    ]
    assert second.split()[-2:] == ["2.00", "x"]
    assert problem == "  of 3 phases 2 are as expected"
    assert worst == "largest attribution error: -50.0 % (to host)"


def test_without_a_gpu_the_cuda_benchmark_says_so_and_succeeds(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nobody takes an empty table for a measurement."""
    monkeypatch.setattr(timing_cuda, "reason_against", lambda: "torch is not installed")
    assert timing_cuda.main() == 0
    assert capsys.readouterr().out == (
        "Nothing was measured: torch is not installed. This benchmark needs torch with CUDA and a GPU.\n"
    )


def test_pairs_that_differ_are_named_and_counted(capsys: pytest.CaptureFixture[str]) -> None:
    """A row that is certain makes its pair differ; contended pairs are counted apart."""
    lone, slow = (
        Measured(
            counts={},
            values={
                Key(test="a.py::t", quantity=Quantity.DURATION, name="duration"): sample_of(
                    np.asarray([base + number % 3 for number in range(30)])
                )
            },
        )
        for base in (100.0, 200.0)
    )
    judged = [
        compare_same.Judged(pair=f"pair {number}", judgement=judge(lone, other), is_contended=number == 1)
        for number, other in enumerate((lone, slow))
    ]
    assert compare_same.told(judged).startswith("1 of 2 pairs are the same in all rows (")
    assert compare_same.told(judged).endswith("1 were contended; rows: {'same': 1, 'higher': 1}")
    assert "pair 1: t duration duration slower by +9" in capsys.readouterr().out
    assert compare_same.told([]) == "no pair was measured"


def test_an_interrupted_measuring_is_judged(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """An hour of pairs is not lost with the last of them."""

    def interrupted(root: Path, number: int) -> None:
        for minute in range(3):
            write_session(root, minute=minute, facts={"tag": "pair-0"}, summary={"exit_status": 0})
        raise KeyboardInterrupt

    monkeypatch.setattr(compare_same, "measure_pairs", interrupted)
    monkeypatch.setattr("sys.argv", ["compare_same.py", "--into", str(tmp_path)])
    compare_same.main()
    shown = capsys.readouterr().out.splitlines()
    assert shown[0] == "interrupted: what was measured is judged"
    assert shown[1].startswith("1 of 1 pairs are the same in all rows")
