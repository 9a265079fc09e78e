"""Secrets that are told by their shape alone: tokens, logins in URLs, headers, options, lines of keys."""

from __future__ import annotations

import base64
import binascii
import re

from pytest_repro.logs.secret_keys import MASK, KeyHider, may_hold_key

_MIXED = r"(?=[\w-]{0,200}\d)(?=[\w-]{0,200}[A-Z])"
_TOKEN = re.compile(
    # After a letter only where that is an option: `-mTOKEN`.
    r"(?:(?<![A-Za-z0-9_])|(?<=[\s'\"]-[A-Za-z]))(?:gh[pousr]_[A-Za-z0-9]{20,}|github_pat_\w{20,}|gl(?:pat|ptt|dt|rt|cbt|soat)-[\w-]{15,}|"
    r"xox[abeprs]-[\w-]{10,}|xapp-\d-[\w-]{10,}|(?:AKIA|ASIA)[0-9A-Z]{16}|npm_[A-Za-z0-9]{20,}|"
    r"dop_v1_[a-f0-9]{20,}|dckr_pat_[\w-]{20,}|(?<=hooks\.slack\.com/services/)[\w/]+|AIza[\w-]{35}|"
    r"ya29\.[\w-]{20,}|GOCSPX-[\w-]{20,}|hf_[A-Za-z0-9]{20,}|"
    rf"pypi-{_MIXED}[\w-]{{20,}}|sk-{_MIXED}[\w-]{{20,}}|[rs]k_(?:live|test)_[A-Za-z0-9]{{16,}}|"
    r"SG\.[\w-]{16,}\.[\w-]{16,}|eyJ[\w-]{10,}\.[\w-]{10,}\.[\w-]{5,}|"
    r"LS0tLS1CRUdJTi[A-Za-z0-9+/=_-]{16,})"  # `-----BEGIN ` in base64
)
_URL_LOGIN = re.compile(
    r"(?P<scheme>\b[a-z][a-z0-9+.-]{1,20}://[^\s/:@]{0,100}):(?P<password>[^\s/@]{1,200})@"
)
_HEADER = re.compile(
    r"(?P<head>\b(?:(?:proxy-)?authorization|(?:set-)?cookie)(?P<quote>\\*['\"]?)[ \t]{0,2}[:=][ \t]{0,2}"
    r"(?:\\*['\"])?"
    r"(?P<scheme>(?:bearer|basic|token|digest|negotiate|apikey|aws4-hmac-sha256)\s+)?)"
    r"(?P<value>[^\s'\"\\][^\r\n'\"\\]{7,})",
    re.IGNORECASE,
)
_HEADER_RUN = re.compile(r"[\w~+/=%-]{8,}")
_BEARER = re.compile(r"(?P<head>\bbearer\s+)(?P<value>[\w.~+/=-]{8,})", re.IGNORECASE)
_BASIC = re.compile(r"(?P<head>\bbasic\s+)(?P<value>[A-Za-z0-9+/_-]{8,}={0,2})", re.IGNORECASE)
_QUERY = re.compile(
    r"(?P<head>[?&;](?:[\w-]{0,30}(?:token|secret|passw(?:or)?d|signature)|api_?key|key|sig|x-amz-credential)=)"
    r"(?P<value>[^\s&#'\"<>\\]{6,})",
    re.IGNORECASE,
)
_OPTION = re.compile(
    r"(?P<head>(?<![\w-])--(?:[a-z]{1,20}-){0,3}"
    r"(?:password|passwd|passphrase|token|secret|api-?key)(?:[ \t]+|=)['\"]?)"
    r"(?P<value>[^\s'\"$<{%-][^\s'\"]{5,})",
    re.IGNORECASE,
)
_SPOKEN = re.compile(
    r"(?P<head>\b(?:password|passphrase) (?:is )?['\"]?)(?P<value>[^\s'\"]{6,})", re.IGNORECASE
)
# A line of a key in PEM form without its beginning; a digest in hexadecimal digits and a path are none.
_KEY_LINE = re.compile(
    r"(?:^|(?<=[\s'\"|]))[A-Za-z0-9+][A-Za-z0-9+/]{59,}={0,2}(?=['\",\\\s]{0,4}$)", re.MULTILINE
)
_SHORTEST_KEY_LINE = 60
_FEWEST_DIGITS = 3
_ALL_WORDS = "authorization cookie bearer basic pass"


