"""What ends a test from outside: dumps, timeouts, dead workers, cancelled jobs, device faults."""

from __future__ import annotations

import re
from collections.abc import Callable

from pytest_repro.logs.blocks import frame_of
from pytest_repro.logs.evidence import Accident, Evidence
from pytest_repro.logs.records import Found, LogLine
from pytest_repro.model import Outcome

MOST_SIGNALS = 100
_LONGEST_STACK = 200

_FATAL = re.compile(r".*?(?P<message>(?:Fatal Python error|Windows fatal exception): .*)")
_WORKER_CRASH = re.compile(
    r".*?(?P<message>(?:worker|[Ss]lave) '(?P<worker>gw\d+)' crashed while running "
    r"(?P<quote>['\"])(?P<nodeid>.+)(?P=quote))\s*"
)
_NODE_DOWN = re.compile(r"\[?(?P<worker>gw\d+)\] (?P<message>node down: .*)")
_TERMINATE = re.compile(r"terminate called after throwing an instance of '(?P<name>[^']+)'")
_WHAT = re.compile(r"\s*what\(\):\s+(?P<message>.*)")
_TIMEOUT_BANNER = re.compile(r"(?:\S+ )?[.FEsxXRu,]*\++ ?Timeout ?\++")
_STACK_BANNER = re.compile(r"~+ ?Stack of .+ ~+")
_CURRENT_THREAD = re.compile(r"(?P<current>Current thread|Thread) 0x[0-9a-f]+.*\(most recent call first\):")
_THREADS = ("Current thread 0x", "Thread 0x")
_KEYBOARD = re.compile(r"!+ (?:\w+\.)*KeyboardInterrupt !+")
_CANCELLED = re.compile(
    r"(?:##\[error\]|Error: |::error::)?(?:The (?:operation was canceled|action has timed out|"
    r"job (?:running on .* )?has exceeded the maximum "
    r"execution time).*|The runner has received a shutdown signal.*|"
    r"The hosted runner .*lost communication.*|The self-hosted runner .*lost communication.*|"
    r"The action '.*' has timed out.*)|"
    r"ERROR: Job failed(?: \(system failure\))?: "
    r"(?:.*daemon.*|execution took longer than .*|.*timeout.*|.*aborted.*)|"
    r"ERROR: Job failed: canceled.*|Cancelling nested steps due to timeout|Build timed out.*|"
    r"Too long with no output.*|No output has been received in the last .*|"
    r"The job exceeded the maximum time limit.*"
)
_CANCELS = (
    "The ",
    "##[error]The ",
    "Error: The ",
    "::error::The ",
    "ERROR: Job failed",
    "Cancelling nested steps",
    "Build timed out",
    "Too long with no output",
    "No output has been received",
)
_SHELL_DEATH = re.compile(
    r".*\b(?:Segmentation fault(?:: 11)?|Aborted|Abort trap: 6|Bus error|Illegal instruction|Killed)\b"
    r" *(?:\(core dumped\) *(?P<command>.*)|.*pytest.*)"
)
_SAID_BY_SHELL = re.compile(r": line \d+: +(?P<said>.*)")
_EXIT_CODE = re.compile(
    r".*(?:exit(?:ed with)?(?: status| code)?|returning) (?P<code>124|132|134|135|136|137|139)\b\.?\s*"
)
_PROCESS_END = re.compile(
    r"(?:##\[error\]|Error: )?Process completed with exit code [1-9]\d*\.?|"
    r"The command \".*\" exited with [1-9]\d*\.|"
    r"##\[error\](?:Bash|PowerShell|Cmd\.exe) exited with code '[^0]\d*'\.?|"
    r"ERROR: (?:Job failed: (?:exit code|exit status)|script returned exit code) [1-9]\d*|"
    r"Exited with code (?:exit status )?[1-9]\d*"
)
_FILE_TIMEOUT = re.compile(r"Command took >.*, returning 124")
_FILE_FAILED = re.compile(r"(?P<name>[\w./-]+) \d+/\d+ failed!.*")
_DEVICE = re.compile(
    r".*(?P<message>TT_(?:FATAL|THROW|ASSERT)(?:: | @ ).*|"
    r"Read unexpected run_mailbox value.*|[Pp]otential hang detected.*|"
    r"Timeout waiting for Ethernet core.*|CUDA error: .*|device timeout.*|Device \d+: Timeout .*)"
)
_HANG_WORDS = re.compile(r"hang|run_mailbox|[Tt]imeout")
_UNITTEST_TIMEOUT = re.compile(r"Timeout(?:: aborting tests| \(\d+:\d\d:\d\d\)!)")

OpenSession = Callable[[LogLine], Evidence]


