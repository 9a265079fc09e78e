"""An exception's message without what changes from run to run."""

from __future__ import annotations

import re
from functools import lru_cache

MESSAGE_LIMIT = 300
"""Characters of a message that count: the rest is data, not meaning."""

SHORTEST_ELIDED = 24
"""Characters from which on a set that holds `...` was cut by pytest, which shows at least so many of it."""

_TMP = "<tmp>"
_NAME = r"[^\s'\":,)/\\]+"
_TEMPORARY: tuple[re.Pattern[str], ...] = (
    # pytest's own: a folder for the worker stands between where there are workers.
    re.compile(
        r"(?:[A-Za-z]:)?[/\\][^\s'\"<>]*?pytest-of-[^/\\\s'\"]+[/\\]+pytest-\d+[/\\]+(?:popen-gw\d+[/\\]+)?"
        + _NAME
    ),
    re.compile(rf"(?<![\w.])(?:/private)?/var/folders/\w+/\w+/[A-Z]/{_NAME}"),
    re.compile(rf"(?<![\w.])(?:/private)?/(?:(?:var/)?tmp|dev/shm)/{_NAME}"),
    re.compile(rf"\b[A-Za-z]:[/\\]+(?:[^\s'\"/\\]+[/\\]+){{0,6}}Temp[/\\]+{_NAME}"),
    re.compile(r"(?<=[/\\])tmp[a-z0-9_]{8}(?![A-Za-z0-9_])"),
)

_ESCAPES = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]")
_WEEKDAY = r"(?:Mon|Tues?|Wed(?:nes)?|Thu(?:rs)?|Fri|Sat(?:ur)?|Sun)(?:day)?"
_MONTH = (
    r"(?:Jan(?:uary)?|Feb(?:ruary)?|Mar(?:ch)?|Apr(?:il)?|May|June?|July?|Aug(?:ust)?|Sept?(?:ember)?|"
    r"Oct(?:ober)?|Nov(?:ember)?|Dec(?:ember)?)"
)
_CLOCK = r"\d\d:\d\d(?::\d\d(?:[.,]\d+)?)?"
_AMOUNT = r"\d+(?:[.,]\d+)*(?:[eE][-+]?\d+)?"
_SHORT_UNIT = r"(?:h|min|m|s|ms|us|µs|μs|ns)(?![A-Za-z_])"
_UNIT = r"(?:ns|us|µs|μs|ms|s|secs?|(?:nano|micro|milli)?seconds?|min|minutes?|hours?)\b"

# What a text must hold to match, the pattern, the placeholder. In this order: an address is a number too.
_CHANGING: tuple[tuple[str, re.Pattern[str], str], ...] = (
    ("...", re.compile(r"\.{3,}"), "…"),
    (
        "-",
        re.compile(r"(?<![0-9A-Za-z])[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}(?![0-9A-Za-z])"),
        "<uuid>",
    ),
    (
        "-",
        re.compile(rf"(?<!\d)\d{{4}}-\d\d-\d\d(?:[T ]{_CLOCK}(?: ?(?:Z|UTC|GMT|[+-]\d\d:?\d\d))?)?(?!\d)"),
        "<time>",
    ),
    (
        " ",
        re.compile(
            rf"(?<![0-9A-Za-z])(?:{_WEEKDAY},? )?(?:\d{{1,2}} {_MONTH}|{_MONTH} +\d{{1,2}})"
            rf"(?:,? \d{{4}}\b(?:,? {_CLOCK})?|,? {_CLOCK})(?: (?:GMT|UTC|[+-]\d{{4}}))?(?: \d{{4}}\b)?"
        ),
        "<time>",
    ),
    (
        ":",
        re.compile(r"(?<![\d:])(?:\d+ days?, )?\d{1,2}:\d\d:\d\d(?:[.,]\d+)?(?: [AP]M\b)?(?![\d:])"),
        "<n>",
    ),
    # Addresses of a network card or of IPv6.
    (
        ":",
        re.compile(
            r"(?<![\w:])(?=[0-9:]*[a-fA-F])(?=[a-fA-F:]*[0-9])"
            r"(?:[0-9a-fA-F]{0,4}:){3,7}[0-9a-fA-F]{1,4}(?![\w:])"
        ),
        "<n>",
    ),
    ("0", re.compile(r"[-+]?(?<![0-9A-Za-z])0[xX][0-9a-fA-F]+"), "<n>"),
    # unittest leaves out what two values share, and of two addresses it may be the beginning.
    ("chars]", re.compile(r"\[\d+ chars\][0-9a-fA-F]*(?=>)"), "[<n> chars]"),
    # One unit at one time, another at another: 980ms, 1.2s, 1m3s, 5 seconds.
    (
        "",
        re.compile(rf"[-+]?(?<![0-9A-Za-z.,])(?:{_AMOUNT}{_SHORT_UNIT} ?)*{_AMOUNT}{_SHORT_UNIT}(?!\d)"),
        "<n> s",
    ),
    # Before the ids: the letter of an exponent is no sign of one.
    ("", re.compile(r"[-+]?(?<![0-9A-Za-z.])(?:\d+\.?\d*|\.\d+)[eE][-+]?\d+(?!\w)"), "<n>"),
    # Ids are numbers too: now and then one has no letter.
    (
        "",
        re.compile(
            r"[-+]?(?<![0-9A-Za-z])(?:(?=[0-9a-f]*[a-f])(?=[0-9a-f]*\d)[0-9a-f]{7,}|"
            r"(?=[0-9A-F]*[A-F])(?=[0-9A-F]*\d)[0-9A-F]{7,}|"
            r"(?=[0-9A-Za-z]{16})(?:[A-Za-z]+\d+[A-Za-z]+\d|\d+[A-Za-z]+\d+[A-Za-z])[0-9A-Za-z]*)(?![0-9A-Za-z])"
        ),
        "<n>",
    ),
)
_DIGIT = re.compile(r"\d")

