"""One failure's text, in any of pytest's traceback styles, read into exception, message and place."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from pytest_repro.logs.nodeids import is_test_file
from pytest_repro.logs.shown_source import source_above, source_below
from pytest_repro.model import Frame

LONGEST_TEXT_LINES = 400

_CAPTURED = re.compile(r"-{3,} ?(?:Captured |live log|Hypothesis|.*Captured).* ?-{3,}")
_CHAINED = re.compile(
    r"(?:E\s+)?(?:The above exception was the direct cause of the following exception:|"
    r"During handling of the above exception, another exception occurred:)\s*"
)
_ERROR_LINE = re.compile(r"E(?P<indent>\s*)(?P<text>.*)")
_PLACE = re.compile(
    r"(?P<file>(?:[A-Za-z]:)?[^:\n<>|*?\"]*\.\w{1,8}|<[^>]+>):(?P<line>\d+):(?P<rest>(?: .*)?)"
)
_NATIVE_FRAME = re.compile(r"\s*File \"(?P<file>[^\"]+)\", line (?P<line>\d+)(?:,? in (?P<function>.+))?")
_FIXTURE_FILE = re.compile(r"file (?P<file>.+), line (?P<line>\d+)")
_IN_FUNCTION = re.compile(r" in (?P<function>.+?)\s*")
_EXCEPTION = re.compile(r"(?P<name>[A-Za-z_][\w.]*(?:::\w+)*)(?::(?:\s+(?P<message>.*))?)?")
_LONGEST_BARE = 50
"""Lines of a message without a traceback; more are some other text."""
_COLLECTING = ("ImportError while import", "import file mismatch:")  # what pytest puts before the error
_CUT_SOURCE = re.compile(
    r"\w+ = \S|\d{3}(?: |$)|\s*(?:async )?def \w+\(|\s{4,}@\w"
)  # arguments, a doctest, a function
_TRACEBACK = "Traceback (most recent call last):"
_GROUP_HEAD = re.compile(r"  \+ Exception Group Traceback \(most recent call last\):")
_GROUP_PART = re.compile(r"  (?:\+-\+-{4,}.*|  .*)")
_GROUP_LINE = re.compile(r"  \|(?: |$)")
_UNEXPECTED = re.compile(r"UNEXPECTED EXCEPTION: (?P<name>\w[\w.]*)\((?P<message>.*)\)")
_KNOWN_NAMES = frozenset(
    {
        "Failed",
        "Skipped",
        "Exit",
        "ScopeMismatch",
        "SystemExit",
        "KeyboardInterrupt",
        "StopIteration",
        "GeneratorExit",
    }
)
_NAME_END = re.compile(
    r"(?:Error|Exception|Warning|Exit|Interrupt|Failure|Failed|Timeout|Fault|Invalid|NotFound|Denied|Group|Mismatch|"
    r"Abort(?:ed)?|Stop|Found|Exists|Exceeded|Missing|Unavailable|Refused|Iteration)"
)
_NOT_A_NAME = frozenset(
    {"Captured", "Note", "Hint", "Tip", "Warning", "Error", "Expected", "Got", "Actual", "File", "URL"}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class BlockFacts:
    """What the text of one failure says.

    Attributes:
        exception: Name as printed, None where none is printed.
        message: First line of the message.
        place: Deepest frame printed before the exception.
        test_place: Deepest frame within the test's file, or within any test module where that is unknown.
        first_file: File of the first frame.
        function: Function of the first frame.
        text: The block, cut to a bearable length.
    """

    exception: str | None = None
    message: str | None = None
    place: Frame | None = None
    test_place: Frame | None = None
    first_file: str | None = None
    text: str = ""


def read_block(lines: Sequence[str], *, test_file: str | None = None) -> BlockFacts:
    """Reads what stands between one failure header and the next.

    Args:
        lines: The block without its header, plain.
        test_file: File part of the node id, where it is known.
    """
    traceback = without_group(_before_captured(lines))
    segment = _last_of_chain(traceback)
    native = _native_part(segment)
    frames = frames_of(native or segment)
    exception, message = _native_error(segment[len(native) :]) if native else _error(segment)
    if exception is None and not native:
        exception = _named_at_place(segment)
    all_frames = frames_of(traceback)
    return BlockFacts(
        exception=exception,
        message=message,
        place=frames[-1] if frames else None,
        test_place=_test_place(frames, test_file) or _test_place(all_frames, test_file),
        first_file=all_frames[0].file if all_frames else None,
        text="\n".join(_cut(lines)).strip("\n"),
    )


def _cut(lines: Sequence[str]) -> Sequence[str]:
    if len(lines) <= LONGEST_TEXT_LINES:
        return lines
    half = LONGEST_TEXT_LINES // 2
    return [*lines[:half], f"[... {len(lines) - 2 * half} lines ...]", *lines[-half:]]


def _before_captured(lines: Sequence[str]) -> Sequence[str]:
    for index, line in enumerate(lines):
        if line.startswith("---") and _CAPTURED.fullmatch(line.strip()):
            return lines[:index]
    return lines


def _last_of_chain(lines: Sequence[str]) -> Sequence[str]:
    start = 0
    for index, line in enumerate(lines):
        if _CHAINED.fullmatch(line.strip()):
            start = index + 1
    return lines[start:] if any(line.strip() for line in lines[start:]) else lines


def without_group(lines: Sequence[str]) -> Sequence[str]:
    """Turns the tree that Python prints for an exception group into the traceback of the group itself."""
    if not any(_GROUP_HEAD.fullmatch(line) for line in lines):
        return lines
    plain: list[str] = []
    inside = shown = False
    for line in lines:
        if _GROUP_HEAD.fullmatch(line):
            inside = shown = True
            plain.append(_TRACEBACK)
        elif inside and _GROUP_PART.fullmatch(line):
            shown = False
        elif inside and _GROUP_LINE.match(line):
            plain += [line[4:]] if shown else []
        else:
            inside = inside and not line.strip()
            plain.append(line)
    return plain


def frames_of(lines: Sequence[str]) -> list[Frame]:
    """Reads all frames of a traceback, with what it shows of their source."""
    return [_with_source(frame, lines, index) for index, frame in enumerate(map(frame_of, lines)) if frame]


def _with_source(frame: Frame, lines: Sequence[str], index: int) -> Frame:
    is_fixture = lines[index].startswith("file ")
    is_above = frame.function is None and not is_fixture
    shown = source_above(lines, index) if is_above else source_below(lines, index)
    return replace(frame, statement=shown.statement, function=frame.function or shown.function)


def frame_of(line: str) -> Frame | None:
    """Reads a traceback line of pytest (`file:line: ...`) or of Python (`File "...", line ...`)."""
    native = _NATIVE_FRAME.match(line) if "File" in line else None
    if native is not None:
        return Frame(file=native["file"], line=int(native["line"]), function=native["function"])
    if line.startswith("file "):
        fixture = _FIXTURE_FILE.fullmatch(line)
        return Frame(file=fixture["file"], line=int(fixture["line"])) if fixture else None
    if not line or line[0].isspace() or line[0] in ">E":
        match = None if not line.startswith("E") or line.startswith(("E ", "E\t")) else _PLACE.fullmatch(line)
    else:
        match = _PLACE.fullmatch(line)
    if match is None:
        return None
    inside = _IN_FUNCTION.fullmatch(match["rest"])
    return Frame(file=match["file"], line=int(match["line"]), function=inside["function"] if inside else None)


def _native_part(segment: Sequence[str]) -> Sequence[str]:
    """The frames of Python's own traceback, where the segment is one; what follows them is the error."""
    start = next((index for index, line in enumerate(segment) if line.strip()), len(segment))
    if start == len(segment) or segment[start] != _TRACEBACK:
        return ()
    end = next(
        (index for index, line in enumerate(segment) if index > start and line and not line[0].isspace()),
        len(segment),
    )
    return segment[:end] if end < len(segment) else ()


