from __future__ import annotations

from pathlib import Path

import pytest

from pytest_repro.scaffold.extract.gather import Module
from pytest_repro.scaffold.forms import Form, FormKind, forms_of

VALUE = "import pytest\n\n\n@pytest.fixture\ndef value({}):\n    return {}\n"
OTHER = "\n\n@pytest.fixture\ndef other(value):\n    return value\n"
OUTER, INNER, NEAR = VALUE.format("", "'outer'"), VALUE.format("", "'inner'"), VALUE.format("", "'near'")
ASKS_VALUE, ASKS_OTHER = "def test_a(value): ...\n", "def test_a(other): ...\n"
HOOKS = """\
import pytest

pytest_plugins = ['pytester']
def pytest_addoption(parser):
    parser.addoption('--runslow', action='store_true')
def pytest_generate_tests(metafunc):
    metafunc.parametrize('number', [1])
def pytest_configure(config): ...
@pytest.fixture
def size(request):
    return request.config.getoption('--runslow')
"""


def first_form(root: Path, *, outer: str, inner: str, test: str, options: tuple[str, ...] = ()) -> Form:
    (root / "tests").mkdir(exist_ok=True)
    (root / "conftest.py").write_text(outer)
    (root / "tests/conftest.py").write_text(inner)
    (root / "tests/test_a.py").write_text(test)
    return forms_of(root, "tests/test_a.py::test_a", "tests/test_x_repro.py", options=options).forms[0]


@pytest.mark.parametrize(
    ("inner", "test", "kept"),
    [
        ("", ASKS_VALUE, {"outer"}),
        (INNER, ASKS_VALUE, {"inner"}),
        (INNER, ASKS_OTHER, {"inner", "def other"}),
        ("", NEAR + ASKS_OTHER, {"near", "def other"}),
        ("", VALUE.format("value", "'near'") + ASKS_OTHER, {"outer", "near", "def other"}),
    ],
)
def test_of_fixtures_with_one_name_those_that_count_are_kept(
    tmp_path: Path, inner: str, test: str, kept: set[str]
) -> None:
    """The nearest to the test counts, also for fixtures further out; and what it asks for by its own name."""
    form = first_form(tmp_path, outer=OUTER + OTHER, inner=inner, test=test)
    assert form.kind is FormKind.STANDALONE
    text = form.code + form.conftest
    assert {each for each in ("outer", "inner", "near", "def other") if each in text} == kept


@pytest.mark.parametrize(
    ("inner", "brought"),
    [
        ("from .support import value, unused  # noqa\n", "from tests.support import value\n"),
        ("from tests.support import unused, value as value\n", "from tests.support import value as value\n"),
        (
            "from tests.support import other as value\nimport os\n",
            "from tests.support import other as value\n",
        ),
    ],
)
def test_a_fixture_that_a_conftest_imports_comes_by_its_import(
    tmp_path: Path, inner: str, brought: str
) -> None:
    """Nothing in the file uses the name: the test asks for it."""
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests/__init__.py").touch()
    form = first_form(tmp_path, outer="", inner=inner, test=ASKS_VALUE)
    assert form.kind is FormKind.STANDALONE
    assert form.conftest == brought


def test_each_conftest_that_asks_for_its_own_file_gets_it(tmp_path: Path) -> None:
    """The usual change of sys.path at the root, and a fixture with data beside another one."""
    outer = "import os, sys\nsys.path.insert(0, os.path.dirname(__file__))\n"
    inner = "import pytest\n\n\n@pytest.fixture\ndef value():\n    return __file__\n"
    form = first_form(tmp_path, outer=outer, inner=inner, test=ASKS_VALUE)
    assert form.kind is FormKind.STANDALONE
    assert form.conftest_files == (
        ("REPRO_FILE_1", "conftest.py"),
        ("REPRO_FILE_2", "tests/conftest.py"),
    )
    assert "os.path.dirname(REPRO_FILE_1)" in form.conftest
    assert "return REPRO_FILE_2" in form.conftest
    (tmp_path / "conftest.py").unlink()
    alone = forms_of(tmp_path, "tests/test_a.py::test_a", "tests/test_x_repro.py").forms[0]
    assert alone.conftest_files == (("REPRO_FILE", "tests/conftest.py"),)


def test_one_name_twice_in_conftest_files_is_reached(tmp_path: Path) -> None:
    """Each asks for the one further out, and one file cannot hold both."""
    form = first_form(tmp_path, outer=OUTER, inner=VALUE.format("value", "'inner'"), test=ASKS_VALUE)
    assert form.kind is FormKind.REACHED


def test_a_fixture_that_only_a_plugin_asks_for_is_kept() -> None:
    """Nothing in the module asks for it, so a plugin's stands behind it; one of another test goes."""
    of_b = "@pytest.fixture\ndef of_b(): ...\ndef test_a(client): ...\ndef test_b(of_b): ...\n"
    text = Module(NEAR + of_b, package="").case(["test_a"], None).text
    assert "def value" in text
    assert "def of_b" not in text


@pytest.mark.parametrize(
    ("test", "options", "hooks"),
    [
        ("def test_a(size): ...\n", (), {"pytest_addoption"}),
        ("def test_a(): ...\n", ("--runslow",), {"pytest_addoption"}),
        ("def test_a(number): ...\n", (), {"pytest_generate_tests"}),
        ("def test_a(): ...\n", (), set()),
    ],
)
def test_hooks_without_which_there_are_no_such_arguments_or_options_come_along(
    tmp_path: Path, test: str, options: tuple[str, ...], hooks: set[str]
) -> None:
    """The other hooks of a conftest file stay where they are; plugins that it names come too."""
    form = first_form(tmp_path, outer="", inner=HOOKS, test=test, options=options)
    assert form.kind is FormKind.STANDALONE
    assert "pytest_plugins = ['pytester']" in form.conftest
    names = ("pytest_addoption", "pytest_generate_tests", "pytest_configure")
    assert {name for name in names if f"def {name}" in form.conftest} == hooks
