"""Files of a zip archive without its directory: a download that broke off, or damage within it.

Formats are from PKWARE's APPNOTE 6.3.10: 4.3.7 (what stands before each file), 4.3.9 (what stands behind it
where its sizes were not known before), 4.5.3 (sizes of 64 bits).
"""

from __future__ import annotations

import io
import struct
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO

_HEADER = struct.Struct("<4s5H3L2H")
_SIGNATURE = b"PK\x03\x04"
_NEXT_SIGNATURES = (b"PK\x07\x08", _SIGNATURE, b"PK\x01\x02")
_ENCRYPTED = 0x1
_SIZES_BEHIND = 0x8
_IN_UTF8 = 0x800
_SIZE_IS_64_BITS = 0xFFFFFFFF
_STORED, _DEFLATED = 0, 8
_LONGEST_NAME = 4096
_STEP_BYTES = 1 << 16
_DAMAGED = "its data are damaged"
_CUT = "the archive ends within it"


@dataclass(frozen=True, slots=True, kw_only=True)
class Salvaged:
    """One file in a damaged archive.

    Attributes:
        path: Its path in the archive.
        start: Where its data begin.
        end: Where its data end, or the archive does.
        is_deflated: Whether the data are compressed.
        size_bytes: Its size without compression, as far as it can be read.
        fault: Why it is not whole, None where it is.
    """

    path: str
    start: int
    end: int
    is_deflated: bool
    size_bytes: int
    fault: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Header:
    """What stands before a file.

    Attributes:
        file: The file, its end not known yet.
        packed_bytes: Its size with compression, None where it is not told there.
        checksum: CRC-32 of its text, None where it is not told there.
    """

    file: Salvaged
    packed_bytes: int | None
    checksum: int | None


def salvaged_files(path: Path, *, most_bytes: int) -> list[Salvaged]:
    """Looks for the files of a zip archive by what stands before each of them.

    Encrypted files, folders, and files in other compressions are left out.

    Args:
        path: The archive.
        most_bytes: Nothing is looked for once more than that was unpacked.

    Raises:
        OSError: It cannot be read.
    """
    found: list[Salvaged] = []
    position = size_bytes = 0
    with path.open("rb") as file:
        length = file.seek(0, io.SEEK_END)
        while (position := _find(file, (_SIGNATURE,), position)) >= 0:
            header = _header_at(file, position, length)
            if header is None:
                position += len(_SIGNATURE)
                continue
            position = header.file.start
            if not header.file.path.endswith("/"):
                found.append(_measured(file, header, length))
                position = found[-1].end
                size_bytes += found[-1].size_bytes
            if size_bytes > most_bytes:
                break
    return found


def open_salvaged(path: Path, found: Salvaged, *, skip_bytes: int = 0) -> BinaryIO:
    """Opens a file of a damaged archive; reading it ends with `BadZipFile` where it is not whole.

    Args:
        path: The archive.
        found: The file.
        skip_bytes: How much of it was read before.
    """
    stream = _Stream(path.open("rb"), found)
    stream.skip(skip_bytes)
    return stream  # type: ignore[return-value]


def salvaged_at(path: Path, info: zipfile.ZipInfo) -> Salvaged | None:
    """Returns a file that the archive's directory knows; None where what stands before it is damaged."""
    with path.open("rb") as file:
        length = file.seek(0, io.SEEK_END)
        header = _header_at(file, info.header_offset, length)
    if header is None:
        return None
    end = header.file.start + info.compress_size
    return replace(header.file, end=end, size_bytes=info.file_size, fault=_DAMAGED)


def _find(file: BinaryIO, signatures: tuple[bytes, ...], position: int) -> int:
    """Returns where the first of these begins, -1 where there is none."""
    held = b""
    while True:
        file.seek(position + len(held))
        piece = file.read(_STEP_BYTES)
        if not piece:
            return -1
        held += piece
        places = [place for one in signatures if (place := held.find(one)) >= 0]
        if places:
            return position + min(places)
        position += max(len(held) - 3, 0)
        held = held[-3:]


def _header_at(file: BinaryIO, position: int, length: int) -> _Header | None:
    """Reads what stands before a file; None where that makes no sense or is of no readable file."""
    file.seek(position)
    raw = file.read(_HEADER.size)
    if len(raw) < _HEADER.size:
        return None
    signature, _, flags, method, _, _, checksum, packed, _, name_length, extra_length = _HEADER.unpack(raw)
    is_readable = signature == _SIGNATURE and method in {_STORED, _DEFLATED} and not flags & _ENCRYPTED
    if not is_readable or not 0 < name_length <= _LONGEST_NAME:
        return None
    name, extra = file.read(name_length), file.read(extra_length)
    start = position + _HEADER.size + name_length + extra_length
    if start > length:
        return None
    if packed == _SIZE_IS_64_BITS:
        packed = _packed_of_64_bits(extra)
    is_told_behind = bool(flags & _SIZES_BEHIND)
    path = name.decode("utf-8" if flags & _IN_UTF8 else "cp437", "replace")
    found = Salvaged(
        path=path, start=start, end=start, is_deflated=method == _DEFLATED, size_bytes=0, fault=None
    )
    return _Header(
        file=found,
        packed_bytes=None if is_told_behind and not packed else packed,
        checksum=None if is_told_behind else checksum,
    )


