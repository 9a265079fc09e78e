"""The comparison itself: it finds what differs, and overlooks only what is chance."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.acceptance.lanes.comparison import (
    Comparison,
    Plain,
    Project,
    differences_from_plain,
    made_once,
    run_lane,
    run_plain,
)
from tests.acceptance.lanes.recorded import Recorded, normalised

SOURCE = """
    import pytest
    from events import note, word

    @pytest.fixture
    def value():
        note("up")
        yield 1
        note("down")

    def test_passes(value):
        print("printed")
        note("body")

    def test_fails(value):
        print("printed")
        assert word() == "nothing"

    def test_untouched():
        pass
"""

CHANGES = {
    "an-outcome": ('assert word() == "nothing"', 'pytest.skip("now")', "iterations"),
    "a-traceback": ('word() == "nothing"', 'word() == "anything"', "failures"),
    "an-order": ('note("down")', 'note("gone")', "events"),
    "printed-by-a-passing-test": ('print("printed")\n        note', 'print("other")\n        note', "junit"),
    "printed-by-a-failing-test": (
        'print("printed")\n        assert',
        'print("other")\n        assert',
        "failures",
    ),
    "a-later-iteration": ('assert word() == "nothing"', 'assert word() == "three"', "iterations"),
}


FILES = {name: f"test_{name.replace('-', '_')}.py" for name in CHANGES}
ORIGINAL = Project(sources=dict.fromkeys(FILES.values(), SOURCE))
CHANGED = Project(sources={FILES[name]: SOURCE.replace(old, new) for name, (old, new, _) in CHANGES.items()})


@dataclass(frozen=True, slots=True, kw_only=True)
class Sessions:
    """The same tests three times, and other ones once."""

    original: Recorded
    again: Recorded
    changed: Recorded
    plain: Plain


@pytest.fixture(scope="module")
def sessions(tmp_path_factory: pytest.TempPathFactory) -> Sessions:
    def run() -> Sessions:
        first, second = (tmp_path_factory.mktemp(name) for name in ("first", "second"))
        return Sessions(
            original=run_lane(first, ORIGINAL, "full"),
            again=run_lane(second, ORIGINAL, "full"),
            changed=run_lane(first, CHANGED, "auto"),
            plain=run_plain(first, ORIGINAL),
        )

    return made_once(tmp_path_factory, "sessions", run)


@pytest.mark.parametrize("name", CHANGES)
def test_what_differs_is_found(sessions: Sessions, name: str) -> None:
    """Any change of what a test does is noticed, for this test alone, and against a plain session too."""
    old, _, what = CHANGES[name]
    assert old in SOURCE
    comparison = Comparison(expected=sessions.original, got=sessions.changed)
    found = comparison.differences_of(FILES[name])
    assert any(difference.what.endswith(what) for difference in found)
    assert not any("test_untouched: " in difference.what for difference in found)
    assert comparison.differences_of("") != []
    assert differences_from_plain(sessions.plain, sessions.original, FILES[name]) == []
    assert differences_from_plain(sessions.plain, sessions.changed, FILES[name]) != []


def test_two_sessions_of_the_same_tests_do_not_differ(sessions: Sessions) -> None:
    """Times, addresses and folders are no differences."""
    assert sessions.original.iterations
    assert Comparison(expected=sessions.original, got=sessions.again).differences() == ()


LONG = """\
config = <Config>

    def outer():
>       inner()

/lib/_pytest/runner.py:1:{space}
_ _ _ _ _ _ _ _ _ _ _ _
/lib/pluggy/_manager.py:2: in call
    return function()
           ^^^^^^^^^^
test_a.py:3: in test_a
    helper()
_ _ _ _ _ _ _ _ _ _ _ _

    def last():
>       raise Error
E       Error

/lib/_pytest/warn.py:4: Error"""

LONG_KEPT = """\
test_a.py:3: in test_a
    helper()

    def last():
>       raise Error
E       Error

/lib/_pytest/warn.py:4: Error"""

NATIVE = """\
  | Traceback (most recent call last):
  |   File "/lib/_pytest/runner.py", line 1, in call
  |     function()
  |     ^^^^^^^^^^
  |   File "test_a.py", line 3, in test_a
  |     helper()
  | Error"""

NATIVE_KEPT = """\
  | Traceback (most recent call last):
  |   File "test_a.py", line 3, in test_a
  |     helper()
  | Error"""


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        (LONG, LONG_KEPT),
        (NATIVE, NATIVE_KEPT),
        ("==== 1 failed in 0.12s ====", "=1 failed in <time>="),
        ("<Repro object at 0x7f13a6cfeb50>", "<Repro object at <address>>"),
        (
            "records: .pytest_repro/sessions/20261121-144616-stress-3c5a",
            "records: .pytest_repro/sessions/<session>",
        ),
        ("python -m pytest --repro-lane full test_a.py", "python -m pytest test_a.py"),
        ("test_a.py .F\nstress: 5 of 6 iterations, 63/s\n.   [ 99%]", "test_a.py .F. [ 99%]"),
        ("a\nlane: full for 1 test: b\nc", "a\nc"),
        ("assert 3 == 4", "assert 3 == 4"),
    ],
)
def test_only_chance_and_the_way_to_the_last_frame_are_left_out(text: str, kept: str) -> None:
    """Where a traceback begins depends on the lane; its frames in tests and its last frame do not."""
    # pytest ends the line of a frame in a long traceback with a space.
    assert normalised(text.replace("{space}", " "), Path("/nowhere")) == kept
