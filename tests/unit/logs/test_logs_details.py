"""What a log tells beside test and error: examples, subtests, versions, folders and times."""

from __future__ import annotations

import io

import pytest

from pytest_repro.logs.examples import read_example
from pytest_repro.logs.reader import read_log
from pytest_repro.logs.records import Argument, Found, LogReport, Plugin

RULE = "=" * 34
SUMMARY = f"{RULE} short test summary info {RULE}\nFAILED tests/test_pump.py::test_pump - OSError: no pump\n"


def report_of(text: str) -> LogReport:
    return read_log(io.BytesIO(text.encode()))


def line_of(text: str, part: str) -> int:
    return 1 + next(index for index, line in enumerate(text.splitlines()) if part in line)


EXAMPLES = {
    "in its own section": (
        "E   OSError: no pump\n\ntests/test_pump.py:7: OSError\n"
        "---------------------------------- Hypothesis ----------------------------------\n"
        "Falsifying example: test_pump(\n    self=<PumpTests>,\n    bars=[1,\n        2],\n"
        "    name='a, b)',\n)\n"
        "\nYou can reproduce this example by temporarily adding @reproduce_failure('6.1', b'AXic')\n"
    ),
    "in the words of newer versions": (
        "E   OSError: no pump\nE   Failing test case: test_pump(\nE       bars=[1, 2],\n"
        "E       name='a, b)',  # or any other generated value\nE   )\nE   \nE   You can reproduce it "
        "by temporarily adding @reproduce_failure('6.1', b'AXic')\n\ntests/test_pump.py:7: OSError\n"
    ),
    "as a note of the error": (
        "E   OSError: no pump\nE   Falsifying example: test_pump(\nE       bars=[1, 2],  # or any other\n"
        "E       name='a, b)',\nE   )\nE   \nE   You can reproduce this example by temporarily adding "
        "@reproduce_failure('6.1', b'AXic') as a decorator\n\ntests/test_pump.py:7: OSError\n"
    ),
}


@pytest.mark.parametrize("shown", EXAMPLES.values(), ids=EXAMPLES.keys())
def test_hypotheses_example_is_read_argument_by_argument(shown: str) -> None:
    text = f"{RULE} FAILURES {RULE}\n________________ test_pump ________________\n{shown}{SUMMARY}"
    (failure,) = report_of(text).failures
    assert failure.example == (
        Argument(name="bars", value="[1, 2]", line=line_of(text, "bars=")),
        Argument(name="name", value="'a, b)'", line=line_of(text, "name=")),
    )
    assert failure.blob == Found(
        value="@reproduce_failure('6.1', b'AXic')", line=line_of(text, "@reproduce_failure")
    )


@pytest.mark.parametrize(
    "lines",
    [["Falsifying example: test_pump(", "    bars=[1, 2,"], ["An example: bars=1"], []],
    ids=["without an end", "of something else", "nothing"],
)
def test_an_example_that_is_not_whole_is_not_told(lines: list[str]) -> None:
    assert read_example(lines, 1) == ()


@pytest.mark.parametrize(
    ("text", "subtest"),
    [
        (f"{SUMMARY}SUBFAILED[warm] tests/test_tap.py::test_tap - OSError: no tap\n", "[warm]"),
        (f"{SUMMARY}SUBFAILED(litres=3) tests/test_tap.py::test_tap - OSError: no tap\n", "(litres=3)"),
        (f"{SUMMARY}FAILED tests/test_tap.py::test_tap[a (b)] - OSError: no tap\n", None),
    ],
)
def test_a_subtest_is_told_as_it_is_described(text: str, subtest: str | None) -> None:
    assert report_of(text).failures[1].subtest == subtest


def test_a_subtest_of_unittest_is_described_behind_the_method() -> None:
    text = (
        f"{'=' * 70}\nFAIL: test_flow (plant.ValveTest.test_flow) [warm] (litres=3)\n{'-' * 70}\n"
        'Traceback (most recent call last):\n  File "/srv/plant.py", line 12, in test_flow\n    check()\n'
        f"AssertionError: 3 != 0\n\n{'-' * 70}\nRan 1 test in 0.001s\n"
    )
    (failure,) = report_of(text).failures
    assert failure.subtest == "[warm] (litres=3)"


