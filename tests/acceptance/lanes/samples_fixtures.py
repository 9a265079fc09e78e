"""Sample tests: fixtures of every kind, parameters, xunit setup, marks on the way."""

from __future__ import annotations

SOURCES = {
    "test_scopes.py": """
    import pytest
    from events import note, word

    def scoped(scope):
        @pytest.fixture(scope=scope, name=f"of_{scope}")
        def fixture(request):
            note(scope, "up", request.node.nodeid, request.scope)
            request.addfinalizer(lambda: note(scope, "finalizer"))
            yield [scope]
            note(scope, "down")
        return fixture

    of_session, of_package, of_module, of_class, of_function = map(
        scoped, ["session", "package", "module", "class", "function"]
    )

    class TestOne:
        def test_all(self, of_function, of_class, of_module, of_package, of_session):
            note(of_function, of_class, of_module)
            of_function.append(1)

        def test_kept(self, of_class, of_function):
            of_class.append(word())
            note(len(of_class))

    class TestTwo:
        def test_new_class(self, of_class):
            note(of_class)

    def test_outside(of_class, of_module, of_function):
        note(of_class, of_function)
        of_function.append(word())
        assert of_function == ["function", word()]
""",
    "test_finalizers.py": """
    import pytest
    from events import note, word

    def test_reverse_order(request):
        for number in range(3):
            request.addfinalizer(lambda number=number: note("finalizer", number))
        note("body")

    def test_of_the_node(request):
        request.node.addfinalizer(lambda: note("of the node"))

    @pytest.fixture
    def outer():
        note("outer up")
        yield
        note("outer down")

    @pytest.fixture
    def inner(outer):
        note("inner up")
        yield
        note("inner down")
        raise RuntimeError(f"inner {word()}")

    def test_a_failing_one_stops_no_other(inner):
        note("body")

    @pytest.fixture
    def two_failures(request):
        def fail(name):
            note("fail", name)
            raise ValueError(f"{name} {word()}")
        request.addfinalizer(lambda: fail("first"))
        request.addfinalizer(lambda: fail("second"))

    def test_two_failing_ones(two_failures):
        pass

    @pytest.fixture
    def yields_twice():
        yield 1
        yield 2

    def test_a_fixture_that_yields_twice(yields_twice):
        pass

""",
    "test_never_yields.py": """
    import pytest

    @pytest.fixture
    def never_yields():
        if False:
            yield

    def test_a_fixture_that_never_yields(never_yields):
        pass
""",
    "test_parameters.py": """
    import pytest
    from events import note, word

    @pytest.mark.parametrize("name", ["größe", "日本", "a b", "", "x" * 150, "a::b", "a/b", "[c]"])
    def test_ids(name, request):
        note(len(name), request.node.name)

    @pytest.fixture
    def doubled(request):
        note("doubled", request.param)
        yield 2 * request.param
        note("gone", request.param)

    @pytest.mark.parametrize("doubled", [1, 2], indirect=True)
    @pytest.mark.parametrize("plain", [pytest.param(3, id="three"), pytest.param(4, marks=pytest.mark.xfail)])
    def test_indirect(doubled, plain):
        note(doubled, plain)
        assert plain == 3

    @pytest.fixture(params=["mysql", "postgres"], scope="module")
    def database(request):
        note("database up", request.param)
        yield request.param
        note("database down", request.param)

    @pytest.fixture(params=[0, 1], ids=["zero", "one"])
    def row(request, database):
        note("row", request.param)
        return request.param

    def test_first(database, row):
        note(database, row)

    def test_second(database):
        assert database == "mysql", f"{database} {word()}"

    @pytest.mark.parametrize("things", [[]])
    def test_shared_argument(things):
        things.append(1)
        note(len(things))

    @pytest.mark.parametrize("nothing", [])
    def test_empty_set(nothing):
        pass
""",
    "test_xunit.py": """
    from events import note, word

    def setup_module(module):
        note("setup_module", module.__name__)

    def teardown_module(module):
        note("teardown_module")

    def setup_function(function):
        note("setup_function", function.__name__)

    def teardown_function(function):
        note("teardown_function")

    def test_function():
        note("body")

    class TestClass:
        @classmethod
        def setup_class(cls):
            note("setup_class")
            cls.shared = []

        @classmethod
        def teardown_class(cls):
            note("teardown_class", type(cls.shared))

        def setup_method(self, method):
            note("setup_method", method.__name__, hasattr(self, "own"))
            self.own = 1

        def teardown_method(self, method):
            note("teardown_method", self.own)

        def test_method(self):
            self.own += 1
            self.shared.append(1)
            note(self.own)

        def test_failing_method(self):
            self.shared.append(1)
            assert self.own == word()
""",
    "test_xunit_module_fails.py": """
    from events import note

    def setup_module():
        note("setup_module")
        raise OSError("no port")

    def teardown_module():
        note("teardown_module")

    def test_a():
        note("body")

    def test_b():
        note("body")
""",
    "test_xunit_module_skips.py": """
    import pytest

    def setup_module():
        pytest.skip("not on this machine")

    def test_a():
        pass
""",
    "test_xunit_methods_fail.py": """
    from events import note, word

    class TestSetupClass:
        @classmethod
        def setup_class(cls):
            note("setup_class")
            raise RuntimeError("no class")

        def test_a(self):
            pass

    class TestSetupMethod:
        def setup_method(self):
            note("setup_method")
            raise RuntimeError(f"no method {word()}")

        def teardown_method(self):
            note("teardown_method")

        def test_a(self):
            pass

    class TestTeardownMethod:
        def teardown_method(self):
            note("teardown_method")
            raise RuntimeError(f"still busy {word()}")

        def test_passes(self):
            pass

        def test_fails(self):
            assert word() == "nothing"
""",
    "test_request.py": """
    import pytest
    from events import note, word

    KEY = pytest.StashKey()

    @pytest.fixture
    def seen(request):
        item = request.node
        note(item.name, item.originalname, item.nodeid, request.function.__name__, request.fixturenames)
        note("left", item.stash.get(KEY, None), item.user_properties, len(item.own_markers))
        yield "seen"
        note("after", item.stash.get(KEY, None), sorted(item.funcargs), item.user_properties)
        note("sections", [section[:2] for section in item._report_sections])

    @pytest.mark.usefixtures("seen")
    def test_node(request, record_property):
        request.node.stash[KEY] = "kept"
        record_property("word", word())
        request.node.add_marker("slow")
        request.node.keywords["own"] = True
        note("own" in request.node.keywords, "slow" in request.keywords)
        print("printed", word())

    def test_dynamic_value(request):
        note(request.getfixturevalue("seen"), request.getfixturevalue("tmp_path").name)
        assert word() == "nothing"

    def test_missing_fixture(no_such_fixture):
        pass

    def test_missing_dynamic_fixture(request):
        request.getfixturevalue("no_such_fixture")

    def test_own_section(request):
        request.node.add_report_section("call", "custom", f"section {word()}")
        assert word() == "nothing"

    def test_session(request):
        note(request.session.testscollected > 0, request.instance, request.cls)
""",
    "test_autouse.py": """
    import pytest
    from events import note

    @pytest.fixture(autouse=True)
    def always(request):
        note("always", request.node.name)
        yield
        note("always gone")

    @pytest.fixture(autouse=True, scope="module")
    def once():
        note("once")
        yield
        note("once gone")

    @pytest.fixture
    def value():
        return "module"

    class TestClass:
        @pytest.fixture(autouse=True)
        def in_class(self, always):
            self.prepared = "prepared"
            note("in class")

        @pytest.fixture
        def value(self, value):
            return f"class over {value}"

        def test_both(self, value):
            note(self.prepared, value)

    @pytest.mark.usefixtures("value", "tmp_path")
    def test_value(value):
        note(value)
""",
    "test_wider_setup_fails.py": """
    import pytest
    from events import note

    @pytest.fixture(scope="module")
    def broken():
        note("broken")
        raise ConnectionError("no server")

    @pytest.fixture(scope="module")
    def skipping():
        note("skipping")
        pytest.skip("no licence")

    def test_a(broken):
        note("body")

    def test_b(broken):
        note("body")

    def test_skipped(skipping):
        note("body")

    def test_c():
        note("body")
""",
    "test_wider_teardown_fails.py": """
    import pytest
    from events import note, word

    @pytest.fixture(scope="module")
    def busy():
        yield
        note("busy")
        raise ConnectionError("still open")

    @pytest.fixture(scope="class")
    def loud():
        yield
        print("class goes down")
        raise ValueError("class")

    class TestClass:
        def test_a(self, loud, busy):
            note("body")

    def test_last(busy):
        note("body")
        assert word() == "nothing"
""",
    "test_properties.py": """
    import pytest
    from events import word

    def test_property(record_property):
        record_property("word", word())
        record_property("unicode", "größe")

    def test_property_of_a_failure(record_property):
        record_property("word", word())
        assert word() == "nothing"

    def test_testsuite_property(record_testsuite_property):
        record_testsuite_property("arch", "wormhole")

    @pytest.mark.filterwarnings("ignore::pytest.PytestExperimentalApiWarning")
    def test_xml_attribute(record_xml_attribute):
        record_xml_attribute("assertions", "7")

    @pytest.fixture(autouse=True)
    def of_the_fixture(record_property):
        record_property("stage", "setup")
        yield
        record_property("stage", "teardown")
""",
    "test_places.py": """
    import os

    import pytest
    from events import note, word

    GLOBAL = 1

    def test_monkeypatch(monkeypatch, tmp_path):
        note(os.environ.get("OWN"), GLOBAL, os.getcwd())
        monkeypatch.setenv("OWN", "set")
        monkeypatch.setattr(f"{__name__}.GLOBAL", 2)
        monkeypatch.chdir(tmp_path)
        monkeypatch.syspath_prepend(tmp_path)
        note(os.environ["OWN"], GLOBAL, os.getcwd() == str(tmp_path))

    def test_monkeypatch_undo_after_failure(monkeypatch):
        note(os.environ.get("OWN"))
        monkeypatch.setenv("OWN", "left")
        assert word() == "nothing"

    def test_tmp_path(tmp_path):
        note(tmp_path.name, list(tmp_path.iterdir()))
        (tmp_path / "file").touch()

    def test_tmp_path_of_a_failure(tmp_path):
        assert tmp_path.name == word()

    def test_tmpdir(tmpdir, tmp_path_factory):
        note(tmpdir.basename, tmp_path_factory.mktemp("made").name)

    @pytest.fixture(scope="module")
    def place(tmp_path_factory):
        return tmp_path_factory.mktemp("module")

    def test_wider_place(place):
        note(place.name, len(list(place.iterdir())))
        (place / word()).touch()

    def test_cache(cache):
        note(cache.get("own/word", None))
        cache.set("own/word", word())
""",
}

UNLIKE_PLAIN: frozenset[str] = frozenset(
    {
        # Only the last iteration tears down what is wider than a test.
        "test_wider_teardown_fails.py",
        # pytest's frames are left out of the traceback, ours is not.
        "test_never_yields.py",
    }
)
"""Files whose tests end in another way, or note other things, when they run once."""
