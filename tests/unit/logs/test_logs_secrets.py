from __future__ import annotations

import pytest

from pytest_repro.logs.secrets import Masker, is_secret, is_secret_name


@pytest.mark.parametrize(
    "name",
    ["API_TOKEN", "SECRET_KEY", "DB_PASSWORD", "AWS_ACCESS_KEY_ID", "githubToken", "NPM_AUTH", "SENTRY_DSN"],
)
def test_names_of_secrets_are_recognised(name: str) -> None:
    """Tokens, secrets, passwords, keys and the like are told by their names."""
    assert is_secret_name(name)


@pytest.mark.parametrize(
    "name", ["PWD", "KEYBOARD", "MONKEY", "PATH", "PYTHONPATH", "TOKENIZERS_PARALLELISM", "AUTHOR"]
)
def test_harmless_names_are_left_alone(name: str) -> None:
    """A word that only contains such a word names no secret."""
    assert not is_secret_name(name)


@pytest.mark.parametrize("value", ["***", "ghp_" + "a1" * 18, "postgres://u:hunter22@host/db", "x [MASKED]"])
def test_values_are_recognised_by_their_shape(value: str) -> None:
    """A mask, a known kind of token and a login in a URL are secret under any name."""
    assert is_secret("PLAIN", value)


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("value is s3cr3t-value!", "value is ***!"),
        ("password=hunter2 next", "password=*** next"),
        ("--token abc", "--token abc"),
        ("api_key: 'abc-4ef7-99'", "api_key: '***'"),
        ("https://bob:pw@host/x", "https://bob:***@host/x"),
        ("Authorization: Bearer abcdefghij", "Authorization: Bearer ***"),
        ("token = true", "token = true"),
    ],
)
def test_secrets_in_text_are_masked(text: str, masked: str) -> None:
    """Known values, assignments to secret names, logins and tokens give way to the mask."""
    assert Masker(["s3cr3t-value"])(text) == masked


def test_everyday_words_are_not_masked() -> None:
    """A password that is an everyday word would take that word out of every path."""
    assert Masker(["postgres"])("tests/test_postgres.py") == "tests/test_postgres.py"
