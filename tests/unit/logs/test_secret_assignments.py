"""An assignment of a secret is told from code that has such names."""

from __future__ import annotations

import ast
import keyword
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_repro.logs.secrets import Masker

RANDOM = st.from_regex(r"[a-z]{3}[A-Z]{3}[0-9]{4}[a-zA-Z0-9]{6,20}", fullmatch=True)
STRONG = st.sampled_from(
    ["password", "DB_PASSWORD", "api_key", "client_secret", "apiToken", "AWS_SECRET_KEY"]
)
WORDS = st.from_regex(r"[a-z]{1,10}(_[a-z]{1,8})?", fullmatch=True).filter(
    lambda word: not keyword.iskeyword(word)
)
WEAK = st.sampled_from(["key", "token", "tokens", "auth", "cookie", "signature", "secret", "password"])
CODE = (
    "assert {name} == [1, 2]",
    "{name}=lambda x: x",
    "def f({name}: str) -> None:",
    "sort({name}=len)",
    "dict({name}='a')",
    "KeyError: '{name}'",
    "pytest -k {name}",
    "{name} = {word}({word})",
    "{name}={word}.{word}",
    "f({name}={word}, x=1)",
    "{name}: {word}",
    "assert {name} != {word}",
    "{name} == '{word}'",
    "AttributeError: no {name}: {word}",
    "tests/test_{name}.py::test_{word}",
    "--{name} {word}",
)


@given(name=WEAK, word=WORDS, code=st.sampled_from(CODE))
def test_code_stays_as_it_is(name: str, word: str, code: str) -> None:
    """Names of parameters, keys and variables mean nothing without a value that looks secret."""
    text = code.format(name=name, word=word)
    assert Masker()(text) == text


@pytest.mark.parametrize("file", [ast.__file__, keyword.__file__])
def test_source_text_stays_as_it_is(file: str) -> None:
    """Shown source belongs to the signature of a failure."""
    text = Path(file).read_text(encoding="utf-8")
    assert Masker()(text) == text


@given(
    name=STRONG,
    value=RANDOM,
    form=st.sampled_from(
        [
            "{}={}",
            "{}: {}",
            '"{}": "{}"',
            "{}='{}'",
            "export {}={}",
            "--env {}={}",
            '{{\\"{}\\": \\"{}\\"}}',
            "{} = {}",
        ]
    ),
)
def test_a_secret_is_masked_in_each_form(name: str, value: str, form: str) -> None:
    """Of a shell, YAML, JSON, JSON within JSON, Python."""
    text = form.format(name, value)
    assert Masker()(text) == text.replace(value, "***")


@given(value=RANDOM, form=st.sampled_from(["{}='{}'", "{}={}", "{}: {}"]))
def test_a_random_value_is_masked_beside_everyday_names(value: str, form: str) -> None:
    """A token or key that is made up of letters and digits is no variable of a program."""
    assert value not in Masker()(form.format("token", value))


@pytest.mark.parametrize(
    "line",
    [
        "Authorization: token {}",
        "curl -H 'Authorization: Basic dXNlcjpodW50ZXIyaHVudGVyMg=='",
        "Proxy-Authorization: Digest {}",
        '{{"authorization": "Bearer {}"}}',
        "Cookie: session={}; lang=en",
        "https://user:{}@host/path",
        "tool --api-key={} run",
        "tool --access-token {} run",
        "glrt-{}abc",
        "xapp-1-{}",
        "ASIA0123456789ABCDEF",
        "ya29.{}abcdefgh",
        "GOCSPX-{}abcdefgh",
        "hf_{}abcdefgh",
        "pypi-AgEIcHlwaS5vcmc{}",
        "AccountKey={}==",
        "assert api_key == '{}'",
    ],
)
def test_well_known_forms_are_masked(line: str) -> None:
    """Headers, logins, options and tokens of services."""
    value = "aB3dE5fG7hJ9kL1m"
    masked = Masker()(line.format(value))
    assert "***" in masked
    assert value not in masked
    assert "dXNlcjpodW50ZXIy" not in masked
    assert "ASIA0123" not in masked


@pytest.mark.parametrize(
    "line",
    [
        "basic functionality works",
        "bearer certificates are missing",
        "the password is required",
        "the password is incorrect",
        "Authorization: missing",
        "def set_cookie(self, cookie: Cookie, *args: Any) -> None:",
        "assert 'token' in {'token': None}",
        "cache-key: Linux-pip-3.11-0a1b2c3d",
        "key: sha256-9f86d081884c7d659a2feaa0c55ad015",
        "password: $DB_PASSWORD",
        "token: ${{ secrets.GITHUB_TOKEN }}",
        "sk-estimator-doc-link fitted",
        "tests/test_auth.py:12: AssertionError",
    ],
)
def test_words_about_secrets_stay(line: str) -> None:
    """Nothing of them is secret."""
    assert Masker()(line) == line
