"""Streams that can be read once, kept in temporary files that can be read again."""

from __future__ import annotations

import errno
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import BinaryIO

from pytest_repro.errors import LogError

_CHUNK_BYTES = 1 << 20


class Spool:
    """Temporary files that are gone when their stack is closed.

    Args:
        stack: What they belong to.
    """

    def __init__(self, stack: ExitStack) -> None:
        self._stack = stack
        self._folder: Path | None = None
        self._count = 0

    def keep(
        self,
        read: Callable[[int], bytes],
        *,
        name: str,
        most_bytes: int | None = None,
        advance: Callable[[int], None] | None = None,
    ) -> Path:
        """Reads a stream to its end, in bounded memory, and returns the file that holds it.

        Args:
            read: Returns at most so many bytes, none at the end.
            name: What it is, for errors.
            most_bytes: The most that is kept; what comes after is a `LogError`.
            advance: Is told how many more bytes were kept.

        Raises:
            LogError: There is no room for it, or it is longer than allowed.
        """
        size = 0
        path = self.new_file()
        with _roomy(name), path.open("wb") as kept:
            while piece := read(_CHUNK_BYTES):
                size += len(piece)
                if most_bytes is not None and size > most_bytes:
                    raise too_large(name, most_bytes)
                kept.write(piece)
                if advance is not None:
                    advance(len(piece))
        return path

    def new_file(self) -> Path:
        """Returns a path in the temporary folder that no file has yet.

        Raises:
            LogError: There can be no temporary folder.
        """
        if self._folder is None:
            with _roomy("the temporary folder"):
                self._folder = Path(
                    self._stack.enter_context(
                        tempfile.TemporaryDirectory(prefix="repro-scaffold-", ignore_cleanup_errors=True)
                    )
                )
        self._count += 1
        return self._folder / f"{self._count}"


def too_large(name: str, most_bytes: int) -> LogError:
    """Makes the error for a log that would unpack to more than anybody wants to read."""
    return LogError(
        f"The log unpacks to more than {most_bytes >> 30} GiB: this is no log, or too much of it",
        place=name,
        next_step="Unpack it yourself, and give the one file that tells of the failure.",
    )


@contextmanager
def _roomy(name: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno not in {
            errno.ENOSPC,
            errno.EDQUOT,
            errno.EACCES,
            errno.EROFS,
            errno.ENOENT,
            errno.EFBIG,
        }:
            raise
        raise LogError(
            f"The log cannot be kept in a temporary file: {error.strerror or error}",
            place=f"{name}, in {tempfile.gettempdir()}" if error.errno != errno.ENOENT else name,
            next_step="Make room there, set TMPDIR to a folder with room, or save the log and give its file.",
        ) from error


def read_whole(stream: BinaryIO) -> Callable[[int], bytes]:
    """Returns how to read a stream piece by piece without losing what comes before an error."""
    return getattr(stream, "read1", stream.read)
