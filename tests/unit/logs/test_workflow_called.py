from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pytest_repro.errors import LogError
from pytest_repro.logs.workflow.reader import read_workflow
from pytest_repro.logs.workflow.records import WorkflowFacts
from pytest_repro.logs.workflow.shell_lines import ShellLines

TOP = "/github/workspace"


@pytest.mark.parametrize(
    ("script", "folders"),
    [
        ("cd sub && pytest", ["sub"]),
        ("(cd sub; pytest a) && pytest b", ["sub", "."]),
        ("pushd a\npytest\npopd\npytest", ["a", "."]),
        ("(\n  cd x\n  pytest\n)\npytest", ["x", "."]),
        ("cd a && (cd b && pytest) ; cd .. && pytest", ["a/b", "."]),
        ("cd a\ncd -\npytest", ["."]),
        ("cd a || exit 1\npytest 2>&1 | tee log", ["a"]),
        ("if cd a; then pytest -k 'x (y) && cd z'; fi", ["a"]),
        ("run() { cd a; pytest; }", ["a"]),
        ("cd -- 'a b' && pytest # cd c", ["a b"]),
        ('cd "$(dirname "$0")/.." && pytest', ["."]),
        ('HERE="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"\ncd "$HERE/x"\npytest', ["ci/x"]),
        ("cd $(git rev-parse --show-toplevel)/x; pytest", ["x"]),
        ("cd ${GITHUB_WORKSPACE}/x\npytest", ["x"]),
        ("cd `pwd`/x && pytest", ["x"]),
        ('cd "${DIR:-svc}" && pytest', ["svc"]),
        ("DIR=svc\ncd $DIR && pytest", ["svc"]),
        ("X=$(cd z && ls) pytest", ["."]),
        ("cd $UNKNOWN && pytest", [None]),
        ("for d in a b; do cd $d && pytest; done", [None]),
        ("cd && pytest", [None]),
        ("cd $UNKNOWN\ncd /github/workspace/x\npytest", ["x"]),
    ],
)
def test_the_folder_of_a_command_is_followed(script: str, folders: list[str | None]) -> None:
    """Through separators, subshells, lines and variables; where the words do not say it, it is not known."""
    shell = ShellLines(own_folder=f"{TOP}/ci")
    parts = [part for line in script.split("\n") for part in shell.feed(line) if "pytest" in part.text]
    shown = [
        one if one is None else one.removeprefix(TOP).strip("/") or "." for one in (p.folder for p in parts)
    ]
    assert shown == folders


WORKFLOW = """\
on: push
jobs:
  test:
    runs-on: ubuntu-latest
    env: {{DIR: svc}}
    steps:
      - name: Test
        run: |
{run}
"""


def read(tmp_path: Path, run: str, **files: str) -> WorkflowFacts:
    for name, text in files.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    path = tmp_path / "ci.yml"
    rows = "\n".join(f"          {row}" for row in run.split("\n"))
    path.write_text(WORKFLOW.format(run=rows), encoding="utf-8")
    return read_workflow(path, shown="ci.yml", root=tmp_path)


MAKEFILE = """\
PYTHON ?= python3
ARGS = -v \\
  --tb=short
.PHONY: test
test: build
\t@cd sub && $(PYTHON) -m pytest $(ARGS) tests
build:
\ttrue
nested:
\t$(MAKE) -C sub test
unknown:
\tpytest $(shell ls)
"""
TOX = """\
[tox]
envlist = py311
[testenv]
changedir = sub
commands =
    python -c "import x"
    pytest {posargs:tests} --basetemp={envtmpdir}
[testenv:lint]
commands = ruff check
[testenv:py{38,310-311}-{cov,slow}]
commands =
    cov: coverage run -m pytest
    !cov: pytest --slow
"""
NOX = """\
import nox


@nox.session(python=["3.11"])
def tests(session):
    session.install(".")
    session.run("python", "-m", "pytest", "tests dir", *session.posargs)


@nox.session(name="other")
def _other(session):
    session.run("pytest", f"{session.python}")
"""
SCRIPT = (
    '#!/usr/bin/env bash\nset -e\nexport MODE=ci\ncd "$(dirname "$0")/../sub"\nexec pytest -v "$@" ${1:-x}\n'
)


