from __future__ import annotations

import pytest

from pytest_repro.errors import ScaffoldError
from pytest_repro.logs.records import CiFailure
from pytest_repro.model import Outcome
from pytest_repro.scaffold.choose import chosen


def failure(nodeid: str, *, passed_later: bool = False) -> CiFailure:
    return CiFailure(nodeid=nodeid, line=1, outcome=Outcome.FAILED, passed_later=passed_later)


RESCUED = failure("tests/test_a.py::test_rescued", passed_later=True)
WIDE = failure("tests/test_a.py::test_wide[a-1]")
NARROW = failure("tests/test_a.py::test_narrow[a-1]")
LOG = (RESCUED, WIDE, NARROW)


def test_the_first_failure_that_did_not_pass_later_is_taken() -> None:
    """One that a retry rescued comes only where there is no other."""
    assert chosen(LOG, None) is WIDE
    assert chosen((RESCUED,), None) is RESCUED
    assert chosen((), None) is None


@pytest.mark.parametrize("wanted", [NARROW.nodeid, "narrow", "test_narrow[a-?]", "*narrow*", "narrow[a-1]"])
def test_a_node_id_or_what_fits_one_alone_chooses_it(wanted: str) -> None:
    """Brackets of parameters stand for themselves."""
    assert chosen(LOG, wanted) is NARROW


def test_an_exact_node_id_is_taken_though_others_contain_it() -> None:
    """A part of a node id can be a whole one."""
    short = failure("t.py::test_a")
    assert chosen((failure("t.py::test_ab"), short), "t.py::test_a") is short


def test_a_part_that_fits_several_lists_them() -> None:
    """The user picks one; the others are not among them."""
    with pytest.raises(ScaffoldError) as caught:
        chosen(LOG, "[a-1]")
    assert str(caught.value) == (
        "2 failing tests of the log fit (--test [a-1]). Give one of them in full:\n"
        f"  {WIDE.nodeid}\n  {NARROW.nodeid}"
    )


def test_an_unknown_test_lists_what_there_is_and_what_is_close() -> None:
    """A typing error costs one look."""
    with pytest.raises(ScaffoldError) as caught:
        chosen(LOG, "tests/test_a.py::test_widr[a-1]")
    assert str(caught.value).startswith(
        "None of the 3 failing tests of the log fits (--test tests/test_a.py::test_widr[a-1]). "
        f"Did you mean this?\n  {WIDE.nodeid}"
    )
    assert str(caught.value).endswith(
        f"The failing tests are:\n  {RESCUED.nodeid}\n  {WIDE.nodeid}\n  {NARROW.nodeid}"
    )


def test_a_log_without_failing_tests_says_so() -> None:
    """There is nothing to choose from."""
    with pytest.raises(ScaffoldError, match=r"names no failing test \(--test x\)\. Leave --test out"):
        chosen((), "x")


def test_hostile_node_ids_are_shown_spelled_out_and_short() -> None:
    """No escape of a log reaches the terminal, and no list fills it."""
    many = [failure(f"t.py::test_\x1b[31m{number}" + "x" * 500) for number in range(30)]
    with pytest.raises(ScaffoldError) as caught:
        chosen(many, "t.py")
    assert "\x1b" not in str(caught.value)
    assert "\\x1b[31m" in str(caught.value)
    assert "and 10 more: see --list" in str(caught.value)
