"""Failing tests whose id no line prints whole: rebuilt from headers, frames and dumps."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

from pytest_repro.logs.blocks import BlockFacts, frame_of, frames_of, read_block, same_file
from pytest_repro.logs.evidence import Accident, Block, Evidence
from pytest_repro.logs.nodeids import from_header, is_test_file
from pytest_repro.logs.patterns import METHOD
from pytest_repro.logs.records import CiFailure, Runner
from pytest_repro.model import Frame, Outcome, Stage

_TIMEOUT = re.compile(r"(?:Failed: )?Timeout (?:>|\(>)[\d.]+")
_WORKER_CRASH = re.compile(
    r"(?:worker|[Ss]lave) '(?P<worker>gw\d+)' crashed while running "
    r"(?P<quote>['\"])(?P<nodeid>[^\n]+)(?P=quote)"
)
_UNITTEST_FILE = re.compile(r"[/\\](?:unittest|nose)[/\\]")
_CPP_PLACE = re.compile(r"(?:TT_\w+|\w+) @ (?P<file>[^\s:]+\.\w+):(?P<line>\d+)")
_SUBTEST = re.compile(r"(?<=\w) (?:\[.*\]|\(.*\)).*$")


def with_kind(failure: CiFailure) -> CiFailure:
    """Tells timeouts and crashes, and C++ places, by the message."""
    message = failure.message or ""
    crash = _WORKER_CRASH.search(message) or _WORKER_CRASH.search(failure.text[-500:])
    if crash is not None:
        return replace(
            failure,
            nodeid=crash["nodeid"],
            outcome=Outcome.CRASH,
            worker=crash["worker"],
            message=crash[0].strip(),
        )
    if failure.exception in {"Failed", "_pytest.outcomes.Failed", None} and _TIMEOUT.match(message):
        failure = replace(failure, outcome=Outcome.TIMEOUT)
    place = _CPP_PLACE.search(message) if failure.place is None else None
    return replace(failure, place=Frame(file=place["file"], line=int(place["line"]))) if place else failure


def rebuilt(block: Block, evidence: Evidence) -> CiFailure | None:
    """Makes the failure of a block that no line names; None where not even its file can be told."""
    facts = read_block(block.lines if block.runner is Runner.PYTEST else _below_rule(block))
    nodeid = _rebuilt_id(block, facts, evidence)
    if nodeid is None:
        return None
    place = facts.place
    test_place = facts.test_place
    file, colons, _ = nodeid.partition("::")
    if block.runner is Runner.PYTEST and colons:
        test_place = read_block(block.lines, test_file=file).test_place
    if block.runner is Runner.UNITTEST:
        ended = facts.exception is not None or facts.message is not None
        place = _outside_unittest(place, block.lines) if ended else None
    return with_kind(
        CiFailure(
            nodeid=nodeid,
            line=block.line,
            outcome=Outcome.ERROR if block.is_error else Outcome.FAILED,
            is_verbatim=block.runner is not Runner.PYTEST or block.stage is Stage.COLLECT,
            stage=block.stage or (Stage.CALL if block.runner is Runner.PYTEST else None),
            exception=facts.exception,
            message=facts.message,
            place=place,
            test_place=test_place,
            text=facts.text,
            worker=block.worker,
            runner=block.runner,
        )
    )


def _below_rule(block: Block) -> Sequence[str]:
    """What unittest prints below a name, the method's own sentence and the rule."""
    rule = next((index for index, line in enumerate(block.lines[:4]) if _is_rule(line)), -1)
    return block.lines[rule + 1 :]


def _is_rule(line: str) -> bool:
    return len(line) > 60 and set(line) == {"-"}


def _outside_unittest(place: Frame | None, lines: Sequence[str]) -> Frame | None:
    if place is not None and not _UNITTEST_FILE.search(place.file):
        return place
    outside = [one for one in frames_of(lines) if not _UNITTEST_FILE.search(one.file)]
    return outside[-1] if outside else None


def _rebuilt_id(block: Block, facts: BlockFacts, evidence: Evidence) -> str | None:
    if block.runner is Runner.UNITTEST and not _has_rule(block):
        return None
    if block.runner is not Runner.PYTEST or block.stage is Stage.COLLECT:
        return block.name
    name = _SUBTEST.sub("", block.name.removeprefix("[doctest] "))
    file = _file_of(block, facts, evidence)
    if block.name.startswith("[doctest] "):
        return f"{file}::{name}" if file else None
    return from_header(_relative(file, evidence), name) if file else name


def _has_rule(block: Block) -> bool:
    """Whether the name is that of a method, or stands over the rule that unittest draws below any name."""
    return bool(METHOD.fullmatch(block.name)) or any(map(_is_rule, block.lines[:4]))


