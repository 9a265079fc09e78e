"""Limits: read from text with a clear refusal, held against every value, never passed unseen."""

from __future__ import annotations

import math
import operator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_repro.errors import OptionError
from pytest_repro.verify.limits import (
    Limit,
    LimitKind,
    Relation,
    limits_of_mark,
    nearest,
    parse_limit,
)
from pytest_repro.verify.measures import Measure

DURATION, PHASE, METRIC = LimitKind.DURATION, LimitKind.PHASE, LimitKind.METRIC


def _measure(low: float, high: float | None = None, count: int = 1) -> Measure:
    return Measure(count=count, low=low, median=low, high=low if high is None else high)


@pytest.mark.parametrize(
    ("kind", "text", "name", "relation", "bound"),
    [
        (DURATION, "5s", "", "<=", 5 * 10**9),
        (DURATION, "250ms", "", "<=", 250_000_000),
        (PHASE, "to_torch=0.5s", "to_torch", "<=", 500_000_000),
        (PHASE, " load model = 2m ", "load model", "<=", 120 * 10**9),
        (PHASE, "a=b=1s", "a=b", "<=", 10**9),
        (METRIC, "samples_per_s>=19649", "samples_per_s", ">=", 19649.0),
        (METRIC, "loss < 1e-3", "loss", "<", 0.001),
        (METRIC, "a<=-2.5", "a", "<=", -2.5),
        (METRIC, "top 5>0", "top 5", ">", 0.0),
        (METRIC, "tokens==128", "tokens", "==", 128.0),
    ],
)
def test_a_limit_is_read_from_text(
    kind: LimitKind, text: str, name: str, relation: str, bound: float
) -> None:
    """Times in nanoseconds, metrics in their own unit."""
    expected = Limit(kind=kind, name=name, relation=Relation(relation), bound=bound, text=text)
    assert parse_limit(kind, text) == expected


@pytest.mark.parametrize(
    ("kind", "text", "message"),
    [
        (DURATION, "fast", "a time above zero such as 90s, 5m or 1h"),
        (DURATION, "0s", "a time above zero such as 90s, 5m or 1h"),
        (PHASE, "to_torch", "a phase and its time, such as to_torch=0.5s"),
        (PHASE, "=5s", "a phase and its time, such as to_torch=0.5s"),
        (PHASE, "to_torch=", "a time above zero such as 90s, 5m or 1h"),
        *[
            (METRIC, text, "a metric, one of >=, <=, >, <, == and a number, such as 'samples_per_s>=19649'")
            for text in (
                "rate",
                "rate=5",
                "rate>=",
                ">=5",
                "rate>=nan",
                "rate<inf",
                "rate>=19,649",
                "a=>1",
                "a!=1",
            )
        ],
    ],
)
def test_what_cannot_be_read_says_what_can(kind: LimitKind, text: str, message: str) -> None:
    """A limit that is half understood would hold nothing."""
    with pytest.raises(ValueError) as caught:  # noqa: PT011 - the whole text is compared
        parse_limit(kind, text)
    assert str(caught.value) == message


def test_a_mark_gives_one_limit_or_many_of_each_kind() -> None:
    """A text or a list of texts; `deterministic` is for others."""
    keywords = {"deterministic": True, "max_duration": "5s", "max_phase": ["op=1s", "to_torch=2s"]}
    assert [limit.text for limit in limits_of_mark("t", keywords)] == ["5s", "op=1s", "to_torch=2s"]
    assert limits_of_mark("t", {"metric": "rate>5"}) == (parse_limit(METRIC, "rate>5"),)
    assert limits_of_mark("t", {}) == ()


def test_a_keyword_that_nobody_knows_is_refused() -> None:
    """A typing error in a mark would hold nothing."""
    with pytest.raises(OptionError) as caught:
        limits_of_mark("test_a.py::t", {"max_durations": "5s"})
    assert str(caught.value) == (
        "repro_verify has no 'max_durations' (test_a.py::t). "
        "Use one of deterministic, max_duration, max_phase, metric."
    )


@pytest.mark.parametrize(
    ("keywords", "message"),
    [
        (
            {"max_phase": "op"},
            (
                "repro_verify(max_phase='op') cannot be used (test_a.py::t). "
                "Give a phase and its time, such as to_torch=0.5s."
            ),
        ),
        (
            {"max_duration": 5},
            (
                "repro_verify(max_duration=5) cannot be used (test_a.py::t). "
                "Give '5s', as a text or a list of texts."
            ),
        ),
        (
            {"metric": ["rate>5", None]},
            (
                "repro_verify(metric=None) cannot be used (test_a.py::t). "
                "Give 'loss<0.1', as a text or a list of texts."
            ),
        ),
    ],
)
def test_a_bad_mark_is_an_error_that_names_the_test(keywords: dict[str, object], message: str) -> None:
    """Nobody looks for it on the command line."""
    with pytest.raises(OptionError) as caught:
        limits_of_mark("test_a.py::t", keywords)
    assert str(caught.value) == message


@given(
    st.sampled_from(list(Relation)),
    st.lists(st.integers(-3, 3), min_size=1, max_size=6),
    st.integers(-3, 3),
)
def test_a_limit_is_kept_only_if_every_value_keeps_it(
    relation: Relation, values: list[int], bound: int
) -> None:
    """Lowest and highest speak for all that lie between."""
    compare = {">=": operator.ge, "<=": operator.le, ">": operator.gt, "<": operator.lt, "==": operator.eq}
    limit = Limit(kind=METRIC, name="m", relation=relation, bound=bound, text="")
    worst = limit.worst_of(_measure(min(values), max(values)))
    broken = [value for value in values if not compare[relation.value](value, bound)]
    assert (worst is None) == (not broken)
    assert worst is None or worst in broken


@pytest.mark.parametrize("relation", list(Relation))
def test_nan_breaks_every_limit(relation: Relation) -> None:
    """It is no number that anything could be said of."""
    limit = Limit(kind=METRIC, name="m", relation=relation, bound=1.0, text="")
    worst = limit.worst_of(_measure(math.nan))
    assert worst is not None
    assert math.isnan(worst)


def test_of_two_limits_on_one_subject_the_nearest_place_holds() -> None:
    """A range of one metric takes two limits in one place."""
    near = [parse_limit(METRIC, "rate>1"), parse_limit(METRIC, "rate<9")]
    far = [parse_limit(METRIC, "rate>5"), parse_limit(METRIC, "loss<1")]
    assert [limit.text for limit in nearest(near, far)] == ["rate>1", "rate<9", "loss<1"]
