"""What the fault-injection test makes of a journal and of records: each discrepancy is found and named."""

from __future__ import annotations

import json
import random
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from tests.faults import __main__ as driver
from tests.faults.comparison import Discrepancy, Expected, Kind, compare, expected_status
from tests.faults.dying import DEEDS, Fate, draw_fate
from tests.faults.kinds import FAULTS, GROUPS, faults_named, to_config
from tests.faults.records import Journal, Records, read_journal, read_records
from tests.faults.session import MODES

TEST = "test_a.py::test_a"
ITERATIONS = 6
EXPECTED = Expected(tests=(TEST,), iterations=ITERATIONS)


def event(kind: str, iteration: int, *, pid: int = 10, worker: str = "gw0", **more: Any) -> dict[str, Any]:
    place = {"test": TEST, "iteration": iteration, "pid": pid, "worker": worker, "xdist": worker}
    drawn = random.Random(100 + iteration).random()
    return {"event": kind, "seed": 100 + iteration, "drawn": drawn, **place, **more}


def good_events() -> list[dict[str, Any]]:
    """Iteration 2 fails, 4 dies in teardown, 5 hangs in a process of its own; the others pass."""
    return [
        event("begin", 1),
        event("end", 1),
        event("begin", 2),
        event("do", 2, fault="fail", stage="call"),
        event("end", 2),
        event("begin", 3),
        event("end", 3),
        event("begin", 4),
        event("do", 4, fault="segv", stage="teardown"),
        event("begin", 5, pid=11, worker="gw2"),
        event("do", 5, fault="spin", stage="call", pid=11, worker="gw2"),
        event("begin", 6, pid=12, worker="gw3"),
        event("end", 6, pid=12, worker="gw3"),
    ]


def failure(iteration: int, outcome: str, **more: Any) -> dict[str, Any]:
    return {
        "test": TEST,
        "iteration": iteration,
        "outcome": outcome,
        "stage": "call",
        "message": f"wanted to fail in call of iteration {iteration}",
        "worker": "gw0",
        "seed": 100 + iteration,
        "signature": {"key": outcome},
        "text": None,
        **more,
    }


def good_failures() -> list[dict[str, Any]]:
    return [
        failure(2, "failed"),
        failure(4, "crash", stage="teardown", message="died with SIGSEGV", text="in do_segv"),
        failure(5, "hang", message="hung for 2.0 s", text="in do_spin", worker="gw2"),
    ]


def good_batches() -> list[dict[str, Any]]:
    """A crash stands among the failures alone, a hang in a batch too: both are right."""
    return [
        {"test": TEST, "worker": "gw0", "first": 1, "step": 1, "outcomes": [["passed", 1], ["failed", 1]]},
        {"test": TEST, "worker": "gw0", "first": 3, "step": 1, "outcomes": [["passed", 1]]},
        {"test": TEST, "worker": "gw2", "first": 5, "step": 1, "outcomes": [["hang", 1]]},
        {"test": TEST, "worker": "gw3", "first": 6, "step": 1, "outcomes": [["passed", 1]]},
    ]


def good_summary() -> dict[str, Any]:
    outcomes = {"passed": 3, "failed": 1, "crash": 1, "hang": 1}
    counts = {"planned": 6, "executed": 6, "skipped": 0, "missing": 0, "surplus": 0, "failures": 3}
    return {"exit_status": 1, "tests": [{"test": TEST, "outcomes": outcomes, **counts}]}


def records_of(
    batches: list[dict[str, Any]] | None = None,
    failures: list[dict[str, Any]] | None = None,
    summary: dict[str, Any] | None = None,
) -> Records:
    records = Records(summary=summary or good_summary())
    for batch in good_batches() if batches is None else batches:
        records.add_batch(batch)
    for one in good_failures() if failures is None else failures:
        records.add_failure(one)
    return records


def compared(
    events: list[dict[str, Any]] | None = None, records: Records | None = None, **more: Any
) -> list[Discrepancy]:
    journal = read_journal(good_events() if events is None else events)
    told = records_of() if records is None else records
    return compare(EXPECTED, journal, told, **{"status": 1, **more})


def named(found: list[Discrepancy]) -> list[tuple[Kind, int | None]]:
    return [(one.kind, one.iteration) for one in found]


def test_records_that_say_what_the_journal_says_have_no_discrepancy() -> None:
    """All that follows differs from this in one place."""
    assert compared() == []


