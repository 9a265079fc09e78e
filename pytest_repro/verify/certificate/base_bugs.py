"""Failures of the base, and which of them say something about the fix."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import PurePosixPath
from typing import Protocol

from pytest_repro.model import Signature
from pytest_repro.verify.certificate.trials import Seen, Trial
from pytest_repro.verify.limits import Limit

_NAMES = frozenset({"ImportError", "ModuleNotFoundError", "NameError", "SyntaxError"})
_CALLS = re.compile(
    r"unexpected keyword argument|takes .*positional arguments?|missing \d+ required|takes no arguments"
)


class Standing(str, Enum):
    """What a failure of the base says about the fix."""

    REPRODUCED = "reproduced"
    OTHER = "another failure than the one looked for"
    LACKING = "the test uses what the base lacks"
    NOT_IN_FIX = "the fix does not run this test"


class Wanted(Protocol):
    """Tells the failures that are looked for from all others."""

    @property
    def title(self) -> str:
        """What is looked for, for people."""

    def accepts(self, signature: Signature, message: str) -> bool:
        """Tells whether a failure is looked for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BaseBug:
    """All failures of one signature in the base.

    Attributes:
        signature: None where the runs do not tell.
        message: Of the first one.
        limit: The limit that was broken, None for failures.
        tests: Node ids.
        runs: Numbers of the runs in which it was seen.
        standing: What it says about the fix.
    """

    signature: Signature | None
    message: str
    limit: Limit | None
    tests: tuple[str, ...]
    runs: tuple[int, ...]
    standing: Standing


def bugs_of_base(
    trials: Iterable[Trial], *, wanted: Wanted | None, in_fix: frozenset[str]
) -> tuple[BaseBug, ...]:
    """Groups the failures of the base by signature and by what they say about the fix.

    Args:
        trials: Runs of the base that count.
        wanted: Which failures count; None for all but those that come from the test itself.
        in_fix: Tests that the fix executed.
    """
    trials = list(trials)
    grouped: dict[tuple[str, Standing], list[tuple[int, Seen]]] = {}
    for trial in trials:
        for seen in trial.failing:
            standing = _standing(seen, trials, wanted=wanted, in_fix=in_fix)
            grouped.setdefault((seen.kind, standing), []).append((trial.run.number, seen))
    bugs = [
        BaseBug(
            signature=found[0][1].signature,
            message=found[0][1].message,
            limit=found[0][1].limit,
            tests=tuple(dict.fromkeys(seen.test for _, seen in found)),
            runs=tuple(dict.fromkeys(number for number, _ in found)),
            standing=standing,
        )
        for (_, standing), found in grouped.items()
    ]
    return tuple(sorted(bugs, key=lambda bug: (bug.standing is not Standing.REPRODUCED, -len(bug.runs))))


def _standing(
    seen: Seen, trials: Sequence[Trial], *, wanted: Wanted | None, in_fix: frozenset[str]
) -> Standing:
    if seen.test not in in_fix:
        return Standing.NOT_IN_FIX
    if wanted is not None:
        is_wanted = seen.signature is not None and wanted.accepts(seen.signature, seen.message)
        return Standing.REPRODUCED if is_wanted else Standing.OTHER
    # What is not there is never there: one run that got past it says that it is.
    always = all(
        any(other.test == seen.test and looks_lacking(other) for other in trial.failing) for trial in trials
    )
    return Standing.LACKING if always and looks_lacking(seen) else Standing.REPRODUCED


def looks_lacking(seen: Seen) -> bool:
    """Tells whether a failure comes of a test that names what is not there, not from what it tests."""
    signature = seen.signature
    if signature is None or signature.exception is None:
        return False
    exception = signature.exception.rpartition(".")[2]
    if exception == "FixtureLookupError":
        return True
    file = signature.file or ""
    is_of_test = file == seen.test.partition("::")[0] or PurePosixPath(file).name == "conftest.py"
    if not is_of_test:
        return False
    return (
        exception in _NAMES
        or (exception == "AttributeError" and not seen.message.startswith("'NoneType' object"))
        or (exception == "TypeError" and _CALLS.search(seen.message) is not None)
    )
