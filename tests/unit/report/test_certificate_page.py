"""The certificate for people and for programs."""

from __future__ import annotations

import json
from dataclasses import replace
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_repro.errors import ScaffoldError
from pytest_repro.model import Outcome, Signature
from pytest_repro.report.certificate import (
    certificate_lines,
    certificate_record,
    certificate_sentence,
    described,
    next_steps,
    opening_lines,
    trial_line,
    what_remains,
)
from pytest_repro.report.certificate_page import (
    certificate_page,
    certificate_page_at_any_rate,
    certificate_templates,
)
from pytest_repro.verify.certificate.build import Build
from pytest_repro.verify.certificate.dossier import Dossier
from pytest_repro.verify.certificate.judgement import judge_certificate
from pytest_repro.verify.certificate.snapshot import Difference, Revision
from pytest_repro.verify.certificate.transplant import Transplant
from pytest_repro.verify.certificate.trials import Seen, Side, Trial
from pytest_repro.verify.runs import Run, RunReport, RunTest

BASE = Revision(name="main", commit="a" * 40, tree="b" * 40)
FIX = Revision(name="HEAD", commit="c" * 40, tree="d" * 40, is_dirty=True)
ANY = st.text(alphabet=st.characters(codec="utf-8"), max_size=40) | st.text(
    alphabet="`|\n# *<>[](){}%-", max_size=20
)


def _trial(side: Side, number: int, *, fails: bool, text: str, hash_seed: str = "7") -> Trial:
    outcome = Outcome.FAILED if fails else Outcome.PASSED
    report = RunReport(exit_status=int(fails), tests={text: RunTest(outcome=outcome)}, hash_seed=hash_seed)
    run = Run(number=number, exit_status=int(fails), duration_ns=1_500_000_000 * number, report=report)
    signature = Signature(exception="ValueError", message=text, file=text)
    seen = (Seen(test=text, signature=signature, message=text),) if fails else ()
    return Trial(side=side, run=run, failures=seen)


def dossier_of(text: str = "test_a.py::test_a", *, base: int = 3, fix: int = 0, runs: int = 3) -> Dossier:
    trials = tuple(
        _trial(side, number, fails=number <= (base if side is Side.BASE else fix), text=text)
        for number in range(1, runs + 1)
        for side in Side
    )
    return Dossier(
        base=replace(BASE, name=text),
        fix=FIX,
        difference=Difference(files=(text, "b.py"), ahead=2),
        transplant=Transplant(copied=(text,), changed=(text,), left=(text,)),
        verdict=judge_certificate(trials, asked=runs, confidence=0.95, wanted=None),
        trials=trials,
        command=text,
        directory=text,
        import_roots=(text,),
        build_command=text,
        builds=(Build(side="base", command=text, exit_status=0, duration_ns=1, output=text, tail=text),),
        moved_variables=(text,),
        wanted=text,
        notes=(text,),
        facts={"python": text, "versions": {text: text}, "environment": {text: text}},
    )


def test_the_page_tells_what_a_stranger_needs() -> None:
    """Commits, trees, numbers, each run, how to repeat it."""
    page = certificate_page(dossier_of())
    for text in (
        "**certified: the base failed in 3 of 3 runs, the fix in 0 of 3; if they failed alike, ",
        "that would have a chance of 5.0 % (Fisher's exact test)**",
        f"- base: `aaaaaaaaaaaa (test_a.py::test_a)`, commit `{'a' * 40}`, tree `{'b' * 40}`; failed in 3 of",
        "failed in 3 of 3 runs (100 %, interval 29 % to 100 %)",
        f"- fix: `cccccccccccc with changes that are not committed`, commit `{'c' * 40}`, tree `{'d' * 40}`;",
        "| base | 1 | failed | 1 | 1 | 0 | 1.5 s | 7 |",
        "| fix | 3 | passed | 0 | 1 | 0 | 4.5 s | 7 |",
        "- a whole run: 3.0 s, 3.0 s",
        "- reproduced in runs 1, 2, 3: `ValueError: test_a.py::test_a",
        f"`git worktree add --detach ../base {'a' * 40}`",
    ):
        assert text in page
    assert "to do:" not in page


