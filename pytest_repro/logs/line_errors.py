"""What `--tb=line` prints of failures: a line with place and error for each, in the order of the tests."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

from pytest_repro.logs.blocks import same_file, split_error
from pytest_repro.logs.records import CiFailure
from pytest_repro.model import Frame, Outcome, Stage

MOST_PAIRS = 1_000_000
"""Of more pairs of failures and lines each failure takes the first line with its error."""

LineError = tuple[Frame, str]


def with_line_errors(found: Sequence[CiFailure], errors: Sequence[LineError]) -> list[CiFailure]:
    """Gives places and errors to the failures that they belong to.

    Failures and lines stand in the same order, and some failures have no line: as many as possible whose
    errors agree are matched in order. Between two of these, failures of which no error is known are matched
    if there are as many lines.
    """
    open_ones = [one for one in found if one.place is None and not one.text and one.outcome is Outcome.FAILED]
    matched = _matched(open_ones, errors)
    sure = {index: other for index, other in matched.items() if not _is_unknown(open_ones[index])}
    edges = [(-1, -1), *sorted(sure.items()), (len(open_ones), len(errors))]
    for (before, line_before), (after, line_after) in pairwise(edges):
        unknown = [number for number in range(before + 1, after) if _is_unknown(open_ones[number])]
        lines = range(line_before + 1, line_after)
        if len(unknown) == len(lines):
            sure |= dict(zip(unknown, lines, strict=True))
    placed = {id(open_ones[index]): errors[other] for index, other in sure.items()}
    return [_placed(one, placed[id(one)]) if id(one) in placed else one for one in found]


def _is_unknown(failure: CiFailure) -> bool:
    return failure.message is None and failure.exception is None


def _matched(failures: Sequence[CiFailure], errors: Sequence[LineError]) -> dict[int, int]:
    """Returns the number of each failure's line, such that the most have one and none goes back."""
    if len(failures) * len(errors) > MOST_PAIRS:
        return _first_matched(failures, errors)
    fits = [[_fit(failure, text) for _, text in errors] for failure in failures]
    most = [[0] * (len(errors) + 1) for _ in range(len(failures) + 1)]
    for index in range(len(failures) - 1, -1, -1):
        for other in range(len(errors) - 1, -1, -1):
            skipped = max(most[index + 1][other], most[index][other + 1])
            taken = fits[index][other] + most[index + 1][other + 1] if fits[index][other] else 0
            most[index][other] = max(skipped, taken)
    found: dict[int, int] = {}
    index = other = 0
    while index < len(failures) and other < len(errors):
        fit = fits[index][other]
        if fit and most[index][other] == fit + most[index + 1][other + 1]:
            found[index] = other
            index, other = index + 1, other + 1
        elif most[index + 1][other] >= most[index][other + 1]:
            index += 1
        else:
            other += 1
    return found


def _first_matched(failures: Sequence[CiFailure], errors: Sequence[LineError]) -> dict[int, int]:
    found: dict[int, int] = {}
    other = 0
    for index, failure in enumerate(failures):
        ahead = range(other, len(errors))
        hit = next((number for number in ahead if _is_same_error(failure, errors[number][1])), None)
        if hit is not None:
            found[index] = hit
            other = hit + 1
    return found


def _placed(failure: CiFailure, error: LineError) -> CiFailure:
    place, text = error
    exception, message = split_error(text)
    return replace(
        failure,
        place=place,
        test_place=place if same_file(place.file, failure.nodeid.partition("::")[0]) else None,
        exception=exception or failure.exception,
        message=message,
        stage=failure.stage or Stage.CALL,
    )


def _fit(failure: CiFailure, text: str) -> int:
    """How well a line fits a failure: one whose error is known counts more than one of which nothing is."""
    if _is_unknown(failure):
        return 1
    return 3 if _is_same_error(failure, text) else 0


def _is_same_error(failure: CiFailure, text: str) -> bool:
    text = text.rstrip(": ")
    if failure.message is None:  # there was none, or a narrow terminal has left none of it
        return failure.exception is not None and f"{text}:".startswith(f"{failure.exception}:")
    shown = ": ".join(part for part in (failure.exception, failure.message) if part)
    return shown == text or (shown.endswith("...") and text.startswith(shown[:-3]))
