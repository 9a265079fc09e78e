"""Failing tests whose id no line prints whole: rebuilt from headers, frames and dumps."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import PureWindowsPath

from pytest_repro.logs.blocks import BlockFacts, frame_of, frames_of, read_block, same_file
from pytest_repro.logs.evidence import Accident, Block, Evidence
from pytest_repro.logs.examples import read_blob, read_example
from pytest_repro.logs.nodeids import from_header, is_balanced, is_test_file
from pytest_repro.logs.patterns import METHOD
from pytest_repro.logs.records import Argument, CiFailure, Found, Runner
from pytest_repro.model import Frame, Outcome, Stage

_TIMEOUT = re.compile(r"(?:Failed: )?Timeout (?:>|\(>)[\d.]+")
_WORKER_CRASH = re.compile(
    r"(?:worker|[Ss]lave) '(?P<worker>gw\d+)' crashed while running "
    r"(?P<quote>['\"])(?P<nodeid>[^\n]+)(?P=quote)"
)
_UNITTEST_FILE = re.compile(r"[/\\](?:(?:unittest|nose2?)[/\\]|twisted[/\\]trial[/\\]_?\w*test\.py$)")
_CHECKOUT = re.compile(  # of GitHub, Azure Pipelines, Travis, CircleCI
    r"(?:(?:(?:/[^/]+)*/_?work|/__w|[A-Z]:/a)/([^/]+)/\1|(?:/(?:home|Users)/[^/]+/work|/__w|[A-Z]:/a)/\d+/s|"
    r"/(?:home|Users)/travis/build/[^/]+/[^/]+|/(?:home/circleci|root)/(?:project|repo))/(?P<rest>.+)"
)
_TEST_FILE = re.compile(r"(?:^|[/\\])test_[^/\\]*\.py$")
_FIXTURE = re.compile(r"(?:setUp|tearDown)(?:Class|Module)")
_NAMELESS = "_ErrorHolder"
"""What nose2 prints for a class or a module that could not be set up."""
_CPP_PLACE = re.compile(r"(?:TT_\w+|\w+) @ (?P<file>[^\s:]+\.\w+):(?P<line>\d+)")
_SUBTEST_OF_METHOD = re.compile(r"(?<=\)) (?:\[.*\]|\(.*\)).*$")
_SUBTEST = re.compile(r"(?<=\w) (?:\[.*\]|\(.*\)).*$")


def with_kind(failure: CiFailure) -> CiFailure:
    """Tells timeouts and crashes, and C++ places, by the message."""
    message = failure.message or ""
    crash = _WORKER_CRASH.search(message) or _WORKER_CRASH.search(failure.text[-500:])
    if crash is not None:
        is_end = failure.nodeid.endswith("/" + crash["nodeid"])  # the worker may count from another folder
        return replace(
            failure,
            nodeid=failure.nodeid if is_end else crash["nodeid"],
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
            is_verbatim=nodeid == block.name,
            stage=block.stage or (Stage.CALL if block.runner is Runner.PYTEST else None),
            exception=facts.exception,
            message=facts.message,
            place=place,
            test_place=test_place,
            text=facts.text,
            worker=block.worker,
            runner=block.runner,
            subtest=subtest_of(block),
            example=example_of(block),
            blob=blob_of(block),
        )
    )


def subtest_of(block: Block | None) -> str | None:
    """Reads from a header how a subtest is described: `[warm] (litres=3)`; None where it names no subtest."""
    if block is None:
        return None
    match = (_SUBTEST_OF_METHOD if block.runner is Runner.UNITTEST else _SUBTEST).search(block.name)
    if match is None or not is_balanced(block.name[: match.start()]):
        return None
    return match[0].strip()


def example_of(block: Block | None) -> tuple[Argument, ...]:
    """Reads the arguments of Hypothesis's example from a block."""
    if block is None or block.example is None:
        return ()
    index, line = block.example
    return read_example(block.lines[index:], line)


