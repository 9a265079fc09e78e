"""Sample tests: everything that pytest runs and that is no plain function."""

from __future__ import annotations

import pytest

SOURCES = {
    "test_unittest.py": """
    import unittest

    import pytest
    from events import note, word

    def setUpModule():
        note("setUpModule")

    def tearDownModule():
        note("tearDownModule")

    class TestLife(unittest.TestCase):
        @classmethod
        def setUpClass(cls):
            note("setUpClass")
            cls.addClassCleanup(note, "class cleanup")
            cls.shared = []

        @classmethod
        def tearDownClass(cls):
            note("tearDownClass", type(cls.shared))

        def setUp(self):
            note("setUp", hasattr(self, "own"), self.id(), self._testMethodName)
            self.own = []
            self.addCleanup(note, "cleanup")

        def tearDown(self):
            note("tearDown", self.own)

        def test_passes(self):
            self.own.append(1)
            self.shared.append(1)
            self.addCleanup(note, "cleanup of the test")

        def test_fails(self):
            print("printed")
            self.assertEqual({"a": word()}, {"a": 1}, "msg")

        def test_skips(self):
            self.skipTest(f"now {word()}")

        @unittest.skip("by decorator")
        def test_is_skipped(self):
            note("body")

        @unittest.expectedFailure
        def test_expected(self):
            self.fail("known")

        @unittest.expectedFailure
        def test_unexpected(self):
            note("body")

        def test_cleanup_fails(self):
            self.addCleanup(self.fail, f"cleanup {word()}")

        def test_both_fail(self):
            self.addCleanup(self.fail, f"cleanup {word()}")
            self.fail(f"test {word()}")

        @pytest.mark.xfail
        def test_mark(self):
            self.fail("known")

        def test_pytest_skip(self):
            pytest.skip("of pytest")

        def test_exit(self):
            raise SystemExit(word())

    class TestSetUpFails(unittest.TestCase):
        def setUp(self):
            note("setUp")
            raise OSError(word())

        def tearDown(self):
            note("tearDown")

        def test_a(self):
            note("body")

    class TestTearDownFails(unittest.TestCase):
        def tearDown(self):
            raise OSError(word())

        def test_passes(self):
            note("body")

        def test_fails(self):
            self.fail(word())

    class TestSetUpClassFails(unittest.TestCase):
        @classmethod
        def setUpClass(cls):
            note("setUpClass")
            cls.addClassCleanup(note, "class cleanup")
            raise OSError("no class")

        def test_a(self):
            note("body")

    class TestSetUpClassSkips(unittest.TestCase):
        @classmethod
        def setUpClass(cls):
            raise unittest.SkipTest("no class today")

        def test_a(self):
            note("body")

    @unittest.skip("whole class")
    class TestSkipped(unittest.TestCase):
        def test_a(self):
            note("body")

    class TestFixtures(unittest.TestCase):
        @pytest.fixture(autouse=True)
        def given(self, tmp_path, request):
            self.place = tmp_path
            note("given", request.instance is self)
            yield
            note("taken")

        def test_place(self):
            note(self.place.name)
            self.assertTrue(list(self.place.iterdir()), word())

    class TestWarnings(unittest.TestCase):
        def test_logs_and_warns(self):
            import logging
            import warnings
            with self.assertLogs() as logs, self.assertWarns(UserWarning):
                logging.warning("logged")
                warnings.warn("warned")
            note(logs.output)
            warnings.warn("shown")
            logging.warning("logged again")
            self.fail(word())
""",
    "test_unittest_parts.py": """
    import unittest

    from events import note, word

    class TestParts(unittest.TestCase):
        def test_passing_parts(self):
            for part in range(3):
                with self.subTest(part=part):
                    note("part", part)

        def test_failing_parts(self):
            for part in range(3):
                with self.subTest("message", part=part):
                    print("part", part)
                    self.assertNotEqual(part, 1, word())

        def test_failing_part_and_test(self):
            with self.subTest(part=1):
                self.fail(f"part {word()}")
            self.fail(f"test {word()}")

        def test_skipping_part(self):
            with self.subTest(part=1):
                self.skipTest("part")
""",
    "test_unittest_async.py": """
    import asyncio
    import unittest

    from events import note, word

    class TestAsync(unittest.IsolatedAsyncioTestCase):
        def setUp(self):
            note("setUp")

        async def asyncSetUp(self):
            note("asyncSetUp")
            self.loop = asyncio.get_running_loop()

        async def asyncTearDown(self):
            note("asyncTearDown", self.loop is asyncio.get_running_loop())

        async def test_passes(self):
            await asyncio.sleep(0)
            self.addAsyncCleanup(self.clean)

        async def clean(self):
            note("clean")

        async def test_fails(self):
            await asyncio.sleep(0)
            self.fail(word())

        def test_plain_function(self):
            note("body")
""",
    "test_unittest_class_teardown.py": """
    import unittest

    from events import note

    class TestTearDownClassFails(unittest.TestCase):
        @classmethod
        def tearDownClass(cls):
            note("tearDownClass")
            raise OSError("class stays")

        def test_a(self):
            note("body")
""",
    "documented.py": '''
    """A module with examples.

    >>> from events import note, word
    >>> note("module")
    >>> print("shown")
    shown
    """

    def passes():
        """
        >>> passes()
        4
        """
        return 4

    def fails():
        """
        >>> value = fails()
        >>> value
        5
        >>> value + 1
        5
        """
        return 4

    def raises():
        """
        >>> raises()
        """
        raise KeyError("lost")

    def expects():
        """
        >>> raises()
        Traceback (most recent call last):
        KeyError: 'lost'
        >>> import warnings; warnings.warn("of a doctest")
        """

    def skips():
        """
        >>> 1 / 0  # doctest: +SKIP
        """

    def skips_by_itself():
        """
        >>> import pytest; pytest.skip("of a doctest")
        """
''',
    "example.txt": """
    >>> from events import note, word
    >>> note("text")
    >>> getfixture("tmp_path").name[:8]
    'test_exa'
    >>> names = []
    >>> names.append(word()); names
    ['nothing']
""",
    "right.txt": """
    >>> 1 + 1
    2
""",
    "test_inner_sessions.py": """
    from events import iteration, note, word

    INNER = '''
    import warnings

    def test_passes(tmp_path):
        print("inner print")
        warnings.warn("inner warning")

    def test_fails(caplog):
        import logging
        logging.warning("inner log")
        assert 0
    '''

    def test_in_process(pytester):
        if iteration() == 2:
            pytester.makeini("[pytest]")
            pytester.makepyfile(INNER)
            result = pytester.runpytest_inprocess("-p", "no:cacheprovider")
            note(result.ret, result.parseoutcomes())
        print("after the inner session", word())
        assert word() != "two"

    def test_after():
        print("printed")
        assert word() == "nothing"
""",
    "yaml/conftest.py": """
    import pytest
    from events import note, word

    def pytest_collect_file(parent, file_path):
        if file_path.suffix == ".yaml":
            return File.from_parent(parent, path=file_path)

    class File(pytest.File):
        def collect(self):
            for line in self.path.read_text().split():
                yield Line.from_parent(self, name=line)

        def setup(self):
            note("file up")

        def teardown(self):
            note("file down")

    class Wrong(Exception):
        pass

    class Line(pytest.Item):
        def setup(self):
            note("up", self.name)
            print("line up")
            if self.name == "unset":
                raise Wrong(f"setup {word()}")

        def runtest(self):
            note("run", self.name)
            print("line runs")
            if self.name == "wrong":
                raise Wrong(word())
            if self.name == "skipped":
                pytest.skip("a line")
            if self.name == "asserted":
                assert word() == "nothing"

        def teardown(self):
            note("down", self.name)
            if self.name == "stuck":
                raise Wrong(f"teardown {word()}")

        def repr_failure(self, excinfo, style=None):
            if isinstance(excinfo.value, Wrong):
                return f"usecase failed: {excinfo.value}"
            return super().repr_failure(excinfo)

        def reportinfo(self):
            return self.path, 0, f"line: {self.name}"
""",
    "yaml/lines.yaml": """
    right
    wrong
    skipped
    asserted
    unset
    stuck
""",
    "classes/conftest.py": """
    import pytest
    from events import note

    class Database(pytest.Function):
        def setup(self):
            note("database up")
            super().setup()

        def runtest(self):
            note("before", self.name)
            print("in a transaction")
            try:
                super().runtest()
            finally:
                note("rolled back")

        def teardown(self):
            super().teardown()
            note("database down")

    @pytest.hookimpl(tryfirst=True)
    def pytest_pycollect_makeitem(collector, name, obj):
        if name.startswith("db_") and callable(obj):
            return Database.from_parent(collector, name=name)
""",
    "classes/test_database.py": """
    from events import note, word

    def db_passes():
        note("body")

    def db_fails(tmp_path):
        print(tmp_path.name)
        assert word() == "nothing"

    class TestClass:
        def db_method(self, request):
            note(type(request.node).__name__, type(self).__name__)
""",
}
SUBTESTS = {
    "test_subtests.py": """
        import pytest
        from events import note, word

        def test_parts(subtests):
            for part in range(3):
                with subtests.test("part", number=part):
                    print("part", part)
                    assert part != 1, word()
            note("end")

        def test_passing_parts(subtests):
            with subtests.test("part"):
                note("part")

        def test_skipped_part(subtests):
            with subtests.test("part"):
                pytest.skip("part")

        def test_both_fail(subtests):
            with subtests.test("part"):
                assert word() == "nothing"
            assert word() == "no word"

        @pytest.mark.xfail
        def test_expected(subtests):
            with subtests.test("part"):
                assert 0
"""
}
if pytest.version_tuple >= (9,):
    SOURCES |= SUBTESTS

UNLIKE_PLAIN: frozenset[str] = frozenset(
    {
        # Only the last iteration tears down what is wider than a test.
        "test_unittest_class_teardown.py",
        # The second iteration is another one.
        "test_inner_sessions.py",
        # The parts of a test are parts of its iteration, and have no reports of their own.
        "test_unittest_parts.py",
        "test_subtests.py",
    }
)
"""Files whose tests end in another way, or note other things, when they run once."""
