"""How the end of a process is told, and what two such ends have in common."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Any

import pytest

from pytest_repro.model import Outcome, Signature, Stage
from pytest_repro.signature import make_signature, same_failure
from pytest_repro.stress.deaths import (
    PRINTED_LIMIT,
    Death,
    Examination,
    OutOfMemoryKills,
    code_of_fatal_signal,
    describe_death,
    how_it_ended,
    where_it_was,
)
from pytest_repro.stress.recorder import Activity, Position

ROOT = "/p"

STACKS = """Fatal Python error: Segmentation fault

Current thread 0x00007f03 (most recent call first):
  File "/usr/lib/python3.11/ctypes/__init__.py", line 518 in string_at
  File "/p/tests/test_a.py", line 12 in test_a
  File "/venv/lib/python3.11/site-packages/_pytest/python.py", line 166 in pytest_pyfunc_call
"""

ASKED = STACKS.partition("\n\n")[2]


def position(**changed: Any) -> Position:
    facts: dict[str, Any] = {
        "pid": 1,
        "activity": Activity.CALL,
        "test_index": 0,
        "slice_first": 1,
        "step": 1,
        "iteration": 1_204,
        "began_ns": 0,
        "since_ns": 0,
        "phase": "",
        "limit_ns": None,
        "is_limit_of_call": False,
        "unsent_first": 1,
        "unsent": (),
    }
    return Position(**facts | changed)


def death(code: int | None = None, **facts: Any) -> Death:
    return describe_death(position(), code=code, root=ROOT, **facts)


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (0, "exit status 0"),
        (3, "exit status 3"),
        (-11, "SIGSEGV"),
        (-9, "SIGKILL"),
        (-50, "signal 50"),
    ],
)
def test_an_end_has_words(code: int, words: str) -> None:
    """A signal has its name where it has one."""
    assert how_it_ended(code) == words


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({}, "in iteration 1,204 (call)"),
        ({"activity": Activity.SETUP}, "in iteration 1,204 (setup)"),
        ({"phase": "op matmul"}, "in iteration 1,204 (call, phase op matmul)"),
        ({"activity": Activity.CLOSING}, "in iteration 1,204 (the late teardown)"),
    ],
)
def test_a_place_has_words(changed: dict[str, Any], words: str) -> None:
    """Iteration, stage and phase."""
    assert where_it_was(position(**changed)) == words


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("Segmentation fault", signal.SIGSEGV),
        ("Aborted", signal.SIGABRT),
        ("Bus error", signal.SIGBUS),
        ("Floating-point exception", signal.SIGFPE),
        ("Illegal instruction", signal.SIGILL),
    ],
)
def test_the_signal_stands_in_the_stacks(text: str, number: signal.Signals) -> None:
    """Where a process was ended in its crash, its own code is that of what ended it."""
    stacks = STACKS.replace("Segmentation fault", text)
    assert code_of_fatal_signal(stacks) == -number
    assert code_of_fatal_signal(ASKED) is None
    found = Examination(hung_ns=None, stacks=stacks, code=-number)
    held = death(-signal.SIGKILL, stacks=stacks, examination=found)
    assert held.message == f"the process died with {number.name}"
    assert "in test_a" in held.text


@pytest.mark.parametrize("facts", [{"code": 3}, {"code": -9}, {"code": -6}, {"has_lost_channel": True}])
def test_stacks_of_another_death_are_not_those_of_this_one(facts: dict[str, Any]) -> None:
    """A fork that native code has made writes to its parent's file."""
    told = death(**facts, stacks=STACKS)
    assert "test_a" not in told.text
    assert told.signature == death(**facts).signature


def test_a_crash_says_all_that_is_known() -> None:
    """How, where, the stacks without pytest's frames, native ones, what it printed."""
    found = Examination(hung_ns=None, stacks=STACKS, native="py-spy:\nmain (libc.so)")
    crash = death(-11, stacks=STACKS, printed="last words\n", examination=found)
    assert crash.outcome is Outcome.CRASH
    assert crash.stage is Stage.CALL
    assert crash.text == (
        "the process died with SIGSEGV in iteration 1,204 (call)\n\n"
        "Fatal Python error: Segmentation fault\n"
        "Current thread 0x00007f03 (most recent call first):\n"
        '  File "/usr/lib/python3.11/ctypes/__init__.py", line 518 in string_at\n'
        '  File "/p/tests/test_a.py", line 12 in test_a\n\n'
        "native stacks by py-spy:\nmain (libc.so)\n\n"
        "it printed:\nlast words"
    )


def test_a_crash_that_says_nothing_is_told_all_the_same() -> None:
    """Without stacks, and where not even its code is known."""
    assert death(None).text == "the process died in iteration 1,204 (call)"
    assert death(3).text == "the process died with exit status 3 in iteration 1,204 (call)"


def test_what_it_printed_last_is_kept_within_bounds() -> None:
    """The end of it."""
    text = death(3, printed="x" * 100_000 + "end").text
    assert text.endswith("xend")
    assert len(text) < PRINTED_LIMIT + 200