def test_plugins_are_told_one_by_one() -> None:
    text = (
        "platform linux -- Python 3.12.1, pytest-8.3.5, pluggy-1.5.0\n"
        f"plugins: xdist-3.6.1, base-url-2.1.0, Faker-37.0.0b1, cov-5.0.0.post2, odd\n{SUMMARY}"
    )
    assert report_of(text).session.plugin_versions == (
        Plugin(name="xdist", version="3.6.1", line=2),
        Plugin(name="base-url", version="2.1.0", line=2),
        Plugin(name="Faker", version="37.0.0b1", line=2),
        Plugin(name="cov", version="5.0.0.post2", line=2),
    )


@pytest.mark.parametrize(
    ("script", "folder", "line"),
    [
        ("cd plant && pytest -x", "plant", 1),
        ("+ cd plant\n+ cd sub/\n+ pytest -x", "plant/sub", 2),
        ("$ cd 'my plant'\n$ cd ..\n$ cd \"$ROOT/plant\"; pytest -x", "$ROOT/plant", 3),
        ("make[1]: Entering directory '/srv/plant'\npytest -x", "/srv/plant", 1),
        ("I: pybuild base:311: cd /srv/build; python3.12 -m pytest -x", "/srv/build", 1),
        ("+ cd plant\n+ cd ..\n+ pytest -x", None, 0),
        ("pytest -x\n+ cd plant", None, 0),
        ("Step 3/4 : WORKDIR /plant\nStep 4/4 : RUN pytest -x", "/plant", 1),
        ("##[group]Run cd plant\ncd plant\npytest -x\nshell: bash\n##[endgroup]", "plant", 2),
    ],
)
def test_the_folder_of_a_command_is_the_one_that_its_script_went_to(
    script: str, folder: str | None, line: int
) -> None:
    session = report_of(f"{script}\n{SUMMARY}").session
    assert session.command is not None
    assert session.directory == (None if folder is None else Found(value=folder, line=line))


def test_the_folder_of_an_earlier_step_is_not_that_of_a_later_one() -> None:
    head = "##[group]Run {0}\n{0}\nshell: bash\n##[endgroup]\n"
    text = head.format("cd plant") + head.format("pytest -x") + SUMMARY
    assert report_of(text).session.directory is None


STAMPED = """\
2026-03-01T10:00:00.1000000Z Complete job name: plant
2026-03-01T10:00:01.1000000Z ##[group]Run ./prepare
2026-03-01T10:00:02.1000000Z ##[endgroup]
2026-03-01T10:00:03.1000000Z ##[group]Run pytest -x
2026-03-01T10:00:04.1000000Z ##[endgroup]
2026-03-01T10:00:05.1000000Z =========================== short test summary info ===========================
2026-03-01T10:00:06.1000000Z FAILED tests/test_pump.py::test_pump - OSError: no pump
2026-03-01T10:00:07.1000000Z ##[group]Run ./upload
2026-03-01T10:00:08.1000000Z ##[endgroup]
"""


def test_job_and_step_have_the_times_of_their_first_and_last_lines() -> None:
    session = report_of(STAMPED).session
    assert session.job_times is not None
    assert session.step_times is not None
    assert session.job_times.first == Found(value="2026-03-01T10:00:00.1000000Z", line=1)
    assert session.job_times.last == Found(value="2026-03-01T10:00:08.1000000Z", line=9)
    assert session.step_times.first == Found(value="2026-03-01T10:00:03.1000000Z", line=4)
    assert session.step_times.last == Found(value="2026-03-01T10:00:06.1000000Z", line=7)


def test_columns_before_a_stamp_do_not_hide_it() -> None:
    lines = [line.split("Z ", 1) for line in STAMPED.splitlines() if "prepare" not in line]
    text = "".join(f"plant\ttests\t{stamp}Z {rest}\n" for stamp, rest in lines[3:6])
    session = report_of(text).session
    assert session.step_times is not None
    assert session.step_times.first.value == "2026-03-01T10:00:04.1000000Z"


def test_a_log_without_stamps_tells_no_times() -> None:
    session = report_of(f"Run pytest -x\n{SUMMARY}").session
    assert session.job_times is None
    assert session.step_times is None
