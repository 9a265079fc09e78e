"""Frames between two processes."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pytest_repro.stress.pipe import read_frame, write_frame


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    reading, writing = os.pipe()
    yield reading, writing
    for descriptor in (reading, writing):
        try:
            os.close(descriptor)
        except OSError:
            continue


@pytest.mark.parametrize(
    "frame",
    [
        {},
        {"n": 1, "rate": 0.5, "none": None, "yes": True, "text": "größe \udcff"},
        {"nested": {"list": [1, [2]], "tuple": ("a", 3, None)}, "bytes": b"\x00"},
    ],
)
def test_a_frame_arrives_as_it_was_sent(pipe: tuple[int, int], frame: dict[str, Any]) -> None:
    """Tuples stay tuples, lone surrogates stay."""
    reading, writing = pipe
    write_frame(writing, frame)
    assert read_frame(reading, is_alive=lambda: True) == frame


def test_what_is_no_builtin_arrives_as_its_repr(pipe: tuple[int, int]) -> None:
    """A property of a test may be any object."""
    reading, writing = pipe
    write_frame(writing, {"path": Path("a"), "set": {1}})
    assert read_frame(reading, is_alive=lambda: True) == {"path": f"{Path('a')!r}", "set": "{1}"}


@pytest.mark.parametrize("kept", [0, 3, 12])
def test_a_frame_that_ends_early_is_none(pipe: tuple[int, int], kept: int) -> None:
    """Its writer died while it wrote, or before."""
    reading, writing = pipe
    write_frame(writing, {"text": "abc"})
    whole = os.read(reading, 1000)
    assert len(whole) > 12
    os.write(writing, whole[:kept])
    os.close(writing)
    assert read_frame(reading, is_alive=lambda: True) is None


def test_a_writer_that_ended_is_noticed_though_its_end_of_the_pipe_is_open(pipe: tuple[int, int]) -> None:
    """A process that it had started holds it; what was written before still arrives."""
    reading, writing = pipe
    write_frame(writing, {"n": 1})
    assert read_frame(reading, is_alive=lambda: False) == {"n": 1}
    assert read_frame(reading, is_alive=lambda: False) is None
