"""The lines of pytest, unittest and sympy that say something of a session, as patterns."""

from __future__ import annotations

import re

TITLE = re.compile(r"(?P<fill>=+) (?P<title>\S.*?) ?=+")
HEADER = re.compile(r"[_\u2015]{1,} (?P<name>\S.*?) [_\u2015]{1,}")  # pytest-sugar draws bars
LIKELY_HEADER = re.compile(r"[_\u2015]{3,} (?:ERROR |\[doctest\]|test|\w*Test)")
NAMED = re.compile(
    r"(?:ERROR (?:at (?P<stage>setup|teardown|call) of |(?P<collect>collecting) ))?(?P<name>.+)"
)
FINAL = re.compile(
    r"(?:=+ )?(?P<counts>(?=.*\b(?:failed|passed|skipped|deselected|xfailed|xpassed|errors?|warnings?)\b)"
    r"(?:\d+ [a-z]+(?: [a-z]+)?(?:, | (?=in )))+in \d[\d.:]* ?(?:s(?:econds)?)?\b.*?|"
    r"no tests ran(?: in \d.*?)?)(?: =+)?"
)
SUBTEST = r"(?:\[.*?\] \(.*?\)|\[.*?\]|\(.*?\)|<subtest>)"
SHORT_LINE = re.compile(
    rf"(?:(?P<before>{SUBTEST}) (?=SUBFAIL ))?"
    rf"(?P<word>FAILED|ERROR|SUBFAIL(?:ED)?)(?P<after>{SUBTEST}(?= \S+\.\w+::))?"
    r"(?: \[[\d.]+s\])? (?P<rest>\S.*)"  # pytorch's runner tells seconds
)
PROGRESS = re.compile(r"(?P<file>\S+\.\w{1,6}) (?P<letters>[.FEsxXRfu,]+)\s*(?:\[ *\d+%\])?\s*")
LETTERS = re.compile(r"(?P<letters>[.FEsxXRu,]+)(?: +\[ *\d+%\])")
FILE_ALONE = re.compile(
    r"(?P<file>[\w./\\-]+\.py) ?(?P<letters>[.FEsxXRu,]*)(?P<rest>\s*[A-Z].*|[\w./-]+: line \d+: .*)?"
)
METHOD = re.compile(r"[\w.]+ \(.+\)|[\w.]+\.[\w.]+")
UNITTEST_HEAD = re.compile(
    rf"(?P<word>FAIL|ERROR|UNEXPECTED SUCCESS)(?: \[[\d.]+s\])?: (?:(?P<name>{METHOD.pattern})"
    r"(?: \[[^\]]*\]| \([^)]*\))*|(?P<other>\S.*))"
)
OTHER_ENDS = {
    "sympy": re.compile(r".*tests finished: .*"),
    "unittest": re.compile(r"Ran \d+ tests? in [\d.]+s"),
}
WORKER_LINE = re.compile(r"\[(?P<worker>gw\d+)\] \S+ -- Python .*")
WITH_WORKERS = re.compile(
    r"created: \d+/\d+ workers?|\d+ workers? \[\d+ items?\].*|scheduling tests via .*|"
    r"bringing up nodes\.\.\..*"
)
BOUNDARY = re.compile(
    r"##\[(?:group|error|section)\].*|[-~+]{3} :.*|~~~ .*|\$ .*|Post job cleanup\.?|>>>>> .*"
)
MID_BLOCK = re.compile(r">\s{3,}\S.*|E\s{3,}\S.*")
FAILING = frozenset({"FAILED", "ERROR", "SUBFAIL", "SUBFAILED"})
PASSING = frozenset({"PASSED", "XPASS", "XPASSED"})
_FINAL_STARTS = "=n0123456789"
_WORKERS_STARTS = ("scheduling tests via ", "bringing up nodes")
_BOUNDARY_STARTS = ("##[", "-", "~", "+", "$ ", "Post job", ">>>>> ")
_OTHER_STARTS = ("nox > ", "##[", "section_start:")
_OTHER_COMMAND = re.compile(r"nox > .*|.*: commands\[\d+\].*|##\[.*|section_start:.*")


def final_of(text: str) -> re.Match[str] | None:
    """Matches a session's last line; cheap where a line is none."""
    return FINAL.fullmatch(text) if text[:1] in _FINAL_STARTS else None


def tells_workers(text: str) -> bool:
    """Says whether a line is what xdist prints of its workers."""
    if "worker" not in text and not text.startswith(_WORKERS_STARTS):
        return False
    return WITH_WORKERS.fullmatch(text) is not None


def is_boundary(text: str) -> bool:
    """Says whether a line tells that another command begins: no session goes on beyond it."""
    if text.startswith(_BOUNDARY_STARTS) and BOUNDARY.fullmatch(text):
        return True
    may_be_other = "commands[" in text or text.startswith(_OTHER_STARTS)
    return may_be_other and _OTHER_COMMAND.fullmatch(text) is not None
