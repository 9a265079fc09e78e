"""What one pytest session left behind, without what changes from one session to the next."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import dropwhile
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

from tests.acceptance.sessions import json_lines

LANE_FIELDS = ("lane", "lane_reason")

_CHANGING = (
    # Where there is no terminal, a slow session tells its progress in the midst of a line.
    (re.compile(r"\nstress: \d[^\n]*\n"), ""),
    (re.compile(r" +(\[ *\d+%\])$", re.MULTILINE), r" \1"),
    (re.compile(r"\d{8}-\d{6}-stress-[0-9a-f]{4}"), "<session>"),
    # A signature's message may hold a path, and so its key the name of the folder; a path may be cut.
    (re.compile(r"/(?:full|fast|auto)(?=[/'\"\s]|$)"), "/<lane>"),
    (re.compile(r"\b(signature|bug) [0-9a-f]{12}\b"), r"\1 <key>"),
    (re.compile(r"0x[0-9a-f]{6,}"), "<address>"),
    (re.compile(r"\b\d+(?:\.\d+)?(?: (?:ms|s|us|ns|min)\b|s\b)"), "<time>"),
    (re.compile(r" +<time>(?: \(\d+:\d\d:\d\d\))?"), " <time>"),
    (re.compile(r"\bpid \d+|\bgw\d\b"), "<process>"),
    (re.compile(r" ?--repro-lane[= ]\w+"), ""),
    # They differ by intention.
    (re.compile(r"^lane: .*\n", re.MULTILINE), ""),
    # Lines around a title are as long as the title leaves room.
    (re.compile(r"^([=_-])\1{2,} | ([=_-])\2{2,}$", re.MULTILINE), "="),
)
# Frames of tracebacks: pytest's long style, its short style, and the interpreter's.
_MACHINERY = re.compile(r"/(?:_pytest|pluggy|pytest_repro)/\S+\.py\b")
_TITLE = re.compile(r"=.*=$|--- .* ---$|The above exception was |During handling of the above ")
_BETWEEN_FRAMES = re.compile(r"_ (?:_ )+_? ?$")
_PLACE = re.compile(r"\S+\.py:\d+: ")
_FRAME = re.compile(r"\S+\.py:\d+: in |[ |]*File \"")
_CODE_OF_FRAME = re.compile(r"[ |]*    \S|[ |]* +[\^~]+$")
_DURATION = re.compile(r"^<time> (?:setup|call|teardown) +", re.MULTILINE)
_TIMES = frozenset({"time", "timestamp", "hostname", "key"})
# What follows from the times of phases.
_TIMES |= {"bottleneck", "comparison", "distance", "meaning", "peaks", "ratio", "share"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """One session in one lane, normalised.

    Attributes:
        status: Exit status.
        terminal: Lines that pytest wrote to standard output.
        errors: Lines that it wrote to standard error.
        junit: Test cases of the JUnit XML file, as XML, by file; what holds for all stands under "".
        showing_pytest: Names of test cases whose tracebacks show pytest's own way to the test, by file.
        summary: The summary without what it says of single tests.
        tests: What the summary says of single tests, by node id.
        failures: Failing iterations, by node id.
        iterations: Outcome of each iteration by node id, in order of iterations.
        events: What tests and fixtures noted: iteration, test with stage, text.
        lanes: The lane that each test took, by node id.
        lane_lines: What the terminal says of them.
        reasons: Why it did, by node id.
    """

    status: int
    terminal: tuple[str, ...]
    errors: tuple[str, ...]
    junit: Mapping[str, tuple[str, ...]]
    showing_pytest: Mapping[str, tuple[str, ...]]
    summary: Mapping[str, Any]
    tests: Mapping[str, Mapping[str, Any]]
    failures: Mapping[str, tuple[Mapping[str, Any], ...]]
    iterations: Mapping[str, tuple[str, ...]]
    events: tuple[tuple[str, ...], ...]
    lanes: Mapping[str, str | None]
    lane_lines: tuple[str, ...]
    reasons: Mapping[str, str | None]


def read_session(folder: Path, done: subprocess.CompletedProcess[str]) -> Recorded:
    """Reads what a stress run in this folder left.

    A session that was refused leaves no records.
    """
    session = next((folder / ".pytest_repro" / "sessions").glob("*"), folder / "no session")
    summary: dict[str, Any] = {"tests": []}
    if (session / "summary.json").exists():
        summary = json.loads((session / "summary.json").read_text(encoding="utf-8"))
    tests = summary.pop("tests")
    return Recorded(
        status=done.returncode,
        terminal=_lines(done.stdout, folder),
        errors=_lines(done.stderr, folder),
        junit=read_junit(folder),
        showing_pytest=read_showing_pytest(folder),
        summary=_without_times(summary, folder),
        tests={test["test"]: _without_times(test, folder) for test in tests},
        failures=_failures(session / "failures.jsonl", folder),
        iterations=_iterations(session / "iterations.jsonl"),
        events=read_events(folder),
        lanes={test["test"]: test.get("lane") for test in tests},
        lane_lines=tuple(line for line in done.stdout.splitlines() if line.startswith("lane: ")),
        reasons={test["test"]: test.get("lane_reason") for test in tests},
    )


def read_events(folder: Path) -> tuple[tuple[str, ...], ...]:
    """Returns what tests and fixtures noted in the file beside them."""
    log = folder / "events.log"
    if not log.exists():
        return ()
    lines = normalised(log.read_text(encoding="utf-8"), folder).splitlines()
    return tuple(tuple(line.split("\t")) for line in lines)


def read_junit(folder: Path) -> dict[str, tuple[str, ...]]:
    """Returns the test cases of a JUnit XML file by the test's file; what holds for all stands under ""."""
    path = folder / "junit.xml"
    if not path.exists():
        return {}
    found: dict[str, tuple[str, ...]] = {}
    (suite,) = ET.parse(path).getroot()
    for element in suite.iter():
        for name in _TIMES & set(element.attrib):
            del element.attrib[name]
    for properties in suite.findall("properties"):
        # Hypothesis's hold times, encoded.
        suite.remove(properties) if "hypothesis-statistics" in ET.tostring(properties, "unicode") else None
    for case in suite.findall("testcase"):
        file = case.get("file", "")
        found[file] = (*found.get(file, ()), _xml(case, folder))
        suite.remove(case)
    found[""] = (_xml(suite, folder),)
    return found


