"""The proof of a reproduction: its forms are run, the narrowest first, until one fails as CI did."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from pytest_repro.scaffold.forms import Form, FormKind
from pytest_repro.scaffold.signatures import Known
from pytest_repro.scaffold.trial import Result, Trial, try_folder
from pytest_repro.scaffold.write import PlannedFile, write_folder

LIMIT_S = 120.0
"""A form that has not ended after that is not waited for."""

STRESS_S = 20
"""A test that does not always fail is stressed for so long."""

TryForm = Callable[[Form], Trial]


@dataclass(frozen=True, slots=True, kw_only=True)
class Tried:
    """A form and what came of it."""

    form: Form
    trial: Trial


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """What the forms have shown.

    Attributes:
        chosen: The form that is taken.
        trial: What came of it; None where nothing was run.
        passed_over: Narrower forms that were not taken, each with what came of it.
    """

    chosen: Form
    trial: Trial | None = None
    passed_over: tuple[Tried, ...] = ()


def proved(forms: Sequence[Form], try_form: TryForm) -> Proof:
    """Tries forms in order, and takes the first that fails as CI did.

    One whose message has other numbers is taken only if the original test, where it stands, has others too.
    Where none fails as CI did, the widest form that could be tried tells how the original test does here, and
    the narrowest one that does the same is taken: then it is not the form that makes the difference.
    """
    tried: list[Tried] = []
    for form in forms:
        trial = try_form(form)
        tried.append(Tried(form=form, trial=trial))
        if (trial.result is Result.SAME and not trial.has_other_numbers) or _is_enough(trial):
            return _taken(tried, len(tried) - 1)
        if form.kind is FormKind.IN_PLACE and trial.result is not Result.UNKNOWN:
            break
    same = [index for index, each in enumerate(tried) if each.trial.result is Result.SAME]
    if same:
        return _taken(tried, same[0])
    original = next((index for index, each in enumerate(tried) if each.form.kind is FormKind.IN_PLACE), None)
    if original is not None and all(each.trial.result is Result.UNKNOWN for each in tried[original:]):
        # What a narrower form did here says nothing as long as the test itself cannot be tried.
        is_any = any(each.trial.result is not Result.UNKNOWN for each in tried)
        return _taken(tried, original if is_any else 0)
    widest = next((each for each in reversed(tried) if each.trial.result is not Result.UNKNOWN), tried[0])
    alike = [index for index, each in enumerate(tried) if _agree(each.trial, widest.trial)]
    return _taken(tried, alike[0])


def _is_enough(trial: Trial) -> bool:
    """A test that does not always fail need not do so in a short time."""
    return trial.result is Result.PASSED and bool(trial.iterations)


def _agree(one: Trial, other: Trial) -> bool:
    return (one.result, one.signature, one.differs) == (other.result, other.signature, other.differs)


def _taken(tried: Sequence[Tried], index: int) -> Proof:
    return Proof(
        chosen=tried[index].form,
        trial=tried[index].trial,
        passed_over=tuple(tried[:index]),
    )


def try_in_scratch(
    form: Form,
    known: Known,
    *,
    files: Callable[[Form], Sequence[PlannedFile]],
    folder: Path,
    source: Path,
) -> Trial:
    """Writes a form beside where its folder is going to be, and runs it there.

    Args:
        form: The form.
        known: What is known of the failure.
        files: Plans the files of the reproduction.
        folder: Where the reproduction is going to be.
        source: Root of the source under test.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{folder.name}.", dir=folder.parent) as scratch:
        draft = Path(scratch, folder.name)
        write_folder(draft, files(form))
        environment = {**os.environ, "REPRO_SOURCE": str(source)}
        short = (f"--repro-stress-time={STRESS_S}s",) if known.is_flaky else ()
        return try_folder(draft, known, arguments=short, environment=environment, limit_s=LIMIT_S)
