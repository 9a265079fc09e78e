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
        ("{} != {1: [<a.b[25 chars]d50>]}", "{} != {1: [<a.b[9 chars]ea10>]}"),
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
        (
            "no file /tmp/pytest-of-ci/pytest-3/popen-gw1/test_x1/a.txt",
            "no file /tmp/pytest-of-ci/pytest-3/test_x0/a.txt",
        ),
        ("no /private/var/folders/ab/c_9/T/tmpq1w2e3r4/a", "no /var/folders/zz/yy/T/tmpaaaabbbb/a"),
        ("no C:\\Users\\me\\AppData\\Local\\Temp\\tmp1\\a", "no D:\\Temp\\x2\\a"),
        ("no /scratch/tmpab12cd_x/a", "no /scratch/tmpzzzzzzzz/a"),
        ("run_123e4567-e89b-12d3-a456-426614174000", "run_00000000-e89b-12d3-a456-42661417400f"),
        ("Thu, 20 Nov 2026 10:11:12 GMT: late", "Fri, 2 Jan 2026 00:00:00 GMT: late"),
        ("Nov 20 10:11:12 late", "Dec  1 10:11:12 late"),
        ("10:11:12 AM late", "3:11:12 PM late"),
        ("1 day, 2:03:04 left", "2:03:04.5 left"),
        ("took 980ms", "took 1.2s"),
        ("took 1m3s", "took 59s"),
        ("took 1 second", "took 2.5 seconds"),
        ("off by 1.2345678e-05", "off by 0.5"),
        ("array([1., 2.5])", "array([.5, -2.])"),
        ("array([ 1.  -2.5])", "array([-1.   2.5])"),
        ("array([0.1, 0.2, ...0.3])", "array([0.12, 0....73, 0.3])"),
        ("commit 1234567 is gone", "commit 0f9e8d7 is gone"),
        ("commit 0F9E8D7C6B is gone", "commit ABCDEF012 is gone"),
        ("job k3J9dLq0Zx8Pm2Vt", "job 77aXb2Pq9Zr4Lm1N3"),
        ("no route to 00:1a:2b:3c:4d:5e", "no route to 00:11:22:33:44:55"),
        ("no route to fe80::a00:27ff:fe4e:66a1", "no route to 2001:db8::8a2e:370:7334"),
        ("127.0.0.1:5432 refused", "10.0.0.17:80 refused"),
        ("port 8080 of pid 12 in Thread-7 (work)", "port 80 of pid 99 in Thread-12 (work)"),
        ("lost 1 packet", "lost 22 packets"),
        ("assert {'b', 'a'} == {'c'}", "assert {'a', 'b'} == {'c'}"),
        ("lost {3, 'a', 1}", "lost {'a', 1, 2}"),
        ("frozenset({(1, 'a'), (2, 'b')})", "frozenset({(2, 'b'), (1, 'a')})"),
        ("{'x': {'b', 'a'}, 'y': 1}", "{'y': 2, 'x': {'a', 'b'}}"),
        ("assert {'alpha', 'be...ta', 'gamma'} == set()", "assert {'gamma', 'al...pha', 'beta'} == set()"),
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
        ("expected 3 apples", "expected 3 pears"),
        ("expected float32", "expected float64"),
        ("not utf-8", "not utf-16"),
        ("wait... no", "wait, no"),
        ("['b', 'a'] is wrong", "['a', 'b'] is wrong"),
        ("{'loading...'} is wrong", "{'saving...'} is wrong"),
        ("decade of feed", "decade of food"),
        ("Marker 5", "May 5"),
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
        ("/tmp/pytest-of-me/pytest-7/test_x0/made/mod_1.py", "<tmp>/made/mod_1.py"),
        ("<string>", "<string>"),
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
        "statement": "assert f(1) == 2",
    }
    fields |= changes
    return Signature(
        exception=fields["exception"],
        message=fields["message"] or "",
        file=fields["file"],
        function=fields["function"],
        statement=fields["statement"],
    )


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"exception": "TypeError"}, ("exception",)),
        ({"message": "good value"}, ("message",)),
        ({"file": "tests/test_b.py"}, ("file",)),
        ({"function": "test_b"}, ("function",)),
        ({"file": "other/test_a.py"}, ("file",)),
        ({"statement": "assert f(3) == 4"}, ("statement",)),
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
        {"file": None, "function": None, "statement": None},
        {"statement": None},
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


@pytest.mark.parametrize(
    ("shown", "is_same"),
    [("login *** refused", True), ("log*** refused", True), ("login *** expired", False)],
)
def test_what_a_ci_system_has_masked_may_be_anything(shown: str, *, is_same: bool) -> None:
    """The rest of the message still counts."""
    assert same_failure(_signature(message="login as bob refused"), _signature(message=shown)) is is_same


@pytest.mark.parametrize(
    ("one", "other", "is_same"),
    [
        ("the worker process died", "the process died with SIGSEGV", True),
        ("the process died with SIGSEGV", "the process died with SIGSEGV", True),
        ("the process died with SIGSEGV", "the process died with exit status <n>", False),
        ("the worker process died", "the server process died", False),
    ],
)
def test_a_death_is_known_by_how_it_came_where_that_is_known(one: str, other: str, *, is_same: bool) -> None:
    """A worker that is gone has left no status."""
    assert same_failure(_signature(message=one), _signature(message=other)) is is_same


def test_folders_below_a_chosen_base_are_temporary_too() -> None:
    """With --basetemp, alone or in a worker, in a message as in a place."""
    keys = {
        make_signature(
            exception="E",
            message=f"no /data/base/{folder}/x.txt",
            frame=Frame(file=f"/data/base/{folder}/made.py", function="f"),
            root="/data",
            temporary="/data/base",
        )
        for folder in ("test_a0", "test_a12", "popen-gw1/test_a3")
    }
    assert {(one.message, one.file) for one in keys} == {("no <tmp>/x.txt", "<tmp>/made.py")}


def test_a_timeout_is_the_same_wherever_the_test_was_at_that_moment() -> None:
    """Its place in the function is chance."""
    message = "Timeout (>5.0s) from pytest-timeout."
    frames = [Frame(file="a.py", function="f", statement=text) for text in ("sleep(1)", "if ready():")]
    one, other = (make_signature(exception="Failed", message=message, frame=frame) for frame in frames)
    assert one.key == other.key


def test_a_line_that_moved_keeps_its_signature() -> None:
    """Only file and function make the place."""
    one = make_signature(exception="E", message="m", frame=Frame(file="a.py", line=10, function="f"))
    other = make_signature(exception="E", message="m", frame=Frame(file="a.py", line=99, function="f"))
    assert one.key == other.key


def test_a_signature_survives_json() -> None:
    """What is written can be read back."""
    signature = _signature(function=None)
    assert signature_from_dict(signature_to_dict(signature)) == signature


def test_a_signature_without_a_statement_can_still_be_read() -> None:
    """What wrote it did not know of statements, or did not see the source."""
    record = signature_to_dict(_signature(statement=None))
    del record["statement"]
    assert signature_from_dict(record) == _signature(statement=None)


def test_a_title_names_exception_message_and_place() -> None:
    """One line is enough to recognise a failure."""
    assert _signature(exception="pkg.BadError").title == "BadError: bad value (tests/test_a.py in test_a)"
    assert Signature(exception=None, message="").title == "no message"