@settings(max_examples=25)
@given(ANY)
def test_no_text_breaks_out_of_the_page(text: str) -> None:
    """Whatever tests, branches, files and commands are called, headings and tables are ours."""
    page = certificate_page(dossier_of(text or "x"))
    plain = certificate_page(dossier_of())

    def skeleton(of: str) -> list[str]:
        return [line[:2] for line in of.split("\n") if line[:1] in ("#", "|")]

    outside, fence = [], ""
    for line in page.split("\n"):
        if fence:
            fence = "" if line == fence else fence
        elif line.startswith("```"):
            fence = line.removesuffix("sh")
        else:
            outside.append(line)
    assert not fence
    assert skeleton("\n".join(outside)) == skeleton(plain)
    assert all("<" not in _without_code(line) or "<commit>" in line for line in outside)


def _without_code(line: str) -> str:
    """Returns a line without its code spans, by the rule of CommonMark: a run of marks ends at its like."""
    kept, place = "", 0
    while place < len(line):
        run = len(line[place:]) - len(line[place:].lstrip("`"))
        if not run:
            kept += line[place]
            place += 1
            continue
        rest = line[place + run :]
        ends = [at for at in range(len(rest)) if _is_run(rest, at, run)]
        assert ends, f"a code span is left open: {line}"
        place += run + ends[0] + run
    return kept


def _is_run(text: str, at: int, length: int) -> bool:
    is_start = at == 0 or text[at - 1] != "`"
    return is_start and text[at : at + length] == "`" * length and text[at + length : at + length + 1] != "`"


def test_a_hash_seed_that_is_no_number_does_not_reach_the_table() -> None:
    """It is what a process says of itself."""
    dossier = dossier_of()
    trials = (_trial(Side.BASE, 1, fails=True, text="t", hash_seed="1 | <b>"), *dossier.trials[1:])
    assert "| base | 1 | failed | 1 | 1 | 0 | 1.5 s | not known |" in certificate_page(
        replace(dossier, trials=trials)
    )


@pytest.mark.parametrize(
    ("dossier", "sentence", "step"),
    [
        (
            dossier_of(fix=1),
            "not certified: the fix fails: the base failed in 3 of 3 runs, the fix in 1 of 3",
            None,
        ),
        (
            dossier_of(base=0),
            "not reproduced: nothing is proved: the base failed in 0 of 3 runs, the fix in 0 of 3",
            "if the fix is in the test itself, leave the base its own: --verify-test none",
        ),
        (
            dossier_of(base=2),
            "not certified: too few runs: the base failed in 2 of 3 runs, the fix in 0 of 3; * 20 % (*)",
            "if the base goes on to fail as often and the fix never: --verify-runs 6",
        ),
    ],
)
def test_what_is_not_certified_says_what_is_missing(
    dossier: Dossier, sentence: str, step: str | None
) -> None:
    """And what to do about it."""
    assert fnmatch(certificate_sentence(dossier.verdict), sentence)
    assert fnmatch(certificate_lines(dossier)[0], sentence)
    assert (next_steps(dossier) == []) if step is None else (step in next_steps(dossier))


def test_a_base_without_the_test_is_told_how_it_gets_it() -> None:
    """The command line names a folder or a file that the base does not have."""
    for exit_status, report in ((4, None), (5, RunReport(exit_status=5, tests={}))):
        run = Run(number=1, exit_status=exit_status, duration_ns=1, report=report)
        trials = (Trial(side=Side.BASE, run=run),)
        verdict = judge_certificate(trials, asked=3, confidence=0.95, wanted=None)
        dossier = replace(dossier_of(), trials=trials, verdict=verdict)
        assert "name with --verify-test the files of tests that the base needs from the fix" in next_steps(
            dossier
        )


def test_a_crash_is_told_how_it_counts() -> None:
    """A process that died has no report; a worker of xdist that died is a failing test."""
    trials = (Trial(side=Side.BASE, run=Run(number=1, exit_status=-11, duration_ns=1, report=None)),)
    verdict = judge_certificate(trials, asked=3, confidence=0.95, wanted=None)
    dossier = replace(dossier_of(), trials=trials, verdict=verdict)
    assert "a crash ends a run without a report: with -n 1 it is a failing test" in next_steps(dossier)


