"""Which seeds a user has given by hand, so that all runs of a gate share them."""

from __future__ import annotations

import pytest

from pytest_repro.plugin.fixed_choices import fixed_choices
from pytest_repro.verify.runs import Run, RunReport

SEEDS = {"--repro-seed": "3", "--randomly-seed": "4"}


@pytest.mark.parametrize(
    ("arguments", "addopts", "environment", "expected"),
    [
        ((), "", {}, ()),
        (("--randomly-seed=4",), "", {}, ("--randomly-seed",)),
        (("--randomly-seed", "last"), "", {}, ("--randomly-seed",)),
        (("@args.txt",), "", {}, ("--randomly-seed",)),
        ((), "--randomly-seed=4", {}, ("--randomly-seed",)),
        ((), "", {"PYTEST_ADDOPTS": "-q --randomly-seed=4"}, ("--randomly-seed",)),
        (("--randomly-dont-reorganize",), "", {}, ()),
        ((), "", {"PYTHONHASHSEED": "7"}, ("PYTHONHASHSEED",)),
        ((), "", {"PYTHONHASHSEED": "8"}, ()),
        ((), "", {"PYTHONHASHSEED": "random"}, ()),
    ],
)
def test_seeds_that_were_given_are_told_from_those_by_chance(
    pytester: pytest.Pytester,
    monkeypatch: pytest.MonkeyPatch,
    arguments: tuple[str, ...],
    addopts: str,
    environment: dict[str, str],
    expected: tuple[str, ...],
) -> None:
    """On the command line, in a file of arguments, in the ini file and in the environment."""
    pytester.makefile(".txt", args="--randomly-seed=4\n")
    pytester.makeconftest(
        "def pytest_addoption(parser):\n"
        "    parser.addoption('--randomly-seed')\n"
        "    parser.addoption('--randomly-dont-reorganize', action='store_true')\n"
    )
    pytester.makeini(f"[pytest]\naddopts = {addopts}\n")
    monkeypatch.delenv("PYTHONHASHSEED", raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    config = pytester.parseconfig("-p", "no:randomly", *arguments)
    report = RunReport(exit_status=0, tests={}, seeds=SEEDS, hash_seed="7")
    first = Run(number=1, exit_status=0, duration_ns=1, report=report)
    assert fixed_choices(config, first, is_seed_fixed=False) == expected
    assert set(fixed_choices(config, first, is_seed_fixed=True)) == {*expected, "--repro-seed"}


def test_a_seed_that_no_run_has_is_not_shared(pytester: pytest.Pytester) -> None:
    """`--repro-seed` without a stress run inside; a run without a report tells nothing."""
    config = pytester.parseconfig()
    report = RunReport(exit_status=0, tests={})
    for told in (report, None):
        first = Run(number=1, exit_status=0, duration_ns=1, report=told)
        assert fixed_choices(config, first, is_seed_fixed=True) == ()
