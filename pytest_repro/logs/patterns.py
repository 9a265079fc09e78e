"""The lines of pytest, unittest and sympy that say something of a session, as patterns."""

from __future__ import annotations

import re

TITLE = re.compile(r"(?P<fill>=+) (?P<title>\S.*?) ?=+")
HEADER = re.compile(r"_{1,} (?P<name>\S.*?) _{1,}")
NAMED = re.compile(
    r"(?:ERROR (?:at (?P<stage>setup|teardown|call) of |(?P<collect>collecting) ))?(?P<name>.+)"
)
FINAL = re.compile(
    r"(?:=+ )?(?P<counts>(?=.*\b(?:failed|passed|skipped|deselected|xfailed|xpassed|errors?|warnings?)\b)"
    r"(?:\d+ [a-z]+(?: [a-z]+)?(?:, | (?=in )))+in \d[\d.:]* ?(?:s(?:econds)?)?\b.*?|"
    r"no tests ran(?: in \d.*?)?)(?: =+)?"
)
HEADER_LINE = re.compile(
    r"(?:\[gw\d+\] )?platform (?P<platform>\S+) -- Python (?P<python>\S+?),? "
    r"pytest-(?P<pytest>[^\s,]+)(?:,.*)?"
)
SUBTEST = r"(?:\[.*?\] \(.*?\)|\[.*?\]|\(.*?\)|<subtest>)"
SHORT_LINE = re.compile(
    rf"(?:(?P<before>{SUBTEST}) (?=SUBFAIL ))?"
    rf"(?P<word>FAILED|ERROR|SUBFAIL(?:ED)?)(?P<after>{SUBTEST}(?= \S+\.\w+::))? (?P<rest>\S.*)"
)
PROGRESS = re.compile(r"(?P<file>\S+\.\w{1,6}) (?P<letters>[.FEsxXRfu,]+)\s*(?:\[ *\d+%\])?\s*")
LETTERS = re.compile(r"(?P<letters>[.FEsxXRu,]+)(?: +\[ *\d+%\])")
FILE_ALONE = re.compile(r"(?P<file>[\w./\\-]+\.py) ?(?P<letters>[.FEsxXRu,]*)(?P<rest>\s*[A-Z].*)?")
UNITTEST_HEAD = re.compile(
    r"(?P<word>FAIL|ERROR): (?P<name>[\w.]+ \(.+\)|[\w.]+\.[\w.]+)(?: \[.*\]| \(.*\))*\s*"
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
USAGE = re.compile(
    r"(?:ERROR: (?:usage: .*|file(?: or directory)? not found: .*|not found: .*|Unknown .*)|"
    r"pytest: error: .*|__main__\.py: error: .*|ERROR: usage)"
)
BOUNDARY = re.compile(
    r"##\[(?:group|error|section)\].*|[-~+]{3} :.*|~~~ .*|\$ .*|Post job cleanup\.?|>>>>> .*"
)
ANNOTATION = re.compile(r"(?:##\[error\]|Error: |::error [^:]*::)(?P<name>test\w*(?:\[.*\])?)")
ANNOTATED = re.compile(r"[A-Za-z_][\w.]*(?:Error|Exception|Failed|Warning)\b.*|assert .*")
MID_BLOCK = re.compile(r">\s{3,}\S.*|E\s{3,}\S.*")
ANNOTATION_LINES = 3
FAILING = frozenset({"FAILED", "ERROR", "SUBFAIL", "SUBFAILED"})
PASSING = frozenset({"PASSED", "XPASS", "XPASSED"})
_OTHER_COMMAND = re.compile(r"nox > .*|.*: commands\[\d+\].*|##\[.*|section_start:.*")


def is_boundary(text: str) -> bool:
    """Says whether a line tells that another command begins: no session goes on beyond it."""
    return bool(BOUNDARY.fullmatch(text) or _OTHER_COMMAND.fullmatch(text))
