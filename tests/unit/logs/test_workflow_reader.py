from __future__ import annotations

from pathlib import Path
from textwrap import dedent

import pytest

from pytest_repro.errors import LogError
from pytest_repro.logs.workflow.reader import LogHints, read_workflow
from pytest_repro.logs.workflow.records import WorkflowFacts

SHOWN = ".github/workflows/ci.yml"
WORKFLOW = """\
name: CI
on: [push, pull_request]
env:
  LEVEL: workflow
  KEPT: ${{ github.workflow }}-${{ github.ref }}
defaults:
  run:
    working-directory: packages/core
jobs:
  lint:
    runs-on: ubuntu-latest
    steps:
      - run: ruff check
  test:
    runs-on: ${{ matrix.os }}
    timeout-minutes: 30
    strategy:
      matrix:
        python: ["3.11", 3.10]
        os: [ubuntu-latest, windows-latest]
        exclude:
          - {python: 3.10, os: windows-latest}
        include:
          - {python: "3.11", extra: "-W error"}
    env:
      LEVEL: job
      TOKEN: ${{ secrets.API_TOKEN }}
    container:
      image: python:${{ matrix.python }}
      env: {IN_CONTAINER: "yes"}
      options: --gpus all
    services:
      db: {image: "postgres:16"}
    steps:
      - uses: actions/checkout@v4
        with: {submodules: recursive}
      - uses: actions/setup-python@v5
        with:
          python-version: ${{ matrix.python }}
      - name: Install
        run: |
          pip install -e .
          echo "HANDED=on" >> $GITHUB_ENV
      - name: Never
        if: matrix.os == 'plan9'
        run: exit 1
      - name: Perhaps
        if: github.ref == 'refs/heads/main'
        run: ./prepare.sh
      - name: Unit tests
        timeout-minutes: 10
        env:
          LEVEL: step
        run: |
          export EXPORTED=1
          # pytest --not-this
          MODE=fast pytest tests/unit \\
            -k "not slow" ${{ matrix.extra }}
          pytest tests/other
"""


def line_of(part: str) -> int:
    return next(number for number, line in enumerate(WORKFLOW.split("\n"), start=1) if part in line)


def write(root: Path, text: str, name: str = SHOWN) -> Path:
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(dedent(text))
    return path


def read(root: Path, text: str, job: str | None = None, hints: LogHints | None = None) -> WorkflowFacts:
    return read_workflow(write(root, text), shown=SHOWN, root=root, job=job, hints=hints)


def test_a_job_is_read_with_the_lines_of_its_values(tmp_path: Path) -> None:
    """What the step would have run, where, with which variables, and what it stood on."""
    facts = read(tmp_path, WORKFLOW, "test (3.11, ubuntu-latest)")
    assert facts.command is not None
    assert facts.command.text == 'pytest tests/unit -k "not slow" -W error'
    assert facts.command.place.line == line_of("MODE=fast pytest")
    assert [one.text for one in facts.other_commands] == ["pytest tests/other"]
    env = {one.name: (one.value.text, one.value.place.line, one.level.value) for one in facts.env}
    assert env["LEVEL"] == ("step", line_of("LEVEL: step"), "step")
    assert env["KEPT"] == ("CI-${{ github.ref }}", 5, "workflow")
    assert env["HANDED"] == ('"on"', line_of("HANDED=on"), "earlier step")
    assert env["EXPORTED"] == ("1", line_of("export EXPORTED"), "script")
    assert env["MODE"] == ("fast", line_of("MODE=fast"), "script")
    assert env["IN_CONTAINER"] == ("yes", line_of("IN_CONTAINER"), "container")
    assert facts.secrets == ("API_TOKEN",)
    assert facts.working_directory is not None
    assert (facts.working_directory.text, facts.working_directory.place.line) == ("packages/core", 8)
    assert [(one.label, one.value.text) for one in facts.timeouts] == [
        ("timeout-minutes of the step", "10"),
        ("timeout-minutes of the job", "30"),
    ]
    assert facts.python is not None
    assert facts.python.text == "3.11"
    assert [(one.label, one.value.text) for one in facts.machine] == [
        ("runner", "ubuntu-latest"),
        ("container image", "python:3.11"),
        ("container options", "--gpus all"),
        ("service db image", "postgres:16"),
    ]