def _native_error(error: Sequence[str]) -> tuple[str | None, str | None]:
    name, colon, message = error[0].partition(": ")
    if not message.strip() and name.endswith(":"):  # numpy's errors begin with an empty line
        message = next((line.strip() for line in error[1:] if line.strip()), "")
        colon = ": "
    if not colon and not name.endswith(":") and re.fullmatch(r"[a-z_]\w*", name):
        return None, None  # the rest of a line that was wrapped
    if re.fullmatch(r"[A-Za-z_][\w.]*:?", name):  # Python names what it raises, whatever the name looks like
        return name.rstrip(":"), _blank_to_none(message) if colon else None
    return split_error(error[0])


def line_error(text: str) -> tuple[Frame, str] | None:
    """Reads what `--tb=line` prints of a failure: its place and its error."""
    frame = frame_of(text)
    error = text.partition(f":{frame.line}:")[2].strip() if frame is not None else ""
    return (frame, error) if frame is not None and error else None


def _error(segment: Sequence[str]) -> tuple[str | None, str | None]:
    marked = _marked_error(segment)
    if marked is not None:
        return split_error(marked)
    for line in reversed(segment):
        unexpected = _UNEXPECTED.match(line)
        if unexpected:
            raised, said = _unmarked_error(segment)
            if raised is not None and raised.rpartition(".")[2] == unexpected["name"]:
                return raised, said
            return unexpected["name"], unexpected["message"].strip("'\"")
    doctest = next((line for line in segment if line.startswith("Expected")), None)
    if doctest is not None and any(line.startswith("Got") for line in segment):
        return None, doctest.strip()
    return _unmarked_error(segment)


