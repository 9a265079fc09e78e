"""The certificate: its sentence, its lines on the terminal, its record for programs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pytest_repro.report.measures import limit_record
from pytest_repro.report.verify import run_record
from pytest_repro.report.words import counted, percent, percent_range, seconds
from pytest_repro.signature import signature_to_dict
from pytest_repro.stats import ruled_out_rate
from pytest_repro.verify.certificate.base_bugs import BaseBug, Standing
from pytest_repro.verify.certificate.build import Build
from pytest_repro.verify.certificate.dossier import Dossier
from pytest_repro.verify.certificate.judgement import CertificateKind, CertificateVerdict, Count
from pytest_repro.verify.certificate.snapshot import Difference, Revision
from pytest_repro.verify.certificate.trials import Side, Trial, median_durations, median_measures
from pytest_repro.verify.runs import Run

_MOST_NAMED = 5


def certificate_sentence(verdict: CertificateVerdict) -> str:
    """Returns what the comparison proves, in one sentence without anything that a test has said."""
    base, fix = verdict.base, verdict.fix
    of_fix = f"{fix.failed} of {fix.runs}"
    both = f"the base failed in {base.failed} of {counted(base.runs, 'run')}, the fix in {of_fix}"
    chance = (
        f"if they failed alike, that would have a chance of {percent(verdict.chance)} (Fisher's exact test)"
    )
    if verdict.kind is CertificateKind.CERTIFIED:
        return f"certified: {both}; {chance}"
    if verdict.kind is CertificateKind.FIX_FAILS:
        return f"not certified: the fix fails: {both}"
    if verdict.kind is CertificateKind.NOT_REPRODUCED:
        return f"not reproduced: nothing is proved: {both}"
    if verdict.kind is CertificateKind.TOO_FEW:
        return f"not certified: too few runs: {both}; {chance}"
    return "incomplete: this says nothing about the fix"


def what_remains(verdict: CertificateVerdict) -> str | None:
    """Returns what clean runs of the fix leave open, None where it failed or none counts."""
    fix = verdict.fix
    if fix.failed or not fix.runs:
        return None
    rate = percent(ruled_out_rate(fix.runs, confidence=verdict.confidence))
    return (
        f"of the fix alone, {counted(fix.runs, 'clean run')} "
        f"{'rules' if fix.runs == 1 else 'rule'} out a failure rate above {rate} "
        f"at {percent(verdict.confidence)} confidence, and no lower one"
    )


def next_steps(dossier: Dossier) -> list[str]:
    """Returns what to do now, where it is not certified."""
    verdict = dossier.verdict
    steps = []
    if verdict.kind is CertificateKind.TOO_FEW:
        asked = percent(1.0 - verdict.confidence)
        steps.append(f"{percent(verdict.confidence)} confidence asks for a chance of {asked} at most")
        if verdict.needed is not None:
            steps.append(
                f"if the base goes on to fail as often and the fix never: --verify-runs {verdict.needed}"
            )
        steps.append("make the failure more frequent: --repro-stress inside, workers, load")
    if verdict.kind is CertificateKind.NOT_REPRODUCED and not verdict.bugs:
        steps.append(
            "make the failure more frequent (--repro-stress inside, workers, load), or ask for more runs"
        )
        if dossier.transplant.changed:
            steps.append("if the fix is in the test itself, leave the base its own: --verify-test none")
    steps += [
        "write the test so that it runs without the fix; if this failure is the one that was fixed, "
        f"say so: --repro-match {bug.signature.key}"
        for bug in verdict.bugs
        if bug.standing is Standing.LACKING and bug.signature is not None
    ]
    if any(trial.run.report is None and trial.run.exit_status < 0 for trial in dossier.trials):
        steps.append("a crash ends a run without a report: with -n 1 it is a failing test")
    if any(trial.foreign for trial in dossier.trials):
        steps.append(
            "have each side run its own code: --verify-build "
            "'{python} -m pip install --no-deps --target {site} .' installs it beside its worktree"
        )
    if verdict.kind is CertificateKind.INCOMPLETE and any(_lacks_tests(trial) for trial in dossier.trials):
        steps.append("name with --verify-test the files of tests that the base needs from the fix")
    return steps


def _lacks_tests(trial: Trial) -> bool:
    """Tells whether a run of the base did not find what the command line names, or could not read it."""
    report = trial.run.report
    if trial.side is not Side.BASE:
        return False
    return (
        trial.run.exit_status in (4, 5)
        if report is None
        else not report.tests or bool(report.collection_errors)
    )


def certificate_lines(dossier: Dossier) -> list[str]:
    """Returns the verdict, its numbers and what is missing, as lines for a terminal."""
    verdict = dossier.verdict
    medians = median_durations(dossier.trials)
    lines = [certificate_sentence(verdict), *verdict.reasons]
    for side, count, revision in (
        (Side.BASE, verdict.base, dossier.base),
        (Side.FIX, verdict.fix, dossier.fix),
    ):
        rate = rate_words(count) + iterations_words(dossier.trials, side)
        lines.append(f"{side.value} {described(revision)}: {rate}{_median(medians[side])}")
    remains = what_remains(verdict)
    lines += [] if remains is None else [remains]
    lines += [bug_line(bug) for bug in verdict.bugs]
    return [*lines, *dossier.notes]


def described(revision: Revision) -> str:
    """Returns `1a2b3c4d5e6f (main)`, `1a2b3c4d5e6f with changes that are not committed`."""
    short = revision.commit[:12]
    name = short if revision.name in ("HEAD", revision.commit) else f"{short} ({revision.name})"
    return f"{name} with changes that are not committed" if revision.is_dirty else name


def rate_words(count: Count) -> str:
    """Returns `failed in 3 of 5 runs (60 %, interval 15 % to 95 %)`."""
    if not count.runs:
        return "no run that counts"
    rate = percent(count.failed / count.runs)
    return (
        f"failed in {count.failed} of {counted(count.runs, 'run')} "
        f"({rate}, interval {percent_range(count.interval)})"
    )


def _median(duration_ns: int | None) -> str:
    return "" if duration_ns is None else f", median {seconds(duration_ns)} a run"


def bug_line(bug: BaseBug) -> str:
    """Returns one failure of the base and what it says."""
    what = bug_title(bug)
    key = "" if bug.signature is None else f", signature {bug.signature.key}"
    tests = ", ".join(bug.tests[:_MOST_NAMED]) + " ..." * (len(bug.tests) > _MOST_NAMED)
    word = "reproduced" if bug.standing is Standing.REPRODUCED else f"does not count ({bug.standing.value})"
    return f"{word} in {counted(len(bug.runs), 'run')} of the base: {what}{key}, in {tests}"


def bug_title(bug: BaseBug) -> str:
    """Returns the title of a signature, the limit that was broken, or that nothing is known."""
    if bug.limit is not None:
        return f"broken limit: {bug.limit.text}"
    return "a failure without a traceback" if bug.signature is None else bug.signature.title


def trial_line(trial: Trial, *, asked: int, reasons: Sequence[str]) -> str:
    """Returns one line about a run that just ended."""
    run = trial.run
    counts = f"{counted(len(run.executed), 'test')} in {seconds(run.duration_ns)}"
    if run.iterations:
        counts = f"{counted(run.iterations, 'iteration')} of {counts}"
    word = "does not count" if reasons else "failed" if trial.is_failing else "passed"
    if run.is_failing and run.iterations:
        counts += f", {counted(_failing_iterations(run), 'failing iteration')}"
    elif run.is_failing:
        counts += f", {counted(len(run.failed), 'failure')}"
    if trial.overruns:
        counts += f", {counted(len(trial.overruns), 'limit')} broken"
    return f"{trial.side.value} run {run.number} of {asked} {word}: {counts}"


def _failing_iterations(run: Run) -> int:
    return sum(told.failures for told in run.tests.values())


def iterations_words(trials: Sequence[Trial], side: Side) -> str:
    """Returns `, 7 of 60,000 iterations failed` for stress runs inside, nothing without."""
    runs = [trial.run for trial in trials if trial.side is side]
    iterations = sum(run.iterations for run in runs)
    failing = sum(_failing_iterations(run) for run in runs)
    return f", {failing:,} of {counted(iterations, 'iteration')} failed" if iterations else ""


def build_line(build: Build) -> str:
    """Returns one line about a build that just ended."""
    word = "done" if build.exit_status == 0 else f"failed with exit status {build.exit_status}"
    return f"build of the {build.side} {word} in {seconds(build.duration_ns)}: {build.command}"


def opening_lines(base: Revision, fix: Revision, difference: Difference) -> list[str]:
    """Returns what is compared."""
    lines = [f"base: {described(base)}", f"fix: {described(fix)}"]
    if fix.is_dirty:
        lines[-1] += f", tree {fix.tree[:12]}"
    files = f"{counted(len(difference.files), 'file')} differ" + "s" * (len(difference.files) == 1)
    lines.append(f"{files}, {counted(difference.ahead, 'commit')} between them")
    return lines


def certificate_record(dossier: Dossier) -> dict[str, Any]:
    """Returns the certificate as plain builtins: durations in nanoseconds, rates and chances from 0 to 1."""
    verdict = dossier.verdict
    medians = median_durations(dossier.trials)
    return {
        "kind": "certificate",
        "verdict": verdict.kind.value,
        "statement": certificate_sentence(verdict),
        "exit_status": verdict.exit_status,
        "confidence": verdict.confidence,
        "runs_asked": verdict.asked,
        "chance": verdict.chance,
        "runs_needed": verdict.needed,
        "reasons": list(verdict.reasons),
        "notes": list(dossier.notes),
        "next_steps": next_steps(dossier),
        "base": _side_record(dossier.base, verdict.base, medians[Side.BASE]),
        "fix": _side_record(dossier.fix, verdict.fix, medians[Side.FIX]),
        "ruled_out_rate_of_fix": (
            None
            if what_remains(verdict) is None
            else ruled_out_rate(verdict.fix.runs, confidence=verdict.confidence)
        ),
        "difference": {
            "files": list(dossier.difference.files),
            "commits_ahead": dossier.difference.ahead,
            "commits_behind": dossier.difference.behind,
        },
        "tests_copied_into_base": list(dossier.transplant.copied),
        "tests_changed_in_base": list(dossier.transplant.changed),
        "bugs_of_base": [_bug_record(bug) for bug in verdict.bugs],
        "wanted": dossier.wanted,
        "command": dossier.command,
        "directory": dossier.directory,
        "import_roots": list(dossier.import_roots),
        "moved_variables": list(dossier.moved_variables),
        "build": dossier.build_command,
        "builds": [_build_record(build) for build in dossier.builds],
        "test_durations_ns": [
            {"test": test, "phase": phase or None, **{side.value: medians[side] for side in Side}}
            for (test, phase), medians in median_measures(dossier.trials).items()
        ],
        "session": dict(dossier.facts),
        "runs": [trial_record(trial) for trial in dossier.trials],
    }


def trial_record(trial: Trial) -> dict[str, Any]:
    """Returns one run as plain builtins."""
    return {
        "side": trial.side.value,
        **run_record(trial.run),
        "failures": [
            {
                "test": seen.test,
                "signature": None if seen.signature is None else signature_to_dict(seen.signature),
                "message": seen.message,
            }
            for seen in trial.failures
        ],
        "broken_limits": [
            {"test": one.test, **limit_record(one.limit), "value": one.value} for one in trial.overruns
        ],
        "foreign_modules": list(trial.foreign),
    }


def _side_record(revision: Revision, count: Count, median_ns: int | None) -> dict[str, Any]:
    return {
        "name": revision.name,
        "commit": revision.commit,
        "tree": revision.tree,
        "is_dirty": revision.is_dirty,
        "runs": count.runs,
        "failed": count.failed,
        "failure_rate": count.failed / count.runs if count.runs else None,
        "interval": [count.interval.low, count.interval.high],
        "median_duration_ns": median_ns,
    }


def _bug_record(bug: BaseBug) -> dict[str, Any]:
    return {
        "signature": None if bug.signature is None else signature_to_dict(bug.signature),
        "message": bug.message,
        "limit": None if bug.limit is None else limit_record(bug.limit),
        "tests": list(bug.tests),
        "runs": list(bug.runs),
        "standing": bug.standing.value,
        "counts": bug.standing is Standing.REPRODUCED,
    }


def _build_record(build: Build) -> dict[str, Any]:
    return {
        "side": build.side,
        "command": build.command,
        "exit_status": build.exit_status,
        "duration_ns": build.duration_ns,
        "output": build.output,
    }
