"""Takes secrets out of all that was read from a log, whatever it is: node ids, titles and names too."""

from __future__ import annotations

from dataclasses import fields, is_dataclass, replace
from typing import Any, TypeVar, cast

from pytest_repro.logs.records import LogReport, Variable
from pytest_repro.logs.secrets import Masker, is_masked
from pytest_repro.model import Frame

_Value = TypeVar("_Value")


def masked_report(report: LogReport, masker: Masker) -> LogReport:
    """Returns a report with the mask in place of each secret in any of its texts.

    A variable whose value holds a secret has no value any more. A statement that holds one is not known any
    more: what is left of it is equal to no other.
    """
    return masked(report, masker)


def masked(value: _Value, masker: Masker) -> _Value:
    """Returns a record, or a tuple of them, likewise; text of a kind of its own (enums, `Safe`) stays."""
    if isinstance(value, str):
        return cast("_Value", masker(value)) if type(value) is str else value
    if isinstance(value, tuple):
        return cast("_Value", tuple(masked(one, masker) for one in value))
    if not is_dataclass(value) or isinstance(value, type):
        return value
    # By kind of field, not by name: one that is added later is masked too.
    shown: Any = replace(
        value, **{field.name: masked(getattr(value, field.name), masker) for field in fields(value)}
    )
    if isinstance(value, Frame) and shown.statement != value.statement:
        shown = replace(shown, statement=None)
    if isinstance(value, Variable) and shown.value is not None and is_masked(shown.value):
        shown = replace(shown, value=None)
    return cast("_Value", shown)