def test_an_iteration_without_a_record_is_missing() -> None:
    """Iteration 3 ran and passed, and no batch tells of it."""
    batches = good_batches()
    del batches[1]
    found = compared(records=records_of(batches))
    assert named(found) == [(Kind.MISSING, 3)]
    assert str(found[0]) == (f"missing: {TEST}, iteration 3: journal: pass on gw0, pid 10; tool: nothing")


@pytest.mark.parametrize("place", [0, 1, 2])
def test_a_failure_without_a_record_of_its_own_is_missing(place: int) -> None:
    """Whether a batch tells of it or not."""
    failures = good_failures()
    gone = failures.pop(place)
    assert named(compared(records=records_of(failures=failures))) == [(Kind.MISSING, gone["iteration"])]


def test_a_failure_that_is_no_death_stands_in_a_batch() -> None:
    """A line among the failures is not enough: what adds up the batches would miss it."""
    batches = good_batches()
    batches[0]["outcomes"] = [["passed", 1]]
    assert named(compared(records=records_of(batches))) == [(Kind.MISSING, 2)]


def test_an_iteration_with_two_records_is_told_twice() -> None:
    """In two batches, in two failures, or passed in one file and dead in the other."""
    again = {"test": TEST, "worker": "gw0", "first": 3, "step": 1, "outcomes": [["passed", 1]]}
    assert named(compared(records=records_of([*good_batches(), again]))) == [(Kind.DOUBLED, 3)]
    twice = [*good_failures(), failure(2, "failed")]
    assert named(compared(records=records_of(failures=twice))) == [(Kind.DOUBLED, 2)]
    stale = failure(3, "crash", message="died with SIGSEGV")
    assert named(compared(records=records_of(failures=[*good_failures(), stale]))) == [(Kind.DOUBLED, 3)]


def test_an_iteration_that_began_twice_ran_twice() -> None:
    """Also if the tool tells of it once."""
    events = [*good_events(), event("begin", 4, pid=12), event("end", 4, pid=12)]
    assert named(compared(events))[0] == (Kind.RAN_TWICE, 4)


def test_an_iteration_that_nobody_ran_is_not_run_or_invented() -> None:
    """The journal has no line of iteration 3: without a record it did not run, with one it is invented."""
    events = [one for one in good_events() if one["iteration"] != 3]
    assert (Kind.INVENTED, 3) in named(compared(events))
    batches = good_batches()
    del batches[1]
    assert (Kind.NOT_RUN, 3) in named(compared(events, records_of(batches)))


@pytest.mark.parametrize("number", [0, 7])
def test_an_iteration_that_was_not_asked_for_is_invented(number: int) -> None:
    """Zero, and one beyond the last."""
    more = {"test": TEST, "worker": "gw0", "first": number, "step": 1, "outcomes": [["passed", 1]]}
    assert named(compared(records=records_of([*good_batches(), more]))) == [(Kind.INVENTED, number)]


def test_an_iteration_that_wrote_nothing_at_its_end_was_cut_short() -> None:
    """It had nothing to die of: something else ended it."""
    events = [one for one in good_events() if (one["event"], one["iteration"]) != ("end", 3)]
    assert named(compared(events)) == [(Kind.CUT_SHORT, 3)]


def test_what_raises_in_the_call_comes_to_its_end_and_what_raises_around_it_does_not() -> None:
    """A skip ends where it is in the call; in setup there is nothing to tear down."""
    skipped = [event("begin", 1), event("do", 1, fault="skip", stage="call"), *good_events()[2:]]
    batches = good_batches()
    batches[0]["outcomes"] = [["skipped", 1], ["failed", 1]]
    found = named(compared(skipped, records_of(batches)))
    assert found == [(Kind.CUT_SHORT, 1), (Kind.SUMMARY, None)]
    skipped[1]["stage"] = "setup"
    assert named(compared(skipped, records_of(batches))) == [(Kind.SUMMARY, None)]


def test_a_process_that_outlived_its_fault_is_told() -> None:
    """Then the fault was none, and the comparison would prove nothing."""
    events = good_events()
    events.insert(9, event("end", 4))
    assert named(compared(events)) == [(Kind.SURVIVED, 4)]


