"""What the marks of a test tell the gate, as it can be sent from process to process."""

from __future__ import annotations

import enum

import pytest

from pytest_repro.plugin.call_counter import marks_of


class Limit(str, enum.Enum):
    """A text that is more than a text."""

    SHORT = "5s"


class Number(int):
    """A number that is more than a number."""

    def __repr__(self) -> str:
        """Not what it is."""
        return "many"


def test_all_marks_of_a_test_are_told_the_nearest_first(pytester: pytest.Pytester) -> None:
    """With the arguments that have no keyword."""
    item = pytester.getitem(
        """
        import pytest
        @pytest.mark.repro_verify("x", metric="loss<0.1")
        class TestX:
            @pytest.mark.repro_verify(metric=["acc>0.5"])
            def test_a(self):
                pass
        """,
        "test_a",
    )
    assert marks_of(item) == [{"metric": ["acc>0.5"]}, {"*": ["x"], "metric": "loss<0.1"}]


def test_arguments_are_exactly_builtins(pytester: pytest.Pytester) -> None:
    """Else no worker of xdist could send them."""
    item = pytester.getitem("def test_func():\n    pass\n")
    mark = pytest.mark.repro_verify(max_duration=Limit.SHORT, metric=(Number(3), True, 1.5, None, object))
    item.add_marker(mark)
    (told,) = marks_of(item)
    assert told == {"max_duration": "5s", "metric": [3, True, 1.5, None, str(object)]}
    assert type(told["max_duration"]) is str
    assert [type(each) for each in told["metric"]] == [int, bool, float, type(None), str]
