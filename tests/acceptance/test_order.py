from __future__ import annotations

import sys

import pytest

from tests.acceptance.sessions import LIMIT_S, run_pytest

TESTS = """\
import os
import pytest


def test_first(): pass


@pytest.mark.parametrize("mode", ["a - b", "[z"])
def test_mode(mode): pass


class TestLeak:
    def test_leak(self):
        os.environ["LEAKED"] = "1"
"""
VICTIM = """\
import os


def test_other(): pass


def test_victim():
    assert "LEAKED" not in os.environ, "leaked"
"""


@pytest.fixture
def suite(pytester: pytest.Pytester) -> pytest.Pytester:
    pytester.makepyfile(test_a=TESTS, test_b=VICTIM)
    pytester.makepyfile(test_broken="raise RuntimeError('not to be collected')")
    return pytester


def test_the_tests_of_the_file_run_in_its_order_and_no_others(suite: pytest.Pytester) -> None:
    """With the path of another root, a BOM, CRLF and ids with ` - `; twice where the file says so."""
    lines = [
        "\ufeff# history of gw3",
        "work/test_b.py::test_victim",
        "",
        "test_a.py::test_mode[a - b]",
        "test_a.py::test_first",
        "test_a.py::test_first",
        "test_a.py::TestLeak",
    ]
    (suite.path / "order.txt").write_bytes("\r\n".join(lines).encode())
    result = run_pytest(suite, "--repro-order=order.txt", "-v")
    result.stdout.fnmatch_lines(
        [
            "order: 1 test runs more than once, as often as in the file",
            "test_b.py::test_victim PASSED*",
            "test_a.py::test_mode[[]a - b[]] PASSED*",
            "test_a.py::test_first PASSED*",
            "test_a.py::test_first PASSED*",
            "test_a.py::TestLeak::test_leak PASSED*",
        ]
    )
    result.assert_outcomes(passed=5, deselected=2)


def test_our_order_comes_after_every_plugin_that_shuffles(suite: pytest.Pytester) -> None:
    """Also after one that comes last, and after a wrapper."""
    suite.makeconftest(
        """
        import pytest

        @pytest.hookimpl(trylast=True)
        def pytest_collection_modifyitems(items):
            items.reverse()
        """
    )
    (suite.path / "order.txt").write_text("test_a.py\ntest_b.py::test_victim\n")
    result = run_pytest(suite, "--repro-order=order.txt", "-v")
    result.stdout.fnmatch_lines(
        [
            "test_a.py::test_first PASSED*",
            "test_a.py::test_mode[[]a - b[]] PASSED*",
            "test_a.py::test_mode[[][[]z[]] PASSED*",
            "test_a.py::TestLeak::test_leak PASSED*",
            "test_b.py::test_victim FAILED*",
        ],
        consecutive=True,
    )
    result.assert_outcomes(passed=4, failed=1, deselected=1)


@pytest.mark.parametrize(
    ("order", "arguments", "status", "text"),
    [
        (
            "test_a.py::test_frist\n",
            (),
            4,
            "*order.txt:1: no test test_a.py::test_frist (did you mean *",
        ),
        (
            "test_a.py\n",
            ("-n2",),
            4,
            "*--repro-order cannot be combined with -n: an order needs*",
        ),
        ("test_a.py\n", ("--repro-stress=2",), 4, "*that repeats each test by itself. Add --verify-runs N*"),
        ("# nothing\n", (), 4, "*The order file names no test (order.txt)*"),
        ("gone\ntest_b.py\n", ("--repro-order-missing=drop",), 0, "order: 1 line of the file left out"),
    ],
)
def test_what_cannot_be_done_is_said(
    suite: pytest.Pytester, order: str, arguments: tuple[str, ...], status: int, text: str
) -> None:
    """With the line, and the next step."""
    (suite.path / "order.txt").write_text(order)
    result = run_pytest(suite, "--repro-order=order.txt", *arguments)
    assert result.ret == status
    (result.stderr if status else result.stdout).fnmatch_lines([text])


