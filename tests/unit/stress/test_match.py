"""Which failures a session looks for: by signature, by key, by text."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pytest_repro.errors import OptionError
from pytest_repro.model import Signature
from pytest_repro.signature import signature_to_dict
from pytest_repro.stress.match import (
    KeyMatch,
    Match,
    PatternMatch,
    SignatureMatch,
    match_from_payload,
    parse_match,
    read_signature_file,
)
from pytest_repro.stress.plan import StressPlan

BUG = Signature(
    exception="pkg.BadError",
    message="lost <n> packet",
    file="a.py",
    function="f",
    statement="raise BadError(n)",
)
OTHER = Signature(exception="ValueError", message="bad", file="a.py", function="g")
NEXT_STEP = (
    "Give a signature file (such as a scaffold's signature.json), a key of twelve hexadecimal digits, "
    "or a regular expression."
)


def _written(folder: Path, data: object) -> Path:
    path = folder / "signature.json"
    path.write_text(data if isinstance(data, str) else json.dumps(data), encoding="utf-8")
    return path


@pytest.mark.parametrize(
    "match",
    [
        SignatureMatch(signature=BUG),
        SignatureMatch(signature=Signature(exception="BadError", message="")),
        KeyMatch(key=BUG.key),
        PatternMatch(pattern="^pkg.BadError: lost"),
        PatternMatch(pattern=r"^lost \d packets$"),
        PatternMatch(pattern="second line"),
    ],
    ids=lambda match: type(match).__name__,
)
def test_the_bug_is_told_from_others_in_every_process(match: Match) -> None:
    """What a worker is told decides as the controller does."""
    for one in (match, match_from_payload(match.to_payload())):
        message = (
            "lost 7 packets" if "$" in str(getattr(one, "pattern", "")) else "lost 7 packets\nsecond line"
        )
        assert one.accepts(BUG, message)
        assert not one.accepts(OTHER, "bad")


def test_a_failure_without_an_exception_is_matched_by_its_message() -> None:
    """A crash has no more."""
    crash = Signature(exception=None, message="the worker process died")
    assert PatternMatch(pattern="^the worker").accepts(crash, "the worker process died")


def test_what_differs_is_named_where_fields_are_compared() -> None:
    """A near miss can be told from another bug altogether."""
    assert SignatureMatch(signature=BUG).contradictions(OTHER) == ("exception", "message", "function")
    assert KeyMatch(key=BUG.key).contradictions(OTHER) == ()
    assert PatternMatch(pattern="x").contradictions(OTHER) == ()


@pytest.mark.parametrize(
    ("match", "title"),
    [
        (SignatureMatch(signature=BUG), "BadError: lost <n> packet (a.py in f)"),
        (KeyMatch(key="0123456789ab"), "signature 0123456789ab"),
        (PatternMatch(pattern="a|b"), "/a|b/"),
    ],
)
def test_a_person_reads_what_is_looked_for(match: Match, title: str) -> None:
    """The summary says it."""
    assert match.title == title


def test_the_plan_carries_it_to_the_workers_as_builtins() -> None:
    """Whatever kind it is; without one, no failure is looked for and none is another's."""
    plan = StressPlan(iterations=2, match=SignatureMatch(signature=BUG))
    assert StressPlan.from_payload(json.loads(json.dumps(plan.to_payload()))) == plan
    assert (plan.is_match(BUG, ""), plan.is_match(OTHER, "")) == (True, False)
    plain = StressPlan(iterations=2)
    assert StressPlan.from_payload(plain.to_payload()) == plain
    assert plain.is_match(BUG, "") is None


