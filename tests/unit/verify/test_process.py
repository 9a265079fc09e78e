"""How a run is started and repeated."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_repro.verify.process import RunCommand, with_hash_seed


def _command(*as_typed: str) -> RunCommand:
    return RunCommand(
        launcher=("python", "-m", "pytest"),
        arguments=(),
        directory=Path(),
        environment={},
        folder_option="--folder",
        as_typed=("pytest", *as_typed),
    )


@pytest.mark.parametrize(
    ("as_typed", "line"),
    [
        (("a b",), "PYTHONHASHSEED=5 pytest 'a b' --repro-seed=7"),
        (("-x", "--", "-a"), "PYTHONHASHSEED=5 pytest -x --repro-seed=7 -- -a"),
        (("--repro-seed", "3"), "PYTHONHASHSEED=5 pytest --repro-seed 3"),
        (("--repro-seed=3",), "PYTHONHASHSEED=5 pytest --repro-seed=3"),
    ],
)
def test_a_run_is_repeated_with_its_seeds(as_typed: tuple[str, ...], line: str) -> None:
    """Where pytest reads options, and not over what was given by hand."""
    assert _command(*as_typed).line(hash_seed="5", seeds={"--repro-seed": "7"}) == line


def test_a_hash_seed_by_number_stays_and_any_other_is_replaced() -> None:
    """A seed that Python chooses can be told by nobody."""
    assert with_hash_seed({"PYTHONHASHSEED": "0"}, 5)["PYTHONHASHSEED"] == "0"
    assert with_hash_seed({"PYTHONHASHSEED": "random"}, 5)["PYTHONHASHSEED"] == "5"
    assert with_hash_seed({}, 5) == {"PYTHONHASHSEED": "5"}
    assert int(with_hash_seed({})["PYTHONHASHSEED"]) > 0
