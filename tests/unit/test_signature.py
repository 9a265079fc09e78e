"""Signatures: what changes from run to run does not count, what makes a bug does."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_repro.model import Frame, Signature
from pytest_repro.signature import (
    MESSAGE_LIMIT,
    differences,
    make_signature,
    normalise_file,
    normalise_message,
    same_failure,
    signature_from_dict,
    signature_to_dict,
)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("<Mock at 0x7f11aa>", "<Mock at 0x55d0b7c2>"),
        ("assert 0.123 < 1e-3", "assert 4.5 < 1e-3"),
        (
            "no file /tmp/pytest-of-root/pytest-12/test_x0/a.txt",
            "no file /tmp/pytest-of-ci/pytest-3/test_x1/a.txt",
        ),
        ("job 123e4567-e89b-12d3-a456-426614174000 lost", "job 00000000-e89b-12d3-a456-42661417400f lost"),
        ("at 2026-11-20T10:11:12.5Z: late", "at 2025-01-02T00:00:00Z: late"),
        ("took 00:00:12.345", "took 10:20:30"),
        ("item_37 is missing", "item_4 is missing"),
        ("commit a1b2c3d4e5 is gone", "commit 0f9e8d7c6b is gone"),
        ("shape (1, 2, 3, 4)", "shape (7, 8, 9)"),
        ("\x1b[31mbad\x1b[0m", "bad"),
    ],
)
def test_what_changes_from_run_to_run_does_not_count(one: str, other: str) -> None:
    """Addresses, numbers, paths, times, ids and colours do not split one bug in two."""
    assert normalise_message(one) == normalise_message(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("key 'a' is missing", "key 'b' is missing"),
        ("connection refused", "connection reset"),
        ("/tmp is full", "/var is full"),
    ],
)
def test_words_count(one: str, other: str) -> None:
    """Two messages with different words are two failures."""
    assert normalise_message(one) != normalise_message(other)


def test_only_the_first_line_of_a_message_counts() -> None:
    """Later lines are details: diffs, hints, captured values."""
    assert normalise_message("assert x\n  where x = f()") == "assert x"


@given(st.text())
def test_any_message_is_normalised_to_a_bounded_line(text: str) -> None:
    """No text of a test breaks the signature, and none makes it long."""
    normal = normalise_message(text)
    assert len(normal) <= MESSAGE_LIMIT
    assert "\n" not in normal


@pytest.mark.parametrize(
    ("file", "expected"),
    [
        ("/home/me/project/tests/test_a.py", "tests/test_a.py"),
        ("C:\\ci\\lib\\site-packages\\numpy\\core.py", "numpy/core.py"),
        ("/usr/lib/python3.12/json/decoder.py", "json/decoder.py"),
        ("./tests/test_a.py", "tests/test_a.py"),
        ("/elsewhere/test_a.py", "/elsewhere/test_a.py"),
    ],
)
def test_a_file_is_told_as_two_machines_would_agree_on(file: str, expected: str) -> None:
    """Installation folders and the project's root are not part of a place."""
    assert normalise_file(file, root="/home/me/project") == expected


def _signature(**changes: str | None) -> Signature:
    fields: dict[str, str | None] = {
        "exception": "ValueError",
        "message": "bad value",
        "file": "tests/test_a.py",
        "function": "test_a",
    }
    fields |= changes
    return Signature(
        exception=fields["exception"],
        message=fields["message"] or "",
        file=fields["file"],
        function=fields["function"],
    )


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"exception": "TypeError"}, ("exception",)),
        ({"message": "good value"}, ("message",)),
        ({"file": "tests/test_b.py"}, ("file",)),
        ({"function": "test_b"}, ("function",)),
        ({"file": "other/test_a.py"}, ("file",)),
    ],
)
def test_a_contradiction_in_any_field_is_named(changes: dict[str, str], expected: tuple[str, ...]) -> None:
    """Different exceptions, messages or places are not merged."""
    assert differences(_signature(), _signature(**changes)) == expected


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"exception": "builtins.ValueError"},
        {"exception": None},
        {"file": "/runner/work/tests/test_a.py"},
        {"file": None, "function": None},
        {"message": ""},
    ],
)
def test_what_one_side_does_not_know_does_not_count(changes: dict[str, str | None]) -> None:
    """A log that shows less than a traceback can still tell the same failure."""
    assert same_failure(_signature(), _signature(**changes))


def test_a_message_cut_by_a_log_is_still_the_same() -> None:
    """A terminal's width does not make another failure, but a few letters are not enough."""
    whole = _signature(message="the completion queue did not answer in time")
    assert same_failure(whole, _signature(message="the completion queue did..."))
    assert not same_failure(whole, _signature(message="the comp..."))


def test_a_line_that_moved_keeps_its_signature() -> None:
    """Only file and function make the place."""
    one = make_signature(exception="E", message="m", frame=Frame(file="a.py", line=10, function="f"))
    other = make_signature(exception="E", message="m", frame=Frame(file="a.py", line=99, function="f"))
    assert one.key == other.key


def test_a_signature_survives_json() -> None:
    """What is written can be read back."""
    signature = _signature(function=None)
    assert signature_from_dict(signature_to_dict(signature)) == signature


def test_a_title_names_exception_message_and_place() -> None:
    """One line is enough to recognise a failure."""
    assert _signature(exception="pkg.BadError").title == "BadError: bad value (tests/test_a.py in test_a)"
    assert Signature(exception=None, message="").title == "no message"
