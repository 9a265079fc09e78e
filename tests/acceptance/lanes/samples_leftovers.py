"""Sample tests that leave something behind: what a stage finds must not depend on the lane.

They run six times: what a lane does at first and then no more shows after some iterations.
"""

from __future__ import annotations

SOURCES = {
    "test_streams.py": """
    import io
    import os
    import sys

    import pytest
    from events import iteration, note, word

    # A failure is told at once, and what a lane keeps open is closed for that: so each test ends both ways.
    pytestmark = pytest.mark.parametrize("fails", [False, True], ids=["passes", "fails"])

    def look(stage):
        note(stage, type(sys.stdout).__name__, type(sys.stderr).__name__, type(sys.stdin).__name__)

    @pytest.fixture
    def looks():
        look("setup")
        print("printed in setup")
        os.write(1, b"fd 1 in setup\\n")
        yield
        look("teardown")
        print("printed in teardown")
        os.write(1, b"fd 1 in teardown\\n")
        os.write(2, b"fd 2 in teardown\\n")

    def test_stdout_replaced(looks, fails):
        sys.stdout = io.StringIO()
        print("into the other one")
        os.write(1, b"fd 1\\n")
        assert not fails, word()

    def test_after_stdout_replaced(looks, fails):
        print("printed in call")
        assert not fails, word()

    def test_stderr_is_none(looks, fails):
        sys.stderr = None
        assert not fails, word()

    def test_stdin_replaced(looks, fails):
        note(sys.stdin.__class__.__module__)
        sys.stdin = io.StringIO("typed")
        assert not fails, word()

    def test_stdout_of_the_interpreter(looks, fails):
        sys.stdout = sys.__stdout__
        print("around pytest", word())
        assert not fails, word()

    def test_fd_1_closed(looks, fails):
        kept = os.dup(1)
        os.close(1)
        try:
            os.write(1, b"nowhere")
        except OSError as error:
            note(error.strerror)
        os.dup2(kept, 1)
        os.close(kept)
        os.write(1, b"back\\n")
        assert not fails, word()

    def test_fd_1_redirected(looks, tmp_path, fails):
        # What is left below fd 1 stays there in the fast lane: to look for it in each stage is dear.
        kept = os.dup(1)
        file = os.open(tmp_path / "out", os.O_WRONLY | os.O_CREAT)
        os.dup2(file, 1)
        os.close(file)
        os.write(1, b"into the file\\n")
        os.dup2(kept, 1)
        os.close(kept)
        assert not fails, word()

    def test_after_fd_1_redirected(looks, fails):
        os.write(1, b"fd 1\\n")
        print("printed")
        assert not fails, word()

    def test_seek(looks, fails):
        print("before")
        sys.stdout.flush()
        os.lseek(1, 0, os.SEEK_SET)
        os.write(1, b"B")
        assert not fails, word()

    def test_truncate(looks, fails):
        print("before")
        sys.stdout.flush()
        os.ftruncate(1, 0)
        os.lseek(1, 0, os.SEEK_SET)
        assert not fails, word()

    def test_fork(looks, fails):
        print("before")
        if os.fork() == 0:
            os.write(1, b"of the child\\n")
            os._exit(0)
        os.wait()
        assert not fails, word()

    def test_only_in_some(looks, fails):
        if iteration() in (2, 5):
            print("in", word())
        assert not fails, word()

    def test_capture_by_hand(looks, request, fails):
        manager = request.config.pluginmanager.getplugin("capturemanager")
        with manager.global_and_fixture_disabled():
            print("shown", word())
        print("captured")
        assert not fails, word()

    def test_capture_left_suspended(looks, request, fails):
        manager = request.config.pluginmanager.getplugin("capturemanager")
        manager.suspend_global_capture()
        print("shown", word())
        assert not fails, word()

    def test_capsys_left_disabled(capsys, fails):
        print("captured")
        capsys.disabled().__enter__()
        print("shown", word())
        assert not fails, word()

    def test_last(looks, fails):
        print("printed in call")
        assert not fails, word()
""",
    "test_logs.py": """
    import itertools
    import logging
    import logging.config
    import sys

    import pytest
    from events import iteration, note, word

    log = logging.getLogger("left")
    COUNTER = itertools.count()
    # A failure is told at once, and what a lane keeps open is closed for that: so each test ends both ways.
    pytestmark = pytest.mark.parametrize("fails", [False, True], ids=["passes", "fails"])

    def look(stage):
        root = logging.getLogger()
        note(stage, [type(handler).__name__ for handler in root.handlers], root.level, log.level)

    @pytest.fixture(autouse=True)
    def looks(caplog):
        look("setup")
        log.warning("logged in setup")
        yield
        look("teardown")
        log.warning("logged in teardown")
        note([(stage, len(caplog.get_records(stage))) for stage in ("setup", "call", "teardown")])

    def test_basic_config(fails):
        logging.basicConfig(force=True, stream=sys.stdout, level=logging.DEBUG)
        log.debug("logged in call")
        assert not fails, word()

    def test_no_handlers(fails):
        root = logging.getLogger()
        for handler in list(root.handlers):
            root.removeHandler(handler)
        log.warning("logged in call")
        assert not fails, word()

    def test_own_handler(fails):
        handler = logging.StreamHandler(sys.stdout)
        logging.getLogger().addHandler(handler)
        log.warning("logged in call")
        logging.getLogger().removeHandler(handler)
        assert not fails, word()

    def test_own_handler_left_first(fails):
        if iteration() == 5:
            logging.getLogger().handlers.insert(0, logging.NullHandler())
        log.warning("logged in call")
        assert not fails, word()

    def test_dict_config(fails):
        root = {"level": "ERROR"}
        logging.config.dictConfig({"version": 1, "disable_existing_loggers": False, "root": root})
        log.warning("logged in call")
        logging.getLogger().warning("of the root")
        assert not fails, word()

    def test_existing_loggers_disabled(fails):
        logging.config.dictConfig({"version": 1})
        log.warning("logged in call")
        log.disabled = False
        assert not fails, word()

    def test_root_level(fails):
        logging.getLogger().setLevel(logging.DEBUG if iteration() % 2 else logging.ERROR)
        log.info("logged in call")
        assert not fails, word()

    def test_after_root_level(fails):
        log.info("logged in call")
        logging.getLogger().setLevel(logging.WARNING)
        assert not fails, word()

    @pytest.fixture
    def born_alone():
        alone = logging.getLogger(f"alone.{next(COUNTER)}")
        alone.propagate = False
        return alone

    def test_logger_without_parent_made_in_setup(born_alone, caplog, fails):
        born_alone.warning("alone in call")
        note(caplog.messages)
        assert not fails, word()

    def test_logger_that_leaves_its_parent(caplog, fails):
        other = logging.getLogger("leaves")
        other.warning("logged in call")
        note(caplog.messages)
        # A lane may take it that loggers stay as they are after some iterations.
        other.propagate = iteration() < 2
        assert not fails, word()

    def test_handlers_of_a_logger_without_parent(fails):
        other = logging.getLogger("leaves")
        note([type(handler).__name__ for handler in other.handlers])
        other.warning("logged in call")
        assert not fails, word()

    def test_logger_replaced_by_name(caplog, fails):
        logging.root.manager.loggerDict.pop("short lived", None)
        logging.getLogger("short lived").propagate = False
        logging.getLogger("short lived").warning("logged in call")
        note(caplog.messages)
        assert not fails, word()

    def test_shutdown(fails):
        logging.shutdown()
        log.warning("logged in call")
        assert not fails, word()

    def test_level_left_by_hand(caplog, fails):
        caplog.handler.setLevel(logging.CRITICAL)
        log.warning("logged in call")
        note(caplog.messages)
        assert not fails, word()

    def test_formatter_left(caplog, fails):
        caplog.handler.setFormatter(logging.Formatter("%(message)s!"))
        log.warning("logged in call")
        note(caplog.text)
        assert not fails, word()

    def test_records_emptied_by_hand(caplog, fails):
        log.warning("logged in call")
        caplog.records.clear()
        note(caplog.get_records("call"))
        assert not fails, word()

    def test_last(caplog, fails):
        log.warning("logged in call")
        note(caplog.messages)
        assert not fails, word()
""",
    "test_other_state.py": """
    import faulthandler
    import gc
    import os
    import random
    import signal
    import sys
    import threading
    import warnings

    import pytest
    from events import iteration, note, word

    GO = threading.Event()
    THREADS = []

    def look(stage):
        try:
            place = os.getcwd()
        except FileNotFoundError:
            place = "nowhere"
        note(stage, place, os.environ.get("LEFT"), len(warnings.filters), "left" in sys.path)

    @pytest.fixture
    def looks(tmp_path):
        look("setup")
        yield
        look("teardown")

    def test_directory(looks, tmp_path):
        os.chdir(tmp_path)
        assert word() == "nothing"

    def test_removed_directory(looks, tmp_path):
        (tmp_path / "gone").mkdir()
        os.chdir(tmp_path / "gone")
        (tmp_path / "gone").rmdir()

    def test_back(looks, request):
        os.chdir(request.config.rootpath)

    def test_environment(looks):
        os.environ["LEFT"] = word()
        assert word() == "nothing"

    def test_path(looks):
        sys.path.append("left")

    def test_current_test_removed(looks):
        del os.environ["PYTEST_CURRENT_TEST"]

    def test_environment_emptied(looks):
        kept = dict(os.environ)
        os.environ.clear()
        os.environ.update(kept)

    def test_collector(looks):
        gc.disable()
        gc.enable()

    def test_recursion_limit(looks):
        note(sys.getrecursionlimit())
        sys.setrecursionlimit(5000)

    def test_trace(looks):
        note(sys.gettrace(), sys.getprofile())
        sys.setprofile(lambda *args: None)
        sys.setprofile(None)

    def test_signal(looks):
        note(signal.getsignal(signal.SIGUSR1))
        signal.signal(signal.SIGUSR1, signal.SIG_IGN)

    def test_filters_replaced(looks):
        warnings.filters = []
        warnings.warn("unfiltered")
        assert word() == "nothing"

    def test_catch_warnings_left_open(looks):
        warnings.catch_warnings(record=True).__enter__()
        warnings.warn("caught")

    def test_after_catch_warnings_left_open(looks):
        warnings.warn("not caught")

    def test_show_replaced_for_good(looks):
        warnings.showwarning = lambda *args, **kwargs: None
        warnings.warn("hidden")

    def test_after_show_replaced(looks):
        warnings.warn("shown")

    def test_warned_once(looks):
        warnings.simplefilter("once")
        warnings.warn("once only")
        warnings.warn("once only")

    def test_default_action(looks):
        warnings.filterwarnings("default", "the default")
        for _ in range(2):
            warnings.warn("the default")

    def test_iteration_in_text(looks):
        warnings.warn(f"in iteration {word()}")

    def test_hooks_replaced(looks):
        note(sys.unraisablehook.__class__.__name__, threading.excepthook.__class__.__name__)
        sys.unraisablehook = lambda unraisable: None
        class Raises:
            def __del__(self):
                raise ValueError
        Raises()

    def test_thread_that_outlives_its_test(looks):
        def work():
            GO.wait()
            raise ValueError("late")
        THREADS.append(threading.Thread(target=work, daemon=True, name="late"))
        THREADS[-1].start()

    def test_that_waits_for_it(looks):
        GO.set()
        for thread in THREADS:
            thread.join()

    def test_module_gone(looks):
        sys.modules.pop("decimal", None)

    def test_random(looks):
        note(random.random())

    def test_faulthandler(looks):
        faulthandler.disable()
        note(faulthandler.is_enabled())

    def test_last(looks):
        note(os.getcwd(), signal.getsignal(signal.SIGUSR1), faulthandler.is_enabled())
        assert word() == "nothing"
""",
    "test_session_state.py": """
    import pytest
    from events import iteration, note, word

    @pytest.fixture
    def broken_finalizer():
        yield
        raise Stop(word())

    class Stop(BaseException):
        pass

    @pytest.fixture
    def outer():
        note("outer up")
        yield
        note("outer down")

    def test_finalizer_raises_base_exception(outer, broken_finalizer):
        note("body")

    def test_after_it(outer):
        note("body")

    @pytest.fixture
    def broken_setup(outer):
        raise Stop(word())

    def test_setup_raises_base_exception(broken_setup):
        note("body")

    def test_after_that(outer):
        note("body")

    def test_renamed(request):
        note(request.node.name)
        request.node.name = "other"

    def test_attributes(request):
        note(getattr(request.node, "own", None))
        request.node.own = word()

    def test_sections_replaced(request):
        print("printed")
        request.node._report_sections.clear()
        assert word() == "nothing"

    def test_function_replaced(request):
        note("first")
        request.node.obj = lambda: note("replaced")

    def test_marks_removed(request):
        note(len(request.node.own_markers))
        request.node.own_markers.clear()

    test_marks_removed = pytest.mark.skipif(False, reason="never")(test_marks_removed)

    class TestMarkedClass:
        def test_class_marked(self, request):
            note([mark.name for mark in request.node.iter_markers()])
            if iteration() == 2:
                request.node.parent.add_marker(pytest.mark.xfail(reason="of the class"))
            if iteration() == 4:
                request.node.parent.add_marker(pytest.mark.skip(reason="of the class"))
            assert iteration() not in (1, 3)

    def test_report_section_order(request):
        request.node.add_report_section("call", "own", "by hand")
        print("printed")
        request.node.add_report_section("teardown", "own", "early")
        assert word() == "nothing"

    def test_property_kept(request):
        note(request.node.user_properties)
        request.node.user_properties.append(("own", word()))

    def test_last(outer):
        note("body")
        assert word() == "nothing"
""",
}
