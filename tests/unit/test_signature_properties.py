"""Signatures hold for any message: what is put in by a run never counts, exception and place always do."""

from __future__ import annotations

import datetime
import random
from collections.abc import Callable
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from pytest_repro.model import Frame, Signature
from pytest_repro.signature import make_signature, normalise_message

WORDS = st.sampled_from(
    [
        "lost",
        "packet",
        "rows",
        "in",
        "took",
        "s",
        "ms",
        "is",
        "can't",
        "}",
        "[",
        "None",
        "float32",
        "->",
        "of",
    ]
)
WRAPPERS = st.sampled_from(
    ["{}", "'{}'", "({})", "[{}]", "id={}", "at:{}", "<{}>", "{},", "item_{}", "{}: no"]
)
NUMBERS: list[st.SearchStrategy[str]] = [
    st.integers().map(str),
    st.integers(min_value=0).map("{:,}".format),
    st.floats(allow_nan=False, allow_infinity=False).map(repr),
]
HEXADECIMAL = st.text("0123456789abcdef", min_size=7, max_size=40).filter(
    lambda text: any(map(str.isdigit, text))
)
DATES = st.datetimes(min_value=datetime.datetime(1970, 1, 1), max_value=datetime.datetime(2100, 1, 1))  # noqa: DTZ001
TEMPORARY_NAME = st.text("abcdefghijklmnopqrstuvwxyz0123456789_", min_size=8, max_size=8)
CHANGING: list[st.SearchStrategy[str]] = [
    *NUMBERS,
    st.one_of(NUMBERS),
    st.integers(min_value=0, max_value=2**64).map(hex),
    st.uuids().map(str),
    HEXADECIMAL,
    DATES.map(lambda date: date.isoformat()),
    DATES.map(lambda date: date.strftime("%a, %d %b %Y %H:%M:%S GMT")),
    DATES.map(lambda date: date.strftime("%H:%M:%S.%f")),
    st.floats(min_value=0, max_value=1e6).map("{:.3f}s".format),
    st.integers(min_value=1, max_value=999).map("Thread-{}".format),
    st.integers(min_value=1, max_value=65535).map("127.0.0.1:{}".format),
    TEMPORARY_NAME.map("/tmp/tmp{}/data.txt".format),
    TEMPORARY_NAME.map("/scratch/run/tmp{}/data.txt".format),
    st.integers(0, 999).map("/tmp/pytest-of-me/pytest-{0}/test_a{0}/data.txt".format),
    st.permutations(["'alpha'", "'beta'", "3", "(1, 2)"]).map(lambda parts: "{" + ", ".join(parts) + "}"),
]


@st.composite
def two_messages(draw: Callable[[st.SearchStrategy[Any]], Any]) -> tuple[str, str]:
    """Draws one message twice, with other values where a run puts its own."""
    one, other = [], []
    for _ in range(draw(st.integers(1, 5))):
        word = draw(WORDS)
        wrapper = draw(WRAPPERS)
        kind = draw(st.sampled_from(CHANGING))
        one += [word, wrapper.replace("{}", draw(kind))]
        other += [word, wrapper.replace("{}", draw(kind))]
    return " ".join(one), " ".join(other)


@given(two_messages())
def test_what_a_run_puts_into_a_message_never_changes_the_key(messages: tuple[str, str]) -> None:
    """Numbers, addresses, ids, times, paths and the order of a set, wherever they stand."""
    keys = {make_signature(exception="E", message=message).key for message in messages}
    assert len(keys) == 1, [normalise_message(message) for message in messages]


@given(st.sets(st.text(), min_size=1), st.randoms(use_true_random=False))
def test_a_set_reads_the_same_in_any_order(elements: set[str], chance: random.Random) -> None:
    """Each process has another order of the same set, whatever is in it."""
    shown = [repr(element) for element in sorted(elements)]
    mixed = chance.sample(shown, len(shown))
    one, other = ("got {" + ", ".join(order) + "}" for order in (shown, mixed))
    assert len(one) > 1000 or normalise_message(one) == normalise_message(other)


@given(two_messages())
def test_what_is_normal_stays_as_it_is(messages: tuple[str, str]) -> None:
    """A message that was read from a record may be read again."""
    normal = normalise_message(messages[0])
    assert normalise_message(normal) == normal


NAMES = st.from_regex(r"[A-Za-z_][A-Za-z0-9_]{0,20}", fullmatch=True)
PLACES = st.tuples(NAMES, NAMES.map("src/{}.py".format), NAMES, NAMES.map("raise {}".format))


def _made(place: tuple[str, str, str, str]) -> Signature:
    exception, file, function, statement = place
    frame = Frame(file=file, function=function, statement=statement)
    return make_signature(exception=exception, message="bad", frame=frame)


@given(PLACES, PLACES)
def test_another_exception_file_function_or_statement_is_always_another_bug(
    one: tuple[str, str, str, str], other: tuple[str, str, str, str]
) -> None:
    """Equal keys mean equal places, also where names hold numbers."""
    assert (_made(one).key == _made(other).key) == (one == other)
