"""Lets tests die at random under a stress run and compares what the tool reports with their own journal.

    python -m tests.faults                                       all usual modes and faults, one session each
    python -m tests.faults --seconds 600 --seed 7                for ten minutes, each round with another seed
    python -m tests.faults --modes isolate,isolate-n2 --faults plain,crashes --iterations 40
    python -m tests.faults --modes load --faults segv,kill --stages call --density 4 --keep /tmp/kept

Run it from the root of the checkout, with the Python that pytest-repro is installed for. A session is a
project of eight tests (functions, parameters, a class; fixtures of function, class, module and session scope)
with `--iterations` iterations each. Before it does something, an iteration writes so to a journal; which
iteration does what depends on the seed, the mode, the test and the number of the iteration alone, so a
session can be had again: `--modes each --seed 7 --rounds 1`, with the same faults, stages and density.

`--faults` takes names and groups (`plain`: fail, error, skip; `crashes`; `hangs`; `all`), a `-` before a name
takes it out: `--faults=-stop,-gil`. `--repro-hang-time` is given only where hangs are among the faults.
`--stages` limits where processes die. `--density` multiplies how often all of it happens.
`--option=--repro-lane=full` (as often as needed) adds an option of pytest to each session.

With `--keep DIR` the projects stay in DIR (`<mode>-<seed>/`), with `journal.jsonl`, `output.txt`, the records
of the tool, `discrepancies.txt` and `command.txt`; with `--keep-failed DIR` those of sessions with a
discrepancy do. The exit status is 0 without a discrepancy, 1 with any, 2 for a wrong option.

Of each mode it prints the iterations, the deaths by kind (told right of all), the stacks (those that name the
right function, of all deaths that can have one) and the discrepancies: what the journal says, what the tool
says.
"""

from __future__ import annotations

import argparse
import contextlib
import shlex
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from tests.faults.comparison import (
    Discrepancy,
    Expected,
    Kind,
    compare,
    names_function,
    outcome_of,
)
from tests.faults.dying import JOURNAL
from tests.faults.kinds import FAULTS, STAGES, faults_named, to_config
from tests.faults.project import TESTS, write_project
from tests.faults.records import Journal, Records, read_journal, read_lines, read_records
from tests.faults.session import MODES, OUTPUT, USUAL_MODES, Ended, run_session

T = TypeVar("T")


@dataclass(slots=True, kw_only=True)
class Score:
    """What the sessions of one mode came to.

    Attributes:
        sessions: How many there were.
        iterations: How many the journals tell of.
        duration_s: Time that the sessions took.
        outcomes: Iterations by the outcome that the journals say.
        deaths: By fault.
        told_right: Deaths without a discrepancy, by fault.
        stages: Deaths by stage.
        stacks: Deaths whose text names the right function.
        most_stacks: Deaths that leave a stack.
        discrepancies: All of them.
    """

    sessions: int = 0
    iterations: int = 0
    duration_s: float = 0.0
    outcomes: Counter[str] = field(default_factory=Counter)
    deaths: Counter[str] = field(default_factory=Counter)
    told_right: Counter[str] = field(default_factory=Counter)
    stages: Counter[str] = field(default_factory=Counter)
    stacks: int = 0
    most_stacks: int = 0
    discrepancies: list[Discrepancy] = field(default_factory=list)

    def add(self, journal: Journal, records: Records, found: Sequence[Discrepancy], *, ended: Ended) -> None:
        """Adds one session."""
        self.sessions += 1
        self.duration_s += ended.duration_s
        self.discrepancies += found
        wrong = {(one.test, one.iteration) for one in found}
        for key, lives in journal.lives.items():
            self.iterations += 1
            self.outcomes[outcome_of(lives[-1])] += 1
            fault = FAULTS.get(lives[-1].fault)
            if fault is None or not fault.is_deadly:
                continue
            self.deaths[fault.name] += 1
            self.stages[lives[-1].stage] += 1
            self.told_right[fault.name] += key not in wrong
            if fault.function is not None:
                texts = [failure["text"] for failure in records.failures.get(key, [])]
                self.most_stacks += 1
                self.stacks += any(names_function(fault, text) for text in texts)

    def lines(self, mode: str, *, shown: int) -> Iterator[str]:
        """Yields what there is to say, with so many of the discrepancies."""
        yield (
            f"{mode}: {_counted(self.sessions, 'session')}, {_counted(self.iterations, 'iteration')},"
            f" {self.duration_s:.0f} s ({' '.join(MODES[mode]) or 'no option'})"
        )
        yield f"  outcomes: {_numbers(self.outcomes)}"
        told = ", ".join(f"{name} {self.told_right[name]}/{self.deaths[name]}" for name in self.deaths)
        stages = f" ({_numbers(self.stages)})" if self.stages else ""
        yield f"  deaths told right: {self.told_right.total()}/{self.deaths.total()}{stages}"
        if told:
            yield f"    {told}"
        yield f"  stacks with the right function: {self.stacks}/{self.most_stacks}"
        yield from self.discrepancy_lines(shown=shown)

    def discrepancy_lines(self, *, shown: int) -> Iterator[str]:
        """Yields the discrepancies, each kind in turn, so that a frequent one hides no other."""
        kinds = Counter(one.kind.value for one in self.discrepancies)
        details = f" ({_numbers(kinds)})" if kinds else ""
        yield f"  discrepancies: {len(self.discrepancies)}{details}"
        seen: Counter[Kind] = Counter()
        ranked = []
        for one in self.discrepancies:
            ranked.append((seen[one.kind], one))
            seen[one.kind] += 1
        ranked.sort(key=lambda pair: pair[0])
        for _, one in ranked[:shown]:
            yield f"    {one}"
        if len(ranked) > shown:
            yield f"    and {len(ranked) - shown} more"


