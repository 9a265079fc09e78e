from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Any

import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pytest_repro.errors import LogError
from pytest_repro.logs.workflow.reader import LogHints, read_workflow

TEXTS = st.sampled_from(
    [
        "",
        "pytest -k 'a'",
        "${{ matrix.a }}",
        "${{ fromJSON('[1]') }}",
        "${{",
        "a && pytest \\",
        "./x.sh",
        "on",
        "1",
    ]
)
LEAVES = st.none() | st.booleans() | st.integers(-9, 9) | st.floats(allow_nan=False, width=16) | TEXTS
ANY = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from("ab"), inner, max_size=2),
    max_leaves=4,
)


def shaped(*names: str, **known: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """A mapping of the right keys; each value may be of the right shape, or any other."""
    fields = dict.fromkeys(names, ANY) | {name: value | ANY for name, value in known.items()}
    return st.fixed_dictionaries({}, optional=fields)


STEP = shaped("name", "uses", "if", "env", "with", "shell", "working-directory", "timeout-minutes", run=TEXTS)
MATRIX = shaped("a", "b", "include", "exclude", include=st.lists(ANY, max_size=2))
JOB = shaped(
    "name",
    "runs-on",
    "if",
    "container",
    "services",
    "defaults",
    "uses",
    "with",
    "timeout-minutes",
    env=st.dictionaries(st.sampled_from("ab"), TEXTS, max_size=2),
    strategy=shaped("x", matrix=MATRIX),
    steps=st.lists(STEP, max_size=3),
)
WORKFLOW = shaped(
    "name", "on", "env", "defaults", jobs=st.dictionaries(st.sampled_from("ab"), JOB, max_size=2)
)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(document=WORKFLOW, job=st.none() | st.sampled_from(["a", "b (1)"]))
def test_any_workflow_is_read_or_refused_with_our_own_error(
    tmp_path: Path, document: dict[str, Any], job: str | None
) -> None:
    """Values of the wrong shape, in any place, raise nothing else."""
    path = tmp_path / "x.yml"
    path.write_text(yaml.safe_dump(document), encoding="utf-8")
    with suppress(LogError):
        read_workflow(path, shown="x.yml", root=tmp_path, job=job, hints=LogHints(command="pytest -k 'a'"))
