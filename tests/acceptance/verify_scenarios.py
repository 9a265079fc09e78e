"""What can happen in two runs of the gate, and what it must say of it: the README shows the same table."""

from __future__ import annotations

from dataclasses import dataclass, field

COUNTER = """
import os, pathlib
count = pathlib.Path(os.environ["COUNTER"])
run = int(count.read_text()) + 1 if count.exists() else 1
"""
"""Put into a test file, it counts the processes that import it: run 1, run 2, ..."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """What happens, and what the gate says of it.

    Attributes:
        name: What happens.
        tests: The test file.
        conftest: The conftest beside it, empty for none.
        arguments: Of pytest, beside the gate.
        line: A line of the verdict.
        status: Exit status.
        needs_pytest: Lowest version in which it can happen.
    """

    name: str
    tests: str
    conftest: str = ""
    arguments: tuple[str, ...] = field(default=())
    line: str
    status: int
    needs_pytest: tuple[int, int] = (8, 0)

    @property
    def verdict(self) -> str:
        """The verdict, which the exit status tells too."""
        return {0: "stable", 1: "unstable"}.get(self.status, "incomplete")


PASSES = "def test_a():\n    pass\n"
FAILS = "def test_a():\n    assert False\n"
SKIPS = "import pytest\n@pytest.mark.skip\ndef test_a():\n    pass\n"
FAILS_IN_RUN_2 = COUNTER + "def test_a():\n    count.write_text(str(run))\n    assert run != 2\n"
SKIPS_IN_RUN_2 = (
    COUNTER
    + "import pytest\ndef test_b():\n    pass\ndef test_a():\n    count.write_text(str(run))\n"
    + "    if run == 2:\n        pytest.skip('busy')\n"
)
EXCUSED_IN_RUN_2 = SKIPS_IN_RUN_2.replace("skip('busy')", "xfail('known')")
GONE_IN_RUN_2 = (
    COUNTER
    + "count.write_text(str(run))\ndef test_b():\n    pass\nif run != 2:\n    def test_a():\n        pass\n"
)
BROKEN = "import no_such_module\ndef test_a():\n    pass\n"
DIES = "import os\ndef test_a():\n    os._exit(0)\n"
DIES_AT_ITS_END = "import atexit, os\natexit.register(os._exit, 3)\ndef test_a():\n    pass\n"
LEAVES = "import pytest\ndef test_a():\n    pytest.exit('enough', returncode=0)\ndef test_b():\n    pass\n"
INTERRUPTED = "def test_a():\n    raise KeyboardInterrupt\n"
EXCUSED = "import pytest\n@pytest.mark.xfail\ndef test_a():\n    assert False\n"
TEARDOWN_FAILS = (
    "import pytest\n@pytest.fixture\ndef device():\n    yield\n    raise OSError('lost')\n"
    "def test_a(device):\n    pass\n"
)
WORKER_LOST = (
    "import os, time\ndef test_a(worker_id):\n"
    "    if worker_id == 'gw1':\n        time.sleep(0.3)\n        os._exit(1)\n"
)
SUBTEST_SKIPPED_IN_RUN_2 = (
    COUNTER
    + "import unittest\nclass TestA(unittest.TestCase):\n    def test_a(self):\n"
    + "        count.write_text(str(run))\n        with self.subTest(part=1):\n"
    + "            if run == 2:\n                self.skipTest('busy')\n"
)

RESCUES = """
import pytest

@pytest.hookimpl(tryfirst=True)
def pytest_runtest_protocol(item, nextitem):
    from _pytest.runner import runtestprotocol
    reports = runtestprotocol(item, nextitem=None, log=False)
    if any(report.failed for report in reports):
        item._initrequest()
        reports = runtestprotocol(item, nextitem=nextitem, log=False)
    for report in reports:
        item.ihook.pytest_runtest_logreport(report=report)
    return True
"""
FAILS_FIRST = "tries = []\ndef test_a():\n    tries.append(1)\n    assert len(tries) > 1\n"
SETUP_FAILS_FIRST = (
    "import pytest\ntries = []\n@pytest.fixture\ndef device():\n    tries.append(1)\n"
    "    assert len(tries) > 1\ndef test_a(device):\n    pass\n"
)
SWALLOWS = """
import pytest

@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_makereport(item, call):
    report = yield
    if report.failed:
        report.outcome, report.longrepr = "passed", None
    return report
"""
EXCUSES_ITERATIONS = (
    "import pytest\ndef test_a(repro):\n    if repro.iteration > 1:\n        pytest.xfail('known')\n"
)
FROM_A_CACHE = """
import pytest

def pytest_runtest_protocol(item, nextitem):
    for when in ("setup", "call", "teardown"):
        report = pytest.TestReport(item.nodeid, item.location, {}, "passed", None, when)
        item.ihook.pytest_runtest_logreport(report=report)
    return True
"""
DESELECTS_IN_RUN_2 = (
    COUNTER
    + """
count.write_text(str(run))

def pytest_collection_modifyitems(config, items):
    if run == 2:
        config.hook.pytest_deselected(items=[items.pop()])
