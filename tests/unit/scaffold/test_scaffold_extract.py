from __future__ import annotations

from pathlib import Path

import pytest

from pytest_repro.scaffold.extract.gather import Module
from pytest_repro.scaffold.extract.names import names_in
from pytest_repro.scaffold.extract.project import read_project
from pytest_repro.scaffold.extract.written import NotPossibleError
from pytest_repro.scaffold.forms import FormKind, forms_of

KINDS = [FormKind.STANDALONE, FormKind.REACHED, FormKind.IN_PLACE, FormKind.CHILD]
MODULE = '''\
"""Tests."""

from __future__ import annotations

import os
import json, sys
from typing import TYPE_CHECKING
import pytest
from .helpers import double, triple

if TYPE_CHECKING:
    from decimal import Decimal

os.environ["MODE"] = "fast"
sys.unused = 1
CASES = [1, "a-b", [3, 4], None]
LIMIT = 2
LIMIT += 1


def unused():
    return json


# compares
def check(a: "Decimal", b):
    assert a < LIMIT  # the limit


@pytest.fixture
def first(second):
    return second


@pytest.fixture(autouse=True)
def always():
    yield


@pytest.mark.parametrize("y", [0, 5])
@pytest.mark.parametrize("x", CASES)
def test_it(x, y, first, far):
    check(double(x), first)


class TestIt:
    """Doc."""

    limit = 3
    other = 4

    def setup_method(self):
        self.value = self.limit

    @pytest.mark.parametrize("value", [1, 2], ids=["one", "two"])
    def test_a(self, value):
        check(self.value, value)

    def test_b(self):
        pass
'''


def test_the_case_is_kept_with_what_it_needs_and_nothing_else() -> None:
    """Imports, constants, helpers, fixtures and side effects that it reaches stay; the rest goes."""
    gathered = Module(MODULE, package="tests").case(["test_it"], "x2-5")
    assert gathered.future == "from __future__ import annotations\n"
    assert (
        gathered.text
        == """\
import os
import sys
from typing import TYPE_CHECKING
import pytest
from tests.helpers import double

if TYPE_CHECKING:
    from decimal import Decimal

os.environ["MODE"] = "fast"
sys.unused = 1

LIMIT = 2
LIMIT += 1


# compares
def check(a: "Decimal", b):
    assert a < LIMIT  # the limit


@pytest.fixture
def first(second):
    return second


@pytest.fixture(autouse=True)
def always():
    yield


@pytest.mark.parametrize("y", [5])
@pytest.mark.parametrize("x", [[3, 4]], ids=['x2'])
def test_it(x, y, first, far):
    check(double(x), first)
"""
    )
    assert gathered.requested == {"second", "far"}


def test_of_a_class_the_other_tests_go() -> None:
    """What the kept method and the set-up mention stays, and one set of parameters with its id."""
    text = Module(MODULE, package="tests").case(["TestIt", "test_a"], "two").text
    assert (
        text[text.index("class TestIt") :]
        == """\
class TestIt:
    limit = 3

    def setup_method(self):
        self.value = self.limit

    @pytest.mark.parametrize("value", [2], ids=["two"])
    def test_a(self, value):
        check(self.value, value)
"""
    )


@pytest.mark.parametrize(
    ("bracket", "kept"),
    [
        ("1-0", "[1]"),
        ("a-b-0", '["a-b"]'),
        ("None-5", "[None]"),
        ("never-5", "CASES"),
    ],
)
def test_a_set_is_found_by_its_id(bracket: str, kept: str) -> None:
    """An id that fits no set leaves the list as it is."""
    text = Module(MODULE, package="tests").case(["test_it"], bracket).text
    assert f'parametrize("x", {kept})' in text


@pytest.mark.parametrize(
    ("code", "binds", "uses"),
    [
        ("x = y\n", {"x"}, {"y"}),
        ("def f(a=b):\n    c = a\n    return c + d\n", {"f"}, {"b", "d"}),
        ("def f():\n    global g\n    g = 1\n", {"f", "g"}, {"g"}),
        ("class A:\n    x = x\n    def f(self): return x\n", {"A"}, {"x"}),
        ("z = [i for i in w]\n", {"z"}, {"w"}),
        ("def f(a: 'B[C]') -> 'D': ...\n", {"f"}, {"B", "C", "D"}),
    ],
)
def test_names_are_resolved_as_python_does(code: str, binds: set[str], uses: set[str]) -> None:
    """Scopes, not words, say which name is meant."""
    names = names_in(code)
    assert names.binds == binds
    assert uses <= names.uses
    assert names.uses <= uses | binds


