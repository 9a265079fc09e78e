"""Threads that use a device take turns, and none waits for one that will never come."""

from __future__ import annotations

from threading import Event, Thread

import pytest

from pytest_repro.timing import turns as module
from pytest_repro.timing.turns import Turns


@pytest.fixture
def turns(monkeypatch: pytest.MonkeyPatch) -> Turns:
    monkeypatch.setattr(module, "TURN_S", 0.01)
    return Turns()


def test_a_turn_that_nobody_can_end_is_taken_over(turns: Turns) -> None:
    """Its thread has ended, as all others have in a fork: the next call waits once, those after it do not."""
    gone = Thread(target=turns.take)
    gone.start()
    gone.join()
    assert turns.take()
    turns.give_up()
    assert turns.take()


def test_who_is_interrupted_on_the_way_in_holds_nobody_up(turns: Turns) -> None:
    """Ctrl-C comes right after the wait: the turn has no holder, and is not waited for forever."""
    assert turns.take()
    turns.give_up()
    turns._lock.acquire()
    assert turns.take()
    turns.give_up()
    turns.give_up()


def test_a_thread_in_a_call_that_lasts_is_passed_by(turns: Turns) -> None:
    """It may be waiting for what this thread does next; its turn stays its own."""
    is_in_call, is_over = Event(), Event()

    def call() -> None:
        assert turns.take()
        turns.in_call = True
        is_in_call.set()
        is_over.wait(10)
        turns.in_call = False
        turns.give_up()

    thread = Thread(target=call)
    thread.start()
    assert is_in_call.wait(10)
    assert not turns.take()
    is_over.set()
    thread.join()
    assert turns.take()
