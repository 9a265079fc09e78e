"""Samples add up in bounded memory, and become text, a page and speedscope's format."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from pytest_repro.timing.own_code import is_own_code
from pytest_repro.timing.sample_files import file_stem, html_page, speedscope_record
from pytest_repro.timing.sample_lines import sample_lines
from pytest_repro.timing.sampler import NO_CALLS
from pytest_repro.timing.samples import FURTHER, Samples, Seen, frame_text, place_of

MS = 1_000_000
LIBRARY = frame_text("dumps", json.__file__, 183, 231)
NATIVE = frame_text("sorted", "<built-in>", 0)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "test_it.py"
    path.write_text("def test_it():\n    a = load()\n    b = decode(a)\n    return b\n", encoding="utf-8")
    return path


def _frame(source: Path, line: int, function: str = "test_it") -> str:
    return frame_text(function, str(source), 1, line)


def _lines(samples: Samples, source: Path, *, width: int = 80, **given: Any) -> list[str]:
    bottleneck = given.get("bottleneck")
    return sample_lines(samples, bottleneck=bottleneck, start=str(source.parent), width=width)


def test_a_frame_is_read_as_it_was_written() -> None:
    """Also a name that no text between processes may hold."""
    assert place_of(frame_text("f", "a.py", 3, 7)) == ("f", "a.py", 3, 7)
    assert place_of(NATIVE) == ("sorted", "<built-in>", 0, 0)
    frame_text("f", "\udcff.py", 1, 1).encode("utf-8")


def test_samples_go_to_another_process_and_come_back() -> None:
    """Builtins only, each frame once."""
    samples = Samples()
    samples.add(("a", "b"), (LIBRARY, NATIVE), 3 * MS)
    samples.add(("a", "b"), (LIBRARY, NATIVE), 2 * MS)
    samples.add((), (LIBRARY,), MS)
    samples.gave_way = 1
    payload = json.loads(json.dumps(samples.to_payload()))
    assert payload["frames"] == [LIBRARY, NATIVE]
    back = Samples.from_payload(payload)
    assert list(back) == list(samples)
    assert (back.total(), back.gave_way) == (Seen(3, 6 * MS), 1)


def test_stacks_beyond_the_limit_are_counted_as_one() -> None:
    """Memory is bounded; no time is lost."""
    samples = Samples(most_stacks=2)
    for number in range(5):
        samples.add(("p",), (frame_text(f"f{number}", "a.py", 1),), MS)
    assert list(samples.stacks(("p",))) == [
        (frame_text("f0", "a.py", 1),),
        (frame_text("f1", "a.py", 1),),
        FURTHER,
    ]
    assert (samples.further, samples.total().number) == (3, 5)


def test_lines_are_those_of_the_users_own_code(source: Path) -> None:
    """Libraries and native code are charged to the line that called them; the longest comes first."""
    samples = Samples()
    samples.add(("op",), (_frame(source, 2),), MS)
    samples.add(("op",), (_frame(source, 3), LIBRARY, NATIVE), 2 * MS)
    samples.add(("op",), (_frame(source, 3), NATIVE), MS)
    assert _lines(samples, source) == [
        "  lines in op (4.00 ms in 3 samples)",
        "     75 %  test_it.py:3 test_it  b = decode(a)",
        "     25 %  test_it.py:2 test_it  a = load()",
    ]


def test_the_bottleneck_of_the_table_is_shown_else_the_longest(source: Path) -> None:
    """A bottleneck without samples was too short to be seen."""
    samples = Samples()
    samples.add(("short",), (_frame(source, 2),), MS)
    samples.add(("outer", "long"), (_frame(source, 3),), 5 * MS)
    assert _lines(samples, source, bottleneck=("short",))[0] == "  lines in short (1.00 ms in 1 sample)"
    assert _lines(samples, source, bottleneck=("none",))[0].startswith("  lines in outer > long (")
    assert _lines(samples, source)[0].startswith("  lines in outer > long (")


def test_a_test_without_phases_says_what_was_sampled(source: Path) -> None:
    """Its call stage."""
    samples = Samples()
    samples.add((), (_frame(source, 2),), MS)
    assert _lines(samples, source)[0] == (
        "  lines in call stage (no phase was recorded; 1.00 ms in 1 sample)"
    )


def test_names_of_phases_cannot_command_a_terminal(source: Path) -> None:
    """They are escaped, and the heading is one line whatever they hold."""
    samples = Samples()
    samples.add(("a\x1b[31m\nb",), (_frame(source, 3),), MS)
    assert _lines(samples, source)[0] == "  lines in a\\x1b[31m\\x0ab (1.00 ms in 1 sample)"


def test_a_line_that_only_ends_a_stretch_without_calls_says_so(source: Path) -> None:
    """The time went into what stands before it."""
    samples = Samples()
    samples.add(("op",), (_frame(source, 3), NO_CALLS), MS)
    assert _lines(samples, source)[1] == "    100 %  test_it.py:3 test_it  up to: b = decode(a)"


def test_a_stretch_among_many_calls_is_no_stretch(source: Path) -> None:
    """There it was the machine that did something else."""
    samples = Samples()
    samples.add(("op",), (_frame(source, 3),), 2 * MS, count=2)
    samples.add(("op",), (_frame(source, 3), NO_CALLS), 40 * MS)
    assert _lines(samples, source)[1:] == ["    100 %  test_it.py:3 test_it  b = decode(a)"]


def test_comprehensions_are_lines_of_their_function(source: Path) -> None:
    """Whatever Python's version calls them."""
    samples = Samples()
    samples.add(("op",), (_frame(source, 2), _frame(source, 3, "test_it.<listcomp>.<genexpr>")), MS)
    samples.add(("op",), (_frame(source, 2), _frame(source, 3, "<listcomp>")), MS)
    assert _lines(samples, source)[1:] == ["    100 %  test_it.py:3 test_it  b = decode(a)"]


