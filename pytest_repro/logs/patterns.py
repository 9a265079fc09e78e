"""The lines of pytest, unittest and sympy that say something of a session, as patterns."""

from __future__ import annotations

import re

TITLE = re.compile(r"(?P<fill>=+) (?P<title>\S.*?) ?=+")
HEADER = re.compile(r"_{1,} (?P<name>\S.*?) _{1,}")
NAMED = re.compile(
    r"(?:ERROR (?:at (?P<stage>setup|teardown|call) of |(?P<collect>collecting) ))?(?P<name>.+)"
)
FINAL = re.compile(
    r"(?:=+ )?(?P<counts>(?:\d+ "
    r"(?:failed|passed|skipped|deselected|xfailed|xpassed|errors?|warnings?|rerun|subtests \w+)"
    r"(?:, )?)+ in \d[\d.:]* ?(?:s(?:econds)?)?\b.*?|no tests ran(?: in \d.*?)?)(?: =+)?"
)
HEADER_LINE = re.compile(
    r"(?:\[gw\d+\] )?platform (?P<platform>\S+) -- Python (?P<python>\S+?),? "
    r"pytest-(?P<pytest>[^\s,]+)(?:,.*)?"
)
SHORT_LINE = re.compile(r"(?P<word>FAILED|ERROR|SUBFAIL(?:ED)?(?:\(.*?\)|\[.*?\])?) (?P<rest>\S.*)")
PROGRESS = re.compile(r"(?P<file>\S+\.\w{1,6}) (?P<letters>[.FEsxXRfu,]+)\s*(?:\[ *\d+%\])?\s*")
LETTERS = re.compile(r"(?P<letters>[.FEsxXRu,]+)(?: +\[ *\d+%\])")
FILE_ALONE = re.compile(r"(?P<file>[\w./\\-]+\.py) ?(?P<letters>[.FEsxXRu,]*)(?P<rest>\s*[A-Z].*)?")
UNITTEST_HEAD = re.compile(
    r"(?P<word>FAIL|ERROR): (?P<name>[\w.]+ \(.+\)|[\w.]+\.[\w.]+)(?: \[.*\]| \(.*\))*\s*"
)
WORKER_LINE = re.compile(r"\[(?P<worker>gw\d+)\] \S+ -- Python .*")
WITH_WORKERS = re.compile(
    r"created: \d+/\d+ workers?|\d+ workers? \[\d+ items?\].*|scheduling tests via .*|"
    r"bringing up nodes\.\.\..*"
)
USAGE = re.compile(
    r"(?:ERROR: (?:usage: .*|file or directory not found: .*|not found: .*|Unknown .*)|pytest: error: .*|"
    r"__main__\.py: error: .*|ERROR: usage)"
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