# The numbers in these are no numbers.
_WORD = (
    r"(?<![A-Za-z0-9])(?i:u?int(?:8|16|32|64|128)|b?float(?:8|16|32|64|128)|complex(?:64|128|256)|"
    r"(?:fp|bf|tf|bfp)(?:4|8|16|32|64)|utf[-_]?(?:8|16|32)|sha(?:1|224|256|384|512)|md5|base(?:16|32|64)|ipv[46]|"
    r"x86_64|(?:amd|arm|aarch|win|ppc)(?:32|64))(?![A-Za-z0-9])"
)
_NUMBER = re.compile(rf"(?P<word>{_WORD})|[-+]?\.?\d+(?:[.,_:]\d+)*\.?")

_AFTER_NUMBERS: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"\s+"), " "),
    (re.compile(r"(?<=[\[(]) | (?=[\])])"), ""),  # numpy pads its columns
    (re.compile(rf"<n> {_UNIT}"), "<n> s"),
    (re.compile(r"(<n> [A-Za-z]{2,}[a-hj-rtv-z])s\b"), r"\1"),  # 1 packet, 2 packets
)
_MANY_NUMBERS = re.compile(r"(?:<n>[\s,…]+){2,}<n>")

_QUOTED = re.compile(r"'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\"")
_CLOSING = {"{": "}", "[": "]", "(": ")"}


def normalise_message(message: str, *, temporary: str | None = None) -> str:
    """Returns the first line of a message without what changes from run to run.

    Addresses, numbers, times, ids and temporary paths become placeholders, and what stands in braces (a set
    has another order in each process) is sorted, so that the same bug in two iterations, two processes or two
    machines reads the same.

    Args:
        message: The message.
        temporary: The folder for the tests' temporary folders, where it is not pytest's usual one.
    """
    line = message.strip().partition("\n")[0][: 4 * MESSAGE_LIMIT]
    return _normalised(line if temporary is None else without_folders_below(temporary, line))


@lru_cache(maxsize=512)
def _normalised(text: str) -> str:
    """Remembered: a test that fails in each of many iterations mostly says the same."""
    text = without_temporary(_ESCAPES.sub("", text))
    if _DIGIT.search(text) or "..." in text:
        for needle, pattern, replacement in _CHANGING:
            if needle in text:
                text = pattern.sub(replacement, text)
        text = _NUMBER.sub(lambda found: found["word"] or "<n>", text)
    for pattern, replacement in _AFTER_NUMBERS:
        text = pattern.sub(replacement, text)
    text = _MANY_NUMBERS.sub("<n>, …", sorted_braces(text))
    return text.strip()[:MESSAGE_LIMIT].rstrip()


def without_temporary(text: str) -> str:
    """Returns a text with `<tmp>` for each temporary folder or, right below the root of these, file."""
    if "/" in text or "\\" in text:
        for pattern in _TEMPORARY:
            text = pattern.sub(_TMP, text)
    return text


def without_folders_below(base: str, text: str) -> str:
    """Returns a text with `<tmp>` for each folder below one in which pytest makes those of the tests."""
    if base not in text:
        return text
    return re.sub(re.escape(base) + r"[/\\]+(?:popen-gw\d+[/\\]+)?" + _NAME, _TMP, text)


def sorted_braces(text: str) -> str:
    """Returns a text with what stands in braces in a fixed order, each element once."""
    if "{" not in text:
        return text
    groups: list[tuple[str, list[str]]] = [("", [""])]  # bracket, elements; the last element is being read
    place = 0
    while place < len(text):
        bracket, elements = groups[-1]
        letter = text[place]
        # Outside of braces a quote may be an apostrophe.
        quoted = _QUOTED.match(text, place) if bracket and letter in "'\"" else None
        piece = quoted[0] if quoted else letter
        place += len(piece)
        if piece == "{" or (bracket and piece in _CLOSING):
            groups.append((piece, [""]))
        elif bracket and piece == _CLOSING[bracket]:
            groups.pop()
            groups[-1][1][-1] += _closed(bracket, elements)
        elif bracket and piece == ",":
            elements.append("")
        else:
            elements[-1] += piece
    # A group that is never closed stays as it is.
    return "".join(bracket + ",".join(elements) for bracket, elements in groups)


def _closed(bracket: str, elements: list[str]) -> str:
    inner = ",".join(elements)
    if bracket == "{":
        if len(inner) >= SHORTEST_ELIDED and "…" in inner:
            inner = "…"
        else:
            inner = ", ".join(sorted({element.strip() for element in elements}))
    return f"{bracket}{inner}{_CLOSING[bracket]}"
