"""What a pytest of its own has printed, within the output of the test that ran it."""

from __future__ import annotations

import re
from dataclasses import dataclass

_BEGIN = re.compile(r"^(?P<nodeid>\S.*) ended with exit code (?P<status>-?\d+):$", re.MULTILINE)
_OUTER_END = re.compile(r"^=+ short test summary info =+$", re.MULTILINE)


@dataclass(frozen=True, slots=True, kw_only=True)
class ChildOutput:
    """The end of a child process.

    Attributes:
        status: Its exit status as a shell tells it: 128 and the number of the signal that killed it.
        text: What it has printed.
    """

    status: int
    text: str


def child_output(output: str) -> ChildOutput | None:
    """Finds what the original test's own pytest printed; None where no such test has failed.

    Args:
        output: What the outer pytest printed, with the failure as the reproduction's test words it.
    """
    begin = _BEGIN.search(output)
    if begin is None:
        return None
    rest = output[begin.end() + 1 :]
    # The outer pytest's summary is the last one; a killed child has none of its own.
    ends = [match.start() for match in _OUTER_END.finditer(rest)]
    status = int(begin["status"])
    return ChildOutput(status=128 - status if status < 0 else status, text=rest[: ends[-1]] if ends else rest)
