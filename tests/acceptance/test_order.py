from __future__ import annotations

import pytest

from tests.acceptance.sessions import run_pytest

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
    result = run_pytest(suite, "--repro-order=order.txt", "-p", "no:randomly")
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


@pytest.mark.slow
def test_the_polluter_is_found_and_its_order_written(suite: pytest.Pytester) -> None:
    """Among all tests of the order; the file that is printed fails again."""
    (suite.path / "order.txt").write_text("test_a.py\ntest_b.py\n")
    result = run_pytest(suite, "--repro-order=order.txt", "--repro-bisect")
    assert result.ret == 0
    result.stdout.fnmatch_lines(
        [
            "found: test_b.py::test_victim fails 10 of 10 times after *::test_leak and 0 of 10 without it",
            "failure: AssertionError: leaked (signature *)",
        ]
    )
    (order,) = (suite.path / ".pytest_repro" / "sessions").glob("*-bisect-*/bisected_order.txt")
    assert order.read_text().splitlines() == ["test_a.py::TestLeak::test_leak", "test_b.py::test_victim"]
    again = run_pytest(suite, f"--repro-order={order}")
    again.assert_outcomes(passed=1, failed=1)


@pytest.mark.slow
def test_a_brittle_test_has_its_setter_found_and_a_crash_is_a_failure(pytester: pytest.Pytester) -> None:
    """It dies alone, and passes after the test that it needs; the victim is named."""
    pytester.makepyfile(
        """
        import os

        READY = []

        def test_other(): pass

        def test_setter(): READY.append(1)

        def test_brittle():
            READY or os._exit(3)

        def test_later(): pass
        """
    )
    name = "*brittle*.py::test_brittle"
    file = next(pytester.path.glob("test_*.py")).name
    result = run_pytest(pytester, f"--repro-bisect={file}::test_brittle")
    assert result.ret == 0
    result.stdout.fnmatch_lines([f"found: {name} passes 10 of 10 times after *::test_setter and 0 of 10 *"])


@pytest.mark.slow
def test_an_order_that_passes_is_not_reproduced(pytester: pytest.Pytester) -> None:
    """Status 6, and which failure rates are ruled out."""
    pytester.makepyfile(test_one="def test_one(): pass")
    result = run_pytest(pytester, "--repro-bisect")
    assert result.ret == 6
    result.stdout.fnmatch_lines(["not reproduced: test_one.py::test_one failed 0 of 10 times alone*"])
