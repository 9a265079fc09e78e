"""Sample tests: failures, errors, skips and expected failures of every kind."""

from __future__ import annotations

SOURCES = {
    "test_assertions.py": """
    import pytest
    from events import word

    def test_comparison():
        assert [1, 2, word()] == [1, 3, word()], "lists"

    def test_text():
        assert f"a\\nb {word()}\\nc" == f"a\\nB {word()}\\nc"

    def test_dict_and_set():
        assert {"a": 1, "b": {word()}} == {"a": 2, "c": 3}

    def test_call():
        def helper(value):
            return value.upper()
        assert helper(word()) == word()

    def test_long():
        assert list(range(100)) == [*range(50), word(), *range(50, 100)]

    def test_approx():
        assert 0.1 + 0.2 == pytest.approx(0.4), word()

    def test_raises():
        with pytest.raises(ValueError, match="never"):
            raise ValueError(word())

    def test_did_not_raise():
        with pytest.raises(KeyError):
            word()

    def test_all():
        assert all(len(each) > 3 for each in ("four", word()[:1]))

    def test_without_rewriting():
        exec("assert word() == 'nothing'", {"word": word})
""",
    "test_failures.py": """
    import sys

    import pytest
    from events import note, word

    def helper(value):
        __tracebackhide__ = True
        raise LookupError(value)

    def test_hidden_frame():
        helper(word())

    def test_chained():
        try:
            raise KeyError("inner")
        except KeyError as error:
            raise RuntimeError(word()) from error

    def test_in_context():
        try:
            raise KeyError("inner")
        except KeyError:
            raise RuntimeError(word())

    def test_recursion():
        def deeper():
            deeper()
        deeper()

    def test_pytest_fail():
        pytest.fail(f"gave up {word()}")

    def test_without_traceback():
        pytest.fail(f"gave up {word()}", pytrace=False)

    def test_system_exit():
        sys.exit(f"code {word()}")

    def test_system_exit_with_a_number():
        raise SystemExit(3)

    class Stop(BaseException):
        pass

    def test_base_exception():
        raise Stop(word())

    def test_generator_exit():
        raise GeneratorExit(word())

    class Unprintable(Exception):
        def __str__(self):
            raise TypeError("no text")

    def test_unprintable():
        raise Unprintable

    def test_note():
        error = ValueError(word())
        if hasattr(error, "add_note"):
            error.add_note(f"note {word()}")
        raise error

    def test_no_such_name():
        return undefined_name

    def test_returns_a_value():
        return 1

    def test_wrong_arguments(tmp_path, undeclared=word):
        note(undeclared())

    async def test_coroutine_without_a_plugin():
        pass

    def test_exception_with_a_cycle():
        error = ValueError(word())
        error.__context__ = KeyError("a")
        error.own = error
        raise error

    def test_surrogate():
        print("\\udc80")
        raise ValueError(f"{word()} \\udc80 \\x00")
""",
    "test_last_exception.py": """
    import sys

    import pytest
    from events import note, word

    def look(stage):
        names = ("last_type", "last_value", "last_exc")
        note(stage, [repr(getattr(sys, name, None)) for name in names])

    @pytest.fixture
    def looks():
        look("setup")
        yield
        look("teardown")

    def test_fails(looks):
        look("call")
        raise ArithmeticError(word())

    def test_passes(looks):
        look("call")

    def test_exits(looks):
        raise SystemExit(word())

    def test_skips(looks):
        pytest.skip(word())
""",
    "test_exception_groups.py": """
    import builtins
    import sys

    import pytest
    from events import word

    pytestmark = pytest.mark.skipif(sys.version_info < (3, 11), reason="no groups")

    def test_group():
        raise ExceptionGroup(f"all {word()}", [ValueError(1), ExceptionGroup("inner", [KeyError("a")])])

    def test_base_group():
        raise BaseExceptionGroup(word(), [KeyboardInterrupt(), ValueError(2)])

    @pytest.mark.xfail(raises=getattr(builtins, "ExceptionGroup", Exception))
    def test_expected_group():
        raise ExceptionGroup("all", [ValueError(1)])

    def test_raises_group():
        with pytest.raises(ExceptionGroup) as caught:
            raise ExceptionGroup(word(), [ValueError(1)])
        assert not caught.group_contains(ValueError)
""",
    "test_errors.py": """
    import pytest
    from events import note, word

    @pytest.fixture
    def fails():
        print("prints in setup")
        note("setup")
        raise RuntimeError(f"setup {word()}")

    @pytest.fixture
    def fails_later():
        yield
        print("prints in teardown")
        note("teardown")
        raise RuntimeError(f"teardown {word()}")

    @pytest.fixture
    def asserts_later():
        yield
        assert word() == "nothing"

    def test_setup(fails):
        note("body")

    def test_teardown(fails_later):
        note("body")

    def test_two_teardowns(fails_later, asserts_later):
        note("body")

    def test_call_and_teardown(fails_later):
        print("prints in call")
        note("body")
        assert word() == "nothing"

    def test_setup_and_teardown(fails_later, fails):
        note("body")

    @pytest.fixture
    def fails_by_name():
        pytest.fail("in fixture", pytrace=False)

    def test_pytest_fail_in_fixture(fails_by_name):
        pass

    @pytest.fixture
    def exits():
        raise SystemExit(f"exit {word()}")

    def test_system_exit_in_setup(exits):
        pass

    def test_after():
        note("body")
""",
    "test_skips.py": """
    import sys
    import unittest

    import pytest
    from events import note, word

    @pytest.mark.skip
    def test_mark():
        note("body")

    @pytest.mark.skip(reason="not today")
    def test_reason():
        note("body")

    @pytest.mark.skipif(sys.version_info > (3,), reason="too new")
    def test_condition():
        note("body")

    @pytest.mark.skipif("sys.version_info > (3,)")
    def test_condition_as_text():
        note("body")

    @pytest.mark.skipif("1 +")
    def test_condition_that_is_no_expression():
        note("body")

    @pytest.mark.skipif(True)
    def test_condition_without_reason():
        note("body")

    @pytest.mark.skipif(False, reason="never")
    def test_condition_that_does_not_hold():
        note("body")

    def test_inside():
        print("before the skip")
        pytest.skip(f"inside {word()}")

    @pytest.fixture
    def skipping():
        note("skipping")
        pytest.skip("in fixture")

    def test_in_fixture(skipping):
        note("body")

    @pytest.fixture
    def skipping_later():
        yield
        pytest.skip(f"in teardown {word()}")

    def test_in_teardown(skipping_later):
        note("body")

    def test_failure_and_skip_in_teardown(skipping_later):
        assert word() == "nothing"

    def test_missing_library():
        pytest.importorskip("no_such_library")

    def test_too_old_library():
        pytest.importorskip("pytest", minversion="1000")

    def test_of_unittest():
        raise unittest.SkipTest("of unittest")

    class TestClass:
        pytestmark = [pytest.mark.skip("all of the class")]

        def test_a(self):
            note("body")

    @pytest.mark.skip("one", "two", "three")
    def test_wrong_mark():
        pass
""",
    "test_expected_failures.py": """
    import pytest
    from events import note, word

    @pytest.mark.xfail
    def test_fails():
        note("body")
        print("before")
        assert word() == "nothing"

    @pytest.mark.xfail(reason="known")
    def test_passes():
        note("body")

    @pytest.mark.xfail(strict=True, reason="known")
    def test_fails_strictly():
        assert 0

    @pytest.mark.xfail(strict=True, reason="known")
    def test_passes_strictly():
        note("body")

    @pytest.mark.xfail(run=False, reason="crashes")
    def test_is_not_run():
        note("body")

    @pytest.mark.xfail(raises=(KeyError, IndexError))
    def test_raises_as_expected():
        raise IndexError

    @pytest.mark.xfail(raises=KeyError)
    def test_raises_otherwise():
        raise ValueError(word())

    @pytest.mark.xfail("word() == 'nothing'", reason="never")
    def test_condition_that_does_not_hold():
        assert word() == "nothing"

    @pytest.mark.xfail("True")
    @pytest.mark.xfail(reason="second")
    def test_two_marks():
        assert 0

    @pytest.fixture
    def broken():
        raise OSError("broken")

    @pytest.fixture
    def broken_later():
        yield
        raise OSError("broken later")

    @pytest.mark.xfail
    def test_setup_fails(broken):
        note("body")

    @pytest.mark.xfail
    def test_teardown_fails(broken_later):
        note("body")

    @pytest.mark.xfail
    def test_call_and_teardown_fail(broken_later):
        assert 0

    @pytest.mark.xfail
    def test_skips():
        pytest.skip("inside")

    def test_imperative():
        note("before")
        pytest.xfail(f"imperative {word()}")

    @pytest.fixture
    def imperative():
        pytest.xfail("in fixture")

    def test_imperative_in_fixture(imperative):
        note("body")

    def test_added_before_the_failure(request):
        request.node.add_marker(pytest.mark.xfail(reason="added"))
        assert 0

    def test_applied_before_the_failure(request):
        request.applymarker(pytest.mark.xfail(reason="applied", raises=ZeroDivisionError))
        1 / 0

    def test_added_before_the_pass(request):
        request.node.add_marker(pytest.mark.xfail(reason="added", strict=True))

    @pytest.fixture
    def adding(request):
        request.node.add_marker(pytest.mark.xfail(reason="of the fixture", run=False))

    def test_added_by_a_fixture(adding):
        note("body")
        assert 0

    def test_marks_do_not_pile_up(request):
        note(len(list(request.node.iter_markers("xfail"))))
        request.node.add_marker(pytest.mark.xfail(reason="pile"))

    @pytest.mark.xfail(raises=SystemExit)
    def test_system_exit():
        raise SystemExit(1)
""",
    "test_in_some_iterations.py": """
    import pytest
    from events import iteration, note, word

    def test_fails_in_the_second():
        print("prints", word())
        assert iteration() != 2

    def test_skips_in_the_second():
        if iteration() == 2:
            pytest.skip("now")

    def test_fails_after_the_first(request):
        if iteration() == 1:
            request.node.add_marker(pytest.mark.xfail(reason="first"))
        assert 0, word()

    @pytest.fixture
    def sometimes():
        if iteration() == 2:
            raise RuntimeError("setup")
        yield
        if iteration() == 3:
            raise RuntimeError("teardown")

    def test_error_in_some(sometimes):
        note("body")

    @pytest.fixture(scope="module")
    def made_late():
        note("made")
        if iteration() == 2:
            raise RuntimeError("too early")
        yield
        note("gone")

    def test_wider_fixture_that_fails_once(request):
        if iteration() > 1:
            request.getfixturevalue("made_late")
""",
}

UNLIKE_PLAIN: frozenset[str] = frozenset({"test_in_some_iterations.py", "test_last_exception.py"})
"""Files whose tests end in another way, or note other things, when they run once."""
