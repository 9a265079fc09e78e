"""Secrets that are recognised by their shape, wherever they stand."""

from __future__ import annotations

import pytest

from pytest_repro.logs.secrets import Masker


@pytest.mark.parametrize(
    ("text", "secret"),
    [
        ("GET https://api/?access_token=TOKabc12345678&x=1", "TOKabc12345678"),
        ("GET https://api/?token=QWERTYqwerty123456", "QWERTYqwerty123456"),
        ("run --password SpacePw987 now", "SpacePw987"),
        ("password is hunter3pw", "hunter3pw"),
        ("passphrase 'PassPhr4se'", "PassPhr4se"),
        ("https://hooks.slack.com/services/T0000/B0000/XXXX1234", "XXXX1234"),
        ("npm_abcdefghij0123456789abcdefghij012345", "abcdefghij0123456789"),
        ("dop_v1_0123456789abcdef0123456789abcdef", "0123456789abcdef"),
        ("MIIEpAIBAAKCAQEA7bq3T0yGq5xv9Zk1mW2n3B4v5C6x7Z8a9S0d1F2g3H4j5K6l", "MIIEpAIB"),
    ],
)
def test_a_secret_is_masked(text: str, secret: str) -> None:
    """It never leaves the log."""
    assert secret not in Masker()(text)


@pytest.mark.parametrize(
    "text",
    [
        "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
        "the token expired",
        "python -m pytest tests/test_keys.py --timeout=60",
    ],
)
def test_what_is_no_secret_stays(text: str) -> None:
    """Digests, words and commands are needed to reproduce."""
    assert Masker()(text) == text


@pytest.mark.parametrize(
    ("text", "secret"),
    [
        ("PassPhrase is hunter2!x9", "hunter2!x9"),
        (
            "the pa\u017f\u017fword is hunter2!x9",
            "hunter2!x9",
        ),  # the long s
        ("AUTHORIZATION: Bearer abc123def456ghi", "abc123def456ghi"),
        ("\u00e9 proxy-Authorization: BASIC dXNlcjpwYXNz", "dXNlcjpwYXNz"),
        ("then BEARER abc123def456ghi", "abc123def456ghi"),
        ("sent Basic dXNlcjpwYXNz", "dXNlcjpwYXNz"),
        ("SET-COOKIE: session=abc123def456", "abc123def456"),
        ('  "' + "xB3/" * 15 + '==", ', "xB3/" * 15),
        ("one\n" + "xB3/" * 15 + "\ntwo lines and more", "xB3/" * 15),
    ],
)
def test_a_cheap_look_keeps_no_secret_from_its_pattern(text: str, secret: str) -> None:
    """Words of any case, in ASCII and beyond, and lines of keys with what may stand behind them."""
    assert secret not in Masker()(text)
