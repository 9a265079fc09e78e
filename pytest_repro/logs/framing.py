"""What CI systems and container tools put before each line: recognised from the lines, and taken off.

A style of prefix is taken off only once the log has shown that it is one: by half of a window of lines, or
by one of pytest's own rules standing behind it. So a plain log whose test prints a time keeps it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator

from pytest_repro.logs.escapes import strip_escapes
from pytest_repro.logs.quoting import QuotingFinder
from pytest_repro.logs.records import LogLine

WINDOW_LINES = 200
_WINDOW_CHARACTERS = 1 << 20
_MOST_LEARNED = 20

_ISO = r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d{1,9})?(?:Z|[+-]\d\d:?\d\d)"
_GITLAB = re.compile(rf"{_ISO} (?P<stream>[0-9a-f]{{2}}[OE])(?:(?P<more>\+)| |$)")  # with FF_TIMESTAMPS
_CONTAINERD = re.compile(rf"{_ISO} (?:stdout|stderr) [FP](?: |$)")  # the files of containerd and CRI-O
_TIMED = re.compile(rf"{_ISO}(?: |$)")  # GitHub Actions, Azure, docker logs --timestamps
_JSON_LINE = re.compile(r'\{"log": ?"')  # the files of docker's json-file driver
_CLOCK = re.compile(r"\[?\d\d:\d\d:\d\d(?:\.\d{1,6})?\]?(?:  ?|$)")  # Jenkins timestamper
_BUILDKIT = re.compile(r"#(?P<branch>\d{1,4}) (?:\d{1,6}\.\d{1,3} |$)")
_BRACKETED = (
    re.compile(rf"\[{_ISO}\](?: |$)"),  # Buildkite and Jenkins, downloaded
    re.compile(r"\[\d\d:\d\d:\d\d\][ WEFi]?:\s{0,2}(?:\[[^\]]{1,80}\] ?)?"),  # TeamCity
    _CLOCK,
    re.compile(r"\[(?P<branch>[\w ./()-]{1,80})\] {2,}\| "),  # act
    re.compile(r"\[(?P<branch>pod/[\w./-]{1,200})\](?: |$)"),  # kubectl logs --prefix
    re.compile(r"\[ {0,6}\d{1,6}s\](?: |$)"),  # Open Build Service
)
_STYLES = (_GITLAB, _JSON_LINE, _CONTAINERD, _TIMED, *_BRACKETED, _BUILDKIT)
"""In the order in which they are tried."""
_STYLES_BY_START = {"[": _BRACKETED, "{": (_JSON_LINE,), "#": (_BUILDKIT,)}
_STARTS = frozenset("0123456789[{#")
_RULE = re.compile(r"={3,} \S.* ={3,}|_{3,} \S.* _{3,}")
_TITLE = re.compile(r"={3,} (?:test session starts|FAILURES|ERRORS|short test summary info) ={3,}")
_SURE = re.compile(rf"{_TITLE.pattern}|##\[\w+\].*")
_TITLE_BEHIND = re.compile(
    r"(?P<prefix>(?:\[[^\]]{1,80}\]|[\w./()-]{1,80}) *(?:[|>:] ?|(?<=\]) )"
    rf"|[^\t=]{{1,80}}\t){_TITLE.pattern}"  # GNU parallel puts a tab behind a job's arguments
)
_LONGEST_TITLE = 2000
_COMPOSE = re.compile(r"(?P<branch>[\w.-]{1,80}) +\| ?")
_UNTIMED = re.compile(r"\[Pipeline\]|Started by |Running on |\s*$")  # Jenkins says these without a time

_COLUMNS = re.compile(r"(?P<job>[^\t]{1,300})\t(?P<step>[^\t]{1,300})\t(?P<rest>.*)", re.DOTALL)
_BOM_STARTS = "\ufeff\u00ef\u2229"
_BOM = re.compile("^(?:\ufeff|\u00ef\u00bb\u00bf|\u2229\u2557\u2510)+")
_SECTION = re.compile(r"section_(?:start|end):\d+:(?P<name>[\w.-]+)(?:\[[^\]]*\])?\s*")
_TRAVIS = re.compile(r"travis_(?:fold:(?:start|end):(?P<name>[\w.-]+)|time:(?:start|end):[\w:=,.-]+)\s*")


class Framing:
    """Takes lines with their framing, and gives them without; a window of lines is held back."""

    def __init__(self) -> None:
        self._columns = Columns()
        self._layers = (Layer(), Layer(), Layer())  # a CI system's around docker's own around kubernetes'
        self._lines: list[tuple[int, str, str | None, str | None]] = []
        self._has_columns = False
        self._size = 0

    def feed(self, number: int, text: str, job: str | None, step: str | None) -> bool:
        """Takes the next line; returns whether there are lines to be had by `known`."""
        if "\t" in text:
            found = self._columns.split(text)
            if found is not None:
                job, step, text = found
                self._has_columns = True
        self._lines.append((number, text, job, step))
        self._size += len(text)
        return len(self._lines) >= WINDOW_LINES or self._size > _WINDOW_CHARACTERS

    def known(self, *, is_last: bool) -> Iterator[LogLine]:
        """Yields the lines that are known by now, at the end those that were held back too."""
        lines = self._lines if is_last else self._lines[:-1]  # a line may go on in the next one
        texts: list[str | None] = [text for _, text, _, _ in lines]
        branches: list[tuple[str, ...]] = [
            (job,) if self._has_columns and job else () for _, _, job, _ in lines
        ]
        for layer in self._layers:
            if not layer.strip(texts, branches):
                break
        self._lines = self._lines[len(lines) :]
        self._size = sum(len(text) for _, text, _, _ in self._lines)
        for (number, whole, job, step), text, branch in zip(lines, texts, branches, strict=True):
            if text is None:
                continue
            framed = None if text is whole else whole
            if "\r" not in text and "section_" not in text and "travis_" not in text:
                yield LogLine(number=number, text=text, job=job, step=step, branch=branch, framed=framed)
                continue
            for part in _parts(text):
                yield LogLine(number=number, text=part, job=job, step=step, branch=branch, framed=framed)


class Columns:
    """Splits off the columns of `gh run view --log`, once the file has shown that it has them."""

    def __init__(self) -> None:
        self._are_there = False

    def split(self, text: str) -> tuple[str, str, str] | None:
        """Returns job, step and rest of a line, None where it has no such columns."""
        found = _COLUMNS.fullmatch(text)
        if found is None:
            return None
        rest = without_mark(found["rest"])
        if not self._are_there:
            self._are_there = _TIMED.match(rest) is not None or found["step"] == "UNKNOWN STEP"
        return (found["job"], found["step"], rest) if self._are_there else None


class Layer:
    """One layer of prefixes."""

    def __init__(self) -> None:
        self._on: list[re.Pattern[str]] = []
        self._learned: list[re.Pattern[str]] = []
        self._streams: dict[str, int] = {}
        self._is_plain = False

    def strip(self, texts: list[str | None], branches: list[tuple[str, ...]]) -> bool:
        """Takes the prefixes of this layer off a window of lines, in place; returns whether it has any.

        A line that continues an earlier one is appended to it, and None stands in its place. A prefix that
        names what has printed the line is appended to the line's branch.
        """
        prefixes = self._learn(texts)
        self._learn_quoting(texts)
        if not self._on and not self._learned:
            return False
        self._streams.clear()
        for index, text in enumerate(texts):
            if not text:
                continue
            found = prefixes[index]
            match = self._strip_style(texts, index, found) if found is not None and self._on else None
            if match is None and self._learned:
                match = _first_match(self._learned, text)
                texts[index] = text if match is None else text[match.end() :]
            if match is not None and match.lastgroup == "branch":
                branches[index] += (match["branch"],)
        return True

    def _strip_style(self, texts: list[str | None], index: int, found: re.Match[str]) -> re.Match[str] | None:
        match = found if found.re in self._on else _first_match(self._on, found.string)
        if match is None:
            return None
        rest = _without(match)
        if match.re is _GITLAB:
            before = self._streams.get(match["stream"])
            if match["more"] and before is not None:
                texts[before] = (texts[before] or "") + rest
                texts[index] = None
                return match
            self._streams[match["stream"]] = index
        texts[index] = rest
        return match

    def _learn(self, texts: list[str | None]) -> list[re.Match[str] | None]:
        """Turns on the styles that this window shows to be prefixes; returns what each line begins with."""
        prefixes: list[re.Match[str] | None] = [_prefix_of(text) if text else None for text in texts]
        counts: dict[re.Pattern[str], int] = {}
        sure: set[re.Pattern[str]] = set()
        is_plain = False
        for text, match in zip(texts, prefixes, strict=True):
            if match is not None and text:
                counts[match.re] = counts.get(match.re, 0) + 1
                if ("===" in text or "##[" in text) and _SURE.fullmatch(_without(match)):
                    sure.add(match.re)
            elif text and text[0] in "=_":
                is_plain = is_plain or _RULE.fullmatch(text) is not None
            elif text and "===" in text:
                self._learn_named(text)
        new = [style for style in _STYLES if style in counts and style not in self._on]
        shown = _shown_lines(texts, prefixes) if new else 0
        for style in new:
            is_usual = not is_plain and 2 * counts[style] >= shown
            if is_usual or style in sure:
                self._on.append(style)
                self._on.sort(key=_STYLES.index)
        return prefixes

    def _learn_quoting(self, texts: list[str | None]) -> None:
        """Learns a prefix that the whole log carries; never once a line without it has told otherwise."""
        if self._is_plain or self._on or self._learned:
            return
        finder = QuotingFinder(texts)
        self._is_plain = finder.has_telltale()
        pattern = None if self._is_plain else finder.find()
        if pattern is not None:
            self._learned.append(pattern)

    def _learn_named(self, text: str) -> None:
        """Learns a prefix that is a name from one of pytest's titles behind it."""
        match = _TITLE_BEHIND.fullmatch(text) if len(text) < _LONGEST_TITLE else None
        if match is None or len(self._learned) >= _MOST_LEARNED:
            return
        prefix = match["prefix"]
        if _COMPOSE.fullmatch(prefix):
            pattern = _COMPOSE
        else:
            behind = "\t" if prefix.endswith("\t") else "(?: |$)"
            pattern = re.compile(f"(?P<branch>{re.escape(prefix.rstrip())}){behind}")
        if pattern not in self._learned:
            self._learned.append(pattern)


