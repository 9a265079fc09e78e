"""Test sessions in the plain lines of a log: pytest in every verbosity, unittest, and what kills them."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable
from pathlib import PureWindowsPath

from pytest_repro.logs.accidents import AccidentReader
from pytest_repro.logs.annotations import AnnotationReader
from pytest_repro.logs.blocks import line_error
from pytest_repro.logs.evidence import Block, Evidence, Mention
from pytest_repro.logs.examples import is_head
from pytest_repro.logs.headers import UsageReader, field, versions
from pytest_repro.logs.nesting import RESULTS, Nesting
from pytest_repro.logs.nodeids import (
    lone_status,
    tells_progress,
    verbose_line,
)
from pytest_repro.logs.patterns import (
    BOUNDARY,
    FAILING,
    HEADER,
    LIKELY_HEADER,
    MID_BLOCK,
    NAMED,
    OTHER_ENDS,
    PASSING,
    TITLE,
    WORKER_LINE,
    final_of,
    is_boundary,
    tells_workers,
)
from pytest_repro.logs.progress_letters import read_letters
from pytest_repro.logs.records import Found, LogLine, Runner
from pytest_repro.logs.summary_lines import SummaryReader
from pytest_repro.logs.unittest_output import HeadReader, ResultReader, is_rule
from pytest_repro.model import Stage

_LONGEST_LEAD = 30
"""Lines before the first error that may belong to a traceback, where a log begins within one."""

StartSession = Callable[[LogLine], Evidence]


class PytestReader:
    """Reads sessions, one line after the other.

    Args:
        start: Makes the evidence of a new session, with what is known at that line of job, step and command.
    """

    def __init__(self, start: StartSession) -> None:
        self._start = start
        self._sessions: list[Evidence] = []
        self._section = ""
        self._block: Block | None = None
        self._ever_failed: set[str] = set()  # also of sessions that were dropped
        self._nesting = Nesting()
        self._floor = 0
        self._lead: deque[str] = deque(maxlen=_LONGEST_LEAD)
        self._summary = SummaryReader()
        self._heads = HeadReader()
        self._results = ResultReader()
        self._annotations = AnnotationReader()
        self._accidents = AccidentReader()
        self._usage = UsageReader()

    @property
    def sessions(self) -> tuple[Evidence, ...]:
        """All sessions in which something was said of a test, else the one whose beginning was cut off."""
        told = tuple(session for session in self._sessions if not session.is_bare)
        return told or tuple(session for session in self._sessions if session.headless is not None)

    @property
    def current(self) -> Evidence | None:
        """The session that is still open."""
        return self._sessions[-1] if self._sessions and not self._sessions[-1].is_over else None

    @property
    def signals(self) -> tuple[Found, ...]:
        """Lines that tell of a crash, a hang or a cancelled job."""
        return self._accidents.signals

    def end_file(self) -> None:
        """Ends the open session for good: the next line is another file's."""
        self._end()
        self._floor = len(self._sessions)

    def _end(self) -> None:
        self._leave_block()
        self._section = ""
        for session in self._sessions[-1:]:
            session.is_over = True

    def feed(self, line: LogLine) -> None:
        """Takes the next line."""
        text = line.text.rstrip()
        if self._summary.is_open:
            self._summary.go_on(line, text)
        if self._nesting.is_captured and self._nesting.holds(text, self._section):
            self._add_to_block(text)
            return
        if self._section in RESULTS:
            self._nesting.watch(text)
        if is_boundary(text):
            self._floor = len(self._sessions)
        if not (self._title(line, text) or self._block_header(line, text) or self._unittest(line, text)):
            self._body(line, text)
        self._accidents.feed(line, text, lambda at: self.current or self._begin(at))

    def _begin(self, line: LogLine) -> Evidence:
        self._leave_block()
        self._section = ""
        session = self._start(line)
        self._sessions.append(session)
        return session

    def _session(self, line: LogLine) -> Evidence:
        return self.current or self._around() or self._begin(line)

    def _around(self) -> Evidence | None:
        """Goes back to a session without an end: those that were read since, a test of it has run."""
        for index in range(len(self._sessions) - 1, self._floor - 1, -1):
            session = self._sessions[index]
            if not session.is_over and session.is_titled and not session.accidents:
                del self._sessions[index + 1 :]
                return session
        return None

    def _title(self, line: LogLine, text: str) -> bool:
        match = TITLE.fullmatch(text) if text.startswith("=") else None
        if match is None:
            return self._final(line, text)
        title = match["title"].strip()
        if self._nesting.is_printed(text):
            self._add_to_block(text)
            return True
        if title == "test session starts":
            self._begin(line).is_titled = True
            self._nesting.enter_section(text)
        elif title in RESULTS:
            self._enter(line, title)
        elif title.startswith("short test summary info"):
            self._enter(line, "summary")
            self._session(line).loose.clear()
        elif final_of(text):
            return self._final(line, text)
        elif len(match["fill"]) >= 3 and self.current is not None:
            self._enter(line, "other")
        return True

    def _enter(self, line: LogLine, section: str) -> None:
        self._session(line)
        self._leave_block()
        self._section = section
        self._nesting.enter_section(line.text.rstrip())

    def _final(self, line: LogLine, text: str) -> bool:
        match = final_of(text)
        if match is None or (not text.startswith("=") and self.current and self.current.is_titled):
            return False  # without its rules only a quiet session, which has no title, prints its end
        session = self._session(line)
        session.summary = Found(value=match["counts"].strip(), line=line.number)
        session.ends_framed = text.startswith("=")
        session.nothing_collected = re.search(r"passed|failed|error|skipped", match["counts"]) is None
        self._end()
        return True

    def _leave_block(self) -> None:
        self._block = None
        self._nesting.leave()

    def _block_header(self, line: LogLine, text: str) -> bool:
        text = text[1:] if text.startswith(" _") and not self._section else text  # as quotations indent it
        match = HEADER.fullmatch(text) if text.startswith(("_", "\u2015")) else None
        if match is None or set(match["name"]) <= {"_", " "} or self._nesting.is_printed(text):
            return False
        if self._sympy(line, match["name"]):
            return True
        is_likely = not (self._section or self._nesting.is_odd(text)) and LIKELY_HEADER.match(text)
        if self._section not in RESULTS and not is_likely:
            return False
        if self._section in {"PASSES", "RERUNS"}:
            self._leave_block()
            return True
        self._open_block(line, match["name"])
        return True

    def _sympy(self, line: LogLine, title: str) -> bool:
        if re.fullmatch(r"\S+\.py:\w+", title) is None or self._section not in {"", "sympy"}:
            return False
        self._open(line, Block(line=line.number, name=title, runner=Runner.SYMPY), section="sympy")
        return True

    def _open_block(self, line: LogLine, title: str) -> None:
        named = NAMED.fullmatch(title)
        assert named is not None
        stage = Stage.COLLECT if named["collect"] else Stage(named["stage"]) if named["stage"] else None
        name = named["name"].strip()
        self._open(line, Block(line=line.number, name=name, stage=stage, is_error=stage is not None))

    def _open(self, line: LogLine, block: Block, *, section: str | None = None) -> None:
        session = self._session(line)
        self._leave_block()
        self._section = self._section if section is None else section
        self._block = block
        session.blocks.append(block)

    def _unittest(self, line: LogLine, text: str) -> bool:
        opened = self._heads.feed(line.number, text, is_shown=self._section in RESULTS)
        if opened is not None:
            self._open(line, opened, section="unittest")
            return True
        if text.startswith("=") and is_rule(text, "="):
            return True
        may_be_result = " ... " in text or text.endswith(")")
        result = self._results.feed(line.number, text) if may_be_result else None
        if result is not None:
            self._session(line).unittest_lines.append(result)
            return True
        return self._other_end(line, text)

    def _other_end(self, line: LogLine, text: str) -> bool:
        """Takes the last line of a session of another runner."""
        last = OTHER_ENDS.get(self._section)
        if last is None or last.fullmatch(text) is None:
            return False
        session = self._session(line)
        session.summary = Found(value=text.strip("= "), line=line.number)
        self._end()
        return True

    def _body(self, line: LogLine, text: str) -> None:
        if self._block is not None and self._section != "summary":
            if self._section or not tells_progress(text):
                self._in_block(line, text)
                return
            self._leave_block()
        if self._section == "summary":
            self._short(line, text)
            return
        if self._section in RESULTS and (self._line_error(text) or self._nesting.is_captured):
            return
        if self._mid_block(line, text):
            return
        if (annotation := self._annotations.feed(line, text)) is not None:
            self._session(line).annotations.append(annotation)
        self._running(line, text)

    def _line_error(self, text: str) -> bool:
        """Takes what `--tb=line` prints: no header, but `file:line: error` for each failure."""
        found = line_error(text)
        if found is None or self.current is None:
            return False
        if self._nesting.is_captured and not PureWindowsPath(found[0].file).root:
            return False  # pytest prints these paths whole, unlike most that tests print
        self.current.line_errors.append(found)
        self._nesting.leave()
        return True

    def _mid_block(self, line: LogLine, text: str) -> bool:
        """Opens a block without a header, where a log begins within one."""
        if self._sessions:
            return False
        if not text.startswith((">", "E")) or MID_BLOCK.fullmatch(text) is None:
            self._lead.append(text)
            return False
        session = self._begin(line)
        self._section = "FAILURES"
        self._block = session.headless = Block(line=line.number, name="")
        for before in (*self._lead, text):
            self._block.add(before)
        return True

    def _in_block(self, line: LogLine, text: str) -> None:
        if BOUNDARY.fullmatch(text):
            if re.match(r"##\[error\](?!Process completed)", text) is None:
                self._leave_block()
            return
        worker = None if self._nesting.is_captured else WORKER_LINE.fullmatch(text)
        if worker is not None and self._block is not None:
            self._block.worker = worker["worker"]
            return
        if self._block is not None and self._block.example is None and is_head(text):
            self._block.example = len(self._block.lines), line.number
        self._add_to_block(text)
        if text.startswith(("FAILED ", "ERROR ")) and "::" in text and not self._nesting.is_captured:
            self._short(line, text)  # a log in which the summary's own title was cut out

    def _add_to_block(self, text: str) -> None:
        if self._block is not None:
            self._block.add(text)

    def _short(self, line: LogLine, text: str) -> bool:
        mention = self._summary.read(line, text, in_summary=self._section == "summary")
        if mention is None:
            return False
        session = self._session(line)
        (session.short_summary if self._section == "summary" else session.loose).append(mention)
        return True

    def _running(self, line: LogLine, text: str) -> None:
        if self._header_facts(line, text) or not text:
            return
        if text.startswith(("FAILED ", "ERROR ", "SUBFAIL")) and self._short(line, text):
            return
        if self._verbose(line, text) or read_letters(line, text, self.current, self._session):
            return
        session = self.current
        if session is not None and session.in_flight is not None:
            status = lone_status(text)
            if status is not None:
                self._ended(session, session.in_flight.value, status, line, worker=None)
        if self._usage.feed(text):
            (self._sessions[-1] if self._sessions else self._begin(line)).usage_error = True
        elif session is not None and tells_workers(text):
            session.workers_seen = True

    def _header_facts(self, line: LogLine, text: str) -> bool:
        said = versions(text)
        if said is not None:
            session = self._for_header(line)
            for name, value in said.items():
                setattr(session, name, Found(value=value, line=line.number))
            return True
        found = field(text)
        if found is None:
            return False
        setattr(self._session(line), found[0], Found(value=found[1], line=line.number))
        return True

    def _for_header(self, line: LogLine) -> Evidence:
        session = self.current
        return self._begin(line) if session is None or session.pytest is not None else session

    def _verbose(self, line: LogLine, text: str) -> bool:
        read = verbose_line(text)
        if read is None:
            return False
        session = self._session(line)
        session.last_test = Found(value=read.nodeid, line=line.number)
        session.workers_seen = session.workers_seen or read.worker is not None
        if read.status is None:
            session.in_flight = session.last_test
        else:
            self._ended(session, read.nodeid, read.status, line, worker=read.worker)
        return True

    def _ended(
        self, session: Evidence, nodeid: str, status: str, line: LogLine, *, worker: str | None
    ) -> None:
        if status in FAILING:
            self._ever_failed.add(nodeid)
            session.verbose.append(
                Mention(nodeid=nodeid, line=line.number, is_error=status == "ERROR", worker=worker)
            )
        elif status in PASSING and self._has_failed(nodeid):
            session.passed_again.add(nodeid)
        if session.in_flight is not None and session.in_flight.value == nodeid:
            session.in_flight = None

    def _has_failed(self, nodeid: str) -> bool:
        may_be_named = nodeid in self._ever_failed
        return any(
            (may_be_named and any(nodeid == mention.nodeid for mention in session.verbose))
            or (session.accidents and any(nodeid == accident.nodeid for accident in session.accidents))
            for session in self._sessions
        )