def mask_shapes(text: str) -> str:
    """Puts the mask in place of keys, tokens, logins and headers that are recognised by their shape alone."""
    if may_hold_key(text):
        text = "\n".join(map(KeyHider(), text.split("\n")))
    text = _TOKEN.sub(MASK, text)
    if "://" in text:
        text = _URL_LOGIN.sub(_mask_login, text)
    # Some letters beyond ASCII are taken for others where case does not count: no shortcut for these.
    words = text.lower() if text.isascii() else _ALL_WORDS
    if "authorization" in words or "cookie" in words:
        text = _HEADER.sub(_mask_header, text)
    if "bearer" in words:
        text = _BEARER.sub(_mask_odd, text)
    if "basic" in words:
        text = _BASIC.sub(_mask_basic, text)
    if "=" in text:
        text = _QUERY.sub(_mask_query, text)
    if "--" in text:
        text = _OPTION.sub(_mask_option, text)
    if "pass" in words:
        text = _SPOKEN.sub(_mask_odd, text)
    return _KEY_LINE.sub(_mask_key_line, text) if _may_be_key_line(text) else text


def _may_be_key_line(text: str) -> bool:
    """Says whether it is worth to look for a line of a key; cheap.

    A single line ends with 60 characters of a key, with at most six others behind them.
    """
    return "\n" in text or (len(text) >= _SHORTEST_KEY_LINE and " " not in text[-_SHORTEST_KEY_LINE:-6])


def is_odd(value: str) -> bool:
    """Says whether a word is none of any language: letters with digits or signs among them."""
    inner = value.rstrip(".,:;!?)")
    has_letter = any(char.isalpha() for char in inner)
    has_other = any(char.isdigit() or not (char.isalnum() or char in "_-./:'\"()[]{}<>,=") for char in inner)
    return has_letter and has_other


def _mask_login(match: re.Match[str]) -> str:
    if match["password"].startswith(("$", "{", "<")) or match["password"] == MASK:
        return match[0]
    return f"{match['scheme']}:{MASK}@"


def _mask_header(match: re.Match[str]) -> str:
    runs = _HEADER_RUN.findall(match["value"])
    if MASK in match["value"] or match["value"].startswith(("$", "{", "<")):
        return match[0]
    is_secret = bool(runs) if match["scheme"] else any(map(is_odd, runs))
    return match["head"] + MASK if is_secret else match[0]


def _mask_odd(match: re.Match[str]) -> str:
    return match["head"] + MASK if is_odd(match["value"]) and MASK not in match["value"] else match[0]


def _mask_basic(match: re.Match[str]) -> str:
    """`Basic` before anything that is no login is an adjective."""
    value = match["value"].replace("-", "+").replace("_", "/").rstrip("=")
    try:
        login = base64.b64decode(value + "=" * (-len(value) % 4), validate=True)
    except (binascii.Error, ValueError):
        return match[0]
    return match["head"] + MASK if b":" in login and login.split(b":")[0].isascii() else match[0]


def _mask_query(match: re.Match[str]) -> str:
    return match[0] if match["value"].startswith(("$", "{", MASK)) else match["head"] + MASK


def _mask_option(match: re.Match[str]) -> str:
    return match["head"] + MASK if is_odd(match["value"]) or "=" in match["head"] else match[0]


def _mask_key_line(match: re.Match[str]) -> str:
    line = match[0]
    digits = sum(char.isdigit() for char in line)
    is_key = digits >= _FEWEST_DIGITS and any("g" <= char <= "z" for char in line) and line.lower() != line
    return MASK if is_key else line
