"""What a log says of a failure, as facts for people, and what of its machine is not here."""

from __future__ import annotations

from pytest_repro.logs.records import CiFailure, Found, LogReport, Times, ToldFact
from pytest_repro.model import Frame, Outcome
from pytest_repro.scaffold.facts import Fact
from pytest_repro.scaffold.render import Safe, one_line

_HARDWARE = frozenset(
    {"MESH_DEVICE", "ARCH_NAME", "CUDA_VISIBLE_DEVICES", "TT_VISIBLE_DEVICES", "WH_ARCH_YAML"}
)


def error_of(failure: CiFailure | None) -> str | None:
    """Returns exception and message as pytest prints them, None where the log shows neither."""
    if failure is None:
        return None
    return ": ".join(part for part in (failure.exception, failure.message) if part) or None


_OUTCOME_WORDS = {
    Outcome.FAILED: "failed",
    Outcome.ERROR: "error",
    Outcome.CRASH: "crashed its process",
    Outcome.TIMEOUT: "ran into a timeout",
    Outcome.HANG: "did not come back",
}


def facts_of(report: LogReport, failure: CiFailure | None) -> list[Fact]:
    """Returns what the log, and who told of the run beside it, say of a failure."""
    session = report.session
    facts = [
        _fact("Job", session.job),
        _fact("Step", session.step),
        _fact("Command", session.command),
        _fact("Working directory", session.directory),
        *_times_facts("Job", session.job_times),
        *_times_facts("Step", session.step_times),
    ]
    if failure is not None:
        stage = f" in {failure.stage.value}" if failure.stage else ""
        facts += [
            Fact(label=Safe("Test"), value=failure.nodeid, line=failure.line),
            Fact(label=Safe("Outcome"), value=_OUTCOME_WORDS[failure.outcome] + stage),
            _text_fact("Error", error_of(failure)),
            _text_fact("Place", _place(failure.place)),
            _text_fact("Place in the test", _place(failure.test_place)),
            _text_fact("xdist worker", failure.worker),
            _text_fact("Subtest", failure.subtest),
            _example_fact(failure),
            _fact("Hypothesis comes back to it by", failure.blob),
        ]
    else:
        facts.append(Fact(label=Safe("Outcome of the run"), value=report.outcome.value))
        facts += [_fact("Signal", signal) for signal in report.signals[:5]]
    facts += [
        _fact("Python", session.python),
        _fact("pytest", session.pytest),
        _fact("Platform", session.platform),
        _fact("Plugins", session.plugins),
        _fact("Timeout", session.timeout),
        _fact("Root folder", session.rootdir),
        _fact("Commit", report.commit),
        _fact("Summary", session.summary),
        *(_told_fact(one) for one in report.told),
    ]
    return [fact for fact in facts if fact is not None]


def _times_facts(label: str, times: Times | None) -> list[Fact | None]:
    if times is None:
        return []
    return [_fact(f"{label} began", times.first), _fact(f"{label} ended", times.last)]


def _example_fact(failure: CiFailure) -> Fact | None:
    if not failure.example:
        return None
    value = ", ".join(f"{one.name}={one.value}" for one in failure.example)
    return Fact(label=Safe("Falsifying example"), value=value, line=failure.example[0].line)


def _told_fact(told: ToldFact) -> Fact:
    return Fact(label=Safe(one_line(told.teller)), value=f"{told.label}: {told.value}")


def _fact(label: str, found: Found | None) -> Fact | None:
    return Fact(label=Safe(label), value=found.value, line=found.line) if found else None


def _text_fact(label: str, value: str | None) -> Fact | None:
    return Fact(label=Safe(label), value=value) if value else None


def _place(frame: Frame | None) -> str | None:
    return f"{frame.file}:{frame.line}" if frame else None


def missing_of(report: LogReport) -> list[Fact]:
    """What of the CI machine is not here."""
    facts = [
        Fact(
            label=Safe("The CI machine's image. Used instead: this machine"),
            value=image.value,
            line=image.line,
        )
        for image in report.runner_image
    ]
    facts += [
        Fact(
            label=Safe("Hardware named by the log. Used instead: the devices of this machine"),
            value=f"{one.name}={one.value}",
            line=one.line,
        )
        for one in report.session.variables
        if one.name in _HARDWARE and one.value
    ]
    platform = report.session.platform
    if platform is not None:
        facts.append(
            Fact(
                label=Safe("Platform. Used instead: this machine's"), value=platform.value, line=platform.line
            )
        )
    return facts
