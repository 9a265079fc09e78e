"""From bytes to plain lines: encodings, terminal escapes and the framing of CI systems are taken off."""

from __future__ import annotations

import codecs
from collections.abc import Iterator, Mapping
from typing import Protocol

from pytest_repro.logs.escapes import strip_escapes
from pytest_repro.logs.framing import Framing, without_mark
from pytest_repro.logs.records import LogLine

CHUNK_BYTES = 1 << 20
LONGEST_LINE = 1 << 16
"""Characters of one line that are kept; the rest of a longer one is dropped, from the word on that is cut."""

_LONGEST_WORD = 8192
_BREAKS = (" \t\"',<>", "&;=:/?|()[]{}")
"""Where a line is cut: the first ones are looked for before the others."""

_TELLING_CHARACTERS = 1 << 16
_TELLING_BYTES = 4 * _TELLING_CHARACTERS
"""What is read before anything is concluded from it: bytes of as many characters in any encoding."""

_FEWEST_RETURNS = 3


class ByteSource(Protocol):
    """Whatever bytes can be read from."""

    def read(self, size: int, /) -> bytes:
        """Returns at most `size` bytes, none at the end."""
        ...


_STRAY_BYTES = "pytest_repro.stray_bytes"


def _stray_byte(error: UnicodeError) -> tuple[str, int]:
    """Reads a byte that is no UTF-8 as what a program under Windows would have meant by it."""
    if not isinstance(error, UnicodeDecodeError) or "utf-8" not in error.encoding.replace("_", "-"):
        return codecs.replace_errors(error)  # type: ignore[return-value]
    if error.reason == "unexpected end of data":
        return "\ufffd", error.end
    stray = error.object[error.start : error.start + 1]
    return stray.decode("cp1252", errors="replace"), error.start + 1


codecs.register_error(_STRAY_BYTES, _stray_byte)


def decode(source: ByteSource) -> Iterator[str]:
    """Yields the text of a log in pieces, whatever it is encoded in.

    UTF-8 and UTF-16 are told by their byte order mark, UTF-16 without one by its zero bytes. Bytes that are
    no UTF-8 are read as cp1252, and those that are no text in it either become U+FFFD.
    """
    first = _filled(source)
    decoder = codecs.getincrementaldecoder(encoding_of(first))(errors=_STRAY_BYTES)
    piece = first
    while piece:
        text = decoder.decode(piece)
        if text:
            yield text
        piece = source.read(CHUNK_BYTES)
    rest = decoder.decode(b"", final=True)
    if rest:
        yield rest


def _filled(source: ByteSource) -> bytes:
    """Reads until there is enough to tell encoding and line ends, as a source may give a byte at a time."""
    held = b""
    while len(held) < _TELLING_BYTES and (piece := source.read(CHUNK_BYTES)):
        held += piece
    return held


def encoding_of(first: bytes) -> str:
    """Returns the name of the codec for a text that begins with these bytes."""
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
    """Yields 1-based line numbers and lines without their ends; at most `LONGEST_LINE` characters of each.

    No word is cut in two: of a secret that is cut nobody could tell that it is one.

    A line that is longer because it was overwritten again and again (a progress bar) is given in several
    parts of the same number. A log that begins without any line feed has its lines ended by carriage returns.
    How the text is cut into pieces makes no difference, as long as the first has `_TELLING_CHARACTERS`.
    """
    number = 1
    held = ""
    is_long = is_given = False
    end = ""
    for piece in pieces:
        if not end:
            first = piece[:_TELLING_CHARACTERS]
            end = "\r" if "\n" not in first and first.count("\r") >= _FEWEST_RETURNS else "\n"
        lines = (held + (piece if end == "\n" else piece.replace("\n", end))).split(end)
        held = lines.pop()
        for line in lines:
            if is_long or len(line) > LONGEST_LINE:
                for part in _parts(line) or ([] if is_given else [""]):
                    yield number, part
                is_long = is_given = False
            else:
                yield number, line.rstrip("\r")
            number += 1
        if is_long or len(held) > LONGEST_LINE:
            over, _, held = held.rpartition("\r")
            for part in _parts(over):
                yield number, part
                is_given = True
            held = held[: LONGEST_LINE + 1]  # one more, so that it is seen that there was more
            is_long = True
    if is_long:
        for part in _parts(held) or ([] if is_given else [""]):
            yield number, part
    elif held:
        yield number, held.rstrip("\r")


def _parts(line: str) -> list[str]:
    """Splits a long line where it was overwritten."""
    return [_bounded(part) for part in line.split("\r") if part]


def _bounded(line: str) -> str:
    if len(line) <= LONGEST_LINE:
        return line
    kept = line[:LONGEST_LINE]
    if line[LONGEST_LINE] in "".join(_BREAKS):
        return kept
    for breaks in _BREAKS:
        end = max(kept.rfind(character, LONGEST_LINE - _LONGEST_WORD) for character in breaks)
        if end >= 0:
            return kept[: end + 1]
    return kept


def log_lines(
    source: ByteSource,
    *,
    before: int = 0,
    job: str | None = None,
    step: str | None = None,
    step_starts: Mapping[str, str] | None = None,
) -> Iterator[LogLine]:
    """Yields the lines of a log, plain; bounded memory whatever the size of the log.

    A line that a carriage return overwrites part of is yielded in its parts, all of the same number.

    Args:
        source: Where the bytes come from.
        before: Number of lines that come before its first one.
        job: The job that all its lines belong to, where that is known.
        step: The step that its first lines belong to, where that is known.
        step_starts: Steps by the very line that they begin with, where that is known.
    """
    framing = Framing()
    for number, raw in physical_lines(decode(source)):
        if step_starts:
            step = step_starts.get(raw, step)
        text = strip_escapes(raw)
        if framing.feed(number + before, without_mark(text), job, step):
            yield from framing.known(is_last=False)
    yield from framing.known(is_last=True)
