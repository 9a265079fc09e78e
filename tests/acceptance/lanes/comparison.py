"""Runs the same tests in two lanes, and without a stress run at all, and says what differs."""

from __future__ import annotations

import difflib
import fcntl
import json
import os
import pickle
import re
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Set
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from operator import itemgetter
from pathlib import Path
from textwrap import dedent
from typing import Any, TypeVar

import pytest

from tests.acceptance.lanes.recorded import (
    Recorded,
    read_events,
    read_junit,
    read_session,
    read_showing_pytest,
)
from tests.acceptance.sessions import LIMIT_S

Made = TypeVar("Made")

ITERATIONS = 3
STRESS = ("--repro-seed", "1", "--junitxml=junit.xml", "-rA")

OTHER_PLUGINS = frozenset({"hypothesispytest", "randomly", "rerunfailures", "asyncio", "anyio", "pytest_cov"})
"""They may be installed here and not there; a session is started without those that it is not about."""

needs_fast_lane = pytest.mark.skipif(
    pytest.version_tuple < (8, 4), reason="before pytest 8.4 its own plugins ask for the full lane"
)

INI = """
[pytest]
addopts = -p events
junit_family = xunit1
junit_logging = all
"""

EVENTS = '''
"""A plugin by which tests and fixtures note what they do, in all lanes and without a stress run."""

import os
from pathlib import Path

LOG = Path(__file__).with_name("events.log")
WORDS = ("nothing", "one", "two", "three", "four", "five", "six")

_config = None


def pytest_configure(config):
    global _config
    _config = config


def iteration():
    """Returns the number of the iteration, 1 where there are none."""
    from pytest_repro.plugin.capabilities import CAPABILITIES

    capabilities = _config.stash.get(CAPABILITIES, None)
    return 1 if capabilities is None else capabilities._current.iteration


def word():
    """Returns the number in letters: a failure that tells it is another bug in each iteration."""
    return WORDS[iteration()]


def note(*words):
    line = [str(iteration()), os.environ.get("PYTEST_CURRENT_TEST", "-"), " ".join(map(str, words))]
    file = os.open(LOG, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(file, ("\\t".join(line).replace("\\n", " ") + "\\n").encode())
    os.close(file)
'''

