"""One pytest session, as each CI system and each container tool would have logged it."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable, Iterable, Iterator

SESSION = """\
============================= test session starts ==============================
platform linux -- Python 3.11.9, pytest-8.3.2, pluggy-1.5.0 -- /usr/bin/python3
rootdir: /builds/pumps
collecting ... collected 4 items

tests/test_pump.py::test_start PASSED                                    [ 25%]
tests/test_pump.py::test_pressure[1-\u00b5bar] FAILED                         [ 50%]
tests/test_pump.py::test_stop ERROR                                      [ 75%]
tests/test_valve.py::TestValve::test_close FAILED                        [100%]

==================================== ERRORS ====================================
_________________________ ERROR at setup of test_stop __________________________

    @pytest.fixture
    def line():
>       raise OSError("no line")
E       OSError: no line

tests/test_pump.py:20: OSError
=================================== FAILURES ===================================
____________________________ test_pressure[1-\u00b5bar] _____________________________

unit = '\u00b5bar'

    def test_pressure(unit):
>       assert read(unit) == 4
E       AssertionError: assert 5 == 4
E        +  where 5 = read('\u00b5bar')

tests/test_pump.py:12: AssertionError
----------------------------- Captured stdout call -----------------------------
opening the valve \u2713 12:00:00 it took 3 s
    indented | with a bar
_____________________________ TestValve.test_close _____________________________

self = <test_valve.TestValve object at 0x7f0000000000>

    def test_close(self):
>       close(None)

tests/test_valve.py:7:
_ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _

valve = None

    def close(valve):
>       valve.close()
E       AttributeError: 'NoneType' object has no attribute 'close'

src/valve.py:3: AttributeError
=========================== short test summary info ============================
FAILED tests/test_pump.py::test_pressure[1-\u00b5bar] - AssertionError: assert 5 == 4
FAILED tests/test_valve.py::TestValve::test_close - AttributeError: 'NoneType...
ERROR tests/test_pump.py::test_stop - OSError: no line
===================== 2 failed, 1 passed, 1 error in 1.23s =====================
"""

RUN_LINES = SESSION.splitlines()
BUILD_LINES = [f"[{number}/40] Building CXX object src/pump_{number}.cpp.o" for number in range(1, 41)]
MORE_LINES = ["Uploading reports", "3 files were uploaded"]


def _times() -> Iterator[str]:
    for number in range(10_000):
        yield f"2026-11-01T10:{number // 60 % 60:02}:{number % 60:02}.{number * 7919 % 10**7:07}Z"


def _timed(lines: Iterable[str], form: str = "{time} {line}") -> list[str]:
    return [
        form.format(time=time, line=line, clock=time[11:19])
        for time, line in zip(_times(), lines, strict=False)
    ]


def _text(lines: Iterable[str]) -> str:
    return "".join(f"{line}\n" for line in lines)


def _github_lines() -> list[str]:
    return [
        "##[group]Run make",
        "shell: /usr/bin/bash -e {0}",
        "##[endgroup]",
        *BUILD_LINES,
        "##[group]Run pytest -v tests",
        "\x1b[36;1mpytest -v tests\x1b[0m",
        "shell: /usr/bin/bash -e {0}",
        "env:",
        "  PUMP: main",
        "##[endgroup]",
        *RUN_LINES,
        "##[error]Process completed with exit code 1.",
        "##[group]Run upload",
        "##[endgroup]",
        *MORE_LINES,
    ]


def plain() -> str:
    return _text(["$ make", *BUILD_LINES, "$ pytest -v tests", *RUN_LINES, *MORE_LINES])


def github() -> str:
    """Several steps and two jobs in one file."""
    other = ["Complete job name: lint", "##[group]Run ruff check", "##[endgroup]", "All checks passed!"]
    return _text(_timed([*other, "Complete job name: unit", *_github_lines(), "Complete job name: docs"]))


def github_client() -> str:
    """What `gh run view --log` prints."""
    lint = [f"lint\tRun ruff\t{line}" for line in _timed(["All checks passed!"] * 30)]
    unit = [f"unit (3.11)\tUNKNOWN STEP\t{line}" for line in _timed(_github_lines())]
    return _text([*lint, f"unit (3.11)\tUNKNOWN STEP\t\ufeff{next(_times())} begin", *unit])


def gitlab() -> str:
    return _text(
        [
            "\x1b[0KRunning with gitlab-runner 17.0.0 (44feccdf)\x1b[0;m",
            "section_start:1700000000:prepare_script\r\x1b[0K\x1b[0K\x1b[36;1mPreparing environment\x1b[0;m",
            "Running on runner-1 via host...",
            "section_end:1700000001:prepare_script\r\x1b[0K",
            "section_start:1700000002:step_script\r\x1b[0K\x1b[0K\x1b[36;1mExecuting step_script\x1b[0;m",
            "\x1b[32;1m$ make\x1b[0;m",
            *BUILD_LINES,
            "\x1b[32;1m$ pytest -v tests\x1b[0;m",
            *RUN_LINES,
            "section_end:1700000003:step_script\r\x1b[0K",
            "\x1b[31;1mERROR: Job failed: exit code 1\x1b[0;m",
        ]
    )


def gitlab_timed() -> str:
    """With `FF_TIMESTAMPS`: time, stream, and a plus where a line goes on."""
    lines = []
    for time, line in zip(_times(), gitlab().splitlines(), strict=False):
        head, tail = line[: len(line) // 2], line[len(line) // 2 :]
        stamp = time.replace("Z", "")[:26] + "Z"
        if "FAILED" in line:
            lines += [f"{stamp} 01O {head}", f"{stamp} 01O+{tail}"]
        else:
            lines.append(f"{stamp} 01O {line}")
    return _text(lines)


def azure() -> str:
    return _text(
        _timed(
            [
                "##[section]Starting: Build",
                *BUILD_LINES,
                "##[section]Finishing: Build",
                "##[section]Starting: Test",
                "Task         : Command line",
                "Generating script.",
                "Script contents:",
                "pytest -v tests",
                "========================== Starting Command Output ===========================",
                "[command]/bin/bash --noprofile --norc /home/vsts/work/_temp/1.sh",
                *RUN_LINES,
                "##[error]Bash exited with code '1'.",
                "##[section]Finishing: Test",
            ]
        )
    )


def jenkins() -> str:
    """Jenkins' timestamper as it is downloaded."""
    head = ["Started by user admin", "[Pipeline] Start of Pipeline", "[Pipeline] sh"]
    lines = ["+ make", *BUILD_LINES, "+ pytest -v tests", *RUN_LINES, "script returned exit code 1"]
    return _text([*head, *_timed(lines, "[{time}] {line}"), "[Pipeline] End of Pipeline"])


