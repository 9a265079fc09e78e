"""From what a session has printed to its failing tests: each once, with all that is known of it."""

from __future__ import annotations

import re
from dataclasses import replace

from pytest_repro.logs.blocks import (
    BlockFacts,
    frame_of,
    is_exception_name,
    read_block,
    same_file,
    split_error,
)
from pytest_repro.logs.evidence import Block, Evidence, Mention
from pytest_repro.logs.line_errors import with_line_errors
from pytest_repro.logs.nodeids import from_header, header_name
from pytest_repro.logs.rebuilt import (
    blob_of,
    example_of,
    from_accidents,
    from_headless,
    rebuilt,
    subtest_of,
    with_kind,
)
from pytest_repro.logs.records import CiFailure, Found, LogOutcome, Runner
from pytest_repro.logs.unittest_output import named_blocks
from pytest_repro.model import Frame, Outcome, Stage

_COUNT = re.compile(r"(?P<count>\d+) (?P<what>failed|errors?)\b")


def failures_of(evidence: Evidence) -> tuple[CiFailure, ...]:
    """Concludes which tests of a session failed, and how."""
    failures = [*_from_mentions(evidence), *from_accidents(evidence)]
    unique: dict[tuple[str, bool], CiFailure] = {}
    for failure in failures:
        key = (failure.nodeid, failure.outcome is Outcome.ERROR)
        known = unique.get(key)
        unique[key] = failure if known is None else _fuller(known, failure)
    if all(failure.outcome is Outcome.CRASH for failure in failures):
        for failure in _from_letters(evidence):
            unique.setdefault((failure.nodeid, failure.outcome is Outcome.ERROR), failure)
    return tuple(unique.values())


def outcome_of(evidence: Evidence, failures: tuple[CiFailure, ...]) -> LogOutcome:
    """Says how the session ended as a whole."""
    kinds = {failure.outcome for failure in failures} | {accident.outcome for accident in evidence.accidents}
    for kind, outcome in (
        (Outcome.CRASH, LogOutcome.CRASH),
        (Outcome.TIMEOUT, LogOutcome.TIMEOUT),
        (Outcome.HANG, LogOutcome.HANG),
    ):
        if kind in kinds:
            return outcome
    if failures:
        return LogOutcome.FAILED
    if evidence.usage_error:
        return LogOutcome.USAGE_ERROR
    if evidence.nothing_collected:
        return LogOutcome.NOTHING_COLLECTED
    return LogOutcome.PASSED if evidence.summary is not None else LogOutcome.NO_TEST_FAILURE


def _fuller(known: CiFailure, other: CiFailure) -> CiFailure:
    fatal = {Outcome.CRASH, Outcome.TIMEOUT, Outcome.HANG}
    return replace(
        known,
        outcome=other.outcome
        if other.outcome in fatal and known.outcome is not Outcome.TIMEOUT
        else known.outcome,
        exception=known.exception or other.exception,
        message=known.message or other.message,
        place=known.place or other.place,
        test_place=known.test_place or other.test_place,
        worker=known.worker or other.worker,
        stage=known.stage or other.stage,
        text=known.text or other.text,
    )


def _from_mentions(evidence: Evidence) -> list[CiFailure]:
    mentions = _mentions(evidence)
    blocks = [named for block in evidence.blocks for named in named_blocks(block)]
    found: list[CiFailure] = []
    for mention in mentions:
        block = _take_block(blocks, mention)
        found.append(_failure(mention, block))
    complete = _is_complete(evidence)
    found = with_line_errors(_with_headless(found, evidence), evidence.line_errors)
    found += _from_annotations(found, evidence)
    for block in blocks:
        if complete and block.runner is Runner.PYTEST:
            continue  # a session that a test itself ran, or one that a retry has put right
        made = rebuilt(block, evidence)
        if made is not None:
            found.append(made)
    found += _from_unittest_lines(found, evidence)
    headless = from_headless(evidence.headless, evidence) if evidence.headless and not found else None
    return [headless] if headless is not None else found


def _with_headless(found: list[CiFailure], evidence: Evidence) -> list[CiFailure]:
    """Gives the end of a block, whose header the log has lost, to the failures with its message."""
    if evidence.headless is None:
        return found
    facts = read_block(evidence.headless.lines)
    return [
        replace(
            one,
            place=facts.place,
            test_place=_own_place(one, evidence.headless),
            text=facts.text,
            stage=Stage.CALL,
        )
        if one.place is None and facts.message and one.message == facts.message
        else one
        for one in found
    ]


