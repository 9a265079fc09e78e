"""From bytes to plain lines: encodings, terminal escapes and the prefixes of CI systems are taken off."""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator
from typing import Protocol

from pytest_repro.logs.records import LogLine

CHUNK_BYTES = 1 << 20
LONGEST_LINE = 1 << 16
"""Characters of one line that are kept; the rest of a longer line is dropped."""


class ByteSource(Protocol):
    """Whatever bytes can be read from."""

    def read(self, size: int, /) -> bytes:
        """Returns at most `size` bytes, none at the end."""
        ...


_ESCAPE = re.compile(
    r"\x1b_bk;t=\d+(?:\x07|\x1b\\)"  # Buildkite's timestamp
    r"|\x1b[P^_][^\x07\x1b]{0,4096}(?:\x07|\x1b\\)"  # other APC, PM and DCS strings
    r"|\x1b\][^\x07\x1b]{0,4096}(?:\x07|\x1b\\)"  # OSC: titles and links
    r"|\x1b\[[0-?]*[ -/]*[@-~]"  # CSI: colours and cursor
    r"|\x1b[ -/]*[0-~]"
    r"|_bk;t=\d+\x07"
    r"|\^\[\[[0-9;]{1,12}m"  # colours that a copy has spelled out
)
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f\x80-\x84\x86-\x9f]")
_BOM = re.compile("^(?:\ufeff|\u00ef\u00bb\u00bf|\u2229\u2557\u2510)+")  # as UTF-8, cp1252 and cp437 show it

_ISO = r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d{1,9})?(?:Z|[+-]\d\d:?\d\d)"
_GH_CLI = re.compile(r"(?P<job>[^\t]{1,300})\t(?P<step>[^\t]{1,300})\t(?P<rest>.*)", re.DOTALL)
_PREFIXES = (
    re.compile(rf"{_ISO} [0-9a-f]{{2}}[OE][ +]?"),  # GitLab with FF_TIMESTAMPS
    re.compile(rf"{_ISO}(?: |$)"),  # GitHub Actions, Azure, docker logs --timestamps
    re.compile(rf"\[{_ISO}\](?: |$)"),  # Buildkite and Jenkins, downloaded
    re.compile(r"\[?\d\d:\d\d:\d\d(?:\.\d{1,6})?\]?(?:  ?|$)"),  # Jenkins timestamper
    re.compile(r"\[[\w ./()-]{1,80}\] {2,}\| "),  # act
    re.compile(r"\[ {0,6}\d{1,6}s\](?: |$)"),  # Open Build Service
    re.compile(r"#\d{1,4} (?:\d{1,6}\.\d{1,3} |$)"),  # BuildKit
)
_GITLAB_SECTION = re.compile(r"section_(?:start|end):\d+:(?P<name>[\w.-]+)(?:\[[^\]]*\])?\s*")
_TRAVIS = re.compile(r"travis_(?:fold:(?:start|end):(?P<name>[\w.-]+)|time:(?:start|end):[\w:=,.-]+)\s*")


def decode(source: ByteSource) -> Iterator[str]:
    """Yields the text of a log in pieces, whatever it is encoded in.

    UTF-8 and UTF-16 are told by their byte order mark, UTF-16 without one by its zero bytes. Bytes that are
    no text become U+FFFD.
    """
    first = source.read(CHUNK_BYTES)
    decoder = codecs.getincrementaldecoder(_encoding(first))(errors="replace")
    piece = first
    while piece:
        text = decoder.decode(piece)
        if text:
            yield text
        piece = source.read(CHUNK_BYTES)
    rest = decoder.decode(b"", final=True)
    if rest:
        yield rest


def _encoding(first: bytes) -> str:
    if first.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    sample = first[:4096]
    odd, even = sample[1::2].count(0), sample[0::2].count(0)
    if odd > len(sample) // 5 and even < odd // 4:
        return "utf-16-le"
    if even > len(sample) // 5 and odd < even // 4:
        return "utf-16-be"
    return "utf-8-sig"


def physical_lines(pieces: Iterator[str]) -> Iterator[tuple[int, str]]:
    """Yields 1-based line numbers and lines without their ends; at most `LONGEST_LINE` characters of each."""
    number = 1
    held = ""
    for piece in pieces:
        lines = (held + piece).split("\n")
        held = lines.pop()[:LONGEST_LINE]
        for line in lines:
            yield number, line[:LONGEST_LINE].rstrip("\r")
            number += 1
    if held:
        yield number, held.rstrip("\r")


def strip_escapes(text: str) -> str:
    """Takes out terminal escapes and control characters; a carriage return stays."""
    if "\x1b" in text or "_bk;t=" in text or "^[[" in text:
        text = _ESCAPE.sub("", text)
    return _CONTROL.sub(_keep_return, text) if _CONTROL.search(text) else text


def _keep_return(match: re.Match[str]) -> str:
    return match[0] if match[0] == "\r" else ""


def log_lines(source: ByteSource) -> Iterator[LogLine]:
    """Yields the lines of a log, plain; bounded memory whatever the size of the log.

    A line that a carriage return overwrites part of is yielded in its parts, all of the same number.
    """
    column = _ColumnReader()
    for number, raw in physical_lines(decode(source)):
        text = strip_escapes(raw)
        job, step, text = column.split(text)
        for part in _parts(_strip_prefix(text)):
            yield LogLine(number=number, text=part, job=job, step=step)


class _ColumnReader:
    """Splits off the columns of `gh run view --log`, once the file has shown that it has them."""

    def __init__(self) -> None:
        self._has_columns = False

    def split(self, text: str) -> tuple[str | None, str | None, str]:
        text = _BOM.sub("", text)
        if "\t" not in text:
            return None, None, text
        found = self._match(text)
        if found is None:
            return None, None, text
        return found["job"], found["step"], _BOM.sub("", found["rest"])

    def _match(self, text: str) -> re.Match[str] | None:
        bare = _GH_CLI.fullmatch(text)
        if bare is None or self._has_columns:
            return bare
        rest = _BOM.sub("", bare["rest"])
        if _PREFIXES[1].match(rest) or bare["step"] == "UNKNOWN STEP":
            self._has_columns = True
            return bare
        return None


def _strip_prefix(text: str) -> str:
    for _ in range(2):  # a CI system's prefix around docker's own
        stripped = _strip_one(text)
        if stripped == text:
            break
        text = stripped
    text = _GITLAB_SECTION.sub("", text) if "section_" in text else text
    return _TRAVIS.sub("", text) if "travis_" in text else text


def _strip_one(text: str) -> str:
    if not text or not (text[0].isdigit() or text[0] in "[#"):
        return text
    for prefix in _PREFIXES:
        match = prefix.match(text)
        if match:
            return _BOM.sub("", text[match.end() :])
    return text


def _parts(text: str) -> list[str]:
    if "\r" not in text:
        return [text]
    return [part for part in text.split("\r") if part] or [""]