def blob_of(block: Block | None) -> Found | None:
    """Reads from a block how Hypothesis comes back to the example."""
    if block is None or block.example is None:
        return None
    index, line = block.example
    return read_blob(block.lines[index:], line)


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
    if block.runner is Runner.UNITTEST and block.name == _NAMELESS:
        return _set_up_name(block)
    if block.runner is not Runner.PYTEST or block.stage is Stage.COLLECT:
        return block.name
    name = _SUBTEST.sub("", block.name.removeprefix("[doctest] "))
    file = _file_of(block, facts, evidence)
    if block.name.startswith("[doctest] "):
        return f"{file}::{name}" if file else None
    return from_header(_relative(file, evidence), name) if file else name


def _set_up_name(block: Block) -> str:
    """The name that unittest gives to the set-up of a class or a module: `setUpClass (valves)`."""
    frames = [one for one in frames_of(block.lines) if not _UNITTEST_FILE.search(one.file)]
    fixture = next((one for one in frames if _FIXTURE.fullmatch(one.function or "")), None)
    if fixture is None:
        return block.name
    return f"{fixture.function} ({PureWindowsPath(fixture.file).stem})"


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
        is_own = shows_source or (
            frame is not None and _is_of_test(frame, function, block, names_none=names_none)
        )
        if frame is not None and is_test_file(frame.file) and is_own:
            return next((one for one in listed if same_file(one, frame.file)), frame.file)
    return facts.test_place.file if facts.test_place and block.is_error else None


def _is_of_test(frame: Frame, function: str, block: Block, *, names_none: bool) -> bool:
    """A test that is called through wrappers begins elsewhere; an error can begin in any fixture."""
    if frame.function is None:
        return names_none
    return (
        block.is_error
        or frame.function in {function, "<module>"}
        or _TEST_FILE.search(frame.file) is not None
    )


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
    checkout = _CHECKOUT.match(plain)
    return checkout["rest"] if checkout else plain


def from_headless(block: Block, evidence: Evidence) -> CiFailure | None:
    """Makes the failure of a block without a header, where a frame names the test's function."""
    facts = read_block(block.lines)
    place = facts.test_place
    if (
        place is None
        or not (place.function or "").startswith("test")
        or not (facts.exception or facts.message)
    ):
        return None
    return with_kind(
        CiFailure(
            nodeid=from_header(_relative(place.file, evidence), place.function or ""),
            line=block.line,
            outcome=Outcome.FAILED,
            is_verbatim=False,
            stage=Stage.CALL,
            exception=facts.exception,
            message=facts.message,
            place=facts.place,
            test_place=place,
            text=facts.text,
        )
    )


def from_accidents(evidence: Evidence) -> list[CiFailure]:
    """Makes the failures of the tests that were in flight when something ended them."""
    found = []
    known = [one.nodeid for one in (*evidence.short_summary, *evidence.loose, *evidence.verbose)]
    named = [one for one in evidence.accidents if one.nodeid is not None and one.worker is not None]
    for accident in evidence.accidents:
        nodeid, is_verbatim, place = _accident_test(accident, evidence)
        if nodeid is None or (named and accident.nodeid is None):
            continue
        if is_verbatim and nodeid not in known:
            nodeid = next((one for one in known if one.endswith("/" + nodeid)), nodeid)
        found.append(
            CiFailure(
                nodeid=nodeid,
                line=accident.line,
                outcome=Outcome.TIMEOUT if _timed_out(accident, evidence) else accident.outcome,
                is_verbatim=is_verbatim,
                stage=Stage.CALL if place else None,
                exception=accident.exception,
                message=accident.message,
                place=place or accident.place or _own_frame(accident.stack),
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


_FOREIGN = re.compile(r"/(?:site|dist)-packages/|/lib(?:64)?/(?:python|pypy)\d|/Lib/|^<")
_RUNS_TEST = re.compile(r"_pytest[/\\]python\.py$")


def _called_by_runner(stack: Sequence[Frame]) -> Frame | None:
    """The frame that pytest itself has called as the test, whatever its file and function are called."""
    for inner, outer in pairwise(stack):
        if outer.function == "pytest_pyfunc_call" and _RUNS_TEST.search(outer.file):
            return inner if "site-packages" not in inner.file.replace("\\", "/").split("/") else None
    return None


def _own_frame(stack: Sequence[Frame]) -> Frame | None:
    """The frame nearest to the end that is neither Python's own nor a package's: that of a fixture."""
    return next((one for one in stack if not _FOREIGN.search(one.file.replace("\\", "/"))), None)


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
