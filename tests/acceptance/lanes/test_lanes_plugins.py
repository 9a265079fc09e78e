"""Other plugins, workers, and tests that plugins make: the lane that a test takes changes nothing."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.acceptance.lanes.comparison import Comparison, Project, compare, listed, needs_fast_lane

pytestmark = needs_fast_lane


def differences(comparison: Comparison, *, is_ordered: bool = True) -> str:
    return listed(comparison.differences(is_ordered=is_ordered))


def needs(module: str) -> pytest.MarkDecorator:
    return pytest.mark.skipif(find_spec(module) is None, reason=f"{module} is not installed")


TIMEOUTS = {
    "conftest.py": """
        from events import note

        def pytest_timeout_set_timer(item, settings):
            note("timer set", settings.timeout, settings.func_only)

        def pytest_timeout_cancel_timer(item):
            note("timer cancelled")
    """,
    "test_timeouts.py": """
        import time

        import pytest
        from events import note, word

        @pytest.fixture
        def waits():
            time.sleep(5)

        @pytest.fixture
        def waits_later():
            yield
            time.sleep(5)

        @pytest.mark.timeout(0.1)
        def test_call():
            print("before")
            time.sleep(5)

        @pytest.mark.timeout(0.1)
        def test_setup(waits):
            note("body")

        @pytest.mark.timeout(0.1)
        def test_teardown(waits_later):
            note("body")

        @pytest.mark.timeout(0.1, func_only=True)
        def test_function_only():
            time.sleep(5)

        @pytest.mark.timeout(0.1)
        @pytest.mark.xfail
        def test_expected():
            time.sleep(5)

        @pytest.mark.timeout(0)
        def test_no_timeout():
            note("body")

        def test_in_time():
            note(word())
    """,
}


def test_timeouts_of_pytest_timeout_end_an_iteration(tmp_path: Path) -> None:
    """By option and by mark; the timeout of the function alone takes the full lane."""
    project = Project(sources=TIMEOUTS, arguments=("--timeout=5",))
    comparison = compare(tmp_path, project, lanes=("full", "auto"))
    assert not comparison.differences(), differences(comparison)
    full = [test for test, lane in comparison.got.lanes.items() if lane == "full"]
    assert full == ["test_timeouts.py::test_function_only"]


MIXED = {
    "test_mixed.py": """
        import random
        import unittest
        import warnings

        import pytest
        from events import note

        @pytest.fixture
        def value(tmp_path):
            note("up")
            yield 1
            note("down")

        @pytest.mark.parametrize("name", ["a", "größe", "a b"])
        def test_passes(value, name):
            print("printed")
            note("body", random.random())

        def test_fails(value):
            print("printed")
            assert value == 2

        @pytest.mark.xfail
        def test_expected():
            assert 0

        def test_skips():
            pytest.skip("now")

        @pytest.fixture
        def broken():
            raise RuntimeError("setup")

        def test_error(broken):
            pass

        def test_warns():
            warnings.warn("old")

        class TestUnit(unittest.TestCase):
            def test_fails(self):
                self.fail("unit")
    """
}


def test_iterations_on_two_workers(tmp_path: Path) -> None:
    """The workers choose like the main process; what ran and what failed is the same in any order."""
    comparison = compare(tmp_path, Project(sources=MIXED, arguments=("-n2",), iterations=4))
    assert not comparison.differences(is_ordered=False), differences(comparison, is_ordered=False)
    assert set(comparison.got.lanes.values()) == {"fast"}


HYPOTHESIS = {
    "test_properties.py": """
        import pytest
        from events import note
        from hypothesis import given, settings
        from hypothesis import strategies as st

        calls = []

        @settings(max_examples=5, database=None, derandomize=True)
        @given(st.integers())
        def test_property(number):
            note("example")

        @settings(max_examples=5, database=None, derandomize=True)
        @given(st.integers())
        def test_fails(number):
            assert number != 0

        class TestMethods:
            @settings(max_examples=5, database=None, derandomize=True)
            @given(number=st.integers())
            def test_method(self, number):
                note("example")

        def test_plain(tmp_path):
            note("body")
    """
}


@needs("hypothesis")
def test_tests_of_hypothesis_take_the_full_lane(tmp_path: Path) -> None:
    """Other tests beside them do not."""
    plugins = frozenset({"hypothesispytest"})
    project = Project(sources=HYPOTHESIS, plugins=plugins)
    comparison = compare(tmp_path, project, lanes=("full", "auto"))
    assert not comparison.differences(), differences(comparison)
    fast = [test for test, lane in comparison.got.lanes.items() if lane == "fast"]
    assert fast == ["test_properties.py::test_plain"]


PLUGINS = {
    "asyncio": (
        "pytest_asyncio",
        (),
        """
        import asyncio

        import pytest
        import pytest_asyncio
        from events import note, word

        @pytest_asyncio.fixture
        async def value():
            note("up")
            yield asyncio.get_running_loop()
            note("down")

        @pytest_asyncio.fixture(scope="module", loop_scope="module")
        async def wider():
            note("wider up")
            yield 1
            note("wider down")

        @pytest.mark.asyncio
        async def test_passes(value):
            note(value is asyncio.get_running_loop())

        @pytest.mark.asyncio
        async def test_fails(value):
            await asyncio.sleep(0)
            print("printed")
            assert word() == "nothing"

        @pytest.mark.asyncio(loop_scope="module")
        async def test_wider(wider):
            note(wider)

        @pytest.mark.asyncio
        @pytest.mark.xfail
        async def test_expected():
            assert 0

        def test_plain():
            note("body")
        """,
    ),
    "anyio": (
        "anyio",
        (),
        """
        import anyio
        import pytest
        from events import note, word

        @pytest.fixture
        def anyio_backend():
            return "asyncio"

        @pytest.fixture
        async def value():
            note("up")
            yield 1
            note("down")

        @pytest.mark.anyio
        async def test_passes(value):
            await anyio.sleep(0)
            note(value)

        @pytest.mark.anyio
        async def test_fails(value):
            assert word() == "nothing"

        def test_plain():
            note("body")
        """,
    ),
    "pytest_mock": (
        "pytest_mock",
        (),
        """
        import os

        from events import note, word

        def test_patches(mocker):
            note(os.getcwd() == "/nowhere")
            mocker.patch("os.getcwd", return_value="/nowhere")
            note(os.getcwd())

        def test_call_is_explained(mocker):
            mock = mocker.Mock()
            mock(word())
            mock.assert_called_once_with("nothing")
        """,
    ),
    "pytest_cov": (
        "pytest_cov",
        ("--cov=.", "--cov-context=test"),
        """
        from events import note, word

        def test_passes():
            note("body")

        def test_fails():
            assert word() == "nothing"
        """,
    ),
    "randomly": (
        "pytest_randomly",
        ("-p", "randomly", "--randomly-seed=3"),
        """
        import random

        import pytest
        from events import note, word

        @pytest.mark.parametrize("number", range(5))
        def test_draws(number):
            note(random.random())

        def test_fails():
            assert word() == "nothing"
        """,
    ),
    "rerunfailures": (
        "pytest_rerunfailures",
        ("--reruns=2",),
        """
        import pytest
        from events import note, word

        def test_passes():
            note("body")

        def test_fails():
            note("body")
            assert word() == "nothing"

        @pytest.mark.flaky(reruns=3)
        def test_marked():
            assert word() == "nothing"
        """,
    ),
}


@pytest.mark.parametrize("name", [pytest.param(name, marks=needs(PLUGINS[name][0])) for name in PLUGINS])
def test_with_another_plugin_both_lanes_give_the_same(tmp_path: Path, name: str) -> None:
    """Whichever lane its tests take."""
    _, arguments, source = PLUGINS[name]
    project = Project(sources={"test_plugin.py": source}, arguments=arguments, plugins=frozenset({name}))
    comparison = compare(tmp_path, project, lanes=("full", "auto"))
    assert comparison.expected.iterations
    assert comparison.expected.status == 1
    assert not comparison.differences(), differences(comparison)