def without_mark(text: str) -> str:
    """Takes a byte order mark off a line, as UTF-8, cp1252 and cp437 show it."""
    return _BOM.sub("", text) if text[:1] in _BOM_STARTS else text


def _shown_lines(texts: list[str | None], prefixes: list[re.Match[str] | None]) -> int:
    """Counts the lines that would carry a prefix, if the log had any."""
    return sum(
        match is not None or _UNTIMED.match(text) is None
        for text, match in zip(texts, prefixes, strict=True)
        if text
    )


def _prefix_of(text: str) -> re.Match[str] | None:
    """Returns the match of the first style that a line shows."""
    start = text[0]
    if start not in _STARTS:
        return None
    if not start.isdigit():
        return _first_match(_STYLES_BY_START[start], text)
    timed = _TIMED.match(text)
    if timed is None:
        return _CLOCK.match(text)
    behind = timed.end()  # the more special styles go on behind the time
    if text[behind + 2 : behind + 3] in "OE" and (match := _GITLAB.match(text)) is not None:
        return match
    if text.startswith("std", behind) and (match := _CONTAINERD.match(text)) is not None:
        return match
    return timed


def _first_match(styles: Iterable[re.Pattern[str]], text: str) -> re.Match[str] | None:
    return next((match for style in styles if (match := style.match(text)) is not None), None)


def _without(match: re.Match[str]) -> str:
    if match.re is _JSON_LINE:
        return _json_text(match.string)
    return without_mark(match.string[match.end() :])


def _json_text(text: str) -> str:
    try:
        read = json.loads(text)
    except ValueError:
        return text
    log = read.get("log") if isinstance(read, dict) else None
    return strip_escapes(log.rstrip("\r\n")) if isinstance(log, str) else text


def _parts(text: str) -> list[str]:
    if "section_" in text:
        text = _SECTION.sub("", text)
    if "travis_" in text:
        text = _TRAVIS.sub("", text)
    if "\r" not in text:
        return [text]
    return [part for part in text.split("\r") if part] or [""]
