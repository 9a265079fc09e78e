"""What is said of a reproduction's test: which form it has and why, and what it was seen to do."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pytest_repro.scaffold.proof import Proof, Tried
from pytest_repro.scaffold.render import Safe, one_line
from pytest_repro.scaffold.trial import Result, Trial

NOT_RUN = "not run (--no-run)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Findings:
    """What a proof has shown, in words.

    Attributes:
        form: The form that was taken.
        reasons: Why narrower ones were not: they cannot be written, or do something else.
        proof: What the form did when it was run.
        here: The failure that it showed instead of the known one; None where it showed none.
        result: What came of the run, in one word for templates: `same`, `other`, `passed` or `unknown`; None
            where nothing was run.
        interpreter: What ran it in the place of the folder's own interpreter; None where that one did.
    """

    form: Safe
    reasons: tuple[str, ...] = ()
    proof: str = NOT_RUN
    here: str | None = None
    result: Safe | None = None
    interpreter: str | None = None


def findings_of(proof: Proof, reasons: Sequence[str]) -> Findings:
    """Puts what was shown into words.

    Args:
        proof: What was shown.
        reasons: Why narrower forms could not be written.
    """
    trial = proof.trial
    return Findings(
        form=Safe(proof.chosen.kind.value),
        reasons=(*map(one_line, reasons), *map(_passed_over, proof.passed_over)),
        proof=trial_words(trial) if trial is not None else NOT_RUN,
        here=one_line(trial.signature.title)
        if trial is not None and trial.signature and trial.differs
        else None,
        result=Safe(trial.result.name.lower()) if trial is not None else None,
        interpreter=trial.interpreter if trial is not None else None,
    )


def _passed_over(tried: Tried) -> str:
    return f"not {tried.form.kind.value}: it {trial_words(tried.trial)}"


def trial_words(trial: Trial) -> str:
    """Says what came of a trial."""
    if trial.result is Result.UNKNOWN:
        return f"{trial.result.value}: {one_line(trial.reason)}"
    if trial.iterations is not None:
        times = f"{trial.iterations} iteration{'' if trial.iterations == 1 else 's'}"
        if trial.result is Result.PASSED:
            return f"did not fail in {times}"
        return f"{_failing_words(trial)} within {times}"
    return str(trial.result.value) if trial.result is Result.PASSED else _failing_words(trial)


def _failing_words(trial: Trial) -> str:
    if trial.result is Result.OTHER:
        return f"{trial.result.value}: another {', '.join(trial.differs)}"
    numbers = ", with other numbers in its message" if trial.has_other_numbers else ""
    return f"{trial.result.value}{numbers}"
