"""The forms in which one secret value appears: as it is, escaped, in base64 and in hexadecimal digits."""

from __future__ import annotations

import base64
import html
import json
from collections.abc import Iterator
from urllib.parse import quote, quote_plus

_URLSAFE = str.maketrans("+/", "-_")
_SKIPPED = (0, 2, 3)
"""Characters of base64 that hold bits of what stands before, by the number of bytes before modulo three."""


def forms_of(value: str) -> frozenset[str]:
    """Returns the value and its encoded forms; base64 also where other bytes stand before and after it."""
    data = value.encode("utf-8", "surrogatepass")
    return frozenset({value, *_escaped(value, data), *_base64(data), data.hex(), data.hex().upper()})


def _escaped(value: str, data: bytes) -> Iterator[str]:
    for encoded in (quote(data, safe=""), quote(data), quote_plus(data), quote(data, safe="!'()*")):
        yield encoded
        yield _lower_escapes(encoded)
    yield json.dumps(value)[1:-1]
    yield json.dumps(value)[1:-1].replace("/", "\\/")
    yield json.dumps(value, ensure_ascii=False)[1:-1]
    yield repr(value)[1:-1]
    yield html.escape(value)


def _lower_escapes(text: str) -> str:
    first, *others = text.split("%")
    return "%".join([first, *(part[:2].lower() + part[2:] for part in others)])


def _base64(data: bytes) -> Iterator[str]:
    for before, skipped in enumerate(_SKIPPED):
        text = base64.b64encode(b"\0" * before + data).decode()
        whole = (before + len(data)) * 8 // 6
        yield text[skipped:whole]
        yield text[skipped:whole].translate(_URLSAFE)
        if before == 0:
            yield text  # with its last bits and its padding
            yield text.translate(_URLSAFE)