def test_a_hang_says_all_that_is_known() -> None:
    """How long, where, stacks, native stacks, what the user's own command found."""
    found = Examination(hung_ns=61_240_000_000, stacks=ASKED, native="gdb:\nmain", triage="device 3 busy")
    hang = death(-9, stacks="", examination=found, ran_out_of_memory=True)
    assert hang.outcome is Outcome.HANG
    assert hang.message == "hung for 61.2 s"
    assert found.ended_ns(position(began_ns=1_000)) == 61_240_001_000
    first, stacks, native, triage = hang.text.split("\n\n")
    assert first == "hung for 61.2 s in iteration 1,204 (call)"
    assert stacks.endswith("in test_a")
    assert native == "native stacks by gdb:\nmain"
    assert triage == "--repro-triage:\ndevice 3 busy"


def test_a_death_is_a_failing_iteration() -> None:
    """With all that a failure has."""
    failure = death(-11).failure(test="t", worker="gw1", seed=5, hash_seed=None, elapsed_ns=7)
    assert (failure.test, failure.iteration, failure.outcome) == ("t", 1_204, Outcome.CRASH)
    assert (failure.stage, failure.worker, failure.seed) == (Stage.CALL, "gw1", 5)
    assert failure.elapsed_ns == 7
    assert failure.text == death(-11).text


def test_a_kill_is_the_systems_only_if_it_was_one() -> None:
    """A crash while another process ran out of memory is a crash."""
    assert death(-9, ran_out_of_memory=True).message == "the process died with SIGKILL (out of memory)"
    assert death(-9).message == "the process died with SIGKILL"
    assert death(-11, ran_out_of_memory=True).message == "the process died with SIGSEGV"


def test_the_systems_kills_are_counted_since_the_last_question(tmp_path: Path) -> None:
    """Over all files that count them."""
    system, group = tmp_path / "vmstat", tmp_path / "memory.events"
    system.write_text("pgfault 9\noom_kill 4\n", encoding="utf-8")
    kills = OutOfMemoryKills((system, group))
    assert not kills.any_since()
    group.write_text("low 0\noom 7\noom_kill 1\noom_group_kill 0\n", encoding="utf-8")
    assert kills.any_since()
    assert not kills.any_since()
    system.write_text("pgfault 9\noom_kill 5\n", encoding="utf-8")
    assert kills.any_since()
    assert not OutOfMemoryKills(()).any_since()


def test_the_counters_of_this_machine_are_read() -> None:
    """Nothing was killed meanwhile, or it was: it is told, and not raised."""
    assert OutOfMemoryKills().any_since() in {True, False}


def test_crashes_at_one_place_are_one_bug_and_signals_tell_them_apart() -> None:
    """The place is the deepest frame; the numbers around it do not count."""
    one, other = death(-11, stacks=STACKS), death(-11, stacks=STACKS.replace("0x00007f03", "0x7f99"))
    assert one.signature == other.signature
    assert one.signature.function == "string_at"
    assert one.signature.file == "ctypes/__init__.py"
    assert death(-6, stacks=STACKS).signature.key != one.signature.key
    elsewhere = death(-11, stacks=STACKS.replace("string_at", "memmove"))
    assert elsewhere.signature.key != one.signature.key


def test_hangs_in_one_function_are_one_bug_however_long_and_deep() -> None:
    """The deepest frame of the project counts, as what is below it changes from look to look."""
    deep = Examination(hung_ns=5 * 10**9, stacks=ASKED)
    deeper = Examination(hung_ns=6 * 10**9, stacks=ASKED.replace("string_at", "memmove"))
    one, other = (death(-9, examination=found) for found in (deep, deeper))
    assert one.signature == other.signature
    assert (one.signature.message, one.signature.function) == ("hung", "test_a")
    assert one.signature.file == "tests/test_a.py"
    elsewhere = Examination(hung_ns=5 * 10**9, stacks=ASKED.replace("test_a.py", "test_b.py"))
    assert death(-9, examination=elsewhere).signature.key != one.signature.key


def of_log(message: str) -> Signature:
    return make_signature(exception=None, message=message)


@pytest.mark.parametrize(
    ("message", "code", "is_same"),
    [
        ("the worker process died", -11, True),
        ("the worker process died", 3, True),
        ("the worker process died with SIGSEGV", -11, True),
        ("the worker process died with SIGABRT", -11, False),
        ("Timeout >5.0s", -11, False),
    ],
)
def test_a_crash_in_a_log_is_ours_if_nothing_contradicts(message: str, code: int, *, is_same: bool) -> None:
    """A log of xdist does not say how the worker died."""
    assert same_failure(of_log(message), death(code, stacks=STACKS).signature) == is_same


def test_a_timeout_in_a_log_is_a_hang_here() -> None:
    """pytest-timeout's own message; a crash is none."""
    hang = death(-9, examination=Examination(hung_ns=5 * 10**9, stacks=ASKED)).signature
    assert same_failure(of_log("Timeout (>5.0s) from pytest-timeout."), hang)
    assert same_failure(of_log("Timeout >5.0s"), hang)
    assert not same_failure(of_log("the worker process died"), hang)
    assert not same_failure(of_log("assert 1 == 2"), hang)


def test_a_kill_for_memory_is_the_same_crash_as_in_the_log() -> None:
    """Which does not know the reason."""
    killed = death(-9, ran_out_of_memory=True).signature
    assert same_failure(of_log("the worker process died"), killed)