@pytest.mark.parametrize(
    ("place", "changed", "kind"),
    [
        (0, {"outcome": "error"}, Kind.OUTCOME),
        (1, {"outcome": "hang"}, Kind.OUTCOME),
        (1, {"stage": "call"}, Kind.STAGE),
        (0, {"message": "wanted to fail in call of iteration 21"}, Kind.MESSAGE),
        (0, {"message": "wanted to fail in setup of iteration 2"}, Kind.MESSAGE),
        (1, {"message": "died with SIGABRT"}, Kind.MESSAGE),
        (1, {"worker": "gw1"}, Kind.WORKER),
        (0, {"seed": 7}, Kind.SEED),
        (1, {"text": None}, Kind.STACK),
        (2, {"text": "in do_sleep"}, Kind.STACK),
    ],
    ids=lambda value: value.name if isinstance(value, Kind) else str(value),
)
def test_a_wrong_fact_of_a_failure_is_named(place: int, changed: dict[str, Any], kind: Kind) -> None:
    """Outcome, stage, message, worker, seed, stack."""
    failures = good_failures()
    failures[place] |= changed
    batches = good_batches()
    batches[0]["outcomes"][1][0] = failures[0]["outcome"]
    found = compared(records=records_of(batches, failures))
    assert named(found) == [(kind, failures[place]["iteration"])]


def test_a_wrong_worker_of_a_passed_iteration_is_named() -> None:
    """As the batch tells it, and as the test was told."""
    batches = good_batches()
    batches[1]["worker"] = "gw1"
    assert named(compared(records=records_of(batches))) == [(Kind.WORKER, 3)]
    events = good_events()
    events[5]["xdist"] = "gw1"
    assert named(compared(events)) == [(Kind.WORKER, 3)]


def test_a_stack_may_be_that_of_another_death_of_the_same_bug_unless_each_is_wanted() -> None:
    """The tool shows each bug of a test once where it says so."""
    events = [
        event("begin", 3),
        event("do", 3, fault="segv", stage="teardown"),
        *(one for one in good_events() if one["iteration"] != 3),
    ]
    batches = good_batches()
    del batches[1]
    twin = failure(3, "crash", stage="teardown", message="died with SIGSEGV")
    records = records_of(batches, [*good_failures(), twin])
    assert [one.kind for one in compared(events, records)] == [Kind.SUMMARY]
    each = Expected(tests=(TEST,), iterations=ITERATIONS, needs_each_stack=True)
    found = compare(each, read_journal(events), records, status=1)
    assert named(found) == [(Kind.STACK, 3), (Kind.SUMMARY, None)]


@pytest.mark.parametrize("name", ["planned", "executed", "skipped", "missing", "surplus", "failures"])
def test_a_wrong_number_in_the_summary_is_named(name: str) -> None:
    """Each of them."""
    summary = good_summary()
    summary["tests"][0][name] += 1
    (found,) = compared(records=records_of(summary=summary))
    assert found.kind is Kind.SUMMARY
    assert found.journal.startswith(name)


def test_a_summary_without_the_test_or_with_other_outcomes_is_wrong() -> None:
    """Nothing is taken from the records that were compared already."""
    summary = good_summary()
    summary["tests"][0]["outcomes"]["passed"] = 2
    assert named(compared(records=records_of(summary=summary))) == [(Kind.SUMMARY, None)]
    summary["tests"] = []
    assert named(compared(records=records_of(summary=summary))) == [(Kind.SUMMARY, None)]


def test_a_wrong_exit_status_is_named() -> None:
    """Of the process, and in the summary."""
    assert named(compared(status=0)) == [(Kind.STATUS, None)]
    assert named(compared(records=records_of(summary=good_summary() | {"exit_status": 0}))) == [
        (Kind.STATUS, None)
    ]


def test_the_exit_status_follows_from_the_outcomes() -> None:
    """A test that was skipped here and ran there has not run as often as asked."""
    passed, mixed = Counter({"passed": 3}), Counter({"passed": 2, "skipped": 1})
    assert expected_status({"a": passed}) == 0
    assert expected_status({"a": Counter({"skipped": 3})}) == 0
    assert expected_status({"a": passed, "b": mixed}) == 6
    assert expected_status({"a": mixed, "b": Counter({"passed": 2, "hang": 1})}) == 1


def test_a_wide_fixture_is_set_up_once_in_a_process_before_it_ends() -> None:
    """Set up again without an end, or ended without a beginning."""
    opened = {"event": "open", "pid": 10, "fixture": "module"}
    closed = opened | {"event": "close"}
    assert read_journal([opened, closed, opened, opened | {"pid": 11}]).oddities == []
    assert named(compared([opened, opened, *good_events()])) == [(Kind.ODD, None)]
    assert named(compared([closed, *good_events()])) == [(Kind.ODD, None)]