def test_a_set_whose_id_is_computed_gets_it_in_its_place() -> None:
    """A second list of ids would be no Python."""
    text = '@pytest.mark.parametrize("c", [None, 1.5, [2]], ids=str)\ndef test_a(c):\n    ...\n'
    module = Module(text, package="")
    assert "parametrize(\"c\", [1.5], ids=['1.5'])" in module.case(["test_a"], "1.5").text


def test_what_makes_sets_of_parameters_keeps_what_it_asks_a_class_for() -> None:
    """The module's hook by names in texts and attributes, the class's own by what it uses; other tests go."""
    hook = (
        "def pytest_generate_tests(metafunc):\n    metafunc.parametrize('v', getattr(metafunc.cls, 'sets'))\n"
    )
    case = "class TestA:\n    sets = ['test_w']\n    other = 2\n    def test_v(self, v): ...\n"
    case += "    def test_w(self): ...\n"
    text = Module(hook + case, package="").case(["TestA", "test_v"], "1").text
    assert "sets = ['test_w']" in text
    assert "other = 2" not in text
    assert "def test_w" not in text
    own = case.replace("    other", "    def pytest_generate_tests(self, metafunc): self.sets\n    other")
    assert "def pytest_generate_tests" in Module(own, package="").case(["TestA", "test_v"], "1").text


@pytest.mark.parametrize(
    ("test", "requested"),
    [
        ("def test_a(request):\n    request.getfixturevalue('far')\n", {"request", "far"}),
        ("def test_a(request, n=['far']):\n    request.getfixturevalue(n[0])\n", {"request", "far"}),
        ("@parametrize('x', [lf('far')])\ndef test_a(x): ...\n", {"x", "far"}),
        ("def test_a(request):\n    request.use('far')\n", {"request"}),
    ],
)
def test_a_fixture_is_asked_for_by_its_name_too(test: str, requested: set[str]) -> None:
    """Where the name is handed in, any text of the test may be it."""
    assert Module(test, package="").case(["test_a"], None).requested == requested


def test_what_is_not_there_is_said() -> None:
    """No case is written of a test that the module does not have."""
    with pytest.raises(NotPossibleError, match="test_gone is not defined in the module"):
        Module(MODULE, package="").case(["test_gone"], None)
    with pytest.raises(NotPossibleError, match="imports from a package that the file does not lie in"):
        Module(MODULE, package="").case(["test_it"], None)


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests/conftest.py").write_text(
        "import pytest\n\n\n@pytest.fixture\ndef far():\n    return 1\n\n\n"
        "@pytest.fixture\ndef unused():\n    return 2\n"
    )
    (tmp_path / "tests/test_a.py").write_text("def test_a(far):\n    assert far == 2\n")
    (tmp_path / "pytest.ini").write_text(
        "[pytest]\naddopts = -ra -p no:cacheprovider --cov\nfilterwarnings =\n    error\npythonpath = src\n"
    )
    return tmp_path


def test_forms_go_from_the_narrowest_to_the_widest(checkout: Path) -> None:
    """Fixtures of a conftest file are brought along, then reached, then the test stays where it is."""
    forms = forms_of(checkout, "tests/test_a.py::test_a", "tests/test_x_repro.py").forms
    assert [form.kind for form in forms] == KINDS
    assert "def far" in forms[0].conftest
    assert "unused" not in forms[0].conftest
    assert forms[1].conftests == ("tests/conftest.py",)


def test_what_changes_the_test_is_taken_from_the_projects_options(checkout: Path) -> None:
    """Warnings, plugins and paths are; what is shown or measured is not."""
    project = read_project(checkout, "tests/test_a.py")
    assert project.options == {"filterwarnings": "\nerror", "addopts": "-p no:cacheprovider"}
    assert project.paths == ("src", "tests", ".")


def test_a_file_that_was_not_collected_is_imported(checkout: Path) -> None:
    """Its node id names no test; so a test that imports it fails as the collection did."""
    (checkout / "tests/__init__.py").touch()
    forms = forms_of(checkout, "tests/test_a.py", "tests/test_x_repro.py").forms
    assert [form.kind for form in forms] == [FormKind.IMPORT, FormKind.CHILD]
    assert forms[0].module == "tests.test_a"
    assert forms[0].named_conftests == (("tests/conftest.py", "tests.conftest"),)


