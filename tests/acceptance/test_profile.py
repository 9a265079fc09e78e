"""`--repro-profile` as a user sees it: the lines of the bottleneck, and a page for each test."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from tests.acceptance.sessions import json_lines, run_pytest, session_folder
from tests.unit.timing.test_profile_samples import speedscope_problems

# However busy the machine is: a call after more than the interval is a sample.
WORK = """
import time

def work():
    end = time.monotonic() + 0.03
    while time.monotonic() < end:
        sum(range(50))
"""

TESTS = (
    WORK
    + """
import asyncio
import sys
import unittest
import pyinstrument
import pytest

@pytest.fixture
def slow():
    work()

def test_phases(repro, slow):
    work()
    with repro.phase("prepare"):
        pass
    with repro.phase("decode"):
        work()

def test_plain(slow):
    work()

class TestOld(unittest.TestCase):
    def test_old(self):
        work()

def test_raises(repro):
    with repro.phase("read"):
        work()
        raise RuntimeError("device hung")

def test_awaits(repro):
    async def fetch():
        await asyncio.sleep(0.03)

    async def main():
        with repro.phase("fetch"):
            await fetch()

    asyncio.run(main())

def test_of_a_profiler(repro):
    with repro.phase("before"):
        work()
    with pyinstrument.Profiler() as profiler:
        work()
    assert profiler.last_session.sample_count
    assert sys.getprofile() is None
"""
)


def _pages(folder: Path) -> list[str]:
    return [re.sub(r"_[0-9a-f]{8}\.html$", "", path.name) for path in sorted(folder.glob("profile_*.html"))]


def test_the_lines_of_each_bottleneck_are_shown_with_a_page_beside_them(pytester: pytest.Pytester) -> None:
    """Of every kind of test; fixtures are left out, and a test's own profiler works as without us."""
    pytester.makepyfile(test_it=TESTS)
    result = run_pytest(pytester, "--repro-profile")
    result.assert_outcomes(passed=5, failed=1)
    lines = "\n".join(result.stdout.lines)
    tables = dict(re.findall(r"^test_it\.py::(\S+)(?: \(.*\))?\n((?:  .*\n)+)", lines, re.MULTILINE))
    assert re.search(r"contended: .*sampled by pyinstrument", lines)
    assert re.search(
        r"lines in decode \(.* in \d+ samples?\)\n.* test_it\.py:\d+ work  ", tables["test_phases"]
    )
    for name in ("test_plain", "TestOld::test_old"):
        assert re.search(r"call stage \(no phase was recorded; .*\n.* test_it\.py:\d+ work  ", tables[name])
    assert re.search(r"read \(open\).*<<<(.*\n)*  lines in read .*\n.*work  ", tables["test_raises"])
    assert re.search(r"in fetch .*\n.*fetch  await asyncio\.sleep", tables["test_awaits"])
    assert "another profiler was at work there" in tables["test_of_a_profiler"]
    result.stdout.fnmatch_lines(["Sampled at most every 1 ms.*", "sampled lines: *.html and 5 more"])
    folder = session_folder(pytester)
    assert len(_pages(folder)) == 6
    for path in folder.glob("profile_*.speedscope.json"):
        record = json.loads(path.read_text(encoding="utf-8"))
        assert speedscope_problems(record) == []
        assert "slow" not in {frame["name"] for frame in record["shared"]["frames"]}


@pytest.mark.parametrize("arguments", [("-n2",), ("--repro-isolate",)], ids=["n2", "isolate"])
def test_samples_of_all_processes_are_merged(pytester: pytest.Pytester, arguments: tuple[str, ...]) -> None:
    """Over all iterations, one page a test; only the controller writes."""
    pytester.makepyfile(
        test_it=WORK + "def test_a(repro):\n    with repro.phase('decode'):\n        work()\n"
    )
    result = run_pytest(pytester, "--repro-profile", "--repro-stress=3", *arguments)
    assert result.ret == 0
    result.stdout.fnmatch_lines(["  lines in decode (*", "*test_it.py:* work *"])
    folder = session_folder(pytester)
    assert _pages(folder) == ["profile_test_it_py_test_a"]
    (path,) = folder.glob("profile_*.speedscope.json")
    (phase,) = json.loads(path.read_text(encoding="utf-8"))["profiles"]
    assert phase["endValue"] >= 3 * 25_000_000
    reasons = [profile["contended"] for profile in json_lines(folder / "profiling.jsonl")]
    assert len(reasons) == 3
    assert all("sampled by pyinstrument" in reason for reason in reasons)


def test_a_crash_leaves_what_was_sampled_before_it(pytester: pytest.Pytester) -> None:
    """In the one process that there is."""
    pytester.makepyfile(
        test_it=WORK + "import os\ndef test_a():\n    work()\ndef test_b():\n    work()\n    os.abort()\n"
    )
    run_pytest(pytester, "--repro-profile")
    assert _pages(session_folder(pytester)) == ["profile_test_it_py_test_a"]


@pytest.mark.slow
def test_what_cannot_be_sampled_is_refused(pytester: pytest.Pytester) -> None:
    """With the reason, its place and the next step; without the option a broken pyinstrument is nobody's."""
    pytester.makepyfile("def test_a(repro):\n    with repro.phase('x'):\n        pass\n")
    pytester.mkpydir("pyinstrument").joinpath("__init__.py").write_text("raise ImportError('no C')")
    pytester.syspathinsert()
    refused = run_pytest(pytester, "--repro-profile")
    assert refused.ret == pytest.ExitCode.USAGE_ERROR
    refused.stderr.fnmatch_lines(
        ["ERROR: --repro-profile cannot import pyinstrument: ImportError: no C (*). Run*"]
    )
    assert run_pytest(pytester, "--repro-timing").ret == 0