class AccidentReader:
    """Watches for the end of a test that no test runner reports in its own way."""

    def __init__(self) -> None:
        self._signals: list[Found] = []
        self._last: Accident | None = None
        self._in_stack = False
        self._name: str | None = None
        self._file_timeout: Found | None = None
        self._device: Found | None = None

    @property
    def signals(self) -> tuple[Found, ...]:
        """Lines that tell of a crash, a hang or a cancelled job, at most `MOST_SIGNALS`."""
        return tuple(self._signals)

    def feed(self, line: LogLine, text: str, session_of: OpenSession) -> None:
        """Takes the next line.

        Args:
            line: The line.
            text: Its text without trailing space.
            session_of: Gives the session that is open, or begins one.
        """
        if self._stack(text) or not text:
            return
        self._crash(line, text, session_of)
        self._timeout(line, text, session_of)
        self._end_of_job(line, text, session_of)
        self._device_fault(line, text)

    def _signal(self, line: LogLine, text: str) -> None:
        if len(self._signals) < MOST_SIGNALS:
            self._signals.append(Found(value=text.strip(), line=line.number))

    def _stack(self, text: str) -> bool:
        """Gathers the frames of a dump; of several threads, those of the current one."""
        thread = _CURRENT_THREAD.fullmatch(text) if text.startswith(_THREADS) else None
        if thread is not None:
            self._in_stack = True
            if self._last is not None and thread["current"] == "Current thread":
                self._last.stack.clear()
            return True
        if not self._in_stack:
            return False
        frame = frame_of(text) if text.startswith("  File ") else None
        if frame is None:
            self._in_stack = False
            return False
        if self._last is not None and len(self._last.stack) < _LONGEST_STACK:
            self._last.stack.append(frame)
        return True

    def _record(self, session: Evidence, accident: Accident) -> None:
        previous = self._last
        is_same = previous is not None and previous.nodeid == accident.nodeid
        if (
            previous is not None
            and is_same
            and previous.outcome is accident.outcome
            and previous in session.accidents
        ):
            previous.message = previous.message or accident.message
            previous.exception = previous.exception or accident.exception
            return
        session.accidents.append(accident)
        self._last = accident

    def _crash(self, line: LogLine, text: str, session_of: OpenSession) -> None:
        worker = _WORKER_CRASH.fullmatch(text) if "crashed while running" in text else None
        if worker is not None:
            self._signal(line, text)
            session = session_of(line)
            session.accidents.append(
                Accident(
                    line=line.number,
                    outcome=Outcome.CRASH,
                    nodeid=worker["nodeid"],
                    message=worker["message"],
                    worker=worker["worker"],
                )
            )
            return
        down = _NODE_DOWN.fullmatch(text) if "node down" in text else None
        if down is not None:
            self._signal(line, text)
            self._last = Accident(
                line=line.number, outcome=Outcome.CRASH, message=down["message"], worker=down["worker"]
            )
            session_of(line).accidents.append(self._last)
            return
        terminate = _TERMINATE.search(text) if "terminate called" in text else None
        if terminate is not None:
            self._signal(line, text)
            self._name = terminate["name"]
            self._fatal(line, session_of(line), message=None, exception=terminate["name"])
            return
        what = _WHAT.fullmatch(text) if self._name else None
        if what is not None and self._last is not None:
            self._last.message = what["message"]
            self._name = None
            return
        fatal = _FATAL.fullmatch(text) if "atal " in text else None
        if fatal is not None:
            self._signal(line, fatal["message"])
            self._fatal(line, session_of(line), message=fatal["message"].rstrip(), exception=None)
        elif len(text) < 400 and _may_be_death(text) and _SHELL_DEATH.fullmatch(text):
            self._signal(line, text)
            self._killed(line, text, session_of)

    def _fatal(self, line: LogLine, session: Evidence, *, message: str | None, exception: str | None) -> None:
        in_flight = _test_in_flight(session)
        self._record(
            session,
            Accident(
                line=line.number,
                outcome=Outcome.CRASH,
                nodeid=in_flight,
                message=message,
                exception=exception,
            ),
        )

    def _killed(self, line: LogLine, text: str, session_of: OpenSession) -> None:
        """Takes the death of the process: it was the test in flight that it died in, where one is known."""
        session = session_of(line)
        test = _test_in_flight(session)
        if session.accidents or (test is None and not session.is_within_a_file):
            return
        said = text.removeprefix(test or "").strip() if test is not None else _from_death(text)
        self._fatal(line, session, message=said, exception=None)

    def _timeout(self, line: LogLine, text: str, session_of: OpenSession) -> None:
        if "Timeout" in text and (_TIMEOUT_BANNER.fullmatch(text) or _UNITTEST_TIMEOUT.match(text)):
            session = session_of(line)
            self._signal(line, text)
            in_flight = _test_in_flight(session)
            if in_flight is None or not session.accidents or session.accidents[-1].nodeid != in_flight:
                self._record(session, Accident(line=line.number, outcome=Outcome.TIMEOUT, nodeid=in_flight))
        elif self._last is not None and self._last.outcome is Outcome.TIMEOUT and text.startswith("  File "):
            frame = frame_of(text)
            if frame is not None and len(self._last.stack) < _LONGEST_STACK:
                self._last.stack.append(frame)
        elif text.startswith("~") and _STACK_BANNER.fullmatch(text):
            self._signal(line, text.strip("~ "))
        elif text.startswith("!") and _KEYBOARD.fullmatch(text):
            session = session_of(line)
            session.interrupted = Found(value=text.strip("! "), line=line.number)
            if session.in_flight is not None:
                self._record(
                    session,
                    Accident(
                        line=line.number,
                        outcome=Outcome.HANG,
                        nodeid=session.in_flight.value,
                        exception="KeyboardInterrupt",
                    ),
                )
        elif (
            self._last is not None
            and self._last.exception == "KeyboardInterrupt"
            and self._last.place is None
        ):
            self._last.place = frame_of(text)
        if text.startswith("Command took >") and _FILE_TIMEOUT.fullmatch(text):
            self._signal(line, text)
            self._file_timeout = Found(value=text, line=line.number)
            if self._last is not None and self._last.outcome is Outcome.HANG:
                self._last.outcome = Outcome.TIMEOUT
                self._file_timeout = None
        elif self._file_timeout is not None and (failed := _FILE_FAILED.fullmatch(text)):
            session_of(line).accidents.append(
                Accident(
                    line=line.number,
                    outcome=Outcome.TIMEOUT,
                    nodeid=failed["name"],
                    message=self._file_timeout.value,
                )
            )
            self._file_timeout = None

    def _end_of_job(self, line: LogLine, text: str, session_of: OpenSession) -> None:
        if text.startswith(_CANCELS) and _CANCELLED.fullmatch(text):
            self._signal(line, text)
            session = session_of(line)
            if session.is_bare or session.summary is not None:
                return
            test = session.in_flight or (None if session.workers_seen else session.last_test)
            session.accidents.append(
                Accident(line=line.number, outcome=Outcome.HANG, nodeid=test.value if test else None)
            )
        elif len(text) < 300 and ("exit" in text or "returning" in text) and _EXIT_CODE.fullmatch(text):
            self._signal(line, text)
        if "xit" in text and _PROCESS_END.fullmatch(text):
            self._died_silently(line, session_of(line))

    def _died_silently(self, line: LogLine, session: Evidence) -> None:
        """Takes the end of a process that has printed neither the result of a test nor any summary."""
        test = _test_in_flight(session)
        if test is not None and all(accident.nodeid != test for accident in session.accidents):
            session.accidents.append(Accident(line=line.number, outcome=Outcome.CRASH, nodeid=test))

    def _device_fault(self, line: LogLine, text: str) -> None:
        match = _DEVICE.fullmatch(text) if len(text) < 4000 and _may_be_fault(text) else None
        if match is not None:
            self._signal(line, match["message"])