def jenkins_clock() -> str:
    """Jenkins' timestamper as a browser shows it."""
    head = ["Started by user admin", "[Pipeline] Start of Pipeline", "[Pipeline] sh"]
    lines = ["+ make", *BUILD_LINES, "+ pytest -v tests", *RUN_LINES, "script returned exit code 1"]
    return _text([*head, *_timed(lines, "{clock}  {line}"), "[Pipeline] End of Pipeline"])


def travis() -> str:
    fold = "travis_fold:{end}:{name}\r\x1b[0K"
    return _text(
        [
            fold.format(end="start", name="before_script.1")
            + "travis_time:start:0a1b2c3d\r\x1b[0K\x1b[0m$ make",
            *BUILD_LINES,
            "travis_time:end:0a1b2c3d:start=17000000000,finish=17000000001,duration=1,event=x\r\x1b[0K"
            + fold.format(end="end", name="before_script.1"),
            "travis_time:start:1a1b2c3d\r\x1b[0K$ pytest -v tests",
            *RUN_LINES,
            "travis_time:end:1a1b2c3d:start=17000000000,finish=17000000001,duration=1,event=x\r\x1b[0K",
            '\x1b[31;1mThe command "pytest -v tests" exited with 1.\x1b[0m',
        ]
    )


def buildkite() -> str:
    """APC sequences with the time before each line."""
    lines = ["~~~ Running commands", "$ make", *BUILD_LINES, "--- Tests", "$ pytest -v tests", *RUN_LINES]
    return _text(f"\x1b_bk;t={1_700_000_000_000 + number}\x07{line}\r" for number, line in enumerate(lines))


def circle() -> str:
    """CircleCI's step output, as it is downloaded."""
    lines = ["#!/bin/bash -eo pipefail", "pytest -v tests", *RUN_LINES, "Exited with code exit status 1"]
    return _text(f"{line}\r" for line in lines)


def circle_records() -> str:
    """CircleCI's step output, as its API gives it."""
    return json.dumps(
        [{"message": f"{line}\r\n", "time": "x", "type": "out"} for line in coloured(SESSION).splitlines()],
        ensure_ascii=False,
    )


def docker() -> str:
    """`docker logs --timestamps`."""
    return _text(_timed(["+ pytest -v tests", *RUN_LINES], "{time} {line}"))


def docker_json() -> str:
    """The files of docker's json-file driver."""
    return _text(
        json.dumps({"log": line + "\n", "stream": "stdout", "time": time}, separators=(",", ":"))
        for time, line in zip(_times(), coloured(SESSION).splitlines(), strict=False)
    )


def compose() -> str:
    return _text(f"tests-1  | {line}" for line in ["+ pytest -v tests", *RUN_LINES])


def kubernetes() -> str:
    """The files of containerd."""
    return _text(_timed(["+ pytest -v tests", *RUN_LINES], "{time} stdout F {line}"))


def github_archive(*, coded: Callable[[str], bytes] = str.encode) -> bytes:
    """A zip archive as GitHub serves it: each job whole, and each of its steps."""
    stamped = _timed(_github_lines())
    split = next(number for number, line in enumerate(stamped) if "Run pytest" in line)
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("0_lint.txt", coded(_text(_timed(["All checks passed!"] * 9))))
        archive.writestr("1_unit.txt", coded(_text(stamped)))
        archive.writestr("unit/1_Build.txt", coded(_text(stamped[:split])))
        archive.writestr("unit/2_Test.txt", coded(_text(stamped[split:])))
    return held.getvalue()


FORMATS: tuple[Callable[[], str], ...] = (
    plain,
    github,
    github_client,
    gitlab,
    gitlab_timed,
    azure,
    jenkins,
    jenkins_clock,
    travis,
    buildkite,
    circle,
    circle_records,
    docker,
    docker_json,
    compose,
    kubernetes,
)


def coloured(text: str) -> str:
    """Colours the words that pytest colours."""
    for word, colour in (("FAILED", 31), ("ERROR", 31), ("PASSED", 32), ("[100%]", 31), ("E  ", 1)):
        text = text.replace(word, f"\x1b[{colour}m{word}\x1b[0m")
    return text.replace("= FAILURES =", "= FAILURES \x1b[0m=")
