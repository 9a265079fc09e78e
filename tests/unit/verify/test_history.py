"""What the records tell of failure rates: the newest failing session, its code, and nothing foreign."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from pytest_repro.model import Outcome, Signature
from pytest_repro.signature import signature_to_dict
from pytest_repro.store import Store
from pytest_repro.verify.history import RecordedRate, Unit, recorded_rates
from pytest_repro.verify.runs import RunReport, RunTest

TEST = "test_a.py::test_x"


class Records:
    """Writes sessions below a root, as the plugin does, one after the other."""

    def __init__(self, root: Path) -> None:
        self._sessions = root / ".pytest_repro" / "sessions"
        self._store = Store(root)
        self._number = 0

    def session(
        self, kind: str, *, commit: str | None = "abc", dirty: bool = False, command: str = ""
    ) -> Path:
        """Makes a session of some code."""
        self._number += 1
        folder = self._sessions / f"20261121-1200{self._number:02}-{kind}-0000"
        folder.mkdir(parents=True)
        git = None if commit is None else {"commit": commit, "is_dirty": dirty}
        self.write(folder / "session.json", {"kind": kind, "command": command or "pytest", "git": git})
        return folder

    def stress(self, *processes: str, seed: int | None = None, **session: Any) -> Path:
        """Makes a stress session: for each process its outcomes, `.` for a pass and `F` for a failure."""
        folder = self.session("stress", **session)
        self.iterations(folder, *processes, seed=seed)
        return folder

    def iterations(self, folder: Path, *processes: str, seed: int | None = None) -> None:
        """Writes the iterations of a stress run, one process after the other."""
        first = 1
        for number, outcomes in enumerate(processes):
            self.append(folder, "iterations.jsonl", batch(outcomes, worker=f"gw{number}", first=first))
            for place, outcome in enumerate(outcomes):
                if outcome == "F":
                    failure = death(first + place, outcome="failed", worker=f"gw{number}")
                    self.append(folder, "failures.jsonl", failure)
            first += len(outcomes)
        self.write(folder / "summary.json", {"base_seed": seed})

    def gate(self, *runs: Outcome | None, **session: Any) -> Path:
        """Makes a session of the gate: for each run how the test ended, None if it left no report."""
        folder = self.session("verify", **session)
        for number, outcome in enumerate(runs, 1):
            (folder / f"run_{number}").mkdir()
            if outcome is not None:
                self.report(folder / f"run_{number}", RunTest(outcome=outcome))
        return folder

    def report(self, folder: Path, told: RunTest, **report: Any) -> None:
        """Writes what a run tells of the test."""
        payload = RunReport(exit_status=0, tests={TEST: told}, **report).to_payload()
        self.write(folder / "run.json", payload)

    def write(self, path: Path, record: object) -> None:
        """Writes one record."""
        path.write_text(json.dumps(record), encoding="utf-8")

    def append(self, folder: Path, name: str, record: object) -> None:
        """Adds one line."""
        with (folder / name).open("a", encoding="utf-8") as file:
            file.write(json.dumps(record) + "\n")

    def rates(self) -> dict[str, RecordedRate]:
        """Reads them all back."""
        return recorded_rates(self._store.sessions(), [TEST, "test_a.py::test_other"])

    def counts(self) -> tuple[Unit, int, int] | None:
        """Reads unit, failures and total of the test."""
        rate = self.rates().get(TEST)
        return None if rate is None else (rate.unit, rate.failures, rate.total)


def batch(outcomes: str, *, worker: str = "main", first: int = 1) -> dict[str, Any]:
    """Makes the record of one batch."""
    names = {".": "passed", "F": "failed", "S": "skipped", "x": "xfailed"}
    return {
        "format_version": 1,
        "test": TEST,
        "worker": worker,
        "first": first,
        "step": 1,
        "started_ns": 0,
        "outcomes": [[names[outcome], 1] for outcome in outcomes],
        "hash_seeds": [],
        "durations_ns": [1] * len(outcomes),
    }


def death(iteration: int, **changes: Any) -> dict[str, Any]:
    """Makes the record of an iteration that ended with its process."""
    record = {"test": TEST, "worker": "gw9", "iteration": iteration, "outcome": "crash"}
    return {"format_version": 1, **record, **changes}


@pytest.fixture
def records(tmp_path: Path) -> Records:
    """A store without a session."""
    return Records(tmp_path)


MIXED = "..F." * 5
PASSING = "." * 10


def test_without_a_failure_on_record_nothing_is_known(records: Records) -> None:
    """No store, and then one in which the test only passed."""
    assert records.rates() == {}
    records.stress(PASSING)
    records.gate(Outcome.PASSED)
    assert records.rates() == {}


def test_iterations_that_fail_by_themselves_are_counted_each(records: Records) -> None:
    """Over all processes; what was skipped did not run; only tests that failed are there."""
    records.stress(MIXED, "Sx" + MIXED + PASSING, command="pytest --repro-stress 52")
    (rate,) = records.rates().values()
    assert rate == RecordedRate(
        test=TEST,
        unit=Unit.ITERATION,
        failures=10,
        total=50,
        failed_iterations=10,
        iterations=50,
        sessions=("20261121-120001-stress-0000",),
        command="pytest --repro-stress 52",
    )


@pytest.mark.parametrize(
    ("processes", "expected"),
    [
        (["FFFFFF", "......", "......"], (Unit.PROCESS, 1, 3, 1, True)),
        (["FF", ".."], (Unit.PROCESS, 1, 2, 1, False)),
        (["FFFF"], (Unit.PROCESS, 1, 1, 1, False)),
        (["F", ".", "."], (Unit.PROCESS, 1, 3, 1, False)),
        ([MIXED, PASSING + "F" + PASSING], (Unit.ITERATION, 6, 41, 1, False)),
        ([".FFFFFFFF", ".FFFFFFFFF", "."], (Unit.PROCESS, 2, 3, 2, True)),
        (["FF.F" * 10, PASSING * 4, PASSING * 3 + "F"], (Unit.PROCESS, 2, 3, 40, True)),
    ],
    ids=["whole", "few", "one process", "one each", "mixed", "running again", "gathered"],
)
def test_failures_that_come_together_count_as_processes(
    records: Records, processes: list[str], expected: tuple[Unit, int, int, int, bool]
) -> None:
    """Also where no process passed and failed: then nothing says that iterations fail by themselves."""
    records.stress(*processes)
    rate = records.rates()[TEST]
    found = rate.unit, rate.failures, rate.total, rate.iterations_each, rate.is_clustered
    assert found == expected
    assert rate.iterations == sum(map(len, processes))


def test_the_newest_session_with_a_failure_counts(records: Records) -> None:
    """Not a newer one of other code in which it passed, nor an older one in which it failed."""
    records.stress(MIXED, commit="older")
    records.stress("." * 19 + "F", commit="broken")
    records.stress(PASSING, commit="fixed")
    assert records.counts() == (Unit.ITERATION, 1, 20)


def test_sessions_of_the_same_commit_count_together(records: Records) -> None:
    """Whether the test failed in them or not, before and after."""
    records.stress(PASSING)
    records.stress(MIXED)
    records.stress(PASSING, commit="other")
    records.stress(PASSING)
    assert records.counts() == (Unit.ITERATION, 5, 40)
    assert len(records.rates()[TEST].sessions) == 3
    assert records.rates()[TEST].sessions[0].startswith("20261121-120002")


@pytest.mark.parametrize(("commit", "dirty"), [(None, False), ("abc", True)], ids=["no git", "changed"])
def test_code_that_has_no_name_stands_alone(records: Records, commit: str | None, *, dirty: bool) -> None:
    """Changes beside the commit may be the fix; without a commit everything may."""
    records.stress(PASSING, commit=commit, dirty=dirty)
    records.stress(MIXED, commit=commit, dirty=dirty)
    assert records.counts() == (Unit.ITERATION, 5, 20)


def test_a_session_with_the_same_random_choices_is_no_further_evidence(records: Records) -> None:
    """The same `--repro-seed` makes the same iterations."""
    records.stress(MIXED, seed=1)
    records.stress(MIXED, seed=2)
    records.stress(MIXED, seed=2)
    assert records.counts() == (Unit.ITERATION, 10, 40)


def test_a_replay_is_no_rate(records: Records) -> None:
    """It runs one iteration, chosen because it fails."""
    records.stress(MIXED)
    records.stress("F", command="pytest --repro-replay 3 --repro-seed 1")
    assert records.counts() == (Unit.ITERATION, 5, 20)


def test_runs_of_the_gate_count_where_each_executed_the_test_once(records: Records) -> None:
    """Not those that left no report, skipped it, or excused its failure; a rerun hides no failure."""
    folder = records.gate(
        Outcome.FAILED, Outcome.PASSED, None, Outcome.SKIPPED, Outcome.XFAILED, Outcome.PASSED, Outcome.PASSED
    )
    records.report(folder / "run_7", RunTest(outcome=Outcome.PASSED), rescued=(TEST,))
    records.report(folder / "run_4", RunTest(outcome=Outcome.SKIPPED, is_executed=False))
    assert records.counts() == (Unit.RUN, 2, 4)


def test_stress_runs_inside_the_gate_count_as_iterations(records: Records) -> None:
    """Each run in a process of its own; a run with the same random choices is no further evidence."""
    folder = records.gate(None, None, None)
    for number, (outcomes, seed) in enumerate([(MIXED, 1), (PASSING + "F", 2), (PASSING + "F", 2)], 1):
        run = folder / f"run_{number}"
        records.report(run, RunTest(outcome=Outcome.FAILED, iterations=len(outcomes)))
        records.iterations(run, outcomes, seed=seed)
    assert records.counts() == (Unit.ITERATION, 6, 31)


def test_runs_and_iterations_are_never_added_up(records: Records) -> None:
    """The newest failing session decides which; with the same code, those of its kind count with it."""
    records.stress(MIXED)
    records.gate(Outcome.PASSED, Outcome.FAILED)
    assert records.counts() == (Unit.RUN, 1, 2)
    records.stress(PASSING)
    records.stress(MIXED)
    assert records.counts() == (Unit.ITERATION, 10, 50)


def test_an_iteration_that_ended_with_its_process_counts_once(records: Records) -> None:
    """Whether it stands in a batch already or not; what came after the last failure asked for does not."""
    folder = records.stress(MIXED)
    records.append(folder, "failures.jsonl", death(21))
    records.append(folder, "failures.jsonl", death(22, outcome="hang"))
    records.append(folder, "failures.jsonl", death(3))
    records.append(folder, "failures.jsonl", death(23, is_surplus=True))
    records.append(folder, "failures.jsonl", death(24, outcome="failed"))
    assert records.counts() == (Unit.ITERATION, 7, 22)


def test_iterations_of_a_session_without_a_failure_are_not_read(records: Records) -> None:
    """There may be millions, and none of them matters but beside a failing session of the same code."""
    records.stress(MIXED, commit="other")
    newer = records.stress(PASSING, command="pytest --repro-stress 10")
    records.append(newer, "iterations.jsonl", batch("F"))
    assert records.counts() == (Unit.ITERATION, 5, 20)


def test_a_session_that_was_broken_off_counts_as_far_as_it_came(records: Records) -> None:
    """Its last line is torn, and there is no summary."""
    folder = records.stress(MIXED)
    (folder / "summary.json").unlink()
    with (folder / "iterations.jsonl").open("a", encoding="utf-8") as file:
        file.write(json.dumps(batch("FFFF"))[:-20])
    assert records.counts() == (Unit.ITERATION, 5, 20)


ENDLESS = RunTest(outcome=Outcome.FAILED, iterations=float("inf"))  # type: ignore[arg-type]

HOSTILE = [
    b"",
    b"\xff\xfe\x00",
    b"[]\n",
    b"null\n",
    b'{"format_version": "9"}\n',
    b'{"format_version": 99}\n',
    b"[" * 100_000 + b"\n",
    b"1" * 5_000 + b"\n",
    json.dumps(batch("F") | {"format_version": 2}).encode() + b"\n",
    json.dumps(batch("F") | {"outcomes": [["failed", float("nan")]]}).encode() + b"\n",
    json.dumps(batch("F") | {"outcomes": [["failed", -1]]}).encode() + b"\n",
    json.dumps(batch("F") | {"outcomes": [["failed", 10**12]]}).encode() + b"\n",
    json.dumps(batch("F") | {"outcomes": [["no such", 1]]}).encode() + b"\n",
    json.dumps(batch("F") | {"outcomes": [[["failed"], 1]]}).encode() + b"\n",
    json.dumps(batch("F") | {"outcomes": "failed"}).encode() + b"\n",
    json.dumps(batch("F") | {"hash_seeds": [[1, float("nan")]]}).encode() + b"\n",
    json.dumps(batch("F") | {"hash_seeds": None}).encode() + b"\n",
    json.dumps(batch("F") | {"test": ["a"]}).encode() + b"\n",
    json.dumps(batch("F") | {"worker": {}}).encode() + b"\n",
    json.dumps(batch("F") | {"step": 0}).encode() + b"\n",
    json.dumps(death(1) | {"iteration": "1"}).encode() + b"\n",
    json.dumps(death(1) | {"worker": None}).encode() + b"\n",
    json.dumps(death(1) | {"outcome": ["crash"]}).encode() + b"\n",
    json.dumps(death(1) | {"outcome": "failed", "signature": {"exception": 1}}).encode() + b"\n",
    json.dumps(RunReport(exit_status=1, tests={TEST: ENDLESS}).to_payload()).encode(),
]


@pytest.mark.parametrize("content", HOSTILE, ids=range(len(HOSTILE)))
@pytest.mark.parametrize(
    "name", ["session.json", "iterations.jsonl", "failures.jsonl", "summary.json", "run_1/run.json"]
)
def test_a_record_that_is_not_ours_is_left_out(records: Records, name: str, content: bytes) -> None:
    """Whatever stands in its place, what is known of other sessions stays."""
    records.stress(MIXED)
    newer = records.session("verify" if "run" in name else "stress")
    (newer / "run_1").mkdir()
    (newer / "failures.jsonl").touch()
    (newer / name).write_bytes(content)
    assert records.counts() == (Unit.ITERATION, 5, 20)


def signed(records: Records, folder: Path, message: str) -> Path:
    """Gives a session a failure that tells what it was."""
    signature = Signature(exception="AssertionError", message=message)
    failure = death(1, outcome="failed", signature=signature_to_dict(signature))
    (folder / "failures.jsonl").write_text("", encoding="utf-8")
    records.append(folder, "failures.jsonl", failure)
    return folder


def proved(records: Records, *, needed: int | None = 9, passed: int = 9, **summary: Any) -> Path:
    """Makes a gate that ended stable."""
    gate = records.gate(Outcome.PASSED)
    rates = [{"test": TEST, "runs_needed": needed}]
    record = {"verdict": "stable", "confidence": 0.95, "runs_passed": passed, "rates_before": rates}
    records.write(gate / "summary.json", record | summary)
    return gate


def known(records: Records) -> list[tuple[str, int, int]]:
    """Reads title, failures and total of all that is to be proved gone, the newest first."""
    rate = records.rates().get(TEST)
    return [] if rate is None else [(each.title, each.failures, each.total) for each in rate.all]


RARE, TYPO = ("AssertionError: rare", 5, 20), ("AssertionError: typo", 1, 1)


def test_a_failure_of_another_kind_takes_nothing_from_the_record(records: Records) -> None:
    """Each signature has its newest session; only where there are several is it told which one it is."""
    signed(records, records.stress("F", commit=None), "rare")
    signed(records, records.stress(MIXED, commit=None), "rare")
    assert known(records) == [("", 5, 20)]
    signed(records, records.stress("F", commit=None), "typo")
    assert known(records) == [TYPO, RARE]
    signed(records, records.stress("F" + PASSING, commit=None), "rare")
    assert known(records) == [("AssertionError: rare", 1, 11), TYPO]


def test_failures_of_one_commit_count_together_whatever_they_are(records: Records) -> None:
    """One session stands beside the other, and is not asked for twice."""
    signed(records, records.stress(MIXED, commit="one"), "rare")
    signed(records, records.stress(MIXED, commit="one"), "typo")
    assert known(records) == [("", 10, 40)]


@pytest.mark.parametrize(
    ("changes", "is_proved"),
    [
        ({}, True),
        ({"needed": 10}, False),
        ({"needed": None}, False),
        ({"verdict": "incomplete"}, False),
        ({"confidence": 0.9}, False),
        ({"confidence": 0.99}, True),
        ({"confidence": float("nan")}, False),
        ({"confidence": None}, False),
        ({"rates_before": []}, False),
        ({"rates_before": [[], {"test": [], "runs_needed": 1}]}, False),
        ({"rates_before": None}, False),
        ({"runs_passed": "9"}, False),
    ],
)
def test_what_a_gate_has_proved_gone_is_asked_for_no_more(
    records: Records, changes: dict[str, Any], *, is_proved: bool
) -> None:
    """By enough runs, and before another failure came: the newest one is asked for in any case."""
    signed(records, records.stress(MIXED, commit=None), "rare")
    proved(records, **changes)
    assert known(records) == [("", 5, 20)]
    signed(records, records.stress("F", commit=None), "typo")
    assert known(records) == ([("", 1, 1)] if is_proved else [TYPO, RARE])


def test_a_hash_seed_is_told_that_all_processes_had(records: Records) -> None:
    """In runs of a gate each has its own; an isolated run has many, whatever stands in its session."""
    stress = records.stress("FF", "..")
    facts = {"kind": "stress", "command": "pytest", "git": None, "hash_seed": "0"}
    records.write(stress / "session.json", facts)
    assert records.rates()[TEST].hash_seed == "0"
    records.append(stress, "iterations.jsonl", batch(".") | {"hash_seeds": [[5, 1]]})
    assert records.rates()[TEST].hash_seed is None
    gate = records.gate(None, None)
    for number, seed in ((1, "7"), (2, "7")):
        records.report(gate / f"run_{number}", RunTest(outcome=Outcome.FAILED), hash_seed=seed)
    assert records.rates()[TEST].hash_seed == "7"
    records.report(gate / "run_2", RunTest(outcome=Outcome.FAILED), hash_seed="8")
    assert records.rates()[TEST].hash_seed is None


def test_what_is_no_file_is_not_waited_for(records: Records) -> None:
    """A pipe by the name of a record, a folder, and a file in the place of a session."""
    records.stress(MIXED)
    newer = records.stress("F")
    (newer / "iterations.jsonl").unlink()
    os.mkfifo(newer / "iterations.jsonl")
    even_newer = records.stress("F", commit="unread")
    (even_newer / "failures.jsonl").unlink()
    (even_newer / "failures.jsonl").mkdir()
    (newer.parent / "20261121-130000-stress-0000").write_text("", encoding="utf-8")
    nameless = newer.parent / "20261121-130000-\x1b[2J"
    nameless.mkdir()
    records.write(nameless / "session.json", {"kind": "stress", "command": "pytest", "git": None})
    records.append(nameless, "iterations.jsonl", batch("F"))
    records.append(nameless, "failures.jsonl", death(1, outcome="failed"))
    assert records.counts() == (Unit.ITERATION, 5, 20)


def test_more_iterations_than_can_be_are_left_out(records: Records) -> None:
    """Line by line they look like ours, all together they do not."""
    records.stress(MIXED)
    newer = records.session("stress")
    (newer / "failures.jsonl").touch()
    for _ in range(2):
        whole = batch("F") | {"outcomes": [["failed", 10**9]]}
        records.append(newer, "iterations.jsonl", whole)
    assert records.counts() == (Unit.ITERATION, 5, 20)