def _packed_of_64_bits(extra: bytes) -> int | None:
    position = 0
    while position + 4 <= len(extra):
        kind, size = struct.unpack_from("<HH", extra, position)
        if kind == 1 and size >= 16 and position + 20 <= len(extra):
            packed: int = struct.unpack_from("<Q", extra, position + 12)[0]
            return packed
        position += 4 + size
    return None


def _measured(file: BinaryIO, header: _Header, length: int) -> Salvaged:
    """Finds out where a file ends, and how much of it can be read."""
    found = header.file
    end = length if header.packed_bytes is None else found.start + header.packed_bytes
    if not found.is_deflated and header.packed_bytes is None:
        behind = _find(file, _NEXT_SIGNATURES, found.start)
        end = behind if behind >= 0 else length + 1
    is_cut = end > length
    end = min(end, length)
    unpacker = _Unpacker(file, found.start, end) if found.is_deflated else None
    size = checksum = 0
    for piece in unpacker or _stored(file, found.start, end):
        size += len(piece)
        checksum = zlib.crc32(piece, checksum)
    if unpacker is not None:
        end = unpacker.position  # behind damage the next file is looked for
        is_cut = not unpacker.is_at_end
    is_damaged = unpacker is not None and unpacker.is_damaged
    if not is_cut and not is_damaged:
        told = _checksum_behind(file, end) if header.checksum is None else header.checksum
        is_damaged = told is not None and told != checksum
    fault = _DAMAGED if is_damaged else _CUT if is_cut else None
    return replace(found, end=end, size_bytes=size, fault=fault)


def _checksum_behind(file: BinaryIO, position: int) -> int | None:
    file.seek(position)
    raw = file.read(8)
    if len(raw) < 8:
        return None
    told: int = struct.unpack_from("<L", raw, 4 if raw.startswith(_NEXT_SIGNATURES[0]) else 0)[0]
    return told


def _stored(file: BinaryIO, start: int, end: int) -> Iterator[bytes]:
    while start < end:
        file.seek(start)
        piece = file.read(min(end - start, _STEP_BYTES))
        if not piece:
            return
        start += len(piece)
        yield piece


class _Unpacker:
    """Gives what can be unpacked, down to the last byte before the end or the damage.

    Attributes:
        position: Where the data that were unpacked end.
        is_at_end: Whether the data said that they end here.
        is_damaged: Whether the data make no sense from here on.
    """

    def __init__(self, file: BinaryIO, start: int, end: int) -> None:
        self._file = file
        self._end = end
        self._inflate = zlib.decompressobj(-zlib.MAX_WBITS)
        self.position = start
        self.is_at_end = False
        self.is_damaged = False

    def __iter__(self) -> Iterator[bytes]:
        while not self.is_at_end and not self.is_damaged and self.position < self._end:
            self._file.seek(self.position)
            packed = self._file.read(min(_STEP_BYTES, self._end - self.position))
            if not packed:
                return
            yield from self._unpacked(packed)

    def _unpacked(self, packed: bytes) -> Iterator[bytes]:
        before = self._inflate.copy()
        try:
            piece = self._inflate.decompress(packed, _STEP_BYTES)
        except zlib.error:
            self._inflate = before
            yield from self._last_bytes(packed)
            return
        self.is_at_end = self._inflate.eof
        left = len(self._inflate.unused_data if self.is_at_end else self._inflate.unconsumed_tail)
        self.position += len(packed) - left
        yield piece

    def _last_bytes(self, packed: bytes) -> Iterator[bytes]:
        """What was unpacked by a call that then fails is lost: so byte by byte up to the damage."""
        for index in range(len(packed)):
            try:
                piece = self._inflate.decompress(packed[index : index + 1])
            except zlib.error:
                self.is_damaged = True
                return
            self.position += 1
            yield piece


class _Stream(io.BufferedIOBase):
    """One file of a damaged archive, unpacked."""

    def __init__(self, file: BinaryIO, found: Salvaged) -> None:
        self._file = file
        self._found = found
        unpacked = _Unpacker if found.is_deflated else _stored
        self._pieces = iter(unpacked(file, found.start, found.end))
        self._held = b""

    def skip(self, count: int) -> None:
        """Passes over so many bytes."""
        while count and (piece := self._next(count)):
            count -= len(piece)

    def read1(self, size: int = -1, /) -> bytes:
        piece = self._next(size if size >= 0 else _STEP_BYTES)
        if not piece and size and self._found.fault is not None:
            raise zipfile.BadZipFile(self._found.fault)
        return piece

    def read(self, size: int | None = -1, /) -> bytes:
        pieces: list[bytes] = []
        left = -1 if size is None else size
        while left:
            piece = self._next(left if left >= 0 else _STEP_BYTES)
            if not piece:
                break
            pieces.append(piece)
            left -= len(piece) if left >= 0 else 0
        return b"".join(pieces)

    def _next(self, size: int) -> bytes:
        while not self._held:
            piece = next(self._pieces, None)
            if piece is None:
                return b""
            self._held = piece
        given, self._held = self._held[:size], self._held[size:]
        return given

    def close(self) -> None:
        self._file.close()
        super().close()
