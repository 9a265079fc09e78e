"""What a workflow file says, added to what a log says; where both say something, the log's word counts."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

from pytest_repro.logs.masking import masked
from pytest_repro.logs.records import Found, LogReport, Origin, Variable
from pytest_repro.logs.secret_shapes import mask_shapes
from pytest_repro.logs.secrets import Masker, is_secret
from pytest_repro.logs.workflow.records import Detail, EnvValue, StepFacts, Text, WorkflowFacts
from pytest_repro.logs.workflow.scripts import split_prefix
from pytest_repro.scaffold.arguments import Known, parted_call
from pytest_repro.scaffold.command_options import options_of_command
from pytest_repro.scaffold.context import Reproduction, given_options, is_ours, setting_of, unset_of
from pytest_repro.scaffold.facts import Conflict, Fact, WorkflowPart
from pytest_repro.scaffold.render import Safe
from pytest_repro.scaffold.shell import quote_value
from pytest_repro.scaffold.suite import suite_of

_OPEN = Safe("has a part that the workflow does not say: set it by hand if the failure needs it")
_VERSION = re.compile(r"\d+(?:\.\d+)*")
_TIMEOUT = re.compile(r"--timeout[= ](?P<seconds>[\d.]+)")
_SECONDS = re.compile(r"(?P<seconds>\d+(?:\.\d+)?)s?")
_IMAGE = re.compile(r"(?:Runner )?Image: (?P<image>\S+)")
_RUNNER = re.compile(r"(?:ubuntu|windows|macos)-[\d.]+\S*")
_SECRET_INPUT = re.compile(r"token|passw|secret|api.?key", re.IGNORECASE)
_CALL = re.compile(r"(?:\S*/)?(?:pytest|py\.test)(?:\s+(?P<rest>.*))?$")
_INSTEAD = {
    "runner": "Runner. Used instead: this machine",
    "container": "Container. Used instead: this machine, with the environment that the script finds",
    "service": "Service. Nothing is started in its place: start it by hand if the test needs it",
}


def with_workflow(
    reproduction: Reproduction,
    facts: WorkflowFacts,
    report: LogReport | None,
    *,
    source: str,
    declared: Mapping[str, bool],
) -> Reproduction:
    """Adds what a workflow file says to the plan of a reproduction.

    Args:
        reproduction: The plan.
        facts: What the workflow says of the job.
        report: What the log says, None without a log.
        source: Path from the reproduction's folder to the root of the workflow's repository.
        declared: Options that the conftest files of the test declare, and whether each takes a value.
    """
    suite = suite_of(facts) if reproduction.nodeid is None else None
    logged = frozenset(one.name for one in report.session.variables) if report else frozenset()
    added = [one for one in facts.env if one.name not in logged]
    closed = [_variable(one) for one in added if one.value.is_known or one.value.secrets]
    open_values = [one for one in added if not one.value.is_known and not one.value.secrets]
    known = Known.FOR_ONE_TEST if suite is None else Known.HARMLESS
    options = given_options(closed, known)
    if reproduction.nodeid is not None and facts.command is not None and _has_no_command(report):
        options += options_of_command(facts.command.text, declared)
    # What stands in a variable in plain text stands in steps too.
    masker = Masker(one.value.text for one in facts.env if is_secret(one.name, one.value.text))
    part = WorkflowPart(
        job=facts.job.text,
        facts=tuple(_facts(facts)),
        looked_into=tuple(_text_fact("Looked into", one) for one in facts.looked_into),
        in_plain_text=frozenset(
            one.name for one in added if one.value.is_known and not one.value.secrets and not one.is_shell
        ),
        steps=tuple(map(_step, facts.steps_before)),
        unread=tuple(_text_fact(Safe("not read"), one) for one in facts.unread),
        open=tuple(_open(facts)),
        conflicts=tuple(_conflicts(facts, report)) if report else (),
    )
    return replace(
        reproduction,
        settings=(*reproduction.settings, *filter(None, map(setting_of, closed))),
        secrets=(*reproduction.secrets, *(one for one in closed if one.is_secret and is_ours(one.name))),
        unset=(
            *reproduction.unset,
            *unset_of(closed, known),
            *(_text_fact(_OPEN, one.value, shown=f"{one.name}={one.value.text}") for one in open_values),
        ),
        suite=suite
        and replace(
            suite,
            words=(*(options if suite.module == "pytest" else ()), *suite.words),
            command=masker(suite.command),
        ),
        options=(*reproduction.options, *options),
        source=reproduction.source if suite is None else source,
        missing=(*reproduction.missing, *masked(tuple(map(_missing, facts.machine)), masker)),
        workflow=masked(part, masker),
    )


def _has_no_command(report: LogReport | None) -> bool:
    """Whether a log does not show how pytest was called: no command, or one that calls it in its turn."""
    command = report.session.command if report is not None else None
    return command is None or parted_call(command.value)[1] is None


def _variable(one: EnvValue) -> Variable:
    secret = bool(one.value.secrets) or is_secret(one.name, one.value.text)
    return Variable(
        name=one.name,
        value=None if secret else one.value.text,
        line=one.value.place.line,
        origin=Origin.EXPORT if one.is_shell else Origin.STEP,
        file=one.value.place.file,
    )


def _text_fact(label: str, text: Text, *, shown: str | None = None) -> Fact:
    return Fact(
        label=Safe(label),
        value=mask_shapes(text.text if shown is None else shown),
        line=text.place.line,
        file=text.place.file,
    )


def _detail_fact(label: str, detail: Detail) -> Fact:
    # An input of an action such as `cache-key` holds no secret: fewer names count than for a variable.
    secret = bool(_SECRET_INPUT.search(detail.label)) and detail.value.is_known
    value = "(withheld: it looks secret)" if secret else detail.value.text
    return _text_fact(label, detail.value, shown=f"{detail.label}: {value}")


def _missing(detail: Detail) -> Fact:
    label = _INSTEAD.get(detail.label.partition(" ")[0], "Of the CI machine")
    secret = is_secret(detail.label.replace(" ", "_"), detail.value.text)
    value = "(withheld: it looks secret)" if secret else detail.value.text
    return _text_fact(label, detail.value, shown=f"{detail.label}: {value}")


def _facts(facts: WorkflowFacts) -> Iterator[Fact]:
    yield _text_fact("Job", facts.job)
    for detail in facts.combination:
        yield _detail_fact("Matrix", detail)
    named: tuple[tuple[str, Text | None], ...] = (
        ("Step", facts.step),
        ("Command", facts.command),
        ("Working directory", facts.working_directory),
        ("Shell", facts.shell),
        ("Python", facts.python),
    )
    for label, text in named:
        if text is not None:
            yield _text_fact(label, text)
    for text in facts.other_commands:
        yield _text_fact("Further call of the step", text)
    for text in facts.called:
        yield _text_fact("Called by the step", text)
    for detail in facts.timeouts:
        yield _detail_fact("Timeout in minutes", detail)


def _step(step: StepFacts) -> tuple[Fact, str]:
    label = "maybe, as its condition is not decided here" if step.condition is not None else "run"
    given = [] if step.action is None else [_detail_fact("with", one).value for one in step.details]
    lines = [*given, *(mask_shapes(line.text) for line in step.script)]
    return _text_fact(label, step.title), "\n".join(lines[:100])


def _open(facts: WorkflowFacts) -> Iterator[Fact]:
    for text in facts.conditions:
        yield _text_fact("A condition that the file does not decide", text)
    for detail in facts.assumed:
        yield _detail_fact("An input that was taken at its default", detail)
    for text in facts.notes:
        yield _text_fact("To be known", text)
    for one in (facts.command, facts.working_directory, facts.python, *(t.value for t in facts.timeouts)):
        for expression in one.unresolved if one is not None else ():
            yield Fact(
                label=Safe("An expression that the file does not decide"),
                value=expression,
                line=one.place.line if one else None,
                file=one.place.file if one else None,
            )


def _conflicts(facts: WorkflowFacts, report: LogReport) -> Iterator[Conflict]:
    session = report.session
    if session.job is not None and "…" not in facts.job.text and session.job.value != facts.job.text:
        yield _conflict("job", session.job, facts.job)
    yield from _env_conflicts(facts.env, session.variables)
    if session.command is not None and facts.command is not None and _is_other_call(session.command, facts):
        yield _conflict("command", session.command, facts.command)
    if session.python is not None and facts.python is not None and facts.python.is_known:
        asked = facts.python.text
        if _VERSION.fullmatch(asked) and not f"{session.python.value}.".startswith(f"{asked}."):
            yield _conflict("Python", session.python, facts.python)
    yield from _timeout_conflict(facts, session.timeout)
    yield from _image_conflict(facts, report.runner_image)


def _conflict(label: str, found: Found, text: Text) -> Conflict:
    return Conflict(
        label=label,
        log=found.value,
        log_line=found.line,
        workflow=mask_shapes(text.text),
        file=text.place.file,
        line=text.place.line,
    )


def _env_conflicts(env: Iterable[EnvValue], variables: Iterable[Variable]) -> Iterator[Conflict]:
    logged = {one.name: one for one in variables}
    for one in env:
        other = logged.get(one.name)
        if other is None or other.value is None or other.is_shell or one.is_shell:
            continue
        if one.value.is_known and quote_value(other.value) != quote_value(one.value.text):
            found = Found(value=f"{one.name}={other.value}", line=other.line)
            shown = "(secret)" if is_secret(one.name, one.value.text) else one.value.text
            yield _conflict("variable", found, replace(one.value, text=f"{one.name}={shown}"))


def _is_other_call(logged: Found, facts: WorkflowFacts) -> bool:
    """Says whether the calls differ for certain: what a shell would have expanded may be the same."""
    if facts.command is None or not facts.command.is_known or "$" in facts.command.text:
        return False
    return _words(logged.value, facts.command) != _words(facts.command.text, facts.command)


def _words(command: str, like: Text) -> list[str]:
    call = _CALL.search(split_prefix(replace(like, text=command))[1].text)
    return (call["rest"] or "").split() if call else command.split()


def _timeout_conflict(facts: WorkflowFacts, timeout: Found | None) -> Iterator[Conflict]:
    asked = _TIMEOUT.search(facts.command.text) if facts.command else None
    logged = _SECONDS.match(timeout.value) if timeout else None
    if asked is None or logged is None or timeout is None or facts.command is None:
        return
    if asked["seconds"].rstrip("0").rstrip(".") != logged["seconds"].rstrip("0").rstrip("."):
        yield _conflict("timeout of a test", timeout, replace(facts.command, text=asked[0]))


def _image_conflict(facts: WorkflowFacts, images: Iterable[Found]) -> Iterator[Conflict]:
    runner = next((one.value for one in facts.machine if one.label == "runner"), None)
    for image in images:
        logged = _IMAGE.match(image.value)
        if logged is None or runner is None or not _RUNNER.fullmatch(runner.text):
            continue
        if logged["image"] != runner.text:
            yield _conflict("image", Found(value=logged["image"], line=image.line), runner)
