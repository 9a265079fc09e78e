"""Tracebacks in the records: those of each bug, and never without end."""

from __future__ import annotations

from pytest_repro.model import Failure, Outcome, Signature, Stage
from pytest_repro.stress.texts import BUGS_WITH_A_TEXT, TEXTS_OF_A_BUG, KeptTexts, LeftOut


def failure(message: str, *, text: str | None = "Traceback") -> Failure:
    """A failing iteration whose message makes its bug."""
    return Failure(
        test="test_a",
        iteration=1,
        outcome=Outcome.FAILED,
        stage=Stage.CALL,
        signature=Signature(exception="ValueError", message=message),
        message=message,
        seed=1,
        worker="main",
        elapsed_ns=1,
        text=text,
    )


def test_the_first_texts_of_a_bug_are_kept() -> None:
    """Later ones are left out, which is said."""
    texts = KeptTexts()
    kept = [texts.kept(failure("a")) for _ in range(TEXTS_OF_A_BUG + 2)]
    assert [why for _, why in kept] == [None] * TEXTS_OF_A_BUG + [LeftOut.REPEATED] * 2
    assert [one.text for one, _ in kept] == ["Traceback"] * TEXTS_OF_A_BUG + [None] * 2


def test_a_failure_that_came_without_its_text_repeats_one_that_had_it() -> None:
    """Its process has shown the bug before."""
    texts = KeptTexts()
    texts.kept(failure("a"))
    assert texts.kept(failure("a", text=None))[1] is LeftOut.REPEATED


def test_bugs_beyond_the_limit_keep_no_text() -> None:
    """Those that were there first go on keeping theirs."""
    texts = KeptTexts()
    for number in range(BUGS_WITH_A_TEXT):
        assert texts.kept(failure(str(number)))[1] is None
    late, why = texts.kept(failure("late"))
    assert (late.text, why) == (None, LeftOut.TOO_MANY_BUGS)
    assert texts.kept(failure("0"))[1] is None
