"""Which lane a test takes, why, and that hooks outside the run of a test are called alike in both."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.acceptance.lanes.comparison import Project, compare, listed, needs_fast_lane, run_lane

pytestmark = needs_fast_lane

HOOKED = {
    "conftest.py": "",
    "a_call/conftest.py": """
        from events import note

        def pytest_runtest_call(item):
            note("hook of the call", item.name)
    """,
    "b_report/conftest.py": """
        import pytest
        from events import note

        @pytest.hookimpl(wrapper=True)
        def pytest_runtest_makereport(item, call):
            report = yield
            note("hook of the report", call.when, report.outcome)
            item.stash[KEY] = report
            return report

        KEY = pytest.StashKey()

        @pytest.fixture(autouse=True)
        def told(request):
            yield
            note("told", request.node.stash[KEY].outcome)
    """,
    "c_setup/conftest.py": """
        import pytest
        from events import note

        @pytest.hookimpl(tryfirst=True)
        def pytest_runtest_setup(item):
            note("hook of the setup")
            if "skipped" in item.name:
                pytest.skip("by the hook")
    """,
    "d_teardown/conftest.py": """
        from events import note

        def pytest_runtest_teardown(item, nextitem):
            note("hook of the teardown", nextitem and nextitem.name)
    """,
}
PROTOCOL = {
    "hooked/conftest.py": """
        import pytest
        from events import note

        @pytest.hookimpl(hookwrapper=True)
        def pytest_runtest_protocol(item, nextitem):
            note("before", item.nodeid)
            yield
            note("after", item.nodeid)
    """,
    "hooked/test_hooked.py": "def test_hooked():\n    pass\n",
    "test_elsewhere.py": "def test_elsewhere():\n    pass\n",
}
TESTS = """
    from events import note, word

    def test_passes_{name}(tmp_path):
        note("body")

    def test_fails_{name}():
        print("printed")
        assert word() == "nothing"

    def test_skipped_{name}():
        note("body")
"""


def hooked() -> Project:
    names = [name.partition("/")[0] for name in HOOKED if "/" in name]
    tests = {f"{name}/test_{name}.py": TESTS.format(name=name) for name in (*names, "e_free")}
    return Project(sources=HOOKED | tests, arguments=("-v",))


def test_only_what_hooks_into_the_run_of_a_test_asks_for_the_full_lane(tmp_path: Path) -> None:
    """A conftest in one folder changes nothing for the others; the reason names file and hook."""
    comparison = compare(tmp_path, hooked(), lanes=("full", "auto"))
    assert not comparison.differences(), listed(comparison.differences())
    got = comparison.got
    hooks = {"a_call": "call", "b_report": "makereport", "c_setup": "setup", "d_teardown": "teardown"}
    for test, lane in got.lanes.items():
        folder = test.partition("/")[0]
        hook = hooks.get(folder)
        reason = None if hook is None else f"{folder}/conftest.py hooks into pytest_runtest_{hook}"
        assert (lane, got.reasons[test]) == ("fast" if hook is None else "full", reason)
    assert set(comparison.expected.lanes.values()) == {"full"}
    # `-v` says how many tests took which lane, and why.
    lines = [
        f"full for 3 tests: {folder}/conftest.py hooks into pytest_runtest_{hooks[folder]}"
        for folder in hooks
    ]
    assert comparison.got.lane_lines == tuple(f"lane: {line}" for line in (*lines, "fast for 3 tests"))


def test_a_hook_around_the_protocol_is_one_for_all_tests(tmp_path: Path) -> None:
    """It is called for every test, in whatever folder its conftest is."""
    comparison = compare(tmp_path, Project(sources=PROTOCOL), lanes=("full", "auto"))
    assert not comparison.differences(), listed(comparison.differences())
    assert len(comparison.got.events) == 12
    assert set(comparison.got.reasons.values()) == {"hooked/conftest.py hooks into pytest_runtest_protocol"}


def test_a_test_that_cannot_take_the_fast_lane_is_refused_there(tmp_path: Path) -> None:
    """Exit status 4 with the reason; nothing ran."""
    got = run_lane(tmp_path, hooked(), "fast")
    assert got.status == 4
    text = "\n".join((*got.terminal, *got.errors))
    assert "a_call/conftest.py hooks into pytest_runtest_call" in text
    assert got.events == ()


# Called around an iteration, not in its place.
HARMLESS = """
    import pytest
    from events import note

    def pytest_fixture_setup(fixturedef, request):
        note("fixture", fixturedef.argname)

    def pytest_fixture_post_finalizer(fixturedef, request):
        note("fixture gone", fixturedef.argname)

    @pytest.hookimpl(wrapper=True)
    def pytest_pyfunc_call(pyfuncitem):
        note("call", sorted(pyfuncitem.funcargs))
        result = yield
        note("called")
        return result

    def pytest_runtest_logstart(nodeid, location):
        note("start", nodeid)

    def pytest_runtest_logfinish(nodeid, location):
        note("finish", nodeid)

    def pytest_runtest_logreport(report):
        note("report", report.when, report.outcome, [name for name, text in report.sections])

    def pytest_exception_interact(node, call, report):
        places = report.longreprtext.count("test_hooks.py")
        note("exception", node.name, call.when, call.excinfo.typename, places)
        print("printed by a hook")

    def pytest_warning_recorded(warning_message, when, nodeid, location):
        note("warning", warning_message.message, when, nodeid)
        print("printed by another hook")

    def pytest_assertrepr_compare(config, op, left, right):
        if isinstance(left, complex):
            return ["two complex numbers", f"{left} is not {right}"]

    def pytest_assertion_pass(item, lineno, orig, expl):
        note("assertion", item.name, orig)

    def pytest_report_teststatus(report, config):
        if report.skipped:
            return "skipped", "_", "LEFT OUT"

    def pytest_markeval_namespace(config):
        return {"own_name": True}

    def pytest_report_to_serializable(config, report):
        note("to be sent", report.when)

    def pytest_itemcollected(item):
        note("collected", item.name)