def test_steps_before_the_tests_are_told_and_what_the_file_rules_out_is_not(tmp_path: Path) -> None:
    """A condition that the file does not decide is said beside its step."""
    facts = read(tmp_path, WORKFLOW, "test (3.11, ubuntu-latest)")
    shown = [(one.title.text, one.condition.text if one.condition else None) for one in facts.steps_before]
    assert shown == [
        ("Run actions/checkout@v4", None),
        ("Run actions/setup-python@v5", None),
        ("Install", None),
        ("Perhaps", "github.ref == 'refs/heads/main'"),
    ]
    assert [one.text for one in facts.unread] == ["actions/checkout@v4", "actions/setup-python@v5"]


def test_a_version_without_quotes_keeps_its_text_and_its_job_has_githubs_name(tmp_path: Path) -> None:
    """`3.10` is kept; that GitHub reads 3.1 is said."""
    facts = read(tmp_path, WORKFLOW, hints=LogHints(job="test (3.1, ubuntu-latest)"))
    assert [(one.label, one.value.text) for one in facts.combination] == [
        ("python", "3.10"),
        ("os", "ubuntu-latest"),
    ]
    assert "3.10 without quotes is the number 3.1 to GitHub" in facts.notes[0].text


def test_a_name_that_stands_for_several_jobs_is_an_error_that_lists_them(tmp_path: Path) -> None:
    """The key of a job with a matrix names all its combinations."""
    with pytest.raises(LogError, match="'test' names 3 jobs of the workflow, 3 of which run tests") as raised:
        read(tmp_path, WORKFLOW, "test")
    assert "'test (3.11, windows-latest)'" in raised.value.next_step


def test_without_a_name_the_only_job_with_tests_is_meant(tmp_path: Path) -> None:
    """Jobs that run no tests do not count."""
    text = "jobs:\n  lint:\n    steps: [{run: ruff}]\n  unit:\n    steps: [{run: python -m pytest -q}]\n"
    assert read(tmp_path, text).job_id == "unit"
    with pytest.raises(LogError, match="3 jobs of the workflow run tests, and none is named"):
        read(tmp_path, WORKFLOW)


def test_an_unknown_job_is_answered_with_the_closest(tmp_path: Path) -> None:
    """A slip of the pen is an error with the way out."""
    with pytest.raises(LogError, match=r"no job 'tets', which --job names \(did you mean 'test'\?\)"):
        read(tmp_path, WORKFLOW, "tets")


def test_the_logs_command_chooses_among_the_calls_of_a_step(tmp_path: Path) -> None:
    """The call that is most like the log's is the one that is told."""
    hints = LogHints(job="test (3.11, ubuntu-latest)", step="Unit tests", command="pytest tests/other -q")
    facts = read(tmp_path, WORKFLOW, hints=hints)
    assert facts.command is not None
    assert facts.command.text == "pytest tests/other"


def test_names_made_by_expressions_are_found_and_unknown_parts_fit_anything(tmp_path: Path) -> None:
    """A matrix that another job makes is not known, its name is found all the same."""
    text = """\
        jobs:
          made:
            name: ${{ matrix.os }} py${{ matrix.py }}
            strategy: {matrix: {os: [linux, mac], py: ["${{ needs.x.outputs.py }}"]}}
            steps: [{run: pytest}]
        """
    facts = read(tmp_path, text, hints=LogHints(job="mac py3.12"))
    assert ("os", "mac") in [(one.label, one.value.text) for one in facts.combination]
    assert facts.job.text == "mac py3.12"


