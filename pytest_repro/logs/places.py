"""Where logs are: files, standard input, folders and archives, opened as one log."""

from __future__ import annotations

import stat
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import BinaryIO, cast

from pytest_repro.errors import LogError
from pytest_repro.logs.archives import Member, members_of
from pytest_repro.logs.layout import Layout
from pytest_repro.logs.sources import Log, LogSource, Progress, Silent, unreadable
from pytest_repro.logs.spool import Spool
from pytest_repro.logs.step_records import records_as_text

STANDARD_INPUT = "-"
MOST_FILES = 20_000
_MOST_NAMED = 3


@contextmanager
def opened_log(
    places: Sequence[str], *, stdin: BinaryIO | None = None, progress: Progress | None = None
) -> Iterator[Log]:
    """Opens files, folders and archives as one log, in the order given.

    Args:
        places: Paths, `-` for standard input.
        stdin: Standard input, None where it is closed.
        progress: Is told how far reading and copying are.

    Raises:
        LogError: One of them cannot be read, or there is no log in it.
    """
    with ExitStack() as stack:
        opener = Opener(stack, progress=progress or Silent())
        for place in places:
            if place == STANDARD_INPUT:
                opener.add_stream(_standard_input(stdin), name="standard input")
            else:
                opener.add(Path(place))
        yield Log(opener.sources, notes=opener.notes, progress=progress)


class Opener:
    """Gathers the sources of a log.

    Args:
        stack: What keeps archives and temporary files open.
        progress: Is told how much of a pipe was taken in.
    """

    def __init__(self, stack: ExitStack, *, progress: Progress) -> None:
        self._stack = stack
        self._progress = progress
        self.spool = Spool(stack)
        self.sources: list[LogSource] = []
        self.notes: list[str] = []

    def add(self, path: Path) -> None:
        """Adds a file, an archive, a pipe or a folder.

        Raises:
            LogError: It cannot be read, or there is no log in it.
        """
        try:
            mode = path.stat().st_mode
            if stat.S_ISDIR(mode):
                self._add_folder(path)
            elif stat.S_ISREG(mode):
                self.add_file(path, name=str(path))
            else:
                with path.open("rb", buffering=0) as pipe:
                    self.add_stream(cast("BinaryIO", pipe), name=str(path))
        except OSError as error:
            raise unreadable(str(path), error) from error
        except ValueError as error:  # a path with a zero byte
            raise LogError(
                f"The log cannot be read: {error}", place=repr(str(path)), next_step="Give the path of a log."
            ) from error

    def add_stream(self, stream: BinaryIO, *, name: str) -> None:
        """Adds what can be read only once, and is kept in a temporary file meanwhile.

        Raises:
            LogError: It is empty, cannot be read or cannot be kept.
        """
        self._progress.begin("taking in", None)
        path = self.spool.keep(stream.read, name=name, advance=self._progress.advance)
        if not path.stat().st_size:
            raise LogError(
                "The log is empty: 0 bytes were read",
                place=name,
                next_step="Pipe a log into it: `gh run view --log-failed ID | repro-scaffold NAME --log -`.",
            )
        self.add_file(path, name=name)

    def add_file(
        self, path: Path, *, name: str, job_names: Mapping[str, str] | None = None, job: str | None = None
    ) -> None:
        """Adds a file that can be read again and again; an archive with all that is in it.

        Args:
            path: The file.
            name: What it is called.
            job_names: Real names of jobs, see `Layout`.
            job: The job that all its lines belong to, where somebody knows it.

        Raises:
            LogError: There is no log in it, or it cannot be read.
            OSError: Likewise.
        """
        members = members_of(path, name=name, spool=self.spool, stack=self._stack, note=self.notes.append)
        if members is None or [member.path for member in members] == [""]:
            only = members[0] if members else file_member(path, path_inside="")
            self.sources.append(replace(records_as_text(_plain_source(only, name)), job=job))
            return
        self._add_members(members, name, job_names)

    def _add_members(self, members: list[Member], name: str, job_names: Mapping[str, str] | None) -> None:
        layout = Layout(members, name=lambda path: f"{name}/{path}", job_names=job_names)
        sources = layout.sources()
        if not sources:
            raise LogError(
                f"There is no log in it: {len(members)} files, none of them a text that could be a log",
                place=name,
                next_step="Give the log itself, or a folder or an archive with logs.",
            )
        self.sources += [records_as_text(source) for source in sources]
        if layout.left_out:
            shown = ", ".join(layout.left_out[:_MOST_NAMED])
            more = len(layout.left_out) - _MOST_NAMED
            self.notes.append(
                f"{name}: {len(layout.left_out)} files are no logs and were left out: {shown}"
                + (f" and {more} more" if more > 0 else "")
            )

    def _add_folder(self, folder: Path) -> None:
        members: list[Member] = []
        for path in self._files(folder):
            inside = path.relative_to(folder).as_posix()
            try:
                found = members_of(
                    path, name=str(path), spool=self.spool, stack=self._stack, note=self.notes.append
                )
            except (LogError, OSError) as error:
                self.notes.append(f"{path} was left out: {error}")
                continue
            if found is None:
                members.append(file_member(path, path_inside=inside))
            else:
                members += [
                    Member(path=f"{inside}/{one.path}".rstrip("/"), open=one.open, size_bytes=one.size_bytes)
                    for one in found
                ]
        self._add_members(members, str(folder).rstrip("/\\"), None)

    def _files(self, folder: Path) -> Iterator[Path]:
        count = 0
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                count += 1
                if count > MOST_FILES:
                    raise LogError(
                        f"The folder has more than the {MOST_FILES} files that are read",
                        place=str(folder),
                        next_step="Give the folder that holds only the logs.",
                    )
                yield path


def file_member(path: Path, *, path_inside: str) -> Member:
    """Makes a member of a plain file."""
    return Member(path=path_inside, open=partial(_open_binary, path), size_bytes=path.stat().st_size)


def _open_binary(path: Path) -> BinaryIO:
    return path.open("rb")


def _plain_source(member: Member, name: str) -> LogSource:
    return LogSource(name=name, open=member.open, size_bytes=member.size_bytes)


def _standard_input(stdin: BinaryIO | None) -> BinaryIO:
    if stdin is None or stdin.closed:
        raise LogError(
            "The log cannot be read: standard input is closed",
            place="--log -",
            next_step="Pipe a log into it, or give the log's file.",
        )
    if stdin.isatty():
        raise LogError(
            "The log cannot be read: standard input is a terminal",
            place="--log -",
            next_step="Pipe a log into it, or give the log's file.",
        )
    return stdin
