"""What may be behind a failure, from what its log says: questions to be answered, none of them an answer."""

from __future__ import annotations

import re
from collections.abc import Iterator

from pytest_repro.logs.records import CiFailure, LogReport
from pytest_repro.model import Outcome, Stage
from pytest_repro.scaffold.facts import Fact
from pytest_repro.scaffold.render import Safe

_BY_OUTCOME = {
    Outcome.CRASH: "Native code ended its process: `--repro-isolate` and `-X faulthandler` show where",
    Outcome.TIMEOUT: "It waits for something that does not come, or is slow: what was it doing at its limit",
    Outcome.HANG: "It waits for something that does not come: which lock, process, device or reply is it",
}
_BY_EXCEPTION: tuple[tuple[re.Pattern[str], str], ...] = (
    (
        re.compile(r"ModuleNotFoundError|ImportError"),
        "Something that it imports is missing, or of another version: compare what is installed with CI's",
    ),
    (
        re.compile(r"(?:FileNotFound|NotADirectory|Permission|IsADirectory|FileExists)Error"),
        "A file is not there: is it the working directory, or something that an earlier step makes",
    ),
    (
        re.compile(r"Connection\w*Error|gaierror|\w*ConnectError|URLError|BrokenPipeError"),
        "Nothing answers at that address: is it a service that CI starts, a port in use, or the network",
    ),
    (
        re.compile(r"\w*Timeout\w*|\w*TimeLimit\w*"),
        "Something took too long: is it slow, or does it hang",
    ),
    (
        re.compile(r"MemoryError|OutOfMemoryError"),
        "Memory ran out: of this test alone, or of all that run beside it",
    ),
    (
        re.compile(r"Unicode\w+Error"),
        "A text is not in the encoding that it is read in: compare locale and PYTHONUTF8 with CI's",
    ),
    (
        re.compile(r"AssertionError|Failed|.*ComparisonError"),
        "The value is wrong, or the expectation is: which of them changed last (`git log -p` on both)",
    ),
    (
        re.compile(r"TypeError|AttributeError|KeyError|IndexError|ValueError|NameError|ZeroDivisionError"),
        "A value is not what the code takes it for: where was it made, and since when is it so",
    ),
    (re.compile(r"\w*Warning"), "A warning counts as an error: which version began to give it"),
)
_STAGES = {
    Stage.SETUP: "It failed before the test's own lines: the cause is in a fixture or in what that needs",
    Stage.TEARDOWN: "It failed after the test's own lines: the cause is in what clears up or was left",
}


def hypotheses_of(failure: CiFailure, report: LogReport, *, is_flaky: bool) -> Iterator[Fact]:
    """Yields questions about the cause of a failure, those that the log answers best first.

    Args:
        failure: The failure.
        report: Of the log that it is in.
        is_flaky: Whether it is taken for one that comes and goes.
    """
    yield from _of_the_error(failure)
    yield from _of_the_places(failure)
    yield from _of_the_others(failure, report)
    if is_flaky:
        yield Fact(
            label=Safe(
                "It comes and goes: does it need an order of tests, a moment, a seed, a load or a device "
                "(`--repro-order`, `--repro-seed`, `-n`; the stress run's summary names patterns)"
            ),
            value="",
        )


def _of_the_error(failure: CiFailure) -> Iterator[Fact]:
    name = (failure.exception or "").rpartition(".")[2]
    told = _BY_OUTCOME.get(failure.outcome) or next(
        (text for pattern, text in _BY_EXCEPTION if pattern.fullmatch(name)), None
    )
    if told is not None:
        shown = ": ".join(part for part in (failure.exception, failure.message) if part)
        yield Fact(label=Safe(told), value=shown)
    stage = _STAGES.get(failure.stage) if failure.stage is not None else None
    if stage is not None:
        yield Fact(label=Safe(stage), value="")


def _of_the_places(failure: CiFailure) -> Iterator[Fact]:
    place, test_place = failure.place, failure.test_place
    if place is not None:
        is_in_test = test_place is None or (place.file, place.line) == (test_place.file, test_place.line)
        where = "It shows in the test itself" if is_in_test else "It shows there, and may arise before"
        function = f" in {place.function}" if place.function else ""
        yield Fact(label=Safe(where), value=f"{place.file}:{place.line}{function}")
        if test_place is not None and not is_in_test:
            label = Safe("The test gets there from this line: what does it hand in")
            yield Fact(label=label, value=f"{test_place.file}:{test_place.line}")


def _of_the_others(failure: CiFailure, report: LogReport) -> Iterator[Fact]:
    others = [one for one in report.failures if one is not failure]
    function, bracket, _ = failure.nodeid.partition("[")
    sets = [one.nodeid for one in others if bracket and one.nodeid.startswith(f"{function}[")]
    if sets:
        label = Safe("Further sets of parameters of this test failed: what have they in common")
        yield Fact(label=label, value=f"{len(sets)}, such as {sets[0]}")
    alike = [
        one
        for one in others
        if one.exception == failure.exception and _file(one) == _file(failure) and _file(one) is not None
    ]
    alike = [one for one in alike if one.nodeid not in sets]
    if alike:
        label = Safe("Other tests failed with the same exception in the same file: is it one cause")
        yield Fact(label=label, value=f"{len(alike)}, such as {alike[0].nodeid}")


def _file(failure: CiFailure) -> str | None:
    return failure.place.file if failure.place is not None else None