def _numbers(counts: Counter[str]) -> str:
    return ", ".join(f"{name} {number}" for name, number in counts.most_common()) or "none"


def _counted(number: int, word: str) -> str:
    return f"{number:,} {word}{'' if number == 1 else 's'}"


def run_mode(mode: str, seed: int, folder: Path, options: argparse.Namespace, score: Score) -> int:
    """Runs one session and adds it up.

    Returns:
        The number of its discrepancies.
    """
    write_project(
        folder,
        to_config(options.faults, seed=f"{seed} {mode}", density=options.density, stages=options.stages),
    )
    has_hangs = any(fault.outcome == "hang" for fault in options.faults)
    arguments = (
        f"--repro-stress={options.iterations}",
        f"--repro-seed={seed}",
        *MODES[mode],
        *((f"--repro-hang-time={options.hang_time}",) if has_hangs else ()),
        *options.option,
    )
    command = shlex.join(("python", "-m", "pytest", *arguments))
    (folder / "command.txt").write_text(f"{command}\n", encoding="utf-8")
    ended = run_session(folder, arguments, limit_s=options.limit)
    problems: list[str] = []
    journal = read_journal(read_lines(folder / JOURNAL, problems))
    records = read_records(folder / ".pytest_repro" / "sessions")
    records.problems += problems
    expected = Expected(tests=TESTS, iterations=options.iterations, needs_each_stack=options.each_stack)
    found = [*_of_session(ended, folder, options), *compare(expected, journal, records, status=ended.status)]
    (folder / "discrepancies.txt").write_text("".join(f"{one}\n" for one in found), encoding="utf-8")
    score.add(journal, records, found, ended=ended)
    return len(found)


def _of_session(ended: Ended, folder: Path, options: argparse.Namespace) -> Iterator[Discrepancy]:
    lines = (folder / OUTPUT).read_text(encoding="utf-8", errors="replace").strip().splitlines()
    last = [line for line in lines if "error:" in line][-1:] or lines[-1:]
    if ended.is_late:
        said = f"did not end within {options.limit:g} s; it said last: {' '.join(last)!r}"
        yield Discrepancy(kind=Kind.STATUS, journal="an end", tool=said)
    elif ended.status not in {0, 1, 6}:
        said = f"exit status {ended.status}; it said last: {' '.join(last)!r}"
        yield Discrepancy(kind=Kind.STATUS, journal="tests that ran", tool=said)
    for process in ended.left_behind:
        yield Discrepancy(kind=Kind.LEFT, journal="the end of the session", tool=process)


def _read_by(read: Callable[[str], T]) -> Callable[[str], T]:
    """Has a reader's own words in the message of a usage error."""

    def checked(text: str) -> T:
        try:
            return read(text)
        except ValueError as error:
            raise argparse.ArgumentTypeError(str(error)) from error

    return checked