def test_twelve_digits_are_a_key_a_file_is_read_and_all_else_is_searched_for(tmp_path: Path) -> None:
    """In this order."""
    _written(tmp_path, signature_to_dict(BUG))
    assert parse_match(" 0123456789ab ", folder=tmp_path) == KeyMatch(key="0123456789ab")
    assert parse_match("signature.json", folder=tmp_path) == SignatureMatch(signature=BUG)
    for text in ("lost", "0123456789abc", r"cannot read \S+\.json", "x" * 5000, "a\0b", "."):
        assert parse_match(text, folder=tmp_path) == PatternMatch(pattern=text)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "a signature file, a key of twelve hexadecimal digits, or a regular expression"),
        ("  ", "a signature file, a key of twelve hexadecimal digits, or a regular expression"),
        (
            "lost *?*",
            "a regular expression, a signature file or a key: multiple repeat at position 7",
        ),
    ],
)
def test_what_is_nothing_of_these_is_refused(tmp_path: Path, text: str, message: str) -> None:
    """The reason names the place in the expression."""
    with pytest.raises(ValueError, match=r"^a ") as caught:
        parse_match(text, folder=tmp_path)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    "data",
    [
        signature_to_dict(BUG),
        {"format_version": 1, "test": "t", "signature": signature_to_dict(BUG)},
        {"bugs": [{"signature": signature_to_dict(BUG), "failures": 3}]},
        {"iteration": 3, "signature": signature_to_dict(BUG), "message": "as it was"},
        {
            "exception": "pkg.BadError",
            "message": "lost 17 packets",
            "file": "a.py",
            "function": "f",
            "statement": "raise BadError(n)",
        },
    ],
    ids=["signature", "scaffold", "summary", "failure", "by hand"],
)
def test_a_signature_is_read_wherever_it_was_written(tmp_path: Path, data: object) -> None:
    """A scaffold's file, a session's summary or one of its failures, or what a person writes."""
    assert read_signature_file(_written(tmp_path, data)) == BUG


def test_fields_that_are_not_there_are_not_known(tmp_path: Path) -> None:
    """One field is enough."""
    expected = Signature(exception="E", message="")
    assert read_signature_file(_written(tmp_path, {"exception": "E"})) == expected


def _summary(*signatures: Signature) -> dict[str, Any]:
    return {"bugs": [{"signature": signature_to_dict(one)} for one in signatures]}


@pytest.mark.parametrize(
    ("data", "fact", "next_step"),
    [
        (
            "x",
            "The signature file is not one JSON object: Expecting value: line 1 column 1 (char 0)",
            NEXT_STEP,
        ),
        (
            "[" * 100_000,
            "The signature file is not one JSON object: it is no text, or nested too deep",
            NEXT_STEP,
        ),
        ("[1]", "The signature file is not one JSON object", NEXT_STEP),
        (
            {"format_version": 1, "test": None, "signature": None},
            "The file holds no signature: no failing test was known when it was made",
            NEXT_STEP,
        ),
        ({"a": 1}, "The file holds no signature: it has neither 'exception' nor 'message'", NEXT_STEP),
        ({"exception": 3}, "The field 'exception' of the signature is no text", NEXT_STEP),
        (
            {"exception": None, "message": ""},
            "The signature is empty: every failure would match it",
            NEXT_STEP,
        ),
        (_summary(), "The summary holds no bug", NEXT_STEP),
        (
            _summary(BUG, OTHER),
            "The summary holds 2 bugs",
            f"Give the key of one of them: {BUG.key}, {OTHER.key}.",
        ),
    ],
)
def test_a_file_without_a_single_signature_is_refused_in_three_parts(
    tmp_path: Path, data: object, fact: str, next_step: str
) -> None:
    """Fact, place and next step."""
    path = _written(tmp_path, data)
    with pytest.raises(OptionError) as caught:
        read_signature_file(path)
    assert str(caught.value) == f"{fact} ({path}). {next_step}"


def test_a_file_that_is_not_there_is_no_regular_expression(tmp_path: Path) -> None:
    """A mistyped name must not be searched for in messages."""
    with pytest.raises(OptionError) as caught:
        parse_match("signature.json", folder=tmp_path)
    fact = "The signature file cannot be read: No such file or directory"
    assert str(caught.value) == f"{fact} ({tmp_path / 'signature.json'}). {NEXT_STEP}"