def _own_place(failure: CiFailure, block: Block) -> Frame | None:
    return read_block(block.lines, test_file=failure.nodeid.partition("::")[0]).test_place


def _from_annotations(found: list[CiFailure], evidence: Evidence) -> list[CiFailure]:
    """Failures that only an annotation tells of, with the id of the test that was running."""
    named = {one.nodeid.rpartition("::")[2] for one in found} | {
        one.nodeid.partition("[")[0].rpartition("::")[2] for one in found
    }
    running = [one for one in (evidence.in_flight, evidence.last_test) if one is not None]
    made = []
    for annotation in evidence.annotations:
        if annotation.nodeid.rpartition("::")[2] in named:
            continue
        whole = next((one for one in running if one.value.endswith("::" + annotation.nodeid)), None)
        if annotation.place is not None:
            whole = Found(value=annotation.nodeid, line=annotation.line)
        if whole is not None:
            exception, message = split_error(annotation.message or "")
            made.append(
                CiFailure(
                    nodeid=whole.value,
                    line=whole.line,
                    outcome=Outcome.FAILED,
                    exception=exception,
                    message=message,
                    place=annotation.place,
                    test_place=annotation.place,
                )
            )
    return made


def _from_unittest_lines(found: list[CiFailure], evidence: Evidence) -> list[CiFailure]:
    """Failures of which a log that was cut shows the verbose line and no traceback."""
    named = {
        name for one in found for name in (one.nodeid, one.nodeid.partition(") (")[0] + ")")
    }  # its subtests
    return [
        CiFailure(
            nodeid=one.nodeid,
            line=one.line,
            outcome=Outcome.ERROR if one.is_error else Outcome.FAILED,
            runner=Runner.UNITTEST,
        )
        for one in evidence.unittest_lines
        if one.nodeid not in named
    ]


def _mentions(evidence: Evidence) -> list[Mention]:
    listed = _with_whole_end([_whole(mention, evidence) for mention in _listed(evidence)], evidence)
    if _is_complete(evidence):
        workers = {mention.nodeid: mention.worker for mention in evidence.verbose}
        return [replace(one, worker=workers.get(one.nodeid)) for one in listed]
    merged: dict[tuple[str, bool], Mention] = {}
    for mention in (*listed, *evidence.verbose):
        key = (mention.nodeid, mention.is_error)
        known = merged.get(key)
        merged[key] = mention if known is None else replace(known, worker=known.worker or mention.worker)
    return list(merged.values())


def _listed(evidence: Evidence) -> list[Mention]:
    """The short summary; of more lines than the session counts those that something else confirms too.

    Messages of several lines, and what tests print, may look like lines of a summary.
    """
    counted = _counted(evidence)
    listed = [*evidence.short_summary, *evidence.loose]
    if counted is None or len(listed) <= counted:
        return listed
    named = {mention.nodeid for mention in evidence.verbose}
    confirmed = [
        one for one in listed if one.nodeid in named or any(_fits(block, one) for block in evidence.blocks)
    ]
    return confirmed if len(confirmed) >= counted else listed


def _counted(evidence: Evidence) -> int | None:
    """How many failures and errors the last line of the session counts."""
    if evidence.summary is None:
        return None
    return sum(int(match["count"]) for match in _COUNT.finditer(evidence.summary.value))


def _whole(mention: Mention, evidence: Evidence) -> Mention:
    """Gives back to an id what ` - ` has cut off it, where another line or a header shows the id whole."""
    if mention.message is None:
        return mention
    text = f"{mention.nodeid} - {mention.message}"
    file = mention.nodeid.partition("::")[0]
    for candidate in (
        *(one.nodeid for one in evidence.verbose),
        *(from_header(file, block.name) for block in evidence.blocks if " - " in block.name),
    ):
        if len(candidate) > len(mention.nodeid) and (text + " - ").startswith(candidate + " - "):
            return replace(mention, nodeid=candidate, message=text[len(candidate) + 3 :] or None)
    return mention


