"""What people and programs read: tables, the sentence below, log lines, records, payloads, units."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from pytest_repro.model import Metric, Outcome, Phase, Profile, Transfer
from pytest_repro.timing.formats import (
    jsonl_record,
    log_line,
    profile_from_payload,
    profile_to_payload,
)
from pytest_repro.timing.lines import table_lines
from pytest_repro.timing.summary import named_totals
from pytest_repro.timing.tally import breakdowns
from pytest_repro.timing.units import humanise_bytes, humanise_ns, humanise_rate, humanise_share, seconds

MS = 1_000_000
GATHER = "tests/test_gather.py::test_gather[wide]"


def gather(iteration: int = 1, **changes: Any) -> Profile:
    """The profile of the old notes: 8.62 s that a naive timer charges to the read-back."""
    moved = Transfer(size_bytes=9_270_000, shape=(1159, 8000), dtype="uint8", layout="tile")
    cold = iteration == 1
    to_device = Phase(
        name="to_device", operation="ttnn.from_torch", start_ns=0, call_ns=10 * MS, wait_ns=40 * MS,
        fenced=True, cold=cold, transfer=moved,
    )  # fmt: skip
    op = Phase(
        name="op", operation="ttnn.gather", start_ns=50 * MS, call_ns=20 * MS, wait_ns=8580 * MS,
        fenced=True, cold=cold,
    )  # fmt: skip
    to_torch = Phase(
        name="to_torch", operation="ttnn.to_torch", start_ns=8650 * MS, call_ns=20 * MS, hidden_ns=8600 * MS,
        fenced=True, cold=cold, transfer=moved,
    )  # fmt: skip
    values: dict[str, Any] = {
        "test": GATHER, "iteration": iteration, "worker": "main", "outcome": Outcome.PASSED,
        "phases": (to_device, op, to_torch),
    }  # fmt: skip
    return Profile(**{**values, **changes})


def by_hand(name: str, duration_ns: int, start_ns: int = 0, **changes: Any) -> Phase:
    return Phase(name=name, start_ns=start_ns, call_ns=duration_ns, **changes)


def test_the_table_marks_the_bottleneck_and_clears_the_suspect() -> None:
    """The kernel is marked, not the read-back, and one sentence says why a timer would disagree."""
    assert table_lines([gather()]) == [
        "tests/test_gather.py::test_gather[wide] (1 iteration)",
        "  phase                      calls    total  share    bytes   GB/s  unfenced",
        "  to_device: ttnn.from_torch     1  50.0 ms    1 %  9.27 MB   0.19   10.0 ms",
        "  op: ttnn.gather                1   8.60 s   99 %        -      -   20.0 ms <<<",
        "  to_torch: ttnn.to_torch        1  20.0 ms   <1 %  9.27 MB   0.46    8.62 s",
        "  TOTAL                              8.67 s",
        "  to_torch looks slow (8.62 s to a timer without fences), but >99 % of that is",
        "  waiting for ttnn.gather; the transfer itself takes 20.0 ms for 9.27 MB (0.46",
        "  GB/s).",
    ]


def test_the_first_call_stands_beside_the_warm_ones() -> None:
    """Over several iterations the cold call has a column, where there is room the warm mean has one too."""
    lines = table_lines([gather(1), gather(2), gather(3)], width=100)
    assert lines[0] == f"{GATHER} (3 iterations)"
    assert lines[1].split() == [
        "phase",
        "calls",
        "total",
        "share",
        "first",
        "warm",
        "bytes",
        "GB/s",
        "unfenced",
    ]
    assert lines[3].split()[2:] == [
        "3",
        "25.8",
        "s",
        "99",
        "%",
        "8.60",
        "s",
        "8.60",
        "s",
        "-",
        "-",
        "60.0",
        "ms",
        "<<<",
    ]


@pytest.mark.parametrize("width", [60, 72, 80, 120])
def test_the_table_fits_the_terminal(width: int) -> None:
    """Columns that matter least go first."""
    assert max(len(line) for line in table_lines([gather(1), gather(2)], width)[1:]) <= width


def test_phases_by_hand_alone_need_no_device_columns() -> None:
    """Without a device there are no bytes, no unfenced view and no sentence."""
    profile = gather(phases=(by_hand("load", 1 * MS), by_hand("compute", 3 * MS, start_ns=MS)))
    assert table_lines([profile]) == [
        "tests/test_gather.py::test_gather[wide] (1 iteration)",
        "  phase              calls    total  share",
        "  load                   1  1.00 ms   25 %",
        "  compute                1  3.00 ms   75 % <<<",
        "  TOTAL                     4.00 ms",
    ]


def test_nested_phases_are_indented_and_counted_once() -> None:
    """The bottleneck is the phase with the most time of its own, and the total leaves out what is inside."""
    step = by_hand("step", 10 * MS)
    inner = by_hand("compute", 9 * MS, within=("step",))
    lines = table_lines([gather(phases=(step, inner))])
    assert [line.split()[0] for line in lines[2:]] == ["step", "compute", "TOTAL"]
    assert lines[3].startswith("    compute")
    assert lines[3].endswith("90 % <<<")
    assert "10.0 ms" in lines[-1]


def test_many_operations_are_listed_longest_first() -> None:
    """Five operations are shown, the others counted."""
    phases = tuple(
        Phase(name="op", operation=f"torch.f{index}", start_ns=0, call_ns=index * MS) for index in range(1, 9)
    )
    lines = table_lines([gather(phases=phases)])
    assert [line.split()[0] for line in lines[3:8]] == [
        "torch.f8",
        "torch.f7",
        "torch.f6",
        "torch.f5",
        "torch.f4",
    ]
    assert lines[8].strip() == "and 3 more, 6.00 ms together"


def test_an_open_phase_and_contention_are_said() -> None:
    """A test that died in a phase shows where; times taken under load say so."""
    lines = table_lines([gather(phases=(by_hand("read", MS, is_open=True),), contended="-n 2")])
    assert lines[0].endswith("(1 iteration, contended: -n 2)")
    assert lines[2].startswith("  read (open) ")


def test_a_long_name_leaves_room_for_the_open_mark() -> None:
    """Where a test died is not cut off."""
    phases = (by_hand("read " * 30, MS, is_open=True),)
    _, _, line, *_ = table_lines([gather(phases=phases)], width=60)
    assert re.match(r"  read read .*\.\.\. \(open\) +1 ", line)


def test_unfenced_parts_are_said() -> None:
    """Where a trace was captured, the reader is told which times mean less."""
    profile = gather()
    captured = Phase(name="op", operation="ttnn.add", start_ns=0, call_ns=MS)
    lines = table_lines([gather(phases=(*profile.phases[:1], captured))])
    assert "Not all could be fenced (as while a trace or a graph is captured)" in lines[-2] + lines[-1]


@pytest.mark.parametrize(
    "other",
    [
        Phase(name="op", operation="torch.add", start_ns=0, call_ns=MS, on_host=True),
        by_hand("decode", MS, is_open=True),
    ],
    ids=["work of the host", "a phase in which the process died"],
)
def test_what_needs_no_fence_or_had_no_end_lacks_none(other: Phase) -> None:
    """No capture is told of where nothing was captured."""
    fenced = by_hand("load", MS, fenced=True)
    assert "fenced (" not in "".join(table_lines([gather(phases=(fenced, other))]))


def test_names_that_no_file_and_no_channel_takes_are_escaped() -> None:
    """A lone surrogate in the name of a phase or a metric would end the worker."""
    odd = "a\ud800ü"
    phases = (by_hand(odd, MS), by_hand("b", MS, within=(odd,), operation=odd))
    payload = profile_to_payload(gather(phases=phases, metrics=(Metric(name=odd, value=1.0),)))
    assert "\ud800" not in json.dumps(payload, ensure_ascii=False)
    known = profile_from_payload(payload)
    shown = "a\\ud800ü"
    assert [phase.name for phase in known.phases] == [shown, "b"]
    assert (known.phases[1].operation, known.phases[1].within) == (shown, (shown,))
    assert [metric.name for metric in known.metrics] == [shown]


def test_a_test_without_phases_has_no_table() -> None:
    """Nothing timed, nothing said."""
    assert table_lines([gather(phases=())]) == []


def test_work_of_the_host_is_kept_apart_beside_a_device() -> None:
    """A golden result made with torch on the CPU is `host`; on a machine without a device it is `op`."""
    golden = Phase(name="op", operation="torch.matmul", start_ns=0, call_ns=MS, on_host=True)
    assert named_totals((golden,)) == {"op": MS}
    assert named_totals((golden, *gather().phases))["host"] == MS


def test_the_log_line_is_the_one_of_the_old_notes() -> None:
    """Three phases in a fixed order, then own phases, metrics and what it belongs to."""
    phases = (by_hand("check", 2 * MS), *reversed(gather().phases))
    metrics = (Metric(name="samples_per_s", value=19646.28),)
    assert log_line(gather(3, phases=phases, metrics=metrics, worker="gw1")) == (
        "to_device=0.050s, op=8.600s, to_torch=0.020s, check=0.002s, samples_per_s=19646.28"
        f" # iteration=3 worker=gw1 outcome=passed test={GATHER}"
    )


def test_a_log_line_always_has_the_three_phases() -> None:
    """A tool that reads them by position or name finds them also where nothing was done."""
    assert log_line(gather(phases=())).startswith("to_device=0.000s, op=0.000s, to_torch=0.000s # ")


def test_names_cannot_break_a_log_line() -> None:
    """Spaces, commas, equal signs and line ends in names and node ids stay on one line, in one part."""
    line = log_line(
        gather(phases=(by_hand("a=1,\nb c", MS, is_open=True),), test="t.py::x[a\nb]", contended="-n 2")
    )
    assert "a_1_b_c=0.001s # " in line
    assert line.endswith("open=a_1_b_c contended=-n_2 test=t.py::x[a b]")
    assert "\n" not in line


def test_a_phase_inside_one_of_its_name_is_counted_once() -> None:
    """A phase called op by hand around automatic ops does not double them."""
    outer = by_hand("op", 5 * MS)
    inner = Phase(name="op", operation="torch.add", start_ns=0, call_ns=4 * MS, within=("op",))
    assert named_totals((outer, inner)) == {"op": 5 * MS}


def test_a_record_has_integer_nanoseconds_and_bytes() -> None:
    """Programs get all fields, what follows from them, and a format version."""
    record = json.loads(json.dumps(jsonl_record(gather())))
    assert record["format_version"] == 1
    assert record["totals_ns"] == {"to_device": 50 * MS, "op": 8600 * MS, "to_torch": 20 * MS}
    assert record["total_ns"] == 8670 * MS
    to_torch = record["phases"][2]
    assert (to_torch["duration_ns"], to_torch["unfenced_ns"]) == (20 * MS, 8620 * MS)
    assert to_torch["transfer"] == {
        "size_bytes": 9_270_000,
        "shape": [1159, 8000],
        "dtype": "uint8",
        "layout": "tile",
    }


def test_a_payload_comes_back_as_the_same_profile() -> None:
    """What a worker sends is what the controller has, through builtins alone."""
    inner = by_hand("inner", MS, within=("a", "b"), is_open=True, thread=2, calls=7, on_host=True)
    profile = gather(
        phases=(*gather().phases, inner),
        metrics=(Metric(name="pcc", value=0.999),),
        contended="-n 2",
        outcome=Outcome.FAILED,
    )
    assert profile_from_payload(json.loads(json.dumps(profile_to_payload(profile)))) == profile


def test_a_payload_leaves_out_what_is_not_told() -> None:
    """Thousands of small phases travel: defaults do not."""
    payload = profile_to_payload(gather(phases=(by_hand("load", MS, start_ns=5),)))
    assert payload["phases"] == [{"name": "load", "start_ns": 5, "call_ns": MS}]


def test_breakdowns_keep_tests_apart() -> None:
    """Iterations of one test are one breakdown, in the order in which the tests came."""
    found = breakdowns([gather(1, test="b"), gather(1, test="a"), gather(2, test="b")])
    assert [(breakdown.test, breakdown.iterations) for breakdown in found] == [("b", 2), ("a", 1)]
    warm = found[0].rows[1]
    assert (warm.cold_calls, warm.cold_ns, warm.warm_ns) == (1, 8600 * MS, 8600 * MS)


@pytest.mark.parametrize(
    ("duration_ns", "text"),
    [
        (0, "0 ns"), (999, "999 ns"), (1000, "1.00 us"), (999_499, "999 us"), (999_999, "1.00 ms"),
        (20 * MS, "20.0 ms"), (8_620 * MS, "8.62 s"), (125_000 * MS, "125 s"), (1_000_000 * MS, "16.7 min"),
        (3_600_000 * MS, "60.0 min"), (10**18, "277778 h"), (-5 * MS, "-5.00 ms"),
    ],
)  # fmt: skip
def test_times_have_three_digits(duration_ns: int, text: str) -> None:
    """No width jumps, no unit that has to be multiplied in the head."""
    assert humanise_ns(duration_ns) == text


@pytest.mark.parametrize(
    ("size_bytes", "text"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1.00 kB"),
        (9_270_000, "9.27 MB"),
        (999_999, "1.00 MB"),
        (10**18, "1000 PB"),
    ],
)
def test_sizes_are_in_powers_of_1000(size_bytes: int, text: str) -> None:
    """The same powers as in GB/s."""
    assert humanise_bytes(size_bytes) == text


def test_rates_and_shares() -> None:
    """A part is only called all or nothing if it is."""
    assert [humanise_rate(9_270_000, 20 * MS), humanise_rate(0, 1), humanise_rate(1, 0)] == ["0.46", "-", "-"]
    assert humanise_rate(1000, 1_000_000_000) == "1e-06"
    shares = [humanise_share(share) for share in (0, 0.004, 0.5, 0.999, 1)]
    assert shares == ["0 %", "<1 %", "50 %", ">99 %", "100 %"]


@pytest.mark.parametrize("duration_ns", [0, 1, 20_000, 999_999, MS, 8_620 * MS])
def test_seconds_of_log_lines_match_one_pattern(duration_ns: int) -> None:
    """Short times keep their digits instead of turning into 0.000s."""
    text = seconds(duration_ns)
    assert re.fullmatch(r"\d+\.\d{3,9}s", text)
    assert float(text[:-1]) * 1e9 == pytest.approx(duration_ns)