"""
)
CHANGES_STATUS = "def pytest_sessionfinish(session):\n    session.exitstatus = {status}\n"
TWO = "def test_a():\n    pass\ndef test_b():\n    pass\n"

SCENARIOS = (
    Scenario(
        name="all runs pass",
        tests=PASSES,
        line="stable: 2 of 2 runs passed: a failure rate above 78 % is ruled out at*",
        status=0,
    ),
    Scenario(
        name="one run fails",
        tests=FAILS_IN_RUN_2,
        line="unstable: 1 run of 2 failed, 1 of 2 runs passed",
        status=1,
    ),
    Scenario(
        name="every run fails",
        tests=FAILS,
        line="unstable: 1 run of 1 failed, 0 of 2 runs passed",
        status=1,
    ),
    Scenario(
        name="a fixture fails at its end", tests=TEARDOWN_FAILS, line="run 1: *::test_a error", status=1
    ),
    Scenario(
        name="one iteration of a stress run inside fails",
        tests="def test_a(repro):\n    assert repro.iteration != 17\n",
        arguments=("--repro-stress=30",),
        line="run 1: *::test_a failed in 1 of 30 iterations",
        status=1,
    ),
    Scenario(
        name="a test fails and a plugin says 0",
        tests=FAILS,
        conftest=CHANGES_STATUS.format(status=0),
        line="unstable: 1 run of 1 failed, 0 of 2 runs passed",
        status=1,
    ),
    Scenario(
        name="a worker of xdist dies in a test",
        tests=WORKER_LOST + "def test_b():\n    pass\n",
        arguments=("-n2", "--dist=each"),
        line="run 1: *::test_a crash",
        status=1,
    ),
    Scenario(name="all tests skipped", tests=SKIPS, line="run 1 skipped all of its 1 tests", status=6),
    Scenario(name="nothing collected", tests="", line="run 1 collected no test", status=5),
    Scenario(
        name="a test skipped in one run",
        tests=SKIPS_IN_RUN_2,
        line="run 2 skipped *::test_a, which other runs executed",
        status=6,
    ),
    Scenario(
        name="a subtest skipped in one run",
        tests=SUBTEST_SKIPPED_IN_RUN_2,
        line="run 2 skipped parts of *::test_a that other runs executed: *part=*1*",
        status=6,
        needs_pytest=(9, 0),
    ),
    Scenario(
        name="a test gone in one run",
        tests=GONE_IN_RUN_2,
        line="run 2 lacks *::test_a, which other runs executed",
        status=6,
    ),
    Scenario(
        name="a test deselected in one run",
        tests=TWO,
        conftest=DESELECTS_IN_RUN_2,
        line="run 2 deselected *::test_b, which other runs executed",
        status=6,
    ),
    Scenario(
        name="a failure excused (xfail) in one run",
        tests=EXCUSED_IN_RUN_2,
        line="run 2 excused *::test_a (xfail), which passed in other runs",
        status=6,
    ),
    Scenario(
        name="some iterations of a stress run inside excused (xfail)",
        tests=EXCUSES_ITERATIONS,
        arguments=("--repro-stress=30",),
        line="run 1 excused 29 of 30 iterations of *::test_a (xfail), which passed in others",
        status=6,
    ),
    Scenario(
        name="nothing but excused failures (xfail)",
        tests=EXCUSED,
        line="run 1 has only tests that failed as expected (xfail): nothing passed",
        status=6,
    ),
    Scenario(
        name="a test rescued by a rerun",
        tests=FAILS_FIRST,
        conftest=RESCUES,
        line="run 1 passed only because of a rerun of *::test_a",
        status=6,
    ),
    Scenario(
        name="a fixture rescued by a rerun",
        tests=SETUP_FAILS_FIRST,
        conftest=RESCUES,
        line="run 1 passed only because of a rerun of *::test_a",
        status=6,
    ),
    Scenario(
        name="a failure that a plugin reports as passed",
        tests=FAILS,
        conftest=SWALLOWS,
        line="run 1 reports as passed what failed: *::test_a",
        status=6,
    ),
    Scenario(
        name="a test passed from a cache, without a call",
        tests=PASSES,
        conftest=FROM_A_CACHE,
        line="run 1 reports as passed without having called it: *::test_a",
        status=6,
    ),
    Scenario(
        name="a session ended early with status 0",
        tests=LEAVES,
        line="run 1 collected and never ran *::test_b",
        status=6,
    ),
    Scenario(
        name="a test interrupts the session",
        tests=INTERRUPTED,
        line="run 1 was interrupted (exit status 2)",
        status=6,
    ),
    Scenario(
        name="a file that cannot be collected", tests=BROKEN, line="run 1 could not collect *.py", status=6
    ),
    Scenario(
        name="the process ends without a word",
        tests=DIES,
        line="run 1 ended with exit status 0 and left no report",
        status=6,
    ),
    Scenario(
        name="the process dies after its session",
        tests=DIES_AT_ITS_END,
        line="run 1 shows no failing test but ended with exit status 3",
        status=6,
    ),
    Scenario(
        name="all tests pass and a plugin says 1",
        tests=PASSES,
        conftest=CHANGES_STATUS.format(status=1),
        line="run 1 shows no failing test but ended with exit status 1",
        status=6,
    ),
    Scenario(
        name="an option that pytest does not know",
        tests=PASSES,
        arguments=("--no-such-option",),
        line="run 1 ended with exit status 4 and left no report",
        status=4,
    ),
)