def test_called_workflows_and_local_actions_are_followed(tmp_path: Path) -> None:
    """Inputs reach the call of pytest through two files."""
    write(
        tmp_path,
        """\
        on:
          workflow_call:
            inputs:
              target: {type: string, default: tests}
              mark: {type: string, default: fast}
        env: {CALLED: "1"}
        jobs:
          unit:
            steps:
              - uses: ./.github/actions/run
                with: {target: "${{ inputs.target }} -m ${{ inputs.mark }}"}
        """,
        ".github/workflows/called.yml",
    )
    write(
        tmp_path,
        """\
        inputs: {target: {default: none}}
        runs:
          using: composite
          steps:
            - run: pytest ${{ inputs.target }}
              env: {OF_THE_ACTION: "2"}
        """,
        ".github/actions/run/action.yml",
    )
    text = """\
        env: {NOT_HANDED_ON: "1"}
        jobs:
          all:
            uses: ./.github/workflows/called.yml
            with: {target: tests/deep}
            secrets: inherit
        """
    facts = read(tmp_path, text, hints=LogHints(job="all / unit"))
    assert facts.command is not None
    assert facts.command.text == "pytest tests/deep -m fast"
    assert facts.command.place.file == ".github/actions/run/action.yml"
    assert {one.name for one in facts.env} == {"CALLED", "OF_THE_ACTION"}
    assert [(one.label, one.value.text) for one in facts.assumed] == [("inputs.mark", "fast")]


def test_calls_in_a_circle_and_out_of_the_repository_are_not_followed(tmp_path: Path) -> None:
    """A circle is an error; another repository is named, and so is a path that leaves this one."""
    with pytest.raises(LogError, match="The workflow calls itself"):
        read(tmp_path, "jobs: {a: {uses: ./.github/workflows/ci.yml}}")
    for uses in ("./../../etc/x.yml", "o/r/.github/workflows/x.yml@v1"):
        facts = read(tmp_path, f"jobs: {{a: {{uses: {uses}}}}}", "a")
        assert [one.text for one in facts.unread] == [uses]


def test_variables_and_mounts_that_are_given_to_a_container_action_are_read(tmp_path: Path) -> None:
    """Some actions take a script and the options of `docker run`."""
    text = """\
        jobs:
          demo:
            strategy: {matrix: {group: [{name: llama, cmd: "HF_MODEL=m pytest demo.py -k ci"}]}}
            name: ${{ matrix.group.name }}
            steps:
              - uses: other/docker-run@main
                with:
                  docker_opts: |
                    -e HOME_OF_IT=${{ github.workspace }}
                    -v /mnt:/mnt:ro
                  run_args: |
                    ${{ matrix.group.cmd }}
        """
    facts = read(tmp_path, text, hints=LogHints(job="llama"))
    assert facts.command is not None
    assert facts.command.text == "pytest demo.py -k ci"
    env = {one.name: one.value.text for one in facts.env}
    assert env == {"HOME_OF_IT": "/github/workspace", "HF_MODEL": "m"}
    assert "-v /mnt:/mnt:ro" in facts.machine[0].value.text


@pytest.mark.parametrize(
    ("text", "fact"),
    [
        ("", "its top is empty"),
        ("[1]", "its top is no mapping"),
        ("on: push", "it has no jobs"),
        ("jobs: []", "it has no jobs"),
        ("stages: [test]\nunit: {script: [pytest]}", "is a GitLab pipeline"),
        ("runs: {using: composite}", "is an action, not a workflow"),
    ],
)
def test_what_is_no_workflow_of_github_says_what_it_is(tmp_path: Path, text: str, fact: str) -> None:
    """Each with the way on."""
    with pytest.raises(LogError, match=fact):
        read(tmp_path, text)


@pytest.mark.parametrize(
    ("script", "called"),
    [
        ("tox run -e py311", ["tox run -e py311"]),
        ("bash ci/run_tests.sh --fast", ["ci/run_tests.sh"]),
        ("pixi run -e test-py311 test-base", ["pixi run -e test-py311 test-base"]),
        ("pixi run -e test-py311 -- python versions.py", []),
        ("spin test -- --timeout=600", ["spin test -- --timeout=600"]),
    ],
)
def test_scripts_and_tools_that_a_step_calls_are_named(
    tmp_path: Path, script: str, called: list[str]
) -> None:
    """Where no call of pytest stands in the file, what may hold it does."""
    facts = read(tmp_path, f"jobs: {{a: {{steps: [{{run: '{script}'}}]}}}}", "a")
    assert [one.text for one in facts.called] == called


def test_a_call_behind_two_dashes_is_a_call(tmp_path: Path) -> None:
    """What starts it elsewhere is cut off."""
    facts = read(tmp_path, "jobs: {a: {steps: [{run: 'sde -skx -- python -m pytest a.py'}]}}")
    assert facts.command is not None
    assert facts.command.text == "python -m pytest a.py"