@pytest.mark.parametrize(
    ("nodeid", "option"),
    [
        ("docs/guide.rst::guide.rst", "--doctest-glob=guide.rst"),
        ("tests/test_a.py::test_a.double", "--doctest-modules"),
        ("tests/other.py::other", "--doctest-modules"),
        ("tests/test_a.py::test_a", None),
    ],
)
def test_doctests_are_collected_where_they_are(checkout: Path, nodeid: str, option: str | None) -> None:
    """They are told by their names; a test that has the name of its module is none."""
    (checkout / "tests/other.py").write_text('"""Doc."""\n')
    first = forms_of(checkout, nodeid, "tests/test_x_repro.py").forms[0]
    assert first.is_doctest == (option is not None)
    assert option is None or first.options["addopts"].endswith(option)


def test_what_is_imported_from_a_conftest_file_comes_with_it(checkout: Path) -> None:
    """Outside of packages its name is conftest, which is that of the file that is written too."""
    (checkout / "tests/conftest.py").write_text("LIMIT = 1\n\n\ndef near():\n    return LIMIT\n")
    test = checkout / "tests/test_a.py"
    test.write_text("from conftest import near\n\n\ndef test_a():\n    assert near() == 2\n")
    forms = forms_of(checkout, "tests/test_a.py::test_a", "tests/test_x_repro.py").forms
    assert forms[0].conftest == "LIMIT = 1\n\n\ndef near():\n    return LIMIT\n"
    test.write_text("import conftest\n\n\ndef test_a():\n    assert conftest.near() == 2\n")
    found = forms_of(checkout, "tests/test_a.py::test_a", "tests/test_x_repro.py")
    assert found.forms[0].kind is FormKind.REACHED
    assert "the module conftest is imported as a whole" in found.reasons[0]


def test_a_test_in_a_condition_and_a_fixture_with_parameters_are_cut_out() -> None:
    """The other tests of the condition go, and of the fixture's parameters one stays, with its id."""
    text = Module(
        "import sys\nimport pytest\n\nif sys.argv:\n\n    def test_other():\n        pass\n\n"
        "    def test_a(num):\n        assert num\nelse:\n    X = 1\n\n\n"
        "@pytest.fixture(params=[[1], 22, None])\ndef num(request):\n    return request.param\n",
        package="",
    )
    assert text.case(["test_a"], "num0").text == (
        "import sys\nimport pytest\n\nif sys.argv:\n\n    def test_a(num):\n        assert num\nelse:\n"
        "    X = 1\n\n\n@pytest.fixture(params=[[1]], ids=['num0'])\n"
        "def num(request):\n    return request.param\n"
    )


def test_options_of_pyproject_are_read_from_both_tables(tmp_path: Path) -> None:
    """Since pytest 9 they may stand in [tool.pytest] too, with types of their own."""
    for table in ("tool.pytest", "tool.pytest.ini_options"):
        (tmp_path / "pyproject.toml").write_text(f'[{table}]\nanyio_mode = "auto"\nxfail_strict = true\n')
        assert read_project(tmp_path, "test_a.py").options == {"anyio_mode": "auto", "xfail_strict": "True"}


@pytest.mark.parametrize(
    ("conftest", "test", "kind", "reason"),
    [
        ("", "def test_a(snapshot): ...", FormKind.IN_PLACE, "snapshot looks for files beside"),
        ("", "def test_a(data_regression): ...", FormKind.IN_PLACE, "data_regression looks for files"),
        ("", "@pytest.mark.vcr\ndef test_a(): ...", FormKind.IN_PLACE, "the mark vcr looks for files"),
        ("", "def test_a(request):\n    request.path", FormKind.IN_PLACE, "request.path is asked for"),
        ("return request.fspath", "def test_a(data): ...", FormKind.IN_PLACE, "request.fspath is asked for"),
        ("return request.fspath", "def test_a(): ...", FormKind.STANDALONE, ""),
        (
            "",
            "def test_a(pytestconfig):\n    pytestconfig.rootpath",
            FormKind.CHILD,
            "pytestconfig.rootpath is",
        ),
        (
            "return request.config.rootdir",
            "def test_a(data): ...",
            FormKind.CHILD,
            "config.rootdir is asked for",
        ),
        ("return 1", "def test_a(data): ...", FormKind.STANDALONE, ""),
    ],
)
def test_what_looks_for_data_by_its_place_stays_there(
    tmp_path: Path, conftest: str, test: str, kind: FormKind, reason: str
) -> None:
    """A copy would fail for lack of its data once the cause is mended, and never pass."""
    (tmp_path / "conftest.py").write_text(
        f"import pytest\n@pytest.fixture\ndef data(request):\n    {conftest or 'pass'}\n"
    )
    (tmp_path / "test_a.py").write_text(f"import pytest\n{test}\n")
    found = forms_of(tmp_path, "test_a.py::test_a", "tests/test_x_repro.py")
    assert found.forms[0].kind is kind
    assert reason in " ".join(found.reasons)
