"""Profiles added up: stages, threads, iterations, names, and what is said of it all."""

from __future__ import annotations

from typing import Any

import pytest

from pytest_repro.model import Metric, Outcome, Phase, Profile, Stage, Transfer
from pytest_repro.report.timing import breakdown_record
from pytest_repro.timing import tally as tally_module
from pytest_repro.timing.formats import log_line, profile_from_payload, profile_to_payload
from pytest_repro.timing.lines import table_lines
from pytest_repro.timing.names import printable
from pytest_repro.timing.recorder import Recorder
from pytest_repro.timing.simulated import SimulatedBackend, SimulatedClock, SimulatedDevice
from pytest_repro.timing.summary import elapsed_ns, named_totals
from pytest_repro.timing.tally import TimingTally, breakdowns
from pytest_repro.timing.verdict import verdict
from pytest_repro.verify.limits import LimitKind, parse_limit

MS = 1_000_000
TEST = "test_a.py::test_a"


def phase(name: str = "op", took_ns: int = MS, **changes: Any) -> Phase:
    return Phase(**{"name": name, "start_ns": 0, "call_ns": took_ns, **changes})


def profile(*phases: Phase, iteration: int = 1, **changes: Any) -> Profile:
    values: dict[str, Any] = {"test": TEST, "worker": "main", "outcome": Outcome.PASSED}
    return Profile(**{**values, "iteration": iteration, "phases": phases, **changes})


def moved(size_bytes: int) -> Transfer:
    return Transfer(size_bytes=size_bytes, shape=(size_bytes,), dtype="uint8")


def test_what_fixtures_do_is_kept_apart_from_the_test() -> None:
    """In the table, the totals and the log: wide fixtures work for many tests."""
    phases = (
        phase("to_device", 9 * MS, stage=Stage.SETUP),
        phase("to_device", MS),
        phase("close", 2 * MS, stage=Stage.TEARDOWN),
    )
    assert named_totals(phases) == {"setup: to_device": 9 * MS, "to_device": MS, "teardown: close": 2 * MS}
    lines = table_lines([profile(*phases)])
    assert [line[2:22].strip() for line in lines[2:5]] == ["setup: to_device", "to_device", "teardown: close"]
    assert log_line(profile(*phases)).startswith("to_device=0.001s, op=0.000s, to_torch=0.000s, setup:_to_d")
    assert profile_from_payload(profile_to_payload(profile(*phases))) == profile(*phases)


def test_the_recorder_knows_the_stage_of_each_phase_also_of_merged_ones() -> None:
    """A thousand calls in setup are not merged with those of the test."""
    clock = SimulatedClock()
    recorder = Recorder(clock, keep=0)
    recorder.begin(Stage.SETUP)
    for stage in (Stage.SETUP, Stage.CALL):
        if stage is Stage.CALL:
            clock.advance(1)
            recorder.enter_stage(stage)
        for _ in range(2000):
            with recorder.phase("load"):
                clock.advance(1)
    phases, _ = recorder.finish()
    totals = named_totals(phases)
    assert totals == {"setup: load": 2000, "load": 2000}


def test_an_operation_tells_what_its_longest_call_worked_on() -> None:
    """The largest of its tensors, looked at for few calls; it goes the way of the payload."""
    clock = SimulatedClock()
    recorder, backend = Recorder(clock), SimulatedBackend()
    backend.attach(recorder)
    try:
        with SimulatedDevice(clock=clock) as device:
            recorder.begin()
            for size_bytes in (1000, 9000, 5000):
                x = device.to_device(size_bytes)
                device.operation("add", x, duration_ns=size_bytes)
            phases, _ = recorder.finish()
    finally:
        backend.detach()
    told = [one.operand for one in phases if one.name == "op"]
    assert [operand and operand.size_bytes for operand in told] == [None, 9000, None]
    sent = profile(*phases)
    assert profile_from_payload(profile_to_payload(sent)) == sent
    (row,) = [row for row in breakdowns([sent])[0].operations if row.operation == "add"]
    assert row.largest == moved(9000)