def read_showing_pytest(folder: Path) -> dict[str, tuple[str, ...]]:
    """Returns which test cases, by file, have a traceback that begins inside pytest."""
    path = folder / "junit.xml"
    found: dict[str, tuple[str, ...]] = {}
    for case in ET.parse(path).getroot().iter("testcase") if path.exists() else ():
        if any("_pytest/runner.py" in (each.text or "") for each in case):
            file = case.get("file", "")
            found[file] = (*found.get(file, ()), case.get("name", ""))
    return found


def normalised(text: str, folder: Path) -> str:
    """Returns a text without times, addresses, folders and the frames by which a lane differs."""
    text = text.replace(str(folder), "<folder>")
    for pattern, replacement in _CHANGING:
        text = pattern.sub(replacement, text)
    lines: list[str] = []
    part: list[str] = []
    for line in text.split("\n"):
        if _TITLE.match(line):
            lines += [*without_machinery(part), line]
            part = []
        else:
            part.append(line)
    return "\n".join(lines + without_machinery(part))


def without_machinery(lines: list[str]) -> list[str]:
    """Returns a traceback without the frames of pytest, pluggy and ourselves that lead to the last frame.

    The way from the lane to a fixture, a finalizer or a check is longer or shorter; it must end in one place.
    """
    blocks: list[list[str]] = [[]]
    for line in lines:
        if _BETWEEN_FRAMES.match(line):
            blocks.append([])
        else:
            blocks[-1].append(line)
    kept = [block for block in map(_without_short_frames, blocks[:-1]) if not _is_machinery(block)]
    kept.append(_without_short_frames(blocks[-1]))
    # Where the first frames are dropped, so is the line break before the next one.
    return list(dropwhile(lambda line: not line, (line for block in kept for line in block)))


def _without_short_frames(lines: list[str]) -> list[str]:
    kept: list[str] = []
    is_dropped = False
    for line in lines:
        if _FRAME.match(line):
            is_dropped = _MACHINERY.search(line) is not None
        elif not _CODE_OF_FRAME.match(line):
            is_dropped = False
        if not is_dropped:
            kept.append(line)
    return kept


def _is_machinery(block: list[str]) -> bool:
    places = [line for line in block if _PLACE.match(line)]
    return bool(places) and all(_MACHINERY.search(place) for place in places)


def _lines(text: str, folder: Path) -> tuple[str, ...]:
    text = normalised(text, folder)
    # What is said of phases depends on their times: the summary has their names and numbers.
    lines = re.sub(r"(?<=\n=timing=\n).*?(?=\nprofiling logs: )", "", text, flags=re.DOTALL).splitlines()
    # The slowest come first, and which those are is chance.
    places = [place for place, line in enumerate(lines) if _DURATION.match(line)]
    for place, line in zip(places, sorted(lines[place] for place in places), strict=True):
        lines[place] = line
    return tuple(lines)


def _without_times(value: Any, folder: Path) -> Any:
    if isinstance(value, dict):
        left_out = {*_TIMES, *LANE_FIELDS, *(name for name in value if name.endswith("_ns"))}
        return {name: _without_times(each, folder) for name, each in value.items() if name not in left_out}
    if isinstance(value, list):
        return [_without_times(each, folder) for each in value]
    return normalised(value, folder) if isinstance(value, str) else value


def _xml(element: ET.Element, folder: Path) -> str:
    for each in element.iter():
        # With line breaks as they are, a traceback can be read.
        each.text = each.text and normalised(each.text, folder)
    return normalised(ET.tostring(element, encoding="unicode"), folder).strip()


def _failures(path: Path, folder: Path) -> dict[str, tuple[Mapping[str, Any], ...]]:
    found: dict[str, tuple[Mapping[str, Any], ...]] = {}
    for record in json_lines(path) if path.exists() else ():
        found[record["test"]] = (*found.get(record["test"], ()), _without_times(record, folder))
    return found


def _iterations(path: Path) -> dict[str, tuple[str, ...]]:
    """Batches end where time says so: they are taken apart."""
    found: dict[str, dict[int, str]] = {}
    for record in json_lines(path) if path.exists() else ():
        outcomes = [outcome for outcome, number in record["outcomes"] for _ in range(number)]
        for place, outcome in enumerate(outcomes):
            found.setdefault(record["test"], {})[record["first"] + place * record["step"]] = outcome
    return {
        test: tuple(outcomes[iteration] for iteration in sorted(outcomes)) for test, outcomes in found.items()
    }
