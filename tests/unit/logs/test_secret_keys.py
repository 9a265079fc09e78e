"""Private keys over several lines never leave a log, in whatever form it shows them."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from io import BytesIO
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_repro.logs.reader import read_log_and_masker
from pytest_repro.logs.secret_keys import MOST_OTHER_LINES
from pytest_repro.logs.secrets import Masker, is_maskable

BODY = (
    "MIIEpAIBAAKCAQEA7bq3T0yGq5xv9Zk1mW2n3B4v5C6x7Z8a9S0d1F2g3H4j5K6l",
    "q58UL92x61AtiLoA0aAHvVtybo3o/geXzSjVGrltLXARsTWqgvUUypEYFyO+aYza",
    "v9XQ=",
)
KEY = ("-----BEGIN RSA PRIVATE KEY-----", *BODY, "-----END RSA PRIVATE KEY-----")
PREFIXES: dict[str, Callable[[int], str]] = {
    "none": lambda _: "",
    "GitHub": lambda number: f"2025-07-11T20:01:09.{4809324 + number}Z ",
    "gh": lambda number: f"unit (3.11)\tRun tests\t2025-07-11T20:01:09.{4809324 + number}Z ",
    "compose": lambda _: "worker_1  | ",
    "pytest": lambda number: "E   AssertionError: assert '" if number == 0 else "E     ",
    "Jenkins": lambda number: f"[10:22:{30 + number}] ",
    "BuildKit": lambda number: f"#12 {number}.345 ",
    "indented": lambda _: "          ",
}


@pytest.mark.parametrize("prefix", PREFIXES)
def test_a_key_is_hidden_behind_any_prefix(prefix: str) -> None:
    """All of its lines, with the short last one; what stands around it, and the lines' number, stay."""
    mask = Masker().lines()
    lines = [PREFIXES[prefix](number) + line for number, line in enumerate((*KEY, "3 passed in 0.1s"))]
    masked = [mask(line) for line in lines]
    assert [line.endswith("***") for line in masked] == [False, True, True, True, False, False]
    assert masked[-1] == lines[-1]
    assert masked[2] == PREFIXES[prefix](2) + "***"


@pytest.mark.parametrize("separator", ["\\n", "\\\\n", "%0A", " "])
def test_a_key_in_one_line_is_hidden(separator: str) -> None:
    """JSON and variables spell its line ends out."""
    line = Masker()(f'"private_key": "{separator.join(KEY)}", "x": 1')
    assert not [body for body in BODY if body in line]
    assert line.endswith('", "x": 1')


def test_a_key_whose_line_is_cut_is_hidden() -> None:
    """It has no end then."""
    line = Masker()("KEY='" + "\\n".join(KEY[:-1]))
    assert not [body for body in BODY if body in line]


@pytest.mark.parametrize(
    "line",
    [
        "if '-----BEGIN PRIVATE KEY-----' in text:",
        "ValueError: no -----BEGIN PRIVATE KEY----- in the file",
    ],
)
def test_code_about_keys_hides_nothing(line: str) -> None:
    """The lines after it are read as they are."""
    mask = Masker().lines()
    assert [mask(one) for one in (line, "return", "v9XQ=")] == [line, "return", "v9XQ="]


def test_a_key_without_an_end_is_not_waited_for_for_ever() -> None:
    """After some lines that are none of it, a log is read as before."""
    mask = Masker().lines()
    for line in KEY[:-1]:
        mask(line)
    others = [mask(f"FAILED tests/test_a.py::test_{number} - x y") for number in range(MOST_OTHER_LINES)]
    assert "***" not in "".join(others)
    assert mask("done") == "done"


def test_a_message_with_a_line_of_a_key_is_masked() -> None:
    """What a log shows of a key once is secret in all of it, also where no beginning stands before it."""
    log = "\n".join((*KEY, f"E   ValueError: bad line {BODY[1]} of key")).encode()
    _, masker = read_log_and_masker(BytesIO(log))
    assert masker(f"ValueError: bad line {BODY[1]} of key") == "ValueError: bad line *** of key"


@given(value=st.text(min_size=8, max_size=40), before=st.binary(max_size=5), after=st.binary(max_size=5))
def test_known_values_are_hidden_in_each_form(value: str, before: bytes, after: bytes) -> None:
    """In base64 at any offset, percent-encoded, in JSON and in hexadecimal digits."""
    if not is_maskable(value) or any(char in value for char in "*\\\n\r"):
        return
    data = value.encode()
    encoded = base64.b64encode(before + data + after).decode()
    urlsafe = base64.urlsafe_b64encode(before + data + after).decode()
    for form in (quote(value, safe=""), json.dumps(value), data.hex(), encoded, urlsafe):
        masked = Masker([value])(f"x {form} y")
        assert "***" in masked
        assert len(masked) - len("x *** y") <= len(form) - len(data) + 4


@pytest.mark.parametrize("password", ["hunter2!pw", "corr/ect+horse"])
def test_a_known_password_is_hidden_in_basic_auth(password: str) -> None:
    """The user before it moves it to any offset."""
    for user in ("a", "ab", "abc"):
        login = base64.b64encode(f"{user}:{password}".encode()).decode()
        assert login not in Masker([password])(f"curl -H 'X-Login: {login}'")