@pytest.mark.parametrize("width", [50, 80, 200])
def test_no_line_is_longer_than_the_terminal(source: Path, width: int) -> None:
    """Places keep their end, sources their beginning; what is not shown is counted."""
    folder = source.parent / ("deep" * 20)
    folder.mkdir()
    samples = Samples()
    for number in range(9):
        path = folder / f"test_{number}.py"
        path.write_text(f"x = {'1 + ' * 80}\x1b[31m 1\n", encoding="utf-8")
        samples.add(("op",), (frame_text(f"test_{number}", str(path), 1, 1),), MS)
    lines = _lines(samples, source, width=width)
    assert max(map(len, lines)) <= width
    assert len(lines) == 7
    assert lines[-1] == "           and 4 more, 44 % together"
    assert "\x1b" not in "".join(lines)
    assert "test_0.py:1 test_0" in lines[1]


def test_what_is_missing_is_said(source: Path) -> None:
    """Stacks that were not kept, and iterations in which another profiler was at work."""
    samples = Samples(most_stacks=0)
    samples.add(("op",), (_frame(source, 2),), MS, count=3)
    samples.gave_way = 2
    assert _lines(samples, source)[2:] == [
        "  3 samples more have stacks that are not kept apart",
        "  not sampled throughout in 2 iterations: another profiler was at work there",
    ]


def test_own_code_is_what_is_not_installed() -> None:
    """Also a doctest; not what Python made up."""
    assert is_own_code("/usr/src/app/test_it.py")
    assert is_own_code("<doctest a.b[0]>")
    names = (json.__file__, pytest.__file__, "<string>", "", "/x/lib/python3/dist-packages/a.py")
    assert not any(map(is_own_code, names))


@pytest.mark.parametrize("name", ["a" * 5000, "größe[é-☃]", "../../etc/passwd", "a b\n\x00\udcff", ""])
def test_names_of_files_are_safe_whatever_the_node_id_is(name: str) -> None:
    """ASCII, short, without separators."""
    assert re.fullmatch(r"profile_\w{1,90}", file_stem(f"tests/test_it.py::{name}"), re.ASCII)


def test_names_of_files_differ_where_node_ids_do() -> None:
    """Also where nothing that is safe tells them apart."""
    tests = ("a.py::t[1-2]", "a.py::t[1_2]", "b/a.py::t[1-2]", "a.py::t[é]", "a.py::t[è]")
    assert len({file_stem(test) for test in tests}) == len(tests)


def test_the_page_is_pyinstruments_and_no_name_breaks_out_of_it(source: Path) -> None:
    """Phases are the outermost frames."""
    samples = Samples()
    samples.add(("</script><b>",), (_frame(source, 2),), MS)
    page = html_page("test_it.py::t[</script>]", samples, start_s=0.0)
    assert "pyinstrumentHTMLRenderer.render" in page
    assert page.count("</script>") == 2
    assert "test_it.py::t[" in page
    assert '"identifier": "test_it\\u0000' in page


def test_speedscope_can_open_its_file(source: Path) -> None:
    """One profile a phase, each stack with the time that it stands for."""
    samples = Samples()
    samples.add(("to_device",), (_frame(source, 2), NATIVE), MS)
    samples.add(("op",), (_frame(source, 3),), 5 * MS)
    samples.add(("op",), (_frame(source, 3), LIBRARY), 2 * MS)
    record = speedscope_record("test_it.py::test_it", samples)
    assert speedscope_problems(json.loads(json.dumps(record))) == []
    assert [(one["name"], one["endValue"]) for one in record["profiles"]] == [
        ("op", 7 * MS),
        ("to_device", MS),
    ]
    assert record["shared"]["frames"][0] == {"name": "test_it", "file": str(source), "line": 1}


def speedscope_problems(record: dict[str, Any]) -> list[str]:
    """Returns what is against https://www.speedscope.app/file-format-schema.json, for sampled profiles."""
    problems = []
    if record.get("$schema") != "https://www.speedscope.app/file-format-schema.json":
        problems.append("$schema")
    if type(record.get("activeProfileIndex", 0)) is not int:
        problems.append("activeProfileIndex")
    frames = record["shared"]["frames"]
    kinds = {"name": str, "file": str, "line": int, "col": int}
    problems += [
        f"frame {frame}"
        for frame in frames
        if "name" not in frame or any(type(value) is not kinds.get(key) for key, value in frame.items())
    ]
    units = {"none", "nanoseconds", "microseconds", "milliseconds", "seconds", "bytes"}
    for profile in record["profiles"]:
        stacks, weights = profile["samples"], profile["weights"]
        is_right = (
            profile["type"] == "sampled"
            and type(profile["name"]) is str
            and profile["unit"] in units
            and len(stacks) == len(weights)
            and all(type(weight) is int and weight >= 0 for weight in weights)
            and all(0 <= number < len(frames) for stack in stacks for number in stack)
            and profile["endValue"] - profile["startValue"] == sum(weights)
        )
        problems += [] if is_right else [f"profile {profile['name']}"]
    return problems
