from __future__ import annotations

from pathlib import Path
from textwrap import dedent

import pytest

from pytest_repro.logs.workflow.reader import LogHints, read_workflow
from pytest_repro.logs.workflow.records import WorkflowFacts


def read(tmp_path: Path, text: str, job: str) -> WorkflowFacts:
    file = tmp_path / "ci.yml"
    file.write_text(dedent(text))
    return read_workflow(file, shown="ci.yml", root=tmp_path, hints=LogHints(job=job))


NAMED = """\
jobs:
  plan: {steps: [{run: echo}]}
  test:
    name: tests on ${{ matrix.os }}, ${{ matrix.python }}
    strategy: {matrix: "${{ fromJSON(needs.plan.outputs.matrix) }}"}
    steps: [{run: "pytest --py ${{ matrix.python }}"}]
"""
LISTED = """\
jobs:
  plan: {steps: [{run: echo}]}
  test:
    strategy:
      matrix:
        os: "${{ fromJSON(needs.plan.outputs.os) }}"
        python: ["3.11", "3.12"]
    steps: [{run: "pytest --os ${{ matrix.os }} --py ${{ matrix.python }}"}]
"""
CALLING = """\
jobs:
  test:
    name: py ${{ matrix.python }}
    strategy: {matrix: {python: "${{ fromJSON(vars.PYTHONS) }}"}}
    steps: [{run: "pytest --py ${{ matrix.python }}"}]
"""


@pytest.mark.parametrize(
    ("text", "job", "command"),
    [
        (NAMED, "tests on ubuntu-22.04, 3.12", "pytest --py 3.12"),
        (LISTED, "test (ubuntu-22.04, 3.12)", "pytest --os ubuntu-22.04 --py 3.12"),
        (CALLING, "py 3.13t", "pytest --py 3.13t"),
    ],
)
def test_values_of_an_unknown_matrix_are_taken_from_the_jobs_name(
    tmp_path: Path, text: str, job: str, command: str
) -> None:
    """Another job of the run has made the matrix: the name of the log's job says which it was."""
    facts = read(tmp_path, text, job)
    assert facts.job.text == job
    assert facts.command is not None
    assert (facts.command.text, facts.command.is_known) == (command, True)
    assert any("is what the job's name in the log tells" in note.text for note in facts.notes)


def test_a_name_that_can_be_read_in_two_ways_tells_nothing(tmp_path: Path) -> None:
    """`a, b, c` behind two unknown parts may be (`a`, `b, c`) or (`a, b`, `c`)."""
    facts = read(tmp_path, NAMED, "tests on ubuntu, gpu, 3.12")
    assert facts.command is not None
    assert facts.command.unresolved == ("${{ matrix.python }}",)
    assert not facts.notes


def test_variables_that_are_too_many_to_be_read_are_said(tmp_path: Path) -> None:
    """The first five hundred of each `env:` are read."""
    rows = "".join(f"      V{number}: x\n" for number in range(501))
    text = f"jobs:\n  test:\n    env:\n{rows}    steps:\n      - run: pytest\n"
    facts = read(tmp_path, text, "test")
    assert len(facts.env) == 500
    assert [note.text for note in facts.notes] == ["of 501 variables of one env the first 500 are read"]


WHOLE = """\
on: push
jobs:
  plan:
    outputs:
      matrix: ${{{{ steps.set.outputs.matrix }}}}
    steps:
      - id: set
        run: {run}
  test:
    needs: plan
    strategy: {{matrix: "${{{{ fromJSON(needs.plan.outputs.matrix) }}}}"}}
    runs-on: ${{{{ matrix.os }}}}
    steps:
      - uses: actions/setup-python@v5
        with: {{python-version: "${{{{ matrix.python }}}}"}}
      - run: pytest --os ${{{{ matrix.os }}}} --py ${{{{ matrix.python }}}}{more}
"""
GENERATED = "python plan.py >> $GITHUB_OUTPUT"


@pytest.mark.parametrize(
    "run",
    [
        """echo 'matrix={"os":["ubuntu-latest"],"python":["3.11","3.12"]}' >> "$GITHUB_OUTPUT\"""",
        r"""echo "matrix={\"os\":[\"ubuntu-latest\"],\"python\":[\"3.12\"]}" >> $GITHUB_OUTPUT""",
        """echo '::set-output name=matrix::{"os":["ubuntu-latest"],"python":["3.12"]}'""",
        GENERATED,
    ],
)
def test_a_matrix_that_another_job_makes_is_read_or_told(tmp_path: Path, run: str) -> None:
    """From its script where that writes it as a literal, else from the name of the job in the log."""
    workflow = WHOLE.format(run="|\n          " + run, more="")
    facts = read(tmp_path, workflow, "test (ubuntu-latest, 3.12)")
    assert facts.job.text == "test (ubuntu-latest, 3.12)"
    assert facts.command is not None
    assert (facts.command.text, facts.command.is_known) == ("pytest --os ubuntu-latest --py 3.12", True)
    assert bool(facts.notes) == (run == GENERATED), "what is only told says so"


@pytest.mark.parametrize(
    "run",
    [
        'echo "matrix=$(python plan.py)" >> $GITHUB_OUTPUT',
        "if [ $X ]; then\n          echo 'matrix={}' >> $GITHUB_OUTPUT\n          fi",
        "echo 'matrix={}' >> $GITHUB_OUTPUT\n          echo 'matrix={}' >> $GITHUB_OUTPUT",
        "echo ${{ vars.X }} >> $GITHUB_OUTPUT\n          echo 'matrix={}' >> $GITHUB_OUTPUT",
    ],
)
def test_an_output_that_is_no_literal_is_not_known(tmp_path: Path, run: str) -> None:
    """What a program, a condition or a second line decides is left to the job's name."""
    facts = read(tmp_path, WHOLE.format(run="|\n          " + run, more=""), "test (windows-2022, 3.13t)")
    assert facts.command is not None
    assert facts.command.text == "pytest --os windows-2022 --py 3.13t"


def test_values_of_which_nothing_tells_the_key_stay_unknown(tmp_path: Path) -> None:
    """Two versions in the name may be anything's."""
    workflow = WHOLE.format(run=GENERATED, more=" --extra ${{ matrix.extra }}")
    facts = read(tmp_path, workflow, "test (ubuntu-latest, 3.12, 3.9)")
    assert facts.command is not None
    assert "--os ubuntu-latest --py ${{ matrix.python }} --extra" in facts.command.text
    assert not facts.command.is_known
