"""Which files of a folder or archive are logs, which job and step each belongs to, and in which order."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import PurePosixPath

from pytest_repro.logs.archives import Member
from pytest_repro.logs.formats import decode, encoding_of
from pytest_repro.logs.sources import DAMAGES, LogSource

_JOB_FILE = re.compile(r"-?\d+_(?P<job>.+)\.txt")
_STEP_FILE = re.compile(r"(?P<number>\d+)_(?P<step>.+)\.txt")
_SYSTEM_FILE = "system.txt"
_BOM_BYTES = 3
_OTHER_FILES = frozenset(
    {
        ".xml",
        ".html",
        ".htm",
        ".yml",
        ".yaml",
        ".toml",
        ".ini",
        ".cfg",
        ".py",
        ".js",
        ".css",
        ".md",
        ".csv",
        ".svg",
        ".png",
        ".jpg",
        ".jpeg",
        ".whl",
        ".db",
    }
)
_DIGITS = re.compile(r"(\d+)")
_FIRST_BYTES = 4096
_FIRST_STEP = "1_Set up job.txt"


@dataclass(slots=True)
class _Steps:
    """A folder with one file for each step of a job, and the job's whole log beside it, if there is one."""

    job: str | None
    files: list[Member] = field(default_factory=list)
    system: Member | None = None
    whole: Member | None = None


class Layout:
    """Puts the files of a folder or an archive in order, each line once.

    GitHub serves each job's log twice: whole (`0_build.txt`), and as one file for each step
    (`build/1_Set up job.txt`). The whole one is read, as it can hold more; the steps' first lines tell where
    in it each step begins. Where there is no whole one, or a shorter one, the steps are read.

    Args:
        members: The files, in any order.
        name: Makes the name for people of a member's path.
        job_names: Real names of jobs by `job_key` of their name in paths, where somebody knows them.
    """

    def __init__(
        self,
        members: Sequence[Member],
        *,
        name: Callable[[str], str],
        job_names: Mapping[str, str] | None = None,
    ) -> None:
        self._name = name
        self._job_names = job_names or {}
        self._members: list[Member] = []
        self.left_out: list[str] = []
        for member in sorted(members, key=lambda one: _natural(one.path)):
            if _is_log(member):
                self._members.append(member)
            else:
                self.left_out.append(member.path)
        self._steps = self._step_folders()

    def sources(self) -> list[LogSource]:
        """Returns the logs in the order in which they are read."""
        wholes = {steps.whole.path: steps for steps in self._steps.values() if steps.whole is not None}
        begun: set[str] = set()
        sources: list[LogSource] = []
        for member in self._members:
            folder, file = _split(member.path)
            if member.path in wholes:
                sources += self._job(wholes[member.path])
            elif folder not in self._steps:
                named = _JOB_FILE.fullmatch(file)
                sources.append(self._source(member, job=self._job_name(named["job"]) if named else None))
            elif self._steps[folder].whole is None and folder not in begun:
                begun.add(folder)
                sources += self._job(self._steps[folder])
        return sources

    def _step_folders(self) -> dict[str, _Steps]:
        by_folder: dict[str, list[Member]] = {}
        for member in self._members:
            by_folder.setdefault(_split(member.path)[0], []).append(member)
        found: dict[str, _Steps] = {}
        for folder, members in by_folder.items():
            files = {_split(member.path)[1]: member for member in members}
            is_whole_folder = bool(folder) or _FIRST_STEP in files or _SYSTEM_FILE in files
            if is_whole_folder and all(_STEP_FILE.fullmatch(file) or file == _SYSTEM_FILE for file in files):
                parent, job = _split(folder)
                found[folder] = _Steps(
                    job=self._job_name(job) if job else None,
                    files=[member for file, member in files.items() if file != _SYSTEM_FILE],
                    system=files.get(_SYSTEM_FILE),
                    whole=_whole_log(job, by_folder.get(parent, [])) if job else None,
                )
        return found

    def _job_name(self, shown: str) -> str:
        known = self._job_names.get(job_key(shown))
        # GitHub leaves out the slash of `caller / called`.
        return known if known is not None else re.sub(r"(?<=\S)  (?=\S)", " / ", shown)

    def _job(self, steps: _Steps) -> Iterator[LogSource]:
        if steps.system is not None:
            yield self._source(steps.system, job=steps.job)
        if steps.whole is None or _size(steps.whole) < sum(_size(one) - _BOM_BYTES for one in steps.files):
            for file in steps.files:
                yield self._source(file, job=steps.job, step=_step_name(file))
            return
        starts = {_first_line(file): _step_name(file) for file in steps.files}
        starts.pop("", None)
        yield self._source(steps.whole, job=steps.job, step_starts=starts)

    def _source(
        self,
        member: Member,
        *,
        job: str | None,
        step: str | None = None,
        step_starts: Mapping[str, str] | None = None,
    ) -> LogSource:
        return LogSource(
            name=self._name(member.path),
            open=member.open,
            size_bytes=member.size_bytes,
            job=job,
            step=step,
            step_starts=step_starts or {},
        )


def job_key(name: str) -> str:
    """Returns what is the same for a job's name and for its name in the paths of an archive."""
    return re.sub(r"\W+", "", name)[:60].lower()


def _whole_log(job: str, beside: Sequence[Member]) -> Member | None:
    for member in beside:
        file = _split(member.path)[1]
        named = _JOB_FILE.fullmatch(file)
        if (named is not None and named["job"] == job) or file == f"{job}.txt":
            return member
    return None


def _split(path: str) -> tuple[str, str]:
    folder, _, file = path.replace("\\", "/").strip("/").rpartition("/")
    return folder, file


def _natural(path: str) -> list[tuple[int, str]]:
    """Sorts `10_x` behind `2_x`, and files by their folders."""
    return [(int(part[:18]), "") if part.isdigit() else (0, part) for part in _DIGITS.split(path) if part]


def _step_name(member: Member) -> str:
    named = _STEP_FILE.fullmatch(_split(member.path)[1])
    return named["step"] if named else member.path


def _size(member: Member) -> int:
    return member.size_bytes or 0


def _first_bytes(member: Member) -> bytes:
    try:
        with member.open() as stream:
            return stream.read(_FIRST_BYTES)
    except (*DAMAGES, OSError):
        return b""  # what is wrong with it is told when it is read


def _first_line(member: Member) -> str:
    text = "".join(decode(BytesIO(_first_bytes(member))))
    line, end, _ = text.partition("\n")
    return line.rstrip("\r") if end else ""


def _is_log(member: Member) -> bool:
    if PurePosixPath(member.path).suffix.lower() in _OTHER_FILES:
        return False
    first = _first_bytes(member)
    return b"\0" not in first or encoding_of(first).startswith("utf-16") or first.count(0) * 20 < len(first)