def _file_of(block: Block, facts: BlockFacts, evidence: Evidence) -> str | None:
    letter = "E" if block.is_error else "F"
    counted = _file_by_order(block, evidence, letter)
    if counted is not None:
        return counted
    if block.name.startswith("[doctest] "):
        example = _doctest_file(block)
        if example is not None:
            return next((file for file in evidence.file_letters if same_file(file, example)), example)
    listed = [file for file, (letters, _) in evidence.file_letters.items() if letter in letters]
    if len(listed) == 1:
        return listed[0]
    function = re.split(r"[.\[ ]", block.name.partition("[")[0])[-1]
    heads = (f"def {function}(", f"async def {function}(")
    shows_source = any(line.lstrip("> ").startswith(heads) for line in block.lines)
    names_none = not any(re.match(r"[\s>]*(?:async )?def \w+\(", line) for line in block.lines)
    for line in block.lines:
        frame = frame_of(line)
        is_own = shows_source or names_none or (frame is not None and frame.function is not None)
        if frame is not None and is_test_file(frame.file) and is_own:
            return next((one for one in listed if same_file(one, frame.file)), frame.file)
    return facts.test_place.file if facts.test_place and block.is_error else None


def _file_by_order(block: Block, evidence: Evidence, letter: str) -> str | None:
    """Failures are shown in the order of the progress letters: where the counts agree, the n-th is known."""
    alike = [one for one in evidence.blocks if one.is_error == block.is_error]
    files = [file for file, (letters, _) in evidence.file_letters.items() for one in letters if one == letter]
    if any(one.runner is not Runner.PYTEST or one.stage is Stage.COLLECT for one in alike):
        return None
    if len(files) != len(alike) or evidence.workers_seen or evidence.unnamed_letters:
        return None
    return next(file for file, one in zip(files, alike, strict=True) if one is block)


def _doctest_file(block: Block) -> str | None:
    """The file of a failing example, as the last line of its block names it."""
    for line in reversed(block.lines):
        frame = frame_of(line) if line.endswith((": DocTestFailure", ": UnexpectedException")) else None
        if frame is not None:
            return frame.file
    return None


def _relative(file: str, evidence: Evidence) -> str:
    plain = file.replace("\\", "/")
    if evidence.rootdir is not None:
        root = evidence.rootdir.value.replace("\\", "/").rstrip("/") + "/"
        if plain.startswith(root):
            return plain[len(root) :]
    work = re.match(r"(?:/home/runner/work|/Users/runner/work|/__w|[A-Z]:/a)/([^/]+)/\1/(?P<rest>.+)", plain)
    return work["rest"] if work else plain


def from_accidents(evidence: Evidence) -> list[CiFailure]:
    """Makes the failures of the tests that were in flight when something ended them."""
    found = []
    named = [one for one in evidence.accidents if one.nodeid is not None and one.worker is not None]
    for accident in evidence.accidents:
        nodeid, is_verbatim, place = _accident_test(accident, evidence)
        if nodeid is None or (named and accident.nodeid is None):
            continue
        found.append(
            CiFailure(
                nodeid=nodeid,
                line=accident.line,
                outcome=Outcome.TIMEOUT if _timed_out(accident, evidence) else accident.outcome,
                is_verbatim=is_verbatim,
                stage=Stage.CALL if place else None,
                exception=accident.exception,
                message=accident.message,
                place=place or accident.place,
                test_place=place,
                worker=accident.worker,
            )
        )
    return found


def _timed_out(accident: Accident, evidence: Evidence) -> bool:
    """Whether the stacks of a timeout show the test whose worker is said to have crashed."""
    name = (accident.nodeid or "").rpartition("::")[2].partition("[")[0] or accident.nodeid
    dumps = [one for one in evidence.accidents if one.outcome is Outcome.TIMEOUT and one.nodeid is None]
    return accident.worker is not None and any(frame.function == name for one in dumps for frame in one.stack)


_RUNS_TEST = re.compile(r"_pytest[/\\]python\.py$")


def _called_by_runner(stack: Sequence[Frame]) -> Frame | None:
    """The frame that pytest itself has called as the test, whatever its file and function are called."""
    for inner, outer in pairwise(stack):
        if outer.function == "pytest_pyfunc_call" and _RUNS_TEST.search(outer.file):
            return inner if "site-packages" not in inner.file.replace("\\", "/").split("/") else None
    return None


def _accident_test(accident: Accident, evidence: Evidence) -> tuple[str | None, bool, Frame | None]:
    place = _called_by_runner(accident.stack) or next(
        (one for one in accident.stack if is_test_file(one.file) and (one.function or "").startswith("test")),
        None,
    )
    if accident.nodeid is not None:
        return accident.nodeid, True, place
    if accident.worker is not None:
        later = (
            one.nodeid
            for one in evidence.verbose
            if one.worker == accident.worker and one.line > accident.line
        )
        return next(later, None), True, place
    if accident.outcome is Outcome.HANG or (accident.outcome is Outcome.TIMEOUT and place is None):
        return None, False, place
    file = evidence.in_flight_file.value if evidence.in_flight_file else None
    if place is not None:
        listed = file if file and same_file(file, place.file) else _relative(place.file, evidence)
        return from_header(listed, place.function or ""), False, place
    is_open = file is not None and (evidence.file_is_open or file not in evidence.file_letters)
    return (file, True, None) if is_open and accident.message else (None, False, None)
