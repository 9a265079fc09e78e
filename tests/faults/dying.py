"""What happens inside a dying test: it draws its fate, writes it down and goes to it.

This file is copied beside the test modules of each session, and knows nothing but the standard library,
pytest and the file `faults.json` beside it. A line of the journal is one `write` to a file that is open for
appending, so it is whole and stays whatever happens to the process a moment later.
"""

from __future__ import annotations

import ctypes
import json
import os
import random
import resource
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

CONFIG = "faults.json"
JOURNAL = "journal.jsonl"

SLOW_PASSES = 0.1
"""Share of the passing iterations that take some time, so that results wait unsent at some deaths."""

LONGEST_PASS_S = 0.12


class Fate(NamedTuple):
    """What an iteration does.

    Attributes:
        fault: Name of the fault, `pass` for none.
        stage: `setup`, `call` or `teardown`.
        pause_s: Time that it takes if nothing happens to it.
    """

    fault: str
    stage: str
    pause_s: float = 0.0


def draw_fate(config: dict[str, Any], test: str, iteration: int) -> Fate:
    """Returns the fate of an iteration, always the same for the same seed.

    Args:
        config: `seed`, and `faults`: for each name its share of all iterations and its stages.
        test: Node id.
        iteration: 1-based.
    """
    chance = random.Random(f"{config['seed']} {test} {iteration}")
    point = chance.random()
    for name, fault in config["faults"].items():
        point -= fault["share"]
        if point < 0:
            return Fate(name, chance.choice(fault["stages"]))
    is_slow = chance.random() < SLOW_PASSES
    return Fate("pass", "call", chance.uniform(0, LONGEST_PASS_S) if is_slow else 0.0)


def do_fail(place: str) -> None:
    raise AssertionError(f"wanted to fail {place}")


def do_error(place: str) -> None:
    raise RuntimeError(f"wanted an error {place}")


def do_skip(place: str) -> None:
    pytest.skip(f"wanted to skip {place}")


def do_segv(place: str) -> None:
    ctypes.string_at(0)


def do_abort(place: str) -> None:
    os.abort()


def do_exit0(place: str) -> None:
    os._exit(0)


def do_exit3(place: str) -> None:
    os._exit(3)


def do_kill(place: str) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def do_term(place: str) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    os.kill(os.getpid(), signal.SIGTERM)


def do_thread(place: str) -> None:
    thread = threading.Thread(target=crash_in_thread)
    thread.start()
    thread.join()


def crash_in_thread() -> None:
    ctypes.string_at(0)


def do_spin(place: str) -> None:
    while True:
        pass


def do_sleep(place: str) -> None:
    while True:
        time.sleep(3600)


def do_gil(place: str) -> None:
    pause = ctypes.PyDLL(None).pause  # a PyDLL keeps the interpreter's lock: no other thread runs
    while True:
        pause()


def do_native(place: str) -> None:
    pause = ctypes.CDLL(None).pause
    while True:
        pause()


def do_deadlock(place: str) -> None:
    ours, theirs, is_theirs = threading.Lock(), threading.Lock(), threading.Event()

    def wait_for_ours() -> None:
        with theirs:
            is_theirs.set()
            ours.acquire()

    with ours:
        threading.Thread(target=wait_for_ours, daemon=True).start()
        is_theirs.wait()
        theirs.acquire()


def do_stop(place: str) -> None:
    os.kill(os.getpid(), signal.SIGSTOP)
    while True:  # something woke it up: it stays where it is
        time.sleep(3600)


DEEDS: dict[str, Callable[[str], None]] = {
    "fail": do_fail,
    "error": do_error,
    "skip": do_skip,
    "segv": do_segv,
    "abort": do_abort,
    "exit0": do_exit0,
    "exit3": do_exit3,
    "kill": do_kill,
    "term": do_term,
    "thread": do_thread,
    "spin": do_spin,
    "sleep": do_sleep,
    "gil": do_gil,
    "native": do_native,
    "deadlock": do_deadlock,
    "stop": do_stop,
}


def write_event(event: str, **facts: Any) -> None:
    """Writes one line of the journal, at once and whole."""
    place = Path(__file__).parent / JOURNAL
    line = json.dumps({"event": event, "pid": os.getpid(), **facts}) + "\n"
    descriptor = os.open(place, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    try:
        os.write(descriptor, line.encode())
    finally:
        os.close(descriptor)


def name_of(request: pytest.FixtureRequest) -> str:
    """Returns the test's node id as the user knows it, made without asking the item for it."""
    call = getattr(request.node, "callspec", None)
    parameters = "" if call is None else f"[{call.id}]"
    return f"{request.path.name}::{request.function.__qualname__.replace('.', '::')}{parameters}"


class Dice:
    """One iteration of one test, and what becomes of it.

    Args:
        request: Of the fixture.
        repro: The fixture of pytest-repro.
    """

    def __init__(self, request: pytest.FixtureRequest, repro: Any) -> None:
        config = json.loads((Path(__file__).parent / CONFIG).read_text(encoding="utf-8"))
        test = name_of(request)
        self._fate = draw_fate(config, test, repro.iteration)
        self._facts = {
            "test": test,
            "iteration": repro.iteration,
            "worker": repro.worker,
            "xdist": os.environ.get("PYTEST_XDIST_WORKER", "main"),
            "seed": repro.seed,
        }
        self._drawn = random.random()

    def begin(self) -> None:
        """Writes that the iteration begins."""
        write_event("begin", drawn=self._drawn, **self._facts)

    def end(self) -> None:
        """Writes that the iteration has come to its end."""
        write_event("end", **self._facts)

    def go(self, stage: str) -> None:
        """Does what is to be done in this stage, after it was written down."""
        fate = self._fate
        if fate.stage != stage:
            return
        if fate.fault == "pass":
            if fate.pause_s:
                time.sleep(fate.pause_s)
            return
        write_event("do", fault=fate.fault, stage=stage, **self._facts)
        DEEDS[fate.fault](f"in {stage} of iteration {self._facts['iteration']}")


# A core file for each death would fill the disk.
resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))
