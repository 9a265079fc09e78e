from __future__ import annotations

import pytest

from pytest_repro.errors import OptionError
from pytest_repro.logs import secret_keys
from pytest_repro.order.matching import MASK, Collected, match_order
from pytest_repro.order.order_file import OrderEntry, order_text, parse_order

COLLECTED = [
    Collected(nodeid=nodeid, path=f"/root/{nodeid.partition('::')[0]}")
    for nodeid in (
        "tests/test_a.py::test_1",
        "tests/test_a.py::test_2[a::b]",
        "tests/test_a.py::test_2[c - d]",
        "tests/test_a.py::TestC::test_3",
        "other/test_a.py::test_1",
        "other/test_b.py::test_4",
    )
]


def places(*nodeids: str) -> tuple[int, ...]:
    matching = match_order([OrderEntry(nodeid=nodeid, place="o:1") for nodeid in nodeids], COLLECTED)
    assert not matching.unmatched
    return matching.order


def test_an_order_file_is_read_whatever_wrote_it() -> None:
    """BOM, CRLF, comments, blank lines, UTF-16; the line is known of each."""
    data = b"\xef\xbb\xbf# gw3\r\n\r\n  a.py::test_x[# - \xc3\xa9]  \r\nb.py"
    assert parse_order(data, name="o.txt") == (
        OrderEntry(nodeid="a.py::test_x[# - é]", place="o.txt:3"),
        OrderEntry(nodeid="b.py", place="o.txt:4"),
    )
    assert parse_order("a.py::test_ü\r\n".encode("utf-16"), name="o")[0].nodeid == "a.py::test_ü"
    with pytest.raises(OptionError, match="names no test"):
        parse_order(b"# only this\n", name="o.txt")


def test_an_order_that_is_written_is_read_as_it_was() -> None:
    """Comments stand first and are no tests, also where they hold line ends."""
    nodeids = ("a.py::test_x[a - b]", "a.py::test_x[a - b]")
    text = order_text(nodeids, comments=("one\ntwo",))
    assert tuple(entry.nodeid for entry in parse_order(text.encode(), name="o")) == nodeids


@pytest.mark.parametrize(
    ("nodeid", "expected"),
    [
        ("tests/test_a.py::test_1", (0,)),
        ("work/project/tests/test_a.py::test_1", (0,)),
        ("test_b.py::test_4", (5,)),
        ("/root/other/test_a.py::test_1", (4,)),
        ("tests/test_a.py::test_2[a::b]", (1,)),
        ("tests/test_a.py::test_2", (1, 2)),
        ("tests/test_a.py::TestC", (3,)),
        ("tests/test_a.py", (0, 1, 2, 3)),
        ("tests/test_a.py::test_1@group", (0,)),
    ],
)
def test_a_line_is_found_by_what_it_says_or_by_the_end_of_its_path(
    nodeid: str, expected: tuple[int, ...]
) -> None:
    """CI may have another root; files, classes and functions stand for their tests."""
    assert places(nodeid) == expected


def test_a_line_that_fits_several_files_is_not_guessed() -> None:
    """What it may mean is told."""
    (unmatched,) = match_order([OrderEntry(nodeid="test_a.py::test_1", place="o:7")], COLLECTED).unmatched
    assert unmatched.reason == (
        "o:7: test_a.py::test_1 may be any of tests/test_a.py::test_1, other/test_a.py::test_1"
    )


def test_the_mask_of_a_secret_stands_for_the_text_of_one_test() -> None:
    """More than one is not guessed, and what is masked in none is missing."""
    assert MASK == secret_keys.MASK
    assert places("work/tests/test_a.py::test_2[a***]") == (1,)
    for nodeid, reason in (
        ("tests/test_a.py::test_2[***]", "may be any of tests/test_a.py::test_2[a::b], tests/"),
        ("tests/test_a.py::test_2[x***]", "o:7: no test tests/test_a.py::test_2[x***]"),
    ):
        (unmatched,) = match_order([OrderEntry(nodeid=nodeid, place="o:7")], COLLECTED).unmatched
        assert reason in unmatched.reason


def test_many_lines_that_name_no_test_cost_no_more_than_a_few() -> None:
    """Node ids like theirs are looked for only as far as people read: each takes milliseconds."""
    many = [Collected(nodeid=f"t/test_a.py::test_{n}", path="/r/t/test_a.py") for n in range(2_000)]
    gone = [OrderEntry(nodeid=f"t/test_a.py::tset_{n}", place=f"o:{n}") for n in range(10_000)]
    unmatched = match_order(gone, many).unmatched
    assert len(unmatched) == 10_000
    assert unmatched[0].suggestions[0] == "t/test_a.py::test_0"
    assert [bool(one.suggestions) for one in unmatched[-2:]] == [False, False]
