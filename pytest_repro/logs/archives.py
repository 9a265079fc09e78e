"""Zip and tar archives and compressed files, told by how they begin: their members, read as streams."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import IO, BinaryIO, cast

from pytest_repro.errors import LogError
from pytest_repro.logs.salvage import open_salvaged, salvaged_at, salvaged_files
from pytest_repro.logs.sources import DAMAGES
from pytest_repro.logs.spool import Spool, read_whole, too_large

MOST_UNPACKED_BYTES = 4 << 30
MOST_MEMBERS = 20_000
_TAR_MAGIC = slice(257, 262)
_ENCRYPTED = 0x1

_COMPRESSIONS: tuple[tuple[bytes, Callable[[Path], BinaryIO]], ...] = (
    (b"\x1f\x8b", lambda path: cast("BinaryIO", gzip.GzipFile(path, "rb"))),
    (b"BZh", lambda path: cast("BinaryIO", bz2.BZ2File(path, "rb"))),
    (b"\xfd7zXZ\x00", lambda path: cast("BinaryIO", lzma.LZMAFile(path, "rb"))),  # noqa: SIM115 - its caller closes it
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """One file of a folder or an archive.

    Attributes:
        path: Its path in there, with forward slashes; never a place to write to.
        open: Opens it anew.
        size_bytes: Its size without compression, None where only reading it tells.
    """

    path: str
    open: Callable[[], BinaryIO]
    size_bytes: int | None


def members_of(
    path: Path, *, name: str, spool: Spool, stack: ExitStack, note: Callable[[str], None]
) -> list[Member] | None:
    """Returns the members of an archive, in its own order; None for a file that is no archive.

    A compressed file is an archive of one member without a path.

    Args:
        path: The file.
        name: Its name, for errors.
        spool: Where a compressed tar archive is unpacked to.
        stack: What keeps the archive open.
        note: Is told what the user should know, as that the archive is not whole.

    Raises:
        LogError: Nothing of it can be read, it is encrypted, or it unpacks to too much.
        OSError: It cannot be read.
    """
    with path.open("rb") as file:
        first = file.read(512)
    if first.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        return _zip_members(path, name, stack, note)
    if first[_TAR_MAGIC] == b"ustar":
        return _tar_members(path, name, stack, note)
    opened = next((opened for magic, opened in _COMPRESSIONS if first.startswith(magic)), None)
    if opened is None:
        return None
    if _begins_tar(opened, path):
        with _explained(name), opened(path) as stream:
            read = _up_to_damage(read_whole(stream), name, note)
            unpacked = spool.keep(read, name=name, most_bytes=MOST_UNPACKED_BYTES)
        return _tar_members(unpacked, name, stack, note)
    return [Member(path="", open=partial(_bounded, opened, path, name), size_bytes=None)]


def _zip_members(path: Path, name: str, stack: ExitStack, note: Callable[[str], None]) -> list[Member]:
    with _explained(name):
        try:
            archive = stack.enter_context(zipfile.ZipFile(path))
        except zipfile.BadZipFile:
            found = _salvaged_members(path, name, note)
            if not found:
                raise
            return found
        infos = [info for info in archive.infolist() if not info.is_dir()]
    if any(info.flag_bits & _ENCRYPTED for info in infos):
        raise LogError(
            f"The archive is encrypted: {sum(info.flag_bits & _ENCRYPTED for info in infos)} of its "
            f"{len(infos)} files need a password",
            place=name,
            next_step="Unpack it yourself, and give the folder.",
        )
    _check_size(name, len(infos), sum(info.file_size for info in infos))
    return [
        Member(path=info.filename, open=partial(_open_zipped, archive, path, info), size_bytes=info.file_size)
        for info in infos
    ]


def _salvaged_members(path: Path, name: str, note: Callable[[str], None]) -> list[Member]:
    files = salvaged_files(path, most_bytes=MOST_UNPACKED_BYTES)
    _check_size(name, len(files), sum(file.size_bytes for file in files))
    if files:
        note(
            f"{name} is incomplete: its list of files is damaged or missing, as where a download broke off. "
            f"What was found in it was read: {len(files)} files, "
            f"{sum(file.fault is not None for file in files)} of them not whole"
        )
    return [
        Member(path=file.path, open=partial(open_salvaged, path, file), size_bytes=file.size_bytes)
        for file in files
    ]


def _open_zipped(archive: zipfile.ZipFile, path: Path, info: zipfile.ZipInfo) -> BinaryIO:
    try:
        return cast("BinaryIO", _Zipped(archive.open(info), path, info))
    except (NotImplementedError, RuntimeError) as error:  # a compression that Python does not know
        raise zipfile.BadZipFile(str(error)) from error


class _Zipped(io.BufferedIOBase):
    """A file of an archive, of which nothing that stands before damage is lost.

    Python's own stream loses what it has unpacked in the call that finds the damage, and where only the
    checksum is wrong the last piece of the file.
    """

    def __init__(self, stream: IO[bytes], path: Path, info: zipfile.ZipInfo) -> None:
        self._stream = cast("BinaryIO", stream)
        self._path = path
        self._info = info
        self._given_bytes = 0

    def read1(self, size: int = -1, /) -> bytes:
        try:
            piece = read_whole(self._stream)(size)
        except (EOFError, zlib.error, zipfile.BadZipFile):
            found = None if self._given_bytes < 0 else salvaged_at(self._path, self._info)
            if found is None:
                raise
            self._stream.close()
            self._stream = open_salvaged(self._path, found, skip_bytes=self._given_bytes)
            self._given_bytes = -1  # a second error is the end
            return self.read1(size)
        if self._given_bytes >= 0:
            self._given_bytes += len(piece)
        return piece

    def read(self, size: int | None = -1, /) -> bytes:
        pieces: list[bytes] = []
        left = -1 if size is None else size
        while left:
            try:
                piece = self.read1(left)
            except DAMAGES:
                if pieces:
                    break  # the next call finds the damage again
                raise
            if not piece:
                break
            pieces.append(piece)
            left -= len(piece) if left >= 0 else 0
        return b"".join(pieces)

    def close(self) -> None:
        self._stream.close()
        super().close()


def _up_to_damage(
    read: Callable[[int], bytes], name: str, note: Callable[[str], None]
) -> Callable[[int], bytes]:
    def guarded(size: int) -> bytes:
        try:
            return read(size)
        except DAMAGES as error:
            note(f"{name} is damaged and was unpacked up to there: {error or type(error).__name__}")
            return b""

    return guarded


def _tar_members(path: Path, name: str, stack: ExitStack, note: Callable[[str], None]) -> list[Member]:
    found: list[tarfile.TarInfo] = []
    with _explained(name):
        archive = stack.enter_context(tarfile.TarFile(path))
        try:
            while (info := archive.next()) is not None:
                found.append(info)
        except tarfile.TarError as error:
            if not found:
                raise
            note(f"{name} is incomplete: of its files {len(found)} were found, then came: {error}")
    infos = [info for info in found if info.isreg()]
    _check_size(name, len(infos), sum(info.size for info in infos))
    return [
        Member(path=info.name, open=partial(_open_tarred, archive, info), size_bytes=info.size)
        for info in infos
    ]


def _open_tarred(archive: tarfile.TarFile, info: tarfile.TarInfo) -> BinaryIO:
    stream = archive.extractfile(info)
    assert stream is not None
    return cast("BinaryIO", stream)


def _check_size(name: str, members: int, size_bytes: int) -> None:
    if members > MOST_MEMBERS:
        raise LogError(
            f"The archive has {members} files, more than the {MOST_MEMBERS} that are read",
            place=name,
            next_step="Unpack it yourself, and give the one file that tells of the failure.",
        )
    if size_bytes > MOST_UNPACKED_BYTES:
        raise too_large(name, MOST_UNPACKED_BYTES)


def _begins_tar(opened: Callable[[Path], BinaryIO], path: Path) -> bool:
    try:
        with opened(path) as stream:
            return stream.read(512)[_TAR_MAGIC] == b"ustar"
    except (*DAMAGES, OSError):
        return False  # what is wrong with it is told when it is read


class _Bounded(io.BufferedIOBase):
    """A stream that ends with an error where it unpacks to more than a log has."""

    def __init__(self, stream: BinaryIO, name: str) -> None:
        self._stream = stream
        self._read = read_whole(stream)
        self._left = MOST_UNPACKED_BYTES
        self._name = name

    def read1(self, size: int = -1, /) -> bytes:
        piece = self._read(size)
        self._left -= len(piece)
        if self._left < 0:
            raise too_large(self._name, MOST_UNPACKED_BYTES)
        return piece

    def read(self, size: int | None = -1, /) -> bytes:
        return self.read1(-1 if size is None else size)

    def close(self) -> None:
        self._stream.close()
        super().close()


def _bounded(opened: Callable[[Path], BinaryIO], path: Path, name: str) -> BinaryIO:
    return cast("BinaryIO", _Bounded(opened(path), name))


@contextmanager
def _explained(name: str) -> Iterator[None]:
    try:
        yield
    except DAMAGES as error:
        raise LogError(
            f"The archive cannot be read: {error or type(error).__name__}",
            place=name,
            next_step="It is damaged or was not downloaded whole: fetch it again.",
        ) from error