def test_clean_runs_of_the_fix_say_what_they_leave_open() -> None:
    """A fix that fails less often than the base may still fail: three clean runs say little of it alone."""
    remains = "of the fix alone, 3 clean runs rule out a failure rate above 63 % at 95 % confidence"
    remains += ", and no lower one"
    assert remains in certificate_lines(dossier_of())
    assert f"- {remains}" in certificate_page(dossier_of())
    assert what_remains(dossier_of(fix=1).verdict) is None


def test_a_certificate_has_no_next_steps() -> None:
    """There is nothing left to do."""
    assert next_steps(dossier_of()) == []


def test_the_record_is_json_with_each_run() -> None:
    """For programs: rates from 0 to 1, durations in nanoseconds."""
    record: dict[str, Any] = json.loads(json.dumps(certificate_record(dossier_of())))
    assert (record["verdict"], record["exit_status"], record["runs_needed"]) == ("certified", 0, 3)
    assert record["base"]["failure_rate"] == 1.0
    assert record["fix"]["interval"] == pytest.approx([0.0, 0.7076], abs=1e-4)
    assert record["base"]["median_duration_ns"] == 3_000_000_000
    assert [(run["side"], run["run"], run["exit_status"]) for run in record["runs"]] == [
        (side, number, int(side == "base")) for number in (1, 2, 3) for side in ("base", "fix")
    ]
    assert record["runs"][0]["failures"][0]["signature"]["exception"] == "ValueError"


def test_lines_about_sides_and_runs() -> None:
    """A commit that was asked for by its number is not told twice."""
    assert described(replace(BASE, name="a" * 40)) == "a" * 12
    assert described(BASE) == "aaaaaaaaaaaa (main)"
    one = Difference(files=("a.py",), ahead=1)
    assert opening_lines(BASE, FIX, one) == [
        "base: aaaaaaaaaaaa (main)",
        "fix: cccccccccccc with changes that are not committed, tree dddddddddddd",
        "1 file differs, 1 commit between them",
    ]
    trial = _trial(Side.BASE, 2, fails=True, text="t")
    assert trial_line(trial, asked=5, reasons=()) == "base run 2 of 5 failed: 1 test in 3.0 s, 1 failure"
    assert trial_line(trial, asked=5, reasons=["x"]).startswith("base run 2 of 5 does not count: ")


@pytest.fixture
def mine(tmp_path: Path) -> Path:
    """A folder with the user's own template of the certificate, named by the project's file."""
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "certificate.md.j2").write_text("# {{ sentence }}\n")
    (tmp_path / "pyproject.toml").write_text('[tool.pytest-repro]\ntemplates = "mine"\n')
    return folder


def test_the_certificate_has_the_users_own_template(mine: Path) -> None:
    """As the project's file says; without one it is the package's."""
    assert certificate_templates(mine.parent) == mine
    page = certificate_page(dossier_of(), overrides=mine)
    assert page == f"# {certificate_sentence(dossier_of().verdict)}\n"
    (mine.parent / "pyproject.toml").unlink()
    assert certificate_templates(mine.parent) is None


def test_a_template_that_cannot_be_filled_in_costs_no_certificate(mine: Path) -> None:
    """The package's own takes its place, and what is wrong is told."""
    (mine / "certificate.md.j2").write_text("{{ sentences }}\n")
    page, problem = certificate_page_at_any_rate(dossier_of(), overrides=mine)
    assert page == certificate_page(dossier_of())
    assert "did you mean sentence?" in str(problem)
    assert certificate_page_at_any_rate(dossier_of(), overrides=None) == (page, None)


def test_a_broken_template_of_the_certificate_is_told_before_any_run(mine: Path) -> None:
    """With file, line and next step."""
    (mine / "certificate.md.j2").write_text("# a\n{{ sentence\n")
    with pytest.raises(ScaffoldError, match=r"cannot be filled in.*certificate\.md\.j2:2\)\. Correct the"):
        certificate_templates(mine.parent)