# Stands in for the plugin where it is taken out.
PLAIN = """
import json
from pathlib import Path
from types import SimpleNamespace

import pytest

OUTCOMES = {}


@pytest.fixture
def repro():
    return SimpleNamespace(iteration=1)


def pytest_runtest_logreport(report):
    if OUTCOMES.setdefault(report.nodeid, "skipped") in ("failed", "error"):
        return
    if report.failed:
        OUTCOMES[report.nodeid] = "failed" if report.when == "call" else "error"
    elif report.skipped:
        OUTCOMES[report.nodeid] = "xfailed" if hasattr(report, "wasxfail") else "skipped"
    elif report.when == "call":
        OUTCOMES[report.nodeid] = "xpassed" if hasattr(report, "wasxfail") else "passed"


def pytest_sessionfinish():
    Path(__file__).with_name("outcomes.json").write_text(json.dumps(OUTCOMES))
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Project:
    """A project to be tested, and how.

    Attributes:
        sources: Text by file name.
        arguments: Of pytest, beside those of every comparison.
        ini: More lines of the ini file.
        plugins: Entry points among `OTHER_PLUGINS` that stay.
        iterations: Of each test.
    """

    sources: Mapping[str, str]
    arguments: tuple[str, ...] = ()
    ini: str = ""
    plugins: frozenset[str] = frozenset()
    iterations: int = ITERATIONS

    def write(self, folder: Path) -> None:
        """Makes the files."""
        sources = {
            "pytest.ini": INI + dedent(self.ini),
            "events.py": EVENTS,
            "plain.py": PLAIN,
            **self.sources,
        }
        for name, text in sources.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(dedent(text).lstrip("\n"), encoding="utf-8")

    def run(self, folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Runs pytest in this folder, in a process of its own."""
        return subprocess.run(
            [sys.executable, "-m", "pytest", *self.arguments, *arguments],
            cwd=folder,
            env=self._environment(folder),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            errors="backslashreplace",
            check=False,
            timeout=LIMIT_S,
        )

    def _environment(self, folder: Path) -> dict[str, str]:
        kept = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith("PYTEST_") and name not in ("CI", "BUILD_NUMBER", "PYTHONWARNINGS")
        }
        temporary = folder / "temporary"
        temporary.mkdir()
        return kept | {
            "PYTEST_ADDOPTS": " ".join(f"-p no:{name}" for name in sorted(OTHER_PLUGINS - self.plugins)),
            "PYTEST_DEBUG_TEMPROOT": str(temporary),
            # Nothing must depend on the order of sets or of two streams, or on the terminal's size.
            "PYTHONHASHSEED": "0",
            "PYTHONUNBUFFERED": "1",
            "PY_COLORS": "0",
            "COLUMNS": "500",
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """Something that one lane does and the other does not.

    Attributes:
        file: The file whose tests differ, "" if the session as a whole does.
        what: Test and kind of result.
        text: Both, as lines of a diff.
    """

    file: str
    what: str
    text: str

    def __str__(self) -> str:
        return f"{self.what}\n{self.text}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """Two sessions with the same tests.

    Attributes:
        expected: In the first lane.
        got: In the second lane.
    """

    expected: Recorded
    got: Recorded

    def differences(self, *, is_ordered: bool = True) -> tuple[Difference, ...]:
        """Returns everything in which the two differ.

        Args:
            is_ordered: Whether the order of iterations, tests and lines must be the same too. With workers it
                is not, and neither is which iteration fails first.
        """
        expected, got = self.expected, self.got
        if not is_ordered:
            expected, got = _unordered(expected), _unordered(got)
        return tuple(_differences(expected, got))

    def differences_of(self, file: str) -> list[Difference]:
        """Returns what differs for the tests of one file, or with "" for the session as a whole."""
        return [difference for difference in self.differences() if difference.file == file]


@dataclass(frozen=True, slots=True, kw_only=True)
class Plain:
    """A session without a stress run.

    Attributes:
        outcomes: By node id.
        events: What tests and fixtures noted.
        junit: Test cases of the JUnit XML file, by file.
        showing_pytest: Names of test cases whose tracebacks show pytest's own way to the test, by file.
    """

    outcomes: Mapping[str, str]
    events: tuple[tuple[str, ...], ...]
    junit: Mapping[str, tuple[str, ...]]
    showing_pytest: Mapping[str, tuple[str, ...]]


def compare(folder: Path, project: Project, *, lanes: tuple[str, str] = ("full", "fast")) -> Comparison:
    """Runs a project in two lanes, each in a fresh folder.

    Args:
        folder: Where the folders are made.
        project: Tests and options.
        lanes: Values of `--repro-lane`.
    """
    with ThreadPoolExecutor() as executor:
        expected, got = executor.map(lambda lane: run_lane(folder, project, lane), lanes)
    return Comparison(expected=expected, got=got)


def made_once(factory: pytest.TempPathFactory, name: str, make: Callable[[], Made]) -> Made:
    """Makes something that is dear once, also where several workers of xdist ask for it.

    Args:
        factory: Of this process.
        name: Of what is made.
        make: Makes it; it can be pickled.
    """
    if "PYTEST_XDIST_WORKER" not in os.environ:
        return make()
    shared = factory.getbasetemp().parent
    kept = shared / f"{name}.pickle"
    with (shared / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not kept.exists():
            kept.write_bytes(pickle.dumps(make()))
        made: Made = pickle.loads(kept.read_bytes())
    return made


def run_lane(folder: Path, project: Project, lane: str) -> Recorded:
    """Runs a project once, in a fresh folder with the name of the lane."""
    own = folder / lane
    project.write(own)
    return read_session(
        own, project.run(own, *STRESS, "--repro-stress", str(project.iterations), "--repro-lane", lane)
    )


def run_plain(folder: Path, project: Project) -> Plain:
    """Runs a project as if pytest-repro was not there."""
    own = folder / "none"
    project.write(own)
    done = project.run(own, "-p", "no:repro", "-p", "plain", "--junitxml=junit.xml")
    outcomes = own / "outcomes.json"
    assert outcomes.exists(), done.stdout + done.stderr
    return Plain(
        outcomes=json.loads(outcomes.read_text(encoding="utf-8")),
        events=read_events(own),
        junit=read_junit(own),
        showing_pytest=read_showing_pytest(own),
    )


def differences_from_plain(plain: Plain, got: Recorded, file: str) -> list[str]:
    """Says which iterations of the tests of a file end in another way than the test does by itself.

    Each iteration must have the outcome of the test. Iteration 1 notes what the test notes, in its order,
    except what is torn down later; the other iterations note more.
    """
    found = [
        f"{test} is {outcome}, its iterations are {got.iterations.get(test)}"
        for test, outcome in plain.outcomes.items()
        if file_of(test) == file and got.iterations.get(test) != (outcome,) * ITERATIONS
    ]
    alone = [event[1:] for event in plain.events if file_of(event[1]) == file]
    repeated = [event for event in got.events if file_of(event[1]) == file]
    missing = set(alone) - {event[1:] for event in repeated}
    if missing:
        found.append("in no iteration:\n" + "\n".join(_event_lines(sorted(missing))))
    first = [event[1:] for event in repeated if event[0] == "1"]
    rest = iter(alone)
    if not all(event in rest for event in first):
        found.append(f"iteration 1 notes other things:\n{_diff(_event_lines(alone), _event_lines(first))}")
    # A failing test shows its first failure, which is of iteration 1, another one its last iteration.
    reports = [_any_word("\n".join(each.junit.get(file, ()))) for each in (plain, got)]
    if reports[0] != reports[1]:
        found.append(f"other reports:\n{_diff(*reports)}")
    showing = [each.showing_pytest.get(file, ()) for each in (plain, got)]
    if showing[0] != showing[1]:
        found.append(f"other tracebacks begin inside pytest:\n{_diff(*showing)}")
    return found


def _any_word(text: str) -> str:
    return re.sub(r"\b(?:one|two|three)\b", "<word>", text)


def listed(differences: Iterable[Difference]) -> str:
    """Returns differences as a text, one below the other."""
    return "\n\n".join(map(str, differences))


def file_of(test: str) -> str:
    """Returns the file of a node id."""
    return test.partition("::")[0]


def _differences(expected: Recorded, got: Recorded) -> Iterator[Difference]:
    for field in ("status", "errors", "summary", "terminal"):
        one, other = getattr(expected, field), getattr(got, field)
        if one != other:
            yield Difference(file="", what=field, text=_diff(one, other))
    if list(expected.tests) != list(got.tests):
        yield Difference(file="", what="order", text=_diff(list(expected.tests), list(got.tests)))
    for field in ("tests", "iterations", "failures", "junit"):
        one, other = getattr(expected, field), getattr(got, field)
        for test in dict.fromkeys((*one, *other)):
            if one.get(test) != other.get(test):
                text = _diff(one.get(test), other.get(test))
                yield Difference(file=file_of(test), what=f"{test}: {field}", text=text)
    for file in dict.fromkeys(file_of(event[1]) for event in (*expected.events, *got.events)):
        one, other = (
            [event for event in each.events if file_of(event[1]) == file] for each in (expected, got)
        )
        if one != other:
            text = _diff(_event_lines(one), _event_lines(other))
            yield Difference(file=file, what=f"{file}: events", text=text)


def _unordered(recorded: Recorded) -> Recorded:
    first = {"first_failure", "worker"}
    return replace(
        recorded,
        terminal=(),
        summary={name: value for name, value in recorded.summary.items() if name not in {"bugs", "timing"}},
        tests={test: _without(record, first) for test, record in sorted(recorded.tests.items())},
        failures={test: _failures_in_order(records) for test, records in recorded.failures.items()},
        junit={file: tuple(sorted(cases)) for file, cases in recorded.junit.items()},
        events=tuple(sorted(recorded.events)),
    )


def _failures_in_order(records: Iterable[Mapping[str, Any]]) -> tuple[Mapping[str, Any], ...]:
    """Each process has told the text of its own first failure; which of them came first has its text kept."""
    texts = {record["text"] for record in records if record["text"]}
    facts = [_without(record, {"text", "text_left_out", "worker"}) for record in records]
    return (*sorted(facts, key=itemgetter("iteration")), {"texts": sorted(texts)})


def _without(record: Mapping[str, Any], names: Set[str]) -> dict[str, Any]:
    return {name: value for name, value in record.items() if name not in names}


def _diff(one: object, other: object) -> str:
    lines = difflib.unified_diff(_as_lines(one), _as_lines(other), "expected", "got", lineterm="", n=3)
    return "\n".join(list(lines)[2:])


def _event_lines(events: Iterable[tuple[str, ...]]) -> list[str]:
    return [" | ".join(event) for event in events]


def _as_lines(value: object) -> list[str]:
    if isinstance(value, str):
        return value.splitlines()
    if isinstance(value, list | tuple):
        return [line for each in value for line in _as_lines(each)]
    if isinstance(value, Mapping):
        return [f"{name}: {line}" for name, each in value.items() for line in _as_lines(each) or [""]]
    return [str(value)]