def _marked_error(segment: Sequence[str]) -> str | None:
    run: list[str] = []
    last: list[str] = []
    for line in segment:
        if line == "E" or line.startswith(("E ", "E\t")):
            run.append(line[1:])
        elif run and line.strip():  # some logs have an empty line after each line
            last, run = run, []
    last = run or last
    filled = [line for line in last if line.strip()]
    if not filled:
        return None
    indent = min(len(line) - len(line.lstrip()) for line in filled)
    error, *more = [line.strip() for line in filled if len(line) - len(line.lstrip()) == indent]
    begins_empty = re.fullmatch(r"[A-Za-z_][\w.]*:", error) is not None
    return f"{error} {more[0]}" if begins_empty and more else error


def _unmarked_error(segment: Sequence[str]) -> tuple[str | None, str | None]:
    """Native style, `--tb=line` and messages without a traceback: the first line that names an exception."""
    after = max((index for index, line in enumerate(segment) if _NATIVE_FRAME.match(line)), default=-1)
    for line in segment[after + 1 :]:
        match = None if not line or line[0].isspace() else _EXCEPTION.fullmatch(line.rstrip())
        if match and is_exception_name(match["name"]):
            return match["name"], _blank_to_none(match["message"])
    for line in segment:
        place = _PLACE.fullmatch(line)
        named = _EXCEPTION.fullmatch(place["rest"].strip()) if place else None
        if named and named["message"] and is_exception_name(named["name"]):
            return named["name"], named["message"]
    first = next((line for line in segment if line.strip()), None)
    if first is None or not re.match(r"\w|\[", first) or len(segment) > _LONGEST_BARE or frames_of(segment):
        return None, None
    if first.startswith(_COLLECTING) or any(_CUT_SOURCE.match(line) for line in segment):
        return None, None  # the log ends before the error
    return split_error(first)  # what was failed without a traceback


def _named_at_place(segment: Sequence[str]) -> str | None:
    for line in reversed(segment):
        match = _PLACE.fullmatch(line) if line and not line[0].isspace() else None
        if match is None:
            continue
        name = match["rest"].strip()
        return name if name and is_exception_name(name) and name != "DocTestFailure" else None
    return None


def split_error(text: str) -> tuple[str | None, str | None]:
    """Splits `ValueError: no` into name and message; a text without a name is all message."""
    match = _EXCEPTION.fullmatch(text)
    if match and is_exception_name(match["name"]):
        return match["name"], _blank_to_none(match["message"])
    return None, _blank_to_none(text)


def is_exception_name(name: str) -> bool:
    """Says whether a dotted name is likely to be that of an exception."""
    last = re.split(r"[.:]", name)[-1]
    if not last or name in _NOT_A_NAME or not re.search(r"[A-Za-z]", last):
        return False
    if last in _KNOWN_NAMES or (_NAME_END.search(last) and (last[0].isupper() or "_" in last)):
        return True
    return "." in name and last[0].isupper()


def _blank_to_none(text: str | None) -> str | None:
    return text.strip() or None if text else None


def same_file(a: str, b: str) -> bool:
    """Says whether one path is the other, or its end."""
    first, second = a.replace("\\", "/").removeprefix("./"), b.replace("\\", "/").removeprefix("./")
    return first == second or first.endswith("/" + second) or second.endswith("/" + first)


def _test_place(frames: Sequence[Frame], test_file: str | None) -> Frame | None:
    for frame in reversed(frames):
        if same_file(frame.file, test_file) if test_file else is_test_file(frame.file):
            return frame
    return None
