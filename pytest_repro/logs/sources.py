"""A log that may consist of several files: its lines, and its copy, numbered in one way."""

from __future__ import annotations

import gzip
import lzma
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import BinaryIO, Protocol, TextIO

from pytest_repro.errors import LogError
from pytest_repro.logs.escapes import strip_escapes
from pytest_repro.logs.formats import CHUNK_BYTES, decode, log_lines, physical_lines
from pytest_repro.logs.records import LogLine, LogPart, ToldFact

DAMAGES = (EOFError, zlib.error, lzma.LZMAError, zipfile.BadZipFile, tarfile.TarError, gzip.BadGzipFile)
"""What reading of a compressed file raises where the file is damaged or ends too early."""


class Progress(Protocol):
    """Is told how far the work is."""

    def begin(self, what: str, total_bytes: int | None) -> None:
        """A part of the work begins, such as `reading`; its size, where it is known."""
        ...

    def advance(self, size_bytes: int) -> None:
        """So many more bytes are done."""
        ...


class Silent:
    """Shows no progress."""

    def begin(self, what: str, total_bytes: int | None) -> None:
        """Shows nothing."""

    def advance(self, size_bytes: int) -> None:
        """Shows nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LogSource:
    """One file of a log.

    Attributes:
        name: Its path, or its archive's path and its own in there.
        open: Opens it anew, for bytes without compression.
        size_bytes: Its size without compression, None where only reading it tells.
        job: The job that all its lines belong to, where its place tells.
        step: The step that all its lines belong to, where its place tells.
        step_starts: Steps by the line that they begin with.
    """

    name: str
    open: Callable[[], BinaryIO]
    size_bytes: int | None = None
    job: str | None = None
    step: str | None = None
    step_starts: Mapping[str, str] = field(default_factory=dict)


class Log:
    """The files of a log, in the order in which they are read.

    With several files the whole is one text in which each begins with a line `==> name <==`. All numbers of
    lines are those of this text, so they hold in its copy.

    Args:
        sources: The files, at least one.
        told: What is known of the run from elsewhere.
        notes: What the user should know about what was left out.
        progress: Is told how far reading and copying are.
    """

    def __init__(
        self,
        sources: Sequence[LogSource],
        *,
        told: Sequence[ToldFact] = (),
        notes: Sequence[str] = (),
        progress: Progress | None = None,
    ) -> None:
        self.sources = tuple(sources)
        self.told = tuple(told)
        self.parts: tuple[LogPart, ...] = ()
        self._notes = list(notes)
        self._progress: Progress = progress or Silent()

    @property
    def notes(self) -> tuple[str, ...]:
        """What the user should know: files that were left out, files that are damaged."""
        return tuple(self._notes)

    def lines(self) -> Iterator[LogLine]:
        """Yields the lines of all files, plain; afterwards `parts` says where each file lies.

        Raises:
            LogError: A file cannot be read.
        """
        self._begin("reading")
        parts: list[LogPart] = []
        number = 0
        for source in self.sources:
            if len(self.sources) > 1:
                number += 1
                yield LogLine(number=number, text="", job=source.job, step=source.step, begins=source.name)
            first = number
            with _Watched(source, self._progress, self._notes) as stream:
                for line in log_lines(
                    stream, before=first, job=source.job, step=source.step, step_starts=source.step_starts
                ):
                    number = line.number
                    yield line
            parts.append(LogPart(name=source.name, line=first, line_count=number - first))
        self.parts = tuple(parts) if len(parts) > 1 else ()

    def copy(self, target: TextIO, mask: Callable[[str], str]) -> None:
        """Writes the log without escapes and secrets, line for line, so that their numbers hold."""
        self._begin("copying")
        for source in self.sources:
            if len(self.sources) > 1:
                target.write(f"==> {mask(_one_line(source.name))} <==\n")
            # What is wrong with the file was noted when it was read.
            with _Watched(source, self._progress, []) as stream:
                _copy_lines(stream, target, mask)

    def _begin(self, what: str) -> None:
        sizes = [source.size_bytes for source in self.sources]
        known = [size for size in sizes if size is not None]
        self._progress.begin(what, sum(known) if len(known) == len(sizes) else None)


def _copy_lines(stream: _Watched, target: TextIO, mask: Callable[[str], str]) -> None:
    last = 0
    for number, line in physical_lines(decode(stream)):
        if number == last:
            target.write(" ")
        elif last:
            target.write("\n")
        target.write(mask(strip_escapes(line)).replace("\r", " "))
        last = number
    if last:
        target.write("\n")


def _one_line(text: str) -> str:
    return "".join(character if character.isprintable() else "?" for character in text)


class _Watched:
    """Reads a file, tells of the progress, and ends early where the file is damaged."""

    def __init__(self, source: LogSource, progress: Progress, notes: list[str]) -> None:
        self._source = source
        self._progress = progress
        self._notes = notes
        self._stream: BinaryIO | None = None
        self._read: Callable[[int], bytes] = _nothing

    def __enter__(self) -> _Watched:
        try:
            self._stream = self._source.open()
        except DAMAGES as error:
            self._note(error)
        except OSError as error:
            raise unreadable(self._source.name, error) from error
        else:
            # What `read` has gathered before an error is lost; `read1` gives it first.
            self._read = getattr(self._stream, "read1", self._stream.read)
        return self

    def __exit__(self, *_: object) -> None:
        if self._stream is not None:
            self._stream.close()

    def read(self, size: int = CHUNK_BYTES, /) -> bytes:
        """Returns at most `size` bytes, none at the end and where the damage begins."""
        try:
            piece = self._read(size)
        except DAMAGES as error:
            self._note(error)
            return b""
        except OSError as error:
            if error.errno is None:  # not from the system: bz2 raises it where its data are damaged
                self._note(error)
                return b""
            raise unreadable(self._source.name, error) from error
        self._progress.advance(len(piece))
        return piece

    def _note(self, error: Exception) -> None:
        said = str(error) or type(error).__name__
        note = f"{_one_line(self._source.name)} is damaged and was read up to there: {_one_line(said)}"
        if note not in self._notes:  # it may be read several times
            self._notes.append(note)
        self._read = _nothing


def _nothing(size: int, /) -> bytes:
    del size
    return b""


def unreadable(name: str, error: OSError) -> LogError:
    """Makes the error for a log that the system does not let read."""
    return LogError(
        f"The log cannot be read: {error.strerror or error}",
        place=name,
        next_step="Give a log file that exists and that you may read, or - for standard input.",
    )