def test_an_order_comes_by_standard_input(suite: pytest.Pytester) -> None:
    """Whatever wrote it: UTF-16 with a byte order mark is what PowerShell hands on."""
    order = "test_b.py::test_victim\r\ntest_a.py::test_first\r\n".encode("utf-16")
    result = suite.run(sys.executable, "-m", "pytest", "--repro-order=-", "-v", timeout=LIMIT_S, stdin=order)
    result.stdout.fnmatch_lines(
        ["test_b.py::test_victim PASSED*", "test_a.py::test_first PASSED*"], consecutive=True
    )
    result.assert_outcomes(passed=2, deselected=4)


@pytest.mark.parametrize(
    ("ini", "arguments", "text"),
    [
        (
            "repro_order = order.txt",
            ("--repro-stress=2",),
            "*repro_order in the ini file cannot be combined with --repro-stress: *Add -o repro_order= *",
        ),
        (
            "repro_stress = 2",
            ("--repro-order=order.txt",),
            "*--repro-order cannot be combined with repro_stress in the ini file: *Add -o repro_stress= *",
        ),
        (
            "",
            ("--repro-order=-", "--verify-runs=2"),
            "*--verify-runs cannot be combined with --repro-order=-: each run *Write the order to a file *",
        ),
    ],
)
def test_an_order_beside_what_repeats_tests_is_refused(
    suite: pytest.Pytester, ini: str, arguments: tuple[str, ...], text: str
) -> None:
    """Also where one of them stands in the ini file; the next step is right for that."""
    suite.makeini(f"[pytest]\n{ini}\n")
    (suite.path / "order.txt").write_text("test_a.py\n")
    result = suite.runpytest_inprocess(*arguments)
    assert result.ret == 4
    result.stderr.fnmatch_lines([text])


def test_what_the_ini_file_asks_for_can_be_left_out(suite: pytest.Pytester) -> None:
    """As the error says."""
    suite.makeini("[pytest]\nrepro_order = order.txt\n")
    (suite.path / "order.txt").write_text("test_a.py\n")
    result = suite.runpytest_inprocess("--repro-stress=2", "-o", "repro_order=", "test_b.py")
    result.assert_outcomes(passed=2)


def test_the_gate_runs_the_whole_order_in_each_of_its_runs(suite: pytest.Pytester) -> None:
    """Beside `--junitxml`, which has each run of a test that stands there twice."""
    (suite.path / "order.txt").write_text(
        "test_b.py::test_victim\ntest_a.py::TestLeak\ntest_b.py::test_other\n"
    )
    result = run_pytest(suite, "--repro-order=order.txt", "--verify-runs=2")
    result.stdout.fnmatch_lines(["run 1 of 2 passed: 3 tests in *", "run 2 of 2 passed: 3 tests in *"])
    (suite.path / "order.txt").write_text("test_b.py::test_other\ntest_b.py::test_other\n")
    assert run_pytest(suite, "--repro-order=order.txt", "--junitxml=report.xml").ret == 0
    assert (suite.path / "report.xml").read_text().count('name="test_other"') == 2


def test_names_in_any_script_are_found(pytester: pytest.Pytester) -> None:
    """Of files, functions and parameters; pytest spells parameters out."""
    text = (
        "import pytest\n@pytest.mark.parametrize('v', ['ü'])\ndef test_größe(v): pass\ndef test_b(): pass\n"
    )
    (pytester.path / "test_データ.py").write_text(text, encoding="utf-8")
    order = "test_データ.py::test_größe[\\xfc]\n"
    (pytester.path / "order.txt").write_text(order, encoding="utf-8")
    result = pytester.runpytest_inprocess("--repro-order=order.txt")
    result.assert_outcomes(passed=1, deselected=1)