@pytest.mark.parametrize(
    ("run", "files", "command", "folder", "place"),
    [
        ("cd sub && pytest a", {}, "pytest a", "sub", "ci.yml:9"),
        ("cd $DIR\npytest", {}, "pytest", "svc", "ci.yml:10"),
        ("pytest a", {}, "pytest a", None, "ci.yml:9"),
        ('bash -c "cd x && pytest"', {}, "pytest", "x", "ci.yml:9"),
        ("./ci/test.sh tests", {"ci/test.sh": SCRIPT}, "pytest -v tests tests", "sub", "ci/test.sh:5"),
        ("bash ci/run -q 'a b'", {"ci/run": SCRIPT}, "pytest -v -q 'a b' -q", "sub", "ci/run:5"),
        ("ci/run", {"ci/run": SCRIPT}, "pytest -v  x", "sub", "ci/run:5"),
        ("cd ci\n. ./a.sh", {"ci/a.sh": "./b.sh k\n", "ci/b.sh": "pytest $1"}, "pytest k", "ci", "ci/b.sh:1"),
        ("make test", {"Makefile": MAKEFILE}, "python3 -m pytest -v --tb=short tests", "sub", "Makefile:6"),
        ("make -C sub test ARGS=-x", {"sub/Makefile": MAKEFILE}, "python3 -m pytest -x tests", "sub/sub",
         "sub/Makefile:6"),
        ("make nested", {"Makefile": MAKEFILE, "sub/Makefile": "test:\n\tpytest\n"}, "pytest", "sub",
         "sub/Makefile:2"),
        ("tox -e py311", {"tox.ini": TOX}, "pytest tests --basetemp={envtmpdir}", "sub", "tox.ini:7"),
        ("tox -e py310-slow", {"tox.ini": TOX}, "pytest --slow", "sub", "tox.ini:13"),
        ("tox -e $P-slow", {"tox.ini": TOX}, "pytest tests --basetemp={envtmpdir}", "sub", "tox.ini:7"),
        ("tox -e py38-cov", {"tox.ini": TOX}, "coverage run -m pytest", "sub", "tox.ini:12"),
        ("uv run tox -- -k a", {"tox.ini": TOX}, "pytest -k a --basetemp={envtmpdir}", "sub", "tox.ini:7"),
        ("nox -s tests -- -x", {"noxfile.py": NOX}, "python -m pytest 'tests dir' -x", None, "noxfile.py:7"),
        ("nox -s other", {"noxfile.py": NOX}, "pytest {f'{session.python}'}", None, "noxfile.py:12"),
        ("python -m unittest a.b", {}, "python -m unittest a.b", None, "ci.yml:9"),
    ],
)  # fmt: skip
def test_the_call_of_pytest_is_found_where_a_step_goes(
    tmp_path: Path, run: str, files: dict[str, str], command: str, folder: str | None, place: str
) -> None:
    """In the folder that it goes to, and in the scripts and tools that it calls, each by its own file."""
    facts = read(tmp_path, run, **files)
    assert facts.command is not None
    assert (facts.command.text, str(facts.command.place)) == (command, place)
    assert (facts.working_directory.text if facts.working_directory else None) == folder
    assert place.startswith("ci.yml") == (not facts.looked_into)


def test_what_a_script_exports_before_its_call_is_a_variable(tmp_path: Path) -> None:
    """Its place is in the script."""
    facts = read(tmp_path, "./ci/test.sh", **{"ci/test.sh": SCRIPT})
    found = {one.name: (one.value.text, str(one.value.place)) for one in facts.env}
    assert found["MODE"] == ("ci", "ci/test.sh:3")


@pytest.mark.parametrize(
    ("run", "files", "note"),
    [
        ("./ci/test.sh", {}, "./ci/test.sh: ./ci/test.sh is not in this checkout"),
        ("./ci/test.sh", {"ci/test.sh": "true\n"}, "no call of pytest or unittest was found in ci/test.sh"),
        ("make test", {}, "make test: there is no Makefile in . of this checkout"),
        ("make test", {"Makefile": "check:\n\ttrue\n"}, "make test: Makefile has no rule for test"),
        ("make test", {"Makefile": "test:\n\ttrue\n"}, "no call of pytest was found in Makefile"),
        ("tox", {}, "there is no tox.ini that can be read in . of this checkout"),
        ("tox -e lint", {"tox.ini": TOX}, "no call of pytest was found in tox.ini"),
        ("nox", {"noxfile.py": "not python ("}, "there is no noxfile.py that can be read"),
        ("nox -s gone", {"noxfile.py": NOX}, "noxfile.py runs nothing for gone"),
        ("./a.sh", {"a.sh": "./a.sh\n"}, "no call of pytest or unittest was found in a.sh"),
    ],
)
def test_what_is_not_found_is_said(tmp_path: Path, run: str, files: dict[str, str], note: str) -> None:
    """A step whose tests cannot be read says what was looked into; no circle is run through."""
    facts = read(tmp_path, run, **files)
    assert facts.command is None
    assert note in facts.looked_into[0].text


def test_nothing_outside_of_the_checkout_is_read(tmp_path: Path) -> None:
    """Neither by a path, nor by a link."""
    inside = tmp_path / "checkout"
    inside.mkdir()
    (tmp_path / "out.sh").write_text("pytest\n")
    (inside / "link.sh").symlink_to(tmp_path / "out.sh")
    for run in ("../out.sh", f"bash {tmp_path}/out.sh", "./link.sh", "cd ..; ./out.sh"):
        assert read(inside, run).command is None


def test_a_workflow_that_is_not_seen_to_run_tests_names_its_jobs(tmp_path: Path) -> None:
    """Where nothing tells which one is meant, there is something to choose from."""
    text = "jobs:\n  a: {steps: [{run: just cov}]}\n  '{b}': {steps: [{run: echo}]}\n"
    (tmp_path / "ci.yml").write_text(text)
    with pytest.raises(LogError) as raised:
        read_workflow(tmp_path / "ci.yml", shown="ci.yml", root=tmp_path)
    assert "None of the 2 jobs of the workflow is seen to run tests" in str(raised.value)
    assert "Jobs: 'a', '{b}'." in str(raised.value)


ROW = st.lists(
    st.sampled_from(
        ["pytest", "cd", "a", "(", ")", "$(", "${", "}", '"', "'", "`", "\\", "&&", ";", "#", ":", "=", "\n",
         "$@", "[testenv]", "commands", "test", "{posargs}", "./x.sh", "make", "-C", " ", "é", "\0"]
    ),
    max_size=14,
).map("".join)  # fmt: skip


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(script=ROW, makefile=ROW, tox=ROW)
def test_any_text_is_read(tmp_path: Path, script: str, makefile: str, tox: str) -> None:
    """Whatever stands in what a step calls, the workflow is read."""
    files = {"x.sh": script, "Makefile": f"test:\n\t{makefile}", "tox.ini": f"[testenv]\ncommands = {tox}"}
    facts = read(tmp_path, "./x.sh a\nmake test\ntox -- b\npytest", **files)
    assert facts.command is not None
