"""What CI systems and container tools put before each line: recognised from the lines, and taken off.

A style of prefix is taken off only once the log has shown that it is one: by half of a window of lines, or
by one of pytest's own rules standing behind it. So a plain log whose test prints a time keeps it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

from pytest_repro.logs.quoting import find_quoting, is_telltale
from pytest_repro.logs.records import LogLine

WINDOW_LINES = 200
_WINDOW_CHARACTERS = 1 << 20
_MOST_LEARNED = 20

_ISO = r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d{1,9})?(?:Z|[+-]\d\d:?\d\d)"
_GITLAB = re.compile(rf"{_ISO} (?P<stream>[0-9a-f]{{2}}[OE])(?:(?P<more>\+)| |$)")  # with FF_TIMESTAMPS
_JSON_LINE = re.compile(r'\{"log":"')  # the files of docker's json-file driver
_STYLES = (
    _GITLAB,
    _JSON_LINE,
    re.compile(rf"{_ISO} (?:stdout|stderr) [FP](?: |$)"),  # the files of containerd and CRI-O
    re.compile(rf"{_ISO}(?: |$)"),  # GitHub Actions, Azure, docker logs --timestamps
    re.compile(rf"\[{_ISO}\](?: |$)"),  # Buildkite and Jenkins, downloaded
    re.compile(r"\[\d\d:\d\d:\d\d\][ WEFi]?:\s{0,2}(?:\[[^\]]{1,80}\] ?)?"),  # TeamCity
    re.compile(r"\[?\d\d:\d\d:\d\d(?:\.\d{1,6})?\]?(?:  ?|$)"),  # Jenkins timestamper
    re.compile(r"\[[\w ./()-]{1,80}\] {2,}\| "),  # act
    re.compile(r"\[pod/[\w./-]{1,200}\](?: |$)"),  # kubectl logs --prefix
    re.compile(r"\[ {0,6}\d{1,6}s\](?: |$)"),  # Open Build Service
    re.compile(r"#\d{1,4} (?:\d{1,6}\.\d{1,3} |$)"),  # BuildKit
)
_STARTS = frozenset("0123456789[{#")
_RULE = re.compile(r"={3,} \S.* ={3,}|_{3,} \S.* _{3,}")
_TITLE = re.compile(r"={3,} (?:test session starts|FAILURES|ERRORS|short test summary info) ={3,}")
_SURE = re.compile(rf"{_TITLE.pattern}|##\[\w+\].*")
_TITLE_BEHIND = re.compile(
    rf"(?P<prefix>(?:\[[^\]]{{1,80}}\]|[\w./()-]{{1,80}}) *(?:[|>:] ?|(?<=\]) )){_TITLE.pattern}"
)
_LONGEST_TITLE = 2000
_COMPOSE = re.compile(r"[\w.-]{1,80} +\| ?")
_UNTIMED = re.compile(r"\[Pipeline\]|Started by |Running on |\s*$")  # Jenkins says these without a time

_COLUMNS = re.compile(r"(?P<job>[^\t]{1,300})\t(?P<step>[^\t]{1,300})\t(?P<rest>.*)", re.DOTALL)
_TIMED = re.compile(rf"{_ISO}(?: |$)")
_BOM = re.compile("^(?:\ufeff|\u00ef\u00bb\u00bf|\u2229\u2557\u2510)+")
_SECTION = re.compile(r"section_(?:start|end):\d+:(?P<name>[\w.-]+)(?:\[[^\]]*\])?\s*")
_TRAVIS = re.compile(r"travis_(?:fold:(?:start|end):(?P<name>[\w.-]+)|time:(?:start|end):[\w:=,.-]+)\s*")


class Framing:
    """Takes lines with their framing, and gives them without; a window of lines is held back."""

    def __init__(self) -> None:
        self._columns = Columns()
        self._layers = (Layer(), Layer(), Layer())  # a CI system's around docker's own around kubernetes'
        self._lines: list[LogLine] = []
        self._size = 0

    def feed(self, number: int, text: str, job: str | None, step: str | None) -> Iterator[LogLine]:
        """Takes the next line, and yields those that are known by now."""
        if "\t" in text:
            found = self._columns.split(text)
            if found is not None:
                job, step, text = found
        self._lines.append(LogLine(number=number, text=text, job=job, step=step))
        self._size += len(text)
        if len(self._lines) >= WINDOW_LINES or self._size > _WINDOW_CHARACTERS:
            yield from self._known(is_last=False)

    def end(self) -> Iterator[LogLine]:
        """Yields the lines that were held back."""
        yield from self._known(is_last=True)

    def _known(self, *, is_last: bool) -> Iterator[LogLine]:
        lines = self._lines if is_last else self._lines[:-1]  # a line may go on in the next one
        texts: list[str | None] = [line.text for line in lines]
        for layer in self._layers:
            if not layer.strip(texts):
                break
        self._lines = self._lines[len(lines) :]
        self._size = sum(len(line.text) for line in self._lines)
        for line, text in zip(lines, texts, strict=True):
            if text is None:
                continue
            for part in _parts(text):
                yield (
                    line
                    if part is line.text
                    else LogLine(number=line.number, text=part, job=line.job, step=line.step)
                )


class Columns:
    """Splits off the columns of `gh run view --log`, once the file has shown that it has them."""

    def __init__(self) -> None:
        self._are_there = False

    def split(self, text: str) -> tuple[str, str, str] | None:
        """Returns job, step and rest of a line, None where it has no such columns."""
        found = _COLUMNS.fullmatch(text)
        if found is None:
            return None
        rest = _BOM.sub("", found["rest"])
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

    def strip(self, texts: list[str | None]) -> bool:
        """Takes the prefixes of this layer off a window of lines, in place; returns whether it has any.

        A line that continues an earlier one is appended to it, and None stands in its place.
        """
        self._learn(texts)
        self._learn_quoting(texts)
        if not self._on and not self._learned:
            return False
        self._streams.clear()
        for index, text in enumerate(texts):
            if not text:
                continue
            if self._on and text[0] in _STARTS and self._strip_style(texts, index, text):
                continue
            for pattern in self._learned:
                match = pattern.match(text)
                if match is not None:
                    texts[index] = text[match.end() :]
                    break
        return True

    def _strip_style(self, texts: list[str | None], index: int, text: str) -> bool:
        for style in self._on:
            match = style.match(text)
            if match is None:
                continue
            rest = _without(style, text)
            if style is _GITLAB:
                before = self._streams.get(match["stream"])
                if match["more"] and before is not None:
                    texts[before] = (texts[before] or "") + rest
                    texts[index] = None
                    return True
                self._streams[match["stream"]] = index
            texts[index] = rest
            return True
        return False

    def _learn(self, texts: list[str | None]) -> None:
        """Turns on the styles that this window shows to be prefixes."""
        shown = 0
        counts: dict[re.Pattern[str], int] = {}
        sure: set[re.Pattern[str]] = set()
        is_plain = False
        for text in texts:
            if not text:
                continue
            style = _style_of(text) if text[0] in _STARTS else None
            if style is not None:
                shown += 1
                counts[style] = counts.get(style, 0) + 1
                if ("===" in text or "##[" in text) and _SURE.fullmatch(_without(style, text)):
                    sure.add(style)
                continue
            shown += not _UNTIMED.match(text)
            if text[0] in "=_":
                is_plain = is_plain or _RULE.fullmatch(text) is not None
            elif "===" in text:
                self._learn_named(text)
        for style, count in counts.items():
            is_usual = not is_plain and 2 * count >= shown
            if style not in self._on and (is_usual or style in sure):
                self._on.append(style)
                self._on.sort(key=_STYLES.index)

    def _learn_quoting(self, texts: list[str | None]) -> None:
        """Learns a prefix that the whole log carries; never once a line without it has told otherwise."""
        if self._is_plain or self._on or self._learned:
            return
        self._is_plain = any(text and is_telltale(text) for text in texts)
        pattern = None if self._is_plain else find_quoting(texts)
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
            pattern = re.compile(re.escape(prefix.rstrip()) + "(?: |$)")
        if pattern not in self._learned:
            self._learned.append(pattern)


def _style_of(text: str) -> re.Pattern[str] | None:
    return next((style for style in _STYLES if style.match(text)), None)


def _without(style: re.Pattern[str], text: str) -> str:
    if style is _JSON_LINE:
        return _json_text(text)
    match = style.match(text)
    return _BOM.sub("", text[match.end() :]) if match else text


def _json_text(text: str) -> str:
    try:
        read = json.loads(text)
    except ValueError:
        return text
    log = read.get("log") if isinstance(read, dict) else None
    return log.rstrip("\r\n") if isinstance(log, str) else text


def _parts(text: str) -> list[str]:
    if "section_" in text:
        text = _SECTION.sub("", text)
    if "travis_" in text:
        text = _TRAVIS.sub("", text)
    if "\r" not in text:
        return [text]
    return [part for part in text.split("\r") if part] or [""]
