"""Node ids: told apart from the text around them, and rebuilt from headers and frames."""

from __future__ import annotations

import re

from pytest_repro.logs.headers import versions
from pytest_repro.logs.patterns import LETTERS, PROGRESS

_FILE = r"(?:[A-Za-z]:[\\/])?[^\s:\[\]'\"()<>|,;=]+\.\w{1,8}"
_TEST_FILE_NAME = re.compile(r"(?:^|[/\\])(?:test_[^/\\]*|[^/\\]*_tests?|tests?)\.py$", re.IGNORECASE)
_STATUS = (
    r"(?P<status>PASSED|FAILED|ERROR|SKIPPED|XFAIL|XPASS|XFAILED|XPASSED|RERUN|"
    r"SUBFAIL(?:ED)?|SUBPASS(?:ED)?|SUBSKIP)"
)
_TAIL = r"(?: \([^\n]*\))?(?: \[\d[\d.]*s\])?\s*(?:\[ *\d+(?:%|/\d+)\])?\s*"
_WORKER = r"(?:\[(?P<worker>gw\d+)\] (?:\[ *\d+%\] )?)?"

_VERBOSE = re.compile(rf"{_WORKER}(?P<id>{_FILE}::\S.*?|{_FILE}) +{_STATUS}{_TAIL}")
_STATUS_FIRST = re.compile(rf"\[?(?P<worker>gw\d+)\] (?:\[ *\d+%\] )?{_STATUS} (?P<id>{_FILE}::\S.*?)\s*")
_BARE = re.compile(rf"{_WORKER}(?P<id>{_FILE}::\S.*?)\s*")
_STARTED = re.compile(rf"(?P<id>{_FILE}::\w+(?:::\w+)*(?:\[.*?\])?)(?P<rest>\s.*)?")
_STATUS_ALONE = re.compile(rf"(?:.*?[^A-Z_\w])?{_STATUS}{_TAIL}")
_SUBTEST = re.compile(r"(?P<id>\S.*?) (?:\[[^\]]*\]|\([^)]*\))(?: \([^)]*\))?")
_SUFFIX = re.compile(r" <- .+$")


def is_test_file(path: str) -> bool:
    """Says whether a file's name is that of a test module."""
    return bool(_TEST_FILE_NAME.search(path))


class VerboseLine:
    """What a line of `-v` output says.

    Args:
        nodeid: The id, whole.
        status: pytest's word, or None where the line only starts the test.
        worker: xdist's worker id.
    """

    __slots__ = ("nodeid", "status", "worker")

    def __init__(self, nodeid: str, status: str | None, worker: str | None) -> None:
        self.nodeid = nodeid
        self.status = status
        self.worker = worker


def verbose_line(text: str) -> VerboseLine | None:
    """Reads a line of `-v` output, with or without xdist; None where it is something else."""
    if "::" not in text:
        return None
    match = _STATUS_FIRST.fullmatch(text) or _VERBOSE.fullmatch(text)
    if match is not None:
        status = match["status"]
        nodeid = _SUFFIX.sub("", match["id"]).rstrip()
        if status.startswith("SUB"):
            subtest = _SUBTEST.fullmatch(nodeid)
            nodeid = subtest["id"] if subtest else nodeid
        return VerboseLine(nodeid, status, match["worker"])
    return _started_line(text)


def tells_progress(text: str) -> bool:
    """Whether a session that shows failures as they come has gone on to the next test."""
    verbose = verbose_line(text)
    return bool((verbose and verbose.status) or versions(text)) or (
        text.endswith("%]") and bool(PROGRESS.fullmatch(text) or LETTERS.fullmatch(text))
    )


def _started_line(text: str) -> VerboseLine | None:
    match = _STARTED.match(text)
    if match is None:
        return None
    rest = match["rest"] or ""
    nodeid = match["id"]
    if "[" in nodeid and not is_balanced(nodeid):
        nodeid = _balanced_prefix(text)
        rest = text[len(nodeid) :]
    if not rest.strip():
        return VerboseLine(nodeid, None, None)
    if re.match(r" (?:<- |[^:,]{2})", rest) and not re.match(r" (?:- |in |at |\(|and |or |[a-z]+ )", rest):
        return VerboseLine(nodeid, None, None)
    return None


def is_balanced(nodeid: str) -> bool:
    """Says whether each square bracket of the id is closed."""
    return nodeid.count("[") == nodeid.count("]")


def _balanced_prefix(text: str) -> str:
    depth = 0
    for index, character in enumerate(text):
        depth += (character == "[") - (character == "]")
        if character == "]" and depth == 0:
            return text[: index + 1]
    return text.rstrip()


def lone_status(text: str) -> str | None:
    """Reads the status that pytest prints after the output of a test under `-s`, None without one."""
    match = _STATUS_ALONE.fullmatch(text) if text and any(word in text for word in _STATUS_WORDS) else None
    return match["status"] if match else None


_STATUS_WORDS = ("PASSED", "FAILED", "ERROR", "SKIPPED", "XFAIL", "XPASS", "RERUN")


def split_summary(rest: str) -> tuple[str, str | None]:
    """Splits the rest of a `FAILED` or `ERROR` line of the short summary into node id and message.

    A ` - ` within the brackets of a parameter does not end the id, unless the brackets never close.
    """
    ends = [match.start() for match in re.finditer(" - ", rest)]
    likely = [end for end in ends if _ERROR_START.match(rest, end + 3) and _may_end(rest[:end])]
    balanced = [end for end in ends if is_balanced(rest[:end])]
    closed = [end for end in ends if rest[:end].endswith("]") and not is_balanced(rest)]
    for end in (*likely[:1], *balanced[:1], *closed[:1]):
        return rest[:end].rstrip(), rest[end + 3 :].strip()
    return rest.strip(), None


_ERROR_START = re.compile(
    r"[A-Za-z_][\w.]*(?:Error|Exception|Failed|Exit|Interrupt|Warning|Group)?(?::|$|\.\.\.)|assert "
)


def _may_end(nodeid: str) -> bool:
    return "[" not in nodeid or nodeid.endswith("]")


def looks_like_nodeid(text: str) -> bool:
    """Says whether the text is a node id: a file with something that names a test, or a file alone."""
    head = text.partition("::")[0]
    return bool(re.fullmatch(_FILE, head)) or ("::" in text and bool(re.fullmatch(r"[\w./\\-]+", head)))


def header_name(nodeid: str) -> str:
    """Returns the name under which pytest heads the failure of a node id."""
    _, _, names = nodeid.partition("::")
    base, bracket, parameters = names.partition("[")
    return base.replace("::", ".") + bracket + parameters


def from_header(file: str, name: str) -> str:
    """Rebuilds a node id from a file and the name that heads the failure."""
    base, bracket, parameters = name.partition("[")
    return f"{file}::{base.replace('.', '::')}{bracket}{parameters}"
