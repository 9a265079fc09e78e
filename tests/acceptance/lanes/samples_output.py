"""Sample tests: output, logging, warnings, and exceptions that nobody caught."""

from __future__ import annotations

SOURCES = {
    "test_prints.py": """
    import os
    import subprocess
    import sys

    import pytest
    from events import note, word

    def say(stage):
        print(f"{stage} out {word()}")
        print(f"{stage} err {word()}", file=sys.stderr)
        os.write(1, f"{stage} fd 1 {word()}\\n".encode())
        os.write(2, f"{stage} fd 2 {word()}\\n".encode())

    @pytest.fixture
    def talks():
        say("setup")
        yield
        say("teardown")

    def test_passes(talks):
        say("call")

    def test_fails(talks):
        say("call")
        assert word() == "nothing"

    def test_setup_fails(talks, request):
        request.getfixturevalue("no_such_fixture")

    def test_subprocess():
        subprocess.run([sys.executable, "-c", "print('of a child')"], check=True)
        subprocess.run(["sh", "-c", "echo to stderr >&2"], check=True)
        assert word() == "nothing"

    def test_without_newline():
        sys.stdout.write("no newline")
        sys.stderr.write("no newline either")
        assert word() == "nothing"

    def test_bytes_and_unicode():
        sys.stdout.buffer.write(b"\\xff bytes\\n")
        sys.stdout.flush()
        print("größe 日本 \\x1b[31mred\\x1b[0m \\x00 \\x07")
        assert word() == "nothing"

    def test_much():
        print("line\\n" * 20_000)
        assert word() == "nothing"

    def test_quiet():
        assert word() == "nothing"

    def test_stdin():
        sys.stdin.read()

    def test_input():
        input("answer? ")

    def test_streams():
        note(type(sys.stdout).__name__, type(sys.stderr).__name__, type(sys.stdin).__name__)
        note(sys.stdout.encoding, sys.stdout.isatty(), sys.stdout.name, sys.__stdout__ is sys.stdout)
""",
    "test_prints_of_wider_fixtures.py": """
    import pytest
    from events import word

    @pytest.fixture(scope="module")
    def talks():
        print("module setup", word())
        yield
        print("module teardown", word())

    def test_fails(talks):
        print("call", word())
        assert word() == "nothing"

    def test_passes(talks):
        print("call", word())
""",
    "test_capturing.py": """
    import os
    import sys

    import pytest
    from events import note, word

    def test_capsys(capsys):
        print("out", word())
        print("err", file=sys.stderr)
        note(capsys.readouterr())
        print("left over", word())
        assert word() == "nothing"

    def test_capsys_keeps_what_was_not_read(capsys):
        print("kept", word())

    def test_capfd(capfd):
        os.write(1, b"fd\\n")
        os.system("echo of the shell")
        note(capfd.readouterr())
        os.write(2, b"left over\\n")
        assert word() == "nothing"

    def test_capsysbinary(capsysbinary):
        sys.stdout.buffer.write(b"\\xff")
        note(capsysbinary.readouterr())

    def test_capfdbinary(capfdbinary):
        os.write(1, b"\\xfe")
        note(capfdbinary.readouterr())

    @pytest.mark.skipif(not hasattr(pytest, "RaisesGroup"), reason="younger than this pytest")
    def test_capteesys(capteesys):
        print("twice", word())
        note(capteesys.readouterr())

    def test_disabled(capsys):
        print("captured")
        with capsys.disabled():
            print(f"shown in {word()}")
        note(capsys.readouterr())

    def test_two_at_once(capsys, capfd):
        pass

    @pytest.fixture
    def in_setup(capsys):
        print("in setup")
        note(capsys.readouterr())
        print("left from setup")
        yield capsys
        print("in teardown")
        note(capsys.readouterr())
        print("left from teardown")

    def test_in_every_stage(in_setup):
        note(in_setup.readouterr())
        print("left from call")

    def test_in_every_stage_failing(in_setup):
        print("left from call")
        assert word() == "nothing"

    def test_global_capture_read_by_hand(request):
        manager = request.config.pluginmanager.getplugin("capturemanager")
        print("before")
        with manager.global_and_fixture_disabled():
            pass
        note(manager.is_capturing(), manager.is_globally_capturing())
""",
    "test_logging.py": """
    import logging

    import pytest
    from events import note, word

    log = logging.getLogger("sample")

    def test_in_report():
        log.warning("warned %s", word())
        log.info("told %s", word())
        log.debug("hidden")
        assert word() == "nothing"

    def test_passes():
        log.error("wrong %s", word())

    @pytest.fixture
    def logs(caplog):
        log.warning("in setup")
        yield
        log.warning("in teardown")
        note([(stage, len(caplog.get_records(stage))) for stage in ("setup", "call", "teardown")])

    def test_stages(logs, caplog):
        log.warning("in call")
        note(caplog.messages, [record.getMessage() for record in caplog.get_records("setup")])
        note(caplog.record_tuples, caplog.text.count("in call"))
        assert word() == "nothing"

    def test_levels(caplog):
        note(log.level, logging.getLogger().level, caplog.handler.level)
        caplog.set_level(logging.DEBUG, logger="sample")
        log.debug("seen")
        with caplog.at_level(logging.CRITICAL, logger="sample"):
            log.error("not seen")
        note(caplog.messages)
        caplog.clear()
        note(caplog.messages, caplog.records)
        caplog.set_level(logging.ERROR)

    def test_levels_are_restored(caplog):
        note(log.level, logging.getLogger().level)
        log.debug("not seen")
        note(caplog.messages)

    def test_filtering(caplog):
        if hasattr(caplog, "filtering"):
            with caplog.filtering(logging.Filter("other")):
                log.warning("filtered")
        note(caplog.messages)

    def test_disabled_logging(caplog):
        logging.disable(logging.ERROR)
        caplog.set_level(logging.WARNING)
        note(logging.root.manager.disable)
        log.warning("maybe")
        note(caplog.messages)
        logging.disable(logging.NOTSET)

    def test_wrong_arguments():
        log.warning("%d", "no number")

    def test_exception():
        try:
            raise KeyError(word())
        except KeyError:
            log.exception("caught")
        assert word() == "nothing"

    @pytest.fixture(autouse=True)
    def handlers():
        root = logging.getLogger()
        note("setup", [type(handler).__name__ for handler in root.handlers], root.level)
        yield
        note("teardown", [type(handler).__name__ for handler in root.handlers], root.level)
""",
    "test_warnings.py": """
    import sys
    import warnings

    import pytest
    from events import note, word

    def test_warns():
        warnings.warn("old")

    def test_warns_each_time_otherwise():
        warnings.warn(f"old {word()}", DeprecationWarning)

    @pytest.fixture
    def warning():
        warnings.warn("in setup")
        yield
        warnings.warn("in teardown", FutureWarning)

    def test_stages(warning):
        warnings.warn("in call", UserWarning, stacklevel=2)

    def test_recwarn(recwarn):
        warnings.warn(f"recorded {word()}")
        note(len(recwarn), recwarn.pop().message)

    def test_pytest_warns():
        with pytest.warns(UserWarning, match="old") as caught:
            warnings.warn(f"old {word()}")
        note([str(each.message) for each in caught])

    def test_did_not_warn():
        with pytest.warns(UserWarning):
            word()

    def test_deprecated_call():
        with pytest.deprecated_call():
            warnings.warn("gone soon", DeprecationWarning)

    @pytest.mark.filterwarnings("error")
    def test_error_by_mark():
        warnings.warn(f"fatal {word()}")

    @pytest.mark.filterwarnings("ignore:old")
    @pytest.mark.filterwarnings("error:fatal:UserWarning")
    def test_two_marks():
        warnings.warn("old")
        warnings.warn("fatal")

    def test_error_by_ini():
        warnings.warn("fatal by ini")

    def test_ignored_by_ini():
        warnings.warn("ignored by ini")

    def test_filter_left_behind():
        note(len(warnings.filters), warnings.filters[0][0])
        warnings.simplefilter("error")
        note(warnings.filters[0][0])

    def test_after_a_filter_left_behind():
        note(len(warnings.filters), warnings.filters[0][0])
        warnings.warn("not fatal")

    def test_reset_behind():
        warnings.resetwarnings()
        warnings.warn("after reset", DeprecationWarning)

    def test_showwarning_replaced():
        note(warnings.showwarning.__module__)
        warnings.showwarning = lambda *args, **kwargs: print("shown by hand", args[0])
        warnings.warn("by hand")
        assert word() == "nothing"

    def test_once_in_a_registry():
        for _ in range(3):
            warnings.warn("thrice")

    def test_of_the_node(request):
        request.node.warn(pytest.PytestWarning(f"of the node {word()}"))

    def test_unknown_mark_at_run_time(request):
        request.node.add_marker(pytest.mark.unheard)

    def test_resource():
        open(__file__)

    def test_fails_with_warning():
        warnings.warn("before the failure")
        assert word() == "nothing"
""",
    "test_uncaught.py": """
    import gc
    import threading

    import pytest
    from events import note, word

    @pytest.fixture(scope="module", autouse=True)
    def collector_off():
        # An exception holds its frames in a circle: when that is found must not be chance.
        gc.collect()
        gc.freeze()
        gc.disable()
        yield
        gc.enable()
        gc.unfreeze()

    @pytest.fixture(autouse=True)
    def collected():
        gc.collect()

    class Raises:
        def __init__(self):
            self.word = word()

        def __repr__(self):
            return "<Raises>"

        def __del__(self):
            raise RuntimeError(f"in del {self.word}")

    def run_thread():
        thread = threading.Thread(target=lambda: {}[word()], name="sample")
        thread.start()
        thread.join()

    def test_del():
        Raises()

    def test_two_dels():
        Raises()
        Raises()

    def test_del_by_the_collector():
        kept = Raises()
        kept.cycle = kept
        del kept
        gc.collect()

    def test_del_with_a_failure():
        kept = Raises()
        assert word() == "nothing"

    def test_thread():
        run_thread()

    @pytest.fixture
    def in_setup():
        Raises()
        run_thread()

    def test_in_setup(in_setup):
        pass

    @pytest.fixture
    def in_teardown():
        yield
        Raises()
        run_thread()

    def test_in_teardown(in_teardown):
        note("body")

    @pytest.mark.filterwarnings("error::pytest.PytestUnraisableExceptionWarning")
    def test_del_as_error():
        Raises()

    @pytest.mark.filterwarnings("error::pytest.PytestUnhandledThreadExceptionWarning")
    def test_thread_as_error():
        run_thread()

    @pytest.mark.filterwarnings("error")
    def test_many_as_errors():
        Raises()
        Raises()
        run_thread()
        run_thread()

    @pytest.mark.filterwarnings("error")
    def test_failure_and_errors():
        Raises()
        assert word() == "nothing"

    @pytest.mark.filterwarnings("error")
    def test_setup_as_error(in_setup):
        note("body")

    @pytest.mark.filterwarnings("error")
    def test_teardown_as_error(in_teardown):
        note("body")

    @pytest.mark.filterwarnings("error")
    @pytest.mark.xfail
    def test_expected():
        Raises()

    @pytest.mark.filterwarnings("error")
    def test_unawaited():
        async def coroutine():
            pass
        coroutine()

    def test_thread_that_exits():
        thread = threading.Thread(target=exit)
        thread.start()
        thread.join()
""",
    "test_current_test.py": """
    import os

    import pytest
    from events import note, word

    @pytest.fixture(scope="module")
    def wider():
        note("wider up")
        yield
        note("wider down")

    @pytest.fixture
    def around(wider):
        note("around up", os.environ["PYTEST_CURRENT_TEST"])
        yield
        note("around down", os.environ["PYTEST_CURRENT_TEST"])

    @pytest.mark.parametrize("name", ["a", "ü", "\\x00"])
    def test_current(around, name):
        assert os.environ["PYTEST_CURRENT_TEST"] == word()

    def test_version():
        note(os.environ.get("PYTEST_VERSION"), "PYTEST_XDIST_WORKER" in os.environ)

    def test_removed_by_the_test_is_set_again():
        os.environ["PYTEST_CURRENT_TEST"] = "changed"
""",
    "test_interpreter.py": """
    import faulthandler
    import gc
    import signal
    import sys
    import threading

    import pytest
    from events import note

    def look(stage):
        note(stage, gc.isenabled(), gc.get_threshold(), gc.get_freeze_count(), len(gc.callbacks))
        note(stage, sys.getrecursionlimit(), sys.gettrace(), sys.getprofile(), faulthandler.is_enabled())
        note(stage, signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGALRM))
        note(stage, sys.unraisablehook is sys.__unraisablehook__, threading.active_count())

    @pytest.fixture
    def looks():
        look("setup")
        yield
        look("teardown")

    def test_left_alone(looks):
        look("call")
""",
}

# The output of a wider fixture belongs to the iteration that sets it up, and to the one that tears it down.
UNLIKE_PLAIN: frozenset[str] = frozenset({"test_prints_of_wider_fixtures.py"})
"""Files whose tests end in another way, or note other things, when they run once."""