def _with_whole_end(listed: list[Mention], evidence: Evidence) -> list[Mention]:
    """Gives back to the last id what the end of a truncated log has cut off it, where it is shown whole."""
    last = evidence.short_summary[-1] if evidence.short_summary and evidence.summary is None else None
    if last is None or last.message is not None or last not in listed:
        return listed
    file, _, names = last.nodeid.partition("::")
    headed = [from_header(file, block.name) for block in evidence.blocks if names]
    known = {*headed, *(one.nodeid for one in evidence.verbose if one.is_error == last.is_error)}
    longer = {one for one in known if one.startswith(last.nodeid)}
    if not longer or last.nodeid in known:
        return listed
    rest = [one for one in listed if one is not last]
    longer -= {one.nodeid for one in rest}
    return [*rest, replace(last, nodeid=longer.pop())] if len(longer) == 1 else rest


def _is_complete(evidence: Evidence) -> bool:
    """Whether the short summary lists as many tests as the last line counts."""
    counted = _counted(evidence)
    listed = len(evidence.short_summary) + len(evidence.loose)
    return counted is not None and bool(listed) and counted <= listed


def _take_block(blocks: list[Block], mention: Mention) -> Block | None:
    matching = [block for block in blocks if _fits(block, mention)]
    if not matching:
        return None
    file = mention.nodeid.partition("::")[0]
    best = next((block for block in matching if _names_file(block, file)), matching[0])
    blocks.remove(best)
    return best


def _fits(block: Block, mention: Mention) -> bool:
    if block.is_error != mention.is_error and "::" in mention.nodeid:
        return False
    if "::" not in mention.nodeid:
        return same_file(block.name.partition(" ")[0], mention.nodeid)
    name = header_name(mention.nodeid)
    if block.name in {name, mention.nodeid} or block.name == f"[doctest] {name}":
        return True
    return block.name.startswith(name + " ") or same_file(block.name, mention.nodeid.partition("::")[0])


def _names_file(block: Block, file: str) -> bool:
    return any((frame := frame_of(line)) is not None and same_file(frame.file, file) for line in block.lines)


def _failure(mention: Mention, block: Block | None) -> CiFailure:
    file = mention.nodeid.partition("::")[0]
    facts = read_block(block.lines, test_file=file) if block is not None else BlockFacts()
    exception, message = facts.exception, facts.message
    if mention.message and (message is None or _is_cut_short(message, mention.message)):
        named, message = _summary_error(mention.message)
        message = None if _begins(exception, message) else message
        exception = exception or named
    elif mention.message and exception is None:
        exception = _summary_error(mention.message)[0]
    stage = block.stage if block is not None else None
    if stage is None and mention.is_error and "::" not in mention.nodeid:
        stage = Stage.COLLECT
    if stage is None and block is not None and not mention.is_error:
        stage = Stage.CALL
    return with_kind(
        CiFailure(
            nodeid=mention.nodeid,
            line=mention.line,
            outcome=Outcome.ERROR if mention.is_error else Outcome.FAILED,
            stage=stage,
            exception=exception,
            message=message,
            place=facts.place,
            test_place=facts.test_place,
            text=facts.text,
            worker=mention.worker or (block.worker if block is not None else None),
            subtest=_described(mention.subtest) or subtest_of(block),
            example=example_of(block),
            blob=blob_of(block),
        )
    )


def _described(subtest: str | None) -> str | None:
    """How a subtest is described, where it is described at all."""
    return None if subtest in (None, "<subtest>", "(<subtest>)") else subtest


def _summary_error(text: str) -> tuple[str | None, str | None]:
    if text == "...":
        return None, None  # a narrow terminal has left nothing of it
    name, message = split_error(text.removesuffix("...") if text.endswith(":...") else text)
    if name is not None:
        return name, message
    cut = re.fullmatch(r"(?P<name>[A-Za-z_][\w.]*)\.\.\.", text)
    if cut and is_exception_name(cut["name"] + "Error") and "." in cut["name"]:
        return None, text
    return None, message


def _begins(exception: str | None, message: str | None) -> bool:
    """Whether a narrow terminal has left no more of an error than the first letters of its name."""
    if exception is None or message is None or not message.endswith("..."):
        return False
    return f"{exception.rpartition('.')[2]}:".startswith(message[:-3]) or exception.startswith(message[:-3])


def _is_cut_short(message: str, full: str) -> bool:
    return message.endswith("...") and not full.endswith("...") and message[:-3] in full


def _from_letters(evidence: Evidence) -> list[CiFailure]:
    """Where no name was ever printed, the files whose progress shows an F or an E."""
    found = []
    for file, (letters, line) in evidence.file_letters.items():
        if "F" in letters or "E" in letters:
            outcome = Outcome.FAILED if "F" in letters else Outcome.ERROR
            found.append(CiFailure(nodeid=file, line=line, outcome=outcome))
    return found