"""

HARMLESSLY_HOOKED = {
    "conftest.py": HARMLESS,
    "test_hooks.py": """
        import warnings

        import pytest
        from events import note, word

        @pytest.fixture(scope="module")
        def wider():
            yield "wider"

        @pytest.fixture
        def value(wider):
            return wider

        @pytest.fixture
        def broken():
            raise RuntimeError(word())

        @pytest.fixture
        def broken_later():
            yield
            raise RuntimeError(word())

        def test_passes(value):
            assert value == "wider"

        def test_complex():
            assert complex(1, 2) == complex(1, 3)

        def test_setup_fails(broken):
            note("body")

        def test_teardown_fails(broken_later):
            note("body")

        def test_call_and_teardown_fail(broken_later):
            assert word() == "nothing"

        @pytest.mark.skipif("own_name", reason="of the namespace")
        def test_skipped():
            note("body")

        @pytest.mark.xfail
        def test_expected():
            assert 0

        def test_warns():
            warnings.warn(f"old {word()}")
            print("printed by the test")
    """,
}


def test_other_hooks_are_called_alike_in_both_lanes(tmp_path: Path) -> None:
    """As often, in the same order, with the same arguments; what they print goes to the same place."""
    project = Project(sources=HARMLESSLY_HOOKED, ini="enable_assertion_pass_hook = true\n")
    comparison = compare(tmp_path, project)
    assert len(comparison.expected.events) > 100
    assert not comparison.differences(), listed(comparison.differences())


@pytest.mark.parametrize(
    ("arguments", "ini", "reason"),
    [(("--setup-show",), "", "--setup-show is given"), ((), "log_cli = true\n", "log_cli is set")],
    ids=["option", "ini"],
)
def test_options_that_work_inside_the_protocol_ask_for_the_full_lane(
    tmp_path: Path, arguments: tuple[str, ...], ini: str, reason: str
) -> None:
    """The reason names the option."""
    sources = {"test_plain.py": "def test_plain(tmp_path):\n    pass\n"}
    got = run_lane(tmp_path, Project(sources=sources, arguments=arguments, ini=ini), "auto")
    assert got.status == 0
    assert got.lanes == {"test_plain.py::test_plain": "full"}
    assert got.reasons == {"test_plain.py::test_plain": reason}