def _from_death(text: str) -> str:
    """What a shell says, without what the session has printed on the same line before it."""
    said = _SAID_BY_SHELL.search(text)
    return said["said"] if said is not None else text.strip()


def _may_be_death(text: str) -> bool:
    return "(core dumped)" in text or "pytest" in text


def _may_be_fault(text: str) -> bool:
    return (
        "TT_" in text
        or "run_mailbox" in text
        or "otential hang" in text
        or "Ethernet" in text
        or "CUDA error: " in text
        or "device timeout" in text
        or ": Timeout " in text
    )


def _test_in_flight(session: Evidence) -> str | None:
    """With workers several tests are in flight: the line last printed does not tell which one died."""
    return session.in_flight.value if session.in_flight and not session.workers_seen else None


def ends_process(text: str) -> bool:
    """Says whether a line tells that a whole step has ended, with all that ran in it."""
    may_be_end = "xit" in text or text.startswith(_CANCELS)
    return may_be_end and bool(_PROCESS_END.fullmatch(text) or _CANCELLED.fullmatch(text))


def is_hang_signal(text: str) -> bool:
    """Says whether a signal tells of something that did not come back, rather than of something that died."""
    return bool(_HANG_WORDS.search(text) or _CANCELLED.fullmatch(text) or _STACK_BANNER.match(text))
