"""Tells what in the records of a session is ours: they may come from anybody's folder."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pytest_repro.model import Outcome
from pytest_repro.signature import signature_from_dict

MOST_COUNTED = 10**9
"""A record that tells of more iterations than that is not ours."""

_LONGEST_TITLE = 100
"""So much of what a failure is recognised by is kept."""

_OUTCOMES = frozenset(outcome.value for outcome in Outcome)
_DIED = frozenset(outcome.value for outcome in Outcome if outcome.is_death)


def is_batch(record: Mapping[str, Any]) -> bool:
    """Tells whether it is a line of iterations."""
    pairs = record.get("outcomes"), record.get("hash_seeds")
    return (
        isinstance(record.get("test"), str)
        and isinstance(record.get("worker"), str)
        and is_count(record.get("first"))
        and is_count(record.get("step"))
        and record["step"] > 0
        and all(isinstance(each, list) and all(map(_is_run_length, each)) for each in pairs)
        and all(name in _OUTCOMES for name, _ in record["outcomes"])
    )


def is_failure(record: Mapping[str, Any]) -> bool:
    """Tells whether it is a line about a failing iteration that was asked for."""
    return (
        isinstance(record.get("test"), str)
        and isinstance(record.get("worker"), str)
        and is_count(record.get("iteration"))
        and record.get("is_surplus") is not True
        and isinstance(record.get("outcome"), str)
    )


def is_death(failure: Mapping[str, Any]) -> bool:
    """Tells whether a failing iteration ended with its process."""
    return failure["outcome"] in _DIED


def signature_of(failure: Mapping[str, Any]) -> tuple[str, str]:
    """Returns key and title of what a failing iteration has in common with others; empty where not known."""
    try:
        signature = signature_from_dict(failure["signature"])
        key, title = signature.key, signature.title
    except (AttributeError, KeyError, TypeError, ValueError):
        return "", ""
    return key, title if len(title) <= _LONGEST_TITLE else f"{title[:_LONGEST_TITLE]}..."


def proved_tests(summary: Mapping[str, Any], *, confidence: float) -> frozenset[str]:
    """Returns the tests of which a gate ended stable with as many runs as their record asked for.

    Args:
        summary: Of the gate.
        confidence: From 0 to 1; a gate with a lower one proves nothing.
    """
    rates, passed, told = (summary.get(name) for name in ("rates_before", "runs_passed", "confidence"))
    if summary.get("verdict") != "stable" or not isinstance(rates, list) or not isinstance(passed, int):
        return frozenset()
    if not isinstance(told, float) or not confidence <= told < 1:
        return frozenset()
    ours = [each for each in rates if isinstance(each, dict) and isinstance(each.get("test"), str)]
    return frozenset(
        each["test"] for each in ours if is_count(each.get("runs_needed")) and each["runs_needed"] <= passed
    )


def is_count(value: object) -> bool:
    """Tells whether it is a number of iterations or runs that can be."""
    return isinstance(value, int) and 0 <= value <= MOST_COUNTED


def _is_run_length(pair: object) -> bool:
    return isinstance(pair, list) and len(pair) == 2 and isinstance(pair[0], str | int) and is_count(pair[1])