def test_a_line_of_an_iteration_that_never_began_is_odd() -> None:
    """In its own process, that is: another one's beginning does not count."""
    journal = read_journal([event("begin", 1), event("end", 1, pid=11)])
    assert journal.oddities == [f"end of {TEST}, iteration 1, not begun in pid 11"]
    assert not journal.lives[TEST, 1][0].has_ended


def test_an_iteration_draws_what_its_seed_says() -> None:
    """Also where a process goes on for one that died."""
    events = good_events()
    events[5]["drawn"] = 0.5
    assert named(compared(events)) == [(Kind.SEED, 3)]


def test_records_that_cannot_be_read_are_a_discrepancy(tmp_path: Path) -> None:
    """No session, half a line, no summary."""
    assert read_records(tmp_path / "sessions").problems == ["0 sessions where one was started"]
    session = tmp_path / "sessions" / "one"
    session.mkdir(parents=True)
    lines = "".join(f"{json.dumps(batch)}\n" for batch in good_batches())
    (session / "iterations.jsonl").write_text(lines + '{"test":', encoding="utf-8")
    records = read_records(tmp_path / "sessions")
    assert len(records.told) == 5
    assert [problem.partition(":")[0] for problem in records.problems] == [
        "iterations.jsonl, line 5",
        "summary.json",
    ]
    found = compare(EXPECTED, Journal(), records, status=1)
    assert {one.kind for one in found} >= {Kind.UNREADABLE}


def test_a_fate_depends_on_seed_test_and_iteration_alone_and_comes_as_often_as_said() -> None:
    """So a session can be had again, and a death moves no other."""
    config = to_config(FAULTS.values(), seed="3")
    fates = [draw_fate(config, TEST, number) for number in range(1, 20_001)]
    assert fates == [draw_fate(config, TEST, number) for number in range(1, 20_001)]
    others = (draw_fate(config, "other", number) for number in range(1, 20_001))
    assert fates != [*others]
    counts = Counter(fate.fault for fate in fates)
    for fault in FAULTS.values():
        assert counts[fault.name] == pytest.approx(20_000 * fault.share, rel=0.5)
    assert {fate.stage for fate in fates if fate.fault == "sleep"} == {"setup", "call", "teardown"}
    assert {fate.stage for fate in fates if fate.fault == "fail"} == {"call"}


def test_a_run_without_a_drawn_fault_passes() -> None:
    """With no fault in reach there is none."""
    config = to_config([FAULTS["kill"]], seed="1", density=0)
    assert {draw_fate(config, TEST, number)[:2] for number in range(1, 200)} == {("pass", "call")}
    always = to_config([FAULTS["kill"]], seed="1", density=125, stages=["setup"])
    assert {draw_fate(always, TEST, number) for number in range(1, 200)} == {Fate("kill", "setup")}


def test_every_fault_has_a_deed_whose_function_its_stack_would_name() -> None:
    """A name in one table alone would never happen."""
    assert DEEDS.keys() == FAULTS.keys()
    for fault in FAULTS.values():
        if fault.function is not None:
            assert fault.function in {f"do_{fault.name}", "crash_in_thread"}


def test_faults_are_chosen_by_name_and_group() -> None:
    """A `-` takes out, and alone takes out of all."""
    assert [fault.name for fault in faults_named("kill,segv,kill")] == ["segv", "kill"]
    assert [fault.name for fault in faults_named("plain,-skip")] == ["fail", "error"]
    assert [fault.name for fault in faults_named("-hangs")] == [*GROUPS["plain"], *GROUPS["crashes"]]
    with pytest.raises(ValueError, match="'segfault' is none of all, plain"):
        faults_named("segfault")
    with pytest.raises(ValueError, match="leaves no fault"):
        faults_named("kill,-crashes")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--faults=nothing"], "'nothing' is none of all, plain"),
        (["--modes=load,fast"], "'fast' is none of load, "),
        (["--iterations=0"], "'0' is no number from 1 on"),
        (["--density=20"], "a density of 20 makes more faults than iterations"),
    ],
)
def test_a_wrong_option_is_refused(
    capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    """With exit status 2 and a sentence."""
    with pytest.raises(SystemExit, match="2"):
        driver.read_options(arguments)
    assert message in capsys.readouterr().err


def test_the_usage_speaks_of_every_mode_and_fault(capsys: pytest.CaptureFixture[str]) -> None:
    """`--help` is all that one needs."""
    with pytest.raises(SystemExit, match="0"):
        driver.read_options(["--help"])
    text = capsys.readouterr().out.split()
    assert {name.strip(",.:;()") for name in text} >= {*MODES, *FAULTS}
