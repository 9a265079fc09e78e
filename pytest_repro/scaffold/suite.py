"""The call of pytest or unittest in a workflow as something that a reproduction can run."""

from __future__ import annotations

import posixpath
import re

from pytest_repro.logs.secret_shapes import mask_shapes
from pytest_repro.logs.secrets import is_secret
from pytest_repro.logs.workflow.records import Text, WorkflowFacts
from pytest_repro.logs.workflow.scope import WORKSPACE
from pytest_repro.logs.workflow.scripts import split_prefix
from pytest_repro.scaffold.arguments import (
    Arguments,
    Left,
    is_outside,
    parted_call,
    read_arguments,
    read_unittest_arguments,
    relative_to_checkout,
)
from pytest_repro.scaffold.facts import Fact, Suite
from pytest_repro.scaffold.render import Safe, short_line

_SHELLS = re.compile(r"(?:\S*/)?(?:bash|sh)(?:\s.*)?", re.DOTALL)
_UNITTEST = re.compile(r"\s-m\s+unittest(?=\s|$)")
_CALLER = re.compile(r"(?:(?:\S*/)?python[\d.]*(?:\.exe)?\s+(?:-\w+\s+)*-m)?")
_OF_THE_CHECKOUT = ("GITHUB_WORKSPACE", "PWD")
_MINUTES = re.compile(r"\d{1,5}(?:\.\d+)?")
_DEFAULT_MINUTES = 360.0
"""So long GitHub lets a job run that says nothing of it."""


def suite_of(facts: WorkflowFacts) -> Suite | None:
    """Makes what the workflow runs into a command; None where it calls neither pytest nor unittest."""
    if facts.command is None:
        return None
    command = split_prefix(facts.command)[1].text
    runner, rest = parted_call(command)
    of_unittest = _UNITTEST.search(command) if rest is None else None
    if of_unittest is not None:
        runner, rest = command[: of_unittest.end() - len("unittest")].strip(), command[of_unittest.end() :]
    if rest is None:
        return None
    given = _arguments(facts, facts.command, rest, is_unittest=of_unittest is not None)
    folder, problem = _folder(facts)
    words = tuple(_below(word, folder) for word in given.words)
    to_be_set = [*(one for one in given.left if one.is_open), *problem]
    left = [one for one in given.left if not one.is_open]
    if not _CALLER.fullmatch(runner):
        left.append(Left(text=runner, reason=Safe("the Python that run_test.sh finds is used in its place")))
    return Suite(
        module=Safe("unittest" if of_unittest else "pytest"),
        folder=folder,
        words=words,
        to_be_set=tuple(short_line(one.text) for one in to_be_set),
        left=tuple(_left_fact(one, facts.command) for one in left),
        limit_s=_limit_s(facts),
        command=mask_shapes(facts.command.text),
        line=facts.command.place.line,
        file=facts.command.place.file,
    )


def _arguments(facts: WorkflowFacts, command: Text, rest: str, *, is_unittest: bool) -> Arguments:
    shell = facts.shell.text if facts.shell is not None else _default_shell(facts)
    if not _SHELLS.fullmatch(shell) and re.search(r"[\\'\"`$%^]", rest):
        reason = Safe("its shell reads quotes and variables in a way of its own")
        return Arguments(left=(Left(text=mask_shapes(rest), reason=reason, is_open=True),))
    read = read_unittest_arguments if is_unittest else read_arguments
    return read(rest, variables=_variables(facts), unresolved=command.unresolved)


def _variables(facts: WorkflowFacts) -> dict[str, str]:
    variables = {
        one.name: one.value.text
        for one in facts.env
        if one.value.is_known and not one.is_shell and not is_secret(one.name, one.value.text)
    }
    return {**variables, **dict.fromkeys(_OF_THE_CHECKOUT, WORKSPACE)}


def _default_shell(facts: WorkflowFacts) -> str:
    is_windows = any(one.label == "runner" and "windows" in one.value.text.lower() for one in facts.machine)
    return "pwsh" if is_windows else "bash"


def _folder(facts: WorkflowFacts) -> tuple[str, list[Left]]:
    """Returns the folder below the source, and what is wrong with the one that is asked for."""
    directory = facts.working_directory
    if directory is None:
        return ".", []
    path = posixpath.normpath(relative_to_checkout(directory.text.strip() or "."))
    if directory.is_known and not re.search(r"[$`\\\0]", path) and not is_outside(path):
        return path, []
    reason = Safe("is not known to be below the source")
    text = f"the working directory {mask_shapes(directory.text)}"
    return ".", [Left(text=text, reason=reason, is_open=True)]


def _below(word: str, folder: str) -> str:
    """Names what is in the checkout from the working directory."""
    inner = relative_to_checkout(word)
    return word if inner == word else posixpath.relpath(inner, folder)


def _limit_s(facts: WorkflowFacts) -> int:
    """Seconds that the step may take, else the job, else what GitHub gives every job."""
    known = (one.value for one in facts.timeouts if one.value.is_known)
    minutes = next((float(one.text) for one in known if _MINUTES.fullmatch(one.text)), _DEFAULT_MINUTES)
    return max(1, round(minutes * 60))


def _left_fact(left: Left, command: Text) -> Fact:
    return Fact(label=left.reason, value=left.text, line=command.place.line, file=command.place.file)
