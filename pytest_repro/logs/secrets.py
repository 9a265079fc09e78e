"""What must not leave a log: values beside names that look secret, in all their forms, and known shapes."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from itertools import pairwise

from pytest_repro.logs.formats import LONGEST_LINE
from pytest_repro.logs.secret_forms import forms_of
from pytest_repro.logs.secret_keys import MASK, KeyHider, may_hold_key
from pytest_repro.logs.secret_shapes import is_odd, mask_shapes

_SECRET_NAME = re.compile(
    r"(?:^|_|-|\b)(?:TOKENS?|SECRETS?|PASS|PASSWORDS?|PASSWD|PWD|PASSPHRASE|KEYS?|APIKEY|CREDENTIALS?|CREDS|AUTH|PRIVATE|"
    r"SIGNATURE|COOKIE|DSN|PAT|WEBHOOK(?:_URL)?)(?:$|_|-|\b)",
    re.IGNORECASE,
)
_JOINED_NAME = re.compile(
    r"token|secret|passw|apikey|api_key|credential|privatekey|accountkey", re.IGNORECASE
)
_NAME_PARTS = (
    "token",
    "secret",
    "pass",
    "key",
    "pwd",
    "cred",
    "auth",
    "private",
    "signature",
    "cookie",
    "dsn",
    "pat",
    "webhook",
)
_PLAIN_SECRET_NAME = re.compile(
    r"passw|passphrase|(?:^|_|-)pwd$|secret|(?:api|access|private|account)[_-]?key|"
    r"(?:auth|access|api|refresh|private|bearer)[_-]?token|credential",
    re.IGNORECASE,
)
_HARMLESS_NAME = frozenset({"PWD", "OLDPWD", "PRIMARY_KEY", "TOKENIZERS_PARALLELISM", "BUILDKITE_STEP_KEY"})
_FOREIGN_MASK = re.compile(r"\[(?:MASKED|FILTERED|REDACTED|HIDDEN)", re.IGNORECASE)
_SHORTEST_MASKED = 6
_WORD = re.compile(r"[A-Za-z]{1,12}|[\d.]{1,12}")
_PLAIN_VALUE = re.compile(r"true|false|none|null|yes|no|\d{1,5}", re.IGNORECASE)

_ASSIGNMENT = re.compile(
    r"(?P<name>\b[A-Za-z_][A-Za-z0-9_-]{1,60})(?P<close>\\{0,3}['\"]?)"
    r"(?P<sign>[ \t]{0,2}(?:[!=]=|[=:])(?![:=])[ \t]{0,2})"
    r"(?P<open>\\{0,3}\"|\\{0,3}'|)(?P<value>(?<=\")[^\"\\\r\n]+|(?<=')[^'\\\r\n]+|(?<!['\"])[^\s'\",;&)}\]\\]+)"
)
_REFERENCE = re.compile(r"[$<{%@*]|\.{1,2}/|~/|[a-z][a-z0-9+.-]*://|[A-Za-z]:\\", re.IGNORECASE)
_PATH = re.compile(r"/?(?:[\w.@+-]+/)+[\w.@+-]*|/[\w.@+-]*")
_CODE = re.compile(r"[()\[\]{}<>|]|::|->|\.\.\.|…")
_DOTTED = re.compile(r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)+")
_KIND = re.compile(
    r"string|integer|number|boolean|object|required|optional|unknown|default|missing|invalid|changed|"
    r"absent|present|enabled|disabled|inherit|redacted|filtered|password|secret|null|none",
    re.IGNORECASE,
)
_SHORTEST_RANDOM = 12
_FEWEST_DIGITS = 3
_AWS_SECRET_LENGTH = 40


def is_secret_name(name: str) -> bool:
    """Says whether a variable of this name is likely to hold something secret."""
    if name.upper() in _HARMLESS_NAME:
        return False
    return bool(_SECRET_NAME.search(name) or _JOINED_NAME.search(name))


def _may_name_secret(text: str) -> bool:
    """Says whether a name in the text may be one that `is_secret_name` knows; cheap."""
    words = text.lower()
    return any(map(words.__contains__, _NAME_PARTS))


def is_masked(value: str) -> bool:
    """Says whether a CI system, or this module, has put its mask into the value."""
    return MASK in value or bool(_FOREIGN_MASK.search(value))


def is_secret(name: str, value: str) -> bool:
    """Says whether the value must not be carried on."""
    return is_secret_name(name) or is_masked(value) or mask_shapes(value) != value


class Masker:
    """Puts the mask in place of known secret values, in any form, and of whatever looks like one.

    Args:
        values: Values that were found beside secret-looking names.
    """

    def __init__(self, values: Iterable[str] = ()) -> None:
        forms = {form for value in values if is_maskable(value) for form in forms_of(value)}
        self._forms = tuple(sorted(forms, key=lambda form: (-len(form), form)))
        self._known = re.compile("|".join(map(re.escape, self._forms))) if forms else None

    def __call__(self, text: str) -> str:
        """Returns the text with the mask in place of each secret."""
        if may_hold_key(text):
            text = "\n".join(map(KeyHider(), text.split("\n")))
        return self._without_values(text)

    def lines(self) -> Callable[[str], str]:
        """Returns what masks the lines of one stream, one after the other: a key may go over several."""
        hide_keys = KeyHider()
        return lambda line: self._without_values(hide_keys(line))

    def _without_values(self, text: str) -> str:
        if len(text) > LONGEST_LINE // 2:
            text = self._without_beginning_at_end(text)
        if self._known is not None and any(form in text for form in self._forms):
            text = self._known.sub(MASK, text)
        if ("=" in text or ":" in text) and _may_name_secret(text):
            text = _ASSIGNMENT.sub(_mask_assignment, text)
        return mask_shapes(text)

    def _without_beginning_at_end(self, text: str) -> str:
        """Takes out a known value, of several words, in the middle of which a line was cut."""
        for form in self._forms:
            for length in range(len(form) - 1, _SHORTEST_MASKED - 1, -1):
                if text.endswith(form[:length]):
                    return text[:-length] + MASK
        return text


def is_maskable(value: str) -> bool:
    """Says whether a value is long and odd enough to be taken out wherever it appears."""
    is_word = _PLAIN_VALUE.fullmatch(value) or _WORD.fullmatch(value)  # masking `postgres` would ruin paths
    return len(value) >= _SHORTEST_MASKED and not is_word and not is_masked(value)


def _mask_assignment(match: re.Match[str]) -> str:
    name, value = match["name"], match["value"]
    if len(value) < _SHORTEST_MASKED or not is_secret_name(name) or not _is_secret_value(match, name, value):
        return match[0]
    return match[0][: match.start("value") - match.start()] + MASK


def _is_secret_value(match: re.Match[str], name: str, value: str) -> bool:
    """Tells a value from code, from a reference to one and from a word about one."""
    if is_masked(value) or _PLAIN_VALUE.fullmatch(value) or _REFERENCE.match(value) or _is_path(value):
        return False
    is_quoted = bool(match["open"])
    sign = match["sign"].strip()
    if not is_quoted and (_CODE.search(value) or _DOTTED.fullmatch(value) or sign in {"==", "!="}):
        return False
    is_plain_name = bool(_PLAIN_SECRET_NAME.search(name))
    if not is_plain_name:
        return is_random(value)
    if _KIND.fullmatch(value) or is_secret_name(value) or is_secret_name(value.rstrip("0123456789_")):
        return False
    is_setting = bool(match["close"] and is_quoted) or (name.isupper() and match["sign"] == "=")
    return not any(char.isspace() for char in value) and (is_setting or is_odd(value))


def is_random(value: str) -> bool:
    """Says whether a value is made up of letters and digits like no word, number, version or digest is."""
    digits = sum(char.isdigit() for char in value)
    if len(value) < _SHORTEST_RANDOM or digits < _FEWEST_DIGITS or any(char.isspace() for char in value):
        return False
    if re.fullmatch(r"(?:\w{2,8}[:-])?[0-9a-f]{32,}|[\d.:TZ+-]+|0x[0-9a-fA-F]+", value):
        return False
    letters = "".join(char for char in value if char.isalpha())
    is_mixed = letters.lower() != letters and letters.upper() != letters
    turns = sum(one.isdigit() != other.isdigit() for one, other in pairwise(value))
    return bool(letters) and (is_mixed or turns >= _FEWEST_DIGITS) and not re.search(r"[-_.]\w+[-_.]", value)


def _is_path(value: str) -> bool:
    return bool(_PATH.fullmatch(value)) and not (len(value) == _AWS_SECRET_LENGTH and is_random(value))
