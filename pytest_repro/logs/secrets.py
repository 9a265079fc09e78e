"""What must not leave a log: names that look secret, their values, and tokens of a well-known shape."""

from __future__ import annotations

import re
from collections.abc import Iterable

MASK = "***"

_SECRET_NAME = re.compile(
    r"(?:^|_|-|\b)(?:TOKENS?|SECRETS?|PASS|PASSWORDS?|PASSWD|PWD|PASSPHRASE|KEYS?|APIKEY|CREDENTIALS?|CREDS|AUTH|PRIVATE|"
    r"SIGNATURE|COOKIE|DSN|PAT|WEBHOOK(?:_URL)?)(?:$|_|-|\b)",
    re.IGNORECASE,
)
_JOINED_NAME = re.compile(r"token|secret|passw|apikey|api_key|credential|privatekey", re.IGNORECASE)
_HARMLESS_NAME = frozenset({"PWD", "OLDPWD", "PRIMARY_KEY", "TOKENIZERS_PARALLELISM"})
_SHORTEST_MASKED = 6
_WORD = re.compile(r"[A-Za-z]{1,12}|[\d.]{1,12}")
_PLAIN_VALUE = re.compile(r"true|false|none|null|yes|no|\d{1,5}", re.IGNORECASE)

_TOKEN = re.compile(
    r"\b(?:gh[pousr]_[A-Za-z0-9]{20,}|github_pat_\w{20,}|glpat-[\w-]{15,}|xox[abprs]-[\w-]{10,}|AKIA[0-9A-Z]{16}|"
    r"npm_[A-Za-z0-9]{20,}|dop_v1_[a-f0-9]{20,}|(?<=hooks\.slack\.com/services/)[\w/]+|"
    r"AIza[\w-]{35}|hf_[A-Za-z0-9]{20,}|pypi-[\w-]{20,}|sk-[A-Za-z0-9_-]{20,}|"
    r"eyJ[\w-]{10,}\.[\w-]{10,}\.[\w-]{5,})"
)
_ASSIGNMENT = re.compile(
    r"(?P<head>(?P<name>\b[A-Za-z_][A-Za-z0-9_-]{1,60})['\"]?\s{0,2}[=:]\s{0,2})"
    r"(?P<value>\"[^\"\r\n]+\"|'[^'\r\n]+'|[^\s'\",;&)}\]]+)"
)
_URL_LOGIN = re.compile(
    r"(?P<scheme>\b[a-z][a-z0-9+.-]{1,20}://[^\s/:@]{0,100}):(?P<password>[^\s/@]{1,200})@"
)
_AUTHORIZATION = re.compile(r"(?P<head>\b(?:bearer|basic)\s+)[\w.~+/=-]{8,}", re.IGNORECASE)

_QUERY = re.compile(
    r"(?P<head>[?&](?:access_token|token|api_?key|key|secret|password|sig|signature)=)[^\s&#'\"]+",
    re.IGNORECASE,
)
_OPTION = re.compile(
    r"(?P<head>--(?:password|passwd|passphrase|token|secret|api-key)[ =])[^\s'\"-][^\s'\"]{5,}", re.IGNORECASE
)
_SPOKEN = re.compile(
    r"(?P<head>\b(?:password|passphrase) )(?:is [^\s]+|'[^'\r\n]+'|\"[^\"\r\n]+\")", re.IGNORECASE
)
# A line of a key in PEM form; a digest in hexadecimal digits is none.
_KEY_LINE = re.compile(
    r"^(?=[^\s]*[g-z])(?=[^\s]*[A-Z])[A-Za-z0-9+][A-Za-z0-9+/]{59,}={0,2}\s*$", re.MULTILINE
)


def is_secret_name(name: str) -> bool:
    """Says whether a variable of this name is likely to hold something secret."""
    if name.upper() in _HARMLESS_NAME:
        return False
    return bool(_SECRET_NAME.search(name) or _JOINED_NAME.search(name))


def is_masked(value: str) -> bool:
    """Says whether a CI system, or this module, has put its mask into the value."""
    return MASK in value or "[MASKED]" in value or "[FILTERED]" in value


def is_secret(name: str, value: str) -> bool:
    """Says whether the value must not be carried on."""
    return is_secret_name(name) or is_masked(value) or mask_shapes(value) != value


def mask_shapes(text: str) -> str:
    """Puts the mask in place of tokens, logins and assignments that are recognised by their shape alone."""
    text = _TOKEN.sub(MASK, text)
    if "://" in text:
        text = _URL_LOGIN.sub(rf"\g<scheme>:{MASK}@", text)
    for pattern in (_QUERY, _OPTION, _SPOKEN):
        text = pattern.sub(rf"\g<head>{MASK}", text)
    text = _KEY_LINE.sub(MASK, text)
    return _AUTHORIZATION.sub(rf"\g<head>{MASK}", text)


def _mask_assignment(match: re.Match[str]) -> str:
    if not is_secret_name(match["name"]) or _PLAIN_VALUE.fullmatch(match["value"].strip("'\"")):
        return match[0]
    return match["head"] + MASK


class Masker:
    """Puts the mask in place of known secret values and of whatever looks like one.

    Args:
        values: Values that were found beside secret-looking names.
    """

    def __init__(self, values: Iterable[str] = ()) -> None:
        kept = {value for value in values if is_maskable(value)}
        longest_first = sorted(kept, key=lambda value: (-len(value), value))
        self._known = re.compile("|".join(map(re.escape, longest_first))) if longest_first else None

    def __call__(self, text: str) -> str:
        """Returns the text with the mask in place of each secret."""
        if self._known is not None:
            text = self._known.sub(MASK, text)
        if "=" in text or ":" in text:
            text = _ASSIGNMENT.sub(_mask_assignment, text)
        return mask_shapes(text)


def is_maskable(value: str) -> bool:
    """Says whether a value is long and odd enough to be taken out wherever it appears."""
    is_word = _PLAIN_VALUE.fullmatch(value) or _WORD.fullmatch(value)  # masking `postgres` would ruin paths
    return len(value) >= _SHORTEST_MASKED and not is_word and not is_masked(value)