def _names_of(known: Sequence[str]) -> Callable[[str], list[str]]:
    def read(text: str) -> list[str]:
        names = [name.strip() for name in text.split(",")]
        for name in names:
            if name not in known:
                raise ValueError(f"{name!r} is none of {', '.join(known)}")
        return names

    return _read_by(read)


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise ValueError(f"{text!r} is no number from 1 on")
    return number


def read_options(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Reads the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.faults",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    number = _read_by(_positive)
    parser.add_argument("--seed", type=int, default=1, help="of the first round (%(default)s)")
    parser.add_argument("--iterations", type=number, default=20, help="of each test (%(default)s)")
    parser.add_argument("--rounds", type=number, help="sessions of each mode (1, any number with --seconds)")
    parser.add_argument("--seconds", type=float, help="begin no session after so much time")
    parser.add_argument("--modes", type=_names_of([*MODES]), default=[*USUAL_MODES], help=", ".join(MODES))
    parser.add_argument("--faults", type=_read_by(faults_named), default="all", help=", ".join(FAULTS))
    parser.add_argument("--stages", type=_names_of(STAGES), default=[*STAGES], help=", ".join(STAGES))
    parser.add_argument("--density", type=float, default=1.0, help="so many times the faults (%(default)s)")
    parser.add_argument("--hang-time", default="2s", help="what --repro-hang-time is given (%(default)s)")
    parser.add_argument("--limit", type=float, default=300.0, help="seconds of a session (%(default)s)")
    parser.add_argument(
        "--each-stack", action="store_true", help="want a stack of each death, not of each bug"
    )
    parser.add_argument("--option", action="append", default=[], help="one more option of pytest")
    parser.add_argument("--shown", type=int, default=20, help="discrepancies shown of a mode (%(default)s)")
    parser.add_argument("--keep", type=Path, metavar="DIR", help="keep the projects there")
    parser.add_argument("--keep-failed", type=Path, metavar="DIR", help="keep those with a discrepancy there")
    options = parser.parse_args(arguments)
    try:
        to_config(options.faults, seed="", density=options.density)
    except ValueError as error:
        parser.error(str(error))
    return options


@contextlib.contextmanager
def _project_folder(name: str, options: argparse.Namespace) -> Iterator[Path]:
    """Makes the folder of one session; afterwards it is gone unless it is to be kept."""
    kept: Path | None = options.keep or options.keep_failed
    if kept is None:
        with tempfile.TemporaryDirectory(prefix="faults-") as made:
            yield Path(made)
        return
    folder = (kept / name).resolve()
    if folder.exists():
        shutil.rmtree(folder)
    folder.mkdir(parents=True)
    yield folder
    if options.keep is None and not (folder / "discrepancies.txt").read_text(encoding="utf-8"):
        shutil.rmtree(folder)


def say(line: str) -> None:
    """Prints a line at once: the next may take minutes."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the sessions and prints the table; returns the exit status."""
    options = read_options(arguments)
    scores = {mode: Score() for mode in options.modes}
    rounds = options.rounds or (1 if options.seconds is None else sys.maxsize)
    ends_s = None if options.seconds is None else time.monotonic() + options.seconds
    sessions = ((number, mode) for number in range(rounds) for mode in options.modes)
    for number, mode in sessions:
        if ends_s is not None and time.monotonic() >= ends_s:
            break
        seed = options.seed + number
        with _project_folder(f"{mode}-{seed}", options) as folder:
            found = run_mode(mode, seed, folder, options, scores[mode])
        say(f"{mode}, seed {seed}: {found:,} discrepancies")
    for mode, score in scores.items():
        for line in score.lines(mode, shown=options.shown) if score.sessions else (f"{mode}: no session",):
            say(line)
    total = sum(len(score.discrepancies) for score in scores.values())
    deaths = sum(score.deaths.total() for score in scores.values())
    iterations = sum(score.iterations for score in scores.values())
    say(f"total: {iterations:,} iterations, {deaths:,} deaths, {total:,} discrepancies")
    return 1 if total else 0


def _end(*_: object) -> None:
    sys.exit(128 + signal.SIGTERM)


if __name__ == "__main__":
    # `timeout` and the like: what a session has started is then ended too.
    signal.signal(signal.SIGTERM, _end)
    sys.exit(main())
