from __future__ import annotations

import shlex
from pathlib import Path

import pytest

from pytest_repro.scaffold.command_options import conftest_texts, declared_options, options_of_command
from pytest_repro.scaffold.context import plan
from tests.unit.scaffold.folders import report_of

CONFTEST = """\
def pytest_addoption(parser):
    parser.addoption("--runslow", action="store_true", default=False)
    group = parser.getgroup("sizes")
    group.addoption("-S", "--size", type=int, default=3)
    group.addoption("--key")
"""


@pytest.mark.parametrize(
    ("command", "kept"),
    [
        ("pytest tests", ""),
        ("pytest --runslow --size 7 -n 4 tests", "--runslow --size 7"),
        ("python -m pytest --size=7 --tb=no -q -x", "--size=7"),
        ("pytest -W error::DeprecationWarning -Wignore -s", "-W error::DeprecationWarning -Wignore -s"),
        ("pytest -W error::my.module.Warning", ""),
        ("pytest -p no:randomly -p evil -pno:xdist -p no:terminal", "-p no:randomly -pno:xdist"),
        ("pytest --hypothesis-seed=4 --asyncio-mode auto", "--hypothesis-seed=4 --asyncio-mode auto"),
        ("pytest --size=*** --size /etc/passwd --size=../x --size $(id) --size $X --key=abc", ""),
        ("pytest --junitxml=x.xml --cov -k a -m b --lf --rootdir=/ -c x.ini --unknown 3", ""),
        ("make test --runslow", ""),
        ("pytest --size", ""),
    ],
)
def test_of_a_command_what_changes_one_test_is_kept(command: str, kept: str) -> None:
    """The project's own options, warnings and plugins that are off; nothing that does harm or hides any."""
    words = options_of_command(command, declared_options([CONFTEST, "not python ("]))
    assert list(words) == shlex.split(kept)


def test_the_options_of_the_logs_command_are_given_to_the_reproduction(tmp_path: Path) -> None:
    """Without `--runslow` the test would be skipped here, and nothing shown."""
    (tmp_path / "tests").mkdir()
    (tmp_path / "conftest.py").write_text(CONFTEST)
    (tmp_path / "tests/test_a.py").write_text("def test_a(): ...\n")
    report = report_of(command="pytest --runslow -v", variables={"PYTEST_ADDOPTS": "-W error"})
    planned = plan("x", report=report, folder=tmp_path / "x", source_root=tmp_path)
    assert planned.options == ("-W", "error", "--runslow")
    assert list(conftest_texts(tmp_path, "tests/test_a.py")) == [CONFTEST]
