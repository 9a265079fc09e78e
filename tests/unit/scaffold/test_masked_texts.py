"""A secret never leaves the log, wherever in it it stands."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_repro.cli.scaffold import main
from pytest_repro.logs.formats import LONGEST_LINE
from pytest_repro.logs.masking import masked_report
from pytest_repro.logs.records import CiFailure, Found, LogPart, LogReport, Session, ToldFact, Variable
from pytest_repro.logs.secrets import Masker
from pytest_repro.model import Frame, Outcome

TOKEN = "ghp_" + "a1B2" * 9
LOG = f"""\
env:
  API_TOKEN: ***
============================= test session starts ==============================
platform linux -- Python 3.11.4, pytest-8.3.3, pluggy-1.5.0 -- /opt/{TOKEN}/bin/python
rootdir: /home/{TOKEN}/w
collected 2 items

tests/test_a.py::test_ok[{TOKEN}] PASSED                                  [ 50%]
tests/test_a.py::test_x[{TOKEN}] FAILED                                   [100%]

=================================== FAILURES ===================================
___________________________________ test_x[{TOKEN}] ___________________________________

    def test_x(v):
>       assert v == "{TOKEN}"
E       AssertionError: assert 1

tests/{TOKEN}/test_a.py:5: AssertionError
=========================== short test summary info ============================
FAILED tests/test_a.py::test_x[{TOKEN}] - AssertionError: assert 1
====================== 1 failed, 1 passed in 0.12s ======================
"""


def folder_of(tmp_path: Path, log: str) -> Path:
    """Scaffolds a log and returns the folder."""
    path = tmp_path / "ci.log"
    path.write_text(log)
    arguments = [
        "leaky",
        "--log",
        str(path),
        "--no-run",
        "--output",
        str(tmp_path),
        "--source",
        str(tmp_path),
    ]
    assert main(arguments) == 0
    return tmp_path / "leaky"


def test_node_ids_titles_and_paths_are_masked(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """In every file of the folder and on the terminal; what ran before is found all the same."""
    lines = LOG.splitlines()
    log = "\n".join(f"job {TOKEN}\tstep {TOKEN}\t2024-01-01T00:00:00.0000000Z {line}" for line in lines)
    folder = folder_of(tmp_path, log)
    said = capsys.readouterr()
    output = said.out + said.err
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert [path.name for path in files if TOKEN in path.read_text()] == []
    assert TOKEN not in output
    assert "- **Job**: `job ***`" in (folder / "README.md").read_text()
    assert "failing test: tests/test_a.py::test_x[***]" in output
    order = (folder / "logs/order_main.txt").read_text().splitlines()
    assert order[2:] == ["tests/test_a.py::test_ok[***]", "tests/test_a.py::test_x[***]"]


@pytest.mark.parametrize("inside", [6, 12, 20, len(TOKEN) - 1, len(TOKEN)])
def test_a_secret_that_a_long_line_is_cut_in_is_gone_as_a_whole(tmp_path: Path, inside: int) -> None:
    """What is left of it has no shape that anybody would know."""
    before = "E       AssertionError: " + "x " * LONGEST_LINE
    line = before[: LONGEST_LINE - inside - len(" token ")] + " token " + TOKEN + " more" * LONGEST_LINE
    folder = folder_of(tmp_path, LOG.replace("E       AssertionError: assert 1", line))
    for path in folder.rglob("*"):
        assert not path.is_file() or TOKEN[:6] not in path.read_text(), path


def test_a_known_value_of_several_words_that_a_long_line_is_cut_in_is_masked() -> None:
    """Its beginning is known, whatever it looks like."""
    line = "x" * (LONGEST_LINE - 30) + " correct horse bat"
    assert Masker(["correct horse battery staple"])(line).endswith("x ***")
    assert Masker(["correct horse battery staple"])("a correct horse") == "a correct horse"


def test_every_text_of_a_report_is_masked() -> None:
    """Also of kinds that no template shows yet; numbers, names of kinds and what is no secret stay."""
    found = Found(value=f"a {TOKEN} b", line=3)
    report = LogReport(
        line_count=9,
        session=Session(
            line=1,
            job=found,
            step=found,
            python=found,
            rootdir=found,
            plugins=found,
            summary=found,
            variables=(Variable(name="MODE", value=TOKEN, line=2), Variable(name="A", value="1", line=2)),
        ),
        runner_image=(found,),
        commit=found,
        parts=(LogPart(name=TOKEN, line=1, line_count=9),),
        told=(ToldFact(label="Runner", value=TOKEN, teller="GitHub's API"),),
    )
    masked = masked_report(report, Masker())
    assert TOKEN not in repr(masked)
    assert masked.runner_image == (Found(value="a *** b", line=3),)
    assert [one.value for one in masked.session.variables] == [None, "1"]
    assert masked.session.outcome is report.session.outcome


def test_a_statement_with_a_secret_is_not_known_any_more() -> None:
    """What is left of it is equal to no other."""
    report = LogReport(line_count=1, session=Session(line=1))
    assert masked_report(report, Masker()) == report
    statement = f'assert v == "{TOKEN}"'

    failure = CiFailure(
        nodeid="t.py::t",
        line=1,
        outcome=Outcome.FAILED,
        place=Frame(file="t.py", line=3, statement=statement),
        test_place=Frame(file="t.py", line=3, statement="assert v"),
    )
    shown = masked_report(LogReport(line_count=1, session=Session(line=1), failures=(failure,)), Masker())
    assert shown.failures[0].place == Frame(file="t.py", line=3)
    assert shown.failures[0].test_place == failure.test_place


WORKFLOW = f"""\
name: n {TOKEN}
on: push
env:
  DB_PASSWORD: Plain-S3cret-Value-77
jobs:
  t:
    name: job {TOKEN}
    runs-on: {TOKEN}
    container: img:{TOKEN}
    steps:
      - name: prep {TOKEN}
        run: |
          export API_TOKEN=Another-S3cret-88
          login --password Plain-S3cret-Value-77
          echo Plain-S3cret-Value-77 > x
      - run: pytest --api-key=Plain-S3cret-Value-77 -k "{TOKEN}" -m{TOKEN} tests
"""


def test_a_workflow_is_masked_too(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Titles, steps and arguments: what stands in a variable in plain text stands in steps too."""
    path = tmp_path / ".github" / "workflows" / "a.yml"
    path.parent.mkdir(parents=True)
    path.write_text(WORKFLOW)
    arguments = ["leaky", "--workflow", str(path), "--job", "t", "--no-run", "--output", str(tmp_path)]
    assert main([*arguments, "--source", str(tmp_path)]) == 0
    folder = tmp_path / "leaky"
    said = capsys.readouterr()
    texts = [path.read_text() for path in folder.rglob("*") if path.is_file()] + [said.out, said.err]
    assert not [text for text in texts if TOKEN in text or "S3cret" in text]
    readme = (folder / "README.md").read_text()
    for line in ("- `--api-key ***`", "- `-k ***`", "- `-m ***`", "export API_TOKEN=***", "echo *** > x"):
        assert line in readme