def test_a_tensor_that_cannot_be_described_fails_no_test() -> None:
    """The operation has no operand then."""
    recorder = Recorder(SimulatedClock())
    recorder.begin()
    span = recorder.automatic("op", "add")
    assert span is not None
    with span:
        span.works_on(lambda: moved(1 // 0))
    (one,), _ = recorder.finish()
    assert one.operand is None


def test_the_largest_tensor_has_a_column_where_there_is_room() -> None:
    """Else a line names that of the bottleneck."""
    add = phase(operation="ttnn.add", operand=Transfer(size_bytes=64, shape=(4, 8), dtype="bfloat16"))
    wide = table_lines([profile(add)], width=120)
    assert wide[1].endswith("largest tensor")
    assert wide[2].endswith("4x8 bfloat16, 64 B <<<")
    narrow = table_lines([profile(add)], width=60)
    assert "ttnn.add works on 4x8 bfloat16, 64 B at most." in narrow[-1]


def test_threads_at_the_same_time_add_up_and_say_so() -> None:
    """Shares stay parts of the whole; the time that passed is told."""
    beside = [phase("a", 4 * MS), phase("b", 4 * MS, thread=1, start_ns=2 * MS)]
    (found,) = breakdowns([profile(*beside)])
    assert (found.total_ns, found.elapsed_ns, found.threads) == (8 * MS, 6 * MS, 2)
    assert [row.share for row in found.rows] == [0.5, 0.5]
    assert (
        "TOTAL adds up what 2 threads did in part at the same time, in 6.00 ms."
        in table_lines([profile(*beside)])[-1]
    )


@pytest.mark.parametrize(
    ("spans", "elapsed"),
    [([], 0), ([(0, 5), (1, 2), (5, 1)], 6), ([(0, 1), (9, 1)], 2), ([(3, 0), (0, 4)], 4)],
)
def test_time_that_passed_counts_no_moment_twice(spans: list[tuple[int, int]], elapsed: int) -> None:
    """Gaps between phases are no phase."""
    assert elapsed_ns(phase("a", took, start_ns=start) for start, took in spans) == elapsed


def test_time_that_passed_is_not_guessed_for_merged_calls() -> None:
    """Nobody knows when each of them began."""
    assert elapsed_ns([phase("a", 5, calls=2)]) is None


def test_an_iteration_that_failed_inside_a_phase_is_left_out_of_its_medians() -> None:
    """Its time is cut short; how many there were is told."""
    profiles = [profile(phase("read", MS), iteration=number) for number in range(1, 8)]
    profiles.append(profile(phase("read", 1, is_open=True), iteration=8, outcome=Outcome.FAILED))
    (found,) = breakdowns(profiles)
    (series,) = found.series
    assert (series.failing, series.unfinished) == (None, 1)
    assert "1 failing iteration ended inside read: left out of its medians." in table_lines(profiles)[-1]


def test_a_process_that_died_tells_only_where_it_ended() -> None:
    """Its flight recorder holds some of the phases: they are in the table, and in no median."""
    profiles = [profile(phase("read", MS), iteration=number) for number in range(1, 4)]
    profiles += [
        profile(phase("load", 9 * MS), phase("read", is_open=True), iteration=number, outcome=Outcome.CRASH)
        for number in range(4, 8)
    ]
    (found,) = breakdowns(profiles)
    (series,) = found.series
    assert (series.name, series.failing, series.unfinished, series.comparison) == ("read", None, 4, None)
    assert {row.name: row.calls for row in found.rows} == {"load": 4, "read": 7}


def test_medians_of_iterations_are_shown_with_failing_ones_beside() -> None:
    """First calls stand apart; a difference that is no chance has a sentence, at any width."""
    profiles = [profile(phase("read", 50 * MS, cold=True))]
    profiles += [profile(phase("read", MS + number), iteration=number) for number in range(2, 22)]
    profiles += [
        profile(phase("read", 3 * MS + number), iteration=number, outcome=Outcome.FAILED)
        for number in range(22, 28)
    ]
    lines = table_lines(profiles, width=80)
    assert lines[0] == f"{TEST} (27 iterations, 6 failing)"
    assert lines[-4].split() == ["per", "iteration", "median", "95", "%", "interval", "cold", "failing"]
    assert " ".join(lines[-3].split()) == "read 1.00 ms 1.00 ms to 1.00 ms 50.0 ms 3.00 ms"
    assert "read is 3 times slower in failing iterations, p < 0.0001 (3.00 ms" in lines[-2]
    assert max(map(len, lines)) <= 80
    assert "interval, failing" in "\n".join(table_lines(profiles, width=200))
    assert max(len(line) for line in table_lines(profiles, width=60)) <= 60


def test_as_many_cold_iterations_as_warm_ones_are_told_apart_all_the_same() -> None:
    """Two workers and four iterations: two are cold, and the medians of both kinds are shown."""
    profiles = [
        profile(phase("read", 50 * MS if number < 2 else MS, cold=number < 2), iteration=number)
        for number in range(4)
    ]
    lines = table_lines(profiles)
    assert lines[-2].split() == ["per", "iteration", "median", "cold"]
    assert lines[-1].split() == ["read", "1.00", "ms", "50.0", "ms"]


def test_a_phase_that_was_never_left_has_no_row_of_medians() -> None:
    """How often iterations ended inside of it is told; a table of nothing is not shown."""
    profiles = [
        profile(phase("read", 1, is_open=True), iteration=number, outcome=Outcome.FAILED)
        for number in range(1, 4)
    ]
    lines = table_lines(profiles)
    assert lines[-2].split()[0] == "TOTAL"
    assert lines[-1] == "  3 failing iterations ended inside read: left out of its medians."


def test_metrics_stand_beside_their_limits_also_without_phases() -> None:
    """A test's own mark holds in the place of the session's limit."""
    session = [parse_limit(LimitKind.METRIC, "rate>=10")]
    tally = TimingTally(session)
    tally.add(profile(metrics=(Metric(name="rate", value=5.0),)), [{"metric": "rate>=4"}])
    tally.add(profile(metrics=(Metric(name="rate", value=5.0),), test="b"), [{"metric": "rate"}])
    own, wrong = tally.breakdowns()
    record = breakdown_record(own)["series"][0]
    assert record["passing"]["median"] == 5.0
    (limit,) = record["limits"]
    assert (limit["bound"], limit["missed"], limit["distance"]) == (4.0, 0, 0.25)
    assert breakdown_record(wrong)["series"][0]["limits"][0]["missed"] == 1
    assert "repro_verify(metric='rate') cannot be used" in wrong.problems[0]


def test_programs_get_times_in_nanoseconds_under_names_that_say_so() -> None:
    """Median, ends and confidence, and the bottleneck with its meaning."""
    profiles = [profile(phase("read", MS + number), iteration=number) for number in range(10)]
    record = breakdown_record(breakdowns(profiles)[0])
    assert record["bottleneck"] == ["call", "read"]
    assert record["series"][0]["passing"] == {
        "count": 10,
        "median_ns": MS + 4.5,
        "low_ns": MS + 1,
        "high_ns": MS + 8,
        "confidence": pytest.approx(0.978515625),
    }


def test_names_cannot_command_a_terminal() -> None:
    """Line ends, escapes and reversed text are shown as what they are."""
    assert printable("a\n\x1b[31m\u202e\udc80\U000e0001b") == r"a\x0a\x1b[31m\u202e\udc80\U000e0001b"
    name = "bad\n\x1b[2J"
    lines = table_lines([profile(phase(name), phase(operation=name), test=f"t.py::{name}")] * 2)
    assert all(line.isprintable() for line in lines)
    assert log_line(profile(phase(name))).isprintable()


def test_memory_does_not_grow_with_tests_or_names(monkeypatch: pytest.MonkeyPatch) -> None:
    """What has no room is counted, or shares one row."""
    monkeypatch.setattr(tally_module, "TESTS", 2)
    monkeypatch.setattr(tally_module, "ROWS_OF_A_TEST", 3)
    tally = TimingTally()
    for number in range(5):
        tally.add(profile(phase(f"p{number}"), test=f"t{min(number, 3)}"))
        tally.add(profile(phase(f"p{number}"), test="t0"))
    assert tally.left_out == 2
    first, _ = tally.breakdowns()
    assert {row.name for row in first.rows} == {"p0", "p1", "p2", "other"}
    assert sum(row.calls for row in first.rows) == 6


def test_the_sentence_says_that_a_first_call_is_most_of_it() -> None:
    """Compilation is paid once."""
    first = phase(operation="torch.matmul", took_ns=90 * MS, cold=True)
    later = [phase(operation="torch.matmul", took_ns=MS) for _ in range(10)]
    sentence = verdict(breakdowns([profile(first, *later)])[0])
    assert sentence is not None
    assert sentence.startswith(
        "90 % of op is the first call of torch.matmul (90.0 ms; a later one takes 1.00 ms)"
    )


def test_the_sentence_says_that_transfers_are_many_and_small() -> None:
    """And how fast a large one among them was."""
    small = [phase("to_device", 200_000, transfer=moved(4000), operation="to") for _ in range(411)]
    large = phase("to_device", MS, transfer=moved(1_600_000), operation="to")
    sentence = verdict(breakdowns([profile(*small, large)])[0])
    assert sentence == (
        "to_device is 412 transfers of 7.87 kB on average, 202 us and 0.04 GB/s each; the largest of them "
        "(1.60 MB) ran at 1.60 GB/s."
    )


def test_the_sentence_names_the_operation_that_is_most_of_the_bottleneck() -> None:
    """With its calls and their mean."""
    phases = [phase(operation="gather", took_ns=9 * MS), phase(operation="add", took_ns=MS)]
    assert verdict(breakdowns([profile(*phases)])[0]) == "90 % of op is gather: one call of 9.00 ms."


def test_the_sentence_says_that_the_host_is_at_work() -> None:
    """Not the device."""
    host = phase(operation="torch.sort", took_ns=8 * MS, on_host=True)
    device = phase(operation="ttnn.add", took_ns=2 * MS)
    assert verdict(breakdowns([profile(host, device)])[0]) == (
        "80 % of the time is work of the host, not of the device, most of it torch.sort."
    )


def test_the_sentence_says_how_fast_a_transfer_is_that_hides_nothing() -> None:
    """Fenced, it waited for nothing else."""
    read = phase("to_torch", 1000 * MS, transfer=moved(1_220_000), operation="cpu", fenced=True)
    assert verdict(breakdowns([profile(read)])[0]) == (
        "to_torch waits for no other work of the device: by itself it moves 1.22 MB at 0.0012 GB/s."
    )


def test_the_sentence_does_not_clear_a_transfer_that_waited_in_part() -> None:
    """It is the bottleneck by itself, and less so than a timer without fences says."""
    read = phase(
        "to_torch", 6 * MS, hidden_ns=4 * MS, transfer=moved(6_000_000), operation="cpu", fenced=True
    )
    assert verdict(breakdowns([profile(read)])[0]) == (
        "40 % of what a timer without fences shows for to_torch (10.0 ms) is waiting for earlier work of the "
        "device; by itself it moves 6.00 MB at 1.00 GB/s."
    )


def test_the_sentence_names_no_phase_that_is_many_of_other_names(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where there was no room for their names, it is not known whose work it was."""
    monkeypatch.setattr(tally_module, "ROWS_OF_A_TEST", 1)
    read = phase("read", MS, hidden_ns=90 * MS, fenced=True)
    kernels = [phase(f"kernel {number}", took_ns=1, wait_ns=50 * MS, fenced=True) for number in range(2)]
    (found,) = breakdowns([profile(read, *kernels)])
    assert found.bottleneck is not None
    assert found.bottleneck.name == "other"
    assert verdict(found) is None


def test_phases_of_tasks_add_up_and_say_so() -> None:
    """Two tasks that take turns in one thread: the time that passed is less than what they took."""
    tasks = [phase("a", 10 * MS), phase("b", 20 * MS, start_ns=MS)]
    (found,) = breakdowns([profile(*tasks)])
    assert (found.total_ns, found.elapsed_ns) == (30 * MS, 21 * MS)
    assert table_lines([profile(*tasks)], width=100)[-1] == (
        "  TOTAL adds up what tasks of an event loop did in part at the same time, in 21.0 ms."
    )


def test_an_iteration_that_did_not_end_is_counted_apart() -> None:
    """The stress run beside it counts only those that ended; its time is in no median."""
    profiles = [profile(phase("read", MS), iteration=number) for number in range(1, 4)]
    profiles.append(profile(phase("read", 9 * MS), iteration=4, outcome=Outcome.INTERRUPTED))
    assert table_lines(profiles)[0] == f"{TEST} (4 iterations, 1 interrupted)"
    record = breakdown_record(breakdowns(profiles)[0])
    assert (record["interrupted"], record["series"][0]["passing"]["count"]) == (1, 3)


def test_wide_characters_push_no_cell_out_of_its_column() -> None:
    """A terminal shows each of them in two columns, and none of a combining one."""
    names = ("\u65e5\u672c\u8a9e", "e\u0301tape", "plain", "\u65e5" * 60)
    wide, combined, plain, long = table_lines([profile(*(phase(name) for name in names))], width=60)[2:6]
    end = plain.index("1.00 ms")
    assert (wide.index("1.00 ms"), combined.index("1.00 ms")) == (end - 3, end + 1)
    assert long.split()[0] == "\u65e5" * ((60 - 2 - 4 - 22 - 3) // 2) + "..."


@pytest.mark.parametrize("width", [80, 200])
def test_no_cell_touches_the_one_before(width: int) -> None:
    """Slow rates, many calls and huge metrics take the room that they need."""
    read = phase(
        "to_torch",
        5 * MS,
        transfer=moved(999),
        operation="a.very_long_name_of_a_call",
        fenced=True,
        calls=10**7,
    )
    metric = Metric(name="m" * 100, value=-1.23456789e300)
    lines = table_lines([profile(read, metrics=(metric,))], width=width)
    assert " 10000000 " in lines[2]
    assert " 0.0002 " in lines[2] or width == 80
    assert lines[-1].endswith(" -1.23457e+300")
    assert max(map(len, lines)) <= width


def test_the_sentence_blames_no_one_operation_for_the_work_of_several() -> None:
    """The read-back waits for all of them."""
    queued = [
        phase(operation=name, took_ns=MS, wait_ns=40 * MS, fenced=True, start_ns=start)
        for start, name in enumerate(("gather", "add"))
    ]
    read = phase("to_torch", MS, hidden_ns=80 * MS, fenced=True, transfer=moved(10), operation="cpu")
    sentence = verdict(breakdowns([profile(*queued, read)])[0])
    assert sentence is not None
    assert "waiting for op; the transfer itself takes 1.00 ms" in sentence


def test_nothing_is_said_where_the_numbers_say_nothing() -> None:
    """A phase made by hand is what it is."""
    assert verdict(breakdowns([profile(phase("load"))])[0]) is None
    assert verdict(breakdowns([profile()])[0]) is None
