"""Where `repro-scaffold` runs tests: the proof of a new folder, and the check of one that is there."""

from __future__ import annotations

import shlex
import shutil
import textwrap
from collections.abc import Callable, Iterator, Sequence
from itertools import takewhile
from pathlib import Path

import click

from pytest_repro.scaffold.check import Check, Row, check
from pytest_repro.scaffold.context import Reproduction
from pytest_repro.scaffold.findings import Findings, trial_words
from pytest_repro.scaffold.forms import Form, forms_of
from pytest_repro.scaffold.proof import LIMIT_S, STRESS_S, Proof, proved, try_in_scratch
from pytest_repro.scaffold.render import one_line
from pytest_repro.scaffold.signatures import Known
from pytest_repro.scaffold.trial import Result, Trial
from pytest_repro.scaffold.write import PlannedFile

_LONG_SHARED = 30
_SHOWN_OF_END = 40
_LEAST_WIDTH = 20


def proof_of(
    reproduction: Reproduction,
    folder: Path,
    *,
    files: Callable[[Form], Sequence[PlannedFile]],
    is_run: bool,
) -> tuple[Proof | None, tuple[str, ...]]:
    """Decides how the test of a reproduction runs; tries it, unless that is not wanted.

    Returns:
        What was shown, None where no test is known or its source was not found; and why narrower forms
        were not written.
    """
    if reproduction.nodeid is None or not reproduction.can_run or reproduction.source is None:
        return None, ()
    source = (folder.resolve() / reproduction.source).resolve()
    found = forms_of(source, reproduction.nodeid, reproduction.test_file, options=reproduction.options)
    if not is_run or reproduction.signature is None:
        return Proof(chosen=found.forms[0]), found.reasons
    known = reproduction.signature
    limit = f"a stress of {STRESS_S} s" if reproduction.is_flaky else f"at most {LIMIT_S:.0f} s"
    click.echo(
        f"running {one_line(reproduction.nodeid)} from {source}, {limit} a try (--no-run leaves it out)"
    )

    def try_form(form: Form) -> Trial:
        return try_in_scratch(
            form,
            Known(
                signature=known,
                originals=form.originals,
                is_flaky=reproduction.is_flaky,
                is_child=form.is_child,
                message=reproduction.message,
            ),
            files=files,
            folder=folder,
            source=source,
        )

    return proved(found.forms, try_form), found.reasons


def proof_words(findings: Findings) -> Iterator[str]:
    """Says which form was taken and why, and what it was seen to do."""
    yield f"test: {findings.form}"
    for reason in findings.reasons:
        yield f"  {reason}"
    yield f"proof: {findings.proof}"
    if findings.here is not None:
        yield f"  here: {findings.here}"
    yield from _interpreter_words(findings.interpreter)


def _interpreter_words(interpreter: str | None) -> Iterator[str]:
    if interpreter is not None:
        yield f"  run by {interpreter}, as the folder's own interpreter cannot run it"
        yield f"  for run_test.sh set REPRO_PYTHON={shlex.quote(interpreter)}"


def checked(folder: Path) -> int:
    """Runs a folder, says whether it fails as CI did, and returns the exit status."""
    click.echo(f"running {folder / 'run_test.sh'}")
    answer = check(folder)
    click.echo("\n".join(check_words(answer, width=shutil.get_terminal_size().columns)))
    return answer.exit_status


def check_words(answer: Check, *, width: int) -> Iterator[str]:
    """Says what a check has shown: the two signatures side by side, what differs, and the answer.

    Args:
        answer: The check.
        width: Columns of the terminal; long values go on below themselves.
    """
    trial = answer.trial
    if answer.known is not None:
        for row in answer.rows():
            yield from _row_words(row, width)
    if trial.log is not None:
        yield f"output: {trial.log}"
    yield from _interpreter_words(trial.interpreter)
    yield {
        Result.SAME: "the same failure as in CI",
        Result.OTHER: f"another failure than in CI: another {', '.join(trial.differs)}",
        Result.PASSED: f"not the failure of CI: the test {trial_words(trial)}",
        Result.UNKNOWN: f"cannot tell: {one_line(trial.reason)}",
    }[trial.result]


def _row_words(row: Row, width: int) -> Iterator[str]:
    mark = "!" if row.differs else " "
    recorded, found = (one_line(each) if each is not None else "-" for each in (row.recorded, row.found))
    if recorded == found:
        yield from _hanging(f"{mark} {row.name:<9}  both  ", recorded, width)
        return
    yield from _hanging(f"{mark} {row.name:<9}  CI    ", recorded, width)
    yield from _hanging(f"  {'':<9}  here  ", found, width)
    shared = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(recorded, found, strict=False)))
    if row.differs and shared > _LONG_SHARED:
        # By eye it would have to be looked for.
        ends = (recorded[shared:], found[shared:])
        ci, here = (repr(end[:_SHOWN_OF_END]) if end else "nothing" for end in ends)
        yield from _hanging(
            f"  {'':<9}  from  ", f"character {shared + 1} on: {ci} in CI, {here} here", width
        )


def _hanging(head: str, value: str, width: int) -> Iterator[str]:
    """Yields a value in lines of a terminal, each below the one before; a word that is too long is cut."""
    lines = textwrap.wrap(value, max(width - len(head), _LEAST_WIDTH), break_on_hyphens=False) or [""]
    yield head + lines[0]
    yield from (" " * len(head) + line for line in lines[1:])
