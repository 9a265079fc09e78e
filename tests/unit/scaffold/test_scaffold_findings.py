from __future__ import annotations

from pathlib import Path

import pytest

from pytest_repro.cli.scaffold_proof import proof_words
from pytest_repro.logs.secrets import Masker
from pytest_repro.model import Signature
from pytest_repro.scaffold.build import outdated_files, planned_files
from pytest_repro.scaffold.context import Reproduction
from pytest_repro.scaffold.findings import NOT_RUN, findings_of, trial_words
from pytest_repro.scaffold.forms import Form, FormKind
from pytest_repro.scaffold.proof import Proof, Tried
from pytest_repro.scaffold.render import Safe
from pytest_repro.scaffold.trial import Result, Trial
from pytest_repro.scaffold.write import write_folder

REPRODUCTION = Reproduction(
    name=Safe("x"), slug=Safe("x"), nodeid="test_a.py::test_a", file="test_a.py", source="..", has_log=True
)
OTHER = Trial(
    result=Result.OTHER,
    signature=Signature(exception="E", message="`there`"),
    differs=("message",),
    interpreter="/a b/python",
)


def form(kind: FormKind) -> Form:
    return Form(kind=kind, case="test_a")


def test_the_folder_tells_how_its_test_was_made(tmp_path: Path) -> None:
    """Form, what was passed over, what the proof saw and by which interpreter: in the README and in words."""
    passed_over = (Tried(form=form(FormKind.STANDALONE), trial=Trial(result=Result.PASSED)),)
    proof = Proof(chosen=form(FormKind.IN_PLACE), trial=OTHER, passed_over=passed_over)
    findings = findings_of(proof, ["no\nway"])
    assert list(proof_words(findings)) == [
        "test: the original test, read from its own file",
        "  no way",
        "  not standalone: it passes here",
        "proof: fails differently: another message",
        "  here: E: `there`",
        "  run by /a b/python, as the folder's own interpreter cannot run it",
        "  for run_test.sh set REPRO_PYTHON='/a b/python'",
    ]
    files = planned_files(
        REPRODUCTION, log=None, masker=Masker(), form=form(FormKind.IN_PLACE), findings=findings
    )
    write_folder(tmp_path / "x", files)
    readme = (tmp_path / "x/README.md").read_text()
    assert "`tests/test_x_repro.py` is the original test, read from its own file." in readme
    assert "- `no way`\n- `not standalone: it passes here`\n" in readme
    assert "`fails differently: another message`\nThe failure here: `` E: `there` ``" in readme
    assert "It was run by `/a b/python`" in readme
    assert findings_of(Proof(chosen=form(FormKind.CHILD)), ()).proof == NOT_RUN


@pytest.mark.parametrize(
    ("trial", "words"),
    [
        (Trial(result=Result.PASSED, iterations=1), "did not fail in 1 iteration"),
        (Trial(result=Result.SAME, iterations=20), "fails with the same signature within 20 iterations"),
        (Trial(result=Result.UNKNOWN, reason="no"), "could not be tried: no"),
    ],
)
def test_a_stress_says_how_many_iterations_it_took(trial: Trial, words: str) -> None:
    """A test that did not fail in so many is not one that cannot fail."""
    assert trial_words(trial) == words


def test_a_conftest_of_another_form_is_put_away(tmp_path: Path) -> None:
    """It would be read by the new one; one that the user wrote beside a child form stays."""
    folder = tmp_path / "x"

    def write(kind: FormKind) -> tuple[Path, ...]:
        files = planned_files(REPRODUCTION, log=None, masker=Masker(), form=form(kind))
        return write_folder(folder, files, force=True, outdated=outdated_files(folder, files)).kept

    write(FormKind.IN_PLACE)
    assert folder / "tests/conftest.py.bak" in write(FormKind.CHILD)
    assert not (folder / "tests/conftest.py").exists()
    (folder / "tests/conftest.py").write_text("# mine\n")
    write(FormKind.CHILD)
    assert (folder / "tests/conftest.py").read_text() == "# mine\n"


def test_logs_of_an_earlier_reproduction_are_put_away(tmp_path: Path) -> None:
    """What an earlier proof printed is no proof of the new one; runs of the user, and their files, stay."""
    folder = tmp_path / "x"
    files = planned_files(REPRODUCTION, log=None, masker=Masker(), form=None)
    write_folder(folder, files)
    for name in ("proof.log", "ci.log", "order_gw3.txt", "run_1.log", "mine.txt"):
        (folder / "logs" / name).write_text(f"{name}\n")
    kept = write_folder(folder, files, force=True, outdated=outdated_files(folder, files)).kept
    assert [path.name for path in kept] == ["proof.log.bak", "ci.log.bak", "order_gw3.txt.bak"]
    assert kept[0].read_text() == "proof.log\n"
    left = {path.name for path in (folder / "logs").iterdir()} - {path.name for path in kept}
    assert left == {".gitkeep", "run_1.log", "mine.txt"}
